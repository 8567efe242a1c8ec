namespace EventDbx.Verifier.Bundles;

/// <summary>One aggregate's tree as its events come by.</summary>
internal sealed class AggregateTree
{
    readonly Frontier _frontier = new();

    public ulong Version => _frontier.Size;

    public Digest Root { get; private set; } = Digest.OfNothing;

    /// <summary>Checks the next event and appends it.</summary>
    /// <exception cref="RefutedException">It is not the next, or not what it says.</exception>
    public void Append(Documents.EventRecord record, ulong line)
    {
        if (record.Version != Version + 1)
            throw new RefutedException($"Line {line}: {record.Named} stands where version {Version + 1} belongs.");
        var leaf = record.LeafHash(Root);
        if (leaf != record.Hash)
        {
            throw new RefutedException(
                $"Line {line}: {record.Named} is not the event with the hash it shows: behind the events before it, its content has the hash {leaf}, and it shows {record.Hash}.");
        }

        _frontier.Append(leaf);
        Root = _frontier.Root();
        if (Root != record.MerkleRoot)
            throw new RefutedException($"Line {line}: {record.Named} shows the root {record.MerkleRoot}, and the aggregate has {Root} with it.");
    }
}

/// <summary>The trees of a part of the aggregates of a log, which come by in any order.</summary>
/// <remarks>
/// Aggregates are spread by a hash of their names over 64 bits. Where they are too many for the memory, the upper half of them is left
/// to another pass over the bundle, and so on.
/// </remarks>
/// <param name="from">Of the spread: the first that belongs to this part.</param>
/// <param name="most">How many may be in memory.</param>
internal sealed class AggregateTrees(ulong from, int most)
{
    readonly Dictionary<Digest, AggregateTree> _trees = [];

    /// <summary>Of the spread: the last that belongs to this part.</summary>
    public ulong To { get; private set; } = ulong.MaxValue;

    public ulong Count => (ulong)_trees.Count;

    /// <summary>Checks an event of an aggregate of this part; of another it does nothing.</summary>
    /// <exception cref="RefutedException">It is not its aggregate's next, or not what it says.</exception>
    public void Append(Documents.EventRecord record, ulong line)
    {
        Sha.Lp(record.Type.Span);
        Sha.Lp(record.Id.Span);
        var name = Sha.End();
        if (name.A < from || name.A > To)
            return;
        if (!_trees.TryGetValue(name, out var tree))
        {
            if (_trees.Count == most)
                Halve(name.A);
            if (name.A > To)
                return;
            _trees[name] = tree = new();
        }

        tree.Append(record, line);
    }

    /// <summary>Leaves the upper half to another pass, until there is room or the newcomer is among what is left.</summary>
    void Halve(ulong newcomer)
    {
        while (_trees.Count == most && newcomer <= To)
        {
            if (To == from)
                throw new IncompleteException("too many aggregates of this bundle cannot be told apart.");
            To = from + ((To - from) / 2);
            foreach (var name in _trees.Keys.Where(name => name.A > To).ToArray())
                _trees.Remove(name);
        }
    }
}
