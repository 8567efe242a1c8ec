namespace EventDbx.Reading;

/// <summary>The log in its order.</summary>
internal sealed partial class StoreReader
{
    /// <summary>Entries after a position in log order, up to and with <paramref name="upTo"/>; batches whole, or cut where the page is full.</summary>
    public FeedPage Entries(ulong after, ulong upTo, int itemsMax, int bytesMax, FeedFilter filter, Sight sight, bool batchesWhole = true)
    {
        var items = new List<FeedItem>();
        var ciphers = keyring.Encrypted ? new Dictionary<AggregateKey, AggregateCipher?>() : null;
        var (bytes, reached, leftOfBatch) = (0, after, 0);
        // A batch that begins on a page ends on it: read on to its end, whatever the bounds say.
        while (reached < upTo && (leftOfBatch > 0 || (items.Count < itemsMax && bytes < bytesMax && reached - after < Limits.FeedScanMax)))
        {
            // No more is fetched than the page has room for: what is fetched and then left out is garbage, many times the page.
            var full = bytes >= bytesMax || items.Count >= itemsMax;
            var rows = ReadEntries(reached + 1, Math.Min(upTo, reached + (ulong)(full ? leftOfBatch : FeedRows)), full ? bytesMax : bytesMax - bytes);
            OpenEntries(rows, items, filter, sight, ciphers, batchesWhole, itemsMax, bytesMax, ref bytes, ref reached);
            var last = rows[(int)(reached - rows[0].Position)].Entry;
            leftOfBatch = batchesWhole ? last.BatchCount - last.BatchIndex : 0;
        }

        return new(items, reached);
    }

    /// <summary>Rows of the log that are read and opened together.</summary>
    const int FeedRows = 256;

    /// <summary>Entries from a position on, until either bound is met; at least one.</summary>
    List<(ulong Position, EntryRow Entry)> ReadEntries(ulong from, ulong to, int bytesMax)
    {
        var rows = view.Range(Family.Log, Keyspace.Position(from), to == ulong.MaxValue ? [] : Keyspace.Position(to + 1), (int)(to - from + 1), bytesMax);
        var entries = new List<(ulong, EntryRow)>(rows.Count);
        foreach (var (key, value) in rows)
        {
            var position = Keyspace.ReadPosition(key);
            if (position != from + (ulong)entries.Count)
                break;
            entries.Add((position, EntryRow.TryRead(Checked.Body(Family.Log, key, value)) ?? throw Violation.OfRow(Family.Log, key, "it cannot be read")));
        }

        return entries.Count > 0 ? entries : throw Violation.Of($"The log has no entry at position {from}, though it is longer.");
    }

    void OpenEntries(
        List<(ulong Position, EntryRow Entry)> rows, List<FeedItem> items, FeedFilter filter, Sight sight, Dictionary<AggregateKey, AggregateCipher?>? ciphers,
        bool batchesWhole, int itemsMax, int bytesMax, ref int bytes, ref ulong reached)
    {
        bool Wanted(EntryRow entry) => (filter.AggregateType is null || entry.Aggregate!.Type == filter.AggregateType)
            && (filter.EventType is null || entry.Type == filter.EventType) && sight.Shows(entry.Aggregate!);
        var keys = rows.Where(r => !r.Entry.IsControl && Wanted(r.Entry)).Select(r => Keyspace.Versioned(r.Entry.Aggregate!, r.Entry.Version)).ToArray();
        var indexes = view.GetMany(Family.Index, keys);
        var next = 0;
        foreach (var (position, entry) in rows)
        {
            if ((!batchesWhole || entry.BatchIndex <= 1) && items.Count > 0 && (items.Count >= itemsMax || bytes >= bytesMax))
                return;
            if (entry.IsControl)
            {
                if (filter.IncludeControl)
                    items.Add(new(position, null, Show(entry, position)));
            }
            else if (Wanted(entry))
            {
                var key = keys[next];
                if (indexes[next++] is not { } value || !IndexRow.TryRead(Checked.Body(Family.Index, key, value), out var index) || index.Position != position)
                    throw Violation.Of($"The index does not lead to version {entry.Version} of {entry.Aggregate} at position {position}.");
                items.Add(new(position, sight.Of(Open(entry, position, CipherOf(entry.Aggregate!, ciphers), index.Leaf)), null));
            }

            bytes += entry.EncodedBytes;
            reached = position;
        }
    }

    /// <param name="found">Those of the page so far, so that the head of each aggregate is read once; null in a plain store.</param>
    AggregateCipher? CipherOf(AggregateKey aggregate, Dictionary<AggregateKey, AggregateCipher?>? found)
    {
        if (found is null)
            return null;
        if (found.TryGetValue(aggregate, out var cipher))
            return cipher;
        cipher = keyring.Open(aggregate, (FindHead(aggregate) ?? throw Violation.Of($"{aggregate} has events and no head.")).Head.WrappedKey);
        found.Add(aggregate, cipher);
        return cipher;
    }

    static ControlRecord Show(EntryRow entry, ulong position) => new()
    {
        Kind = entry.Type, Subject = entry.Subject, CreatedAt = new(entry.CreatedAt), Actor = entry.Actor, Body = entry.Body,
        Hash = entry.Leaf(default, default), Position = position, Salt = entry.Salt,
    };
}
