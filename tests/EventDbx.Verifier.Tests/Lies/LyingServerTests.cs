using System.Security.Cryptography;

namespace EventDbx.Verifier.Tests.Lies;

/// <summary>The key is real, the signatures are good, and the server lies: the real program says so.</summary>
public sealed class LyingServerTests : IDisposable
{
    readonly TemporaryDirectory _files = new();

    public LyingServerTests() => _files.Write("log.vkey", Sample.LogKey.Vkey);

    public void Dispose() => _files.Dispose();

    [Fact]
    public async Task The_honest_server_is_believed()
    {
        var (told, later) = (LyingServer.Honest(LyingServer.Kept), LyingServer.Honest(60));
        var lie = new Lie(told, LyingServer.Kept, later);

        await SaysAsync(0, "Proven.", Consistency(lie));
        await SaysAsync(0, "Proven.", Bundle(later.Bundle(60, LyingServer.Kept, [.. later.Aggregates.Keys]), lie));
        await SaysAsync(0, "Proven.", Bundle(later.LogBundle(60, 0), lie));
        await SaysAsync(0, "Proven.", Receipt(later.Receipt(later.Entries[7], 60)));
    }

    [Fact]
    public async Task A_forked_log_is_caught()
    {
        var lie = LyingServer.Fork();

        await SaysAsync(3, "Refuted: The log showed two histories: two checkpoints with 41 entries have different roots", Consistency(lie));
        await SaysAsync(3, "Refuted: The log showed two histories", Bundle(lie.Shown.LogBundle(41, 0), lie));
        await SaysAsync(3, "Refuted: The log showed two histories", Bundle(lie.Shown.Bundle(41, 0, ("order", "o-1")), lie));
        _files.Write("anchors/monday.checkpoint", lie.KeptCheckpoint);
        _files.Write("anchors/tuesday.checkpoint", lie.ShownCheckpoint);
        await SaysAsync(3, "Refuted: The log \"eventdbx.local/5f2b1d6e-c0a8-4c7d-9b3e-8a1f0d2c4b6a\" showed two histories: \"monday.checkpoint\" and \"tuesday.checkpoint\"", ["log", "anchors", "--key", "@log.vkey"]);
        Mirror(lie);
        await SaysAsync(3, "Refuted: The log showed two histories", ["log", "mirror", "--since", "kept.checkpoint", "--key", "@log.vkey"]);
    }

    [Fact]
    public async Task A_log_that_was_rolled_back_is_caught()
    {
        var lie = LyingServer.RollBack();

        await SaysAsync(3, "Refuted: The log went back: the older checkpoint has 41 entries, the newer one 30.", Consistency(lie));
        await SaysAsync(3, "Refuted: The log went back", Bundle(lie.Shown.LogBundle(30, 0), lie));
        Mirror(lie);
        await SaysAsync(3, "Refuted: The log went back", ["log", "mirror", "--since", "kept.checkpoint", "--key", "@log.vkey"]);
    }

    [Fact]
    public async Task A_tail_that_was_dropped_is_caught()
    {
        var lie = LyingServer.DropTail();

        await SaysAsync(3, "Refuted: The consistency proof does not hold: the first 41 entries of the newer history are not those of the older one", Consistency(lie));
        await SaysAsync(3, "Refuted: The log showed two histories: the first 41 entries of its newer checkpoint", Bundle(lie.Shown.LogBundle(60, 0), lie));
        // Under the signed size, with the tail left out of the evidence.
        var honest = LyingServer.Honest(60);
        await SaysAsync(3, "Refuted: The bundle ends with position 55, and the checkpoint's log has 60 entries: the tail was left out.",
            Bundle([honest.Header("log", 60, 0), .. honest.LogBundle(55, 0).Skip(1)], new(honest, 41, honest)));
    }

    [Fact]
    public async Task An_entry_that_was_inserted_late_is_caught()
    {
        var lie = LyingServer.InsertLate();

        await SaysAsync(3, "Refuted: The consistency proof does not hold", Consistency(lie));
        await SaysAsync(3, "Refuted: The log showed two histories", Bundle(lie.Shown.LogBundle(61, 0), lie));
        await SaysAsync(3, "Refuted: The consistency proof does not hold", Bundle(
            [Since(lie), .. lie.Shown.Bundle(61, 0, ("order", "o-1")).Skip(1)], lie));
        // A receipt for the late entry, under the checkpoint that was told.
        await SaysAsync(3, "Refuted: The log proof does not hold", Receipt(lie.Shown.Receipt(lie.Shown.Entries[20], 41, checkpoint: lie.KeptCheckpoint)));
    }

    [Fact]
    public async Task Swapped_histories_of_two_aggregates_are_caught()
    {
        var lie = LyingServer.SwapHistories();
        var honest = LyingServer.Honest(60);

        await SaysAsync(3, "Refuted: The consistency proof does not hold", Consistency(lie));
        // In the true log, with the names changed only.
        var lines = honest.Bundle(60, 0, ("order", "o-1"), ("order", "o-2"));
        await SaysAsync(3, "Refuted: Line 3: version 1 of \"order\" \"o-1\" is not the event with the hash it shows", Bundle(
            lines.Select(line => line.Replace("\"o-1\"", "\"?\"", StringComparison.Ordinal).Replace("\"o-2\"", "\"o-1\"", StringComparison.Ordinal).Replace("\"?\"", "\"o-2\"", StringComparison.Ordinal)).OrderBy(
                line => !line.StartsWith("{\"format", StringComparison.Ordinal)).ThenBy(line => line.StartsWith("{\"end", StringComparison.Ordinal)).ThenBy(line => !line.Contains("\"o-1\"", StringComparison.Ordinal)),
            new(honest, 41, honest)));
        // With hashes and roots computed anew for the new names: they are in no tree that was signed.
        var swapped = lie.Shown.Bundle(60, 0, ("order", "o-1"), ("order", "o-2"));
        await SaysAsync(3, "Refuted: Line 3: version 1 of \"order\" \"o-1\" does not stand at position 2 of the log", Bundle([honest.Header("aggregates", 60, 0), .. swapped.Skip(1)], new(honest, 41, honest)));
    }

    [Fact]
    public async Task Two_histories_of_one_aggregate_in_one_log_are_refuted_by_the_whole_log_and_left_open_by_each_part()
    {
        var (log, first, second) = LyingServer.TwoHistories();
        var kept = new Lie(log, LyingServer.Kept, log);
        var lines = log.LogBundle(log.Size, 0);
        var again = lines.FindIndex(line => line.Contains($"\"hash\":\"{ModelLog.Hex(second[0].Hash)}\"", StringComparison.Ordinal));

        await SaysAsync(3, $"Refuted: Line {again + 1}: version 1 of \"order\" \"twice\" stands where version {first.Count + 1} belongs.", Bundle(lines, kept));
        foreach (var history in new[] { first, second })
        {
            log.Aggregates[("order", "twice")] = history[0] == first[0] ? LyingServer.Tree(first) : LyingServer.Tree(second);
            var bundle = await SaysAsync(0, "Proven.", Bundle(log.Bundle(log.Size, LyingServer.Kept, ("order", "twice")), kept));
            Assert.Contains("- that the log holds no other history under the name of one of these aggregates.", bundle, StringComparison.Ordinal);
            Assert.DoesNotContain("is missing", bundle, StringComparison.Ordinal);
            foreach (var e in history)
            {
                var receipt = await SaysAsync(0, "Proven.", Receipt(log.Receipt(e, log.Size)));
                Assert.Contains("- that the log holds no other history under the name \"order\" \"twice\".", receipt, StringComparison.Ordinal);
                Assert.DoesNotContain("No event of this aggregate", receipt, StringComparison.Ordinal);
            }
        }
    }

    [Fact]
    public async Task A_position_that_is_used_twice_is_caught()
    {
        var log = LyingServer.Honest(60);
        var (first, second) = (log.Entries[6], log.Entries[9]);
        var again = second with { Position = first.Position };

        await SaysAsync(3, "Refuted: The log proof does not hold: position 7 of the log holds something else", Receipt(log.Receipt(again, 60)));
        var lines = log.Bundle(60, 0, ("order", "o-1"));
        var at = lines.FindIndex(line => line.Contains("\"position\":10}", StringComparison.Ordinal));
        lines[at] = lines[at].Replace("\"position\":10}", "\"position\":7}", StringComparison.Ordinal);
        await SaysAsync(3, $"Refuted: Line {at + 1}: version 4 of \"order\" \"o-1\" has the position 7, and the version before it 7.", Bundle(lines, new(log, 41, log)));
        var whole = log.LogBundle(60, 0);
        whole[10] = whole[10].Replace("\"position\":10}", "\"position\":9}", StringComparison.Ordinal);
        await SaysAsync(3, "Refuted: Line 11: position 9 stands where 10 belongs.", Bundle(whole, new(log, 41, log)));
    }

    [Fact]
    public async Task A_node_that_is_presented_as_a_leaf_is_caught()
    {
        var log = LyingServer.Honest(64);
        var node = ModelTree.Node(log.Tree.Leaf(0), log.Tree.Leaf(1));

        // The true tree, with the path of the node: it is one hash short.
        await SaysAsync(3, "Refuted: The log proof does not hold", Bare(ModelLog.LogProof(0, log.Tree.Path(0, 64).Skip(1), log.Checkpoint(64)), node));
        // In a receipt an event is hashed as a leaf, whatever hash it shows.
        var e = log.Entries[0];
        await SaysAsync(3, "Refuted: The record is not the event with the hash it shows", Receipt(ModelLog.Receipt(
            ModelLog.Record(e with { Hash = node }), ModelLog.Hex(e.PrevRoot), ModelLog.AggregateProof(1, node, []), ModelLog.LogProof(0, log.Tree.Path(0, 64).Skip(1), log.Checkpoint(64)))));
        // A signed tree of half the size, whose leaves are the nodes of the true one, contradicts what was kept.
        _files.Write("kept.checkpoint", log.Checkpoint(32));
        _files.Write("shown.checkpoint", log.Signed(log.CheckpointText(32, log.Tree.Root(64))));
        _files.Write("proof.json", log.LogConsistency(32, 32));
        await SaysAsync(3, "Refuted: The log showed two histories", ["consistency", "kept.checkpoint", "shown.checkpoint", "proof.json", "--key", "@log.vkey"]);
    }

    [Fact]
    public async Task An_index_beyond_the_log_is_caught()
    {
        var log = LyingServer.Honest(60);
        var e = log.Entries[40];

        // The entry is there, and the checkpoint ends just before it.
        await SaysAsync(3, "Refuted: The log proof names index 40, and the log of its checkpoint ends before it: it has 40 entries.",
            Receipt(log.Receipt(e, 41).Replace(ModelLog.Json(log.LogProof(40, 41)), ModelLog.Json(ModelLog.LogProof(40, log.Tree.Path(40, 41), log.Checkpoint(40))), StringComparison.Ordinal)));
        var lines = log.Bundle(60, 0, (e.Type, e.Id));
        await SaysAsync(3, "Refuted: Line ", [.. Bundle([log.Header("aggregates", 40, 0), .. lines.Skip(1)], new(log, 40, log))]);
        await SaysAsync(3, "Refuted: The log proof names index 18446744073709551615", Bare(ModelLog.LogProof(-1, [], log.Checkpoint(40)).Replace("index -1", "index 18446744073709551615", StringComparison.Ordinal), SHA256.HashData([])));
    }

    [Fact]
    public void What_goes_to_a_witness_is_an_add_checkpoint_body()
    {
        foreach (var lie in new[] { LyingServer.Fork(), LyingServer.RollBack(), LyingServer.DropTail(), LyingServer.InsertLate(), LyingServer.SwapHistories() })
        {
            var bodies = lie.AddCheckpointBodies();

            Assert.Equal("old 0\n\n" + lie.KeptCheckpoint, bodies[0]);
            Assert.StartsWith($"old {lie.Kept}\n", bodies[1], StringComparison.Ordinal);
            Assert.EndsWith("\n\n" + lie.ShownCheckpoint, bodies[1], StringComparison.Ordinal);
        }
    }

    string[] Consistency(Lie lie)
    {
        _files.Write("kept.checkpoint", lie.KeptCheckpoint);
        _files.Write("shown.checkpoint", lie.ShownCheckpoint);
        _files.Write("proof.json", lie.BestProof);
        return ["consistency", "kept.checkpoint", "shown.checkpoint", "proof.json", "--key", "@log.vkey"];
    }

    string[] Bundle(IEnumerable<string> lines, Lie lie)
    {
        _files.Write("kept.checkpoint", lie.KeptCheckpoint);
        _files.Write("bundle.ndjson", string.Concat(lines.Select(line => line + "\n")));
        return ["bundle", "bundle.ndjson", "--key", "@log.vkey", "--since", "kept.checkpoint"];
    }

    string[] Receipt(string receipt)
    {
        _files.Write("receipt.json", receipt);
        return ["event", "receipt.json", "--key", "@log.vkey"];
    }

    string[] Bare(string proof, byte[] leaf)
    {
        _files.Write("bare.tlog-proof", proof);
        return ["event", "bare.tlog-proof", "--hash", ModelLog.Hex(leaf), "--key", "@log.vkey"];
    }

    void Mirror(Lie lie)
    {
        _files.Write("kept.checkpoint", lie.KeptCheckpoint);
        foreach (var (name, bytes) in lie.Shown.Mirror(lie.Shown.Size))
        {
            _files.Write($"mirror/{name}", "");
            File.WriteAllBytes(_files[$"mirror/{name}"], bytes);
        }
    }

    /// <summary>The first line of a bundle with the best proof that there is from what was told.</summary>
    static string Since(Lie lie) => lie.Shown.Header("aggregates", lie.Shown.Size, lie.Kept)
        .Replace(ModelLog.Hex(lie.Shown.Tree.Root(lie.Kept)), ModelLog.Hex(lie.Told.Tree.Root(lie.Kept)), StringComparison.Ordinal);

    async Task<string> SaysAsync(int exit, string sentence, string[] arguments)
    {
        var said = await VerifierProgram.RunAsync(_files.Path, arguments);

        Assert.True(said.Exit == exit && said.Output.StartsWith(sentence, StringComparison.Ordinal), $"{string.Join(' ', arguments)}: exit {said.Exit}, not {exit}\n{said.Output}{said.Error}\nexpected: {sentence}");
        return said.Output;
    }
}
