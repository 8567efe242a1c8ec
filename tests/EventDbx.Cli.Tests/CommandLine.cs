using System.CommandLine;
using System.Text;

namespace EventDbx.Cli.Tests;

/// <summary>What a command line left behind.</summary>
internal sealed record Outcome(ExitCode Code, string Out, string Error);

/// <summary>Runs command lines in this process, in a directory of their own that is also their home.</summary>
internal sealed class CommandLine : IDisposable
{
    public TemporaryDirectory Directory { get; } = new();

    public Dictionary<string, string> Environment { get; } = [];

    public string Input { get; set; } = "";

    /// <summary>What a command starts when it starts itself.</summary>
    public IReadOnlyList<string> Self { get; set; } = [Program.File];

    public bool Terminal { get; set; }

    /// <summary>Which version it takes itself for.</summary>
    public string Version { get; set; } = Release.Version;

    public TimeProvider Clock { get; set; } = TimeProvider.System;

    public string ConfigPath => Directory[".eventdbx/config.toml"];

    public string ConfigText => File.ReadAllText(ConfigPath);

    public Task<Outcome> RunAsync(params string[] arguments) => RunAsync(CommandTree.Root, arguments);

    public async Task<Outcome> RunAsync(RootCommand root, params string[] arguments)
    {
        using var input = new StringReader(Input);
        await using var output = new StringWriter();
        await using var error = new StringWriter();
        using var shell = new Shell
        {
            In = input,
            OpenIn = () => new MemoryStream(Encoding.UTF8.GetBytes(Input)),
            Self = Self,
            Out = output,
            Error = error,
            OutIsTerminal = Terminal,
            ErrorIsTerminal = Terminal,
            Environment = name => Environment.TryGetValue(name, out var value) ? value : name == "HOME" ? Directory.Path : null,
            WorkingDirectory = Directory.Path,
            Version = Version,
            Clock = Clock,
        };
        var code = await CommandTree.RunAsync(root, arguments, shell, TestContext.Current.CancellationToken);
        return new Outcome((ExitCode)code, output.ToString(), error.ToString());
    }

    /// <summary>One that has to do what it is asked.</summary>
    public async Task<Outcome> SucceedAsync(params string[] arguments)
    {
        var outcome = await RunAsync(arguments);
        Assert.True(outcome.Code == ExitCode.Done, $"{string.Join(' ', arguments)}: {outcome.Code} {outcome.Error}");
        return outcome;
    }

    /// <summary>The text in quotation marks behind a name; the name ends with the first of them.</summary>
    public static string ValueIn(string config, string name)
    {
        var at = config.IndexOf(name, StringComparison.Ordinal) + name.Length;
        Assert.True(at >= name.Length, config);
        return config[at..config.IndexOf('"', at)];
    }

    public void Dispose() => Directory.Dispose();
}
