using EventDbx.Recovery;
using System.Diagnostics;

namespace EventDbx.Verification;

/// <summary>Verifies everything, on one view: what stands beside the log, the log in its order, every aggregate in key order.</summary>
/// <remarks>
/// <code>
/// store       meta rows, how far each family reflects the log, files, watermark
/// log         positions, batches, leaves → log tree = its row, tiles, watermark, checkpoints    1 pass, batched gets of the index
/// aggregates  heads ∥ archive ∥ index + log ∥ state ∥ ids ∥ fold points                 1 pass, batched gets of the log
/// sums        events in the log = rows of the index; lifecycle entries = aggregates found; snapshots = their entries
/// </code>
/// Every event of the log names another aggregate and version, and each index row is held against the log row that it leads
/// to; so equal sums mean that they lead to each other one by one.
///
/// One that goes on with an interrupted one does all of it but one thing: of aggregates that were verified then, and of which
/// nothing was committed since, it reads heads and hashes, and believes the rest (<see cref="EarlierAggregates"/>).
/// </remarks>
internal sealed class StoreVerifier
{
    const ulong EventsBetweenReports = 512;

    readonly VerifySource _source;
    readonly IStorageView _view;
    readonly IProgress<VerifyProgress>? _progress;
    readonly CancellationToken _cancellation;
    readonly VerifyBookmark? _bookmark;
    readonly EarlierVerify? _earlier;
    readonly EarlierVerify? _interrupted;
    readonly Timestamp _startedAt;
    readonly ulong? _findings;
    VerifyProgress _told = new((VerifyPhase)(-1), 0, 0);
    ulong _events;
    ulong _aggregates;
    ulong _archived;

    StoreVerifier(VerifySource source, IStorageView view, bool resume, IProgress<VerifyProgress>? progress, CancellationToken cancellation)
    {
        (_source, _view, _progress, _cancellation) = (source, view, progress, cancellation);
        _findings = source.Findings?.Invoke();
        _bookmark = source.Documents is { } documents ? new(documents, source.Identity) : null;
        var found = _bookmark?.Find();
        _earlier = resume ? found : null;
        _interrupted = resume ? null : found;
        _startedAt = _earlier?.StartedAt ?? Timestamp.From(source.Clock.GetUtcNow());
    }

    /// <param name="source">What to verify.</param>
    /// <param name="resume">Go on with an interrupted one, where there is one.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellation">Interrupts it; how far it was is kept.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public static VerifyAllResult Run(VerifySource source, bool resume, IProgress<VerifyProgress>? progress, CancellationToken cancellation)
    {
        // The watermark first: what it knows is in any view opened later.
        var mark = source.ReadWatermark is { } read ? read() : null;
        using var view = source.Engine.OpenScan();
        // A mirror goes along with its leader, and may become one itself, between the two: the log says whether it did.
        if (StoreRow.Find(view) is { } row && row.DatabaseId == source.Identity.DatabaseId && row.Epoch > source.Identity.Epoch)
            source = source with { Identity = source.Identity with { Epoch = row.Epoch } };
        var verifier = new StoreVerifier(source, view, resume, progress, cancellation);
        try
        {
            var result = verifier.Run(mark);
            verifier._bookmark?.Clear();
            return result;
        }
        catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.IntegrityViolation)
        {
            // It has its answer. What comes next, after a repair, begins anew.
            verifier._bookmark?.Clear();
            throw;
        }
    }

    VerifyAllResult Run(WatermarkSlot? mark)
    {
        var start = Stopwatch.GetTimestamp();
        Tell(VerifyPhase.Files, 0, 0);
        _source.Engine.VerifyFiles();
        var stored = CheckMeta();
        CheckReflects(stored.Size);
        CheckMark(mark, stored.Size);
        CheckTokens();
        PluginChecks.Run(_view, stored.Size, _cancellation.ThrowIfCancellationRequested);

        var passes = new LifecyclePasses(_view, _source.AggregatesMax, _ => _cancellation.ThrowIfCancellationRequested());
        var lifecycles = passes.First();
        var touched = _earlier is not null && _source.Keyring is not null ? new HashSet<UInt128>() : null;
        var checkpoints = new CheckpointVerifier(_view, _source);
        var snapshots = _earlier is null ? new SnapshotLedger(_source.AggregatesMax) : null;
        var log = new LogVerifier(_view, stored, mark, lifecycles)
        {
            Checkpoints = checkpoints,
            Snapshots = snapshots,
            Earlier = _earlier,
            Touched = touched is null ? null : aggregate => Touch(touched, aggregate),
        };
        log.Run(done => Tell(VerifyPhase.Log, done, stored.Size));
        checkpoints.End(stored.Size);
        log.Schemas.CheckRows(_view);
        var root = log.Tree.Root();
        var again = touched?.Count <= _source.AggregatesMax ? VerifyEarlier(log, lifecycles, touched) : null;
        var aggregates = VerifyAggregates(log, lifecycles, snapshots, root, from: again is null ? null : _earlier!.Last);

        if (_events != log.Events)
            throw Orphans.FindEvent(_view, log.Events, _events);
        lifecycles.CheckAllSeen(_view);
        passes.Run();
        snapshots?.End(_view);
        return new()
        {
            LogSize = stored.Size, LogRoot = root, Events = log.Events, ControlEntries = log.ControlEntries,
            Aggregates = _aggregates, Archived = _archived,
            ClientIds = aggregates.ClientIds + (again?.ClientIds ?? 0), FoldPoints = aggregates.FoldPoints + (again?.FoldPoints ?? 0),
            Snapshots = aggregates.Snapshots + (again?.Snapshots ?? 0), Tiles = log.Tiles, WatermarkSize = mark?.LogSize,
            PayloadsChecked = _source.Keyring is not null,
            Checkpoints = checkpoints.Count, CheckpointsOfLostEntries = checkpoints.OfLostEntries, CheckpointSignaturesChecked = checkpoints.SignaturesChecked, NewestCheckpoint = checkpoints.Newest,
            Resumed = again is null ? null : _earlier! with { Aggregates = again.Believed.Aggregates, Events = again.Believed.Events },
            Elapsed = Stopwatch.GetElapsedTime(start),
        };
    }

    /// <summary>One more than are remembered says enough: then everything is read anew.</summary>
    void Touch(HashSet<UInt128> touched, AggregateKey aggregate)
    {
        if (touched.Count <= _source.AggregatesMax)
            touched.Add(LifecycleLedger.KeyOf(aggregate));
    }

    /// <summary>Goes over what an interrupted verify had finished.</summary>
    EarlierAggregates VerifyEarlier(LogVerifier log, LifecycleLedger lifecycles, HashSet<UInt128> touched)
    {
        var again = new EarlierAggregates(_view, _source.Keyring!, Keyspace.AfterAggregate(_earlier!.Last), touched);
        while (again.VerifyNext(more => Tell(VerifyPhase.Aggregates, _events += more, log.Events)) is { } verified)
            Count(verified, lifecycles);
        return again;
    }

    AggregateVerifier VerifyAggregates(LogVerifier log, LifecycleLedger lifecycles, SnapshotLedger? snapshots, Hash32 root, AggregateKey? from)
    {
        var rows = AggregateRows.From(_view, from is null ? Keyspace.FirstName.ToArray() : Keyspace.AfterAggregate(from));
        var aggregates = new AggregateVerifier(_view, _source.Keyring, rows) { SnapshotsSeen = snapshots };
        (AggregateKey Last, ulong Aggregates, ulong Events)? finished = null;
        var saved = _source.Clock.GetTimestamp();
        try
        {
            while (aggregates.VerifyNext(more => Tell(VerifyPhase.Aggregates, _events += more, log.Events)) is { } verified)
            {
                Count(verified, lifecycles);
                finished = (verified.Aggregate, _aggregates, _events);
                if (_bookmark is null || _source.Clock.GetElapsedTime(saved) < _source.SaveInterval)
                    continue;
                Save(finished.Value);
                (finished, saved) = (null, _source.Clock.GetTimestamp());
            }
        }
        catch (OperationCanceledException) when (finished is not null)
        {
            Save(finished.Value);
            throw;
        }

        return aggregates;

        void Save((AggregateKey Last, ulong Aggregates, ulong Events) at)
        {
            // Somebody has found something meanwhile, perhaps where this one was before it was so.
            if (_source.Findings?.Invoke() != _findings)
                return;
            _bookmark?.Save(new()
            {
                StartedAt = _startedAt, SavedAt = Timestamp.From(_source.Clock.GetUtcNow()), LogSize = log.Tree.Size, LogRoot = root,
                Last = at.Last, Aggregates = at.Aggregates, Events = at.Events,
            });
        }
    }

    void Count(VerifiedAggregate verified, LifecycleLedger lifecycles)
    {
        lifecycles.Check(verified.Aggregate, verified.Head, verified.ArchivedAt);
        _aggregates++;
        _archived += verified.ArchivedAt is not null ? 1UL : 0;
    }

    /// <summary>What the store is, and the size and frontier of its log.</summary>
    MerkleTree CheckMeta()
    {
        MerkleTree? log = null;
        StoreRow? store = null;
        var rows = new RowCursor(_view, Family.Meta, Keyspace.FirstName.ToArray(), []);
        for (; rows.Peek() is { } row; rows.Take())
        {
            var body = Checked.Body(Family.Meta, row.Key, row.Value);
            if (row.Key.AsSpan().SequenceEqual(Keyspace.LogRow))
                log = LogSizeRow.TryRead(body) ?? throw Violation.OfRow(Family.Meta, row.Key, "it cannot be read");
            else if (row.Key.AsSpan().SequenceEqual(Keyspace.StoreRow))
                store = StoreRow.TryRead(body) ?? throw Violation.OfRow(Family.Meta, row.Key, "it cannot be read");
            else if (row.Key.AsSpan().SequenceEqual(Keyspace.MirrorRow))
                continue; // Below, with the row that says that it has to be there.
            else if (row.Key.AsSpan().StartsWith(Keyspace.DocumentPrefix))
                _ = DocumentRow.TryRead(body, out _) ? true : throw Violation.OfRow(Family.Meta, row.Key, "it cannot be read");
            else if (!row.Key.AsSpan().StartsWith(Keyspace.SchemaPrefix))
                throw Violation.OfRow(Family.Meta, row.Key, "there is no row of that name");
        }

        if (log is null || store is null)
            throw Violation.Of($"Family `meta` has no row `{(log is null ? "log" : "store")}`.");
        if (store.Format != StoreRow.CurrentFormat || store.DatabaseId != _source.Identity.DatabaseId || store.Epoch != _source.Identity.Epoch || store.Encrypted != _source.Encrypted
            || _source.Keyring?.Made(store) == false)
            throw Violation.OfRow(Family.Meta, Keyspace.StoreRow, "it is of another database, epoch or key than the one that was opened");
        _ = MirrorRow.Find(_view, store);
        return log;
    }

    /// <summary>One row below all names, saying how far the family reflects the log; and no rows where none belong.</summary>
    void CheckReflects(ulong size)
    {
        foreach (var family in Families.All)
        {
            if (LogTreeStore.Reflects(_view, family) is var reflects && reflects != size)
                throw Violation.Of($"The log has {size} entries, but family `{Families.NameOf(family)}` reflects {reflects}.");
            // A position and an epoch begin with zeros, as no name does.
            var names = family is Family.Log or Family.Checkpoints ? [0, 0] : Keyspace.FirstName.ToArray();
            foreach (var row in _view.Range(family, [], names, 2, int.MaxValue))
            {
                if (!row.Key.AsSpan().SequenceEqual(Keyspace.Reflects))
                    throw Violation.OfRow(family, row.Key, "no key of ours looks like that");
            }
        }
    }

    /// <summary>What tokens have spent is no history; but every row is one of ours.</summary>
    void CheckTokens()
    {
        var rows = new RowCursor(_view, Family.Tokens, Keyspace.FirstName.ToArray(), []);
        for (; rows.Peek() is { } row; rows.Take())
        {
            if (!TokenRow.IsKey(row.Key))
                throw Violation.OfRow(Family.Tokens, row.Key, "no key of ours looks like that");
            if (!TokenRow.TryRead(Checked.Body(Family.Tokens, row.Key, row.Value), out _))
                throw Violation.OfRow(Family.Tokens, row.Key, "it cannot be read");
        }
    }

    void CheckMark(WatermarkSlot? mark, ulong size)
    {
        if (mark is { } found)
        {
            if ((found.DatabaseId != _source.Identity.DatabaseId || found.Epoch != _source.Identity.Epoch) && !StoreInspection.IsLeftBehind(found, _view, StoreRow.Find(_view)!, size))
                throw Violation.Of("The file `watermark` belongs to another database, or to another epoch of this one.");
        }
        else if (_source.ReadWatermark is not null && size > 0)
        {
            throw Violation.Of($"The log has {size} entries, but the file `watermark` has no valid slot.");
        }
    }

    void Tell(VerifyPhase phase, ulong done, ulong total)
    {
        _cancellation.ThrowIfCancellationRequested();
        if (phase == _told.Phase && (done == _told.Done || (done < total && done - _told.Done < EventsBetweenReports)))
            return;
        _told = new(phase, done, total) { Interrupted = _interrupted };
        _progress?.Report(_told);
    }
}
