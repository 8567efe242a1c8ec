using EventDbx.Cli.Output;

namespace EventDbx.Cli.Commands.Completion;

/// <summary>A command as completions and the manual have it: what may follow it. Hidden commands and options are left out.</summary>
/// <param name="Path">How it is called: <c>dbx aggregate apply</c>.</param>
/// <param name="Command">The command.</param>
internal sealed record CommandOutline(string Path, Command Command)
{
    /// <summary>The commands below it.</summary>
    public IReadOnlyList<Command> Commands { get; } = [.. Command.Subcommands.Where(static sub => !sub.Hidden)];

    /// <summary>Its own options, and those that stand everywhere.</summary>
    public IReadOnlyList<Option> Options { get; } = [.. Command.Options.Concat(Help.Everywhere(Command)).Where(static option => !option.Hidden).Distinct()];

    /// <summary>Values of which one is given by position, where they are a few words.</summary>
    public IReadOnlyList<string> Values { get; } = Command is Verb verb ? [.. verb.Slots.Slots.SelectMany(static slot => WordsOf(slot.ValueName))] : [];

    /// <summary>Every command, each before those below it.</summary>
    public static IEnumerable<CommandOutline> Of(Command command)
    {
        yield return new(Help.PathOf(command), command);
        foreach (var below in command.Subcommands.Where(static sub => !sub.Hidden).SelectMany(Of))
            yield return below;
    }

    /// <summary>The names of an option, short ones too.</summary>
    public static IEnumerable<string> NamesOf(Option option) => option.Aliases.Prepend(option.Name);

    /// <summary>Whether a value follows it.</summary>
    public static bool TakesValue(Option option) => option.HelpName is not null;

    /// <summary>The words of which its value is one; empty where it is something else.</summary>
    public static IReadOnlyList<string> ChoicesOf(Option option) => WordsOf(option.HelpName ?? "");

    /// <summary>Whether its value is the name of a file or directory.</summary>
    public static bool TakesPath(Option option) => option.HelpName is "FILE" or "PATH" or "DIR" or "DIRECTORY";

    /// <summary>Of <c>csv|json</c> both; of <c>NAME|KEY</c>, which stands for something else, none.</summary>
    static string[] WordsOf(string valueName) =>
        valueName.Contains('|', StringComparison.Ordinal) && valueName.All(static c => c is '|' or (>= 'a' and <= 'z')) ? valueName.Split('|') : [];
}
