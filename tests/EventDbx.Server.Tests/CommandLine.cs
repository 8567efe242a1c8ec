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

    public TimeSpan ServerPatience { get; set; } = TimeSpan.FromSeconds(30);

    public string DataDirectory => Directory[".eventdbx"];

    public string ConfigPath => Directory[".eventdbx/config.toml"];

    public async Task<Outcome> RunAsync(params IReadOnlyList<string> arguments)
    {
        using var input = new StringReader(Input);
        await using var output = new StringWriter();
        await using var error = new StringWriter();
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
        };
        var code = await CommandTree.RunAsync(arguments, shell, TestContext.Current.CancellationToken);
        return new Outcome((ExitCode)code, output.ToString(), error.ToString());
    }

    public void Dispose() => Directory.Dispose();
}
