using CsCheck;
using EventDbx.Integrity;

namespace EventDbx.Tests.Integrity;

public sealed class MerkleTreeTests
{
    /// <summary>The eight entries of the certificate-transparency project's tests, in hex.</summary>
    static readonly string[] PublishedEntries =
    [
        "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
    ];

    /// <summary>And the root after each.</summary>
    static readonly string[] PublishedRoots =
    [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    [Fact]
    public void The_published_vectors_of_certificate_transparency_hold()
    {
        MerkleTree tree = new();
        List<string> roots = [];
        foreach (var entry in PublishedEntries)
        {
            tree.Append(MerkleNode.Leaf(Convert.FromHexString(entry)));
            roots.Add(tree.Root().ToString());
        }

        Assert.Equal(PublishedRoots, roots);
    }

    [Fact]
    public void The_root_of_no_leaves_is_the_hash_of_nothing() =>
        Assert.Equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", new MerkleTree().Root().ToString());

    [Fact]
    public void The_root_of_one_leaf_is_the_leaf()
    {
        MerkleTree tree = new();
        var leaf = MerkleNode.Leaf("entry"u8);

        tree.Append(leaf);

        Assert.Equal(leaf, tree.Root());
    }

    [Fact]
    public void Every_root_up_to_two_thousand_leaves_equals_the_recursive_definition()
    {
        var leaves = MerkleModel.NumberedLeaves(2000);
        MerkleTree tree = new();

        for (var n = 0; n <= leaves.Length; n++)
        {
            Assert.Equal((ulong)n, tree.Size);
            if (Hash32.Read(MerkleModel.Root(leaves.AsSpan(0, n))) != tree.Root())
                Assert.Fail($"the roots differ at {n} leaves");
            if (n < leaves.Length)
                tree.Append(Hash32.Read(leaves[n]));
        }
    }

    [Fact]
    public void A_tree_of_any_leaves_equals_the_recursive_definition() =>
        Gen.Byte.Array[Hash32.Length].Array[0, 70].Sample(leaves =>
            Grown(leaves).Root() == Hash32.Read(MerkleModel.Root(leaves)), iter: 300);

    [Fact]
    public void A_tree_read_back_goes_on_as_if_it_had_never_been_written() =>
        Gen.Int[0, 300].Select(Gen.Int[0, 40]).Sample((before, after) =>
        {
            var leaves = MerkleModel.NumberedLeaves(before + after);
            var written = Grown(leaves[..before]);
            var bytes = new byte[written.EncodedBytes];
            written.Write(bytes);

            Assert.True(MerkleTree.TryRead(bytes, written.Size, out var tree));
            foreach (var leaf in leaves[before..])
                tree.Append(Hash32.Read(leaf));

            return tree.Root() == Hash32.Read(MerkleModel.Root(leaves)) && tree.Size == (ulong)leaves.Length;
        }, iter: 300);

    [Fact]
    public void What_is_written_are_the_perfect_subtrees_largest_first()
    {
        var leaves = MerkleModel.NumberedLeaves(7);
        var tree = Grown(leaves);
        var bytes = new byte[tree.EncodedBytes];

        tree.Write(bytes);

        byte[] expected = [.. MerkleModel.Root(leaves.AsSpan(0, 4)), .. MerkleModel.Root(leaves.AsSpan(4, 2)), .. leaves[6]];
        Assert.Equal(expected, bytes);
        Assert.Equal(Hash32.Read(leaves[6]), tree.PeakAt(0));
        Assert.Equal(Hash32.Read(bytes), tree.PeakAt(2));
    }

    [Theory]
    [InlineData(0, 0, true)]
    [InlineData(0, 32, false)]
    [InlineData(1, 32, true)]
    [InlineData(1, 0, false)]
    [InlineData(3, 64, true)]
    [InlineData(3, 63, false)]
    [InlineData(3, 65, false)]
    [InlineData(4, 64, false)]
    [InlineData(ulong.MaxValue, 64 * 32, true)]
    [InlineData(ulong.MaxValue, (64 * 32) - 1, false)]
    public void Only_as_many_bytes_as_the_size_has_bits_are_read(ulong size, int bytes, bool accepted) =>
        Assert.Equal(accepted, MerkleTree.TryRead(new byte[bytes], size, out _));

    [Fact]
    public void The_largest_tree_of_all_has_a_root_and_takes_no_more()
    {
        Assert.True(MerkleTree.TryRead(new byte[64 * Hash32.Length], ulong.MaxValue, out var tree));

        var root = default(Hash32);
        for (var level = 1; level < 64; level++)
            root = MerkleNode.Join(default, root);

        Assert.Equal(root, tree.Root());
        Assert.Throws<OverflowException>(() => tree.Append(default));
    }

    [Fact]
    public void A_carry_through_all_levels_reaches_the_highest()
    {
        Assert.True(MerkleTree.TryRead(new byte[63 * Hash32.Length], ulong.MaxValue >> 1, out var tree));

        tree.Append(default);

        Assert.Equal(1UL << 63, tree.Size);
        Assert.Equal(tree.PeakAt(63), tree.Root());
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(2)]
    [InlineData(64)]
    [InlineData(65)]
    public void A_peak_that_the_size_does_not_have_is_not_handed_out(int level) =>
        Assert.Throws<ArgumentOutOfRangeException>(() => Grown(MerkleModel.NumberedLeaves(2)).PeakAt(level));

    [Fact]
    public void A_clone_and_its_original_grow_apart()
    {
        var tree = Grown(MerkleModel.NumberedLeaves(5));
        var root = tree.Root();

        var clone = tree.Clone();
        clone.Append(Hash32.Empty);

        Assert.Equal(root, tree.Root());
        Assert.NotEqual(root, clone.Root());
    }

    [Theory]
    [InlineData(0, 700)]
    [InlineData(700, 0)]
    [InlineData(700, 3)]
    [InlineData(3, 5)]
    public void A_tree_can_become_another_larger_or_smaller_one(int size, int otherSize)
    {
        var tree = Grown(MerkleModel.NumberedLeaves(size));
        var other = Grown(MerkleModel.NumberedLeaves(otherSize));

        tree.CopyFrom(other);
        tree.Append(Hash32.Empty);
        other.Append(Hash32.Empty);

        Assert.Equal(other.Root(), tree.Root());
        Assert.Equal(other.Size, tree.Size);
    }

    [Fact]
    public void Appending_and_rooting_allocate_only_when_a_tree_outgrows_its_levels()
    {
        var tree = Grown(MerkleModel.NumberedLeaves(300));
        tree.Root();

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 2000; i++)
        {
            tree.Append(Hash32.Empty);
            tree.Root();
        }

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    static MerkleTree Grown(byte[][] leaves)
    {
        MerkleTree tree = new();
        foreach (var leaf in leaves)
            tree.Append(Hash32.Read(leaf));
        return tree;
    }
}
