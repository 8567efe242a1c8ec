using System.Numerics;
using System.Security.Cryptography;

namespace EventDbx.Verifier.Tests.Model;

/// <summary>RFC 6962, section 2.1, as it is written: MTH, PATH and PROOF by recursion. Perfect subtrees are remembered.</summary>
internal sealed class ModelTree
{
    static readonly byte[] OfNothing = SHA256.HashData([]);

    // [height][i]: the root over leaves i·2^height and on.
    readonly List<List<byte[]>> _perfect = [[]];

    public int Count => _perfect[0].Count;

    public byte[] Leaf(int index) => _perfect[0][index];

    public static byte[] Node(byte[] left, byte[] right) => SHA256.HashData([1, .. left, .. right]);

    public void Append(byte[] leaf)
    {
        for (var height = 0; ; height++)
        {
            if (_perfect.Count == height)
                _perfect.Add([]);
            _perfect[height].Add(leaf);
            if (_perfect[height].Count % 2 != 0)
                return;
            leaf = Node(_perfect[height][^2], _perfect[height][^1]);
        }
    }

    public byte[] Root(int size) => size == 0 ? OfNothing : Root(0, size);

    /// <summary>Siblings of a leaf in the tree of this size, from below.</summary>
    public List<byte[]> Path(int index, int size) => Path(index, 0, size);

    /// <summary>From the tree of one size to that of another.</summary>
    public List<byte[]> Consistency(int from, int to) => from == to ? [] : Subproof(from, 0, to, whole: true);

    byte[] Root(int start, int count)
    {
        if (BitOperations.IsPow2(count) && start % count == 0)
            return _perfect[BitOperations.Log2((uint)count)][start / count];
        var k = Split(count);
        return Node(Root(start, k), Root(start + k, count - k));
    }

    List<byte[]> Path(int index, int start, int count)
    {
        if (count == 1)
            return [];
        var k = Split(count);
        return index < k ? [.. Path(index, start, k), Root(start + k, count - k)] : [.. Path(index - k, start + k, count - k), Root(start, k)];
    }

    List<byte[]> Subproof(int m, int start, int n, bool whole)
    {
        if (m == n)
            return whole ? [] : [Root(start, n)];
        var k = Split(n);
        return m <= k ? [.. Subproof(m, start, k, whole), Root(start + k, n - k)] : [.. Subproof(m - k, start + k, n - k, false), Root(start, k)];
    }

    static int Split(int n) => 1 << BitOperations.Log2((uint)n - 1);
}
