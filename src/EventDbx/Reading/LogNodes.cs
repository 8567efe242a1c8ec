namespace EventDbx.Reading;

/// <summary>Any node of the log tree, and so any old root, from tiles and leaf hashes.</summary>
internal sealed class LogNodes(IStorageView view)
{
    const int TileHeight = 8;

    /// <summary>The root of the log's first entries. Touches at most a few tiles and 255 leaves.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>: a tile or an entry is missing or changed.</exception>
    public Hash32 RootAt(ulong size)
    {
        if (size == 0)
            return Hash32.Empty;
        Hash32? root = null;
        for (var height = 0; height < 64; height++)
        {
            if ((size >> height & 1) == 0)
                continue;
            // The peak of this height is the last perfect subtree of its size: it ends where the lower bits begin.
            var node = Node(height, (size >> height) - 1);
            root = root is { } right ? MerkleNode.Join(node, right) : node;
        }

        return root!.Value;
    }

    /// <summary>The root of the perfect subtree of 2^height leaves with this index among its like.</summary>
    public Hash32 Node(int height, ulong index)
    {
        var level = height / TileHeight;
        var above = height % TileHeight;
        var first = index << above;
        var count = 1 << above;
        var tree = new MerkleTree();
        if (level == 0)
        {
            foreach (var leaf in Leaves(first + 1, count))
                tree.Append(leaf);
        }
        else
        {
            var key = Keyspace.Tile(level, first / LogTree.TileWidth);
            var tile = Checked.Get(view, Family.Tree, key) ?? throw Violation.OfRow(Family.Tree, key, "it is missing");
            var at = (int)(first % LogTree.TileWidth);
            if (tile.Length < (at + count) * Hash32.Length)
                throw Violation.OfRow(Family.Tree, key, "it is cut short");
            for (var i = at; i < at + count; i++)
                tree.Append(Hash32.Read(tile.Span[(i * Hash32.Length)..]));
        }

        return tree.Root();
    }

    /// <summary>Leaf hashes in log order: of events from the index, of control entries computed.</summary>
    public IEnumerable<Hash32> Leaves(ulong from, int count)
    {
        var rows = view.Range(Family.Log, Keyspace.Position(from), Keyspace.Position(from + (ulong)count), count, int.MaxValue);
        if (rows.Count != count)
            throw Violation.Of($"The log has {rows.Count} of the {count} entries from position {from} on.");
        foreach (var (key, value) in rows)
        {
            var entry = EntryRow.TryRead(Checked.Body(Family.Log, key, value)) ?? throw Violation.OfRow(Family.Log, key, "it cannot be read");
            yield return entry.IsControl ? entry.Leaf(default, default) : IndexedLeaf(entry);
        }
    }

    Hash32 IndexedLeaf(EntryRow entry)
    {
        var key = Keyspace.Versioned(entry.Aggregate!, entry.Version);
        return Checked.Get(view, Family.Index, key) is { } body && IndexRow.TryRead(body, out var index)
            ? index.Leaf
            : throw Violation.OfRow(Family.Index, key, "it is missing or cannot be read");
    }
}
