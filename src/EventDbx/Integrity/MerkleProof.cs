using System.Numerics;

namespace EventDbx.Integrity;

/// <summary>Checks RFC 6962 proofs. Any input gets an answer: a proof that is malformed is a proof that fails.</summary>
/// <remarks>Source: RFC 9162 §2.1.3.2 and §2.1.4.2, whose names (fn, sn, fr, sr) are kept.</remarks>
public static class MerkleProof
{
    /// <summary>Whether the leaf stands at the index in the tree of this size and root.</summary>
    /// <param name="index">From 0.</param>
    /// <param name="size">Leaves of the tree.</param>
    /// <param name="leaf">The leaf's hash.</param>
    /// <param name="root">The tree's root.</param>
    /// <param name="path">Siblings from the leaf upward.</param>
    public static bool Includes(ulong index, ulong size, Hash32 leaf, Hash32 root, ReadOnlySpan<Hash32> path)
    {
        if (index >= size)
            return false;

        var (fn, sn, r) = (index, size - 1, leaf);
        foreach (ref readonly var sibling in path)
        {
            if (sn == 0)
                return false;
            if ((fn & 1) != 0 || fn == sn)
            {
                r = MerkleNode.Join(sibling, r);
                ClimbToRight(ref fn, ref sn);
            }
            else
            {
                r = MerkleNode.Join(r, sibling);
            }

            (fn, sn) = (fn >> 1, sn >> 1);
        }

        return sn == 0 && r == root;
    }

    /// <summary>Whether the tree of the first size is a prefix of the tree of the second.</summary>
    /// <remarks>Nothing follows from an empty tree: <paramref name="size1"/> 0 fails.</remarks>
    public static bool Extends(ulong size1, ulong size2, Hash32 root1, Hash32 root2, ReadOnlySpan<Hash32> path)
    {
        if (size1 == 0 || size1 > size2)
            return false;
        if (size1 == size2)
            return path.IsEmpty && root1 == root2;
        if (path.IsEmpty)
            return false;

        var (fn, sn) = (size1 - 1, size2 - 1);
        var shared = BitOperations.TrailingZeroCount(~fn);
        (fn, sn) = (fn >> shared, sn >> shared);

        // A perfect first tree is itself the first node of the path, and so is left out of it.
        var fr = BitOperations.IsPow2(size1) ? root1 : path[0];
        var sr = fr;
        foreach (ref readonly var node in BitOperations.IsPow2(size1) ? path : path[1..])
        {
            if (sn == 0)
                return false;
            if ((fn & 1) != 0 || fn == sn)
            {
                fr = MerkleNode.Join(node, fr);
                sr = MerkleNode.Join(node, sr);
                ClimbToRight(ref fn, ref sn);
            }
            else
            {
                sr = MerkleNode.Join(sr, node);
            }

            (fn, sn) = (fn >> 1, sn >> 1);
        }

        return sn == 0 && fr == root1 && sr == root2;
    }

    // A node without a right sibling stands for itself on the levels above, until it is a right child. fn is not 0 here.
    static void ClimbToRight(ref ulong fn, ref ulong sn)
    {
        var levels = BitOperations.TrailingZeroCount(fn);
        (fn, sn) = (fn >> levels, sn >> levels);
    }
}
