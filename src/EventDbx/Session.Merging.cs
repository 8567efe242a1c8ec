using System.Diagnostics.CodeAnalysis;
using EventDbx.Merging;
using EventDbx.Mirroring;

namespace EventDbx;

/// <summary>The verbs of a merge: histories of aggregates compared with those of another database, and taken over. Root only, for they pass by what schemas hide.</summary>
public sealed partial class Session
{
    /// <summary>Which log this is, and how far it is synced.</summary>
    public LogEnd FindLogEnd()
    {
        DemandRoot("ask where the log ends");
        var synced = _database.Loop.Synced;
        return new(_database.DatabaseId, synced.Epoch, synced.Size, synced.Root, _database.Encrypted);
    }

    /// <summary>Where aggregates stand, in key order: hidden, archived and empty ones among them.</summary>
    /// <param name="filter">Which. Named aggregates are looked up, types are walked; nothing else is read.</param>
    /// <param name="after">Those behind this one; null: from the first.</param>
    /// <param name="take">1 and up; lowered to <see cref="Limits.PageItemsMax"/>.</param>
    public HistoryPage GetPositions(HistoryFilter filter, AggregateKey? after, int take)
    {
        DemandRoot("list positions");
        ArgumentOutOfRangeException.ThrowIfLessThan(take, 1);
        if (filter.Types.Count + filter.Aggregates.Count > Limits.MergeFilterMax)
            throw new RefusedException(RefusalCode.LimitExceeded, $"The filter has {filter.Types.Count} types and {filter.Aggregates.Count} aggregates; at most {Limits.MergeFilterMax} are looked for at once.");
        using var reader = _database.OpenReader();
        return new HistoryReader(reader).Positions(filter, after, Math.Min(take, Limits.PageItemsMax));
    }

    /// <summary>Roots of aggregates at versions, in the order asked for; null: the aggregate is not at that version, or not there.</summary>
    public IReadOnlyList<Hash32?> FindRoots(IReadOnlyList<(AggregateKey Aggregate, ulong Version)> places)
    {
        DemandRoot("compare roots");
        if (places.Count > Limits.PageItemsMax)
            throw new RefusedException(RefusalCode.LimitExceeded, $"{places.Count} roots are asked for; at most {Limits.PageItemsMax} are looked up at once.");
        using var reader = _database.OpenReader();
        return new HistoryReader(reader).Roots(places);
    }

    /// <summary>Events of one aggregate with their salts, ascending; none of an unknown one.</summary>
    /// <param name="aggregate">Of which.</param>
    /// <param name="after">Those with versions above it.</param>
    /// <param name="take">At most; 0 and all above <see cref="Limits.BatchEventsMax"/>: that many.</param>
    /// <remarks>The page ends at <see cref="Limits.PageBytesMax"/> of payloads, with the event that reaches it; one always fits.</remarks>
    public IReadOnlyList<EventRecord> GetHistory(AggregateKey aggregate, ulong after, int take)
    {
        DemandRoot("read histories with their salts");
        ArgumentOutOfRangeException.ThrowIfNegative(take);
        if (after == ulong.MaxValue)
            return [];
        using var reader = _database.OpenReader();
        return reader.Events(aggregate, after + 1, take == 0 ? Limits.BatchEventsMax : Math.Min(take, Limits.BatchEventsMax), Limits.PageBytesMax);
    }

    /// <summary>The same of several aggregates from one view, one after the other in the order of the places.</summary>
    /// <param name="places">Aggregates and the versions they are asked behind; at most <see cref="Limits.PageItemsMax"/>.</param>
    /// <param name="take">As above, in all.</param>
    /// <remarks>The page ends in the middle of an aggregate, too; one is passed over only where it has no such events.</remarks>
    public IReadOnlyList<EventRecord> GetHistories(IReadOnlyList<(AggregateKey Aggregate, ulong After)> places, int take)
    {
        DemandRoot("read histories with their salts");
        ArgumentOutOfRangeException.ThrowIfNegative(take);
        if (places.Count > Limits.PageItemsMax)
            throw new RefusedException(RefusalCode.LimitExceeded, $"Histories of {places.Count} aggregates are asked for; at most {Limits.PageItemsMax} are read at once.");
        take = take == 0 ? Limits.BatchEventsMax : Math.Min(take, Limits.BatchEventsMax);
        using var reader = _database.OpenReader();
        List<EventRecord> records = [];
        var bytes = 0;
        foreach (var (aggregate, after) in places)
        {
            if (records.Count == take || bytes >= Limits.PageBytesMax)
                break;
            if (after == ulong.MaxValue)
                continue;
            foreach (var record in reader.Events(aggregate, after + 1, take - records.Count, Limits.PageBytesMax - bytes))
            {
                records.Add(record);
                bytes += record.Payload.Length;
            }
        }

        return records;
    }

    /// <summary>Takes over events as another database has them, all or nothing: those that are here already are compared and left.</summary>
    /// <remarks>
    /// Every hash and every root is computed anew before anything is written. Schemas are not asked, archived aggregates take them, the caller's
    /// name stands nowhere: an event keeps its own actor, time, note, id, salt, and so its hash.
    /// </remarks>
    /// <param name="records">Of one aggregate or of several, each aggregate's together in the order of their versions without a gap, with their salts; at most <see cref="Limits.BatchEventsMax"/>.</param>
    /// <returns>How many were new.</returns>
    /// <exception cref="RefusedException">
    /// Nothing was written. <see cref="RefusalCode.IntegrityViolation"/>: a record is not what its hash or root says. <see cref="RefusalCode.Diverged"/>: another event has its version
    /// here, or its id another version. <see cref="RefusalCode.VersionConflict"/>: out of order, or what comes before it is missing.
    /// </exception>
    public async Task<int> MergeAsync(IReadOnlyList<EventRecord> records, CancellationToken cancellation)
    {
        try
        {
            DemandRoot("merge histories");
            _database.DemandLeads();
            cancellation.ThrowIfCancellationRequested();
            var fresh = FindNew(records, MergeBatch.Check(records), out var position);
            var appended = 0;
            if (fresh.Count > 0)
            {
                var operations = new AppendOperation[fresh.Count];
                for (var i = 0; i < operations.Length; i++)
                    operations[i] = PrepareMerge(fresh[i]);
                foreach (var outcome in await CommitAsync(new(operations), cancellation).ConfigureAwait(false))
                {
                    if (outcome.Record is null)
                        continue;
                    appended++;
                    position = outcome.Record.Position;
                }
            }

            // Whoever sent it forgets what was answered: also where answers come before the sync, this one does not.
            if (position > 0)
                await _database.Loop.WaitBeyondAsync(position - 1, cancellation).ConfigureAwait(false);
            return appended;
        }
        catch (RefusedException refused) when (_database.Telemetry.Refused.Note(refused, records.Count))
        {
            throw;
        }
        catch (RefusedException refused) when (refused.Refusal.Operation is not null)
        {
            // Every reason names its version, which says more than a place in what was left of the batch.
            throw new RefusedException(refused.Refusal with { Message = $"Nothing of the batch was written: {refused.Refusal.Reason}", Operation = null });
        }
    }

    /// <summary>The records that are not here already. History does not change: what is here is compared by this thread, and not by the writer.</summary>
    /// <param name="records">All of them.</param>
    /// <param name="runs">Those of each aggregate.</param>
    /// <param name="position">The last one of those that are here; 0 when none is.</param>
    List<EventRecord> FindNew(IReadOnlyList<EventRecord> records, List<(int From, int Count)> runs, out ulong position)
    {
        position = 0;
        using var reader = _database.OpenReader();
        var fresh = new List<EventRecord>(records.Count);
        foreach (var (from, count) in runs)
        {
            var (at, end) = (from, from + count);
            var version = reader.FindHead(records[from].Aggregate)?.Head.Version ?? 0;
            while (at < end && records[at].Version <= version)
            {
                foreach (var own in reader.Events(records[at].Aggregate, records[at].Version, end - at, Limits.PageBytesMax))
                {
                    MergeBatch.Compare(records[at++], own);
                    position = Math.Max(position, own.Position);
                }
            }

            for (; at < end; at++)
                fresh.Add(records[at]);
        }

        return fresh;
    }

    AppendOperation PrepareMerge(EventRecord record)
    {
        if (CheckActor(record.Actor) is { } refusal)
            throw new RefusedException(refusal);
        var draft = new EventDraft { Aggregate = record.Aggregate, EventType = record.EventType, Payload = record.Payload, EventId = record.EventId, Note = record.Note };
        return Prepare(draft, record.Actor, new()
        {
            Draft = draft, CreatedAt = record.CreatedAt, Actor = record.Actor, Version = record.Version, Salt = record.Salt, Hash = record.Hash, MerkleRoot = record.MerkleRoot,
        }, merges: true);
    }

    /// <summary>What is known of an aggregate beside its events: whether it is archived, and the snapshots that somebody took. Null when there is no such aggregate.</summary>
    public HistoryMarks? FindMarks(AggregateKey aggregate)
    {
        DemandRoot("read marks");
        using var reader = _database.OpenReader();
        return new HistoryReader(reader).Marks(aggregate);
    }

    /// <summary>Makes an aggregate as the marks say: created where it has no events, archived or restored, with the snapshots that are missing.</summary>
    /// <remarks>
    /// Each is a commit with a control entry of this caller, and what is so already is left: an interrupted call is made again. A snapshot is here already where one of its version
    /// has its comment, also where another call takes the same meanwhile; it gets a time of its own. Snapshots that are only here stay.
    /// </remarks>
    /// <returns>Whether anything changed.</returns>
    /// <exception cref="RefusedException"><see cref="RefusalCode.VersionConflict"/>: the aggregate is not at the version of the marks.</exception>
    public async Task<bool> ApplyMarksAsync(HistoryMarks marks, CancellationToken cancellation)
    {
        DemandRoot("apply marks");
        _database.DemandLeads();
        cancellation.ThrowIfCancellationRequested();
        if (marks.Snapshots.Count > Limits.MergeSnapshotsMax)
            throw new RefusedException(RefusalCode.LimitExceeded, $"There are {marks.Snapshots.Count} snapshots of {marks.Aggregate}; at most {Limits.MergeSnapshotsMax} are taken over.");
        if ((CheckNote(marks.Comment) ?? marks.Snapshots.Select(snapshot => CheckNote(snapshot.Comment)).FirstOrDefault(refusal => refusal is not null)) is { } refusal)
            throw new RefusedException(refusal);
        var own = FindMarks(marks.Aggregate);
        var changed = false;
        if (own is null && marks.Version == 0)
        {
            changed = await CreateIfMissingAsync(marks.Aggregate, marks.Archived ? null : marks.Comment, cancellation).ConfigureAwait(false);
            own = FindMarks(marks.Aggregate);
        }

        DemandVersion(own, marks);
        if (MissingIn(own, marks).Count > 0)
            changed |= await TakeOverAsync(marks, cancellation).ConfigureAwait(false);
        if (own.Archived == marks.Archived)
            return changed;
        var operation = Prepare(marks.Archived ? Lifecycle.Archive : Lifecycle.Restore, marks.Aggregate, marks.Comment, marks.Version);
        await CommitAsync(new(operation), cancellation).ConfigureAwait(false);
        return true;
    }

    static void DemandVersion([NotNull] HistoryMarks? own, HistoryMarks marks)
    {
        if (own?.Version == marks.Version)
            return;
        throw new RefusedException(new Refusal(
            RefusalCode.VersionConflict, $"The marks are of version {marks.Version} of {marks.Aggregate}, which is {(own is null ? "not here" : $"at version {own.Version}")}. Merge its events first.")
        {
            ActualVersion = own?.Version ?? 0,
        });
    }

    /// <summary>Takes the snapshots that are missing, each one where none came between looking and writing: the writer says so, for a call that was given up may have left it one.</summary>
    /// <returns>Whether any was.</returns>
    async Task<bool> TakeOverAsync(HistoryMarks marks, CancellationToken cancellation)
    {
        await _database.TakingSnapshots.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            var changed = false;
            while (true)
            {
                var (own, taken) = FindMarksAndTaken(marks.Aggregate);
                DemandVersion(own, marks);
                var overtaken = false;
                foreach (var snapshot in MissingIn(own, marks))
                {
                    var outcomes = await CommitAsync(new(PrepareSnapshot(marks.Aggregate, snapshot, taken)), cancellation).ConfigureAwait(false);
                    overtaken = outcomes[0].Overtaken;
                    if (overtaken)
                        break;
                    taken++;
                    changed = true;
                }

                if (!overtaken)
                    return changed;
            }
        }
        finally
        {
            _database.TakingSnapshots.Release();
        }
    }

    (HistoryMarks? Marks, uint Taken) FindMarksAndTaken(AggregateKey aggregate)
    {
        using var reader = _database.OpenReader();
        return (new HistoryReader(reader).Marks(aggregate), reader.FindHead(aggregate)?.Head.Snapshots ?? 0);
    }

    async Task<bool> CreateIfMissingAsync(AggregateKey aggregate, string? comment, CancellationToken cancellation)
    {
        try
        {
            await CommitAsync(new(Prepare(Lifecycle.Create, aggregate, comment)), cancellation).ConfigureAwait(false);
            return true;
        }
        catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.AlreadyExists)
        {
            return false;
        }
    }

    static List<HistorySnapshot> MissingIn(HistoryMarks own, HistoryMarks marks)
    {
        var here = own.Snapshots.GroupBy(snapshot => (snapshot.Version, snapshot.Comment)).ToDictionary(same => same.Key, same => same.Count());
        var missing = new List<HistorySnapshot>();
        foreach (var snapshot in marks.Snapshots)
        {
            if (snapshot.Version > marks.Version)
                throw new RefusedException(RefusalCode.InvalidArgument, $"The marks of {marks.Aggregate} are of version {marks.Version}, and speak of a snapshot at version {snapshot.Version}.");
            if (here.GetValueOrDefault((snapshot.Version, snapshot.Comment)) is > 0 and var left)
                here[(snapshot.Version, snapshot.Comment)] = left - 1;
            else
                missing.Add(snapshot);
        }

        return missing;
    }

    SnapshotOperation PrepareSnapshot(AggregateKey aggregate, in HistorySnapshot snapshot, uint taken)
    {
        using var reader = _database.OpenReader();
        // Folded here, so that the writer need not. At the newest version the writer has it.
        var state = reader.FindStateAt(aggregate, snapshot.Version) ?? throw NotFound(aggregate);
        return new()
        {
            Aggregate = aggregate, Actor = Actor, Origin = _origin, Comment = snapshot.Comment, Version = snapshot.Version, Kept = new(state.Fields.ToArray(), state.MerkleRoot),
            Taken = taken,
        };
    }

    /// <summary>Takes over schemas from another database, all or nothing: the types that are named are set to them where they say something else.</summary>
    /// <param name="json">As <c>schemas.json</c>: aggregate type → schema.</param>
    /// <param name="replace">Also takes away those of all other types.</param>
    /// <returns>Aggregate types whose schema changed. When a schema was made or changed is no difference.</returns>
    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidSchema"/>: nothing was changed.</exception>
    public Task<int> MergeSchemasAsync(ReadOnlyMemory<byte> json, bool replace, CancellationToken cancellation)
    {
        DemandRoot("change schemas");
        _database.DemandLeads();
        var schemas = Schemas.SchemaJson.Read(json.Span);
        return _database.ChangeSchemasAsync(Actor, _origin, book => MergeBatch.Differences(book, schemas, replace), cancellation);
    }
}
