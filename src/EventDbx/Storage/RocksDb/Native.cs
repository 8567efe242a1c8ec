using System.Runtime.InteropServices;

namespace EventDbx.Storage.RocksDb;

/// <summary>The part of librocksdb we call, under its C names so that RocksDB's own documentation answers for it.</summary>
/// <remarks>
/// Blittable types only: no marshalling stub is generated at run time, and NativeAOT links the same code.
/// A handle is an <c>nint</c>, a C bool a <c>byte</c>, a <c>char** errptr</c> a <c>byte**</c> whose text we must free.
/// The calls marked <see cref="SuppressGCTransitionAttribute"/> only read a pointer: they never block, and cost half.
/// Source: include/rocksdb/c.h of RocksDB 11.12.
/// </remarks>
internal static unsafe partial class Native
{
    const string Library = "rocksdb";

    /// <summary>Turns an error text into an exception, and frees it.</summary>
    /// <param name="error">What the call left at its errptr; null when all went well.</param>
    /// <param name="failed">What could not be done, as the start of a sentence: "The log was not synced".</param>
    /// <exception cref="StorageFailedException">There was an error.</exception>
    public static void ThrowIf(byte* error, string failed)
    {
        if (error is not null)
            throw new StorageFailedException($"{failed}: {Take(error)}");
    }

    /// <summary>Copies a text that the library allocated, and frees it.</summary>
    public static string Take(byte* text)
    {
        var copy = Marshal.PtrToStringUTF8((nint)text) ?? "";
        rocksdb_free(text);
        return copy;
    }

    /// <summary>Bytes that the library owns.</summary>
    [StructLayout(LayoutKind.Sequential)]
    public readonly struct Slice
    {
        readonly byte* _data;
        readonly nuint _length;

        public ReadOnlySpan<byte> Span => new(_data, checked((int)_length));

        public int Length => checked((int)_length);
    }

    [LibraryImport(Library)]
    public static partial void rocksdb_free(void* allocated);

    // The database.

    [LibraryImport(Library)]
    public static partial nint rocksdb_open_column_families(
        nint options, byte* name, int families, byte** familyNames, nint* familyOptions, nint* familyHandles, byte** error);

    [LibraryImport(Library)]
    public static partial nint rocksdb_open_for_read_only_column_families(
        nint options, byte* name, int families, byte** familyNames, nint* familyOptions, nint* familyHandles,
        byte errorIfWalExists, byte** error);

    [LibraryImport(Library)]
    public static partial void rocksdb_repair_db(nint options, byte* name, byte** error);

    [LibraryImport(Library)]
    public static partial void rocksdb_column_family_handle_destroy(nint family);

    [LibraryImport(Library)]
    public static partial void rocksdb_close(nint db);

    [LibraryImport(Library)]
    public static partial void rocksdb_flush_cfs(nint db, nint flushOptions, nint* families, int count, byte** error);

    [LibraryImport(Library)]
    public static partial void rocksdb_flush_wal(nint db, byte sync, byte** error);

    [LibraryImport(Library)]
    public static partial void rocksdb_compact_range_cf(
        nint db, nint family, byte* start, nuint startLength, byte* limit, nuint limitLength);

    [LibraryImport(Library)]
    public static partial void rocksdb_compact_range_cf_opt(
        nint db, nint family, nint options, byte* start, nuint startLength, byte* limit, nuint limitLength);

    [LibraryImport(Library)]
    public static partial nint rocksdb_compactoptions_create();

    [LibraryImport(Library)]
    public static partial void rocksdb_compactoptions_destroy(nint options);

    /// <summary>0 skip, 1 only with a filter (the default), 2 force, 3 force, but not what this very call has written.</summary>
    [LibraryImport(Library)]
    public static partial void rocksdb_compactoptions_set_bottommost_level_compaction(nint options, byte value);

    [LibraryImport(Library)]
    public static partial ulong rocksdb_get_latest_sequence_number(nint db);

    /// <summary>Every table file as a whole, against the checksum in the manifest.</summary>
    [LibraryImport(Library)]
    public static partial void rocksdb_verify_file_checksums(nint db, byte** error);

    [LibraryImport(Library)]
    public static partial int rocksdb_property_int_cf(nint db, nint family, byte* name, ulong* value);

    /// <summary>Null where there is no such property; else a text that we must free.</summary>
    [LibraryImport(Library)]
    public static partial byte* rocksdb_property_value_cf(nint db, nint family, byte* name);

    [LibraryImport(Library)]
    public static partial nint rocksdb_flushoptions_create();

    [LibraryImport(Library)]
    public static partial void rocksdb_flushoptions_destroy(nint options);

    [LibraryImport(Library)]
    public static partial void rocksdb_flushoptions_set_wait(nint options, byte value);

    // A second directory with what is committed by now, its tables as hard links.

    [LibraryImport(Library)]
    public static partial nint rocksdb_checkpoint_object_create(nint db, byte** error);

    /// <summary>Flushes first when the write-ahead log has more bytes than given; what is not flushed is copied.</summary>
    [LibraryImport(Library)]
    public static partial void rocksdb_checkpoint_create(nint checkpoint, byte* directory, ulong logSizeForFlush, byte** error);

    [LibraryImport(Library)]
    public static partial void rocksdb_checkpoint_object_destroy(nint checkpoint);

    // Writing.

    [LibraryImport(Library)]
    public static partial nint rocksdb_writeoptions_create();

    [LibraryImport(Library)]
    public static partial void rocksdb_writeoptions_destroy(nint options);

    [LibraryImport(Library)]
    public static partial void rocksdb_writeoptions_set_sync(nint options, byte value);

    [LibraryImport(Library)]
    public static partial nint rocksdb_writebatch_create();

    [LibraryImport(Library)]
    public static partial void rocksdb_writebatch_destroy(nint batch);

    [LibraryImport(Library)]
    public static partial void rocksdb_writebatch_clear(nint batch);

    [LibraryImport(Library)]
    public static partial void rocksdb_writebatch_put_cf(
        nint batch, nint family, byte* key, nuint keyLength, byte* value, nuint valueLength);

    [LibraryImport(Library)]
    public static partial void rocksdb_writebatch_delete_cf(nint batch, nint family, byte* key, nuint keyLength);

    [LibraryImport(Library)]
    public static partial void rocksdb_write(nint db, nint writeOptions, nint batch, byte** error);

    // Reading.

    [LibraryImport(Library)]
    public static partial nint rocksdb_create_snapshot(nint db);

    [LibraryImport(Library)]
    public static partial void rocksdb_release_snapshot(nint db, nint snapshot);

    [LibraryImport(Library)]
    public static partial nint rocksdb_readoptions_create();

    [LibraryImport(Library)]
    public static partial void rocksdb_readoptions_destroy(nint options);

    [LibraryImport(Library)]
    public static partial void rocksdb_readoptions_set_snapshot(nint options, nint snapshot);

    [LibraryImport(Library)]
    public static partial void rocksdb_readoptions_set_fill_cache(nint options, byte value);

    /// <summary>Keeps the pointer, not the bytes; null takes the bound away.</summary>
    [LibraryImport(Library)]
    public static partial void rocksdb_readoptions_set_iterate_upper_bound(nint options, byte* key, nuint keyLength);

    /// <inheritdoc cref="rocksdb_readoptions_set_iterate_upper_bound"/>
    [LibraryImport(Library)]
    public static partial void rocksdb_readoptions_set_iterate_lower_bound(nint options, byte* key, nuint keyLength);

    [LibraryImport(Library)]
    public static partial nint rocksdb_get_pinned_cf_v2(
        nint db, nint readOptions, nint family, byte* key, nuint keyLength, byte** error);

    [LibraryImport(Library), SuppressGCTransition]
    public static partial byte* rocksdb_pinnable_handle_get_value(nint handle, nuint* length);

    [LibraryImport(Library)]
    public static partial void rocksdb_pinnable_handle_destroy(nint handle);

    [LibraryImport(Library)]
    public static partial void rocksdb_batched_multi_get_cf(
        nint db, nint readOptions, nint family, nuint count, byte** keys, nuint* keyLengths, nint* values, byte** errors,
        byte keysAreSorted);

    [LibraryImport(Library), SuppressGCTransition]
    public static partial byte* rocksdb_pinnableslice_value(nint slice, nuint* length);

    [LibraryImport(Library)]
    public static partial void rocksdb_pinnableslice_destroy(nint slice);

    [LibraryImport(Library)]
    public static partial nint rocksdb_create_iterator_cf(nint db, nint readOptions, nint family);

    [LibraryImport(Library)]
    public static partial void rocksdb_iter_destroy(nint iterator);

    [LibraryImport(Library)]
    public static partial void rocksdb_iter_seek(nint iterator, byte* key, nuint keyLength);

    [LibraryImport(Library)]
    public static partial void rocksdb_iter_seek_to_last(nint iterator);

    [LibraryImport(Library)]
    public static partial void rocksdb_iter_next(nint iterator);

    [LibraryImport(Library)]
    public static partial void rocksdb_iter_prev(nint iterator);

    [LibraryImport(Library), SuppressGCTransition]
    public static partial byte rocksdb_iter_valid(nint iterator);

    [LibraryImport(Library), SuppressGCTransition]
    public static partial Slice rocksdb_iter_key_slice(nint iterator);

    [LibraryImport(Library), SuppressGCTransition]
    public static partial Slice rocksdb_iter_value_slice(nint iterator);

    [LibraryImport(Library)]
    public static partial void rocksdb_iter_get_error(nint iterator, byte** error);
}
