using System.Buffers.Binary;
using System.Security.Cryptography;
using EventDbx.Mirroring;
using EventDbx.Schemas;
using EventDbx.Storage.RocksDb;
using EventDbx.Verification;

namespace EventDbx.Recovery;

/// <summary>Makes the store that is to be of the one that was unpacked: verified, cut where that is asked for, in a new epoch.</summary>
/// <param name="options">The keys of the backup; origin, clock, randomness, check.</param>
/// <param name="request">What is asked for.</param>
/// <param name="replaced">The store whose place it takes; null for none.</param>
internal sealed class RestoredStore(DatabaseOptions options, RestoreRequest request, ReplacedStore? replaced)
{
    /// <summary>That of the store that is replaced, where the two are of one database: another one's numbers have no bearing on this.</summary>
    uint ReplacedEpoch => replaced is { } old && (old.DatabaseId ?? request.DatabaseId) == request.DatabaseId ? old.Epoch : 0;

    /// <param name="source">The unpacked data directory; its store is moved from there, or read and left.</param>
    /// <param name="target">Where the new store and its watermark go: a directory that exists.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellation">Ends it.</param>
    public RestoreReport Build(DataDirectory source, DataDirectory target, IProgress<RecoveryProgress>? progress, CancellationToken cancellation)
    {
        var row = CheckBefore(source);
        OpenStore.Vet(row, options, "the backup");
        using var keys = row.Encrypted ? options.KeysOf(row) : null;
        var keyring = new Keyring(keys, new(), Limits.HeadCacheDefault);
        if (!row.Mirror)
            DemandRoom(Math.Max(row.Epoch, ReplacedEpoch));
        ulong kept;
        TimeCut? endedBy;
        bool ahead;
        using (var engine = RocksDbEngine.OpenReadOnly(source.Store, new()))
        {
            Verify(engine, row, keyring, progress, cancellation);
            using var view = engine.OpenScan();
            LookAtDocuments(engine, source, keys);
            (kept, endedBy) = Cut(view, row, progress, cancellation);
            ahead = IsAhead(view, cancellation);
            if (kept < request.LogSize)
                Replay(view, target, row, keyring, kept, progress, cancellation);
        }

        if (kept == request.LogSize)
            Directory.Move(source.Store, target.Store);
        return Begin(target, row, keyring, kept, ahead, progress, cancellation) with { EndedBy = endedBy };
    }

    /// <summary>What the store says it is; and it is what the backup says, as far as the check before an open sees.</summary>
    StoreRow CheckBefore(DataDirectory source)
    {
        if (!source.HasStore)
            throw Violation.Of("There is no store in the backup.");
        // What the backup says takes the place of what was known where it was taken: the check holds the store against it, before anything opens it here.
        StoreInventory.Delete(source.Inventory);
        Watermark.Replace(source.Watermark, new StoreIdentity(request.DatabaseId, request.Epoch).Slot(new(request.LogSize, request.LogRoot)));
        if (options.Check.Run(source.Path, options.CheckLimit) is { } refusal)
            throw Violation.Of($"The store in the backup is not what the backup says: {refusal}.");
        StoreRow row;
        using (var engine = Salvage.OpenWithin(options, source.Store) ?? throw Violation.Of("The store in the backup cannot be read."))
        using (var view = engine.OpenView())
            row = StoreRow.Find(view) ?? throw Violation.Of("The store in the backup does not say what it is.");
        if (row.Format != StoreRow.CurrentFormat)
            throw OpenStore.OtherFormat(row, "the backup");
        if ((row.DatabaseId, row.Epoch) != (request.DatabaseId, request.Epoch))
            throw Violation.Of($"The backup is said to be of database {request.DatabaseId} in epoch {request.Epoch}, and the store in it is one of {row.DatabaseId} in epoch {row.Epoch}.");
        return row;
    }

    void Verify(RocksDbEngine engine, StoreRow row, Keyring keyring, IProgress<RecoveryProgress>? progress, CancellationToken cancellation)
    {
        var verified = StoreVerifier.Run(
            new()
            {
                Engine = engine, Identity = new(row.DatabaseId, row.Epoch), Encrypted = row.Encrypted, Keyring = keyring, ReadWatermark = null, Clock = options.Clock, NoteVerifier = options.NoteVerifier,
            },
            resume: false, RecoveryProgress.OfVerify(progress), cancellation);
        if ((verified.LogSize, verified.LogRoot) != (request.LogSize, request.LogRoot))
            throw Violation.Of($"The backup is said to have {request.LogSize} entries with the root {request.LogRoot}; the store in it has {verified.LogSize} with {verified.LogRoot}.");
    }

    /// <summary>Documents that the new store would refuse must not take the place of those that are there. Where nothing is, they are as they were where the backup was taken.</summary>
    void LookAtDocuments(RocksDbEngine engine, DataDirectory source, DataKeys? keys)
    {
        try
        {
            Backups.BackupAudit.OpenDocuments(engine, source.Path, keys);
        }
        catch (RefusedException refused) when (replaced is null)
        {
            options.Progress?.Invoke(refused.Message);
        }
    }

    (ulong Kept, TimeCut? EndedBy) Cut(IStorageView view, StoreRow row, IProgress<RecoveryProgress>? progress, CancellationToken cancellation)
    {
        if (request.ToPosition is null && request.ToTime is null)
            return (request.LogSize, null);
        if (row.Mirror)
            throw new RefusedException(RefusalCode.InvalidArgument, "The backup is of a mirror, whose log is its leader's: it is restored whole, and goes on behind its end. A backup of the leader can be cut.");
        return request.ToPosition is { } position
            ? (LogCut.At(view, request.LogSize, position), null)
            : LogCut.Until(view, request.LogSize, request.ToTime!.Value, done => progress?.Report(new("entries looked at", done, request.LogSize)), cancellation);
    }

    /// <summary>The first entries again, with everything that is an index of them; and what is in no entry, as far as it holds for them.</summary>
    void Replay(IStorageView view, DataDirectory target, StoreRow row, Keyring keyring, ulong kept, IProgress<RecoveryProgress>? progress, CancellationToken cancellation)
    {
        PrivateDirectory.Create(target.Store);
        using var engine = RocksDbEngine.Open(target.Store, new() { CreateIfMissing = true });
        var (epoch, rotation) = (EpochsUpTo(view, kept, cancellation)[^1], row.Rotation is { } under ? under with { Cursor = Math.Min(under.Cursor, kept), End = Math.Min(under.End, kept) } : null);
        var cut = row with { Epoch = epoch, Rotation = rotation };
        engine.Commit(new NewStorePlanner(cut), sync: false);
        var (written, stopped) = new StoreRebuild(engine, keyring, options, done =>
        {
            cancellation.ThrowIfCancellationRequested();
            progress?.Report(new("entries written", done, kept));
        }).Take(new LogReplay(view, keyring) { Last = kept });
        if (stopped is not null || written != kept)
            throw Violation.Of($"Of the first {kept} entries of the backup {written} could be written again: {stopped ?? "there are no more"}.");
        var root = new LogNodes(view, request.LogSize).RootAt(kept);
        using (var made = engine.OpenView())
        {
            if (LogTreeStore.LoadFrontier(made).Root() is var ours && ours != root)
                throw Violation.Of($"The first {kept} entries of the backup have the root {root}, and written again {ours}.");
        }

        new LooseRows(view, engine).Copy(row.Epoch + 1, kept, cutIn: epoch);
        engine.Sync();
        engine.FlushMemtables();
        Verify(engine, cut, keyring, kept, root, progress, cancellation);
    }

    void Verify(RocksDbEngine engine, StoreRow row, Keyring keyring, ulong size, Hash32 root, IProgress<RecoveryProgress>? progress, CancellationToken cancellation) =>
        new RestoredStore(options, request with { LogSize = size, LogRoot = root }, replaced).Verify(engine, row, keyring, progress, cancellation);

    /// <summary>The epochs that the log was in up to a place.</summary>
    static List<uint> EpochsUpTo(IStorageView view, ulong size, CancellationToken cancellation)
    {
        List<uint> epochs = [1];
        for (var next = 1UL; next <= size;)
        {
            cancellation.ThrowIfCancellationRequested();
            foreach (var row in view.Range(Family.Log, Keyspace.Position(next), Keyspace.Position(size + 1), Limits.PageItemsMax, Limits.PageBytesMax))
            {
                next = Keyspace.ReadPosition(row.Key) + 1;
                if (EntryRow.MayBeControl(row.Value) && EntryRow.TryRead(Checked.Body(Family.Log, row.Key, row.Value)) is { IsControl: true } entry && EpochStart.IsKind(entry.Type))
                    epochs.Add(EpochStart.TryRead(entry)?.Epoch ?? throw Violation.OfRow(Family.Log, row.Key, "the epoch that it begins cannot be read"));
            }
        }

        return epochs;
    }

    /// <summary>The new epoch, and the watermark.</summary>
    RestoreReport Begin(DataDirectory target, StoreRow before, Keyring keyring, ulong kept, bool ahead, IProgress<RecoveryProgress>? progress, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        progress?.Report(new("entries kept", kept, kept));
        var tokensKept = request.TokensCanBeKept && (request.KeepTokens || (kept == request.LogSize && !ahead));
        using var engine = RocksDbEngine.Open(target.Store, new());
        StoreRow row;
        LogPoint end;
        MirrorRow? mirror;
        using (var view = engine.OpenView())
        {
            row = StoreRow.Find(view)!;
            mirror = MirrorRow.Find(view, row);
            end = PointOf(view);
        }

        var root = end.Root;
        if (mirror is null)
        {
            var epoch = DrawEpoch(Math.Max(before.Epoch, ReplacedEpoch));
            var operation = new RestoredOperation
            {
                Aggregate = ControlOperation.AboutTheDatabase, Actor = request.Actor, Origin = "directory",
                Start = new(epoch, NewEpoch.Restore, kept, root.ToString(), Database.OriginOf(options, row.DatabaseId, row.Epoch), null, null, null, request.Comment)
                {
                    Backup = request.Backup, Of = request.LogSize, Tokens = tokensKept ? "kept" : "rotated",
                },
            };
            BeginEpoch(engine, keyring, row, operation);
            using var view = engine.OpenView();
            (row, end) = (StoreRow.Find(view)!, PointOf(view));
        }

        engine.Sync();
        engine.FlushMemtables();
        Watermark.Replace(target.Watermark, new StoreIdentity(row.DatabaseId, row.Epoch).Slot(end));
        return new(row.DatabaseId, kept, request.LogSize, root, row.Epoch, tokensKept, mirror?.Leader.Name);
    }

    void BeginEpoch(RocksDbEngine engine, Keyring keyring, StoreRow row, RestoredOperation operation)
    {
        var planner = new GroupPlanner(keyring, new(), options.Clock, headCacheEntries: 1);
        SchemaSet schemas;
        using (var view = engine.OpenView())
            schemas = SchemaSet.Load(view);
        planner.Begin(schemas, new(new(row.DatabaseId, row.Epoch), null));
        var commit = new PendingCommit(operation);
        planner.Take([commit]);
        engine.Commit(planner, sync: true);
        if (commit.Refused)
            throw new RefusedException(commit.Outcomes[0].Refusal!.Value);
    }

    /// <summary>Whether the store that is replaced knows of this database what the backup does not: a token may have been revoked there. One that cannot be read may; one whose log is a beginning of the backup's does not.</summary>
    bool IsAhead(IStorageView view, CancellationToken cancellation)
    {
        if (replaced is not { } old || (old.DatabaseId is { } of && of != request.DatabaseId))
            return false;
        if (old.DatabaseId is null || old.Root is not { } root || !(old.LogSize <= request.LogSize))
            return true;
        return (old.LogSize > 0 && new LogNodes(view, request.LogSize).RootAt(old.LogSize.Value) != root) || !EpochsUpTo(view, request.LogSize, cancellation).Contains(old.Epoch);
    }

    /// <summary>Above every one that is known, by a step that is drawn: another restore of the same backup begins another one.</summary>
    uint DrawEpoch(uint newest)
    {
        Span<byte> random = stackalloc byte[4];
        if (options.Random is { } fill)
            fill(random);
        else
            RandomNumberGenerator.Fill(random);
        var step = 1 + (BinaryPrimitives.ReadUInt32BigEndian(random) % Limits.RestoreEpochStepMax);
        DemandRoom(newest);
        return newest + step;
    }

    static void DemandRoom(uint newest)
    {
        if (newest > Limits.MirrorEpochMax - Limits.RestoreEpochStepMax)
            throw new RefusedException(RefusalCode.LimitExceeded, $"The database is in epoch {newest}, and there are {Limits.MirrorEpochMax} at most: a restore begins a new one. Export it, and import it into a new store.");
    }

    static LogPoint PointOf(IStorageView view)
    {
        var tree = LogTreeStore.LoadFrontier(view);
        return new(tree.Size, tree.Root());
    }
}
