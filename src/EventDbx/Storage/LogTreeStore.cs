using System.Buffers.Binary;

namespace EventDbx.Storage;

/// <summary>The log tree as it lies in the store: its size and frontier, the tiles, and the rows that say what reflects it.</summary>
internal static class LogTreeStore
{
    /// <summary>The tree as of the newest commit in the view; empty for a new store.</summary>
    public static LogTree Load(IStorageView view)
    {
        if (Checked.Get(view, Family.Meta, Keyspace.LogRow) is not { } body)
            return new(new());
        var log = new LogTree(LogSizeRow.TryRead(body) ?? throw Violation.OfRow(Family.Meta, Keyspace.LogRow, "it cannot be read"));
        for (var level = 1; LogTree.NodesAt(level, log.Size) is var nodes and > 0; level++)
        {
            // A full tile is left alone; the next node begins the next one.
            if (nodes % LogTree.TileWidth == 0)
                continue;
            var key = Keyspace.Tile(level, nodes / LogTree.TileWidth);
            var tile = Checked.Get(view, Family.Tree, key);
            if (tile?.Length != (int)(nodes % LogTree.TileWidth) * Hash32.Length)
                throw Violation.OfRow(Family.Tree, key, "it does not hold as many nodes as the log is long");
            log.Load(level, tile.Value.Span);
        }

        return log;
    }

    /// <summary>Size and frontier alone: all that a root needs.</summary>
    public static MerkleTree LoadFrontier(IStorageView view) => Checked.Get(view, Family.Meta, Keyspace.LogRow) is { } body
        ? LogSizeRow.TryRead(body) ?? throw Violation.OfRow(Family.Meta, Keyspace.LogRow, "it cannot be read")
        : new();

    /// <summary>Puts the size, and into every family how far it reflects the log.</summary>
    public static void PutSize(WritePlan plan, MerkleTree tree)
    {
        Checked.Put(plan, Family.Meta, Keyspace.LogRow, LogSizeRow.Write(tree));
        Span<byte> size = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(size, tree.Size);
        foreach (var family in Families.All)
            Checked.Put(plan, family, Keyspace.Reflects, size);
    }

    /// <summary>How far a family says it reflects the log; 0 where it says nothing.</summary>
    public static ulong Reflects(IStorageView view, Family family) =>
        Checked.Get(view, family, Keyspace.Reflects) is { Length: 8 } body ? BinaryPrimitives.ReadUInt64BigEndian(body.Span) : 0;
}
