using System.Globalization;

namespace EventDbx.Verifier.Tests.Lies;

/// <summary>What a client keeps of a server, and what the server hands out later.</summary>
/// <param name="Told">The log as it was shown first.</param>
/// <param name="Kept">How many entries it had when the client kept its checkpoint.</param>
/// <param name="Shown">The log as it is shown now, signed by the same key.</param>
internal sealed record Lie(ModelLog Told, int Kept, ModelLog Shown)
{
    public string KeptCheckpoint => Told.Checkpoint(Kept);

    public string ShownCheckpoint => Shown.Checkpoint(Shown.Size);

    /// <summary>The best proof that the server can make: that of the history which it shows now.</summary>
    public string BestProof => Shown.LogConsistency(
        Kept, Told.Tree.Root(Kept), Shown.Size, Shown.Tree.Root(Shown.Size), Shown.Size > Kept ? Shown.Tree.Consistency(Kept, Shown.Size) : []);

    /// <summary>What the server sends to a witness, in this order: bodies of <c>add-checkpoint</c>, C2SP tlog-witness. It must refuse the last one.</summary>
    public IReadOnlyList<string> AddCheckpointBodies() =>
    [
        AddCheckpoint(0, [], KeptCheckpoint),
        AddCheckpoint(Kept, Shown.Size > Kept ? Shown.Tree.Consistency(Kept, Shown.Size) : [], ShownCheckpoint),
    ];

    static string AddCheckpoint(int old, IEnumerable<byte[]> path, string checkpoint) =>
        string.Create(CultureInfo.InvariantCulture, $"old {old}\n{string.Concat(path.Select(hash => Convert.ToBase64String(hash) + "\n"))}\n{checkpoint}");
}

/// <summary>A server that has the real key and rewrites history. Each lie is one history that was told, and another that is shown.</summary>
internal static class LyingServer
{
    public const int Kept = 41;

    static readonly (string Type, string Id)[] Names = [("order", "o-1"), ("order", "o-2"), ("permit", "p-1")];

    /// <summary>The true log: plain entries, one aggregate after the other in turns.</summary>
    public static ModelLog Honest(int size) => Written(Enumerable.Range(0, size).Select(number => (Names[number % 3].Type, Names[number % 3].Id, number)));

    /// <summary>Two histories of one beginning.</summary>
    public static Lie Fork() => new(Honest(Kept), Kept, Written([.. Entries(30), .. Enumerable.Range(500, 11).Select(number => ("order", "o-1", number))]));

    /// <summary>The log is older than what was shown.</summary>
    public static Lie RollBack() => new(Honest(Kept), Kept, Honest(30));

    /// <summary>The last entries are gone, and others are in their place.</summary>
    public static Lie DropTail() => new(Honest(Kept), Kept, Written([.. Entries(35), .. Enumerable.Range(700, 25).Select(number => ("order", "o-2", number))]));

    /// <summary>An entry turns up in the past.</summary>
    public static Lie InsertLate() => new(Honest(Kept), Kept, Written([.. Entries(20), ("order", "o-1", 999), .. Entries(60).Skip(20)]));

    /// <summary>What happened to one aggregate happened to the other.</summary>
    public static Lie SwapHistories() => new(Honest(Kept), Kept, Written(Entries(60).Select(entry => (
        entry.Type, entry.Id == "o-1" ? "o-2" : entry.Id == "o-2" ? "o-1" : entry.Id, entry.Number))));

    /// <summary>One log in which one aggregate begins twice: each history fits itself, and the log only one of them.</summary>
    public static (ModelLog Log, List<ModelEntry> First, List<ModelEntry> Second) TwoHistories()
    {
        var log = Honest(Kept);
        var histories = new List<ModelEntry>[2];
        for (var i = 0; i < 2; i++)
        {
            log.Aggregates.Remove(("order", "twice"));
            for (var n = 0; n < 3; n++)
                log.Append("order", "twice", "paid", i == 0 ? "true" : "false", new Random((10 * i) + n), ("shop", "jane"));
            histories[i] = log.Aggregates[("order", "twice")].Events;
        }

        return (log, histories[0], histories[1]);
    }

    /// <summary>An aggregate with this history.</summary>
    public static (ModelTree Tree, List<ModelEntry> Events) Tree(List<ModelEntry> history)
    {
        var tree = new ModelTree();
        history.ForEach(e => tree.Append(e.Hash));
        return (tree, history);
    }

    static IEnumerable<(string Type, string Id, int Number)> Entries(int size) =>
        Enumerable.Range(0, size).Select(number => (Names[number % 3].Type, Names[number % 3].Id, number));

    static ModelLog Written(IEnumerable<(string Type, string Id, int Number)> entries)
    {
        var log = new ModelLog(Sample.LogKey);
        foreach (var (type, id, number) in entries)
            log.Append(type, id, "counted", $$"""{"number":{{number}}}""", new Random(number), ("shop", "jane"), at: new DateTime(2026, 3, 1, 0, 0, 0, DateTimeKind.Utc).AddSeconds(number));
        return log;
    }
}
