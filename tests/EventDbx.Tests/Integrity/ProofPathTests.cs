using CsCheck;
using EventDbx.Integrity;

namespace EventDbx.Tests.Integrity;

public sealed class ProofPathTests
{
    const int SizeMax = 300;

    static readonly byte[][] Leaves = MerkleModel.NumberedLeaves(SizeMax);

    static readonly Hash32[] LeafHashes = MerkleModel.AsHashes(Leaves);

    [Fact]
    public void Every_path_of_every_small_tree_is_the_one_that_the_rfc_writes_down()
    {
        for (var size = 1; size <= 70; size++)
        {
            for (var index = 0; index < size; index++)
                Assert.Equal(MerkleModel.AsHashes(MerkleModel.Inclusion(index, Leaves.AsSpan(0, size))), Roots(ProofPath.Inclusion((ulong)index, (ulong)size)));
            for (var size1 = 1; size1 <= size; size1++)
                Assert.Equal(MerkleModel.AsHashes(MerkleModel.Consistency(size1, Leaves.AsSpan(0, size))), Roots(ProofPath.Consistency((ulong)size1, (ulong)size)));
        }
    }

    [Fact]
    public void A_path_proves_its_leaf_and_with_any_other_size_or_index_nothing() =>
        Gen.Int[1, SizeMax].SelectMany(size => Gen.Select(Gen.Const(size), Gen.Int[0, size - 1], Gen.Int[0, SizeMax])).Sample((size, index, other) =>
        {
            var path = Roots(ProofPath.Inclusion((ulong)index, (ulong)size));
            var root = RootOf(size);
            return MerkleProof.Includes((ulong)index, (ulong)size, LeafHashes[index], root, path)
                && (other == index || !MerkleProof.Includes((ulong)other, (ulong)size, LeafHashes[index], root, path));
        });

    [Fact]
    public void A_consistency_path_proves_its_two_sizes_and_with_another_first_size_nothing() =>
        Gen.Int[1, SizeMax].SelectMany(size => Gen.Select(Gen.Const(size), Gen.Int[1, size], Gen.Int[1, SizeMax])).Sample((size, first, other) =>
        {
            var path = Roots(ProofPath.Consistency((ulong)first, (ulong)size));
            return MerkleProof.Extends((ulong)first, (ulong)size, RootOf(first), RootOf(size), path)
                && (other == first || !MerkleProof.Extends((ulong)other, (ulong)size, RootOf(first), RootOf(size), path));
        });

    [Fact]
    public void The_subtrees_of_a_proof_and_its_leaf_are_the_whole_tree_each_leaf_once() =>
        Gen.ULong[1, ulong.MaxValue >> 1].SelectMany(size => Gen.Select(Gen.Const(size), Gen.ULong[0, size - 1])).Sample((size, index) =>
        {
            Subtree[] all = [.. ProofPath.Inclusion(index, size), new(index, index + 1)];
            var at = 0UL;
            foreach (var subtree in all.OrderBy(part => part.From))
            {
                if (subtree.From != at)
                    return false;
                at = subtree.To;
            }

            return at == size && all.Length <= 65;
        });

    [Fact]
    public void There_is_no_path_to_a_leaf_beyond_the_end_and_none_from_an_empty_tree()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => ProofPath.Inclusion(5, 5));
        Assert.Throws<ArgumentOutOfRangeException>(() => ProofPath.Inclusion(0, 0));
        Assert.Throws<ArgumentOutOfRangeException>(() => ProofPath.Consistency(0, 5));
        Assert.Throws<ArgumentOutOfRangeException>(() => ProofPath.Consistency(6, 5));
        Assert.Empty(ProofPath.Consistency(5, 5));
        Assert.Empty(ProofPath.Inclusion(0, 1));
    }

    static Hash32 RootOf(int size) => ProofPath.Root(new(0, (ulong)size), Node);

    static Hash32[] Roots(IReadOnlyList<Subtree> subtrees) => [.. subtrees.Select(subtree => ProofPath.Root(subtree, Node))];

    static Hash32 Node(int height, ulong index) =>
        Hash32.Read(MerkleModel.Root(Leaves.AsSpan((int)(index << height), 1 << height)));
}
