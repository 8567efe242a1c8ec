using EventDbx.Checkpoints;
using EventDbx.Storage.RocksDb;
using EventDbx.Verification;

namespace EventDbx.Recovery;

/// <summary>What a rebuild of the indexes has made.</summary>
/// <param name="DatabaseId">Of the store: the same as before, like everything else here.</param>
/// <param name="Epoch">Of the store.</param>
/// <param name="LogSize">Entries of the log.</param>
/// <param name="LogRoot">The root over them.</param>
/// <param name="LeftOut">Rows beside the log that could not be read, and are gone: what a token had spent, how far a plugin was.</param>
/// <param name="KeptOld">Where the old store lies; null: it was deleted.</param>
public sealed record RebuildReport(Guid DatabaseId, uint Epoch, ulong LogSize, Hash32 LogRoot, ulong LeftOut, string? KeptOld)
{
    /// <summary>Plugins of which a row could not be read: they get the log again from its beginning.</summary>
    public IReadOnlyList<string> Restarted { get; init; } = [];
}

/// <summary>Makes every index of a sound log anew: the same entries, root, epoch and database, and what the log does not say as it was.</summary>
/// <remarks>
/// For a store whose log is whole and whose indexes are not. It is built beside the old one, verified whole, and takes its place in one step (<see cref="DirectorySwap"/>). Where the log itself is damaged
/// nothing is rebuilt: that is a loss, which somebody has to accept (<see cref="StoreRecovery"/>).
/// </remarks>
public static class IndexRebuild
{
    /// <summary>Rebuilds. It needs as much free space as the store has.</summary>
    /// <param name="options">Directory, keys, how long to wait for it, how long a check may take.</param>
    /// <param name="keepOld">Whether the old store stays beside the new one.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancellation">Ends it; the store is as it was.</param>
    /// <exception cref="StoreRefusedException">There is no store, it is in use, it cannot be exchanged, the key is missing or wrong, or its log is damaged. Nothing was changed.</exception>
    public static async Task<RebuildReport> RunAsync(DatabaseOptions options, bool keepOld, IProgress<RecoveryProgress>? progress, CancellationToken cancellation)
    {
        var directory = new DataDirectory(Path.GetFullPath(options.Directory));
        if (!directory.HasStore && !File.Exists(directory.Swap))
            throw new StoreRefusedException($"There is no store in {directory.Path}.");
        using (var held = StoreRestore.Lock(directory, options))
        {
            DirectorySwap.Complete(directory, options);
            DirectorySwap.ClearStaged(directory);
            options.Locked?.Invoke();
            var swap = new DirectorySwap(directory, options.SwapReached, options.Progress);
            swap.DemandExchangeable([Path.GetFileName(directory.Store), Path.GetFileName(directory.Inventory)], config: null);
            try
            {
                var report = await Task.Run(() => Build(options, directory, progress, cancellation), cancellation).ConfigureAwait(false);
                var aside = swap.Commit(
                    SwapJournal.Rebuild, new(report.DatabaseId, report.Epoch), [Path.GetFileName(directory.Inventory)], config: null, keepOld, options.Clock.GetUtcNow());
                await DirectorySwap.OpenOnceAsync(options with { Held = held }).ConfigureAwait(false);
                return keepOld ? report with { KeptOld = aside } : report;
            }
            catch (Exception cause) when (Salvage.IsUnreadable(cause) || cause is IOException or UnauthorizedAccessException)
            {
                throw new StoreRefusedException(
                    swap.Committed
                        ? $"The rebuild of the indexes in {directory.Path} is committed, and not at its end: {cause.Message} The next command that opens the directory ends it."
                        : $"The indexes of the store in {directory.Path} were not rebuilt: {cause.Message}", cause);
            }
            finally
            {
                if (!swap.Committed)
                    DirectorySwap.ClearStaged(directory);
            }
        }
    }

    static RebuildReport Build(DatabaseOptions options, DataDirectory directory, IProgress<RecoveryProgress>? progress, CancellationToken cancellation)
    {
        using var source = Salvage.OpenWithin(options, directory.Store)
            ?? throw new StoreRefusedException($"RocksDB cannot read all of the store in {directory.Path}. Nothing was changed. `dbx recover` looks at what is left of its log.");
        using var view = source.OpenScan();
        var row = StoreRow.Find(view) ?? throw new StoreRefusedException($"The store in {directory.Path} does not say what it is. Nothing was changed; `dbx recover` looks closer.");
        OpenStore.Vet(row, options, directory.Path);
        using var keys = row.Encrypted ? options.KeysOf(row) : null;
        var keyring = new Keyring(keys, new(), Limits.HeadCacheDefault);
        var marks = KnownMarks.Read(directory.Watermark);
        // Without it, or with that of another store, the new one would be refused as the old one is: what is lost, if anything, nobody knows.
        if (marks.Newest is not { } mark)
            throw new StoreRefusedException($"The file `watermark` in {directory.Path} is missing or says nothing, so that it is not known how long the log should be. No index was rebuilt and nothing was changed. Put the file back, restore a backup, or run `dbx recover`.");
        var end = FindEnd(view);
        if ((mark.DatabaseId != row.DatabaseId || mark.Epoch != row.Epoch) && !StoreInspection.IsLeftBehind(mark, view, row, end?.Size ?? mark.LogSize))
            throw Damaged("the file `watermark` belongs to another database, or to another epoch of this one");
        var target = Path.Combine(DirectorySwap.NewOf(directory), Path.GetFileName(directory.Store));
        PrivateDirectory.Create(target);
        using var engine = RocksDbEngine.Open(target, new() { CreateIfMissing = true });
        engine.Commit(new NewStorePlanner(row), sync: false);
        var replay = new LogReplay(view, keyring);
        var (kept, stopped) = new StoreRebuild(engine, keyring, options, kept =>
        {
            cancellation.ThrowIfCancellationRequested();
            progress?.Report(new("entries written", kept, end?.Size ?? mark.LogSize));
        }).Take(replay);
        if (stopped is not null)
            throw Damaged($"{stopped}; the {kept} entries before can be believed");
        Hold(engine, kept, end, marks);
        // In no entry, and not of this epoch's beginning: all that can be read.
        var loose = new LooseRows(view, engine);
        loose.Copy(epoch: uint.MaxValue, kept);
        if (MirrorRow.Find(view, row) is { } mirror)
            engine.Commit(new OneRow(Family.Meta, Keyspace.MirrorRow.ToArray(), mirror.Write()), sync: false);
        engine.Sync();
        engine.FlushMemtables();
        var verified = StoreVerifier.Run(
            new() { Engine = engine, Identity = new(row.DatabaseId, row.Epoch), Encrypted = row.Encrypted, Keyring = keyring, ReadWatermark = null, Clock = options.Clock },
            resume: false, RecoveryProgress.OfVerify(progress), cancellation);
        return new(row.DatabaseId, row.Epoch, verified.LogSize, verified.LogRoot, loose.LeftOut, KeptOld: null) { Restarted = loose.Restarted };
    }

    /// <summary>What the store says of its log; null where that row cannot be read: it is one of those that are made anew.</summary>
    static TreePoint? FindEnd(IStorageView view)
    {
        try
        {
            var tree = LogTreeStore.LoadFrontier(view);
            return new(tree.Size, tree.Root());
        }
        catch (RefusedException)
        {
            return null;
        }
    }

    /// <summary>Whether the rebuilt log is all of it: what the store said, or, where it does not, what was synced.</summary>
    static void Hold(RocksDbEngine engine, ulong kept, TreePoint? end, KnownMarks marks)
    {
        using var view = engine.OpenView();
        var nodes = new LogNodes(view, kept);
        var known = marks.Slots.Select(static mark => new TreePoint(mark.LogSize, mark.LogRoot));
        foreach (var point in end is { } said ? known.Prepend(said) : known)
        {
            if (point.Size > kept)
                throw Damaged($"it has {kept} entries, and {point.Size} were synced");
            if (point.Size > 0 && nodes.RootAt(point.Size) is var root && root != point.Root)
                throw Damaged($"the root of the first {point.Size} entries is {root}, and {point.Root} was written: history was changed");
        }

        if (end is { } size && size.Size != kept)
            throw Damaged($"it has {kept} entries, and the store says that it has {size.Size}");
    }

    static StoreRefusedException Damaged(string what) => new($"The log itself is damaged: {what}. No index was rebuilt and nothing was changed. Restore a backup, or run `dbx recover`.");

    /// <summary>A row that is put as it was.</summary>
    sealed class OneRow(Family family, byte[] key, byte[] body) : IGroupPlanner
    {
        public void Plan(IStorageView view, WritePlan plan)
        {
            Checked.Put(plan, family, key, body);
            var log = LogTreeStore.LoadFrontier(view);
            (plan.BaseLogSize, plan.LogSize) = (log.Size, log.Size);
        }

        public void Forget() { }
    }
}
