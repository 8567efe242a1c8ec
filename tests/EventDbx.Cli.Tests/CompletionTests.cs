using System.CommandLine;
using System.Diagnostics;
using EventDbx.Cli.Commands.Completion;

namespace EventDbx.Cli.Tests;

/// <summary><c>dbx completion</c>: the scripts hold the whole command tree, and shells take them.</summary>
public sealed class CompletionTests
{
    public static TheoryData<string> Shells => ["bash", "zsh", "fish", "powershell"];

    static IReadOnlyList<CommandOutline> Tree { get; } = [.. CommandOutline.Of(CommandTree.Root)];

    [Theory]
    [InlineData("dbx agg", "aggregate")]
    [InlineData("dbx aggregate app", "apply")]
    [InlineData("dbx --config audit aggregate ve", "verify")]
    [InlineData("dbx schema cre", "create")]
    [InlineData("dbx completion f", "fish")]
    [InlineData("dbx start --restrict str", "strict")]
    [InlineData("dbx start --restrict=str", "strict")]
    [InlineData("dbx start --restrict strict --foreg", "--foreground")]
    [InlineData("dbx aggregate export --format c", "csv")]
    [InlineData("dbx token generate --keep", "--keep-alive")]
    [InlineData("dbx aggregate apply order o-1 --pay", "--payload")]
    // What follows is no command of `aggregate`, but a value.
    [InlineData("dbx aggregate apply verify --not", "--note")]
    [InlineData("dbx agg/x", "")]
    [InlineData("dbx __ins", "")]
    public async Task Bash_completes_commands_options_and_values(string typed, string completed)
    {
        if (OperatingSystem.IsWindows())
            Assert.Skip("There is no bash here.");
        var script = await ScriptAsync("bash");
        // As readline splits it: `=` is a word.
        var words = typed.Replace("=", " = ", StringComparison.Ordinal).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var asked = $"{script}\nCOMP_WORDS=({string.Join(' ', words.Select(word => $"'{word}'"))}); COMP_CWORD={words.Length - 1}; _dbx; printf '%s' \"${{COMPREPLY[*]}}\"";

        var (code, output, error) = await RunAsync("bash", asked, "--norc", "--posix", "/dev/stdin");

        Assert.Equal((0, completed, ""), (code, output, error));
    }

    [Theory]
    [InlineData("dbx agg", "aggregate")]
    [InlineData("dbx --config audit aggregate ve", "verify")]
    [InlineData("dbx completion f", "fish")]
    [InlineData("dbx aggregate export --format c", "csv")]
    [InlineData("dbx start --restrict=str", "--restrict=strict")]
    [InlineData("dbx token generate --keep", "--keep-alive")]
    public async Task Fish_completes_commands_options_and_values(string typed, string completed)
    {
        if (!Exists("fish"))
            Assert.Skip("There is no fish here.");
        using var directory = new TemporaryDirectory();
        directory.Write("dbx.fish", await ScriptAsync("fish"));

        var (code, output, error) = await RunAsync("fish", "", "--no-config", "-c", $"source '{directory["dbx.fish"]}'; complete -C '{typed}'");

        Assert.Equal((0, completed, ""), (code, output.Trim().Split('\t')[0], error));
    }

    [Theory, MemberData(nameof(Shells))]
    public async Task Every_command_and_option_of_the_tree_is_in_every_script(string shell)
    {
        var script = await ScriptAsync(shell);

        Assert.All(Tree, one => Assert.Contains($"'{one.Path}'".Replace("''", "'", StringComparison.Ordinal).Trim('\''), script, StringComparison.Ordinal));
        foreach (var option in Tree.SelectMany(static one => one.Options).Select(static option => option.Name).Distinct())
            Assert.Contains(shell == "fish" ? $" -l {option[2..]}" : option, script, StringComparison.Ordinal);
        Assert.DoesNotContain("__inspect", script, StringComparison.Ordinal);
        Assert.DoesNotContain('\r', script);
    }

    [Theory]
    [InlineData("bash", "bash")]
    [InlineData("zsh", "zsh")]
    [InlineData("fish", "fish")]
    public async Task Its_shell_finds_no_fault_with_the_script(string shell, string program)
    {
        if (!Exists(program))
            Assert.Skip($"There is no {program} here.");
        using var directory = new TemporaryDirectory();
        directory.Write("dbx", await ScriptAsync(shell));

        var (code, output, error) = await RunAsync(program, "", "-n", directory["dbx"]);

        Assert.Equal((0, "", ""), (code, output, error));
    }

    [Fact]
    public async Task The_script_of_fish_for_one_command_is_as_kept()
    {
        var lines = (await ScriptAsync("fish")).Split('\n').Where(static line => line.Contains("'__dbx_at dbx completion'", StringComparison.Ordinal));
        var text = string.Join('\n', lines) + "\n";

        Assert.Equal(Golden.Expected("completion.fish.golden", text), text);
    }

    [Theory, InlineData("tcsh"), InlineData(""), InlineData("bash|zsh")]
    public async Task Another_shell_is_refused_with_those_that_are_known(string shell)
    {
        using var line = new CommandLine();

        var outcome = await line.RunAsync("completion", shell);

        Assert.Equal((ExitCode.Usage, ""), (outcome.Code, outcome.Out));
        Assert.Contains("bash, zsh, fish, powershell", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void Values_of_which_one_is_a_word_are_known_and_others_are_not()
    {
        var format = new Option<string>("--format") { HelpName = "csv|json" };
        var peer = new Option<string>("--peer") { HelpName = "NAME|KEY" };
        var path = new Option<string>("--output") { HelpName = "FILE" };

        Assert.Equal(["csv", "json"], CommandOutline.ChoicesOf(format));
        Assert.Empty(CommandOutline.ChoicesOf(peer));
        Assert.True(CommandOutline.TakesPath(path) && !CommandOutline.TakesPath(peer));
    }

    static async Task<string> ScriptAsync(string shell)
    {
        using var line = new CommandLine();
        var outcome = await line.RunAsync("completion", shell);
        Assert.Equal((ExitCode.Done, ""), (outcome.Code, outcome.Error));
        return outcome.Out;
    }

    internal static bool Exists(string program) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator).Any(directory => File.Exists(Path.Combine(directory, program)));

    internal static async Task<(int Code, string Out, string Error)> RunAsync(string program, string input, params string[] arguments)
    {
        var cancellation = TestContext.Current.CancellationToken;
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true })!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(cancellation), process.StandardError.ReadToEndAsync(cancellation));
        await process.StandardInput.WriteAsync(input.AsMemory(), cancellation);
        process.StandardInput.Close();
        await process.WaitForExitAsync(cancellation);
        return (process.ExitCode, await output, await error);
    }
}
