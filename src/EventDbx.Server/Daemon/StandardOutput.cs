namespace EventDbx.Server.Daemon;

/// <summary>Standard output, as far as the platform does not tell of it.</summary>
public static class StandardOutput
{
    /// <summary>Whether what is written to it is lost, as behind <c>| head</c>: the platform's own stream keeps silent about that.</summary>
    public static bool NobodyReads() => !OperatingSystem.IsWindows() && Posix.NobodyReads(1);
}
