using System.Globalization;
using System.Text;

namespace EventDbx.Cli.Commands.Completion;

/// <summary>The script for PowerShell, with descriptions.</summary>
internal static class PowerShellCompletion
{
    const string Tail =
        """

        Register-ArgumentCompleter -Native -CommandName dbx -ScriptBlock {
            param($wordToComplete, $commandAst, $cursorPosition)
            $command = 'dbx'
            $option = ''
            foreach ($element in ($commandAst.CommandElements | Select-Object -Skip 1)) {
                # The word that is being completed, and what stands behind it, do not count.
                if ($element.Extent.EndOffset -ge $cursorPosition) { break }
                $word = $element.Extent.Text
                if ($option) { $option = ''; continue }
                if ($word.StartsWith('-')) {
                    if ($script:dbxValues.ContainsKey("$command $word")) { $option = $word }
                } elseif ($script:dbxWords.ContainsKey("$command") -and $script:dbxWords["$command"].Contains($word)) {
                    $command = "$command $word"
                }
            }
            $found = if ($option) { $script:dbxValues["$command $option"] }
                elseif ($wordToComplete.StartsWith('-')) { $script:dbxOptions["$command"] }
                else { $script:dbxWords["$command"] }
            if ($null -eq $found) { return }
            foreach ($name in $found.Keys) {
                if ($name.StartsWith($wordToComplete)) {
                    [System.Management.Automation.CompletionResult]::new($name, $name, 'ParameterValue', $found[$name])
                }
            }
        }

        """;

    public static string Of(IReadOnlyList<CommandOutline> commands)
    {
        StringBuilder text = new("# Completes dbx in PowerShell. Made by `dbx completion powershell`: from the commands of that very version.\n\n");
        Table(text, "dbxWords", commands.Where(static one => one.Commands.Count + one.Values.Count > 0)
            .Select(static one => (one.Path, one.Commands.Select(static sub => (sub.Name, sub.Description)).Concat(one.Values.Select(static word => (word, (string?)word))))));
        Table(text, "dbxOptions", commands.Select(static one =>
            (one.Path, one.Options.SelectMany(static option => CommandOutline.NamesOf(option).Select(name => (name, option.Description))))));
        Table(text, "dbxValues", commands.SelectMany(static one => one.Options.Where(CommandOutline.TakesValue)
            .SelectMany(option => CommandOutline.NamesOf(option).Select(name => ($"{one.Path} {name}", CommandOutline.ChoicesOf(option).Select(static word => (word, (string?)word)))))));
        return text.Append(Tail).ToString();
    }

    static void Table(StringBuilder text, string name, IEnumerable<(string Key, IEnumerable<(string Name, string? Meaning)> Words)> rows)
    {
        // The tables within are those of the shell, for which -n and -N are the same key.
        text.Append(CultureInfo.InvariantCulture, $"$script:{name} = [System.Collections.Hashtable]::new([System.StringComparer]::Ordinal)\n");
        foreach (var (key, words) in rows)
            text.Append(CultureInfo.InvariantCulture, $"$script:{name}[{Quoted(key)}] = [ordered]@{{ {string.Join("; ", words.DistinctBy(static word => word.Name, StringComparer.OrdinalIgnoreCase).Select(static word => $"{Quoted(word.Name)} = {Quoted(word.Meaning)}"))} }}\n");
    }

    /// <summary>In quotes in which nothing is read but the quote itself; a completion without a tool tip is refused.</summary>
    static string Quoted(string? text) => $"'{(string.IsNullOrEmpty(text) ? "-" : text).Replace("'", "''", StringComparison.Ordinal)}'";
}
