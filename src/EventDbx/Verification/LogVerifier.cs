namespace EventDbx.Verification;

/// <summary>Reads the log in its own order: positions, batches, leaves, the tree with its tiles, control entries.</summary>
/// <remarks>
/// The leaves of events come from the index, by one batch of gets a page; that they are the hashes of what is in the log is
/// verified in key order, where an aggregate's key has to be opened only once.
/// </remarks>
/// <param name="view">Of everything.</param>
/// <param name="stored">Size and frontier of the log as its row has them.</param>
/// <param name="mark">The newest watermark; null without one.</param>
/// <param name="lifecycles">Takes the control entries.</param>
internal sealed class LogVerifier(IStorageView view, MerkleTree stored, WatermarkSlot? mark, LifecycleLedger lifecycles)
{
    const int RowsMax = 512;

    readonly LogTree _log = new(new());
    readonly WritePlan _tiles = new();
    readonly List<(ulong Position, EntryRow Entry)> _page = new(RowsMax);
    (ushort Index, ushort Count) _batch;

    /// <summary>What an earlier, interrupted verify has found out; its root is looked for.</summary>
    public EarlierVerify? Earlier { get; init; }

    /// <summary>Told of each aggregate that something was committed of after <see cref="Earlier"/>.</summary>
    public Action<AggregateKey>? Touched { get; init; }

    public SchemaLedger Schemas { get; } = new();

    /// <summary>Told of each size with its tree, and of each epoch that begins.</summary>
    public required CheckpointVerifier Checkpoints { get; init; }

    /// <summary>Takes the entries of snapshots; null where they are not compared.</summary>
    public SnapshotLedger? Snapshots { get; init; }

    public MerkleTree Tree => _log.Tree;

    public ulong Events { get; private set; }

    public ulong ControlEntries { get; private set; }

    public ulong Tiles { get; private set; }

    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public void Run(Action<ulong> done)
    {
        CheckMark();
        var rows = new RowCursor(view, Family.Log, [0, 0], []);
        while (FillPage(rows))
        {
            AppendPage();
            done(_log.Size);
        }

        if (_log.Size != stored.Size)
            throw Violation.Of($"The log ends at position {_log.Size}, but {stored.Size} entries were committed: entry {_log.Size + 1} is missing.");
        RequireWholeBatch();
        CheckFrontier();
        CheckTileCount();
    }

    bool FillPage(RowCursor rows)
    {
        _page.Clear();
        AggregateKey? last = null;
        for (; _page.Count < RowsMax && rows.Peek() is { } row; rows.Take())
        {
            var position = Keyspace.ReadPosition(row.Key);
            var expected = _log.Size + (ulong)_page.Count + 1;
            if (position != expected)
                throw Violation.Of($"The log has no entry at position {expected}; position {position} follows.");
            if (position > stored.Size)
                throw Violation.Of($"The log has an entry at position {position}, but only {stored.Size} were committed.");
            var entry = EntryRow.TryRead(Checked.Body(Family.Log, row.Key, row.Value), last) ?? throw Violation.OfRow(Family.Log, row.Key, "it cannot be read");
            last = entry.Aggregate ?? last;
            _page.Add((position, entry));
        }

        return _page.Count > 0;
    }

    void AppendPage()
    {
        var keys = new List<byte[]>(_page.Count);
        foreach (var (_, entry) in _page)
        {
            if (!entry.IsControl)
                keys.Add(Keyspace.Versioned(entry.Aggregate!, entry.Version));
        }

        var indexes = view.GetMany(Family.Index, keys);
        var next = 0;
        foreach (var (position, entry) in _page)
        {
            CheckBatch(position, entry);
            if (entry.IsControl)
            {
                ControlEntries++;
                lifecycles.Note(position, entry);
                Schemas.Note(position, entry);
                Snapshots?.Note(entry);
                Checkpoints.Note(position, entry, _log.Tree);
                Touch(position, Touched is null ? null : LifecycleNames.Aggregate(entry.Subject));
                Append(entry.Leaf(default, default));
                continue;
            }

            Events++;
            Schemas.Check(position, entry);
            Touch(position, entry.Aggregate);
            var key = keys[next];
            if (indexes[next++] is not { } value || !IndexRow.TryRead(Checked.Body(Family.Index, key, value), out var index) || index.Position != position)
                throw Violation.Of($"The index does not lead to version {entry.Version} of {entry.Aggregate} at position {position}.");
            Append(index.Leaf);
        }
    }

    /// <summary>Within a batch, places count from 1 to its size, one entry after the other.</summary>
    void CheckBatch(ulong position, EntryRow entry)
    {
        var (index, count) = (entry.BatchIndex, entry.BatchCount);
        if (index <= 1)
            RequireWholeBatch();
        else if (count != _batch.Count || index != _batch.Index + 1)
            throw Violation.Of($"The entry at position {position} is number {index} of a batch of {count}, but follows number {_batch.Index} of {_batch.Count}.");
        _batch = (index, count);
    }

    void RequireWholeBatch()
    {
        if (_batch.Index < _batch.Count)
            throw Violation.Of($"The batch that ends at position {_log.Size} has {_batch.Count} entries, but only {_batch.Index} of them are there.");
    }

    void Touch(ulong position, AggregateKey? aggregate)
    {
        if (aggregate is not null && position > Earlier?.LogSize)
            Touched?.Invoke(aggregate);
    }

    void Append(in Hash32 leaf)
    {
        _log.Append(leaf, _tiles);
        if (!_tiles.IsEmpty)
            CheckTiles();
        Checkpoints.At(_log.Tree);
        if (Earlier is { } earlier && earlier.LogSize == _log.Size && _log.Tree.Root() is var then && then != earlier.LogRoot)
            throw Violation.Of($"The first {_log.Size} entries have root {then}, but had {earlier.LogRoot} when the verify that is resumed read them: history was changed since.");
        if (mark is { } watermark && watermark.LogSize == _log.Size && _log.Tree.Root() is var root && root != watermark.LogRoot)
            throw Violation.Of($"The first {_log.Size} entries have root {root}, but the watermark says that {watermark.LogRoot} was synced: history was changed.");
    }

    /// <summary>A tile is held against its row when it is full, or the log has no more nodes for it.</summary>
    void CheckTiles()
    {
        foreach (var put in _tiles)
        {
            var (level, tile) = Keyspace.ReadTile(put.Key);
            var filled = (put.Value.Length - Checked.TrailerBytes) / Hash32.Length;
            var last = (tile * LogTree.TileWidth) + (ulong)filled == LogTree.NodesAt(level, stored.Size);
            if (filled < LogTree.TileWidth && !last)
                continue;
            Tiles++;
            if (view.Get(Family.Tree, put.Key) is not { } row)
                throw Violation.OfRow(Family.Tree, put.Key, "it is missing");
            if (!row.AsSpan().SequenceEqual(put.Value))
                throw Violation.OfRow(Family.Tree, put.Key, $"tile {tile} of level {level} is not the one that the entries up to position {_log.Size + 1} lead to");
        }

        _tiles.Clear();
    }

    void CheckTileCount()
    {
        var rows = new RowCursor(view, Family.Tree, Keyspace.FirstName.ToArray(), []);
        for (; rows.Peek() is { } row; rows.Take())
        {
            var of = row.Key.Length == 9 ? Keyspace.ReadTile(row.Key) : default;
            if (of.Level is < 1 or > 7 || LogTree.NodesAt(of.Level, stored.Size) <= of.Index * LogTree.TileWidth)
                throw Violation.OfRow(Family.Tree, row.Key, $"a log of {stored.Size} entries has no such tile");
        }

        if (rows.Taken != Tiles)
            throw Violation.Of($"Family `tree` has {rows.Taken} tiles; the log leads to {Tiles}.");
    }

    void CheckMark()
    {
        if (Earlier is { } earlier && earlier.LogSize > stored.Size)
            throw Violation.Of($"The verify that is resumed read {earlier.LogSize} entries, but the log has {stored.Size}: entries {stored.Size + 1} to {earlier.LogSize} are missing.");
        if (mark is { } watermark && watermark.LogSize > stored.Size)
            throw Violation.Of($"{watermark.LogSize} entries were synced, as the watermark says, but the log has {stored.Size}: entries {stored.Size + 1} to {watermark.LogSize} are missing.");
    }

    /// <summary>The root as stored is the one computed; if not, the largest part that differs is named.</summary>
    void CheckFrontier()
    {
        var from = 1UL;
        for (var height = 63; height >= 0; height--)
        {
            if ((stored.Size >> height & 1) == 0)
                continue;
            var to = from + (1UL << height) - 1;
            if (stored.PeakAt(height) != _log.Tree.PeakAt(height))
                throw Violation.Of($"Entries {from} to {to} of the log do not hash to what was committed: one of them was changed.");
            from = to + 1;
        }
    }
}
