using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;

namespace EventDbx.Server.Daemon;

/// <summary>A process that is told apart from a later one with the same number by when it started.</summary>
/// <param name="Pid">Process id.</param>
/// <param name="Start">On Linux clock ticks since the system started (field 22 of <c>/proc/PID/stat</c>), elsewhere milliseconds since 1970.</param>
public readonly record struct ProcessIdentity(int Pid, long Start)
{
    const int StartField = 22;

    /// <summary>Of this process.</summary>
    public static ProcessIdentity Own => Find(Environment.ProcessId) ?? new(Environment.ProcessId, 0);

    /// <summary>Whether it still runs. One that has ended and whose end nobody has taken note of does not.</summary>
    public bool Runs => Find(Pid) == this;

    /// <summary>The process that runs under this number; null when none does.</summary>
    public static ProcessIdentity? Find(int pid)
    {
        if (pid < 1)
            return null;
        var start = OperatingSystem.IsLinux() ? StartOnLinux(pid) : StartElsewhere(pid);
        return start is { } known ? new(pid, known) : null;
    }

    static long? StartOnLinux(int pid)
    {
        string stat;
        try
        {
            stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/stat"));
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return null;
        }

        // pid (name) state …: the name may hold blanks and parentheses.
        var fields = stat[(stat.LastIndexOf(')') + 1)..].Split(' ', StringSplitOptions.RemoveEmptyEntries);
        const int first = 3;
        return fields.Length > StartField - first && fields[0] is not ("Z" or "X")
            && long.TryParse(fields[StartField - first], NumberStyles.None, CultureInfo.InvariantCulture, out var start)
            ? start
            : null;
    }

    static long? StartElsewhere(int pid)
    {
        try
        {
            using var process = Process.GetProcessById(pid);
            return process.HasExited ? null : new DateTimeOffset(process.StartTime).ToUnixTimeMilliseconds();
        }
        catch (Exception gone) when (gone is ArgumentException or InvalidOperationException or Win32Exception)
        {
            return null;
        }
    }
}
