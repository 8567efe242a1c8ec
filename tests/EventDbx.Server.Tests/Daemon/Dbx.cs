using System.Diagnostics;
using System.Globalization;
using System.Text;
using EventDbx.Server.Daemon;

namespace EventDbx.Server.Tests.Daemon;

/// <summary>What a command left behind.</summary>
internal sealed record Outcome(int Code, string Out, string Error);

/// <summary>The built program with a home of its own. What it left running is ended with it.</summary>
internal sealed class Dbx : IAsyncDisposable
{
    static readonly string Program = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "dbx.exe" : "dbx");

    public TemporaryDirectory Home { get; } = new();

    public Dictionary<string, string> Environment { get; } = [];

    public string DataDir { get; init; }

    public Dbx() => DataDir = Home[".eventdbx"];

    public async Task<Outcome> RunAsync(params string[] arguments)
    {
        using var process = Start(arguments);
        process.StandardInput.Close();
        return await EndOfAsync(process);
    }

    /// <summary>Starts a server in the background, on a free port of this machine only.</summary>
    public async Task<PidFile> StartServerAsync(params string[] arguments)
    {
        var started = await RunAsync(["start", "--port=0", "--bind=127.0.0.1", .. arguments]);
        Assert.True(started.Code == 0, started.Error);
        return PidFile.Read(DataDir)!;
    }

    public static async Task<Outcome> EndOfAsync(Process process)
    {
        var (output, error) = (process.StandardOutput.ReadToEndAsync(Cancellation), process.StandardError.ReadToEndAsync(Cancellation));
        await process.WaitForExitAsync(Cancellation);
        return new(process.ExitCode, await output, await error);
    }

    public Process Start(params string[] arguments)
    {
        var start = new ProcessStartInfo(Program, arguments)
        {
            RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true, WorkingDirectory = Home.Path,
        };
        start.Environment["HOME"] = start.Environment["USERPROFILE"] = Home.Path;
        foreach (var (name, value) in Environment)
            start.Environment[name] = value;
        return Process.Start(start)!;
    }

    /// <summary>Reads lines until one has these words; they come, or the process ends.</summary>
    public static async Task<string> UntilAsync(StreamReader reader, string words)
    {
        StringBuilder read = new();
        while (await reader.ReadLineAsync(Cancellation) is { } line)
        {
            if (line.Contains(words, StringComparison.Ordinal))
                return line;
            read.AppendLine(line);
        }

        throw new InvalidOperationException($"It ended without \"{words}\", after: {read}");
    }

    /// <summary>Waits for what another process does.</summary>
    public static async Task WaitForAsync(Func<bool> condition)
    {
        while (!condition())
            await Task.Delay(TimeSpan.FromMilliseconds(10), Cancellation);
    }

    public static void Signal(int pid, string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", pid.ToString(CultureInfo.InvariantCulture)]);
        kill.WaitForExit();
    }

    public static async Task KillAsync(PidFile server)
    {
        Signal(server.Pid, "KILL");
        await WaitForAsync(() => !server.Identity!.Value.Runs);
    }

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask DisposeAsync()
    {
        if (ServerPresence.Find(DataDir) is ServerPresence.Running { Process: { Runs: true } process })
        {
            Signal(process.Pid, "KILL");
            await WaitForAsync(() => !process.Runs);
        }

        Home.Dispose();
    }
}
