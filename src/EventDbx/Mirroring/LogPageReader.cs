using EventDbx.Checkpoints;

namespace EventDbx.Mirroring;

/// <summary>Reads a stretch of the synced log as a mirror takes it: whole batches, keys opened, the root at its end.</summary>
/// <remarks>The cost is that of the page: the root comes from a tile a level, and of the entries behind the page none is read but those of its last tile.</remarks>
internal sealed class LogPageReader
{
    /// <summary>Rows read at once.</summary>
    const int RowsMax = 256;

    readonly StoreReader _reader;
    readonly Keyring _keyring;
    readonly LogPoint _end;
    readonly int _bytesMax;
    readonly List<LogEntryRow> _entries = [];
    readonly HashSet<AggregateKey> _sent = [];
    int _bytes;

    /// <summary>Of those, up to the end of the last whole batch.</summary>
    (int Entries, int Bytes) _whole;

    LogPageReader(StoreReader reader, Keyring keyring, LogPoint end, int bytesMax) =>
        (_reader, _keyring, _end, _bytesMax) = (reader, keyring, end, bytesMax);

    /// <summary>See <see cref="Database.ReadLog"/>.</summary>
    public static LogPage Read(Database database, ulong after, int bytesMax)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bytesMax, 1);
        // The point first, and its epoch with it: what is synced by now is in any view opened later.
        var end = database.Loop.Synced;
        if (after > end.Size)
        {
            throw new RefusedException(RefusalCode.Diverged,
                $"Entries behind position {after} were asked for, but the log ends at {end.Size}: whoever has more of it has another history, or this log was put back to an earlier state.");
        }

        using var reader = database.OpenReader();
        var page = new LogPageReader(reader, database.Keyring, end, bytesMax);
        page.ReadEntries(after);
        var reached = after + (ulong)page._entries.Count;
        var (note, key) = FindCheckpoint(database, reader.View, end.Epoch, reached);
        return new()
        {
            After = after, Entries = page._entries, RootBefore = RootAt(database, reader.View, end, after), Root = RootAt(database, reader.View, end, reached), Bytes = page._bytes, Checkpoint = note, CheckpointKey = key,
            End = new(database.DatabaseId, end.Epoch, end.Size, end.Root, database.Encrypted),
        };
    }

    static Hash32 RootAt(Database database, IStorageView view, in LogPoint end, ulong size) =>
        size == end.Size ? end.Root : size == 0 ? Hash32.Empty : new LogNodes(view, new TreePoint(end.Size, end.Root), database.Tiles).RootAt(size);

    void ReadEntries(ulong after)
    {
        var (next, full) = (after + 1, false);
        while (!full && next <= _end.Size)
        {
            var rows = _reader.View.Range(Family.Log, Keyspace.Position(next), Keyspace.Position(_end.Size + 1), RowsMax, Math.Max(1, _bytesMax - _bytes));
            if (rows.Count == 0)
                throw Violation.Of($"The log has no entry at position {next}, though it is longer.");
            foreach (var row in rows)
            {
                if (Keyspace.ReadPosition(row.Key) != next)
                    throw Violation.Of($"The log has no entry at position {next}, though it is longer.");
                if (!TryAdd(row))
                {
                    full = true;
                    break;
                }

                next++;
            }
        }

        // What was begun of a batch that does not fit any more is for the next page.
        _entries.RemoveRange(_whole.Entries, _entries.Count - _whole.Entries);
        _bytes = _whole.Bytes;
    }

    /// <summary>False where the page is full before this entry, or before the batch that it is of.</summary>
    bool TryAdd(in Row stored)
    {
        var body = Checked.Body(Family.Log, stored.Key, stored.Value);
        var entry = EntryRow.TryRead(body) ?? throw Violation.OfRow(Family.Log, stored.Key, "it cannot be read");
        if (_whole.Entries > 0 && _bytes + body.Length > _bytesMax)
            return false;
        var key = KeyOf(entry);
        if (!entry.WrappedKey.IsEmpty)
        {
            var without = entry.WithKey(default);
            var bytes = new byte[without.EncodedBytes];
            without.Write(bytes);
            body = bytes;
        }

        _entries.Add(new(body, key));
        _bytes += body.Length;
        if (entry.BatchIndex == entry.BatchCount)
            _whole = (_entries.Count, _bytes);
        return true;
    }

    /// <summary>What opens this entry, and those of its aggregate that follow on the page.</summary>
    ReadOnlyMemory<byte> KeyOf(EntryRow entry)
    {
        if (!_keyring.Encrypted)
            return default;
        if (!entry.WrappedKey.IsEmpty)
        {
            var began = entry.Aggregate ?? LifecycleNames.Aggregate(entry.Subject) ?? throw Violation.Of($"The entry `{entry.Type}` of {entry.Subject} brings a key and names no aggregate.");
            _sent.Add(began);
            return _keyring.OpenOnce(began, entry.WrappedKey)!.CopyKey();
        }

        // Who has events is never removed: its head, or its archive record, has the key of all of them.
        if (entry.Aggregate is not { } aggregate || !_sent.Add(aggregate))
            return default;
        var wrapped = _reader.FindWrappedKey(aggregate);
        return wrapped.IsEmpty ? throw Violation.Of($"{aggregate} has events and no key.") : _keyring.OpenOnce(aggregate, wrapped)!.CopyKey();
    }

    /// <summary>The newest one of this epoch that is kept for good and covers no more than these entries; of a mirror, what its leader signed.</summary>
    static (ReadOnlyMemory<byte> Note, string Key) FindCheckpoint(Database database, IStorageView view, uint epoch, ulong reached)
    {
        if (database.Mirror.State is { } mirrored)
            return mirrored.CheckpointSize is > 0 and var size && size <= reached ? (mirrored.Checkpoint, mirrored.CheckpointKey) : (default, "");
        try
        {
            var kept = CheckpointRow.NewestKept(view, epoch, reached, out var newest);
            // What a mirror has it hands out, so it must not be forgotten here: one a minute is kept for them.
            if (newest is not null && newest.Size > (kept?.Size ?? 0) && newest.SignedAt - (kept?.SignedAt ?? 0) >= Limits.MirrorCheckpointInterval.Ticks)
                database.HandOutCheckpointSoon();
            return kept is null ? (default, "") : (Encoding.UTF8.GetBytes(kept.Note.ToString()), database.ReadLogKey(kept.Checkpoint.Origin));
        }
        catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.Unavailable)
        {
            // The key is not there, or is another one: what it signed cannot be held against it, and the log goes on all the same.
            return (default, "");
        }
    }
}
