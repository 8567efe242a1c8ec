using System.Text;

namespace EventDbx.Verifier.Tests.Vectors;

/// <summary>One line of the index: what to run in the directory of the vectors, how it must end, and what it must say first.</summary>
/// <param name="Arguments">Of <c>dbx-verify</c>, with single spaces between them.</param>
/// <param name="Exit">0 proven, 3 refuted, 5 incomplete.</param>
/// <param name="Sentence">The first line of the output begins so.</param>
internal sealed record Vector(string Arguments, int Exit, string Sentence);

/// <summary>The vectors of <c>tests/testdata/proofs</c>: made here, kept there, for whoever writes another verifier.</summary>
internal sealed partial class VectorSet
{
    readonly ModelLog _log = Sample.Log(600);

    public VectorSet()
    {
        File("good/log.vkey", Sample.LogKey.Vkey + "\n");
        File("good/witnesses.vkey", string.Concat(Sample.Witnesses.Select(witness => witness.Vkey + "\n")));
        File("bad/another-log.vkey", Sample.OtherKey.Vkey + "\n");
        File("bad/impostor.vkey", Sample.Impostor.Vkey + "\n");
        AddReceipts();
        AddBrokenReceipts();
        AddAggregates();
        AddCheckpoints();
        AddConsistency();
        AddMirrors();
        AddBundles();
        AddBrokenBundles();
    }

    public SortedDictionary<string, byte[]> Files { get; } = new(StringComparer.Ordinal);

    public List<Vector> Vectors { get; } = [];

    /// <summary>The first lines say what the columns are.</summary>
    public string Index() => "# dbx-verify ARGUMENTS, in this directory\texit code\tthe first line begins with\n"
        + string.Concat(Vectors.Select(vector => $"{vector.Arguments}\t{vector.Exit}\t{vector.Sentence}\n"));

    void File(string path, string text) => Files.Add(path, Encoding.UTF8.GetBytes(text));

    void File(string path, byte[] bytes) => Files.Add(path, bytes);

    void Expect(string arguments, int exit, string sentence) => Vectors.Add(new(arguments, exit, sentence));

    void Proven(string path, string text, string command, string more = " --key @good/log.vkey")
    {
        File($"good/{path}", text);
        Expect($"{command} good/{path}{more}", 0, "Proven.");
    }

    void Refuted(string path, string text, string command, string sentence, string more = " --key @good/log.vkey")
    {
        File($"bad/{path}", text);
        Expect($"{command} bad/{path}{more}", 3, "Refuted: " + sentence);
    }

    /// <summary>A text with one thing changed; it must be there.</summary>
    static string Changed(string text, string from, string to)
    {
        Assert.Contains(from, text, StringComparison.Ordinal);
        var at = text.IndexOf(from, StringComparison.Ordinal);
        return text[..at] + to + text[(at + from.Length)..];
    }

    ModelEntry Event(Func<ModelEntry, bool> wanted) => _log.Entries.First(entry => !entry.IsControl && entry.Position > 100 && wanted(entry));
}
