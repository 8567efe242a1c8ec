using System.Numerics;

namespace EventDbx.Integrity;

/// <summary>Neighbouring leaves that are one subtree of an RFC 6962 tree: from the first, up to the second without it.</summary>
internal readonly record struct Subtree(ulong From, ulong To);

/// <summary>Which subtrees a proof is made of. Their roots, in this order, are its path.</summary>
/// <remarks>Source: RFC 6962 §2.1.1 (PATH) and §2.1.2 (PROOF), written as loops from the root down and turned round at the end.</remarks>
internal static class ProofPath
{
    /// <summary>Siblings of a leaf from the leaf upward.</summary>
    /// <param name="index">From 0, below <paramref name="size"/>.</param>
    /// <param name="size">Leaves of the tree.</param>
    public static IReadOnlyList<Subtree> Inclusion(ulong index, ulong size)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, size);
        var path = new List<Subtree>();
        var (from, to) = (0UL, size);
        while (to - from > 1)
        {
            var middle = from + Split(to - from);
            if (index < middle)
            {
                path.Add(new(middle, to));
                to = middle;
            }
            else
            {
                path.Add(new(from, middle));
                from = middle;
            }
        }

        path.Reverse();
        return path;
    }

    /// <summary>What shows that the tree of the first size is a prefix of the tree of the second.</summary>
    /// <param name="size1">At least 1: nothing follows from an empty tree.</param>
    /// <param name="size2">At least <paramref name="size1"/>.</param>
    public static IReadOnlyList<Subtree> Consistency(ulong size1, ulong size2)
    {
        ArgumentOutOfRangeException.ThrowIfZero(size1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(size1, size2);
        var path = new List<Subtree>();
        var (from, to) = (0UL, size2);
        while (size1 < to)
        {
            var middle = from + Split(to - from);
            if (size1 <= middle)
            {
                path.Add(new(middle, to));
                to = middle;
            }
            else
            {
                path.Add(new(from, middle));
                from = middle;
            }
        }

        // From 0 it is the first tree itself, whose root the verifier has.
        if (from > 0)
            path.Add(new(from, to));
        path.Reverse();
        return path;
    }

    /// <summary>The root of a subtree from the roots of the perfect ones in it.</summary>
    /// <param name="subtree">Of a tree: it begins where the perfect subtrees in it begin.</param>
    /// <param name="node">The root of the perfect subtree of 2^height leaves with that index among its like.</param>
    public static Hash32 Root(Subtree subtree, Func<int, ulong, Hash32> node)
    {
        var (left, at) = (subtree.To - subtree.From, subtree.To);
        Hash32? root = null;
        for (; left != 0; left &= left - 1)
        {
            var height = BitOperations.TrailingZeroCount(left);
            at -= 1UL << height;
            var peak = node(height, at >> height);
            root = root is { } right ? MerkleNode.Join(peak, right) : peak;
        }

        return root ?? Hash32.Empty;
    }

    /// <summary>The largest power of two below a number that is at least 2.</summary>
    static ulong Split(ulong leaves) => 1UL << BitOperations.Log2(leaves - 1);
}
