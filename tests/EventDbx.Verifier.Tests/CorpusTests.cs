using System.Text;
using System.Text.Json;

namespace EventDbx.Verifier.Tests;

/// <summary>The proofs of transparency-dev/merkle, good and mutated: what says wantErr must fail, the rest hold.</summary>
public sealed class CorpusTests
{
    [Fact]
    public void Inclusion_proofs_hold_or_fail_as_published() => Check("inclusion", 90, probe =>
        TryHash(probe, "leafHash", out var leaf) && TryHash(probe, "root", out var root) && TryPath(probe, out var path)
        && MerkleProof.Includes(probe.GetProperty("leafIdx").GetUInt64(), probe.GetProperty("treeSize").GetUInt64(), leaf, root, path));

    [Fact]
    public void Consistency_proofs_hold_or_fail_as_published() => Check("consistency", 60, probe =>
        TryHash(probe, "root1", out var root1) && TryHash(probe, "root2", out var root2) && TryPath(probe, out var path)
        && MerkleProof.Extends(probe.GetProperty("size1").GetUInt64(), probe.GetProperty("size2").GetUInt64(), root1, root2, path));

    static void Check(string folder, int least, Func<JsonElement, bool> holds)
    {
        var corpus = Corpus();
        var (good, bad) = (0, 0);
        foreach (var file in Directory.EnumerateFiles(Path.Combine(corpus, folder), "*.json", SearchOption.AllDirectories))
        {
            using var probe = JsonDocument.Parse(File.ReadAllText(file));
            var expected = !probe.RootElement.GetProperty("wantErr").GetBoolean();

            Assert.True(expected == holds(probe.RootElement), $"{file}: {(expected ? "fails, and must hold" : "holds, and must not")}");
            (good, bad) = (good + (expected ? 1 : 0), bad + (expected ? 0 : 1));
        }

        Assert.True(good > 0 && good + bad >= least, $"{folder}: {good} good and {bad} bad proofs");
    }

    static string Corpus()
    {
        for (var at = new DirectoryInfo(AppContext.BaseDirectory); at is not null; at = at.Parent)
        {
            if (Path.Combine(at.FullName, "shared", "data", "rfc6962-proofs", "testdata") is var found && Directory.Exists(found))
                return found;
        }

        Assert.Skip($"no public test data here: shared/data/rfc6962-proofs stands in no folder above {AppContext.BaseDirectory}");
        return "";
    }

    static bool TryPath(JsonElement probe, out Digest[] path)
    {
        path = [];
        if (probe.GetProperty("proof") is not { ValueKind: JsonValueKind.Array } proof)
            return true;
        foreach (var node in proof.EnumerateArray())
        {
            if (!TryHash(node.GetBytesFromBase64(), out var hash))
                return false;
            path = [.. path, hash];
        }

        return true;
    }

    static bool TryHash(JsonElement probe, string name, out Digest hash) => TryHash(probe.GetProperty(name).GetBytesFromBase64(), out hash);

    // What is not 32 bytes is refused at the door, except the corpus' placeholders for "some root": "don't care 1".
    static bool TryHash(byte[] bytes, out Digest hash)
    {
        hash = default;
        if (Encoding.UTF8.GetString(bytes).StartsWith("don't care", StringComparison.Ordinal))
            hash = Sha.Of(bytes);
        else if (bytes.Length == Digest.Length)
            hash = Digest.Read(bytes);
        else
            return false;
        return true;
    }
}
