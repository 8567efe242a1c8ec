using EventDbx.CrashWriter;
using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Crash;

/// <summary>The oracle of the kill test finds what it is there to find.</summary>
public sealed class KillOracleTests
{
    [Theory]
    [InlineData("all is well", true)]
    [InlineData("one in flight was stored", true)]
    [InlineData("an answered one is not there", false)]
    [InlineData("one is there that nobody asked for", false)]
    [InlineData("a refused one is there", false)]
    [InlineData("the answer said another root", false)]
    [InlineData("half a batch is there", false)]
    [InlineData("a checkpoint was handed out", true)]
    [InlineData("a checkpoint of another root was handed out", false)]
    [InlineData("a checkpoint was handed out and is not kept", false)]
    [InlineData("a checkpoint of more entries was handed out", false)]
    public async Task It_takes_what_may_be_and_nothing_else(string what, bool taken)
    {
        using var store = new TestStore();
        await using var database = Database.Open(store.Options(encrypted: false) with { Signer = static () => new FakeSigner() });
        var session = database.OpenSession();
        var (a, b) = (AggregateKey.Create("own", "a"), AggregateKey.Create("own", "b"));
        var single = (await session.AppendAsync(Script.Draft("0.0.0", 0, a, withId: true), default)).Record;
        var batch = await session.AppendBatchAsync([.. new[] { a, b, a }.Select((key, i) => Script.Draft("0.0.1", i, key, withId: false))], default);
        var answer = Script.Show(single);
        await database.ReadCheckpointAsync(4, handOut: true, default);
        var lines = new List<string>
        {
            "> 0.0.0 append own/a#",
            $"< 0.0.0 {answer}",
            "> 0.0.1 batch own/a,own/b,own/a",
            $"< 0.0.1 {string.Join(';', batch.Select(r => Script.Show(r.Record)))}",
        };
        switch (what)
        {
            case "one in flight was stored":
                lines.RemoveAt(3);
                break;
            case "an answered one is not there":
                lines.AddRange(["> 0.0.2 append own/a", $"< 0.0.2 {answer}"]);
                break;
            case "one is there that nobody asked for":
                lines.RemoveRange(0, 2);
                break;
            case "a refused one is there":
                lines[1] = "! 0.0.0 version_conflict";
                break;
            case "the answer said another root":
                lines[1] = lines[1].Replace($"{single.MerkleRoot}", $"{batch[0].Record.MerkleRoot}", StringComparison.Ordinal);
                break;
            case "a checkpoint was handed out":
                lines.Add($"c 4 {database.LogRoot}");
                break;
            case "a checkpoint of another root was handed out":
                lines.Add($"c 4 {single.Hash}");
                break;
            case "a checkpoint was handed out and is not kept":
                lines.Add($"c 1 {single.Hash}");
                break;
            case "a checkpoint of more entries was handed out":
                lines.Add($"c 5 {database.LogRoot}");
                break;
            case "half a batch is there":
                lines[2] += ",own/b";
                lines.RemoveAt(3);
                break;
        }

        var oracle = new KillOracle();
        lines.ForEach(oracle.Hear);

        var found = Record.Exception(() => oracle.Check(database));

        Assert.Equal(taken, found is null);
    }
}
