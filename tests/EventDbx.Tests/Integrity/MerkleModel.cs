using System.Security.Cryptography;
using EventDbx.Integrity;

namespace EventDbx.Tests.Integrity;

/// <summary>RFC 6962 §2.1 written down as it stands there: recursive, slow, and sharing nothing with the engine.</summary>
static class MerkleModel
{
    public static byte[] Root(ReadOnlySpan<byte[]> leafHashes)
    {
        if (leafHashes.IsEmpty)
            return SHA256.HashData([]);
        if (leafHashes.Length == 1)
            return leafHashes[0];
        var split = Split(leafHashes.Length);
        return Node(Root(leafHashes[..split]), Root(leafHashes[split..]));
    }

    /// <summary>PATH(m, D[n]), from the leaf upward.</summary>
    public static byte[][] Inclusion(int index, ReadOnlySpan<byte[]> leafHashes)
    {
        if (leafHashes.Length <= 1)
            return [];
        var split = Split(leafHashes.Length);
        return index < split
            ? [.. Inclusion(index, leafHashes[..split]), Root(leafHashes[split..])]
            : [.. Inclusion(index - split, leafHashes[split..]), Root(leafHashes[..split])];
    }

    /// <summary>PROOF(m, D[n]) for 0 &lt; m ≤ n.</summary>
    public static byte[][] Consistency(int size1, ReadOnlySpan<byte[]> leafHashes) =>
        SubProof(size1, leafHashes, complete: true);

    public static byte[] Leaf(ReadOnlySpan<byte> entry) => SHA256.HashData([0x00, .. entry]);

    public static byte[] Node(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right) => SHA256.HashData([0x01, .. left, .. right]);

    /// <summary>Leaf hashes of the numbers 0 to n − 1.</summary>
    public static byte[][] NumberedLeaves(int n) => [.. Enumerable.Range(0, n).Select(i => Leaf(BitConverter.GetBytes(i)))];

    public static Hash32[] AsHashes(byte[][] hashes) => [.. hashes.Select(hash => Hash32.Read(hash))];

    static byte[][] SubProof(int m, ReadOnlySpan<byte[]> leafHashes, bool complete)
    {
        if (m == leafHashes.Length)
            return complete ? [] : [Root(leafHashes)];
        var split = Split(leafHashes.Length);
        return m <= split
            ? [.. SubProof(m, leafHashes[..split], complete), Root(leafHashes[split..])]
            : [.. SubProof(m - split, leafHashes[split..], complete: false), Root(leafHashes[..split])];
    }

    // The largest power of two smaller than n.
    static int Split(int n)
    {
        var split = 1;
        while (split * 2 < n)
            split *= 2;
        return split;
    }
}
