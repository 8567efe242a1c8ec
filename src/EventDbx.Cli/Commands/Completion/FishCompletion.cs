using System.Globalization;
using System.Text;

namespace EventDbx.Cli.Commands.Completion;

/// <summary>The script for fish, with descriptions.</summary>
internal static class FishCompletion
{
    const string Tail =
        """

        # The command that stands on the line so far, without options and their values.
        function __dbx_command
            set -l command dbx
            set -l skip 0
            for word in (commandline -opc)[2..-1]
                if test $skip = 1
                    set skip 0
                    continue
                end
                switch $word
                    case --
                        return
                    case '--*=*'
                    case '-*'
                        __dbx_takes_value "$command $word"; and set skip 1
                    case '*'
                        contains -- $word (__dbx_commands $command); and set command "$command $word"
                end
            end
            echo $command
        end

        function __dbx_at
            set -l command (__dbx_command)
            test "$command" = "$argv"
        end

        complete -c dbx -f

        """;

    public static string Of(IReadOnlyList<CommandOutline> commands)
    {
        StringBuilder text = new("# Completes dbx in fish. Made by `dbx completion fish`: from the commands of that very version.\n\n");
        text.Append("function __dbx_commands\n    switch \"$argv\"\n");
        foreach (var one in commands.Where(static one => one.Commands.Count > 0))
            text.Append(CultureInfo.InvariantCulture, $"        case '{one.Path}'\n            printf '%s\\n' {string.Join(' ', one.Commands.Select(static sub => sub.Name))}\n");
        text.Append("    end\nend\n\nfunction __dbx_takes_value\n    switch \"$argv\"\n");
        foreach (var one in commands)
        {
            var names = one.Options.Where(CommandOutline.TakesValue).SelectMany(CommandOutline.NamesOf).Select(name => $"'{one.Path} {name}'");
            text.Append(CultureInfo.InvariantCulture, $"        case {string.Join(' ', names)}\n            return 0\n");
        }

        text.Append("    end\n    return 1\nend\n").Append(Tail);
        foreach (var one in commands)
        {
            foreach (var sub in one.Commands)
                text.Append(CultureInfo.InvariantCulture, $"complete -c dbx -n '__dbx_at {one.Path}' -a {sub.Name} -d {Quoted(sub.Description)}\n");
            if (one.Values.Count > 0)
                text.Append(CultureInfo.InvariantCulture, $"complete -c dbx -n '__dbx_at {one.Path}' -a '{string.Join(' ', one.Values)}'\n");
            foreach (var option in one.Options)
                text.Append(CultureInfo.InvariantCulture, $"complete -c dbx -n '__dbx_at {one.Path}'{string.Concat(CommandOutline.NamesOf(option).Select(NameOf))}{ValueOf(option)} -d {Quoted(option.Description)}\n");
        }

        return text.ToString();
    }

    static string NameOf(string name) => name.StartsWith("--", StringComparison.Ordinal) ? $" -l {name[2..]}" : name.Length == 2 ? $" -s {name[1..]}" : $" -o {name[1..]}";

    static string ValueOf(Option option) => !CommandOutline.TakesValue(option) ? "" : CommandOutline.TakesPath(option) ? " -r -F"
        : CommandOutline.ChoicesOf(option) is { Count: > 0 } choices ? $" -x -a '{string.Join(' ', choices)}'" : " -x";

    static string Quoted(string? text) => $"'{text?.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("'", "\\'", StringComparison.Ordinal)}'";
}
