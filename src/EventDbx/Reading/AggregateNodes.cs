namespace EventDbx.Reading;

/// <summary>Nodes of an aggregate's tree, streamed from its index: one pass, a page of rows in memory, whatever its length.</summary>
internal static class AggregateNodes
{
    /// <summary>The roots of subtrees, in their order: the path of a proof.</summary>
    /// <param name="view">Has all of these versions.</param>
    /// <param name="aggregate">Whose.</param>
    /// <param name="subtrees">Do not overlap; leaf i is version i + 1.</param>
    /// <param name="cancellation">Ends it between pages of rows.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>: a row of the index is missing or changed.</exception>
    public static Hash32[] Path(IStorageView view, AggregateKey aggregate, IReadOnlyList<Subtree> subtrees, CancellationToken cancellation)
    {
        var path = new Hash32[subtrees.Count];
        foreach (var place in Enumerable.Range(0, path.Length).OrderBy(i => subtrees[i].From))
            path[place] = Root(view, aggregate, subtrees[place], cancellation);
        return path;
    }

    static Hash32 Root(IStorageView view, AggregateKey aggregate, Subtree subtree, CancellationToken cancellation)
    {
        var tree = new MerkleTree();
        var rows = new RowCursor(view, Family.Index, Keyspace.Versioned(aggregate, subtree.From + 1), Keyspace.Versioned(aggregate, subtree.To + 1));
        for (; rows.Peek() is { } row; rows.Take())
        {
            if (tree.Size % Limits.PageItemsMax == 0)
                cancellation.ThrowIfCancellationRequested();
            if (!Keyspace.TryReadVersioned(row.Key, out _, out var version) || version != subtree.From + tree.Size + 1)
                break;
            tree.Append(IndexRow.TryRead(Checked.Body(Family.Index, row.Key, row.Value), out var index)
                ? index.Leaf : throw Violation.OfRow(Family.Index, row.Key, "it cannot be read"));
        }

        return tree.Size == subtree.To - subtree.From
            ? tree.Root()
            : throw Violation.Of($"Version {subtree.From + tree.Size + 1} of {aggregate} is missing from the index, though its head is beyond it.");
    }
}
