using System.Globalization;
using System.Text;
using EventDbx.Cli.Commands.Completion;
using EventDbx.Cli.Output;

namespace EventDbx.Cli.Commands.Man;

/// <summary>The manual page <c>dbx(1)</c> in the macros of <c>man</c>, from the command tree: the same words as <c>--help</c>.</summary>
internal static class ManPage
{
    public static string Of(RootCommand root)
    {
        StringBuilder page = new();
        page.Append(".\\\" Made by `dbx man`; not to be edited.\n");
        page.Append(CultureInfo.InvariantCulture, $".TH DBX 1 \"\" \"EventDBX {Release.Version}\" \"EventDBX\"\n");
        page.Append(".SH NAME\ndbx \\- ").Append(Text(root.Description!.TrimEnd('.'))).Append('\n');
        page.Append(".SH SYNOPSIS\n.B dbx\n.I COMMAND\n.RI [ VALUES ]\n.RI [ OPTIONS ]\n");
        page.Append(".SH DESCRIPTION\n");
        Paragraph(page, "EventDBX keeps events: durable before they are acknowledged, in a log that proves that it was only ever added to. "
            + "Every command works with the server running or stopped: a running server is asked, otherwise the data directory is opened.");
        Paragraph(page, "Results go to standard output, everything else to standard error. A value is given by position or by name.");
        page.Append(".SH COMMANDS\n");
        foreach (var one in CommandOutline.Of(root).Skip(1))
            Command(page, one);
        page.Append(".SH OPTIONS\nThese stand anywhere on a command line.\n");
        Options(page, GlobalOptions.Anywhere.Except(RemoteServer.All).Append(GlobalOptions.Version));
        page.Append(".SS With a server elsewhere\n");
        Options(page, RemoteServer.All.Prepend(AccessToken.Option));
        Endings(page);
        return page.ToString();
    }

    static void Command(StringBuilder page, CommandOutline one)
    {
        page.Append(".SS ").Append(Escaped(one.Path)).Append('\n');
        Paragraph(page, one.Command.Description ?? "");
        if (one.Command is not Verb verb)
            return;
        page.Append(".PP\n.nf\n");
        foreach (var line in Help.UsageLines(verb))
            page.Append("\\fB").Append(Escaped(line)).Append("\\fR\n");
        page.Append(".fi\n");
        foreach (var remark in verb.Remarks)
            Paragraph(page, remark);
        foreach (var slot in verb.Slots.Slots)
            Tagged(page, $"\\fI{Escaped(slot.ValueName)}\\fR, \\fB{Escaped(slot.Name)}\\fR \\fI{Escaped(slot.ValueName)}\\fR", slot.Description);
        var named = verb.Slots.Slots.Select(slot => (Option)verb.NamedOption(slot)).ToHashSet();
        Options(page, verb.Options.Where(option => !option.Hidden && !named.Contains(option)));
        if (verb.Examples.Count == 0)
            return;
        page.Append(".PP\nExamples:\n");
        foreach (var example in verb.Examples)
            Tagged(page, $"\\fB{Escaped(example.Line)}\\fR", example.Meaning);
    }

    static void Options(StringBuilder page, IEnumerable<Option> options)
    {
        foreach (var option in options)
        {
            var names = string.Join(", ", CommandOutline.NamesOf(option).Select(static name => $"\\fB{Escaped(name)}\\fR"));
            Tagged(page, option.HelpName is { } value ? $"{names} \\fI{Escaped(value)}\\fR" : names, option.Description ?? "");
        }
    }

    static void Endings(StringBuilder page)
    {
        page.Append(".SH EXIT STATUS\n");
        foreach (var (code, meaning) in ((ExitCode, string)[])[
            (ExitCode.Done, "Done."),
            (ExitCode.Failed, "Something went wrong, or was refused."),
            (ExitCode.Usage, "The command line does not say what to do."),
            (ExitCode.Difference, "A verification found that something is not what it was."),
            (ExitCode.Refused, "The data directory was not opened, and nothing in it was changed.")])
        {
            Tagged(page, ((int)code).ToString(CultureInfo.InvariantCulture), meaning);
        }

        page.Append(".SH ENVIRONMENT\n");
        Tagged(page, "\\fBEVENTDBX_TOKEN\\fR, \\fBEVENTDBX_SERVER\\fR", "A token, and a server elsewhere, for every command that takes `--token` and `--server`.");
        Tagged(page, "\\fBEVENTDBX_DEK\\fR", "The data key, instead of the one in the configuration.");
        Tagged(page, "\\fBEVENTDBX_\\fR\\fIKEY\\fR", "Any setting: `EVENTDBX_PORT` for `port`, `EVENTDBX_DATA_DIR` for `data_dir`.");
        Tagged(page, "\\fBEVENTDBX_BACKUP_PASSPHRASE\\fR", "The passphrase of backups, for every command that takes `--encrypt-to` or `--passphrase`.");
        Tagged(page, "\\fBEVENTDBX_RELEASES_URL\\fR, \\fBEVENTDBX_RELEASE_KEYS\\fR", "Where releases are looked up, and a file with the public keys that may sign them; for `dbx upgrade`.");
        Tagged(page, "\\fBDBX_NO_UPGRADE_CHECK\\fR", "With any value, commands neither look for newer releases nor tell of them.");
        Tagged(page, "\\fBNO_COLOR\\fR", "Any value but an empty one turns colour off.");
        page.Append(".SH FILES\n");
        Tagged(page, "\\fI~/.eventdbx/config.toml\\fR", "The configuration.");
        Tagged(page, "\\fI~/.eventdbx\\fR", "The data directory, unless `data_dir` names another one.");
    }

    static void Paragraph(StringBuilder page, string text) => page.Append(".PP\n").Append(Text(text)).Append('\n');

    static void Tagged(StringBuilder page, string tag, string text) => page.Append(".TP\n").Append(tag).Append('\n').Append(Text(text)).Append('\n');

    /// <summary>Prose: what stands in backquotes is bold, as it is to be typed.</summary>
    static string Text(string prose)
    {
        var parts = prose.Split('`');
        // An odd one out is a backquote and nothing more.
        if (parts.Length % 2 == 0)
            return Guarded(Escaped(prose));
        return Guarded(string.Concat(parts.Select(static (part, at) => at % 2 == 0 ? Escaped(part) : $"\\fB{Escaped(part)}\\fR")));
    }

    /// <summary>A line that begins with a dot or an apostrophe would be a request.</summary>
    static string Guarded(string line) => line.StartsWith('.') || line.StartsWith('\'') ? $"\\&{line}" : line;

    static string Escaped(string text)
    {
        StringBuilder escaped = new(text.Length);
        foreach (var rune in text.EnumerateRunes())
        {
            _ = rune.Value switch
            {
                '\\' => escaped.Append("\\e"),
                '-' => escaped.Append("\\-"),
                '\'' => escaped.Append("\\(aq"),
                '`' => escaped.Append("\\(ga"),
                '^' => escaped.Append("\\(ha"),
                '~' => escaped.Append("\\(ti"),
                > 126 => escaped.Append(CultureInfo.InvariantCulture, $"\\[u{rune.Value:X4}]"),
                _ => escaped.Append(rune.ToString()),
            };
        }

        return escaped.ToString();
    }
}
