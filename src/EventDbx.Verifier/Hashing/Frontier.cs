namespace EventDbx.Verifier.Hashing;

/// <summary>A tree that grows: only the roots of its perfect subtrees are kept, one for each bit of its size.</summary>
internal sealed class Frontier
{
    // Largest subtree first. A tree of an aggregate is small: the list grows with the logarithm of the size.
    readonly List<Digest> _peaks = new(4);

    /// <summary>Leaves.</summary>
    public ulong Size { get; private set; }

    public void Append(Digest leaf) => Append(leaf, 0);

    /// <summary>Appends a perfect subtree of 2^<paramref name="height"/> leaves; the size must be a multiple of that.</summary>
    public void Append(Digest root, int height)
    {
        for (var bits = Size >> height; (bits & 1) != 0; bits >>= 1)
        {
            root = Sha.Node(_peaks[^1], root);
            _peaks.RemoveAt(_peaks.Count - 1);
        }

        _peaks.Add(root);
        Size += 1UL << height;
    }

    public void Clear()
    {
        _peaks.Clear();
        Size = 0;
    }

    /// <summary>Folded from the smallest; SHA-256 of nothing for an empty tree.</summary>
    public Digest Root()
    {
        if (_peaks.Count == 0)
            return Digest.OfNothing;
        var root = _peaks[^1];
        for (var i = _peaks.Count - 2; i >= 0; i--)
            root = Sha.Node(_peaks[i], root);
        return root;
    }
}
