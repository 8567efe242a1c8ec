using System.Security.Cryptography;
using System.Text;

namespace EventDbx.Verifier.Tests;

/// <summary>Texts with one spelling, and trees of every small size.</summary>
public sealed class PrimitiveTests
{
    [Theory]
    [InlineData("0", true)]
    [InlineData("18446744073709551615", true)]
    [InlineData("18446744073709551616", false)]
    [InlineData("99999999999999999999", false)]
    [InlineData("01", false)]
    [InlineData("", false)]
    [InlineData("-0", false)]
    [InlineData("1e3", false)]
    [InlineData("1.0", false)]
    [InlineData(" 1", false)]
    public void A_number_has_one_spelling(string text, bool good) => Assert.Equal(good, Text.TryNumber(Encoding.UTF8.GetBytes(text), out _));

    [Theory]
    [InlineData("1970-01-01T00:00:00Z", true, 0)]
    [InlineData("1970-01-01T00:00:00.0000001Z", true, 1)]
    [InlineData("1969-12-31T23:59:59.999Z", true, -10_000)]
    [InlineData("1970-01-01T00:00:00.001001Z", true, 10_010)]
    [InlineData("1970-01-01T00:00:00.000Z", false, 0)]
    [InlineData("1970-01-01T00:00:00.001000Z", false, 0)]
    [InlineData("1970-01-01T00:00:00.0010010Z", false, 0)]
    [InlineData("1970-01-01T00:00:00.1Z", false, 0)]
    [InlineData("1970-01-01t00:00:00z", false, 0)]
    [InlineData("1970-01-01T00:00:00+00:00", false, 0)]
    [InlineData("1970-02-30T00:00:00Z", false, 0)]
    [InlineData("0000-01-01T00:00:00Z", false, 0)]
    [InlineData("1970-01-01T24:00:00Z", false, 0)]
    [InlineData("1970-01-01T00:00:60Z", false, 0)]
    public void A_time_has_one_spelling(string text, bool good, long ticks)
    {
        Assert.Equal(good, Text.TryTime(Encoding.UTF8.GetBytes(text), out var read));
        if (good)
            Assert.Equal(ticks, read);
    }

    [Theory]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAA", true)]
    [InlineData("_-AAAAAAAAAAAAAAAAAAAA", true)]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAB", false)]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAA==", false)]
    [InlineData("+/AAAAAAAAAAAAAAAAAAAA", false)]
    [InlineData("AAAAAAAAAAAAAAAAAAAAA", false)]
    public void A_salt_has_one_spelling(string text, bool good)
    {
        Span<byte> salt = stackalloc byte[16];
        Assert.Equal(good, Text.TrySalt(Encoding.UTF8.GetBytes(text), salt));
    }

    [Fact]
    public void SHA_256_is_that_of_the_framework()
    {
        var random = new Random(1);
        for (var length = 0; length < 300; length++)
        {
            var bytes = new byte[length];
            random.NextBytes(bytes);
            Assert.Equal(Convert.ToHexStringLower(SHA256.HashData(bytes)), Sha.Of(bytes).ToString());
        }
    }

    [Fact]
    public void Every_proof_of_every_small_tree_holds_and_tells_the_roots_before_and_with_its_leaf()
    {
        var tree = new ModelTree();
        var frontier = new Frontier();
        for (var size = 1; size <= 70; size++)
        {
            tree.Append(SHA256.HashData([(byte)size]));
            frontier.Append(Digest.Read(tree.Leaf(size - 1)));
            Assert.Equal(Digest.Read(tree.Root(size)), frontier.Root());
            for (var index = 0; index < size; index++)
            {
                var path = tree.Path(index, size).Select(hash => Digest.Read(hash)).ToArray();
                Assert.True(MerkleProof.TryClimb((ulong)index, (ulong)size, Digest.Read(tree.Leaf(index)), path, out var climb));
                Assert.Equal(new Climb(Digest.Read(tree.Root(index)), Digest.Read(tree.Root(index + 1)), Digest.Read(tree.Root(size))), climb);
            }

            for (var from = 1; from <= size; from++)
            {
                var path = tree.Consistency(from, size).Select(hash => Digest.Read(hash)).ToArray();
                Assert.True(MerkleProof.Extends((ulong)from, (ulong)size, Digest.Read(tree.Root(from)), Digest.Read(tree.Root(size)), path));
                Assert.False(MerkleProof.Extends((ulong)from, (ulong)size, Digest.Read(tree.Root(from)), Digest.Read(tree.Root(size)), [.. path, Digest.OfNothing]));
            }
        }
    }

    [Theory, InlineData(0), InlineData(1), InlineData(255), InlineData(256), InlineData(257), InlineData(70_000)]
    public void A_mirror_of_any_size_is_hashed_whole(int size)
    {
        var log = new ModelLog(Sample.LogKey);
        for (var i = 0; i < size; i++)
            log.Tree.Append(SHA256.HashData(BitConverter.GetBytes(i)));
        using var files = new TemporaryDirectory();
        foreach (var (name, bytes) in log.Mirror(size))
        {
            files.Write(name, "");
            File.WriteAllBytes(files[name], bytes);
        }

        foreach (var since in new[] { 0, 1, size / 3, Math.Max(0, size - 1), size }.Where(since => since <= size).Distinct())
        {
            var report = new Report("log");
            var kept = Notes.Checkpoint.Parse(Encoding.UTF8.GetBytes(log.Checkpoint(since)), "The checkpoint that you kept");
            new Logs.Mirror(files.Path, kept, report).Check(new([VerifierKey.Parse(Sample.LogKey.Vkey, out _)!], [], 0));
            Assert.Equal(Verdict.Proven, report.Verdict);
        }
    }
}
