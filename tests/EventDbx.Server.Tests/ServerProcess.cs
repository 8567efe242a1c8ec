using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;
using EventDbx.Cli.Output;

namespace EventDbx.Server.Tests;

/// <summary>The built program in processes of its own, whose home is a directory of the test: as a server that can be killed, and as commands.</summary>
internal sealed partial class ServerProcess : IDisposable
{
    static readonly ConcurrentDictionary<int, int> s_kills = [];

    readonly Process _process;

    ServerProcess(Process process, int port) => (_process, Port) = (process, port);

    public int Port { get; }

    /// <summary>How often servers of a port were killed. One that is about to be counts already, and once more when it is dead.</summary>
    public static int KillsOf(int port) => s_kills.GetValueOrDefault(port);

    /// <summary>Starts a server and returns once it says that it is ready.</summary>
    /// <param name="home">Its home, and its working directory.</param>
    /// <param name="port">0: one that the system gives to nobody else, so that it is free for the next server once this one is killed.</param>
    /// <param name="logLevel">How much its log says.</param>
    /// <param name="peerPort">Of replication; 0: any.</param>
    public static async Task<ServerProcess> StartAsync(string home, int port = 0, string logLevel = "info", int peerPort = 0)
    {
        if (port == 0)
            port = FreePort.Take();
        var process = Start(home, logLevel, peerPort, "start", "--foreground", "--bind", "127.0.0.1", "--port", port.ToString(CultureInfo.InvariantCulture), "--lock-timeout", "60");
        List<string> lines = [];
        while (await process.StandardError.ReadLineAsync(TestContext.Current.CancellationToken) is { } line)
        {
            lines.Add(line);
            if (Ready().Match(line) is { Success: true } ready)
            {
                // Nobody reads the rest, and it must not fill the pipe.
                process.ErrorDataReceived += static (_, _) => { };
                _ = process.StandardError.ReadToEndAsync(CancellationToken.None);
                return new(process, int.Parse(ready.Groups[1].ValueSpan, CultureInfo.InvariantCulture));
            }
        }

        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        throw new InvalidOperationException($"The server ended with {process.ExitCode} before it was ready:\n{string.Join('\n', lines)}");
    }

    /// <summary>Runs a command to its end.</summary>
    public static async Task<Outcome> RunAsync(string home, params string[] arguments)
    {
        using var process = Start(home, "info", 0, arguments);
        process.StandardInput.Close();
        var (output, error) = (process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken), process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken));
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return new((ExitCode)process.ExitCode, await output, await error);
    }

    /// <summary>Bytes of memory it has, right now.</summary>
    public long WorkingSet
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64;
        }
    }

    /// <summary>Until it has done next to nothing for half a second.</summary>
    public async Task RestsAsync(CancellationToken cancellation)
    {
        TimeSpan before, now = TimeSpan.MinValue;
        do
        {
            before = now;
            await Task.Delay(500, cancellation);
            _process.Refresh();
            now = _process.TotalProcessorTime;
        }
        while (before == TimeSpan.MinValue || now - before > TimeSpan.FromMilliseconds(60));
    }

    /// <summary>kill -9.</summary>
    public async Task KillAsync()
    {
        Kill();
        await WaitForExitAsync();
        CountKill();
    }

    /// <summary>kill -9, and nobody waits.</summary>
    public void Kill()
    {
        CountKill();
        _process.Kill();
    }

    public Task WaitForExitAsync() => _process.WaitForExitAsync(TestContext.Current.CancellationToken);

    void CountKill() => s_kills.AddOrUpdate(Port, 1, static (_, kills) => kills + 1);

    public void Dispose()
    {
        if (!_process.HasExited)
            Kill();
        _process.Dispose();
    }

    static Process Start(string home, string logLevel, int peerPort, params string[] arguments)
    {
        var start = new ProcessStartInfo(CommandLine.Program, arguments)
        {
            RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true, WorkingDirectory = home,
        };
        start.Environment["HOME"] = start.Environment["USERPROFILE"] = home;
        start.Environment.Remove("EVENTDBX_TOKEN");
        // Many servers run beside each other, some of them on ports that are given.
        start.Environment["EVENTDBX_SOCKET_BIND_ADDR"] = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{peerPort}");
        start.Environment["EVENTDBX_LOG"] = logLevel;
        return Process.Start(start)!;
    }

    [GeneratedRegex("EventDBX server is running on port ([0-9]+) ")]
    private static partial Regex Ready();
}
