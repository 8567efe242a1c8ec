using CsCheck;
using EventDbx.Integrity;

namespace EventDbx.Tests.Integrity;

public sealed class MerkleProofTests
{
    const int SizeMax = 40;

    static readonly byte[][] Leaves = MerkleModel.NumberedLeaves(SizeMax);

    static readonly Hash32[] Roots =
        [.. Enumerable.Range(0, SizeMax + 1).Select(n => Hash32.Read(MerkleModel.Root(Leaves.AsSpan(0, n))))];

    [Fact]
    public void Every_leaf_of_every_small_tree_is_proved_in_its_place_and_in_no_other()
    {
        for (var size = 1; size <= SizeMax; size++)
        {
            for (var index = 0; index < size; index++)
            {
                var path = MerkleModel.AsHashes(MerkleModel.Inclusion(index, Leaves.AsSpan(0, size)));
                var leaf = Hash32.Read(Leaves[index]);
                for (var claimed = 0; claimed <= size; claimed++)
                    Assert.Equal(claimed == index, MerkleProof.Includes((ulong)claimed, (ulong)size, leaf, Roots[size], path));
            }
        }
    }

    [Fact]
    public void Every_small_tree_is_proved_a_prefix_of_every_later_one_and_of_no_other_size()
    {
        for (var size2 = 1; size2 <= SizeMax; size2++)
        {
            for (var size1 = 1; size1 <= size2; size1++)
            {
                var path = MerkleModel.AsHashes(MerkleModel.Consistency(size1, Leaves.AsSpan(0, size2)));
                for (var claimed = 0; claimed <= size2 + 1; claimed++)
                {
                    var holds = MerkleProof.Extends((ulong)claimed, (ulong)size2, Roots[size1], Roots[size2], path);
                    Assert.Equal(claimed == size1, holds);
                }
            }
        }
    }

    [Fact]
    public void No_proof_survives_a_flipped_bit_a_lost_node_or_a_node_too_many() =>
        Gen.Int[2, SizeMax].Select(Gen.Int[0, 1000], Gen.Int[0, 255], Gen.Int[0, 2]).Sample((size, pick, bit, kind) =>
        {
            var index = pick % size;
            var path = MerkleModel.AsHashes(MerkleModel.Inclusion(index, Leaves.AsSpan(0, size)));
            var at = pick % path.Length;
            Hash32[] broken = kind switch
            {
                0 => [.. path[..at], Flipped(path[at], bit), .. path[(at + 1)..]],
                1 => [.. path[..at], .. path[(at + 1)..]],
                _ => [.. path[..at], Hash32.Empty, .. path[at..]],
            };

            return !MerkleProof.Includes((ulong)index, (ulong)size, Hash32.Read(Leaves[index]), Roots[size], broken);
        });

    [Fact]
    public void Any_numbers_and_nodes_get_an_answer() =>
        Gen.ULong.Select(Gen.ULong, Gen.Int[0, 130]).Sample((first, second, nodes) =>
        {
            var path = new Hash32[nodes];

            return !MerkleProof.Includes(first, second, Hash32.Empty, Hash32.Empty, path)
                && (!MerkleProof.Extends(first, second, Hash32.Empty, Hash32.Empty, path) || (first == second && nodes == 0));
        });

    [Theory]
    [InlineData(0UL, 0UL)]
    [InlineData(1UL, 0UL)]
    [InlineData(ulong.MaxValue, ulong.MaxValue)]
    [InlineData(0UL, ulong.MaxValue)]
    [InlineData(ulong.MaxValue - 1, ulong.MaxValue)]
    [InlineData(ulong.MaxValue >> 1, ulong.MaxValue)]
    [InlineData(1UL << 63, ulong.MaxValue)]
    public void The_ends_of_the_number_range_get_an_answer(ulong first, ulong second)
    {
        for (var nodes = 0; nodes <= 130; nodes++)
        {
            Assert.False(MerkleProof.Includes(first, second, default, Hash32.Empty, new Hash32[nodes]));
            Assert.False(MerkleProof.Extends(first, second, default, Hash32.Empty, new Hash32[nodes]));
        }
    }

    static Hash32 Flipped(Hash32 hash, int bit) => bit < 128
        ? hash with { Low = hash.Low ^ (UInt128.One << bit) }
        : hash with { High = hash.High ^ (UInt128.One << (bit - 128)) };
}
