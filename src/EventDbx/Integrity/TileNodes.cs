namespace EventDbx.Integrity;

/// <summary>Up to 256 neighbouring nodes of a tree, and every node above them that they decide.</summary>
/// <remarks>
/// <code>
/// height in the tile   0                 1                …  8
/// place                0 … 255           256 … 383        …  510
/// </code>
/// </remarks>
internal sealed class TileNodes
{
    readonly Hash32[] _nodes = new Hash32[(2 * LogTree.TileWidth) - 1];

    /// <param name="hashes">1 to 256 nodes, from the tile's first on.</param>
    public TileNodes(IReadOnlyList<Hash32> hashes)
    {
        Width = hashes.Count;
        for (var i = 0; i < Width; i++)
            _nodes[i] = hashes[i];
        for (var height = 1; height <= LogTree.TileHeight; height++)
        {
            var below = Begin(height - 1);
            for (var i = 0; i < Width >> height; i++)
                _nodes[Begin(height) + i] = MerkleNode.Join(_nodes[below + (2 * i)], _nodes[below + (2 * i) + 1]);
        }
    }

    /// <summary>Nodes at height 0.</summary>
    public int Width { get; }

    /// <summary>The root of 2^height neighbouring nodes; false when the tile does not reach so far.</summary>
    public bool TryGet(int height, int index, out Hash32 node)
    {
        var there = index < Width >> height;
        node = there ? _nodes[Begin(height) + index] : default;
        return there;
    }

    static int Begin(int height) => (2 * LogTree.TileWidth) - ((2 * LogTree.TileWidth) >> height);
}
