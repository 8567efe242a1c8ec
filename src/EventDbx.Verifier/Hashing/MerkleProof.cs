namespace EventDbx.Verifier.Hashing;

/// <summary>RFC 6962 proofs, checked level by level. Whatever is put in, the answer is yes or no.</summary>
internal static class MerkleProof
{
    /// <summary>Whether a leaf stands at an index, from 0, in a tree of a size and root.</summary>
    public static bool Includes(ulong index, ulong size, Digest leaf, Digest root, ReadOnlySpan<Digest> path) =>
        TryClimb(index, size, leaf, path, out var found) && found.Root == root;

    /// <summary>
    /// Climbs from a leaf to the root. Beside it: the hashes of the path that stand to the left are the perfect subtrees of all leaves
    /// before this one, so they give the root before it and the root with it as well.
    /// </summary>
    public static bool TryClimb(ulong index, ulong size, Digest leaf, ReadOnlySpan<Digest> path, out Climb found)
    {
        found = default;
        if (index >= size)
            return false;
        Digest? before = null;
        var (with, root, used, parted) = (leaf, leaf, 0, false);
        for (var last = size - 1; last > 0; index >>= 1, last >>= 1)
        {
            var isRight = (index & 1) != 0;
            if (!isRight && index == last)
                continue; // no sibling on this level
            if (used == path.Length)
                return false;
            var sibling = path[used++];
            if (!isRight)
            {
                root = Sha.Node(root, sibling);
                parted = true;
                continue;
            }

            before = before is { } smaller ? Sha.Node(sibling, smaller) : sibling;
            // On the way up the two are the same until the first hash from the right.
            with = Sha.Node(sibling, with);
            root = parted ? Sha.Node(sibling, root) : with;
        }

        found = new(before ?? Digest.OfNothing, with, root);
        return used == path.Length;
    }

    /// <summary>Whether the leaves of one tree are the first ones of the other. Nothing follows from an empty tree: size 0 is no.</summary>
    public static bool Extends(ulong size1, ulong size2, Digest root1, Digest root2, ReadOnlySpan<Digest> path)
    {
        if (size1 == 0 || size1 > size2)
            return false;
        if (size1 == size2)
            return path.IsEmpty && root1 == root2;

        // Levels on which the first tree ends in a whole node: there both trees have the same one.
        var (index, last) = (size1 - 1, size2 - 1);
        for (; (index & 1) != 0; index >>= 1)
            last >>= 1;
        var used = 0;
        if (index != 0 && path.IsEmpty)
            return false;
        // A perfect first tree is that node itself, and so the path leaves it out.
        var before = index == 0 ? root1 : path[used++];
        var after = before;
        for (; last > 0; index >>= 1, last >>= 1)
        {
            var isRight = (index & 1) != 0;
            if (!isRight && index == last)
                continue;
            if (used == path.Length)
                return false;
            var sibling = path[used++];
            if (isRight)
                before = Sha.Node(sibling, before);
            after = isRight ? Sha.Node(sibling, after) : Sha.Node(after, sibling);
        }

        return used == path.Length && before == root1 && after == root2;
    }
}

/// <summary>What a path tells about its leaf.</summary>
/// <param name="Before">Root of the tree that ends before the leaf.</param>
/// <param name="With">Root of the tree that ends with the leaf.</param>
/// <param name="Root">Root of the whole tree.</param>
internal readonly record struct Climb(Digest Before, Digest With, Digest Root);
