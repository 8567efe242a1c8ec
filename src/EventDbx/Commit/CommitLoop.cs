using System.Diagnostics;
using EventDbx.Telemetry;

namespace EventDbx.Commit;

/// <summary>What the world sees of the log.</summary>
/// <param name="Size">Entries in the log.</param>
/// <param name="Root">Root of the log tree at that size.</param>
internal readonly record struct LogPoint(ulong Size, Hash32 Root)
{
    /// <summary>The epoch that the log is in there: read apart from the size, it may be that of entries behind it.</summary>
    public uint Epoch { get; init; }
}

/// <summary>The single writer: turns waiting commits into groups, one synced batch a group.</summary>
/// <remarks>
/// One loop on a thread of its own, because versions and roots are a chain; groups, because the disk sync is by far the
/// dearest step and one sync can carry many appends. While a sync runs the next group fills up by itself, so there is no
/// timer to tune and nothing ever waits for a group to fill.
/// <code>
///  1 queue, bounded by count and bytes (full: refused, try again)
///  2 GroupPlanner.Plan             3 one batch, written
///  4 synced (or, relaxed, soon)    5 watermark          6 published, callers completed
/// </code>
/// A failed write or sync stops the loop for good: what the disk holds is unknown until the store is opened again and
/// checked. A sync is never tried twice.
/// </remarks>
internal sealed class CommitLoop : IDisposable
{
    readonly IStorageEngine _engine;
    readonly GroupPlanner _planner;
    readonly Action<LogPoint> _noteSynced;
    readonly TimeSpan? _relaxed;
    readonly Thread _thread;
    readonly object _gate = new();
    readonly Queue<PendingCommit> _waiting = new();
    readonly List<PendingCommit> _group = [];
    readonly Action<AggregateKey, ulong, bool> _foldPointDue;
    readonly int _groupCommits;
    int _waitingBytes;
    bool _stopping;
    bool _ending;
    Exception? _failure;
    Standing? _standing;
    long _unsyncedSince;
    LogPoint _committed;
    volatile LogPointBox _synced;

    /// <param name="engine">Owned by the caller.</param>
    /// <param name="planner">Owned by this loop.</param>
    /// <param name="noteSynced">Writes the watermark; may throw <see cref="IOException"/> or <see cref="UnauthorizedAccessException"/>, which fails no commit.</param>
    /// <param name="start">The log as it was opened: all of it synced.</param>
    /// <param name="relaxed">Null: every group is synced. Else: answers come first, and a sync at most this much later.</param>
    /// <param name="groupCommits">Commits in one group at most.</param>
    /// <param name="foldPointDue">Told, on the writer, of states that are too large for their fold point (false) or snapshot (true) to be in the commit.</param>
    public CommitLoop(
        IStorageEngine engine, GroupPlanner planner, Action<LogPoint> noteSynced, LogPoint start, TimeSpan? relaxed,
        int groupCommits, Action<AggregateKey, ulong, bool> foldPointDue)
    {
        _groupCommits = groupCommits;
        (_engine, _planner, _noteSynced, _relaxed, _foldPointDue) = (engine, planner, noteSynced, relaxed, foldPointDue);
        (_committed, _synced, _standing) = (start, new(start), planner.Standing);
        _thread = new(Run) { Name = "eventdbx writer", IsBackground = true };
        _thread.Start();
    }

    /// <summary>What is on disk for good: all that feed, followers, checkpoints and the watermark know of.</summary>
    public LogPoint Synced => _synced.Point;

    /// <summary>Completes once the synced log is longer than this; at once if it is.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.Unavailable"/>: the writer has stopped.</exception>
    public async Task WaitBeyondAsync(ulong position, CancellationToken cancellation)
    {
        while (true)
        {
            var seen = _synced;
            if (seen.Point.Size > position)
                return;
            await seen.Next.Task.WaitAsync(cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>Why the writer stopped; null while it works.</summary>
    public Exception? Failure => Volatile.Read(ref _failure);

    /// <summary>Why the watermark could not be written last time; the commits themselves are fine.</summary>
    public Exception? WatermarkFailure { get; private set; }

    /// <summary>Told, on the writer, which schemas are in force once a group is committed and before anybody is answered.</summary>
    public Action<Schemas.SchemaSet>? SchemasChanged { get; init; }

    /// <summary>Told, on the writer, what the store is by now, where a group has changed it: before the watermark is written and before anybody is answered.</summary>
    public Action<Standing>? StandingChanged { get; init; }

    /// <summary>Told once when the loop stops for good.</summary>
    public Action<Exception>? Failed { get; init; }

    /// <summary>Told, on the writer, of each group once it is committed and before anybody is answered.</summary>
    public Action<GroupFigures>? GroupCommitted { get; init; }

    /// <summary>Told, on the writer, how long a sync apart from a group took: ticks of <see cref="Stopwatch"/>.</summary>
    public Action<long>? SyncedApart { get; init; }

    /// <summary>What waits for the writer, roughly: no lock is taken.</summary>
    public (int Commits, int Bytes) Waiting => (_waiting.Count, Volatile.Read(ref _waitingBytes));

    /// <summary>Groups committed since the start.</summary>
    public ulong Groups { get; private set; }

    /// <summary>Syncs asked of the engine since the start.</summary>
    public ulong Syncs { get; private set; }

    /// <summary>Completes once the commit is on disk (relaxed: readable), with one outcome an operation.</summary>
    public Task<Outcome[]> CommitAsync(PendingCommit commit)
    {
        lock (_gate)
        {
            if (_failure is { } failure)
                throw new RefusedException(Stopped(failure));
            if (_stopping || (_ending && commit.Operations is not [FoldPointOperation]))
                throw new RefusedException(RefusalCode.Unavailable, "The database is closing and takes no more writes.");
            if (_waiting.Count >= Limits.QueueDraftsMax || (_waitingBytes > 0 && _waitingBytes + commit.Bytes > Limits.QueueBytesMax))
            {
                throw new RefusedException(RefusalCode.Overloaded,
                    $"{_waiting.Count} writes ({_waitingBytes} bytes) are waiting for the disk; at most {Limits.QueueDraftsMax} ({Limits.QueueBytesMax} bytes) may. Try again shortly.");
            }

            Enqueue(commit);
        }

        return commit.Completion;
    }

    void Enqueue(PendingCommit commit)
    {
        _waiting.Enqueue(commit);
        _waitingBytes += commit.Bytes;
        if (_waiting.Count == 1)
            Monitor.Pulse(_gate);
    }

    /// <summary>Completes once everything that waits now has its answer.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.Unavailable"/>: the writer has stopped.</exception>
    public Task DrainAsync()
    {
        var last = new PendingCommit();
        lock (_gate)
        {
            if (_failure is { } failure)
                throw new RefusedException(Stopped(failure));
            if (_stopping)
                return Task.CompletedTask;
            Enqueue(last);
        }

        return last.Completion;
    }

    /// <summary>From now on takes nothing but snapshots that are due; completes once what was taken before has its answer.</summary>
    public Task EndAsync()
    {
        lock (_gate)
            _ending = true;
        return DrainAsync();
    }

    void Run()
    {
        try
        {
            while (TakeGroup())
            {
                if (_group.Count > 0)
                    CommitGroup();
                if (_unsyncedSince != 0 && (_relaxed is not { } interval || Stopwatch.GetElapsedTime(_unsyncedSince) >= interval))
                    SyncRelaxed();
            }

            if (_unsyncedSince != 0)
                SyncRelaxed();
        }
        catch (Exception cause)
        {
            Fail(cause);
        }
    }

    /// <summary>Fills the group with what waits, up to its limit; false when the loop is to end. May return an empty group.</summary>
    bool TakeGroup()
    {
        lock (_gate)
        {
            while (_waiting.Count == 0 && _group.Count == 0)
            {
                if (_stopping)
                    return false;
                if (_unsyncedSince == 0)
                {
                    Monitor.Wait(_gate);
                    continue;
                }

                var left = _relaxed!.Value - Stopwatch.GetElapsedTime(_unsyncedSince);
                if (left <= TimeSpan.Zero || !Monitor.Wait(_gate, left))
                    return true;
            }

            var bytes = 0;
            foreach (var left in _group)
                bytes += left.Bytes;
            while (_waiting.TryPeek(out var next) && (_group.Count == 0 || (bytes + next.Bytes <= Limits.GroupBytesMax && _group.Count < _groupCommits)))
            {
                _group.Add(_waiting.Dequeue());
                _waitingBytes -= next.Bytes;
                bytes += next.Bytes;
            }

            return true;
        }
    }

    void CommitGroup()
    {
        _planner.Take(_group);
        var sync = _relaxed is null;
        var taken = Stopwatch.GetTimestamp();
        _engine.Commit(_planner, sync);
        var ended = Stopwatch.GetTimestamp();
        Groups++;
        var done = _planner.Planned;
        var before = _committed.Size;
        var point = new LogPoint(_planner.LogSize, _planner.LogSize == _committed.Size ? _committed.Root : _planner.LogRoot) { Epoch = _planner.Standing?.Identity.Epoch ?? 0 };
        var grew = point.Size != _committed.Size;
        _committed = point;
        if (!ReferenceEquals(_standing, _planner.Standing))
            StandingChanged?.Invoke(_standing = _planner.Standing!);
        if (sync)
        {
            Syncs++;
            if (grew)
                Publish();
        }
        else if (_unsyncedSince == 0)
        {
            _unsyncedSince = Stopwatch.GetTimestamp();
        }

        // What leaves the house when it is answered must not be lost afterwards, however relaxed the rest is.
        if (!sync && _planner.SyncWanted)
            SyncRelaxed();
        SchemasChanged?.Invoke(_planner.Schemas);
        // Before the answers: who has one knows that a stop will not forget what is due.
        foreach (var (aggregate, version) in _planner.FoldPointsDue)
            _foldPointDue(aggregate, version, false);
        foreach (var (aggregate, version) in _planner.SnapshotsDue)
            _foldPointDue(aggregate, version, true);
        Tell(done, _committed.Size - before, taken, ended);
        for (var i = 0; i < done; i++)
            _group[i].Complete(taken, done);
        _group.RemoveRange(0, done);
    }

    /// <summary>Before the answers: who has one finds it counted.</summary>
    void Tell(int done, ulong entries, long taken, long ended)
    {
        if (GroupCommitted is not { } told)
            return;
        var (appended, known) = (0, 0);
        for (var i = 0; i < done; i++)
            _group[i].Count(ref appended, ref known);
        told(new(done, appended, known, entries, _planner.PlannedBytes, _planner.PlannedAt - taken, ended - _planner.PlannedAt));
    }

    void SyncRelaxed()
    {
        _unsyncedSince = 0;
        var began = Stopwatch.GetTimestamp();
        _engine.Sync();
        SyncedApart?.Invoke(Stopwatch.GetTimestamp() - began);
        Syncs++;
        if (_synced.Point.Size != _committed.Size)
            Publish();
    }

    /// <summary>The log as committed is on disk: note it in the watermark, then let everybody see it.</summary>
    void Publish()
    {
        try
        {
            _noteSynced(_committed);
            WatermarkFailure = null;
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            // The commit stands; only the check at the next open knows less. Health tells, until a later write succeeds.
            WatermarkFailure = cause;
        }

        var before = _synced;
        _synced = new(_committed);
        before.Next.TrySetResult();
    }

    void Fail(Exception cause)
    {
        List<PendingCommit> left;
        lock (_gate)
        {
            Volatile.Write(ref _failure, cause);
            left = [.. _group, .. _waiting];
            _waiting.Clear();
        }

        foreach (var commit in left)
            commit.Fail(new RefusedException(Stopped(cause)));
        _synced.Next.TrySetException(new RefusedException(Stopped(cause)));
        _ = _synced.Next.Task.Exception;
        Failed?.Invoke(cause);
    }

    static Refusal Stopped(Exception cause) => new(RefusalCode.Unavailable,
        $"The writer has stopped: {(cause is StorageFailedException or IOException ? "the disk failed it" : "a defect of ours")} ({cause.Message}). Whether the last writes are stored is not known; reopen the database, which checks.") { Final = true };

    /// <summary>Commits what waits, then ends. Nothing is taken any more.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _stopping = true;
            Monitor.Pulse(_gate);
        }

        _thread.Join();
        if (_synced.Next.TrySetException(new RefusedException(RefusalCode.Unavailable, "The database was closed.")))
            _ = _synced.Next.Task.Exception;
    }

    /// <summary>A point of the log, and the promise of the next one.</summary>
    sealed class LogPointBox(LogPoint point)
    {
        public LogPoint Point { get; } = point;

        public TaskCompletionSource Next { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
