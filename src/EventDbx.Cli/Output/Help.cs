using System.Text;

namespace EventDbx.Cli.Output;

/// <summary>The help of a command: what it does, both of its forms, its options, examples that work.</summary>
internal static class Help
{
    const int Width = 100;

    public static string Of(Command command)
    {
        StringBuilder text = new();
        text.Append(command.Description).Append("\n\n").Append(Usage(command));
        if (command is Verb verb)
        {
            foreach (var remark in verb.Remarks)
                text.Append('\n').Append(Wrapped(remark, indent: 0)).Append('\n');
            Section(text, "By position, or by name", verb.Slots.Slots.Select(slot => ($"{slot.ValueName}, {slot.Name} {slot.ValueName}", slot.Description)));
            var named = verb.Slots.Slots.Select(slot => (Option)verb.NamedOption(slot)).ToHashSet();
            Section(text, "Options", verb.Options.Where(option => !named.Contains(option) && !option.Hidden).Select(Row));
        }

        Section(text, "Commands", command.Subcommands.Where(sub => !sub.Hidden).Select(sub => (sub.Name, sub.Description ?? "")));
        Section(text, "Everywhere", Everywhere(command).Select(Row));
        if (command is RootCommand)
            Section(text, "With a server elsewhere", RemoteServer.All.Prepend(AccessToken.Option).Select(Row));
        if (command is Verb { Examples: var examples })
        {
            text.Append("\nExamples:\n");
            foreach (var example in examples)
                text.Append("  ").Append(example.Line).Append("\n      ").Append(Wrapped(example.Meaning, indent: 6)).Append('\n');
        }

        return text.ToString();
    }

    /// <summary>How a server elsewhere is trusted stands at the root alone; a command that is for one says so.</summary>
    public static IEnumerable<Option> Everywhere(Command command) => command switch
    {
        RootCommand => GlobalOptions.Anywhere.Except(RemoteServer.All).Append(GlobalOptions.Version),
        Verb { CanBeElsewhere: true } => GlobalOptions.Anywhere.Except(RemoteTrust.All),
        _ => GlobalOptions.Anywhere.Except(RemoteServer.All),
    };

    /// <summary>The usage lines and where to read more: what follows a usage error.</summary>
    public static string UsageOf(Command command) => $"{Usage(command)}\n`{PathOf(command)} --help` says more.\n";

    static string Usage(Command command) => $"Usage:\n{string.Concat(UsageLines(command).Select(static line => $"  {line}\n"))}";

    /// <summary>How it is called: by position, and by name.</summary>
    public static IEnumerable<string> UsageLines(Command command)
    {
        var path = PathOf(command);
        if (command is not Verb verb)
        {
            yield return $"{path} COMMAND";
            yield break;
        }

        var options = verb.Options.Count > verb.Slots.Slots.Count ? " [OPTIONS]" : "";
        var further = verb.Further is null or "" ? "" : $" [{verb.Further}]";
        if (verb.Subcommands.Count > 0)
            yield return $"{path} COMMAND";
        var positional = string.Concat(verb.Slots.Slots.Select(slot => slot.Optional ? $" [{slot.ValueName}]" : $" {slot.ValueName}"));
        yield return $"{path}{positional}{further}{options}";
        if (verb.Slots.Slots.Count > 0)
            yield return $"{path}{string.Concat(verb.Slots.Slots.Select(slot => slot.Optional ? $" [{slot.Name} {slot.ValueName}]" : $" {slot.Name} {slot.ValueName}"))}{options}";
    }

    public static string PathOf(Command command)
    {
        List<string> names = [];
        for (Symbol? at = command; at is not null and not RootCommand; at = at.Parents.FirstOrDefault())
            names.Insert(0, at.Name);
        return string.Join(' ', names.Prepend("dbx"));
    }

    static (string Left, string Right) Row(Option option)
    {
        var names = string.Join(", ", option.Aliases.Prepend(option.Name));
        return (option.HelpName is null ? names : $"{names} {option.HelpName}", option.Description ?? "");
    }

    static void Section(StringBuilder text, string title, IEnumerable<(string Left, string Right)> rows)
    {
        var all = rows.ToList();
        if (all.Count == 0)
            return;

        text.Append('\n').Append(title).Append(":\n");
        var width = Math.Min(34, all.Max(row => row.Left.Length)) + 2;
        foreach (var (left, right) in all)
        {
            text.Append("  ").Append(left);
            if (left.Length + 2 > width)
                text.Append('\n').Append(' ', width + 2);
            else
                text.Append(' ', width - left.Length);
            text.Append(Wrapped(right, width + 2)).Append('\n');
        }
    }

    static string Wrapped(string text, int indent)
    {
        StringBuilder wrapped = new();
        var column = indent;
        foreach (var word in text.Split(' '))
        {
            if (column > indent && column + 1 + word.Length > Width)
            {
                wrapped.Append('\n').Append(' ', indent);
                column = indent;
            }

            if (column > indent)
            {
                wrapped.Append(' ');
                column++;
            }

            wrapped.Append(word);
            column += word.Length;
        }

        return wrapped.ToString();
    }
}
