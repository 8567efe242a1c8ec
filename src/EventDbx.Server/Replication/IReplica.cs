using EventDbx.Integrity;
using EventDbx.Mirroring;

namespace EventDbx.Server.Replication;

/// <summary>A database as push, pull and follow see it: the one of this process, or the one at the other end of a session.</summary>
/// <remarks>
/// Every member is one request of the session (docs/replication.md). What it refuses is a <see cref="RefusedException"/>, whose code and message come over the session, too; what stops the session is a
/// <see cref="ReplicaLostException"/>. One request at a time.
/// </remarks>
public interface IReplica : IAsyncDisposable
{
    /// <summary>Which database, and how far its log is.</summary>
    Task<LogEnd> IdentifyAsync(CancellationToken cancellation);

    /// <summary>Aggregates in key order, hidden, archived and empty ones among them.</summary>
    /// <param name="filter">Which.</param>
    /// <param name="after">Those behind this one; null: from the first.</param>
    /// <param name="take">At most, 1 to <see cref="Limits.PageItemsMax"/>; fewer where the page would be too large.</param>
    /// <param name="cancellation">Gives it up.</param>
    Task<PositionPage> ListPositionsAsync(ReplicaFilter filter, AggregateKey? after, int take, CancellationToken cancellation);

    /// <summary>Roots of aggregates at versions, in the order asked for; null: the aggregate is not at that version, or not there.</summary>
    Task<IReadOnlyList<Hash32?>> FindRootsAsync(IReadOnlyList<(AggregateKey Aggregate, ulong Version)> places, CancellationToken cancellation);

    /// <summary>Events with versions above <paramref name="from"/>, ascending, at most <paramref name="limit"/> and not more bytes than fit in a frame; salts with them. Of an unknown aggregate none.</summary>
    Task<IReadOnlyList<EventRecord>> PullEventsAsync(AggregateKey aggregate, ulong from, int limit, CancellationToken cancellation);

    /// <summary>The same of several aggregates in one request, so that small ones do not cost a round trip each: their events one aggregate after the other, in the order of <paramref name="places"/>.</summary>
    /// <param name="places">Aggregates and the versions they are asked behind; at most <see cref="Limits.PageItemsMax"/>, none twice.</param>
    /// <param name="limit">Events at most, in all. Where they or their bytes are full the answer ends, in the middle of an aggregate, too; an aggregate is passed over only where it has none.</param>
    /// <param name="cancellation">Gives it up.</param>
    async Task<IReadOnlyList<EventRecord>> PullEventsAsync(IReadOnlyList<(AggregateKey Aggregate, ulong From)> places, int limit, CancellationToken cancellation)
    {
        // One aggregate after the other, for a replica that has no better way.
        List<EventRecord> events = [];
        long bytes = 0;
        foreach (var (aggregate, from) in places)
        {
            if (events.Count >= limit || bytes >= Limits.PageBytesMax / 2)
                break;
            var next = await PullEventsAsync(aggregate, from, limit - events.Count, cancellation).ConfigureAwait(false);
            // What does not fit is left for the next request; the first page of all always fits.
            if (events.Count > 0 && bytes + BytesOf(next) > Limits.PageBytesMax)
                break;
            events.AddRange(next);
            bytes += BytesOf(next);
        }

        return events;

        static long BytesOf(IReadOnlyList<EventRecord> page) => page.Sum(static record => (long)record.Payload.Length);
    }

    /// <summary>
    /// Applies events, all or none, durably: those that are there already, with the same hash, are left. They are of one aggregate or of several, each aggregate's together, with ascending versions; at most
    /// <see cref="Limits.BatchEventsMax"/>.
    /// </summary>
    /// <exception cref="RefusedException">
    /// <see cref="RefusalCode.IntegrityViolation"/>: a hash or root is not what its event leads to. <see cref="RefusalCode.Diverged"/>: another history. <see cref="RefusalCode.VersionConflict"/>: a gap.
    /// </exception>
    /// <returns>How many were new.</returns>
    Task<int> ApplyEventsAsync(IReadOnlyList<EventRecord> events, CancellationToken cancellation);

    /// <summary>What is known of an aggregate beside its events: whether it is archived, and the snapshots somebody took.</summary>
    Task<AggregateMarks?> FindMarksAsync(AggregateKey aggregate, CancellationToken cancellation);

    /// <summary>Makes an aggregate as the marks say: created where it has no events, archived or restored, with those snapshots. What is as they say is left. True: something changed.</summary>
    Task<bool> ApplyMarksAsync(AggregateMarks marks, CancellationToken cancellation);

    /// <summary>The schemas: a JSON object, aggregate type → schema, UTF-8.</summary>
    Task<ReadOnlyMemory<byte>> PullSchemasAsync(CancellationToken cancellation);

    /// <summary>Takes schemas over: those named, or with <paramref name="replace"/> also takes away those that are not.</summary>
    /// <returns>Aggregate types whose schema changed.</returns>
    Task<int> ApplySchemasAsync(ReadOnlyMemory<byte> schemas, bool replace, CancellationToken cancellation);

    /// <summary>A stretch of the log, for a mirror.</summary>
    /// <param name="after">The position that the mirror has reached.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.Diverged"/>: this log has not that many entries.</exception>
    /// <param name="wait">How long to wait for an entry behind it, where there is none yet; at most <see cref="ServerLimits.ReplicaLogWaitMax"/>.</param>
    /// <param name="cancellation">Gives it up.</param>
    Task<LogPage> PullLogAsync(ulong after, TimeSpan wait, CancellationToken cancellation);
}

/// <summary>Which aggregates a transfer is about.</summary>
public sealed record ReplicaFilter
{
    /// <summary>Everything.</summary>
    public static ReplicaFilter All { get; } = new();

    /// <summary>These types; empty with empty <see cref="Aggregates"/>: all.</summary>
    public IReadOnlyList<string> Types { get; init; } = [];

    /// <summary>These aggregates. Of a type that has some here, only these, also where <see cref="Types"/> names it.</summary>
    public IReadOnlyList<AggregateKey> Aggregates { get; init; } = [];
}

/// <summary>Where an aggregate stands.</summary>
/// <param name="Aggregate">Its name.</param>
/// <param name="Version">Of its newest event; 0: it has none.</param>
/// <param name="Root">Root of its tree: binds the newest event and all before it.</param>
/// <param name="Archived">Whether it takes no appends.</param>
/// <param name="Snapshots">How many snapshots were taken of it by hand.</param>
public sealed record ReplicaPosition(AggregateKey Aggregate, ulong Version, Hash32 Root, bool Archived, uint Snapshots);

/// <param name="Positions">In key order.</param>
/// <param name="More">Whether there are some behind the last one.</param>
public sealed record PositionPage(IReadOnlyList<ReplicaPosition> Positions, bool More);

/// <summary>An aggregate beside its events.</summary>
public sealed record AggregateMarks
{
    public required AggregateKey Aggregate { get; init; }

    /// <summary>The version that this was read at: marks are applied to an aggregate at that version.</summary>
    public required ulong Version { get; init; }

    public bool Archived { get; init; }

    /// <summary>Why it was created, where it has no events. Why it was archived is not known of the database of this process.</summary>
    public string? Comment { get; init; }

    /// <summary>Taken by hand, by version.</summary>
    public IReadOnlyList<SnapshotMark> Snapshots { get; init; } = [];
}

/// <summary>A snapshot somebody took. Its state follows from the events.</summary>
public sealed record SnapshotMark(ulong Version, Timestamp CreatedAt, string? Comment);

/// <summary>The other end of a session is gone, or says what cannot be: nothing more comes over it. What was answered before holds.</summary>
/// <param name="why">What happened, as a sentence.</param>
/// <param name="cause">Where it was an exception.</param>
/// <param name="endpoint">Whom it happened with, where no session has begun yet; whoever has one knows.</param>
public sealed class ReplicaLostException(string why, Exception? cause = null, string? endpoint = null) : IOException(endpoint is null ? why : $"There is no session with {endpoint}: {why}", cause)
{
    /// <summary>What happened, for who names the endpoint by themselves.</summary>
    public string Why { get; } = why;
}
