using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;

namespace EventDbx.Telemetry;

/// <summary>What the storage engine and the disk say of themselves: asked when somebody wants to know, and not more than once a second.</summary>
internal sealed class StoreGauges
{
    /// <summary>How long an answer of the engine is good for: some hundred calls, a few of them with its mutex. Any number of scrapers costs that much.</summary>
    static readonly TimeSpan FreshFor = TimeSpan.FromSeconds(1);

    static readonly string[] LevelNames = [.. Enumerable.Range(0, 16).Select(level => level.ToString(CultureInfo.InvariantCulture))];

    readonly IStorageEngine _engine;
    readonly string? _directory;
    readonly Lock _gate = new();
    StoreFigures? _figures;
    long _readAt;

    StoreGauges(IStorageEngine engine, string? directory) => (_engine, _directory) = (engine, directory);

    public static void Observe(Meter meter, IStorageEngine engine, string? directory) => new StoreGauges(engine, directory).Observe(meter);

    void Observe(Meter meter)
    {
        meter.CreateObservableGauge("dbx.rocksdb.level.files", () => OfLevels(static level => level.Files), "{file}", "Tables, by family and level; level 0 always, others while they have any.");
        meter.CreateObservableGauge("dbx.rocksdb.level.size", () => OfLevels(static level => level.Bytes), "By", "Bytes of tables by family and level, to the next MiB.");
        meter.CreateObservableGauge("dbx.rocksdb.sst.size", () => OfFamilies(static family => (long)family.TableBytes), "By", "Bytes of live tables, by family.");
        meter.CreateObservableGauge("dbx.rocksdb.memtable.size", () => OfFamilies(static family => (long)family.MemtableBytes), "By", "Bytes of memtables, by family.");
        meter.CreateObservableGauge("dbx.rocksdb.pending_compaction.size", () => OfFamilies(static family => (long)family.PendingCompactionBytes), "By", "Bytes that compaction has still to rewrite, an estimate, by family.");
        meter.CreateObservableCounter("dbx.rocksdb.stalls", Stalls, "{stall}", "Times that writes were held back by compaction, by kind: delay (slowed down), or stop.");
        meter.CreateObservableGauge("dbx.rocksdb.writes.stopped", () => One(static store => store.WritesStopped ? 1 : 0), "{store}", "1 while writes stand still until compaction has caught up.");
        meter.CreateObservableGauge("dbx.rocksdb.writes.delayed_rate", () => One(static store => (long)store.DelayedWriteRate), "By/s", "To what writes are slowed down by compaction; 0: they are not.");
        meter.CreateObservableGauge("dbx.rocksdb.block_cache.size", () => One(static store => (long)store.CacheBytes), "By", "Bytes of cached blocks, and of memtables, which are charged to it.");
        meter.CreateObservableGauge("dbx.rocksdb.block_cache.capacity", () => One(static store => (long)store.CacheCapacity), "By", "Bytes that the block cache may hold.");
        meter.CreateObservableGauge("dbx.rocksdb.block_cache.pinned", () => One(static store => (long)store.CachePinnedBytes), "By", "Bytes of the block cache that cannot be given up just now.");
        meter.CreateObservableGauge("dbx.rocksdb.compactions.running", () => One(static store => (long)store.CompactionsRunning), "{compaction}", "Compactions under way.");
        meter.CreateObservableGauge("dbx.rocksdb.flushes.running", () => One(static store => (long)store.FlushesRunning), "{flush}", "Flushes of memtables under way.");
        meter.CreateObservableCounter("dbx.rocksdb.background_errors", () => One(static store => (long)store.BackgroundErrors), "{error}", "Errors of flushes and compactions.");
        meter.CreateObservableGauge("dbx.rocksdb.wal.files", () => One(static store => store.WalFiles), "{file}", "Files of write-ahead log.");
        meter.CreateObservableGauge("dbx.rocksdb.wal.size", () => One(static store => store.WalBytes), "By", "Bytes of write-ahead log: what an open after a crash may have to read.");
        meter.CreateObservableGauge("dbx.disk.free", () => Disk(static disk => disk.AvailableFreeSpace), "By", "Bytes that this process may still write to the disk of the data directory.");
        meter.CreateObservableGauge("dbx.disk.capacity", () => Disk(static disk => disk.TotalSize), "By", "Bytes of the disk of the data directory.");
    }

    StoreFigures? Figures
    {
        get
        {
            lock (_gate)
            {
                if (_readAt != 0 && Stopwatch.GetElapsedTime(_readAt) < FreshFor)
                    return _figures;
                try
                {
                    _figures = _engine.ReadFigures();
                }
                catch (Exception gone) when (gone is ObjectDisposedException or IOException or UnauthorizedAccessException)
                {
                    _figures = null; // It is being closed, or its directory is not there.
                }

                _readAt = Stopwatch.GetTimestamp();
                return _figures;
            }
        }
    }

    IEnumerable<Measurement<long>> One(Func<StoreFigures, long> value) => Figures is { } store ? [new(value(store))] : [];

    IEnumerable<Measurement<long>> OfFamilies(Func<FamilyFigures, long> value)
    {
        foreach (var family in Figures?.OfFamilies ?? [])
            yield return new(value(family), new KeyValuePair<string, object?>("family", Families.NameOf(family.Family)));
    }

    IEnumerable<Measurement<long>> OfLevels(Func<LevelFigures, long> value)
    {
        foreach (var family in Figures?.OfFamilies ?? [])
        {
            foreach (var level in family.Levels)
                yield return new(value(level), new("family", Families.NameOf(family.Family)), new("level", LevelNames[Math.Min(level.Level, LevelNames.Length - 1)]));
        }
    }

    IEnumerable<Measurement<long>> Stalls()
    {
        if (Figures is not { } store)
            yield break;
        var (delays, stops) = (0L, 0L);
        foreach (var family in store.OfFamilies)
            (delays, stops) = (delays + (long)family.Delays, stops + (long)family.Stops);
        yield return new(delays, new KeyValuePair<string, object?>("kind", "delay"));
        yield return new(stops, new KeyValuePair<string, object?>("kind", "stop"));
    }

    IEnumerable<Measurement<long>> Disk(Func<DriveInfo, long> value)
    {
        if (_directory is null)
            return [];
        try
        {
            return [new(value(new DriveInfo(_directory)))];
        }
        catch (Exception gone) when (gone is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }
}
