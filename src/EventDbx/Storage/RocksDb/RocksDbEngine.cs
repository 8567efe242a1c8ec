using System.IO.Enumeration;
using System.Runtime.InteropServices;

using static EventDbx.Storage.RocksDb.Native;

namespace EventDbx.Storage.RocksDb;

/// <summary>The seam over RocksDB: one directory, one column family per <see cref="Family"/>, one writer.</summary>
/// <remarks>
/// Everything a commit needs (plan, native batch, write options, a view without a snapshot) is made once and used again.
/// After a failed write, sync or flush the engine writes no more; reads go on.
/// </remarks>
internal sealed unsafe class RocksDbEngine : IStorageEngine
{
    /// <summary>A planner that was told to forget and still names another base is broken, not late.</summary>
    const int PlansMax = 3;

    readonly Lock _writing = new();
    readonly string _directory;
    readonly bool _readOnly;
    readonly DatabaseHandle _db;
    readonly RocksDbView _live;
    readonly WritePlan _plan = new();
    readonly nint _batch = rocksdb_writebatch_create();
    readonly nint _syncedWrite = rocksdb_writeoptions_create();
    readonly nint _unsyncedWrite = rocksdb_writeoptions_create();
    ulong? _logSize;
    string? _failure;
    bool _disposed;

    RocksDbEngine(string directory, DatabaseHandle db, bool readOnly)
    {
        (_directory, _db, _readOnly) = (directory, db, readOnly);
        _live = RocksDbView.Live(db);
        rocksdb_writeoptions_set_sync(_syncedWrite, 1);
    }

    /// <summary>Opens for writing; nobody else may have it open for writing.</summary>
    /// <exception cref="StorageFailedException">In use, missing, damaged, or made of families we do not know.</exception>
    public static RocksDbEngine Open(string directory, RocksDbOptions options)
    {
        directory = Path.GetFullPath(directory);
        RefuseWithoutCurrent(directory, options.CreateIfMissing);
        if (options.CreateIfMissing)
            PrivateDirectory.Create(directory);
        return new RocksDbEngine(directory, DatabaseHandle.Open(directory, options, readOnly: false), readOnly: false);
    }

    /// <summary>Opens for reading only: changes not a byte of the directory, and may be done beside a writer.</summary>
    /// <exception cref="StorageFailedException">Missing or damaged.</exception>
    public static RocksDbEngine OpenReadOnly(string directory, RocksDbOptions options)
    {
        directory = Path.GetFullPath(directory);
        RefuseWithoutCurrent(directory, mayCreate: false);
        var reading = options with { CreateIfMissing = false };
        return new RocksDbEngine(directory, DatabaseHandle.Open(directory, reading, readOnly: true), readOnly: true);
    }

    /// <summary>
    /// Salvage: makes whatever tables and logs are left into a store that opens, the first time only without
    /// <see cref="RocksDbOptions.VerifyWals"/>. Rows may be lost or come back from the dead; the caller decides afterwards
    /// what to believe. Files it cannot use go to <c>lost/</c>.
    /// </summary>
    /// <exception cref="StorageFailedException">Not even that was possible.</exception>
    public static void Repair(string directory)
    {
        using var options = new NativeOptions(new RocksDbOptions { VerifyWals = false });
        var path = Marshal.StringToCoTaskMemUTF8(Path.GetFullPath(directory));
        byte* error = null;
        rocksdb_repair_db(options.Database, (byte*)path, &error);
        Marshal.FreeCoTaskMem(path);
        ThrowIf(error, $"The store in {directory} could not be repaired");
    }

    public IStorageView OpenView()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return RocksDbView.OfNow(_db);
    }

    public IStorageView OpenScan()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return RocksDbView.OfNow(_db, fillCacheByRanges: false);
    }

    public void VerifyFiles()
    {
        using var held = RocksDbView.Live(_db);
        byte* error = null;
        rocksdb_verify_file_checksums(_db.Db, &error);
        RocksDbView.ThrowIfUnread(error, "The files of the store could not be verified");
    }

    public void Commit(IGroupPlanner planner, bool sync)
    {
        lock (_writing)
        {
            ThrowIfStopped();
            if (!TryPlan(planner))
                return;
            Write(sync);
            _logSize = _plan.LogSize;
        }
    }

    /// <summary>Leaves a plan on the present base in <see cref="_plan"/>; false when there is nothing to write.</summary>
    bool TryPlan(IGroupPlanner planner)
    {
        for (var plans = 1; ; plans++)
        {
            _plan.Clear();
            planner.Plan(_live, _plan);
            if (_plan.IsEmpty)
                return false;
            // Until the first commit the engine, which knows nothing of logs, takes the planner's word.
            if (_logSize is not { } logSize || _plan.BaseLogSize == logSize)
                return true;
            if (plans == PlansMax)
                throw new InvalidOperationException($"{plans} plans on log size {_plan.BaseLogSize}; the log size is {logSize}.");
            planner.Forget();
        }
    }

    void Write(bool sync)
    {
        rocksdb_writebatch_clear(_batch);
        foreach (var operation in _plan)
        {
            var family = _db.Of(operation.Family);
            var (keyLength, valueLength) = ((nuint)operation.Key.Length, (nuint)operation.Value.Length);
            fixed (byte* key = operation.Key, value = operation.Value)
            {
                if (operation.IsPut)
                    rocksdb_writebatch_put_cf(_batch, family, key, keyLength, value, valueLength);
                else
                    rocksdb_writebatch_delete_cf(_batch, family, key, keyLength);
            }
        }
        byte* error = null;
        rocksdb_write(_db.Db, sync ? _syncedWrite : _unsyncedWrite, _batch, &error);
        StopIf(error, "A group was not written");
    }

    public void Sync()
    {
        lock (_writing)
        {
            ThrowIfStopped();
            byte* error = null;
            rocksdb_flush_wal(_db.Db, 1, &error);
            StopIf(error, "The write-ahead log was not synced");
        }
    }

    /// <summary>Writes every family's memtable to tables, all or none, and so lets go of the write-ahead log.</summary>
    /// <exception cref="StorageFailedException">Write no more.</exception>
    public void FlushMemtables()
    {
        lock (_writing)
        {
            ThrowIfStopped();
            byte* error = null;
            var options = rocksdb_flushoptions_create();
            rocksdb_flushoptions_set_wait(options, 1);
            fixed (nint* families = _db.Families)
                rocksdb_flush_cfs(_db.Db, options, families, _db.Families.Length, &error);
            rocksdb_flushoptions_destroy(options);
            StopIf(error, "The memtables were not flushed");
        }
    }

    /// <summary>Makes a directory that opens as the store does at some moment of this call: everything that was committed before it, and no part of a commit. Commits go on.</summary>
    /// <param name="directory">Does not exist; on the file system of the store, for its tables are hard links.</param>
    /// <exception cref="StorageFailedException">There is none.</exception>
    /// <remarks>What is in the write-ahead log is made tables first: those a later backup refers to, and a log it would have to copy.</remarks>
    public void Checkpoint(string directory)
    {
        using var held = RocksDbView.Live(_db);
        byte* error = null;
        var checkpoint = rocksdb_checkpoint_object_create(_db.Db, &error);
        ThrowIf(error, "The store cannot be backed up");
        var path = Marshal.StringToCoTaskMemUTF8(directory);
        rocksdb_checkpoint_create(checkpoint, (byte*)path, logSizeForFlush: 0, &error);
        Marshal.FreeCoTaskMem(path);
        rocksdb_checkpoint_object_destroy(checkpoint);
        ThrowIf(error, "The store was not backed up");
    }

    /// <summary>Rewrites a family's tables without what was deleted or replaced. Slow; runs beside reads and writes.</summary>
    public void Compact(Family family)
    {
        using var held = RocksDbView.Live(_db);
        rocksdb_compact_range_cf(_db.Db, _db.Of(family), null, 0, null, 0);
    }

    /// <summary>The same for every table, those too that nothing has to be merged into: only then is gone what was replaced while a view was open.</summary>
    /// <exception cref="StorageFailedException">RocksDB has met an error meanwhile: what was replaced may still be there.</exception>
    public void Rewrite(Family family)
    {
        using var held = RocksDbView.Live(_db);
        var before = Property(family, "rocksdb.background-errors\0"u8);
        var options = rocksdb_compactoptions_create();
        rocksdb_compactoptions_set_bottommost_level_compaction(options, 3);
        rocksdb_compact_range_cf_opt(_db.Db, _db.Of(family), options, null, 0, null, 0);
        rocksdb_compactoptions_destroy(options);
        // The call itself tells nothing.
        if (Property(family, "rocksdb.background-errors\0"u8) is var after && after != before)
            throw new StorageFailedException($"Tables of {Families.NameOf(family)} were not rewritten: RocksDB counts {after - before} errors, see its LOG.");
    }

    /// <summary>Grows with every row that is written.</summary>
    public ulong LatestSequence
    {
        get
        {
            using var held = RocksDbView.Live(_db);
            return rocksdb_get_latest_sequence_number(_db.Db);
        }
    }

    /// <summary>The <see cref="LatestSequence"/> of when the oldest open view was opened; null when there is none.</summary>
    public ulong? OldestView
    {
        get
        {
            using var held = RocksDbView.Live(_db);
            return Property(Family.Meta, "rocksdb.oldest-snapshot-sequence\0"u8) is var oldest && oldest == 0 ? null : oldest;
        }
    }

    ulong Property(Family family, ReadOnlySpan<byte> name)
    {
        ulong value = 0;
        fixed (byte* bytes = name)
            return rocksdb_property_int_cf(_db.Db, _db.Of(family), bytes, &value) == 0 ? value : throw new StorageFailedException("RocksDB does not tell a property of its own.");
    }

    public StoreFigures ReadFigures()
    {
        using var held = RocksDbView.Live(_db);
        return RocksDbFigures.Read(_db, _directory);
    }

    public long BytesOnDisk => BytesOf(static name => name.EndsWith(".sst") || name.EndsWith(".log"));

    /// <summary>Files of write-ahead log.</summary>
    public int WalFiles => Directory.EnumerateFiles(_directory, "*.log").Count();

    /// <summary>Bytes of write-ahead log that an open would read.</summary>
    public long LiveWalBytes => BytesOf(static name => name.EndsWith(".log"));

    /// <summary>Bytes of one family's live tables; what is still in memory or in the write-ahead log is not in them.</summary>
    public long TableBytes(Family family)
    {
        using var held = RocksDbView.Live(_db);
        ulong bytes = 0;
        fixed (byte* name = "rocksdb.live-sst-files-size\0"u8)
            _ = rocksdb_property_int_cf(_db.Db, _db.Of(family), name, &bytes);
        return (long)bytes;
    }

    /// <summary>Syncs of the write-ahead log since the open; 0 unless <see cref="RocksDbOptions.EnableStatistics"/>.</summary>
    public ulong WalSyncs => Ticker("rocksdb.wal.synced");

    /// <summary>One of RocksDB's own counters since the open; 0 unless <see cref="RocksDbOptions.EnableStatistics"/>.</summary>
    public ulong Ticker(string name)
    {
        using var held = RocksDbView.Live(_db);
        return _db.Options.Ticker(name);
    }

    /// <summary>Views that are still open keep reading; the last of them closes the store.</summary>
    public void Dispose()
    {
        lock (_writing)
        {
            if (_disposed)
                return;
            _disposed = true;
            rocksdb_writebatch_destroy(_batch);
            rocksdb_writeoptions_destroy(_syncedWrite);
            rocksdb_writeoptions_destroy(_unsyncedWrite);
            _live.Dispose();
            _db.Dispose();
        }
    }

    /// <summary>Completes once the engine is disposed and the last view is gone: from then on no file changes.</summary>
    public Task Closed => _db.Closed;

    void ThrowIfStopped()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (_readOnly)
            throw new StorageFailedException($"The store in {_directory} was opened for reading only.");
        if (_failure is not null)
            throw new StorageFailedException($"The store in {_directory} takes no more writes since one failed. {_failure}");
    }

    void StopIf(byte* error, string failed)
    {
        if (error is null)
            return;
        _failure = $"{failed}: {Take(error)}";
        throw new StorageFailedException(_failure);
    }

    delegate bool IsCounted(ReadOnlySpan<char> fileName);

    long BytesOf(IsCounted isCounted)
    {
        var lengths = new FileSystemEnumerable<long>(_directory, static (ref entry) => entry.Length)
        {
            ShouldIncludePredicate = (ref entry) => !entry.IsDirectory && isCounted(entry.FileName),
        };
        return lengths.Sum();
    }

    /// <summary>
    /// Without the file CURRENT RocksDB would make a directory, or a new, empty store that deletes the old one's tables.
    /// </summary>
    static void RefuseWithoutCurrent(string directory, bool mayCreate)
    {
        if (File.Exists(Path.Combine(directory, "CURRENT")))
            return;
        var leftOver = !Directory.Exists(directory)
            ? null
            : Directory.EnumerateFiles(directory).FirstOrDefault(static file =>
                file.EndsWith(".sst", StringComparison.Ordinal) || file.EndsWith(".log", StringComparison.Ordinal));
        if (leftOver is not null)
            throw new StorageFailedException(
                $"The store in {directory} lost its file CURRENT but has {Path.GetFileName(leftOver)}; nothing was changed.");
        if (!mayCreate)
            throw new StorageFailedException($"There is no store in {directory}.");
    }
}
