using EventDbx.Checkpoints;

namespace EventDbx.Reading;

/// <summary>Any node of the log tree, and so any old root, tile or proof, from tiles and leaf hashes.</summary>
/// <remarks>
/// Where the root is known, nothing leaves that does not lead to it, and only such tiles are remembered:
/// <code>
/// the growing tiles, one a level    hold the peaks of the tree, and fold to its root
/// a full tile                       has the hash that stands for it in the tile above, which is held against its own above
/// </code>
/// Used by one thread at a time.
/// </remarks>
/// <param name="view">Has at least <paramref name="size"/> entries.</param>
/// <param name="size">Entries of the log that are looked at; nothing behind them is.</param>
internal sealed class LogNodes(IStorageView view, ulong size)
{
    readonly TileCache? _cache;
    readonly Hash32? _root;
    bool _growingVerified;

    /// <param name="view">Has at least as many entries as <paramref name="committed"/>.</param>
    /// <param name="committed">Size and root that are known from elsewhere than the rows.</param>
    /// <param name="cache">Tiles that were verified before; null: each is read anew.</param>
    public LogNodes(IStorageView view, in TreePoint committed, TileCache? cache = null)
        : this(view, committed.Size) => (_root, _cache) = (committed.Root, cache);

    /// <summary>The full tile used last on each level, and the one at the end: the walk of the next proof comes back to them.</summary>
    readonly (ulong Tile, TileNodes Nodes)?[] _last = new (ulong, TileNodes)?[LogTree.LevelsMax], _growing = new (ulong, TileNodes)?[LogTree.LevelsMax];

    /// <summary>The root of the log's first entries.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>: a tile or an entry is missing or changed.</exception>
    public Hash32 RootAt(ulong entries)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(entries, size);
        return ProofPath.Root(new(0, entries), Node);
    }

    /// <summary>The roots of subtrees, in their order: the path of a proof.</summary>
    public Hash32[] Path(IReadOnlyList<Subtree> subtrees) => [.. subtrees.Select(subtree => ProofPath.Root(subtree, Node))];

    /// <summary>The root of the perfect subtree of 2^height leaves with this index among its like.</summary>
    public Hash32 Node(int height, ulong index)
    {
        var level = height / LogTree.TileHeight;
        var above = height % LogTree.TileHeight;
        var first = index << above;
        var nodes = TileAt(level, first / LogTree.TileWidth);
        return nodes.TryGet(above, (int)(first % LogTree.TileWidth) >> above, out var node)
            ? node
            : throw new ArgumentOutOfRangeException(nameof(index), index, $"A log of {size} entries has no such node of height {height}.");
    }

    /// <summary>A tile as C2SP tlog-tiles has it: 1 to 256 hashes one after the other; null when the log has no such tile.</summary>
    /// <param name="level">0: leaf hashes.</param>
    /// <param name="tile">Index among its like.</param>
    /// <param name="width">Hashes of it.</param>
    public byte[]? Tile(int level, ulong tile, int width)
    {
        if (level is < 0 or >= LogTree.LevelsMax || width is < 1 or > LogTree.TileWidth)
            return null;
        var nodes = LogTree.NodesAt(level, size);
        if (tile >= (nodes + LogTree.TileWidth - 1) / LogTree.TileWidth || (tile * LogTree.TileWidth) + (ulong)width > nodes)
            return null;
        var bytes = new byte[width * Hash32.Length];
        var source = TileAt(level, tile);
        for (var i = 0; i < width; i++)
        {
            source.TryGet(0, i, out var hash);
            hash.Write(bytes.AsSpan(i * Hash32.Length));
        }

        return bytes;
    }

    TileNodes TileAt(int level, ulong tile)
    {
        var there = LogTree.NodesAt(level, size);
        var from = tile * LogTree.TileWidth;
        if (from >= there)
            throw new ArgumentOutOfRangeException(nameof(tile), tile, $"A log of {size} entries has no such tile on level {level}.");
        var width = (int)Math.Min(LogTree.TileWidth, there - from);
        ref var recent = ref (width == LogTree.TileWidth ? _last : _growing)[level];
        if (recent is { } kept && kept.Tile == tile)
            return kept.Nodes;
        if (width < LogTree.TileWidth && _root is not null && !_growingVerified)
        {
            VerifyGrowing();
            return TileAt(level, tile);
        }

        var nodes = _cache?.Find(level, tile, width);
        if (nodes is null)
        {
            nodes = Read(level, tile, width);
            if (_root is not null && width == LogTree.TileWidth)
                VerifyFull(level, tile, nodes);
            _cache?.Add(level, tile, nodes);
        }

        recent = (tile, nodes);
        return nodes;
    }

    TileNodes Read(int level, ulong tile, int width) => new(level == 0 ? Leaves((tile * LogTree.TileWidth) + 1, width) : ReadTile(level, tile, width));

    /// <summary>The growing tiles, all at once: their nodes are those that the root is made of.</summary>
    void VerifyGrowing()
    {
        var growing = new TileNodes?[LogTree.LevelsMax];
        for (var level = 0; level < LogTree.LevelsMax; level++)
        {
            var nodes = LogTree.NodesAt(level, size);
            var (tile, width) = (nodes / LogTree.TileWidth, (int)(nodes % LogTree.TileWidth));
            if (width > 0)
                growing[level] = _cache?.Find(level, tile, width) ?? Read(level, tile, width);
        }

        var root = ProofPath.Root(new(0, size), (height, index) =>
            growing[height / LogTree.TileHeight]!.TryGet(height % LogTree.TileHeight, (int)(((index << (height % LogTree.TileHeight)) % LogTree.TileWidth) >> (height % LogTree.TileHeight)), out var node)
                ? node
                : throw new InvalidOperationException($"The growing tiles of a log of {size} entries have no peak of height {height}."));
        if (root != _root)
            throw Violation.Of($"The first {size} entries are stored with root {root}, but {_root} was committed: history was changed.");
        for (var level = 0; level < LogTree.LevelsMax; level++)
        {
            if (growing[level] is not { } nodes)
                continue;
            var tile = LogTree.NodesAt(level, size) / LogTree.TileWidth;
            _growing[level] = (tile, nodes);
            _cache?.Add(level, tile, nodes);
        }

        _growingVerified = true;
    }

    /// <summary>A full tile is one node of the level above.</summary>
    void VerifyFull(int level, ulong tile, TileNodes nodes)
    {
        nodes.TryGet(LogTree.TileHeight, 0, out var root);
        TileAt(level + 1, tile / LogTree.TileWidth).TryGet(0, (int)(tile % LogTree.TileWidth), out var above);
        if (root != above)
            throw Violation.Of($"Tile {tile} of level {level} of the log tree hashes to {root}, but {above} was committed: history was changed.");
    }

    Hash32[] ReadTile(int level, ulong tile, int width)
    {
        var key = Keyspace.Tile(level, tile);
        var row = Checked.Get(view, Family.Tree, key) ?? throw Violation.OfRow(Family.Tree, key, "it is missing");
        if (row.Length < width * Hash32.Length)
            throw Violation.OfRow(Family.Tree, key, "it is cut short");
        var hashes = new Hash32[width];
        for (var i = 0; i < width; i++)
            hashes[i] = Hash32.Read(row.Span[(i * Hash32.Length)..]);
        return hashes;
    }

    /// <summary>Leaf hashes in log order: of events from the index, of control entries computed.</summary>
    /// <remarks>Entries may be large: they are read by pages, and only what names them is kept.</remarks>
    Hash32[] Leaves(ulong from, int count)
    {
        var leaves = new Hash32[count];
        var (keys, places) = (new List<byte[]>(count), new List<int>(count));
        for (var done = 0; done < count;)
        {
            var rows = view.Range(Family.Log, Keyspace.Position(from + (ulong)done), Keyspace.Position(from + (ulong)count), count, Limits.PageBytesMax);
            if (rows.Count == 0)
                throw Violation.Of($"The log has no entry at position {from + (ulong)done}, though it is longer.");
            foreach (var (key, value) in rows)
            {
                if (Keyspace.ReadPosition(key) != from + (ulong)done)
                    throw Violation.Of($"The log has no entry at position {from + (ulong)done}, though it is longer.");
                var entry = EntryRow.TryRead(Checked.Body(Family.Log, key, value)) ?? throw Violation.OfRow(Family.Log, key, "it cannot be read");
                if (entry.IsControl)
                {
                    leaves[done] = entry.Leaf(default, default);
                }
                else
                {
                    keys.Add(Keyspace.Versioned(entry.Aggregate!, entry.Version));
                    places.Add(done);
                }

                done++;
            }
        }

        var indexes = view.GetMany(Family.Index, keys);
        for (var i = 0; i < keys.Count; i++)
        {
            if (indexes[i] is not { } row || !IndexRow.TryRead(Checked.Body(Family.Index, keys[i], row), out var index))
                throw Violation.OfRow(Family.Index, keys[i], "it is missing or cannot be read");
            leaves[places[i]] = index.Leaf;
        }

        return leaves;
    }
}
