using System.Globalization;
using System.Text;
using EventDbx.Verifier.Tests.Mutations;

namespace EventDbx.Verifier.Tests;

/// <summary>tools/second-opinion.cs shares no source with the verifier: it must judge every receipt and proof as the verifier does.</summary>
public sealed class SecondOpinionTests
{
    [Fact]
    public async Task The_independent_implementation_agrees_on_every_receipt_and_proof()
    {
        var count = TestTiers.Choose(2_000, 20_000, 100_000);
        var random = new Random(6962);
        var lines = new StringBuilder();
        var (receipts, held) = (0, 0);
        foreach (var vector in File.ReadLines(Path.Combine(Checkout.TestData, "proofs", "index.tsv")).Skip(1).Select(line => line.Split('\t')))
        {
            // The receipts under the log's own key.
            if (vector[0].Split(' ') is ["event", var file, "--key", "@good/log.vkey"])
                Add(File.ReadAllBytes(Path.Combine(Checkout.TestData, "proofs", file)), vector[1] == "0");
        }

        Assert.True(receipts > 50, $"{receipts} vectors");
        for (var source = new MutationSource(random); receipts < count;)
        {
            if (source.Next() is { Receipt: { } receipt } mutation)
                Add(receipt, mutation.Judge().Verdict == Verdict.Proven);
        }

        for (var i = 0; i < count; i++)
            lines.Append(i % 2 == 0 ? Inclusion(random) : Consistency(random)).Append('\n');

        Assert.InRange(held, receipts / 5, receipts / 2);
        var (exit, output, error) = await VerifierProgram.StartAsync(
            Dotnet(), Checkout.Root, Encoding.UTF8.GetBytes(lines.ToString()), "run", Path.Combine(Checkout.Root, "tools", "second-opinion.cs"), "--", "check", "-");
        Assert.True(exit == 0, output + error);
        Assert.StartsWith(string.Create(CultureInfo.InvariantCulture, $"{receipts + count} vectors agree"), output, StringComparison.Ordinal);

        void Add(byte[] receipt, bool valid)
        {
            lines.Append($$"""{"kind":"receipt","key":{{ModelLog.Json(Sample.LogKey.Vkey)}},"document":"{{Convert.ToBase64String(receipt)}}","valid":{{(valid ? "true" : "false")}}}""").Append('\n');
            (receipts, held) = (receipts + 1, held + (valid ? 1 : 0));
        }
    }

    [Fact]
    public async Task It_can_disagree()
    {
        var receipt = File.ReadAllBytes(Path.Combine(Checkout.TestData, "proofs", "good", "receipt.json"));
        var line = $$"""{"kind":"receipt","key":{{ModelLog.Json(Sample.LogKey.Vkey)}},"document":"{{Convert.ToBase64String(receipt)}}","valid":false}""";

        var (exit, output, _) = await VerifierProgram.StartAsync(
            Dotnet(), Checkout.Root, Encoding.UTF8.GetBytes(line + "\n"), "run", Path.Combine(Checkout.Root, "tools", "second-opinion.cs"), "--", "check", "-");

        Assert.Equal(3, exit);
        Assert.StartsWith("line 1: receipt: said to be not valid, found valid", output, StringComparison.Ordinal);
    }

    static readonly ModelTree Tree = Grown(150);

    static string Inclusion(Random random)
    {
        var size = random.Next(1, 150);
        var index = random.Next(size);
        var path = random.Next(2) == 0 ? Tree.Path(index, size) : Edits.PathChanged(Tree.Path(index, size), random);
        var (asked, of) = (random.Next(4) == 0 ? random.Next(150) : index, random.Next(4) == 0 ? random.Next(150) : size);
        var valid = MerkleProof.Includes((ulong)asked, (ulong)of, Digest.Read(Tree.Leaf(index)), Digest.Read(Tree.Root(size)), [.. path.Select(hash => Digest.Read(hash))]);
        return $$"""{"kind":"inclusion","leaf_index":{{asked}},"tree_size":{{of}},"leaf_hash":"{{ModelLog.Hex(Tree.Leaf(index))}}","root":"{{ModelLog.Hex(Tree.Root(size))}}","proof":[{{Hashes(path)}}],"valid":{{(valid ? "true" : "false")}}}""";
    }

    static string Consistency(Random random)
    {
        var size = random.Next(1, 150);
        var from = random.Next(1, size + 1);
        var path = random.Next(2) == 0 ? Tree.Consistency(from, size) : Edits.PathChanged(Tree.Consistency(from, size), random);
        var (asked, of) = (random.Next(4) == 0 ? random.Next(150) : from, random.Next(4) == 0 ? random.Next(150) : size);
        var valid = MerkleProof.Extends((ulong)asked, (ulong)of, Digest.Read(Tree.Root(from)), Digest.Read(Tree.Root(size)), [.. path.Select(hash => Digest.Read(hash))]);
        return $$"""{"kind":"consistency","size1":{{asked}},"size2":{{of}},"root1":"{{ModelLog.Hex(Tree.Root(from))}}","root2":"{{ModelLog.Hex(Tree.Root(size))}}","proof":[{{Hashes(path)}}],"valid":{{(valid ? "true" : "false")}}}""";
    }

    static string Hashes(IEnumerable<byte[]> path) => string.Join(',', path.Select(hash => $"\"{ModelLog.Hex(hash)}\""));

    static ModelTree Grown(int size)
    {
        var tree = new ModelTree();
        for (var i = 0; i < size; i++)
            tree.Append(System.Security.Cryptography.SHA256.HashData([(byte)i]));
        return tree;
    }

    static string Dotnet() => Environment.ProcessPath is { } self && Path.GetFileNameWithoutExtension(self) == "dotnet" ? self
        : Environment.GetEnvironmentVariable("DOTNET_ROOT") is { Length: > 0 } root && File.Exists(Path.Combine(root, "dotnet")) ? Path.Combine(root, "dotnet") : "dotnet";
}
