namespace EventDbx.Server.Configuration;

/// <summary>Whether the text of a <c>config.toml</c> is all of it.</summary>
/// <remarks>
/// A file that was cut (a full disk under an editor, half a copy) is a valid one most of the time: without its key, without its data
/// directory, without TLS. So a file that we write begins and ends with a line of its own, and one that begins with the first and
/// lacks the last is refused. A file that somebody else has written need not have either, until it is changed here.
/// </remarks>
internal static class ConfigText
{
    public const string FirstLine = "# EventDBX configuration. It is whole with its last line; settings may also stand behind that.";

    public const string LastLine = "# End of the EventDBX configuration.";

    /// <summary>Settings as a file of ours.</summary>
    public static string Whole(string settings) => $"{FirstLine}\n{settings}{LastLine}\n";

    /// <summary>A text that we have changed, with both lines: from now on it is seen when it is cut, whoever wrote it first.</summary>
    public static string MadeWhole(string text)
    {
        var newline = text.Contains("\r\n", StringComparison.Ordinal) ? "\r\n" : "\n";
        if (!text.StartsWith(FirstLine, StringComparison.Ordinal))
            text = FirstLine + newline + text;
        return FindLastLine(text) >= 0 ? text : text + (text.EndsWith('\n') ? "" : newline) + LastLine + newline;
    }

    /// <exception cref="ConfigException">It was cut, or is empty.</exception>
    public static void DemandWhole(string path, string text)
    {
        if (text.StartsWith(FirstLine, StringComparison.Ordinal) && FindLastLine(text) < 0)
        {
            throw new ConfigException(
                $"{path} was cut off: it begins as EventDBX writes it, and its last line, `{LastLine}`, is missing, with whatever stood before. "
                + "Put back a copy; or, where you have removed that line yourself, add it again.");
        }

        if (!HoldsASetting(text) && !IsDevice(path))
        {
            throw new ConfigException(
                $"{path} holds no setting at all: it was cut off, or emptied. Put back a copy; or delete it to start from the defaults, which makes a new data key with the next store.");
        }
    }

    /// <summary>Where lines are added that belong nowhere else: before the last line, unless settings stand behind it.</summary>
    public static int EndOf(string text) => FindLastLine(text) is >= 0 and var at && !HoldsASetting(text[at..]) ? at : text.Length;

    /// <summary>Where the last line begins; -1 where there is none.</summary>
    static int FindLastLine(string text)
    {
        for (var at = text.LastIndexOf(LastLine, StringComparison.Ordinal); at >= 0; at = at == 0 ? -1 : text.LastIndexOf(LastLine, at - 1, StringComparison.Ordinal))
        {
            var end = at + LastLine.Length;
            if ((at == 0 || text[at - 1] == '\n') && (end == text.Length || text[end] is '\n' or '\r'))
                return at;
        }

        return -1;
    }

    static bool HoldsASetting(string text)
    {
        foreach (var line in text.AsSpan().EnumerateLines())
        {
            if (line.Trim() is { IsEmpty: false } content && content[0] != '#')
                return true;
        }

        return false;
    }

    /// <summary><c>/dev/null</c>, which is how a configuration is left out, or a link to it.</summary>
    static bool IsDevice(string path)
    {
        const string devices = "/dev/";
        return path.StartsWith(devices, StringComparison.Ordinal)
            || (new FileInfo(path).LinkTarget is not null
                && File.ResolveLinkTarget(path, returnFinalTarget: true)?.FullName.StartsWith(devices, StringComparison.Ordinal) == true);
    }
}
