namespace EventDbx.Server;

public static partial class ServerLimits
{
    /// <summary>Events that a process plugin may have been handed and not acknowledged. Without acknowledgements, those that are sent again when it dies: a pipe holds some 200.</summary>
    public const int ProcessInFlightMax = 256;

    /// <summary>Bytes of those that are sent again: a pipe holds 64 KiB, and a plugin reads ahead. The newest one is kept, however large.</summary>
    public const int ProcessTailBytesMax = 1024 * 1024;

    /// <summary>Bytes that are gathered before they are written to a plugin's standard input: what a pipe takes at once.</summary>
    public const int ProcessWriteBytes = 64 * 1024;

    /// <summary>How long a plugin without acknowledgements has to live after an event was written to it, until the event counts as read.</summary>
    public static readonly TimeSpan ProcessSettledAfter = TimeSpan.FromSeconds(3);

    /// <summary>How long a plugin may take no byte, or acknowledge nothing it was handed: then it hangs, and is started anew.</summary>
    public static readonly TimeSpan ProcessAnswerTimeout = TimeSpan.FromSeconds(30);

    /// <summary>How long a plugin has to say that it acknowledges, before it counts as one that does not. One that says so later is started anew, and waited for.</summary>
    public static readonly TimeSpan ProcessHelloTimeout = TimeSpan.FromSeconds(2);

    /// <summary>For how long after its start a plugin that prints nothing may still say that it acknowledges, and gets everything again.</summary>
    public static readonly TimeSpan ProcessUnknownFor = TimeSpan.FromSeconds(60);

    /// <summary>Events that are kept for that, and their bytes: what it was written first falls out first, and stays taken.</summary>
    public const int ProcessKeptMax = 16_384;

    /// <summary>The same, in bytes.</summary>
    public const long ProcessKeptBytesMax = 64L * 1024 * 1024;

    /// <summary>Between the end of a plugin and its next start, at first; doubled each time, up to <see cref="ProcessRestartMax"/>.</summary>
    public static readonly TimeSpan ProcessRestartMin = TimeSpan.FromSeconds(1);

    public static readonly TimeSpan ProcessRestartMax = TimeSpan.FromSeconds(60);

    /// <summary>A plugin that ran this long was well: it is started again as if for the first time.</summary>
    public static readonly TimeSpan ProcessHealthyAfter = TimeSpan.FromSeconds(60);

    /// <summary>How long a plugin has to end once its standard input was closed, and again once it was asked to (SIGTERM); then it is killed.</summary>
    public static readonly TimeSpan ProcessStopTimeout = TimeSpan.FromSeconds(5);

    /// <summary>How long the output of a plugin that has ended is read: a child of its own may hold it open.</summary>
    public static readonly TimeSpan ProcessDrainTimeout = TimeSpan.FromSeconds(1);

    /// <summary>Bytes of a line of a plugin's output in the log; the rest of it is left out.</summary>
    public const int ProcessLineBytesMax = 4096;

    /// <summary>Lines of a plugin's output in the log within <see cref="ProcessLineWindow"/>; then their number is said.</summary>
    public const int ProcessLinesMax = 500;

    /// <summary>The window of <see cref="ProcessLinesMax"/>.</summary>
    public static readonly TimeSpan ProcessLineWindow = TimeSpan.FromSeconds(10);
}
