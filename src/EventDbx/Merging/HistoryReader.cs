namespace EventDbx.Merging;

/// <summary>Reads what a merge compares and takes over, from one consistent view.</summary>
/// <param name="reader">Disposed by the caller.</param>
internal sealed class HistoryReader(StoreReader reader)
{
    /// <summary>Rows looked up together.</summary>
    const int LookedUpTogether = 256;

    /// <summary>Log rows read together: each may hold a payload at its limit.</summary>
    const int EntriesTogether = 16;

    /// <summary>Aggregates of a filter in key order.</summary>
    public HistoryPage Positions(HistoryFilter filter, AggregateKey? after, int take)
    {
        // One more than is wanted tells whether there is more.
        var found = new List<HistoryPosition>(Math.Min(take, Limits.PageItemsMax) + 1);
        foreach (var part in PartsOf(filter))
        {
            if (found.Count > take)
                break;
            var place = after is null || part.Type is null ? 0 : after.TypeUtf8.SequenceCompareTo(Encoding.UTF8.GetBytes(part.Type));
            if (place > 0)
                continue;
            var from = place == 0 ? after : null;
            if (part.Aggregates.Length == 0)
                Scan(part.Type, from, take + 1, found);
            else
                LookUp(part.Aggregates, from, take + 1, found);
        }

        if (found.Count <= take)
            return new(found, false);
        found.RemoveAt(take);
        return new(found, true);
    }

    /// <param name="Type">All of this type where <paramref name="Aggregates"/> is empty; null: of every type.</param>
    /// <param name="Aggregates">In key order.</param>
    readonly record struct Part(string? Type, AggregateKey[] Aggregates);

    static List<Part> PartsOf(HistoryFilter filter)
    {
        if (filter.Types.Count == 0 && filter.Aggregates.Count == 0)
            return [new(null, [])];
        var parts = new SortedDictionary<string, List<AggregateKey>>(Schemas.Utf8Order.Instance);
        foreach (var type in filter.Types)
            parts[type] = [];
        foreach (var aggregate in filter.Aggregates)
        {
            if (!parts.TryGetValue(aggregate.Type, out var named))
                parts.Add(aggregate.Type, named = []);
            named.Add(aggregate);
        }

        return [.. parts.Select(part => new Part(part.Key, [.. part.Value.Distinct().Order()]))];
    }

    void Scan(string? type, AggregateKey? after, int most, List<HistoryPosition> found)
    {
        var scan = new AggregateScan(reader.View, new() { Type = type }, after is null ? default : after.Row);
        while (found.Count < most && scan.Next() is var (aggregate, head, archived))
            found.Add(At(aggregate, head, archived));
    }

    void LookUp(AggregateKey[] aggregates, AggregateKey? after, int most, List<HistoryPosition> found)
    {
        var next = after is null ? 0 : Array.FindIndex(aggregates, aggregate => aggregate.CompareTo(after) > 0);
        while (next >= 0 && next < aggregates.Length && found.Count < most)
        {
            var some = aggregates.AsSpan(next, Math.Min(LookedUpTogether, aggregates.Length - next)).ToArray();
            next += some.Length;
            var heads = reader.View.GetMany(Family.Heads, [.. some.Select(aggregate => aggregate.Row.ToArray())]);
            for (var i = 0; i < some.Length && found.Count < most; i++)
            {
                if (heads[i] is { } row)
                {
                    var head = HeadRow.TryRead(Checked.Body(Family.Heads, some[i].Row, row)) ?? throw Violation.OfRow(Family.Heads, some[i].Row, "it cannot be read");
                    found.Add(At(some[i], head, archived: false));
                }
                else if (reader.FindHead(some[i]) is var (other, archived))
                {
                    found.Add(At(some[i], other, archived));
                }
            }
        }
    }

    static HistoryPosition At(AggregateKey aggregate, HeadRow head, bool archived) => new(aggregate, head.Version, head.Root, archived, head.Snapshots);

    /// <summary>Roots at versions, in the order asked for; null where the aggregate is not at that version.</summary>
    public Hash32?[] Roots(IReadOnlyList<(AggregateKey Aggregate, ulong Version)> places)
    {
        var roots = new Hash32?[places.Count];
        var positions = new List<(int Place, ulong Position)>();
        for (var from = 0; from < places.Count; from += LookedUpTogether)
        {
            var some = Enumerable.Range(from, Math.Min(LookedUpTogether, places.Count - from)).ToArray();
            foreach (var place in some.Where(place => places[place].Version == 0))
                roots[place] = reader.FindHead(places[place].Aggregate) is null ? null : Hash32.Empty;
            some = [.. some.Where(place => places[place].Version > 0)];
            var keys = some.Select(place => Keyspace.Versioned(places[place].Aggregate, places[place].Version)).ToArray();
            var rows = reader.View.GetMany(Family.Index, keys);
            for (var i = 0; i < some.Length; i++)
            {
                if (rows[i] is not { } row)
                    continue;
                positions.Add((some[i], IndexRow.TryRead(Checked.Body(Family.Index, keys[i], row), out var index)
                    ? index.Position
                    : throw Violation.OfRow(Family.Index, keys[i], "it cannot be read")));
            }
        }

        foreach (var some in positions.Chunk(EntriesTogether))
        {
            var rows = reader.View.GetMany(Family.Log, [.. some.Select(one => Keyspace.Position(one.Position))]);
            for (var i = 0; i < some.Length; i++)
            {
                var (aggregate, version) = places[some[i].Place];
                roots[some[i].Place] = RootIn(rows[i], some[i].Position, aggregate, version);
            }
        }

        return roots;
    }

    static Hash32 RootIn(byte[]? row, ulong position, AggregateKey aggregate, ulong version)
    {
        var key = Keyspace.Position(position);
        if (row is null)
            throw Violation.OfRow(Family.Log, key, "it is missing");
        var entry = EntryRow.TryRead(Checked.Body(Family.Log, key, row), aggregate) ?? throw Violation.OfRow(Family.Log, key, "it cannot be read");
        return entry is { IsControl: false } && entry.Version == version && aggregate.Equals(entry.Aggregate)
            ? entry.Root
            : throw Violation.Of($"The log has another entry at position {position}, where the index has version {version} of {aggregate}.");
    }

    /// <summary>What is known of an aggregate beside its events; null when there is none.</summary>
    public HistoryMarks? Marks(AggregateKey aggregate)
    {
        if (reader.FindHead(aggregate) is not var (head, archived))
            return null;
        return new()
        {
            Aggregate = aggregate, Version = head.Version, Archived = archived, Snapshots = [.. SnapshotsOf(aggregate)],
            Comment = head.Version == 0 && !archived ? CommentAt(head.FirstPosition) : null,
        };
    }

    /// <summary>The newest of them, where there are very many.</summary>
    Queue<HistorySnapshot> SnapshotsOf(AggregateKey aggregate)
    {
        var found = new Queue<HistorySnapshot>();
        var rows = new RowCursor(reader.View, Family.Snapshots, Keyspace.Prefix(aggregate), Keyspace.AfterAggregate(aggregate));
        for (; rows.Peek() is { } row; rows.Take())
        {
            if (!Keyspace.TryReadSnapshot(row.Key, out _, out var version, out var sequence))
                throw Violation.OfRow(Family.Snapshots, row.Key, "its key is not one of a remembered state");
            if (sequence < SnapshotRow.FirstSequence)
                continue;
            var kept = SnapshotRow.TryRead(Checked.Body(Family.Snapshots, row.Key, row.Value)) ?? throw Violation.OfRow(Family.Snapshots, row.Key, "it cannot be read");
            if (kept.Automatic)
                continue;
            found.Enqueue(new(version, new(kept.CreatedAt), kept.Comment));
            if (found.Count > Limits.MergeSnapshotsMax)
                found.Dequeue();
        }

        return found;
    }

    string? CommentAt(ulong position)
    {
        var key = Keyspace.Position(position);
        var body = Checked.Get(reader.View, Family.Log, key) ?? throw Violation.OfRow(Family.Log, key, "it is missing");
        var entry = EntryRow.TryRead(body) ?? throw Violation.OfRow(Family.Log, key, "it cannot be read");
        return entry.IsControl ? LifecycleNames.CommentIn(entry.Body) : null;
    }
}
