using System.Globalization;

using static EventDbx.Storage.RocksDb.Native;

namespace EventDbx.Storage.RocksDb;

/// <summary>RocksDB's options as we set them, each with its reason. Lives as long as the database opened with it.</summary>
internal sealed unsafe class NativeOptions : IDisposable
{
    /// <summary>The mode that opens after a power cut inside a record; the stricter ones call that damage.</summary>
    const int PointInTimeRecovery = 2;

    const int AboveEveryLevel = 6;
    const int StatisticsTickersOnly = 1;
    const int Lz4 = 4;
    const byte Xxh3 = 4;
    const byte True = 1;
    const byte False = 0;

    /// <summary>Tables kept open. A table is 64 MiB, so a store of 64 GB opens no file twice; far below any file limit.</summary>
    const int OpenFilesMax = 1000;

    /// <summary>
    /// Tables that whoever opens the store opens one after the other, 4 GiB of them. For more RocksDB starts threads, and starts all of them for each family, 195 in all, even
    /// where it has no table: on a busy machine an open waits for every one of them.
    /// </summary>
    public const int FewTables = 64;

    /// <summary>Of each family, where there are more; RocksDB's own number.</summary>
    const int OpeningThreads = 16;

    /// <summary>
    /// A page of one aggregate's events unpacks a block for each: with 16 KiB it takes twice the time, and saves 7 % of disk.
    /// </summary>
    const int BlockBytes = 4096;

    readonly nint _cache;
    readonly nint _plain;
    readonly nint _filtered;

    /// <param name="options">What a caller may choose.</param>
    /// <param name="tables">In the directory that is opened with them, as far as <see cref="FewTables"/> and one more.</param>
    public NativeOptions(RocksDbOptions options, int tables = 0)
    {
        _cache = rocksdb_cache_create_lru((nuint)(options.BlockCacheBytes + options.WriteBufferBytes));
        Database = DatabaseOptions(options, tables);
        _plain = FamilyOptions(options, filtered: false);
        // Only these families are asked for single keys that are often absent.
        _filtered = FamilyOptions(options, filtered: true);
    }

    public nint Database { get; }

    /// <summary>The default family, which stays empty.</summary>
    public nint OfDefault => _plain;

    public nint Of(Family family) => family switch
    {
        Family.Heads or Family.Ids or Family.Archive => _filtered,
        _ => _plain,
    };

    /// <summary>What RocksDB counted under this name since it was opened; 0 without statistics.</summary>
    public ulong Ticker(string name)
    {
        // By name, through the text: the numbers of the tickers change from one RocksDB to the next.
        var text = rocksdb_options_statistics_get_string(Database);
        if (text is null)
            return 0;
        var start = $"{name} COUNT : ";
        foreach (var line in Take(text).AsSpan().EnumerateLines())
        {
            if (line.StartsWith(start, StringComparison.Ordinal))
                return ulong.Parse(line[start.Length..], CultureInfo.InvariantCulture);
        }
        return 0;
    }

    public void Dispose()
    {
        rocksdb_options_destroy(_filtered);
        rocksdb_options_destroy(_plain);
        rocksdb_options_destroy(Database);
        rocksdb_cache_destroy(_cache);
    }

    nint DatabaseOptions(RocksDbOptions options, int tables)
    {
        var db = rocksdb_options_create();
        rocksdb_options_set_create_if_missing(db, options.CreateIfMissing ? True : False);
        rocksdb_options_set_create_missing_column_families(db, options.CreateIfMissing ? True : False);
        SetNoInfoLog(db);

        // What is acknowledged survives, and what does not fit together is refused.
        rocksdb_options_set_wal_recovery_mode(db, PointInTimeRecovery);
        rocksdb_options_set_track_and_verify_wals(db, options.VerifyWals ? True : False);
        rocksdb_options_set_track_and_verify_wals_in_manifest(db, options.VerifyWals ? True : False);
        rocksdb_options_set_atomic_flush(db, True);
        rocksdb_options_set_manual_wal_flush(db, False);
        rocksdb_options_set_enable_pipelined_write(db, False);
        rocksdb_options_set_unordered_write(db, False);
        rocksdb_options_set_two_write_queues(db, False);
        // There is one writer: its inserts need no compare-and-swap (a tenth less per group, docs/benchmarks.md).
        rocksdb_options_set_allow_concurrent_memtable_write(db, False);
        // A failed sync or flush is final: RocksDB must not heal itself and take writes again behind our back.
        rocksdb_options_set_max_bgerror_resume_count(db, 0);
        rocksdb_options_set_paranoid_checks(db, True);
        var checksums = rocksdb_file_checksum_gen_crc32c_factory_create();
        rocksdb_options_set_file_checksum_gen_factory(db, checksums);
        rocksdb_file_checksum_gen_factory_destroy(checksums);

        // An open after a kill replays the tail of the log and writes no table first.
        rocksdb_options_set_avoid_flush_during_recovery(db, True);
        rocksdb_options_set_skip_stats_update_on_db_open(db, True);
        rocksdb_options_set_max_total_wal_size(db, (ulong)options.MaxTotalWalBytes);
        rocksdb_options_set_max_manifest_file_size(db, 16 * 1024 * 1024);
        rocksdb_options_set_max_open_files(db, OpenFilesMax);
        rocksdb_options_set_max_file_opening_threads(db, tables <= FewTables ? 1 : OpeningThreads);

        // One flush and one compaction at a time on two cores; their writes reach the disk in steps of 1 MiB, so that
        // a commit's sync never waits behind a whole table.
        rocksdb_options_set_max_background_jobs(db, Math.Clamp(Environment.ProcessorCount / 2, 2, 8));
        rocksdb_options_set_bytes_per_sync(db, 1024 * 1024);

        var buffers = rocksdb_write_buffer_manager_create_with_cache((nuint)options.WriteBufferBytes, _cache, allowStall: False);
        rocksdb_options_set_write_buffer_manager(db, buffers);
        rocksdb_write_buffer_manager_destroy(buffers);
        if (options.EnableStatistics)
        {
            rocksdb_options_enable_statistics(db);
            rocksdb_options_set_statistics_level(db, StatisticsTickersOnly);
        }
        return db;
    }

    nint FamilyOptions(RocksDbOptions options, bool filtered)
    {
        var table = rocksdb_block_based_options_create();
        rocksdb_block_based_options_set_block_cache(table, _cache);
        rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, True);
        rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(table, True);
        rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(table, True);
        rocksdb_block_based_options_set_block_size(table, BlockBytes);
        rocksdb_block_based_options_set_checksum(table, Xxh3);
        if (filtered)
        {
            rocksdb_block_based_options_set_whole_key_filtering(table, True);
            rocksdb_block_based_options_set_filter_policy(table, rocksdb_filterpolicy_create_bloom_full(10));
        }

        var family = rocksdb_options_create();
        rocksdb_options_set_block_based_table_factory(family, table);
        rocksdb_block_based_options_destroy(table);
        // The write-buffer manager bounds the sum; a family alone may use it all.
        rocksdb_options_set_write_buffer_size(family, (nuint)options.WriteBufferBytes);
        // Twelve families, most of them nearly empty: the default of 1 MiB a piece would be a fifth of the buffer.
        rocksdb_options_set_arena_block_size(family, 128 * 1024);
        rocksdb_options_set_compression(family, Lz4);
        return family;
    }

    /// <summary>Without a logger RocksDB writes a LOG file, and moves the old one away, even when it only reads.</summary>
    static void SetNoInfoLog(nint db)
    {
        fixed (byte* prefix = "rocksdb\0"u8)
        {
            // A logger above every level says nothing; this one needs no call back into managed code.
            var silent = rocksdb_logger_create_stderr_logger(AboveEveryLevel, prefix);
            rocksdb_options_set_info_log(db, silent);
            rocksdb_logger_destroy(silent);
        }
        rocksdb_options_set_keep_log_file_num(db, 1);
        rocksdb_options_set_stats_dump_period_sec(db, 0);
        rocksdb_options_set_stats_persist_period_sec(db, 0);
    }
}
