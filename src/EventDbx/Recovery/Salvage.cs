using System.Globalization;
using EventDbx.Storage.RocksDb;

namespace EventDbx.Recovery;

/// <summary>A damaged store, opened so that it shows the longest believable log. The store itself is only read.</summary>
internal sealed class Salvage : IDisposable
{
    readonly RocksDbEngine _engine;
    readonly string? _copy;
    DataKeys? _keys;

    Salvage(RocksDbEngine engine, string? copy) => (_engine, _copy, View) = (engine, copy, engine.OpenView());

    public IStorageView View { get; }

    /// <summary>What it says it is; null when that cannot be read.</summary>
    public StoreRow? Row { get; private set; }

    public bool Encrypted { get; private set; }

    /// <summary>Of a mirror, the highest epoch that its leader was seen in; 0 where that cannot be read.</summary>
    public uint LeaderEpoch
    {
        get
        {
            try
            {
                return Row is null ? 0 : Math.Min(MirrorRow.Find(View, Row)?.LeaderEpoch ?? 0, Limits.MirrorEpochMax);
            }
            catch (Exception cause) when (IsUnreadable(cause))
            {
                return 0;
            }
        }
    }

    /// <summary>
    /// The best of three readings, rebuilt: as it is, without holding its logs against its manifest, and a repaired copy. What
    /// an entry is worth only its rebuild shows, so that is what is compared; the new store then lies in
    /// <see cref="DataDirectory.Best"/>.
    /// </summary>
    /// <exception cref="StoreRefusedException">Nothing can be read, or not with this key.</exception>
    public static RecoveryReport Rebuild(DatabaseOptions options, DataDirectory directory, string damage, KnownMarks marks)
    {
        RecoveryReport? best = null;
        uint? missing = null;
        foreach (var attempt in Attempts(options, directory))
        {
            using var source = attempt;
            if (source is null)
                continue;
            source.Prepare(options, directory);
            // What can be read bounds what can be kept: a rebuild that cannot be better is not made.
            if (best is not null && source.CountReadable() is var readable && (readable < best.Kept || (readable == best.Kept && best.HistoryChanged is null)))
                continue;
            DeleteFolder(directory.Trial);
            var report = StoreRebuild.Run(source, directory.Trial, damage, marks, options, out var keyRefused);
            if (report.Kept == 0 && keyRefused)
                throw new StoreRefusedException($"The key does not open the first entry of the store in {directory.Path}; nothing was changed. Give the key it was made with.");
            if (best is not null && (report.Kept, report.HistoryChanged is null).CompareTo((best.Kept, best.HistoryChanged is null)) <= 0)
                continue;
            best = report;
            missing = keyRefused ? source.LogKeys?.Missing : null;
            DeleteFolder(directory.Best);
            Directory.Move(directory.Trial, directory.Best);
            if (best.HistoryChanged is null && best.Kept >= marks.Newest?.LogSize)
                break;
        }

        if (missing is { } generation)
        {
            throw new StoreRefusedException(
                $"The row that names the data keys of the store in {directory.Path} cannot be read, and its log has keys that data key number {generation} wrapped, which was not given; nothing was changed. "
                + "A rotation was under way: give both its keys, the old one as data_encryption_key and the new one as data_encryption_key_next.");
        }

        return best ?? throw new StoreRefusedException($"Nothing in {directory.Store} can be read, not even after a repair of a copy. Restore a backup.");
    }

    /// <summary>Deletes what an attempt leaves behind, this one or one that was interrupted.</summary>
    public static void Tidy(DataDirectory directory)
    {
        DeleteFolder(directory.Salvage);
        DeleteFolder(directory.Trial);
        DeleteFolder(directory.Best);
    }

    public LogReplay Replay(Keyring keyring) => new(View, keyring);

    /// <summary>With the data keys of the store; where its row cannot be read, the keys that were given may be of any generation, and the log says of which.</summary>
    public Keyring KeyringFor(DatabaseOptions options) => new(!Encrypted ? null : _keys ??= KeysOf(options), new(), Limits.HeadCacheDefault);

    /// <summary>What the log says of its keys; null where the row does.</summary>
    public LogKeys? LogKeys { get; private set; }

    DataKeys KeysOf(DatabaseOptions options) => (Row is null ? null : options.KeysOf(Row)) ?? (LogKeys ??= LogKeys.Read(View)).Of(options.Key!, options.NextKey, options.RetiredKeys);

    static IEnumerable<Salvage?> Attempts(DatabaseOptions options, DataDirectory directory)
    {
        yield return TryOpen(options, directory.Store, verifyWals: true, out var hangs);
        if (!hangs)
            yield return TryOpen(options, directory.Store, verifyWals: false, out _);
        options.Progress?.Invoke("RocksDB cannot show all of it; repairing a copy to see more.");
        yield return TryRepaired(directory);
    }

    /// <summary>Opened for reading only; null where RocksDB cannot. A store can be so broken that it never returns: then the attempt is given up and its thread left behind.</summary>
    public static RocksDbEngine? OpenWithin(DatabaseOptions options, string store) => TryOpenWithin(options, store, verifyWals: true, out _);

    static Salvage? TryOpen(DatabaseOptions options, string store, bool verifyWals, out bool hangs) =>
        TryOpenWithin(options, store, verifyWals, out hangs) is { } engine ? new(engine, null) : null;

    static RocksDbEngine? TryOpenWithin(DatabaseOptions options, string store, bool verifyWals, out bool hangs)
    {
        hangs = false;
        var opening = Task.Factory.StartNew(
            () => RocksDbEngine.OpenReadOnly(store, new() { VerifyWals = verifyWals }),
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        try
        {
            hangs = !opening.Wait(options.CheckLimit);
            return hangs ? null : opening.GetAwaiter().GetResult();
        }
        catch (AggregateException cause) when (cause.InnerException is { } inner && IsUnreadable(inner))
        {
            return null;
        }
    }

    static Salvage? TryRepaired(DataDirectory directory)
    {
        var copy = directory.Salvage;
        DeleteFolder(copy);
        try
        {
            Directory.CreateDirectory(copy);
            foreach (var file in Directory.EnumerateFiles(directory.Store))
                File.Copy(file, Path.Combine(copy, Path.GetFileName(file)));
            AddFamilies(copy);
            RocksDbEngine.Repair(copy);
            return new(RocksDbEngine.OpenReadOnly(copy, new() { VerifyWals = false }), copy);
        }
        catch (Exception cause)
        {
            DeleteFolder(copy);
            if (IsUnreadable(cause))
                return null;
            throw;
        }
    }

    /// <summary>
    /// A repair knows only families that have a table, and drops what the write-ahead log holds of others: of a young store,
    /// everything. So each family gets a table of one empty row, made by a store that numbers its families as every one of ours.
    /// </summary>
    static void AddFamilies(string copy)
    {
        var empty = Path.Combine(copy, "families");
        using (var engine = RocksDbEngine.Open(empty, new() { CreateIfMissing = true }))
        {
            engine.Commit(new OneRowEach(), sync: false);
            engine.FlushMemtables();
        }

        var number = Directory.EnumerateFiles(copy).Max(static file =>
            ulong.TryParse(Path.GetFileNameWithoutExtension(file), NumberStyles.None, CultureInfo.InvariantCulture, out var n) ? n : 0);
        foreach (var table in Directory.EnumerateFiles(empty, "*.sst"))
            File.Move(table, Path.Combine(copy, string.Create(CultureInfo.InvariantCulture, $"{++number:000000}.sst")));
        Directory.Delete(empty, recursive: true);
    }

    /// <summary>What it is, and whether these options may read it.</summary>
    void Prepare(DatabaseOptions options, DataDirectory directory)
    {
        try
        {
            Row = StoreRow.Find(View);
        }
        catch (Exception cause) when (IsUnreadable(cause))
        {
            // The log tells the rest, if it can be read.
        }

        if (Row is not null)
            OpenStore.Vet(Row, options, directory.Path);
        else
            LogKeys = LogKeys.Read(View);
        Encrypted = Row?.Encrypted ?? (LogKeys!.Any || options.Encrypted);
        if (Encrypted && options.Key is null)
            throw new StoreRefusedException($"The store in {directory.Path} can only be read with its key, and none was given.");
    }

    ulong CountReadable() => new LogReplay(View, new(null, new(), 0)).CountReadable();

    /// <summary>Files that are gone, and files that are not what was written: RocksDB tells both, each in its own way.</summary>
    public static bool IsUnreadable(Exception cause) => cause is StorageFailedException or RefusedException;

    static void DeleteFolder(string path)
    {
        if (Directory.Exists(path))
            Directory.Delete(path, recursive: true);
    }

    public void Dispose()
    {
        View.Dispose();
        _engine.Dispose();
        if (_copy is not null)
            DeleteFolder(_copy);
    }

    sealed class OneRowEach : IGroupPlanner
    {
        public void Plan(IStorageView view, WritePlan plan)
        {
            foreach (var family in Families.All)
                plan.Put(family, Keyspace.Reflects, []);
        }

        public void Forget() { }
    }
}
