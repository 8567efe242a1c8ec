using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace EventDbx.Server.Tests.Plugins;

/// <summary>What a plugin leaves in a file, read as it grows.</summary>
/// <param name="path">Of the file, which need not be there yet.</param>
/// <param name="seed">Of what it does.</param>
internal abstract class ChaosFile(string path, int seed) : ChaosReceiver(seed)
{
    readonly Lock _reading = new();
    readonly byte[] _buffer = new byte[64 * 1024];
    readonly List<byte> _line = [];
    FileStream? _file;

    public override int Count
    {
        get
        {
            Read();
            return base.Count;
        }
    }

    public override ValueTask DisposeAsync()
    {
        _file?.Dispose();
        return ValueTask.CompletedTask;
    }

    protected string Path => path;

    /// <summary>One line, without its end.</summary>
    protected abstract void Take(string line);

    protected void Read()
    {
        lock (_reading)
        {
            if (_file is null && !File.Exists(path))
                return;
            _file ??= new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            while (true)
            {
                for (int read; (read = _file.Read(_buffer)) > 0;)
                {
                    foreach (var one in _buffer.AsSpan(0, read))
                    {
                        if (one != '\n')
                        {
                            _line.Add(one);
                            continue;
                        }

                        Take(Encoding.UTF8.GetString([.. _line]));
                        _line.Clear();
                    }
                }

                // A new log begins at midnight: this one has another name then, and is read to its end.
                if (!File.Exists(path) || new FileInfo(path).Length >= _file.Position)
                    return;
                var next = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
                _file.Dispose();
                _file = next;
            }
        }
    }
}

/// <summary>Lines of a log plugin in the log of the server. It fails with the server alone.</summary>
internal sealed class ChaosLog(string path, int seed) : ChaosFile(path, seed)
{
    /// <summary>What the plugin is to write.</summary>
    public const string Template = "{event} {id} in {aggregate}";

    public override int Window => 0;

    public override Task StartAsync() => Task.CompletedTask;

    public override Task RestartAsync(TimeSpan away) => Task.CompletedTask;

    protected override void Take(string line)
    {
        // 2025-01-31T00:00:00.000Z info  plugin trail: written-17 own-1-2 in load
        if (line.Split(' ', StringSplitOptions.RemoveEmptyEntries) is [_, "info", "plugin", "trail:", var type, var id, "in", "load"])
            Take(id, 0, int.Parse(type.AsSpan("written-".Length), CultureInfo.InvariantCulture));
    }
}

/// <summary>A program that acknowledges what it wrote to its file, ends where it likes, hangs, and is killed: <c>tests/testdata/plugins/chaos.py</c>.</summary>
internal sealed class ChaosProgram(string path, int seed) : ChaosFile(path, seed)
{
    readonly int _seed = seed;
    int _process;

    /// <summary>The file of the program, to be installed.</summary>
    public static string Source { get; } = System.IO.Path.Combine(Checkout.TestData, "plugins", "chaos.py");

    public override int Window => ServerLimits.ProcessInFlightMax;

    public override int FailsOneIn
    {
        get => base.FailsOneIn;
        set
        {
            base.FailsOneIn = value;
            if (value == 0)
                File.WriteAllText(Path + ".calm", "");
        }
    }

    /// <summary>What the program is started with.</summary>
    public string[] Arguments =>
    [
        Path, System.IO.Path.Combine(Checkout.Root, "examples", "plugins", "python", "plugin.py"),
        .. new[] { _seed, FailsOneIn, FailuresMax, Hangs ? 1 : 0 }.Select(number => number.ToString(CultureInfo.InvariantCulture)),
    ];

    public override Task StartAsync() => Task.CompletedTask;

    /// <summary>Kills it. The server starts another.</summary>
    public override Task RestartAsync(TimeSpan away)
    {
        Read();
        try
        {
            if (_process != 0)
            {
                using var found = Process.GetProcessById(_process);
                found.Kill();
            }
        }
        catch (Exception gone) when (gone is ArgumentException or InvalidOperationException)
        {
            // It has ended by itself, as one whose server was killed does.
        }

        return Task.CompletedTask;
    }

    protected override void Take(string line)
    {
        switch (line.Split(' '))
        {
            case ["start", var process]:
                Broke();
                _process = int.Parse(process, CultureInfo.InvariantCulture);
                break;
            case ["end", var process] when process == _process.ToString(CultureInfo.InvariantCulture):
                _process = 0;
                break;
            case ["event", var aggregate, var version, var number]:
                Take(aggregate, ulong.Parse(version, CultureInfo.InvariantCulture), int.Parse(number, CultureInfo.InvariantCulture));
                break;
        }
    }
}
