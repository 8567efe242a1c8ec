using System.Reflection;
using EventDbx.Protocol.CapnProto;
using EventDbx.Server.Plugins;
using EventDbx.Server.Plugins.Install;
using EventDbx.Server.Plugins.Process;

namespace EventDbx.Benchmarks;

/// <summary>This program again, as a process plugin: it acknowledges every event, and looks at none.</summary>
internal sealed class PluginProgram : IDisposable
{
    const string Name = "take-frames", Version = "1.0.0";

    readonly string _script;

    /// <param name="directory">The data directory in which it is installed.</param>
    public PluginProgram(string directory)
    {
        _script = Path.Combine(directory, Name + ".sh");
        var program = Environment.ProcessPath!;
        var command = Path.GetFileNameWithoutExtension(program) == "dotnet" ? $"'{program}' '{Assembly.GetExecutingAssembly().Location}'" : $"'{program}'";
        File.WriteAllText(_script, $"#!/bin/sh\nexec {command} {Name}\n");
        new PluginInstaller(directory, TimeProvider.System).InstallAsync(new() { Name = Name, Version = Version, Source = _script, Force = true }, null, CancellationToken.None).GetAwaiter().GetResult();
    }

    public static PluginDefinition Plugin(string name) => new()
    {
        Enabled = true, Name = name, Config = new() { Kind = PluginKind.Process, Program = new() { Plugin = Name, Version = Version } },
    };

    public void Dispose() => File.Delete(_script);

    /// <summary>The same frames, made before, down the pipe of the same program, until the last one is acknowledged; its start does not count.</summary>
    public TimeSpan TakeBare(BenchStore store, IReadOnlyList<Events.EventRecord> records)
    {
        PluginEvents events = new(store.Database!, Plugin("bare"));
        var writer = new MessageWriter();
        List<byte[]> frames = [.. records.Select((record, i) => PluginEventFrame.Write(writer, events.Prepare(record), (ulong)i).ToArray())];
        var start = new ProcessStartInfo("/bin/sh", [_script]) { RedirectStandardInput = true, RedirectStandardOutput = true };
        using var child = Process.Start(start)!;
        var (input, answers) = (child.StandardInput.BaseStream, new FrameReader(child.StandardOutput.BaseStream));
        input.Write(PluginFrames.WriteInit(writer, new(Name, Version, "bare")).Span);
        input.Flush();
        _ = answers.ReadAsync(CancellationToken.None).AsTask().GetAwaiter().GetResult();
        var began = Stopwatch.GetTimestamp();
        var reading = Task.Run(async () =>
        {
            while (PluginFrames.Read((await answers.ReadAsync(CancellationToken.None).ConfigureAwait(false))!).Sequence != (ulong)(frames.Count - 1))
            {
                // Not the last one yet.
            }
        });
        using (var buffered = new BufferedStream(input, 64 * 1024))
        {
            foreach (var frame in frames)
                buffered.Write(frame);
            buffered.Flush();
            reading.GetAwaiter().GetResult();
        }

        var took = Stopwatch.GetElapsedTime(began);
        child.WaitForExit();
        return took;
    }

    /// <summary>What the program does: the first frame goes back, which says that it acknowledges; then an answer for each event.</summary>
    public static void TakeFrames() => TakeFramesAsync().GetAwaiter().GetResult();

    static async Task TakeFramesAsync()
    {
        var input = Console.OpenStandardInput();
        var output = Console.OpenStandardOutput();
        await using var _ = output.ConfigureAwait(false);
        var frames = new FrameReader(input);
        var answer = new MessageWriter();
        while (await frames.ReadAsync(CancellationToken.None).ConfigureAwait(false) is { } frame)
        {
            var message = PluginFrames.Read(frame);
            var said = message.Kind == PluginMessageKind.Init ? PluginFrames.WriteInit(answer, message.Init!) : PluginFrames.WriteAck(answer, message.Event!.Sequence);
            await output.WriteAsync(said).ConfigureAwait(false);
        }
    }
}
