using System.Diagnostics.CodeAnalysis;
using System.Numerics;

namespace EventDbx.Integrity;

/// <summary>An RFC 6962 tree as its frontier: the roots of the perfect subtrees, one for each bit of the size.</summary>
/// <remarks>
/// <code>
/// size 7 = 4 + 2 + 1           root
///                            /      \
///               peak, level 2        o
///                 /    \           /   \
///                o      o     level 1   level 0
///               / \    / \      / \
///              1   2  3   4    5   6      7
/// </code>
/// Appending carries like a binary counter; the root folds the peaks from the smallest upward,
/// <c>r = node(peak, r)</c>. Both take O(log n) hashes. Not thread-safe.
/// Source: RFC 6962 §2.1; docs/integrity.md, "One leaf, two trees".
/// </remarks>
public sealed class MerkleTree
{
    // Index = level. Only the levels whose bit is set in Size mean anything. Grown by doubling: four times in the life
    // of a tree, since ten thousand cached heads should not cost 2 KiB each for levels they will never reach.
    Hash32[] _peaks = new Hash32[4];

    /// <summary>Leaves so far.</summary>
    public ulong Size { get; private set; }

    /// <summary>Bytes of <see cref="Write"/>: 32 for each perfect subtree.</summary>
    public int EncodedBytes => BitOperations.PopCount(Size) * Hash32.Length;

    /// <summary>Adds the next leaf, by its hash.</summary>
    /// <exception cref="OverflowException">The tree has 2⁶⁴ − 1 leaves.</exception>
    public void Append(Hash32 leaf)
    {
        var sizeNext = checked(Size + 1);
        var level = BitOperations.TrailingZeroCount(sizeNext);
        if (level >= _peaks.Length)
            Array.Resize(ref _peaks, LevelsFor(level + 1));

        var node = leaf;
        for (var below = 0; below < level; below++)
            node = MerkleNode.Join(_peaks[below], node);
        _peaks[level] = node;
        Size = sizeNext;
    }

    /// <summary>The root over all leaves: of none, SHA-256 of nothing; of one, the leaf.</summary>
    public Hash32 Root()
    {
        if (Size == 0)
            return Hash32.Empty;

        var remaining = Size;
        var root = _peaks[BitOperations.TrailingZeroCount(remaining)];
        for (remaining &= remaining - 1; remaining != 0; remaining &= remaining - 1)
            root = MerkleNode.Join(_peaks[BitOperations.TrailingZeroCount(remaining)], root);
        return root;
    }

    /// <summary>The root of the perfect subtree of 2^<paramref name="level"/> leaves in the frontier.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The size has no such bit.</exception>
    public Hash32 PeakAt(int level) => level is >= 0 and < 64 && ((Size >> level) & 1) != 0
        ? _peaks[level]
        : throw new ArgumentOutOfRangeException(nameof(level), level, $"A tree of {Size} leaves has no peak there.");

    /// <summary>Writes the peaks, largest subtree first, 32 bytes each. The size is not among them.</summary>
    /// <param name="target">At least <see cref="EncodedBytes"/> bytes.</param>
    public void Write(Span<byte> target)
    {
        for (var level = BitOperations.Log2(Size); level >= 0; level--)
        {
            if (((Size >> level) & 1) == 0)
                continue;
            _peaks[level].Write(target);
            target = target[Hash32.Length..];
        }
    }

    /// <summary>Reads what <see cref="Write"/> wrote; false when the length does not fit the size.</summary>
    public static bool TryRead(ReadOnlySpan<byte> source, ulong size, [NotNullWhen(true)] out MerkleTree? tree)
    {
        tree = null;
        if (source.Length != BitOperations.PopCount(size) * Hash32.Length)
            return false;

        tree = new MerkleTree { Size = size, _peaks = new Hash32[LevelsFor(BitOperations.Log2(size) + 1)] };
        for (var level = BitOperations.Log2(size); level >= 0 && !source.IsEmpty; level--)
        {
            if (((size >> level) & 1) == 0)
                continue;
            tree._peaks[level] = Hash32.Read(source);
            source = source[Hash32.Length..];
        }

        return true;
    }

    public MerkleTree Clone() => new() { Size = Size, _peaks = [.. _peaks] };

    /// <summary>Becomes equal to another tree, reusing this one's memory.</summary>
    public void CopyFrom(MerkleTree other)
    {
        if (_peaks.Length < other._peaks.Length)
            _peaks = new Hash32[other._peaks.Length];
        other._peaks.CopyTo(_peaks, 0);
        Size = other.Size;
    }

    static int LevelsFor(int levels) => Math.Max(4, (int)BitOperations.RoundUpToPowerOf2((uint)levels));
}
