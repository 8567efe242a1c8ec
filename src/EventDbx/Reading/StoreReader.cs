namespace EventDbx.Reading;

/// <summary>Reads one consistent view: heads, states, events. Every event is hashed again on the way out.</summary>
/// <remarks>
/// A read returns what was committed or throws <see cref="RefusalCode.IntegrityViolation"/>: rows carry checksums bound to
/// their keys, states are bound to their heads, events to the leaf hashes in the index. What a single read cannot see (a head
/// and a state put back together) is what verify is for.
/// </remarks>
/// <param name="view">Disposed with it.</param>
/// <param name="keyring">The aggregates' ciphers.</param>
/// <param name="walk">Whether it walks over everything once, and should not push the ciphers out that are in use.</param>
internal sealed partial class StoreReader(IStorageView view, Keyring keyring, bool walk = false) : IDisposable
{
    public IStorageView View => view;

    AggregateCipher? CipherOf(AggregateKey aggregate, HeadRow head) =>
        walk ? keyring.OpenOnce(aggregate, head.WrappedKey) : keyring.Open(aggregate, head.WrappedKey);

    /// <summary>An aggregate's head, wherever it lies; null when there is none.</summary>
    public (HeadRow Head, bool Archived)? FindHead(AggregateKey aggregate)
    {
        if (Checked.Get(view, Family.Heads, aggregate.Row) is { } body)
            return (HeadRow.TryRead(body) ?? throw Violation.OfRow(Family.Heads, aggregate.Row, "it cannot be read"), false);
        if (Checked.Get(view, Family.Archive, aggregate.Row) is { } archived)
            return (ArchiveRow.ReadHead(aggregate, archived), true);
        return null;
    }

    /// <summary>The wrapped key of a stored aggregate; empty when there is no such aggregate, or no encryption.</summary>
    public ReadOnlyMemory<byte> FindWrappedKey(AggregateKey aggregate) => FindHead(aggregate)?.Head.WrappedKey ?? default;

    /// <summary>An aggregate as it is now; null when there is none.</summary>
    public AggregateState? FindState(AggregateKey aggregate)
    {
        if (Checked.Get(view, Family.Heads, aggregate.Row) is { } body)
        {
            var head = HeadRow.TryRead(body) ?? throw Violation.OfRow(Family.Heads, aggregate.Row, "it cannot be read");
            return ReadState(aggregate, head);
        }

        if (Checked.Get(view, Family.Archive, aggregate.Row) is not { } row)
            return null;
        var archive = ArchiveRow.Read(aggregate, row, keyring);
        return Show(aggregate, archive.Head, archived: true, archive.Fields);
    }

    AggregateState ReadState(AggregateKey aggregate, HeadRow head) =>
        Show(aggregate, head, archived: false, StateRows.Read(view, aggregate, head, CipherOf(aggregate, head)));

    /// <summary>An aggregate as it was at a version. Beyond its end it is as it is now; null when there is no such aggregate.</summary>
    public AggregateState? FindStateAt(AggregateKey aggregate, ulong version)
    {
        if (FindHead(aggregate) is not { } found)
            return null;
        if (version >= found.Head.Version)
            return FindState(aggregate);
        var (at, fields) = FoldPoints.Nearest(view, aggregate, version, CipherOf(aggregate, found.Head));
        var root = at == version ? RootOf(aggregate, version) : Hash32.Empty;
        var updated = at == version && at > 0 ? IndexOf(aggregate, version).CreatedAt : found.Head.CreatedAt;
        var fold = new StateFold(fields);
        while (at < version)
        {
            foreach (var record in Events(aggregate, at + 1, (int)Math.Min(version - at, Limits.PageItemsMax), Limits.PageBytesMax))
            {
                fold.Apply(record.Payload.Span);
                (at, root, updated) = (record.Version, record.MerkleRoot, record.CreatedAt.Ticks100ns);
            }
        }

        return new()
        {
            Aggregate = aggregate, Version = version, Fields = fold.Fields, MerkleRoot = root, Archived = found.Archived,
            CreatedAt = new(found.Head.CreatedAt), UpdatedAt = new(updated),
        };
    }

    /// <summary>Snapshots of an aggregate, oldest first, after a key of the family.</summary>
    public SnapshotPage Snapshots(AggregateKey aggregate, ReadOnlySpan<byte> after, int take, Sight sight)
    {
        var head = FindHead(aggregate)!.Value;
        var cipher = keyring.Open(aggregate, head.Head.WrappedKey);
        var prefix = Keyspace.Prefix(aggregate);
        if (!after.IsEmpty && !after.StartsWith(prefix))
            throw new RefusedException(RefusalCode.InvalidArgument, $"The cursor is not one of the snapshots of {aggregate}.");
        byte[] from = after.IsEmpty ? prefix : [.. after, 0];
        var rows = new RowCursor(view, Family.Snapshots, from, Keyspace.AfterAggregate(aggregate));
        var items = new List<Snapshot>();
        var bytes = 0;
        byte[]? last = null;
        for (; rows.Peek() is { } row; rows.Take())
        {
            if (items.Count == take || bytes >= Limits.PageBytesMax)
                return new(items, last);
            if (!Keyspace.TryReadSnapshot(row.Key, out _, out var version, out var sequence))
                throw Violation.OfRow(Family.Snapshots, row.Key, "its key is not one of a remembered state");
            if (sequence < SnapshotRow.FirstSequence)
                continue;
            var kept = SnapshotRow.TryRead(Checked.Body(Family.Snapshots, row.Key, row.Value)) ?? throw Violation.OfRow(Family.Snapshots, row.Key, "it cannot be read");
            var fields = kept.Open(row.Key, version, cipher);
            var state = new AggregateState
            {
                Aggregate = aggregate, Version = version, Fields = fields, MerkleRoot = kept.Root, Archived = head.Archived,
                CreatedAt = new(head.Head.CreatedAt), UpdatedAt = new(kept.CreatedAt),
            };
            items.Add(new(sight.Of(state), new(kept.CreatedAt), kept.Comment, kept.Automatic));
            bytes += fields.Length;
            last = row.Key;
        }

        return new(items, null);
    }

    /// <summary>The newest version committed at or before a moment; 0 before the first. Times never go back, so it is a binary search.</summary>
    public ulong VersionAt(AggregateKey aggregate, long time)
    {
        var (below, above) = (0UL, (FindHead(aggregate)?.Head.Version ?? 0) + 1);
        while (above - below > 1)
        {
            var middle = below + ((above - below) / 2);
            if (IndexOf(aggregate, middle).CreatedAt <= time)
                below = middle;
            else
                above = middle;
        }

        return below;
    }

    /// <summary>The newest version whose event stands at or before a position of the log; 0 when none does. Positions rise, so it is a binary search.</summary>
    public ulong VersionAtPosition(AggregateKey aggregate, ulong newest, ulong position)
    {
        if (newest == 0 || IndexOf(aggregate, newest).Position <= position)
            return newest;
        var (below, above) = (0UL, newest);
        while (above - below > 1)
        {
            var middle = below + ((above - below) / 2);
            if (IndexOf(aggregate, middle).Position <= position)
                below = middle;
            else
                above = middle;
        }

        return below;
    }

    /// <summary>Events in version order, until a bound is met; at least one if there is one.</summary>
    public List<EventRecord> Events(AggregateKey aggregate, ulong from, int itemsMax, int bytesMax)
    {
        var records = new List<EventRecord>();
        if (FindHead(aggregate) is not { } found || from > found.Head.Version || itemsMax <= 0)
            return records;
        var cipher = CipherOf(aggregate, found.Head);
        from = Math.Max(1, from);
        var (bytes, chunk) = (0, FirstChunk);
        while (records.Count < itemsMax && from <= found.Head.Version && bytes < bytesMax)
        {
            var count = (int)Math.Min((ulong)Math.Min(itemsMax - records.Count, chunk), found.Head.Version - from + 1);
            var indexes = ReadIndex(aggregate, from, count);
            var rows = view.GetMany(Family.Log, [.. indexes.Select(i => Keyspace.Position(i.Position))]);
            var fetched = 1;
            for (var i = 0; i < count && (bytes < bytesMax || records.Count == 0); i++, from++)
            {
                var record = OpenEvent(rows[i], indexes[i], aggregate, from, cipher);
                bytes += record.Payload.Length;
                fetched += rows[i]!.Length;
                records.Add(record);
            }

            // Many small events at once, few large ones: what is fetched and then left out is paid for.
            chunk = Math.Clamp((int)((long)ChunkBytes * count / fetched), 1, Math.Min(chunk * 4, LargestChunk));
        }

        return records;
    }

    /// <summary>Events fetched together: first, and at most; and the bytes aimed at.</summary>
    const int FirstChunk = 4, LargestChunk = 256, ChunkBytes = 1024 * 1024;

    /// <summary>One event; null when there is no such version.</summary>
    public EventRecord? FindEvent(AggregateKey aggregate, ulong version) =>
        version > 0 && Events(aggregate, version, 1, int.MaxValue) is [var record] ? record : null;

    List<IndexRow> ReadIndex(AggregateKey aggregate, ulong from, int count)
    {
        var rows = view.Range(
            Family.Index, Keyspace.Versioned(aggregate, from), Keyspace.Versioned(aggregate, from + (ulong)count), count, int.MaxValue);
        var indexes = new List<IndexRow>(count);
        foreach (var (key, value) in rows)
        {
            if (!Keyspace.TryReadVersioned(key, out _, out var version) || version != from + (ulong)indexes.Count)
                break;
            indexes.Add(IndexRow.TryRead(Checked.Body(Family.Index, key, value), out var index)
                ? index : throw Violation.OfRow(Family.Index, key, "it cannot be read"));
        }

        return indexes.Count == count
            ? indexes
            : throw Violation.Of($"Version {from + (ulong)indexes.Count} of {aggregate} is missing from the index, though its head is beyond it.");
    }

    IndexRow IndexOf(AggregateKey aggregate, ulong version) => ReadIndex(aggregate, version, 1)[0];

    /// <summary>The leaf hash of a version that the aggregate has.</summary>
    public Hash32 LeafOf(AggregateKey aggregate, ulong version) => IndexOf(aggregate, version).Leaf;

    /// <summary>The aggregate's root at a version that it has; 0: of nothing.</summary>
    public Hash32 RootOf(AggregateKey aggregate, ulong version)
    {
        if (version == 0)
            return Hash32.Empty;
        var key = Keyspace.Position(IndexOf(aggregate, version).Position);
        var body = Checked.Get(view, Family.Log, key) ?? throw Violation.OfRow(Family.Log, key, "it is missing");
        var entry = EntryRow.TryRead(body, aggregate) ?? throw Violation.OfRow(Family.Log, key, "it cannot be read");
        return entry is { IsControl: false } && entry.Version == version && aggregate.Equals(entry.Aggregate)
            ? entry.Root
            : throw Violation.Of($"The log has another entry where the index has version {version} of {aggregate}.");
    }

    static EventRecord OpenEvent(byte[]? value, in IndexRow index, AggregateKey aggregate, ulong version, AggregateCipher? cipher)
    {
        var key = Keyspace.Position(index.Position);
        if (value is null)
            throw Violation.Of($"Version {version} of {aggregate} is missing: the log has no entry at position {index.Position}.");
        var entry = EntryRow.TryRead(Checked.Body(Family.Log, key, value), aggregate) ?? throw Violation.OfRow(Family.Log, key, "it cannot be read");
        if (entry.IsControl || entry.Version != version || !entry.Aggregate!.Equals(aggregate) || entry.CreatedAt != index.CreatedAt)
            throw Violation.Of($"The log has another entry at position {index.Position}, where the index has version {version} of {aggregate}.");
        return Open(entry, index.Position, cipher, index.Leaf);
    }

    /// <summary>Opens an event and holds it against its leaf hash.</summary>
    static EventRecord Open(EntryRow entry, ulong position, AggregateCipher? cipher, in Hash32 leaf)
    {
        if (!EventBody.TryOpen(cipher, entry, out var salt, out var payload))
            throw Violation.Of($"The payload of version {entry.Version} of {entry.Aggregate} (position {position}) does not open: it was changed, or belongs elsewhere.");
        var hash = entry.Leaf(salt.Span, payload.Span);
        if (hash != leaf)
            throw Violation.Of($"Version {entry.Version} of {entry.Aggregate} (position {position}) hashes to {hash}, but {leaf} was committed.");
        return new()
        {
            Aggregate = entry.Aggregate!, EventType = entry.Type, Payload = payload, EventId = entry.EventId,
            CreatedAt = new(entry.CreatedAt), Actor = entry.Actor, Note = entry.Note, Version = entry.Version, Hash = hash,
            MerkleRoot = entry.Root, Position = position, Salt = salt, PreviousRoot = entry.PreviousRoot,
        };
    }

    /// <summary>A head and its state, as callers see them.</summary>
    public static AggregateState Show(AggregateKey aggregate, HeadRow head, bool archived, ReadOnlyMemory<byte> fields) => new()
    {
        Aggregate = aggregate, Version = head.Version, Fields = fields, MerkleRoot = head.Root, Archived = archived,
        CreatedAt = new(head.CreatedAt), UpdatedAt = new(head.UpdatedAt),
    };

    /// <summary>Aggregates in key order, active and archived merged; with a moment, as they were then.</summary>
    public AggregatePage Aggregates(
        AggregateFilter filter, Sight sight, ReadOnlySpan<byte> after, long skip, int take, bool withState, Timestamp? at, CancellationToken cancellation)
    {
        var merge = new AggregateScan(view, filter, after);
        var items = new List<AggregateState>();
        var (bytes, walked, leftOut) = (0, 0L, 0);
        AggregateKey? last = null;
        // A page that skips cannot be broken off: what is left to skip stands in no cursor.
        while (items.Count < take && bytes < Limits.PageBytesMax && (leftOut < Limits.ListScanMax || skip > 0)
            && merge.Next() is var (aggregate, head, archived))
        {
            last = aggregate;
            if (++walked % 512 == 0)
                cancellation.ThrowIfCancellationRequested();
            var version = at is { } moment ? VersionThen(aggregate, head, moment.Ticks100ns) : head.Version;
            if (version is not { } there || !sight.Shows(aggregate))
            {
                leftOut++;
                continue;
            }

            if (skip > 0)
            {
                skip--;
                continue;
            }

            var item = Item(aggregate, head, archived, there, withState);
            items.Add(withState ? sight.Of(item) : item);
            bytes += withState ? item.Fields.Length : 0;
        }

        var full = take > 0 && (items.Count == take || bytes >= Limits.PageBytesMax || (leftOut >= Limits.ListScanMax && skip == 0));
        return new(items, full && merge.HasMore ? last!.Row.ToArray() : null);
    }

    /// <summary>The version an aggregate had at a moment; null when it had no event yet.</summary>
    ulong? VersionThen(AggregateKey aggregate, HeadRow head, long time)
    {
        // The head answers for most: it has the time of the first event (or of a creation before it) and of the newest.
        if (head.Version == 0 || head.CreatedAt > time)
            return null;
        var version = head.UpdatedAt <= time ? head.Version : VersionAt(aggregate, time);
        return version > 0 ? version : null;
    }

    AggregateState Item(AggregateKey aggregate, HeadRow head, bool archived, ulong version, bool withState)
    {
        if (!withState)
        {
            var item = Show(aggregate, head, archived, StateText.Empty);
            return version == head.Version ? item : item with
            {
                Version = version, MerkleRoot = RootOf(aggregate, version), UpdatedAt = new(IndexOf(aggregate, version).CreatedAt),
            };
        }

        var found = version < head.Version ? FindStateAt(aggregate, version) : archived ? FindState(aggregate) : ReadState(aggregate, head);
        return found ?? throw Violation.Of($"{aggregate} is in the list and nowhere else.");
    }

    public void Dispose() => view.Dispose();
}
