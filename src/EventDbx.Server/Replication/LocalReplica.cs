using EventDbx.Integrity;
using EventDbx.Merging;
using EventDbx.Mirroring;

namespace EventDbx.Server.Replication;

/// <summary>The database of this process, as push, pull and follow see it.</summary>
/// <remarks>Thread-safe, as the database is. What it writes beside events (marks, schemas) has control entries in the name of <c>actor</c>. The database stays open when it is disposed.</remarks>
/// <param name="database">Which.</param>
/// <param name="actor">For whom: stands in control entries, never in events, which keep their own.</param>
/// <param name="origin">From where, for control entries (<see cref="Session.From"/>); null: nobody says.</param>
public sealed class LocalReplica(Database database, Actor actor, string? origin = null) : IReplica
{
    readonly Session _session = origin is null ? database.OpenSession(actor) : database.OpenSession(actor).From(origin);

    /// <summary>The clock of waits.</summary>
    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>Reads the log: entries after a position, so many bytes of them at most.</summary>
    public Func<ulong, int, LogPage> ReadLog { get; init; } = database.ReadLog;

    /// <inheritdoc/>
    public Task<LogEnd> IdentifyAsync(CancellationToken cancellation) => Answer(_session.FindLogEnd, cancellation);

    /// <inheritdoc/>
    public Task<PositionPage> ListPositionsAsync(ReplicaFilter filter, AggregateKey? after, int take, CancellationToken cancellation) => Answer(
        () =>
        {
            if (take < 1)
                throw new RefusedException(RefusalCode.InvalidArgument, $"{take} positions are asked for; it takes 1 to {Limits.PageItemsMax}.");
            var page = _session.GetPositions(new HistoryFilter { Types = filter.Types, Aggregates = filter.Aggregates }, after, take);
            return new PositionPage([.. page.Positions.Select(at => new ReplicaPosition(at.Aggregate, at.Version, at.Root, at.Archived, at.Snapshots))], page.More);
        },
        cancellation);

    /// <inheritdoc/>
    public Task<IReadOnlyList<Hash32?>> FindRootsAsync(IReadOnlyList<(AggregateKey Aggregate, ulong Version)> places, CancellationToken cancellation) =>
        Answer(() => _session.FindRoots(places), cancellation);

    /// <inheritdoc/>
    public Task<IReadOnlyList<EventRecord>> PullEventsAsync(AggregateKey aggregate, ulong from, int limit, CancellationToken cancellation) => Answer(
        () => limit < 0 ? throw NegativeLimit(limit) : _session.GetHistory(aggregate, from, limit), cancellation);

    static RefusedException NegativeLimit(int limit) => new(RefusalCode.InvalidArgument, $"{limit} events are asked for; it takes 1 and up, or 0 for as many as fit.");

    /// <inheritdoc/>
    public Task<IReadOnlyList<EventRecord>> PullEventsAsync(IReadOnlyList<(AggregateKey Aggregate, ulong From)> places, int limit, CancellationToken cancellation) =>
        Answer(() => limit < 0 ? throw NegativeLimit(limit) : _session.GetHistories(places, limit), cancellation);

    /// <inheritdoc/>
    public Task<int> ApplyEventsAsync(IReadOnlyList<EventRecord> events, CancellationToken cancellation) => _session.MergeAsync(events, cancellation);

    /// <inheritdoc/>
    public Task<AggregateMarks?> FindMarksAsync(AggregateKey aggregate, CancellationToken cancellation) => Answer(
        () => _session.FindMarks(aggregate) is not { } marks ? null : new AggregateMarks
        {
            Aggregate = marks.Aggregate, Version = marks.Version, Archived = marks.Archived, Comment = marks.Comment,
            Snapshots = [.. marks.Snapshots.Select(taken => new SnapshotMark(taken.Version, taken.CreatedAt, taken.Comment))],
        },
        cancellation);

    /// <inheritdoc/>
    public Task<bool> ApplyMarksAsync(AggregateMarks marks, CancellationToken cancellation) => _session.ApplyMarksAsync(
        new()
        {
            Aggregate = marks.Aggregate, Version = marks.Version, Archived = marks.Archived, Comment = marks.Comment,
            Snapshots = [.. marks.Snapshots.Select(taken => new HistorySnapshot(taken.Version, taken.CreatedAt, taken.Comment))],
        },
        cancellation);

    /// <inheritdoc/>
    public Task<ReadOnlyMemory<byte>> PullSchemasAsync(CancellationToken cancellation) => Answer<ReadOnlyMemory<byte>>(() => _session.GetSchemas().Write(), cancellation);

    /// <inheritdoc/>
    public async Task<int> ApplySchemasAsync(ReadOnlyMemory<byte> schemas, bool replace, CancellationToken cancellation) =>
        // What is refused before anything is awaited is the answer of the task, too.
        await _session.MergeSchemasAsync(schemas, replace, cancellation).ConfigureAwait(false);

    /// <inheritdoc/>
    public async Task<LogPage> PullLogAsync(ulong after, TimeSpan wait, CancellationToken cancellation)
    {
        // Who is ahead of this log learns it at once.
        if (database.LogSize == after && wait > TimeSpan.Zero)
            await WaitAsync(after, wait < ServerLimits.ReplicaLogWaitMax ? wait : ServerLimits.ReplicaLogWaitMax, cancellation).ConfigureAwait(false);
        cancellation.ThrowIfCancellationRequested();
        if (_session.FindLogEnd() is var end && end.Size < after)
            throw new RefusedException(RefusalCode.Diverged, $"The log of this database has {end.Size} entries; who asks for what follows position {after} has another history.");
        return ReadLog(after, Limits.PageBytesMax);
    }

    async Task WaitAsync(ulong after, TimeSpan wait, CancellationToken cancellation)
    {
        using var over = new CancellationTokenSource(wait, Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(over.Token, cancellation);
        try
        {
            await _session.WaitForFeedAsync(after, either.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            // Nothing came: the page will be empty.
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>Reads are of this process, and done where they are asked for; a refusal is that of the task.</summary>
    static Task<T> Answer<T>(Func<T> read, CancellationToken cancellation)
    {
        if (cancellation.IsCancellationRequested)
            return Task.FromCanceled<T>(cancellation);
        try
        {
            return Task.FromResult(read());
        }
        catch (RefusedException refused)
        {
            return Task.FromException<T>(refused);
        }
    }
}
