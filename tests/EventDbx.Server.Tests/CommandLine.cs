using System.Text;
using EventDbx.Cli;
using EventDbx.Cli.Output;

namespace EventDbx.Server.Tests;

/// <summary>What a command line left behind.</summary>
internal sealed record Outcome(ExitCode Code, string Out, string Error);

/// <summary>Runs command lines in this process, in a directory of their own that is also their home.</summary>
internal sealed class CommandLine : IDisposable
{
    /// <summary>The program as it was built.</summary>
    public static string Program { get; } = Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsWindows() ? "dbx.exe" : "dbx");

    public TemporaryDirectory Directory { get; } = new();

    public Dictionary<string, string> Environment { get; } = [];

    public string Input { get; set; } = "";

    /// <summary>Whether standard error is a terminal, so that progress is shown.</summary>
    public bool Terminal { get; set; }

    /// <summary>Interrupts the command, as SIGINT does, once its progress has these words.</summary>
    public string? InterruptAt { get; set; }

    public TimeSpan ServerPatience { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>What the machine has, for `dbx doctor`: enough of everything, on whatever machine the tests run.</summary>
    public Health.HostFacts Host { get; set; } = new() { FreeBytes = 1L << 40, FreeFiles = 1_000_000, FileSystem = "ext4", OpenFilesMax = 1_000_000, MemoryBytes = 1L << 33, ClockIsKept = true };

    public string DataDirectory => Directory[".eventdbx"];

    public string ConfigPath => Directory[".eventdbx/config.toml"];

    public async Task<Outcome> RunAsync(params IReadOnlyList<string> arguments)
    {
        using var input = new StringReader(Input);
        await using var output = new StringWriter();
        using var interrupted = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        await using var error = new ErrorWriter(InterruptAt, interrupted);
        using var shell = new Shell
        {
            In = input,
            OpenIn = () => new MemoryStream(Encoding.UTF8.GetBytes(Input)),
            Self = [Program],
            Out = output,
            Error = error,
            OutIsTerminal = false,
            ErrorIsTerminal = Terminal,
            Environment = name => Environment.TryGetValue(name, out var value) ? value : name == "HOME" ? Directory.Path : null,
            WorkingDirectory = Directory.Path,
            ServerPatience = ServerPatience,
            Host = (_, _) => Host,
        };
        var code = await CommandTree.RunAsync(arguments, shell, interrupted.Token);
        return new Outcome((ExitCode)code, output.ToString(), error.ToString());
    }

    public void Dispose() => Directory.Dispose();

    sealed class ErrorWriter(string? interruptAt, CancellationTokenSource interrupted) : StringWriter
    {
        public override void Write(string? value)
        {
            base.Write(value);
            if (interruptAt is not null && value?.Contains(interruptAt, StringComparison.Ordinal) == true)
                interrupted.Cancel();
        }
    }
}
