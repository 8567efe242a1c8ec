using System.Text;
using System.Text.Json;
using EventDbx.Integrity;

namespace EventDbx.Tests.Integrity;

/// <summary>The proofs of transparency-dev/merkle, good and mutated: what says wantErr must fail, the rest hold.</summary>
/// <remarks>
/// The corpus also has proofs about subtrees that start anywhere (a draft for TLS). We make and check none; of those
/// files the ones whose subtree starts at leaf 0 are proofs about a tree of that size, and are checked as such (but for
/// the empty subtree, which that draft calls consistent with everything, and RFC 9162 with nothing).
/// </remarks>
public sealed class ProofCorpusTests
{
    const string Corpus = "rfc6962-proofs/testdata";

    [Theory]
    [InlineData("inclusion")]
    [InlineData("subtreeinclusion")]
    public void Inclusion_proofs_hold_or_fail_as_published(string folder) => Check(folder, probe =>
    {
        if (folder == "subtreeinclusion" && probe.GetProperty("start").GetUInt64() != 0)
            return null;
        var size = probe.GetProperty(folder == "subtreeinclusion" ? "end" : "treeSize").GetUInt64();
        return TryHash(probe, "leafHash", out var leaf) && TryHash(probe, "root", out var root) && TryPath(probe, out var path)
            && MerkleProof.Includes(probe.GetProperty("leafIdx").GetUInt64(), size, leaf, root, path);
    });

    [Theory]
    [InlineData("consistency")]
    [InlineData("subtreeconsistency")]
    public void Consistency_proofs_hold_or_fail_as_published(string folder) => Check(folder, probe =>
    {
        var ofSubtrees = folder == "subtreeconsistency";
        if (ofSubtrees && (probe.GetProperty("start").GetUInt64() != 0 || probe.GetProperty("end").GetUInt64() == 0))
            return null;
        var size1 = probe.GetProperty(ofSubtrees ? "end" : "size1").GetUInt64();
        var size2 = probe.GetProperty(ofSubtrees ? "size" : "size2").GetUInt64();
        return TryHash(probe, "root1", out var root1) && TryHash(probe, "root2", out var root2) && TryPath(probe, out var path)
            && MerkleProof.Extends(size1, size2, root1, root2, path);
    });

    static void Check(string folder, Func<JsonElement, bool?> holds)
    {
        var (good, bad) = (0, 0);
        var root = Path.Combine(TestData.Folder(Corpus), folder);
        foreach (var file in Directory.EnumerateFiles(root, "*.json", SearchOption.AllDirectories))
        {
            using var probe = JsonDocument.Parse(File.ReadAllText(file));
            var expected = !probe.RootElement.GetProperty("wantErr").GetBoolean();
            if (holds(probe.RootElement) is not { } actual)
                continue;
            if (expected != actual)
                Assert.Fail($"{file}: {(actual ? "holds, and must not" : "fails, and must hold")}");
            (good, bad) = (good + (expected ? 1 : 0), bad + (expected ? 0 : 1));
        }

        Assert.True(good > 0 && bad > 0, $"{folder}: {good} good and {bad} bad proofs");
    }

    static bool TryPath(JsonElement probe, out Hash32[] path)
    {
        path = [];
        var proof = probe.GetProperty("proof");
        if (proof.ValueKind == JsonValueKind.Null)
            return true;
        foreach (var node in proof.EnumerateArray())
        {
            if (!TryHash(node.GetBytesFromBase64(), out var hash))
                return false;
            path = [.. path, hash];
        }

        return true;
    }

    static bool TryHash(JsonElement probe, string name, out Hash32 hash) =>
        TryHash(probe.GetProperty(name).GetBytesFromBase64(), out hash);

    // What is not 32 bytes is refused at the door, except the corpus' placeholders for "some root": "don't care 1".
    static bool TryHash(byte[] bytes, out Hash32 hash)
    {
        hash = default;
        if (Encoding.UTF8.GetString(bytes).StartsWith("don't care", StringComparison.Ordinal))
            hash = Hash32.Of(bytes);
        else if (bytes.Length == Hash32.Length)
            hash = Hash32.Read(bytes);
        else
            return false;
        return true;
    }
}
