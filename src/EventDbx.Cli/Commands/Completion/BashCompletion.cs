using System.Globalization;
using System.Text;

namespace EventDbx.Cli.Commands.Completion;

/// <summary>The script for bash, from 3.2 on, which has no tables by name: they are functions.</summary>
internal static class BashCompletion
{
    const string Head =
        """
        # Completes dbx in bash. Made by `dbx completion bash`: from the commands of that very version.

        # _dbx_words "COMMAND": what may follow a command. _dbx_choices "COMMAND OPTION": of which words a value is one; fails where no value follows.

        """;

    const string Tail =
        """

        _dbx() {
          local command=dbx current=${COMP_WORDS[COMP_CWORD]} option= value= word at
          COMPREPLY=()
          for ((at = 1; at < COMP_CWORD; at++)); do
            word=${COMP_WORDS[at]}
            # Bash takes `--option=value` for three words.
            [ "$word" = = ] && { option=$value; continue; }
            if [ -n "$option" ]; then option=; continue; fi
            value=
            case $word in
              --) return ;;
              -*) if _dbx_choices "$command $word" > /dev/null; then option=$word value=$word; fi ;;
              *) case " $(_dbx_words "$command") " in *" $word "*) command="$command $word" ;; esac ;;
            esac
          done
          if [ "$current" = = ]; then option=$value current=; fi
          if [ -n "$option" ]; then
            COMPREPLY=($(compgen -W "$(_dbx_choices "$command $option")" -- "$current"))
          elif [[ $current == -* ]]; then
            COMPREPLY=($(compgen -W "$(_dbx_options "$command")" -- "$current"))
          else
            COMPREPLY=($(compgen -W "$(_dbx_words "$command")" -- "$current"))
          fi
        }

        # Where nothing is known, names of files.
        complete -o default -F _dbx dbx

        """;

    public static string Of(IReadOnlyList<CommandOutline> commands)
    {
        StringBuilder text = new(Head);
        text.Append("_dbx_words() {\n  case $1 in\n");
        foreach (var one in commands.Where(static one => one.Commands.Count + one.Values.Count > 0))
            text.Append(CultureInfo.InvariantCulture, $"    '{one.Path}') echo {string.Join(' ', one.Commands.Select(static sub => sub.Name).Concat(one.Values))} ;;\n");
        text.Append("  esac\n}\n\n_dbx_options() {\n  case $1 in\n");
        foreach (var one in commands)
            text.Append(CultureInfo.InvariantCulture, $"    '{one.Path}') echo '{string.Join(' ', one.Options.SelectMany(CommandOutline.NamesOf))}' ;;\n");
        text.Append("  esac\n}\n\n_dbx_choices() {\n  case $1 in\n");
        foreach (var one in commands)
        {
            foreach (var option in one.Options.Where(static option => CommandOutline.ChoicesOf(option).Count > 0))
                text.Append(CultureInfo.InvariantCulture, $"    {Patterns(one, [option])}) echo '{string.Join(' ', CommandOutline.ChoicesOf(option))}' ;;\n");
            var others = one.Options.Where(static option => CommandOutline.TakesValue(option) && CommandOutline.ChoicesOf(option).Count == 0).ToList();
            if (others.Count > 0)
                text.Append(CultureInfo.InvariantCulture, $"    {Patterns(one, others)}) ;;\n");
        }

        return text.Append("    *) return 1 ;;\n  esac\n}\n").Append(Tail).ToString();
    }

    static string Patterns(CommandOutline command, IEnumerable<Option> options) =>
        string.Join('|', options.SelectMany(CommandOutline.NamesOf).Select(name => $"'{command.Path} {name}'"));
}
