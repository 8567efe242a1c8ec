using System.Text;

namespace EventDbx.Cli.Commands.Completion;

/// <summary>The script for zsh, with descriptions: sourced, or as the file <c>_dbx</c> in a directory of <c>fpath</c>.</summary>
internal static class ZshCompletion
{
    const string Head =
        """
        #compdef dbx
        # Completes dbx in zsh. Made by `dbx completion zsh`: from the commands of that very version.


        """;

    const string Tail =
        """

        _dbx() {
          local command=dbx option= word name
          local -a found
          local -i at
          for ((at = 2; at < CURRENT; at++)); do
            word=${words[at]}
            if [[ -n $option ]]; then option=; continue; fi
            case $word in
              --) _files; return ;;
              --*=*) ;;
              -*) _dbx_value "$command $word" && option=$word ;;
              *) _dbx_words $command; for name in $found; do [[ ${name%%:*} == $word ]] && { command="$command $word"; break; }; done ;;
            esac
          done
          word=${words[CURRENT]}
          if [[ -z $option && $word == --*=* ]]; then
            option=${word%%=*}
            compset -P 1 '*='
            _dbx_value "$command $option" || return 1
          fi
          if [[ -n $option ]]; then
            _dbx_value "$command $option"
            if [[ $found == files ]]; then _files; elif (( $#found )); then compadd -- $found; else _message value; fi
          elif [[ $word == -* ]]; then
            _dbx_options $command
            _describe -o option found
          else
            _dbx_words $command
            if (( $#found )); then _describe command found; else _files; fi
          fi
        }

        if [[ ${funcstack[1]} == _dbx ]]; then _dbx "$@"; else compdef _dbx dbx; fi

        """;

    public static string Of(IReadOnlyList<CommandOutline> commands)
    {
        StringBuilder text = new(Head);
        text.Append("_dbx_words() {\n  found=()\n  case $1 in\n");
        foreach (var one in commands.Where(static one => one.Commands.Count + one.Values.Count > 0))
            Case(text, $"'{one.Path}'", one.Commands.Select(static sub => Described(sub.Name, sub.Description)).Concat(one.Values));
        text.Append("  esac\n}\n\n_dbx_options() {\n  found=()\n  case $1 in\n");
        foreach (var one in commands)
            Case(text, $"'{one.Path}'", one.Options.SelectMany(static option => CommandOutline.NamesOf(option).Select(name => Described(name, option.Description))));
        text.Append("  esac\n}\n\n# Fails where no value follows.\n_dbx_value() {\n  found=()\n  case $1 in\n");
        foreach (var one in commands)
        {
            foreach (var option in one.Options.Where(CommandOutline.TakesValue))
            {
                Case(text, string.Join('|', CommandOutline.NamesOf(option).Select(name => $"'{one.Path} {name}'")),
                    CommandOutline.TakesPath(option) ? ["files"] : CommandOutline.ChoicesOf(option));
            }
        }

        return text.Append("    *) return 1 ;;\n  esac\n}\n").Append(Tail).ToString();
    }

    static void Case(StringBuilder text, string pattern, IEnumerable<string> words) =>
        text.Append("    ").Append(pattern).Append(") found=(").AppendJoin(' ', words.Select(Quoted)).Append(") ;;\n");

    /// <summary>A name and what it means, as <c>_describe</c> takes them.</summary>
    static string Described(string name, string? meaning) => $"{name.Replace(":", "\\:", StringComparison.Ordinal)}:{meaning}";

    static string Quoted(string word) => $"'{word.Replace("'", "'\\''", StringComparison.Ordinal)}'";
}
