namespace EventDbx.Reading;

/// <summary>The full tiles of one log that were asked for last. A full tile never changes, so no view makes it stale.</summary>
/// <remarks>Thread-safe. What it holds is no more believed than the rows it came from: whoever makes a proof verifies it.</remarks>
/// <param name="tilesMax">Tiles remembered, some 16 KiB each.</param>
internal sealed class TileCache(int tilesMax = Limits.LogTilesRemembered)
{
    readonly Lock _gate = new();
    readonly Dictionary<(int Level, ulong Tile), LinkedListNode<((int, ulong) Key, TileNodes Nodes)>> _tiles = [];
    readonly LinkedList<((int Level, ulong Tile) Key, TileNodes Nodes)> _newestFirst = new();

    public TileNodes? Find(int level, ulong tile)
    {
        lock (_gate)
        {
            if (!_tiles.TryGetValue((level, tile), out var found))
                return null;
            _newestFirst.Remove(found);
            _newestFirst.AddFirst(found);
            return found.Value.Nodes;
        }
    }

    public void Add(int level, ulong tile, TileNodes nodes)
    {
        lock (_gate)
        {
            if (_tiles.ContainsKey((level, tile)))
                return;
            if (_tiles.Count >= tilesMax)
            {
                _tiles.Remove(_newestFirst.Last!.Value.Key);
                _newestFirst.RemoveLast();
            }

            _tiles.Add((level, tile), _newestFirst.AddFirst(((level, tile), nodes)));
        }
    }
}
