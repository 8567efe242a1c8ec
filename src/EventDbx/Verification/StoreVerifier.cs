using System.Diagnostics;

namespace EventDbx.Verification;

/// <summary>Verifies everything, on one view: what stands beside the log, the log in its order, every aggregate in key order.</summary>
/// <remarks>
/// <code>
/// store       meta rows, how far each family reflects the log, files, watermark
/// log         positions, batches, leaves → log tree = its row, tiles, watermark        1 pass, batched gets of the index
/// aggregates  heads ∥ archive ∥ index + log ∥ state ∥ ids ∥ fold points                 1 pass, batched gets of the log
/// sums        events in the log = rows of the index; lifecycle entries = aggregates found
/// </code>
/// Every event of the log names another aggregate and version, and each index row is held against the log row that it leads
/// to; so equal sums mean that they lead to each other one by one.
/// </remarks>
internal sealed class StoreVerifier(Database database, IStorageView view, IProgress<VerifyProgress>? progress, CancellationToken cancellation)
{
    /// <summary>Families of which no version so far writes rows.</summary>
    static readonly Family[] Unused = [Family.Plugins];

    const ulong EventsBetweenReports = 512;

    VerifyProgress _told = new((VerifyPhase)(-1), 0, 0);
    ulong _events;
    ulong _aggregates;
    ulong _archived;

    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public static VerifyAllResult Run(Database database, IProgress<VerifyProgress>? progress, CancellationToken cancellation)
    {
        // The watermark first: what it knows is in any view opened later.
        var mark = database.ReadWatermark is { } read ? read() : null;
        using var view = database.Engine.OpenScan();
        return new StoreVerifier(database, view, progress, cancellation).Run(mark);
    }

    VerifyAllResult Run(WatermarkSlot? mark)
    {
        var start = Stopwatch.GetTimestamp();
        Tell(VerifyPhase.Files, 0, 0);
        database.Engine.VerifyFiles();
        var stored = CheckMeta();
        CheckReflects(stored.Size);
        CheckMark(mark, stored.Size);
        CheckTokens();

        var log = new LogVerifier(view, stored, mark);
        log.Run(done => Tell(VerifyPhase.Log, done, stored.Size));
        log.Schemas.CheckRows(view);
        var aggregates = new AggregateVerifier(view, database.Keyring, AggregateRows.All(view));
        while (aggregates.VerifyNext(more => Tell(VerifyPhase.Aggregates, _events += more, log.Events)) is var (aggregate, head, archive))
        {
            log.Lifecycles.Check(aggregate, head, archive);
            log.Snapshots.Check(aggregate, aggregates.Kept);
            _aggregates++;
            _archived += archive is not null ? 1UL : 0;
        }

        if (_events != log.Events)
            throw Orphans.FindEvent(view, log.Events, _events);
        log.Lifecycles.CheckAllSeen(view);
        log.Snapshots.CheckAllSeen();
        return new()
        {
            LogSize = stored.Size, LogRoot = log.Tree.Root(), Events = log.Events, ControlEntries = log.ControlEntries,
            Aggregates = _aggregates, Archived = _archived, ClientIds = aggregates.ClientIds, FoldPoints = aggregates.FoldPoints, Snapshots = aggregates.Snapshots,
            Tiles = log.Tiles, WatermarkSize = mark?.LogSize, Elapsed = Stopwatch.GetElapsedTime(start),
        };
    }

    /// <summary>What the store is, and the size and frontier of its log.</summary>
    MerkleTree CheckMeta()
    {
        MerkleTree? log = null;
        StoreRow? store = null;
        var rows = new RowCursor(view, Family.Meta, Keyspace.FirstName.ToArray(), []);
        for (; rows.Peek() is { } row; rows.Take())
        {
            var body = Checked.Body(Family.Meta, row.Key, row.Value);
            if (row.Key.AsSpan().SequenceEqual(Keyspace.LogRow))
                log = LogSizeRow.TryRead(body) ?? throw Violation.OfRow(Family.Meta, row.Key, "it cannot be read");
            else if (row.Key.AsSpan().SequenceEqual(Keyspace.StoreRow))
                store = StoreRow.TryRead(body) ?? throw Violation.OfRow(Family.Meta, row.Key, "it cannot be read");
            else if (!row.Key.AsSpan().StartsWith(Keyspace.SchemaPrefix))
                throw Violation.OfRow(Family.Meta, row.Key, "there is no row of that name");
        }

        if (log is null || store is null)
            throw Violation.Of($"Family `meta` has no row `{(log is null ? "log" : "store")}`.");
        if (store.Format != StoreRow.CurrentFormat || store.DatabaseId != database.DatabaseId || store.Epoch != database.Epoch || store.Encrypted != database.Encrypted
            || !database.Keyring.Made(store))
            throw Violation.OfRow(Family.Meta, Keyspace.StoreRow, "it is of another database, epoch or key than the one that was opened");
        return log;
    }

    /// <summary>One row below all names, saying how far the family reflects the log; and no rows where none belong.</summary>
    void CheckReflects(ulong size)
    {
        foreach (var family in Families.All)
        {
            if (LogTreeStore.Reflects(view, family) is var reflects && reflects != size)
                throw Violation.Of($"The log has {size} entries, but family `{Families.NameOf(family)}` reflects {reflects}.");
            // A position and an epoch begin with zeros, as no name does.
            var names = family is Family.Log or Family.Checkpoints ? [0, 0] : Keyspace.FirstName.ToArray();
            foreach (var row in view.Range(family, [], names, 2, int.MaxValue))
            {
                if (!row.Key.AsSpan().SequenceEqual(Keyspace.Reflects))
                    throw Violation.OfRow(family, row.Key, "no key of ours looks like that");
            }
        }

        foreach (var family in Unused)
        {
            if (view.Range(family, Keyspace.FirstName, [], 1, int.MaxValue) is [var row])
                throw Violation.OfRow(family, row.Key, "nothing of this version writes there");
        }
    }

    /// <summary>What tokens have spent is no history; but every row is one of ours.</summary>
    void CheckTokens()
    {
        var rows = new RowCursor(view, Family.Tokens, Keyspace.FirstName.ToArray(), []);
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
            if (found.DatabaseId != database.DatabaseId || found.Epoch != database.Epoch)
                throw Violation.Of("The file `watermark` belongs to another database, or to another epoch of this one.");
        }
        else if (database.ReadWatermark is not null && size > 0)
        {
            throw Violation.Of($"The log has {size} entries, but the file `watermark` has no valid slot.");
        }
    }

    void Tell(VerifyPhase phase, ulong done, ulong total)
    {
        cancellation.ThrowIfCancellationRequested();
        if (phase == _told.Phase && (done == _told.Done || (done < total && done - _told.Done < EventsBetweenReports)))
            return;
        _told = new(phase, done, total);
        progress?.Report(_told);
    }
}
