using System.Buffers;

using static EventDbx.Storage.RocksDb.Native;

namespace EventDbx.Storage.RocksDb;

/// <summary>One view of the store, for one thread at a time. Holds the database open until it is disposed.</summary>
internal sealed unsafe class RocksDbView : IStorageView
{
    readonly DatabaseHandle _db;
    readonly nint _snapshot;
    readonly nint _readRange;
    nint _read;

    RocksDbView(DatabaseHandle db, bool snapshot, bool fillCacheByRanges = true)
    {
        var held = false;
        db.DangerousAddRef(ref held);
        _db = db;
        (_read, _readRange) = (rocksdb_readoptions_create(), rocksdb_readoptions_create());
        rocksdb_readoptions_set_fill_cache(_readRange, fillCacheByRanges ? (byte)1 : (byte)0);
        if (!snapshot)
            return;
        _snapshot = rocksdb_create_snapshot(db.Db);
        rocksdb_readoptions_set_snapshot(_read, _snapshot);
        rocksdb_readoptions_set_snapshot(_readRange, _snapshot);
    }

    /// <summary>What is committed now, whatever is committed later.</summary>
    /// <exception cref="ObjectDisposedException">The engine was disposed.</exception>
    /// <param name="db">The database.</param>
    /// <param name="fillCacheByRanges">False: blocks read by ranges are not kept, for each is wanted once.</param>
    public static RocksDbView OfNow(DatabaseHandle db, bool fillCacheByRanges = true) => new(db, snapshot: true, fillCacheByRanges);

    /// <summary>What is committed whenever it is asked: consistent only for the one writer, and free.</summary>
    public static RocksDbView Live(DatabaseHandle db) => new(db, snapshot: false);

    public byte[]? Get(Family family, ReadOnlySpan<byte> key)
    {
        ObjectDisposedException.ThrowIf(_read == 0, this);
        byte* error = null;
        nint found;
        fixed (byte* keyBytes = key)
            found = rocksdb_get_pinned_cf_v2(_db.Db, _read, _db.Of(family), keyBytes, (nuint)key.Length, &error);
        ThrowIfUnread(error, $"A row of {Families.NameOf(family)} could not be read");
        if (found == 0)
            return null;
        try
        {
            nuint length;
            var bytes = rocksdb_pinnable_handle_get_value(found, &length);
            return new ReadOnlySpan<byte>(bytes, checked((int)length)).ToArray();
        }
        finally
        {
            rocksdb_pinnable_handle_destroy(found);
        }
    }

    public byte[]?[] GetMany(Family family, IReadOnlyList<byte[]> keys)
    {
        ObjectDisposedException.ThrowIf(_read == 0, this);
        if (keys.Count == 0)
            return [];
        var keyBytes = 0;
        for (var i = 0; i < keys.Count; i++)
            keyBytes += keys[i].Length;

        // The keys side by side in one pinned buffer, then four columns: address, length, value, error.
        var buffer = ArrayPool<byte>.Shared.Rent(Math.Max(1, keyBytes));
        var columns = ArrayPool<nint>.Shared.Rent(4 * keys.Count);
        try
        {
            fixed (byte* start = buffer)
            fixed (nint* column = columns)
            {
                var addresses = (byte**)column;
                var lengths = (nuint*)column + keys.Count;
                var values = column + (2 * keys.Count);
                var errors = (byte**)column + (3 * keys.Count);
                var at = start;
                for (var i = 0; i < keys.Count; i++)
                {
                    keys[i].CopyTo(new Span<byte>(at, keys[i].Length));
                    addresses[i] = at;
                    lengths[i] = (nuint)keys[i].Length;
                    values[i] = 0;
                    errors[i] = null;
                    at += keys[i].Length;
                }
                rocksdb_batched_multi_get_cf(
                    _db.Db, _read, _db.Of(family), (nuint)keys.Count, addresses, lengths, values, errors, keysAreSorted: 0);
                return Copy(family, values, errors, keys.Count);
            }
        }
        finally
        {
            ArrayPool<nint>.Shared.Return(columns);
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Copies and frees the values; frees every error and throws the first.</summary>
    static byte[]?[] Copy(Family family, nint* values, byte** errors, int count)
    {
        var copies = new byte[]?[count];
        string? failed = null;
        for (var i = 0; i < count; i++)
        {
            if (errors[i] is not null)
            {
                var error = Take(errors[i]);
                failed ??= error;
            }
            if (values[i] == 0)
                continue;
            nuint length;
            var bytes = rocksdb_pinnableslice_value(values[i], &length);
            copies[i] = new ReadOnlySpan<byte>(bytes, checked((int)length)).ToArray();
            rocksdb_pinnableslice_destroy(values[i]);
        }
        return failed is null ? copies : throw Unread($"Rows of {Families.NameOf(family)} could not be read", failed);
    }

    public IReadOnlyList<Row> Range(
        Family family, ReadOnlySpan<byte> from, ReadOnlySpan<byte> to, int rowsMax, int bytesMax, bool backwards = false)
    {
        ObjectDisposedException.ThrowIf(_read == 0, this);
        if (rowsMax <= 0 || (!to.IsEmpty && from.SequenceCompareTo(to) >= 0))
            return [];
        fixed (byte* lower = from, upper = to)
        {
            // RocksDB keeps these pointers: they are taken back before the bytes are let go.
            rocksdb_readoptions_set_iterate_lower_bound(_readRange, from.IsEmpty ? null : lower, (nuint)from.Length);
            rocksdb_readoptions_set_iterate_upper_bound(_readRange, to.IsEmpty ? null : upper, (nuint)to.Length);
            var iterator = rocksdb_create_iterator_cf(_db.Db, _readRange, _db.Of(family));
            try
            {
                if (backwards)
                    rocksdb_iter_seek_to_last(iterator);
                else
                    rocksdb_iter_seek(iterator, lower, (nuint)from.Length);
                return Collect(family, iterator, rowsMax, bytesMax, backwards);
            }
            finally
            {
                rocksdb_iter_destroy(iterator);
                rocksdb_readoptions_set_iterate_lower_bound(_readRange, null, 0);
                rocksdb_readoptions_set_iterate_upper_bound(_readRange, null, 0);
            }
        }
    }

    static List<Row> Collect(Family family, nint iterator, int rowsMax, int bytesMax, bool backwards)
    {
        List<Row> rows = [];
        long bytes = 0;
        while (rocksdb_iter_valid(iterator) != 0)
        {
            var key = rocksdb_iter_key_slice(iterator);
            var value = rocksdb_iter_value_slice(iterator);
            bytes += key.Length + value.Length;
            if (rows.Count > 0 && bytes > bytesMax)
                break;
            rows.Add(new Row(key.Span.ToArray(), value.Span.ToArray()));
            if (rows.Count == rowsMax)
                break;
            if (backwards)
                rocksdb_iter_prev(iterator);
            else
                rocksdb_iter_next(iterator);
        }
        // An iterator that met damage is invalid, like one at the end: only its error tells them apart.
        byte* error = null;
        rocksdb_iter_get_error(iterator, &error);
        ThrowIfUnread(error, $"Rows of {Families.NameOf(family)} could not be read");
        return rows;
    }

    /// <summary>Turns the error of a read into an exception: damage is a violation, anything else a failure of the disk.</summary>
    public static void ThrowIfUnread(byte* error, string failed)
    {
        if (error is not null)
            throw Unread(failed, Take(error));
    }

    static Exception Unread(string failed, string error) => error.StartsWith("Corruption", StringComparison.Ordinal)
        ? Integrity.Violation.Of($"{failed}, for a file of the store was damaged or changed: {error}")
        : new StorageFailedException($"{failed}: {error}");

    public void Dispose()
    {
        var read = Interlocked.Exchange(ref _read, 0);
        if (read == 0)
            return;
        rocksdb_readoptions_destroy(read);
        rocksdb_readoptions_destroy(_readRange);
        if (_snapshot != 0)
            rocksdb_release_snapshot(_db.Db, _snapshot);
        _db.DangerousRelease();
    }
}
