namespace EventDbx.Reading;

/// <summary>The tiles of one log that were asked for last. A tile of a given width never changes, so no view makes it stale.</summary>
/// <remarks>
/// Of tiles that are still growing, one a level is remembered: the proofs of one checkpoint all end in the same ones. Thread-safe. Only tiles are remembered that lead to a root that was committed (<see cref="LogNodes"/>): a row that was changed does no harm beyond itself.
/// </remarks>
/// <param name="tilesMax">Full tiles remembered, some 16 KiB each.</param>
internal sealed class TileCache(int tilesMax = Limits.LogTilesRemembered)
{
    readonly Lock _gate = new();
    readonly Dictionary<(int Level, ulong Tile), LinkedListNode<((int, ulong) Key, TileNodes Nodes)>> _tiles = [];
    readonly LinkedList<((int Level, ulong Tile) Key, TileNodes Nodes)> _newestFirst = new();

    readonly (ulong Tile, TileNodes Nodes)?[] _growing = new (ulong, TileNodes)?[LogTree.LevelsMax];

    long _hits;
    long _misses;

    /// <summary>How often a tile was remembered when it was wanted, and how often not; how many full ones are.</summary>
    public (long Hits, long Misses, int Tiles) Figures
    {
        get
        {
            lock (_gate)
                return (_hits, _misses, _tiles.Count);
        }
    }

    public TileNodes? Find(int level, ulong tile, int width)
    {
        lock (_gate)
        {
            var found = FindHere(level, tile, width);
            _ = found is null ? _misses++ : _hits++;
            return found;
        }
    }

    TileNodes? FindHere(int level, ulong tile, int width)
    {
        if (width < LogTree.TileWidth)
            return _growing[level] is { } growing && growing.Tile == tile && growing.Nodes.Width == width ? growing.Nodes : null;
        if (!_tiles.TryGetValue((level, tile), out var found))
            return null;
        _newestFirst.Remove(found);
        _newestFirst.AddFirst(found);
        return found.Value.Nodes;
    }

    public void Add(int level, ulong tile, TileNodes nodes)
    {
        lock (_gate)
        {
            if (nodes.Width < LogTree.TileWidth)
            {
                _growing[level] = (tile, nodes);
                return;
            }

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
