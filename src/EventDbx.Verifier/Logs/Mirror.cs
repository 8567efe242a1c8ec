using System.Globalization;

namespace EventDbx.Verifier.Logs;

/// <summary>A directory with a checkpoint and the tiles of its tree: docs/proofs.md, section 5, C2SP tlog-tiles.</summary>
/// <param name="directory">With the file <c>checkpoint</c> in it.</param>
/// <param name="since">An older checkpoint that the caller kept, or null: its root is computed on the way.</param>
/// <param name="report">What was found.</param>
internal sealed class Mirror(string directory, Checkpoint? since, Report report)
{
    /// <summary>Hashes in a full tile: the leaves of a subtree of 8 levels.</summary>
    const int TileHashes = 256;

    const int TileLevels = 8;

    readonly Frontier _tree = new();
    readonly List<Level> _levels = [];
    readonly byte[] _file = new byte[(TileHashes * Digest.Length) + 1];
    readonly List<string> _absent = [];
    Checkpoint _checkpoint = null!;
    Digest _rootSince = Digest.OfNothing;
    ulong _tiles;

    /// <summary>Told the leaves that were hashed so far.</summary>
    public Action<long>? Progress { get; init; }

    /// <exception cref="RefutedException">A tile is not what the tiles below it say, or the root is another.</exception>
    public void Check(Trust trust)
    {
        _checkpoint = Checkpoint.Parse(Files.Read(Path.Combine(directory, "checkpoint"), Limits.NoteBytesMax).Span, "The checkpoint");
        report.Checkpoint = _checkpoint;
        trust.Judge(_checkpoint, report);
        if (since is not null)
        {
            trust.JudgeLog(since, report);
            Documents.Consistency.DemandOneLog(since, _checkpoint);
        }

        ReadLeaves();
        if (_absent.Count == 0)
            Conclude();
        else
            report.Misses($"there is no {_absent[0]}{(_absent.Count > 1 ? " (and others)" : "")}: what it covers was not checked.");
        report.ProvesCheckpoint();
        report.LeavesOpen("what the entries are: their hashes alone were looked at.");
    }

    void Conclude()
    {
        KeepRoot();
        if (_tree.Root() is var root && root != _checkpoint.Root)
            throw new RefutedException($"The tiles are not the tree of the checkpoint: their root is {root}, and the signed one {_checkpoint.Root}.");
        if (since is not null && _rootSince != since.Root)
        {
            throw new RefutedException(
                $"The log showed two histories: the first {Amount.Of(since.Size, "entry", "entries")} of its newer checkpoint have the root {_rootSince}, and the checkpoint that you kept has {since.Root}. Keep both: where both are signed, they prove it.");
        }

        report.Proves($"{Amount.Of(_tiles, "tile", "tiles")} with {Amount.Of(_checkpoint.Size, "leaf hash", "leaf hashes")} are the whole tree of the checkpoint: each hash is that of the ones below it.");
        if (since is not null)
            Documents.Consistency.SayLog(since, _checkpoint, report);
    }

    void ReadLeaves()
    {
        var full = _checkpoint.Size / TileHashes;
        for (ulong tile = 0; tile < full; tile++)
        {
            if (Tile(0, tile, TileHashes) is not { } hashes)
                return;
            var root = Root(hashes);
            // The older root may lie in the middle of a tile; elsewhere a full tile is one subtree.
            if (since is not null && since.Size / TileHashes == tile)
                Grow(hashes);
            else
                _tree.Append(root, TileLevels);
            Ascend(1, root);
            Progress?.Invoke((long)_tree.Size);
            if (_absent.Count > 0)
                return;
        }

        var rest = (int)(_checkpoint.Size % TileHashes);
        if (rest > 0 && Tile(0, full, rest) is { } last)
            Grow(last);
        for (var level = 1; level <= _levels.Count && _absent.Count == 0; level++)
            CheckPartial(level);
    }

    void Grow(ReadOnlySpan<Digest> leaves)
    {
        foreach (var leaf in leaves)
        {
            KeepRoot();
            _tree.Append(leaf);
        }
    }

    void KeepRoot()
    {
        if (_tree.Size == since?.Size)
            _rootSince = _tree.Root();
    }

    /// <summary>A full tile of the level below has this root: it is the next hash of a tile of this level.</summary>
    void Ascend(int level, Digest root)
    {
        if (_levels.Count < level)
            _levels.Add(new());
        var at = _levels[level - 1];
        at.Hashes.Add(root);
        if (at.Hashes.Count < TileHashes)
            return;
        var stored = Tile(level, at.Full, TileHashes);
        if (stored is null)
            return;
        Compare(level, at.Full, at.Hashes, stored);
        at.Full++;
        at.Hashes.Clear();
        Ascend(level + 1, Root(stored));
    }

    void CheckPartial(int level)
    {
        var at = _levels[level - 1];
        if (at.Hashes.Count > 0 && Tile(level, at.Full, at.Hashes.Count) is { } stored)
            Compare(level, at.Full, at.Hashes, stored);
    }

    static void Compare(int level, ulong number, List<Digest> computed, Digest[] stored)
    {
        for (var i = 0; i < stored.Length; i++)
        {
            if (stored[i] != computed[i])
                throw new RefutedException($"Hash {i} of {Name(level, number, TileHashes)} is not that of the tile below it: {stored[i]}, and the tile has {computed[i]}.");
        }
    }

    /// <summary>The first hashes of a tile: from its partial file, or from the full one. Null where there is none.</summary>
    Digest[]? Tile(int level, ulong number, int width)
    {
        var partial = Name(level, number, width);
        var name = width < TileHashes && !File.Exists(Path.Combine(directory, partial)) ? Name(level, number, TileHashes) : partial;
        var path = Path.Combine(directory, name);
        if (!File.Exists(path))
        {
            _absent.Add(partial);
            return null;
        }

        var length = Files.ReadInto(path, _file);
        var demanded = (name == partial ? width : TileHashes) * Digest.Length;
        if (length != demanded)
            throw new RefutedException($"{name} has {(length > TileHashes * Digest.Length ? "more" : length)} bytes, not {demanded}.");
        var hashes = new Digest[width];
        for (var i = 0; i < width; i++)
            hashes[i] = Digest.Read(_file.AsSpan(i * Digest.Length, Digest.Length));
        _tiles++;
        return hashes;
    }

    static Digest Root(ReadOnlySpan<Digest> hashes)
    {
        Span<Digest> row = stackalloc Digest[TileHashes];
        hashes.CopyTo(row);
        for (var width = TileHashes / 2; width > 0; width /= 2)
        {
            for (var i = 0; i < width; i++)
                row[i] = Sha.Node(row[2 * i], row[(2 * i) + 1]);
        }

        return row[0];
    }

    /// <summary><c>tile/0/x001/x234/067</c>, and for a partial tile <c>.p/112</c>.</summary>
    static string Name(int level, ulong number, int width)
    {
        var name = (number % 1000).ToString("000", CultureInfo.InvariantCulture);
        for (var rest = number / 1000; rest > 0; rest /= 1000)
            name = string.Create(CultureInfo.InvariantCulture, $"x{rest % 1000:000}/{name}");
        name = string.Create(CultureInfo.InvariantCulture, $"tile/{level}/{name}");
        return width == TileHashes ? name : string.Create(CultureInfo.InvariantCulture, $"{name}.p/{width}");
    }

    /// <summary>Hashes of the tile that is being filled on a level above the leaves.</summary>
    sealed class Level
    {
        public List<Digest> Hashes { get; } = new(TileHashes);

        /// <summary>Tiles that are full already.</summary>
        public ulong Full { get; set; }
    }
}
