using EventDbx.Access;

namespace EventDbx;

/// <summary>The verbs that read: each from one consistent view, and what this caller is shown of it.</summary>
public sealed partial class Session
{
    /// <summary>What this caller is shown, by the schemas in force now.</summary>
    Sight Sight => new(Grants, _database.Schemas);

    AggregateState Seen(AggregateKey aggregate, AggregateState? found)
    {
        DemandSight(aggregate);
        return Sight.Of(found ?? throw NotFound(aggregate));
    }

    /// <summary>A type that is hidden from this caller is not there.</summary>
    void DemandSight(AggregateKey aggregate)
    {
        if (!Sight.Shows(aggregate))
            throw NotFound(aggregate);
    }

    /// <summary>Snapshots of an aggregate, oldest first.</summary>
    /// <param name="aggregate">Of which.</param>
    /// <param name="after">The <see cref="SnapshotPage.Next"/> of the page before, or null.</param>
    /// <param name="take">Lowered to <see cref="Limits.PageItemsMax"/>; 0 is an empty page.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.NotFound"/>.</exception>
    public SnapshotPage GetSnapshots(AggregateKey aggregate, byte[]? after, int take)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(take);
        Demand(AccessAction.AggregateRead, aggregate);
        using var reader = _database.OpenReader();
        DemandSight(aggregate);
        if (reader.FindHead(aggregate) is null)
            throw NotFound(aggregate);
        return take == 0 ? new([], null) : reader.Snapshots(aggregate, after, Math.Min(take, Limits.PageItemsMax), Sight);
    }

    /// <summary>An aggregate as it is now.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.NotFound"/>.</exception>
    public AggregateState GetAggregate(AggregateKey aggregate)
    {
        Demand(AccessAction.AggregateRead, aggregate);
        using var reader = _database.OpenReader();
        return Seen(aggregate, reader.FindState(aggregate));
    }

    /// <summary>An aggregate as it was at a version: beyond the end, as it is now; 0, before its first event.</summary>
    public AggregateState GetAggregate(AggregateKey aggregate, ulong version)
    {
        Demand(AccessAction.AggregateRead, aggregate);
        using var reader = _database.OpenReader();
        return Seen(aggregate, reader.FindStateAt(aggregate, version));
    }

    /// <summary>An aggregate as it was at a moment: before its first event, version 0.</summary>
    public AggregateState GetAggregate(AggregateKey aggregate, Timestamp at)
    {
        Demand(AccessAction.AggregateRead, aggregate);
        using var reader = _database.OpenReader();
        return Seen(aggregate, reader.FindStateAt(aggregate, reader.VersionAt(aggregate, at.Ticks100ns)));
    }

    /// <summary>One event.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.NotFound"/>.</exception>
    public EventRecord GetEvent(AggregateKey aggregate, ulong version)
    {
        Demand(AccessAction.AggregateRead, aggregate);
        using var reader = _database.OpenReader();
        DemandSight(aggregate);
        return (reader.FindEvent(aggregate, version) is { } record ? Sight.Of(record) : null)
            ?? throw NoVersion(reader, aggregate, version);
    }

    /// <summary>A page of an aggregate's events, from a version on.</summary>
    /// <param name="aggregate">The aggregate.</param>
    /// <param name="from">First version wanted, 1 and up.</param>
    /// <param name="take">Lowered to <see cref="Limits.PageItemsMax"/>; 0 is an empty page.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.NotFound"/>: no such aggregate.</exception>
    public EventPage GetEvents(AggregateKey aggregate, ulong from, int take)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(take);
        Demand(AccessAction.AggregateRead, aggregate);
        using var reader = _database.OpenReader();
        DemandSight(aggregate);
        var found = reader.FindHead(aggregate) ?? throw NotFound(aggregate);
        var items = reader.Events(aggregate, from, Math.Min(take, Limits.PageItemsMax), Limits.PageBytesMax);
        for (var i = 0; i < items.Count; i++)
            items[i] = Sight.Of(items[i]);
        var next = items.Count > 0 ? items[^1].Version + 1 : Math.Max(1, from);
        return new(items, next <= found.Head.Version ? next : null);
    }

    /// <summary>A page of aggregates by type and id in UTF-8 order: those that this caller may read.</summary>
    /// <param name="filter">Which.</param>
    /// <param name="after">The <see cref="AggregatePage.Next"/> of the page before, or null.</param>
    /// <param name="skip">How many to leave out; walks over them, so prefer the cursor.</param>
    /// <param name="take">Lowered to <see cref="Limits.PageItemsMax"/>; 0 is an empty page.</param>
    /// <remarks>A page may be short, or empty, and still have a next: what this caller may not see is walked over only so far at a time.</remarks>
    /// <param name="withState">Their states as well: the page then ends at <see cref="Limits.PageBytesMax"/>, too.</param>
    /// <param name="at">As they were at a moment, without those that had no event yet. Null: now.</param>
    public AggregatePage GetAggregates(AggregateFilter filter, byte[]? after, long skip, int take, bool withState = false, Timestamp? at = null, CancellationToken cancellation = default)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(take);
        ArgumentOutOfRangeException.ThrowIfNegative(skip);
        Demand(AccessAction.AggregateRead);
        if (skip > Limits.SkipMax)
            throw new RefusedException(RefusalCode.LimitExceeded, $"A list is walked over to skip {skip} of it; at most {Limits.SkipMax} are. Go on by cursor instead.");
        if ((CheckText("type", filter.Type) ?? CheckText("id_prefix", filter.IdPrefix)) is { } refusal)
            throw new RefusedException(refusal);
        using var reader = _database.OpenReader();
        var sight = Sight;
        var page = reader.Aggregates(filter, sight, after is null ? null : _database.HiddenCursors.Open(after), skip, Math.Min(take, Limits.PageItemsMax), withState, at, cancellation);
        // A page may end at what this caller is not shown: then the cursor must not name it.
        return page.Next is { } next && !(AggregateKey.TryRead(next, out var last) && sight.Shows(last)) ? page with { Next = _database.HiddenCursors.Seal(next) } : page;
    }

    /// <summary>Entries of the log after a position that this caller may read: only what is synced, batches whole.</summary>
    /// <param name="after">The last position known; 0 for the beginning.</param>
    /// <param name="take">Lowered to <see cref="Limits.PageItemsMax"/>; a batch may go beyond it.</param>
    /// <param name="filter">Which.</param>
    /// <param name="bytesMax">Bytes after which the page ends; lowered to <see cref="Limits.PageBytesMax"/>.</param>
    /// <param name="batchesWhole">False: a page ends within a batch, too, and the next one has the rest. For who reads on and on, and must not hold 16 MB for it.</param>
    public FeedPage ReadFeed(ulong after, int take, FeedFilter filter, int bytesMax = Limits.PageBytesMax, bool batchesWhole = true)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(take);
        Demand(AccessAction.FeedRead);
        if (filter.IncludeControl || filter.WithSalts)
            Demand(AccessAction.LogRead);
        // One look at the schemas for the question and for the answer.
        var sight = Sight;
        if (filter.WithSalts && sight.HidesAnything)
            throw new RefusedException(RefusalCode.PermissionDenied, "Schemas hide fields or types here, and this token is not shown them: salts, and with them whole histories, are for root tokens and the owner.");
        // The size first: what is synced by now is in any view opened later.
        var upTo = _database.LogSize;
        using var reader = _database.OpenReader();
        return reader.Entries(after, upTo, Math.Min(take, Limits.PageItemsMax), Math.Min(bytesMax, Limits.PageBytesMax), filter, sight, batchesWhole);
    }

    /// <summary>The same for all of it.</summary>
    public FeedPage ReadFeed(ulong after, int take, bool includeControl) => ReadFeed(after, take, new FeedFilter { IncludeControl = includeControl });

    /// <summary>Control entries after a position: who did what, when and from where. Root only, for they name what schemas hide.</summary>
    /// <param name="after">The last position known; 0 for the beginning.</param>
    /// <param name="take">Lowered to <see cref="Limits.PageItemsMax"/>; 0 is an empty page.</param>
    /// <param name="filter">Which.</param>
    /// <remarks>The log is walked, at most <see cref="Limits.AuditScanMax"/> entries for a page: one may be short, or empty, and still not be the last.</remarks>
    public AuditPage ReadAudit(ulong after, int take, AuditFilter filter)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(take);
        DemandRoot("read the audit trail");
        if (filter.Kinds.Count > Limits.AuditKindsMax)
            throw new RefusedException(RefusalCode.LimitExceeded, $"There are {filter.Kinds.Count} kinds; at most {Limits.AuditKindsMax} are looked for at once.");
        foreach (var kind in filter.Kinds)
        {
            if (ControlKinds.ProblemOf(kind) is { } problem)
                throw new RefusedException(RefusalCode.InvalidArgument, $"`kind`: {problem}");
        }

        var upTo = _database.LogSize;
        using var reader = _database.OpenReader();
        return reader.Audit(after, upTo, Math.Min(take, Limits.PageItemsMax), Limits.PageBytesMax, filter);
    }

    /// <summary>Completes once the synced log reaches beyond a position.</summary>
    public Task WaitForFeedAsync(ulong after, CancellationToken cancellation) => _database.Loop.WaitBeyondAsync(after, cancellation);
}
