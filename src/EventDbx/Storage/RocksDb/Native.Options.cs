using System.Runtime.InteropServices;

namespace EventDbx.Storage.RocksDb;

/// <summary>The setters that <see cref="NativeOptions"/> uses, in the order in which it uses them.</summary>
internal static unsafe partial class Native
{
    [LibraryImport(Library)]
    public static partial nint rocksdb_options_create();

    [LibraryImport(Library)]
    public static partial void rocksdb_options_destroy(nint options);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_create_if_missing(nint options, byte value);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_create_missing_column_families(nint options, byte value);

    [LibraryImport(Library)]
    public static partial nint rocksdb_logger_create_stderr_logger(int level, byte* prefix);

    [LibraryImport(Library)]
    public static partial void rocksdb_logger_destroy(nint logger);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_info_log(nint options, nint logger);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_keep_log_file_num(nint options, nuint value);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_stats_dump_period_sec(nint options, uint value);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_stats_persist_period_sec(nint options, uint value);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_wal_recovery_mode(nint options, int value);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_track_and_verify_wals(nint options, byte value);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_track_and_verify_wals_in_manifest(nint options, byte value);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_atomic_flush(nint options, byte value);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_manual_wal_flush(nint options, byte value);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_enable_pipelined_write(nint options, byte value);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_unordered_write(nint options, byte value);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_two_write_queues(nint options, byte value);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_allow_concurrent_memtable_write(nint options, byte value);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_max_bgerror_resume_count(nint options, int value);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_paranoid_checks(nint options, byte value);

    [LibraryImport(Library)]
    public static partial nint rocksdb_file_checksum_gen_crc32c_factory_create();

    [LibraryImport(Library)]
    public static partial void rocksdb_file_checksum_gen_factory_destroy(nint factory);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_file_checksum_gen_factory(nint options, nint factory);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_avoid_flush_during_recovery(nint options, byte value);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_max_total_wal_size(nint options, ulong value);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_max_manifest_file_size(nint options, nuint value);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_max_open_files(nint options, int value);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_max_file_opening_threads(nint options, int value);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_max_background_jobs(nint options, int value);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_skip_stats_update_on_db_open(nint options, byte value);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_bytes_per_sync(nint options, ulong value);

    [LibraryImport(Library)]
    public static partial nint rocksdb_cache_create_lru(nuint capacity);

    [LibraryImport(Library)]
    public static partial void rocksdb_cache_destroy(nint cache);

    [LibraryImport(Library)]
    public static partial nint rocksdb_write_buffer_manager_create_with_cache(nuint bytes, nint cache, byte allowStall);

    [LibraryImport(Library)]
    public static partial void rocksdb_write_buffer_manager_destroy(nint manager);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_write_buffer_manager(nint options, nint manager);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_enable_statistics(nint options);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_statistics_level(nint options, int level);

    [LibraryImport(Library)]
    public static partial byte* rocksdb_options_statistics_get_string(nint options);

    // One column family.

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_write_buffer_size(nint options, nuint value);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_arena_block_size(nint options, nuint value);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_compression(nint options, int value);

    [LibraryImport(Library)]
    public static partial void rocksdb_options_set_block_based_table_factory(nint options, nint tableOptions);

    [LibraryImport(Library)]
    public static partial nint rocksdb_block_based_options_create();

    [LibraryImport(Library)]
    public static partial void rocksdb_block_based_options_destroy(nint options);

    [LibraryImport(Library)]
    public static partial void rocksdb_block_based_options_set_block_cache(nint options, nint cache);

    [LibraryImport(Library)]
    public static partial void rocksdb_block_based_options_set_cache_index_and_filter_blocks(nint options, byte value);

    [LibraryImport(Library)]
    public static partial void rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(
        nint options, byte value);

    [LibraryImport(Library)]
    public static partial void rocksdb_block_based_options_set_pin_l0_filter_and_index_blocks_in_cache(nint options, byte value);

    [LibraryImport(Library)]
    public static partial void rocksdb_block_based_options_set_block_size(nint options, nuint value);

    [LibraryImport(Library)]
    public static partial void rocksdb_block_based_options_set_checksum(nint options, byte value);

    [LibraryImport(Library)]
    public static partial void rocksdb_block_based_options_set_whole_key_filtering(nint options, byte value);

    [LibraryImport(Library)]
    public static partial nint rocksdb_filterpolicy_create_bloom_full(double bitsPerKey);

    /// <summary>Takes the filter policy over: it must not be destroyed afterwards.</summary>
    [LibraryImport(Library)]
    public static partial void rocksdb_block_based_options_set_filter_policy(nint options, nint filterPolicy);
}
