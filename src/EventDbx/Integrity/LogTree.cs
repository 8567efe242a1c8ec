namespace EventDbx.Integrity;

/// <summary>The tree over all entries, as the writer keeps it: the frontier, and the newest tile of each level.</summary>
/// <remarks>
/// A tile is 256 neighbouring node hashes; level L holds the nodes of height 8·L. Level 0 is the entries' own leaf hashes and
/// is not stored again. Tiles let any node, and so any old root or proof, be computed from a few rows.
/// </remarks>
internal sealed class LogTree
{
    /// <summary>Nodes in a full tile; the width of C2SP tlog-tiles.</summary>
    public const int TileWidth = 256;

    /// <summary>Levels of the tree between a node of a tile and the root of that tile.</summary>
    public const int TileHeight = 8;

    /// <summary>Levels of tiles in a tree of 2^64 leaves.</summary>
    public const int LevelsMax = 64 / TileHeight;

    /// <summary>The newest tile of level L + 1; how much of it is filled follows from the size.</summary>
    readonly Hash32[]?[] _tiles = new Hash32[]?[LevelsMax];

    public LogTree(MerkleTree tree) => Tree = tree;

    public MerkleTree Tree { get; }

    public ulong Size => Tree.Size;

    /// <summary>Nodes of height 8·level in a tree of that many leaves.</summary>
    public static ulong NodesAt(int level, ulong size) => size >> (TileHeight * level);

    /// <summary>Takes over a stored tile on opening.</summary>
    public void Load(int level, ReadOnlySpan<byte> hashes)
    {
        var tile = new Hash32[TileWidth];
        for (var i = 0; i < hashes.Length / Hash32.Length; i++)
            tile[i] = Hash32.Read(hashes[(i * Hash32.Length)..]);
        _tiles[level - 1] = tile;
    }

    /// <summary>Appends a leaf and puts the tiles that it changes.</summary>
    public void Append(in Hash32 leaf, WritePlan plan)
    {
        var size = Tree.Size + 1;
        if (size % TileWidth == 0)
            CloseNodes(leaf, size, plan);
        Tree.Append(leaf);
    }

    void CloseNodes(Hash32 node, ulong size, WritePlan plan)
    {
        for (var level = 1; level <= LevelsMax - 1 && size % (1UL << (TileHeight * level)) == 0; level++)
        {
            // All peaks below this height exist just before the leaf that completes it: fold them into the leaf.
            for (var height = TileHeight * (level - 1); height < TileHeight * level; height++)
                node = MerkleNode.Join(Tree.PeakAt(height), node);
            var index = NodesAt(level, size) - 1;
            var filled = (int)(index % TileWidth) + 1;
            var tile = _tiles[level - 1] ??= new Hash32[TileWidth];
            tile[filled - 1] = node;
            var row = Checked.Open(plan, Family.Tree, Keyspace.Tile(level, index / TileWidth), filled * Hash32.Length);
            for (var i = 0; i < filled; i++)
                tile[i].Write(row.Body[(i * Hash32.Length)..]);
            row.Close();
        }
    }

    /// <summary>Becomes equal to another tree, reusing this one's memory: a batch that is refused half way comes back to it.</summary>
    public void CopyFrom(LogTree other)
    {
        Tree.CopyFrom(other.Tree);
        for (var i = 0; i < LevelsMax; i++)
        {
            if (other._tiles[i] is { } tile)
                tile.CopyTo(_tiles[i] ??= new Hash32[TileWidth], 0);
            else
                _tiles[i] = null;
        }
    }
}
