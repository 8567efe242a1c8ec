using EventDbx.Storage;

namespace EventDbx.Server.Daemon;

/// <summary>What is known of the server of a data directory. The directory's lock says whether one runs; the PID file alone says nothing.</summary>
public abstract record ServerPresence
{
    /// <summary>What a server writes into the lock file as its doing.</summary>
    public const string Holder = "server";

    ServerPresence() { }

    /// <summary>Nobody has the directory.</summary>
    /// <param name="LeftPidFile">Whether a server left its PID file behind.</param>
    public sealed record Absent(bool LeftPidFile) : ServerPresence;

    /// <summary>Another command has the directory, or a process that embeds the engine.</summary>
    public sealed record InUse(LockHolder By) : ServerPresence;

    /// <summary>A server has the directory and has not finished starting.</summary>
    public sealed record Starting(LockHolder By) : ServerPresence;

    /// <summary>A server has the directory, and which process it is cannot be told for certain: it is not to be signalled.</summary>
    /// <param name="By">Who says to have the lock.</param>
    /// <param name="Why">What does not fit.</param>
    public sealed record Doubtful(LockHolder By, string Why) : ServerPresence;

    /// <summary>A server runs: lock, PID file and process agree.</summary>
    public sealed record Running(LockHolder By, PidFile File, ProcessIdentity Process) : ServerPresence;

    /// <summary>Looks; changes nothing.</summary>
    /// <exception cref="IOException">The PID file or the lock cannot be read.</exception>
    public static ServerPresence Find(string dataDirectory)
    {
        if (Database.FindHolder(dataDirectory) is not { } holder)
            return new Absent(PidFile.IsIn(dataDirectory));
        if (holder.HeldBy != Holder)
            return new InUse(holder);
        if (PidFile.Read(dataDirectory) is not { } file)
            return PidFile.IsIn(dataDirectory) ? new Doubtful(holder, "its PID file cannot be understood") : new Starting(holder);
        if (file.Pid != holder.Pid)
            return new Doubtful(holder, FormattableString.Invariant($"its PID file names process {file.Pid}, its lock file process {holder.Pid}"));
        if (file.Identity is not { } identity)
            return new Doubtful(holder, FormattableString.Invariant($"its PID file does not say when process {file.Pid} started"));
        return identity.Runs
            ? new Running(holder, file, identity)
            : new Doubtful(holder, FormattableString.Invariant($"process {file.Pid} is not the one that wrote its PID file, or runs in another container"));
    }
}
