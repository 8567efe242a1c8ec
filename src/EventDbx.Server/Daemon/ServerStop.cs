using System.Diagnostics;

namespace EventDbx.Server.Daemon;

/// <summary>What a stop found, and did.</summary>
/// <param name="Server">The server that ran; null when none did.</param>
/// <param name="LeftPidFile">None ran, and a PID file that one had left was removed.</param>
public readonly record struct StopOutcome(PidFile? Server, bool LeftPidFile)
{
    /// <summary>The published line about it.</summary>
    public string Text(TimeProvider clock) => this switch
    {
        { Server: { StartedAt: { } started, Since: { } since } server } => FormattableString.Invariant(
            $"EventDBX server stopped (pid {server.Pid}) after {Uptime.Text(clock.GetUtcNow() - since)} (started {started})"),
        { Server: { } server } => FormattableString.Invariant($"EventDBX server stopped (pid {server.Pid})"),
        { LeftPidFile: true } => "Removed stale EventDBX server pid file.",
        _ => "No running EventDBX server found.",
    };
}

/// <summary>Ends the server of a data directory: asks first, and signals nothing that is not certainly it.</summary>
public static class ServerStop
{
    /// <summary>How long a server may take: longer than it gives the requests it has.</summary>
    public static readonly TimeSpan TimeoutDefault = TimeSpan.FromSeconds(15);

    /// <summary>How long the system may take to end a process.</summary>
    static readonly TimeSpan AfterKill = TimeSpan.FromSeconds(5);

    static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    /// <summary>Stops it, if there is one.</summary>
    /// <param name="dataDirectory">Absolute.</param>
    /// <param name="timeout">After which it is killed.</param>
    /// <param name="note">Told what is not the result.</param>
    /// <param name="clock">Measures.</param>
    /// <exception cref="DaemonException">It was not stopped; says why.</exception>
    public static async Task<StopOutcome> RunAsync(
        string dataDirectory, TimeSpan timeout, Func<string, Task> note, TimeProvider clock, CancellationToken cancellation)
    {
        switch (ServerPresence.Find(dataDirectory))
        {
            case ServerPresence.Absent absent:
                return new(null, absent.LeftPidFile && PidFile.Remove(dataDirectory));
            case ServerPresence.InUse { By: var by }:
                await note(FormattableString.Invariant(
                    $"The data directory is in use by process {by.Pid} ({by.HeldBy}), which is not a server and was left alone.")).ConfigureAwait(false);
                return new(null, PidFile.IsIn(dataDirectory) && PidFile.Remove(dataDirectory));
            case ServerPresence.Starting { By: var by } when await ServerCall.FindAsync(by, Environment.UserName, cancellation).ConfigureAwait(false) is { } found:
                await EndAsync(found.Identity!.Value, timeout, note, clock, cancellation).ConfigureAwait(false);
                return new(found, false);
            case ServerPresence.Starting { By: var by }:
                throw new DaemonException(FormattableString.Invariant(
                    $"The server of {dataDirectory} (pid {by.Pid}) has not finished starting, and was not signalled. Try again when it has, or end it with the `dbx start` that waits for it."));
            case ServerPresence.Doubtful { By: var by, Why: var why }:
                throw new DaemonException(FormattableString.Invariant(
                    $"A server has {dataDirectory} open (pid {by.Pid}), but {why}. No process was signalled."));
            case ServerPresence.Running { File: var file, Process: var process }:
                await EndAsync(process, timeout, note, clock, cancellation).ConfigureAwait(false);
                // It removes its file itself, unless it was killed.
                file.RemoveOwn(dataDirectory);
                return new(file, false);
            default:
                throw new UnreachableException();
        }
    }

    static async Task EndAsync(ProcessIdentity process, TimeSpan timeout, Func<string, Task> note, TimeProvider clock, CancellationToken cancellation)
    {
        Signal(process, force: OperatingSystem.IsWindows());
        if (await EndedAsync(process, timeout, clock, cancellation).ConfigureAwait(false))
            return;
        await note(FormattableString.Invariant(
            $"The server (pid {process.Pid}) did not stop within {timeout.TotalSeconds:0.###} s and is killed; its next start checks the store.")).ConfigureAwait(false);
        Signal(process, force: true);
        if (!await EndedAsync(process, AfterKill, clock, cancellation).ConfigureAwait(false))
            throw new DaemonException(FormattableString.Invariant($"The server (pid {process.Pid}) was killed and is still running."));
    }

    static async Task<bool> EndedAsync(ProcessIdentity process, TimeSpan timeout, TimeProvider clock, CancellationToken cancellation)
    {
        var since = clock.GetTimestamp();
        while (process.Runs)
        {
            if (clock.GetElapsedTime(since) > timeout)
                return false;
            await Task.Delay(Pause, clock, cancellation).ConfigureAwait(false);
        }

        return true;
    }

    static void Signal(ProcessIdentity process, bool force)
    {
        if (!process.Runs)
            return;
        if (!OperatingSystem.IsWindows())
        {
            Posix.Signal(process.Pid, force);
            return;
        }

        try
        {
            using var running = Process.GetProcessById(process.Pid);
            running.Kill();
        }
        catch (ArgumentException)
        {
            // It ended by itself.
        }
    }
}
