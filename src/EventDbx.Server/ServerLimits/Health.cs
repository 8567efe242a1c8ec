namespace EventDbx.Server;

public static partial class ServerLimits
{
    /// <summary>Bytes free on the disk of the data directory, below which `dbx doctor` calls it a problem: what the writer may have in memory and write-ahead log at once, twice, and the log of the server.</summary>
    public const long DiskFreeLeast = 512L * 1024 * 1024;

    /// <summary>Bytes free below which it warns, however small the store is: an hour to act in, at a thousand events a second that take 500 bytes each.</summary>
    public const long DiskFreeWarning = 2L * 1024 * 1024 * 1024;

    /// <summary>The part of the store's size that should be free, as its n-th part: compaction writes tables anew before it removes those that they replace.</summary>
    public const int DiskFreePart = 4;

    /// <summary>Files that may yet be made on that disk, below which it is a problem: the files of one round of compaction, and of the log.</summary>
    public const long FilesFreeLeast = 1_000;

    /// <summary>The same for a warning: tables of 64 MiB for some 600 GB.</summary>
    public const long FilesFreeWarning = 10_000;

    /// <summary>Bytes of memory that a server needs not to be ended by the system under load: cache and write buffers of the store, queue, connections, the runtime.</summary>
    public const long MemoryLeast = 512L * 1024 * 1024;

    /// <summary>Entries that a plugin may be behind before `dbx doctor` warns: seconds of work for one that takes its events.</summary>
    public const ulong PluginLagWarning = 10_000;
}
