using EventDbx.Storage.RocksDb;

namespace EventDbx.Recovery;

/// <summary>What a recovery found, or did.</summary>
/// <param name="Damage">Why the store does not open; null when it does, and nothing is to be done.</param>
/// <param name="Kept">Entries from the beginning that can be believed: what would be, or was, kept.</param>
/// <param name="Expected">Entries that were synced, as the watermark knows; null when it knows nothing.</param>
/// <param name="Stopped">Why no more than that can be kept; null when the log simply ends there.</param>
/// <param name="MovedTo">Where the damaged store lies now; null when nothing was changed.</param>
public sealed record RecoveryReport(string? Damage, ulong Kept, ulong? Expected, string? Stopped, string? MovedTo)
{
    /// <summary>Entries that were synced and are gone.</summary>
    public ulong Lost => Expected is { } expected && expected > Kept ? expected - Kept : 0;
}

/// <summary>Goes on with what is left of a store that does not open any more.</summary>
/// <remarks>
/// The damaged store is never written to. What its log still says, from the beginning and without a gap, is written into a
/// new store, every index with it; the new one gets a new epoch and a control entry that says what was lost; then the two
/// change places and the damaged one stays beside it.
/// </remarks>
public static class StoreRecovery
{
    /// <summary>The control entry with which a log goes on after a loss that somebody accepted.</summary>
    internal const string LossKind = "accepted_loss";

    const int RowsPerCommit = 1000;

    /// <summary>Looks, and changes nothing but a copy it makes and deletes when RocksDB must repair to see anything.</summary>
    /// <exception cref="StoreRefusedException">There is no store, it is in use, or the key is missing or wrong.</exception>
    public static RecoveryReport Inspect(DatabaseOptions options) => WithLock(options, directory =>
    {
        if (FindDamage(options, directory) is not { } damage)
            return new(null, 0, null, null, null);
        using var source = OpenBest(options, directory);
        var (kept, stopped) = Count(source, options);
        return new(damage, kept, Mark(directory)?.LogSize, stopped, null);
    });

    /// <summary>Rebuilds the store from the surviving beginning of its log, and accepts that the rest is lost.</summary>
    /// <exception cref="StoreRefusedException">There is no store, it is in use, or the key is missing or wrong.</exception>
    public static RecoveryReport AcceptLoss(DatabaseOptions options) => WithLock(options, directory =>
    {
        var rebuilt = directory.Store + ".new";
        if (!directory.HasStore && Directory.Exists(rebuilt) && IsComplete(rebuilt))
            return Finish(directory, rebuilt, directory.Store + ".lost", new("the recovery before this one was interrupted", 0, Mark(directory)?.LogSize, null, null));
        if (FindDamage(options, directory) is not { } damage)
            return new(null, 0, null, null, null);
        if (Directory.Exists(rebuilt))
            Directory.Delete(rebuilt, recursive: true);
        RecoveryReport report;
        using (var source = OpenBest(options, directory))
            report = Rebuild(source, rebuilt, damage, Mark(directory), options);
        var stamp = options.Clock.GetUtcNow().ToString("yyyyMMdd'T'HHmmss'Z'", System.Globalization.CultureInfo.InvariantCulture);
        return Finish(directory, rebuilt, FreeName($"{directory.Store}.lost-{stamp}"), report);
    });

    static RecoveryReport WithLock(DatabaseOptions options, Func<DataDirectory, RecoveryReport> act)
    {
        var directory = new DataDirectory(Path.GetFullPath(options.Directory));
        if (!directory.HasStore && !Directory.Exists(directory.Store + ".new"))
            throw new StoreRefusedException($"There is no store in {directory.Path}.");
        if (options.Encrypted && options.Key is null)
            throw new StoreRefusedException("The store can only be read with its key, and none was given.");
        if (!DirectoryLock.TryAcquire(directory.Lock, "dbx recover", options.LockTimeout, options.Clock, out var held, out var why))
            throw new StoreRefusedException(why);
        using (held)
            return act(directory);
    }

    static WatermarkSlot? Mark(DataDirectory directory)
    {
        using var watermark = Watermark.Open(directory.Watermark);
        return watermark.Newest;
    }

    static string? FindDamage(DatabaseOptions options, DataDirectory directory)
    {
        using (var watermark = Watermark.Open(directory.Watermark))
        {
            if (watermark.StoppedCleanly && File.Exists(directory.Inventory))
                return StoreInventory.Matches(directory.Inventory, directory.Store, out var difference) ? null : difference;
        }

        return options.Check.Run(directory.Path, options.CheckLimit);
    }

    /// <summary>The reading of the damaged store that shows the longest believable log.</summary>
    static Salvage OpenBest(DatabaseOptions options, DataDirectory directory)
    {
        Salvage? best = null;
        foreach (var attempt in (Func<Salvage?>[])[() => TryOpen(options, directory.Store, verifyWals: true), () => TryOpen(options, directory.Store, verifyWals: false), () => TryRepaired(options, directory)])
        {
            if (attempt() is not { } source)
                continue;
            source.Entries = Count(source, options).Kept;
            if (best is null || source.Entries > best.Entries)
                (best, source) = (source, best!);
            source?.Dispose();
            if (best.Entries >= Mark(directory)?.LogSize)
                break;
        }

        return best ?? throw new StoreRefusedException($"Nothing in {directory.Store} can be read, not even after a repair of a copy. Restore a backup.");
    }

    static Salvage? TryOpen(DatabaseOptions options, string store, bool verifyWals)
    {
        // A store can be so broken that RocksDB never returns: then this attempt is given up and its thread left behind.
        var opening = Task.Factory.StartNew(
            () => RocksDbEngine.OpenReadOnly(store, new() { VerifyWals = verifyWals }), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            return opening.Wait(options.CheckLimit) ? new(opening.GetAwaiter().GetResult(), null) : null;
        }
        catch (AggregateException cause) when (cause.InnerException is StorageFailedException)
        {
            return null;
        }
    }

    static Salvage? TryRepaired(DatabaseOptions options, DataDirectory directory)
    {
        var copy = FreeName(directory.Store + ".salvage");
        options.Progress?.Invoke("RocksDB cannot show all of it; repairing a copy to see more.");
        try
        {
            Directory.CreateDirectory(copy);
            foreach (var file in Directory.EnumerateFiles(directory.Store))
                File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
            RocksDbEngine.Repair(copy);
            return new(RocksDbEngine.OpenReadOnly(copy, new() { VerifyWals = false }), copy);
        }
        catch (StorageFailedException)
        {
            Directory.Delete(copy, recursive: true);
            return null;
        }
    }

    static (ulong Kept, string? Stopped) Count(Salvage source, DatabaseOptions options)
    {
        using var view = source.Engine.OpenView();
        var replay = new LogReplay(view, KeyringOf(options));
        ulong kept = 0;
        foreach (var _ in replay.Read())
            kept++;
        return (kept, replay.Stopped);
    }

    static Keyring KeyringOf(DatabaseOptions options) => new(options.Encrypted ? options.Key : null, new(), Limits.HeadCacheDefault);

    static RecoveryReport Rebuild(Salvage source, string target, string damage, WatermarkSlot? mark, DatabaseOptions options)
    {
        using var view = source.Engine.OpenView();
        var old = Checked.Get(view, Family.Meta, Keyspace.StoreRow) is { } body ? StoreRow.TryRead(body) : null;
        var keyring = KeyringOf(options);
        using var engine = RocksDbEngine.Open(target, new() { CreateIfMissing = true });
        var epoch = Math.Max(old?.Epoch ?? 0, mark?.Epoch ?? 0) + 1;
        var row = OpenStore.Create(engine, options, old?.DatabaseId ?? mark?.DatabaseId, epoch);
        var planner = new GroupPlanner(keyring, new(), options.Clock, Limits.HeadCacheDefault);
        var replay = new LogReplay(view, keyring);
        string? refused = null;
        ulong kept = 0;
        foreach (var chunk in replay.Read().Chunk(RowsPerCommit))
        {
            refused = Write(engine, planner, chunk, ref kept);
            options.Progress?.Invoke($"{kept} entries rebuilt");
            if (refused is not null)
                break;
        }

        var stopped = refused ?? replay.Stopped;
        var report = new RecoveryReport(damage, kept, mark?.LogSize, stopped, null);
        ulong ignored = 0;
        Write(engine, planner, [Loss(report, mark, row)], ref ignored);
        engine.Sync();
        engine.FlushMemtables();
        return report;
    }

    /// <summary>Writes operations in order; why one was refused, or null.</summary>
    static string? Write(RocksDbEngine engine, GroupPlanner planner, IReadOnlyList<Operation> operations, ref ulong kept)
    {
        var group = operations.Select(o => new PendingCommit(o)).ToList();
        while (group.Count > 0)
        {
            planner.Take(group);
            engine.Commit(planner, sync: false);
            foreach (var commit in group.Take(planner.Planned))
            {
                if (commit.Refused)
                    return $"entry {kept + 1}: {Array.Find(commit.Outcomes, o => o.Refusal is not null).Refusal!.Value.Message}";
                kept++;
            }

            group.RemoveRange(0, planner.Planned);
        }

        return null;
    }

    static ControlOperation Loss(RecoveryReport report, in WatermarkSlot? mark, StoreRow row)
    {
        var text = string.Create(System.Globalization.CultureInfo.InvariantCulture,
            $$"""{"epoch":{{row.Epoch}},"kept":{{report.Kept}},"lost":{{report.Lost}},"synced_size":{{(mark is { } m ? m.LogSize.ToString(System.Globalization.CultureInfo.InvariantCulture) : "null")}},"synced_root":{{(mark is { } r ? $"\"{r.LogRoot}\"" : "null")}}}""");
        return new()
        {
            Aggregate = ControlOperation.AboutTheDatabase, Kind = LossKind, Subject = row.DatabaseId.ToString(), Body = Encoding.UTF8.GetBytes(text),
        };
    }

    static bool IsComplete(string rebuilt)
    {
        try
        {
            using var engine = RocksDbEngine.OpenReadOnly(rebuilt, new());
            using var view = engine.OpenView();
            var last = view.Range(Family.Log, Keyspace.Position(1), [], 1, int.MaxValue, backwards: true);
            return last is [var row] && EntryRow.TryRead(Checked.Body(Family.Log, row.Key, row.Value)) is { IsControl: true, Type: LossKind };
        }
        catch (Exception cause) when (cause is StorageFailedException or RefusedException)
        {
            return false;
        }
    }

    static RecoveryReport Finish(DataDirectory directory, string rebuilt, string aside, RecoveryReport report)
    {
        StoreInventory.Delete(directory.Inventory);
        if (Directory.Exists(directory.Store))
            Directory.Move(directory.Store, aside);
        Directory.Move(rebuilt, directory.Store);
        DurableFile.SyncDirectoryOf(directory.Store);

        LogPoint point;
        StoreRow row;
        using (var engine = RocksDbEngine.OpenReadOnly(directory.Store, new()))
        using (var view = engine.OpenView())
        {
            var log = LogTreeStore.Load(view);
            point = new(log.Size, log.Tree.Root());
            row = StoreRow.TryRead(Checked.Get(view, Family.Meta, Keyspace.StoreRow)!.Value)!;
        }

        DurableFile.Delete(directory.Watermark);
        using var watermark = Watermark.Open(directory.Watermark);
        watermark.WriteSynced(new StoreIdentity(row.DatabaseId, row.Epoch).Slot(point), clean: false);
        return report with { MovedTo = Directory.Exists(aside) ? aside : null, Kept = report.Kept == 0 && point.Size > 0 ? point.Size - 1 : report.Kept };
    }

    static string FreeName(string wanted)
    {
        var name = wanted;
        for (var i = 2; Directory.Exists(name) || File.Exists(name); i++)
            name = $"{wanted}-{i}";
        return name;
    }

    sealed class Salvage(RocksDbEngine engine, string? copy) : IDisposable
    {
        public RocksDbEngine Engine => engine;

        public ulong Entries { get; set; }

        public void Dispose()
        {
            engine.Dispose();
            if (copy is not null)
                Directory.Delete(copy, recursive: true);
        }
    }
}
