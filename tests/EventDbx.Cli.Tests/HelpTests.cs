using System.CommandLine;

namespace EventDbx.Cli.Tests;

/// <summary>Help is text that people read: it is kept in tests/testdata/help and reviewed when it changes.</summary>
public sealed class HelpTests
{
    public static TheoryData<string> Commands => [.. Paths(CommandTree.Root, [])];

    [Theory, MemberData(nameof(Commands))]
    public async Task Help_is_as_kept(string path)
    {
        using var line = new CommandLine();

        var help = await line.RunAsync([.. path.Split(' ').Skip(1), "--help"]);

        Assert.Equal(Golden.Expected($"help/{path.Replace(' ', '-')}.txt", help.Out), help.Out);
        Assert.Equal((ExitCode.Done, ""), (help.Code, help.Error));
    }

    [Theory, MemberData(nameof(Commands))]
    public void Every_command_shows_examples_of_itself(string path)
    {
        var command = path.Split(' ').Skip(1).Aggregate((Command)CommandTree.Root, (at, name) => at.Subcommands.Single(sub => sub.Name == name));

        if (command is Verb verb)
            Assert.Contains(verb.Examples, example => example.Line.StartsWith(path, StringComparison.Ordinal));
        Assert.All(command.Options, option => Assert.False(string.IsNullOrEmpty(option.Description), option.Name));
    }

    [Fact]
    public async Task Without_a_command_the_help_goes_to_standard_error()
    {
        using var line = new CommandLine();

        var outcome = await line.RunAsync();

        Assert.Equal((ExitCode.Usage, ""), (outcome.Code, outcome.Out));
        Assert.StartsWith("EventDBX", outcome.Error, StringComparison.Ordinal);
    }

    [Theory, InlineData("--version"), InlineData("-V")]
    public async Task The_version_names_the_product(string option)
    {
        using var line = new CommandLine();

        var outcome = await line.RunAsync(option);

        Assert.Matches(@"^eventdbx 2\.\d+\.\d+(-\w+)?\n$", outcome.Out);
        Assert.Equal(ExitCode.Done, outcome.Code);
    }

    static IEnumerable<string> Paths(Command command, string[] above)
    {
        string[] path = [.. above, command is RootCommand ? "dbx" : command.Name];
        return [string.Join(' ', path), .. command.Subcommands.Where(sub => !sub.Hidden).SelectMany(sub => Paths(sub, path))];
    }
}
