using System.Globalization;
using EventDbx.Server.Daemon;

namespace EventDbx.Server.Plugins.Process;

/// <summary>A plugin and what it has started, as far as that did not begin a group of its own. Unix only.</summary>
internal static class ProcessGroup
{
    /// <summary>Whether one of them runs yet.</summary>
    /// <param name="group">The id of the plugin, which leads it.</param>
    public static bool IsAlive(int group)
    {
        if (OperatingSystem.IsWindows() || !Posix.HasGroup(group))
            return false;
        if (!OperatingSystem.IsLinux())
            return true;
        // One that has ended and that nobody has asked how (in a container whose first process asks nobody) is of the group still. The system tells those apart in its files only.
        try
        {
            return Directory.EnumerateDirectories("/proc").Any(directory => int.TryParse(Path.GetFileName(directory.AsSpan()), NumberStyles.None, CultureInfo.InvariantCulture, out _) && IsAliveIn(directory, group));
        }
        catch (Exception unread) when (unread is IOException or UnauthorizedAccessException)
        {
            return true;
        }
    }

    static bool IsAliveIn(string directory, int group)
    {
        try
        {
            // pid (name) state parent group …: the name may have anything in it.
            var stat = File.ReadAllText(Path.Combine(directory, "stat"));
            var parts = stat[(stat.LastIndexOf(')') + 2)..].Split(' ', 4);
            return parts is [not ("Z" or "X"), _, var of, _] && int.TryParse(of, NumberStyles.None, CultureInfo.InvariantCulture, out var found) && found == group;
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
