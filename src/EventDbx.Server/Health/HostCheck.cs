namespace EventDbx.Server.Health;

/// <summary>Whether the machine has what a data directory needs: disk, files, memory, a clock that is kept.</summary>
public static class HostCheck
{
    const string Disk = "disk";

    const long MiB = 1024 * 1024;

    /// <summary>File systems of other machines: a lock may be one of this machine alone, and a sync may be answered before it is one.</summary>
    static readonly string[] Network =
        ["nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ncpfs", "davfs", "webdav", "lustre", "fuse.sshfs", "fuse.s3fs", "fuse.rclone", "fuse.gcsfuse", "fuse.glusterfs", "glusterfs", "vboxsf", "prl_fs"];

    /// <param name="findings">Receives what is found.</param>
    /// <param name="facts">Of the machine.</param>
    /// <param name="directory">The data directory, which need not be there.</param>
    public static void Look(Findings findings, HostFacts facts, string directory)
    {
        LookAtSpace(findings, facts, directory, BytesIn(directory));
        LookAtFileSystem(findings, facts, directory);
        LookAtFiles(findings, facts);
        if (facts.OpenFilesMax is { } open)
            LookAtLimit(findings, open);
        if (facts.MemoryBytes is < ServerLimits.MemoryLeast and var memory)
        {
            findings.Warn("limits", FormattableString.Invariant($"A process may have {memory / MiB} MiB of memory here; a server under load needs {ServerLimits.MemoryLeast / MiB} MiB."),
                "Give the machine or container more, or the system may end the server.");
        }

        if (facts.ClockIsKept == false)
            findings.Warn("clock", "The kernel has not been told that anything keeps the clock of this machine right.",
                "Run a time service (systemd-timesyncd, chrony with `rtcsync`), unless the host of this machine keeps its clock. Lifetimes of tokens and times of events are by this clock.");
    }

    static void LookAtSpace(Findings findings, HostFacts facts, string directory, long bytes)
    {
        if (facts.FreeBytes is not { } free)
        {
            findings.Ok(Disk, $"How much is free on the disk of {directory}, the system does not say.");
            return;
        }

        const string Room = "Free some, or move the data directory to a larger disk (`data_dir`). A full disk stops the writer; nothing that was answered is lost.";
        var wanted = Math.Max(ServerLimits.DiskFreeWarning, bytes / ServerLimits.DiskFreePart);
        var found = FormattableString.Invariant($"{free / MiB} MiB are free on the disk of {directory}, where the data have {bytes / MiB} MiB");
        if (free < ServerLimits.DiskFreeLeast)
            findings.Problem(Disk, FormattableString.Invariant($"{found}; less than {ServerLimits.DiskFreeLeast / MiB} MiB may be used up by one round of compaction."), Room);
        else if (free < wanted)
            findings.Warn(Disk, FormattableString.Invariant($"{found}; {wanted / MiB} MiB should be, for compaction and for growing."), Room);
        else
            findings.Ok(Disk, $"{found}.");
    }

    static void LookAtFileSystem(Findings findings, HostFacts facts, string directory)
    {
        if (facts.FileSystem is not { } kind)
            return;
        if (Array.IndexOf(Network, kind) >= 0)
        {
            findings.Warn(Disk, $"{directory} is on a network file system ({kind}): what is synced there may not be on a disk, and its locks may not hold on other machines.",
                "Use a disk of this machine, or a block device of the network; bring copies elsewhere with replication or backups.");
        }
        else if (kind is "tmpfs" or "ramfs")
        {
            findings.Warn(Disk, $"{directory} is in memory ({kind}): all of it is gone when the machine stops.", "Move the data directory to a disk (`data_dir`), unless that is meant.");
        }
        else if (kind is "overlay" or "overlayfs" or "aufs")
        {
            findings.Warn(Disk, $"{directory} is in the layer of a container ({kind}): all of it is gone when the container is removed.", "Give the container a volume for the data directory.");
        }
    }

    static void LookAtFiles(Findings findings, HostFacts facts)
    {
        const string Remove = "Remove files from that disk, or make its file system anew with more inodes.";
        if (facts.FreeFiles is < ServerLimits.FilesFreeLeast and var few)
            findings.Problem(Disk, FormattableString.Invariant($"Only {few} more files can be made on that disk: it has no inodes left."), Remove);
        else if (facts.FreeFiles is < ServerLimits.FilesFreeWarning and var some)
            findings.Warn(Disk, FormattableString.Invariant($"Only {some} more files can be made on that disk (inodes)."), Remove);
    }

    static void LookAtLimit(Findings findings, long open)
    {
        const string Raise = "Raise it: LimitNOFILE= of the systemd unit, or `ulimit -Hn`, and restart the server.";
        var all = ServerLimits.DescriptorsKept + ServerLimits.ConnectionsMax;
        if (open < ServerLimits.DescriptorsKept + ServerLimits.ConnectionsLeast)
            findings.Problem("limits", FormattableString.Invariant($"A process may have {open} files open; the store and the least of connections need {ServerLimits.DescriptorsKept + ServerLimits.ConnectionsLeast}."), Raise);
        else if (open < all)
            findings.Warn("limits", FormattableString.Invariant($"A process may have {open} files open, which leaves {open - ServerLimits.DescriptorsKept} connections at once; for {ServerLimits.ConnectionsMax} it needs {all}."), Raise);
        else
            findings.Ok("limits", $"A process may have as many files open as the store and {ServerLimits.ConnectionsMax} connections need.");
    }

    static long BytesIn(string directory)
    {
        if (!Directory.Exists(directory))
            return 0;
        long bytes = 0;
        var all = new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true, AttributesToSkip = FileAttributes.ReparsePoint };
        foreach (var file in new DirectoryInfo(directory).EnumerateFiles("*", all))
        {
            try
            {
                bytes += file.Length;
            }
            catch (FileNotFoundException)
            {
                // It was one that comes and goes.
            }
        }

        return bytes;
    }
}
