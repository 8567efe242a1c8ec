namespace EventDbx.Verification;

/// <summary>The aggregates that an interrupted verify has verified: heads, index and the root in each entry again; the rest only of those that were changed since.</summary>
/// <remarks>
/// What is not read again, payloads, metadata, states, remembered states and ids, was read then. That the hashes are still those of
/// then follows from the log: its pass has found the root that it had then, over the leaves in the index.
/// </remarks>
/// <param name="view">Of everything.</param>
/// <param name="keyring">Opens those that were changed.</param>
/// <param name="end">The first key that was not verified then.</param>
/// <param name="touched">Aggregates that something was committed of since, by <see cref="LifecycleLedger.KeyOf"/>.</param>
internal sealed class EarlierAggregates(IStorageView view, Keyring keyring, byte[] end, IReadOnlySet<UInt128> touched)
{
    const int PageRows = 256;

    readonly RowCursor _heads = new(view, Family.Heads, Keyspace.FirstName.ToArray(), end);
    readonly RowCursor _archive = new(view, Family.Archive, Keyspace.FirstName.ToArray(), end);
    RowCursor _index = new(view, Family.Index, Keyspace.FirstName.ToArray(), end);

    /// <summary>Root of the aggregate before the page whose entries come next.</summary>
    Hash32 _before;

    /// <summary>Aggregates, and their events, that were not read again in full.</summary>
    public (ulong Aggregates, ulong Events) Believed { get; private set; }

    public ulong FoldPoints { get; private set; }

    public ulong Snapshots { get; private set; }

    public ulong ClientIds { get; private set; }

    /// <summary>Verifies the next one; null at the end.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public VerifiedAggregate? VerifyNext(Action<ulong> each)
    {
        if (Next() is not { } aggregate)
            return null;
        return touched.Contains(LifecycleLedger.KeyOf(aggregate)) ? VerifyAgain(aggregate, each) : VerifyHashes(aggregate, each);
    }

    AggregateKey? Next()
    {
        byte[]? lowest = null;
        var family = Family.Heads;
        foreach (var rows in (RowCursor[])[_heads, _archive, _index])
        {
            if (rows.Peek() is { } row && (lowest is null || Keyspace.NameIn(row.Key).SequenceCompareTo(Keyspace.NameIn(lowest)) < 0))
                (lowest, family) = (row.Key, rows.Family);
        }

        if (lowest is null)
            return null;
        return AggregateKey.TryRead(Keyspace.NameIn(lowest), out var aggregate) ? aggregate : throw Violation.OfRow(family, lowest, "its key names no aggregate");
    }

    VerifiedAggregate VerifyAgain(AggregateKey aggregate, Action<ulong> each)
    {
        var verifier = new AggregateVerifier(view, keyring, AggregateRows.Of(view, aggregate));
        var verified = verifier.VerifyNext(each)!;
        if (!verified.Aggregate.Equals(aggregate) || verifier.VerifyNext(each) is not null)
            throw Violation.Of($"Rows of {verified.Aggregate} stand among those of {aggregate}.");
        (FoldPoints, Snapshots, ClientIds) = (FoldPoints + verifier.FoldPoints, Snapshots + verifier.Snapshots, ClientIds + verifier.ClientIds);
        Pass(_heads, aggregate);
        Pass(_archive, aggregate);
        // A history may be long: its rows were walked just now, and are not once more.
        _index = new(view, Family.Index, Keyspace.AfterAggregate(aggregate), end);
        return verified;
    }

    VerifiedAggregate VerifyHashes(AggregateKey aggregate, Action<ulong> each)
    {
        var (head, archivedAt) = TakeHead(aggregate);
        HeadChecks.Root(aggregate, head);
        _before = Hash32.Empty;
        var tree = new MerkleTree();
        var last = default(IndexRow);
        var roots = new List<(ulong Position, Hash32 Root)>(PageRows);
        for (; AggregateRows.Peek(_index, aggregate) is { } row; _index.Take())
        {
            if (!Keyspace.TryReadVersioned(row.Key, out _, out var version) || version != tree.Size + 1)
                throw Violation.OfRow(Family.Index, row.Key, $"version {tree.Size + 1} of {aggregate} should follow");
            if (!IndexRow.TryRead(Checked.Body(Family.Index, row.Key, row.Value), out last))
                throw Violation.OfRow(Family.Index, row.Key, "it cannot be read");
            tree.Append(last.Leaf);
            roots.Add((last.Position, tree.Root()));
            if (roots.Count < PageRows)
                continue;
            CheckRoots(aggregate, tree.Size, roots);
            each((ulong)PageRows);
        }

        each((ulong)roots.Count);
        if (head.Version != tree.Size || !HeadChecks.SameFrontier(head.Tree, tree))
            throw Violation.Of($"The head of {aggregate} is at version {head.Version} with root {head.Root}; its {tree.Size} events have {tree.Root()}.");
        if (tree.Size > 0 && (head.LastPosition != last.Position || head.UpdatedAt != last.CreatedAt))
            throw Violation.Of($"The head of {aggregate} says that version {head.Version} is at position {head.LastPosition}; it is at {last.Position}.");
        CheckRoots(aggregate, tree.Size, roots);
        HeadChecks.FirstEntry(view, aggregate, head, firstEvent: null);
        Believed = (Believed.Aggregates + 1, Believed.Events + tree.Size);
        return new(aggregate, head, archivedAt);
    }

    /// <summary>The root after each version stands in its entry as well, and is no part of what is hashed.</summary>
    void CheckRoots(AggregateKey aggregate, ulong version, List<(ulong Position, Hash32 Root)> roots)
    {
        var keys = roots.ConvertAll(root => Keyspace.Position(root.Position));
        var rows = view.GetMany(Family.Log, keys);
        var first = version - (ulong)roots.Count + 1;
        for (var i = 0; i < rows.Length; i++)
        {
            var at = $"Version {first + (ulong)i} of {aggregate} (position {roots[i].Position})";
            var entry = rows[i] is { } row ? EntryRow.TryRead(Checked.Body(Family.Log, keys[i], row)) : null;
            if (entry is null || entry.IsControl || entry.Version != first + (ulong)i || !entry.Aggregate!.Equals(aggregate))
                throw Violation.Of($"{at} is not there: the log has another entry at that position.");
            var before = i > 0 ? roots[i - 1].Root : _before;
            if (entry.PreviousRoot != before)
                throw Violation.Of($"{at} was appended to root {entry.PreviousRoot}, but versions 1 to {first + (ulong)i - 1} have {before}.");
            if (entry.Root != roots[i].Root)
                throw Violation.Of($"{at} has root {entry.Root}, but versions 1 to {first + (ulong)i} have {roots[i].Root}.");
        }

        if (roots.Count > 0)
            _before = roots[^1].Root;
        roots.Clear();
    }

    (HeadRow Head, long? ArchivedAt) TakeHead(AggregateKey aggregate)
    {
        var (active, archived) = (Take(_heads, aggregate), Take(_archive, aggregate));
        if (active is not null && archived is not null)
            throw Violation.OfRow(Family.Archive, aggregate.Row, "the aggregate has a head as well, and so is not archived");
        if (active is { } row)
            return (HeadRow.TryRead(row) ?? throw Violation.OfRow(Family.Heads, aggregate.Row, "it cannot be read"), null);
        return archived is { } record
            ? (ArchiveRow.ReadHead(aggregate, record, out _, out var archivedAt), archivedAt)
            : throw Violation.Of($"{aggregate} has events and no head.");
    }

    static ReadOnlyMemory<byte>? Take(RowCursor rows, AggregateKey aggregate)
    {
        if (AggregateRows.Peek(rows, aggregate) is not { } row)
            return null;
        var body = Checked.Body(rows.Family, row.Key, row.Value);
        if (!row.Key.AsSpan().SequenceEqual(aggregate.Row))
            throw Violation.OfRow(rows.Family, row.Key, "its key has more than a name");
        rows.Take();
        AggregateRows.RequireNoMore(rows, aggregate, "its key has more than a name");
        return body;
    }

    static void Pass(RowCursor rows, AggregateKey aggregate)
    {
        while (AggregateRows.Peek(rows, aggregate) is not null)
            rows.Take();
    }
}
