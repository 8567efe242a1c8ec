namespace EventDbx.Server.Upgrades;

/// <summary>Which versions something runs from: a server that was started before two upgrades still loads and starts what lies beside it.</summary>
internal static class RunningPrograms
{
    /// <summary>
    /// The folders in a directory of which a program runs, by their names. Only Linux tells; Windows lets nobody remove them anyway. Processes of other users are seen by root alone,
    /// who is the one to upgrade what several users share.
    /// </summary>
    public static IReadOnlySet<string> FoldersIn(string root)
    {
        HashSet<string> folders = new(StringComparer.Ordinal);
        if (!OperatingSystem.IsLinux() || !Directory.Exists("/proc"))
            return folders;
        // Processes are named by where their program really lies.
        var begin = Path.TrimEndingDirectorySeparator(RealPath(root)) + "/";
        foreach (var process in Directory.EnumerateDirectories("/proc"))
        {
            if (char.IsAsciiDigit(Path.GetFileName(process)[0]) && ProgramOf(process) is { } program && program.StartsWith(begin, StringComparison.Ordinal))
                folders.Add(program[begin.Length..].Split('/')[0]);
        }

        return folders;
    }

    static string? ProgramOf(string process)
    {
        try
        {
            return new FileInfo(Path.Combine(process, "exe")).LinkTarget;
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>The path without links in any part of it.</summary>
    static string RealPath(string path)
    {
        var real = "/";
        foreach (var part in Path.GetFullPath(path).Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            real = Path.Combine(real, part);
            if (Directory.ResolveLinkTarget(real, returnFinalTarget: true) is { } target)
                real = RealPath(target.FullName);
        }

        return real;
    }
}
