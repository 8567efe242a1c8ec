using System.Globalization;

using static EventDbx.Storage.RocksDb.Native;

namespace EventDbx.Storage.RocksDb;

/// <summary>Reads RocksDB's properties. Its statistics would count more (hits of the cache, microseconds of stalls) at a price on every read and write.</summary>
internal static unsafe class RocksDbFigures
{
    const long MiB = 1024 * 1024;

    /// <param name="db">Held open by the caller.</param>
    /// <param name="directory">Where its files are.</param>
    public static StoreFigures Read(DatabaseHandle db, string directory)
    {
        var families = new FamilyFigures[Families.Count];
        for (var i = 0; i < families.Length; i++)
            families[i] = Read(db, Families.All[i]);
        var (walFiles, walBytes) = (0, 0L);
        foreach (var file in new DirectoryInfo(directory).EnumerateFiles("*.log"))
            (walFiles, walBytes) = (walFiles + 1, walBytes + LengthOf(file));
        // What follows is of the database, whichever family is asked.
        return new()
        {
            CompactionsRunning = Number(db, Family.Log, "rocksdb.num-running-compactions\0"u8),
            FlushesRunning = Number(db, Family.Log, "rocksdb.num-running-flushes\0"u8),
            OfFamilies = families, WalFiles = walFiles, WalBytes = walBytes,
            CacheBytes = Number(db, Family.Log, "rocksdb.block-cache-usage\0"u8),
            CacheCapacity = Number(db, Family.Log, "rocksdb.block-cache-capacity\0"u8),
            CachePinnedBytes = Number(db, Family.Log, "rocksdb.block-cache-pinned-usage\0"u8),
            WritesStopped = Number(db, Family.Log, "rocksdb.is-write-stopped\0"u8) != 0,
            DelayedWriteRate = Number(db, Family.Log, "rocksdb.actual-delayed-write-rate\0"u8),
            BackgroundErrors = Number(db, Family.Log, "rocksdb.background-errors\0"u8),
        };
    }

    static FamilyFigures Read(DatabaseHandle db, Family family)
    {
        var stalls = Text(db, family, "rocksdb.cf-write-stall-stats\0"u8);
        return new(family)
        {
            MemtableBytes = Number(db, family, "rocksdb.cur-size-all-mem-tables\0"u8),
            TableBytes = Number(db, family, "rocksdb.live-sst-files-size\0"u8),
            PendingCompactionBytes = Number(db, family, "rocksdb.estimate-pending-compaction-bytes\0"u8),
            Delays = NumberAfter(stalls, "total-delays: "), Stops = NumberAfter(stalls, "total-stops: "),
            Levels = Levels(Text(db, family, "rocksdb.levelstats\0"u8)),
        };
    }

    /// <summary>Of a text with a line a level: its number, files, MiB.</summary>
    internal static IReadOnlyList<LevelFigures> Levels(string text)
    {
        var levels = new List<LevelFigures>();
        Span<Range> parts = stackalloc Range[4];
        foreach (var line in text.AsSpan().EnumerateLines())
        {
            if (line.Split(parts, ' ', StringSplitOptions.RemoveEmptyEntries) == 3
                && int.TryParse(line[parts[0]], NumberStyles.None, CultureInfo.InvariantCulture, out var level)
                && int.TryParse(line[parts[1]], NumberStyles.None, CultureInfo.InvariantCulture, out var files)
                && long.TryParse(line[parts[2]], NumberStyles.None, CultureInfo.InvariantCulture, out var size)
                && (level == 0 || files > 0))
                levels.Add(new(level, files, size * MiB));
        }

        return levels;
    }

    internal static ulong NumberAfter(string text, string name)
    {
        var at = text.IndexOf(name, StringComparison.Ordinal);
        if (at < 0)
            return 0;
        var digits = text.AsSpan(at + name.Length);
        var end = digits.IndexOfAnyExceptInRange('0', '9');
        return ulong.TryParse(end < 0 ? digits : digits[..end], NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : 0;
    }

    static ulong Number(DatabaseHandle db, Family family, ReadOnlySpan<byte> name)
    {
        ulong value = 0;
        fixed (byte* bytes = name)
            return rocksdb_property_int_cf(db.Db, db.Of(family), bytes, &value) == 0 ? value : 0;
    }

    static string Text(DatabaseHandle db, Family family, ReadOnlySpan<byte> name)
    {
        fixed (byte* bytes = name)
        {
            var text = rocksdb_property_value_cf(db.Db, db.Of(family), bytes);
            return text is null ? "" : Take(text);
        }
    }

    static long LengthOf(FileInfo file)
    {
        try
        {
            return file.Length;
        }
        catch (FileNotFoundException)
        {
            return 0; // Flushed away meanwhile.
        }
    }
}
