using System.Text;

namespace EventDbx.Verifier.Tests.Vectors;

internal sealed partial class VectorSet
{
    void AddAggregates()
    {
        var of = _log.Aggregates[("order", "o-1")];
        var (first, last) = (ModelLog.Hex(of.Tree.Root(3)), ModelLog.Hex(of.Tree.Root(of.Tree.Count)));
        var good = _log.AggregateConsistency("order", "o-1", 3, of.Tree.Count);
        Proven("aggregate.json", good, "aggregate", $" --from-root {first}");
        Expect($"aggregate good/aggregate.json --to-root {last}", 0, "Proven.");
        Expect($"aggregate good/aggregate.json --from-root {first} --to-root {last}", 0, "Proven.");
        Expect("aggregate good/aggregate.json", 5, "Incomplete: the proof names both roots itself");
        Expect($"aggregate good/aggregate.json --from-root {last}", 3, "Refuted: The proof has another root at `from`, version 3, than the one you know");
        Proven("aggregate-from-4.json", _log.AggregateConsistency("order", "o-1", 4, 8), "aggregate", $" --from-root {ModelLog.Hex(of.Tree.Root(4))}");
        Proven("aggregate-equal.json", _log.AggregateConsistency("order", "o-1", 5, 5), "aggregate", $" --from-root {ModelLog.Hex(of.Tree.Root(5))}");
        Refuted("aggregate-other-aggregate.json", Changed(good, first, ModelLog.Hex(_log.Aggregates[("order", "o-2")].Tree.Root(3))), "aggregate", "The consistency proof does not hold", "");
        Refuted("aggregate-other-version.json", Changed(good, "\"version\":3", "\"version\":2"), "aggregate", "The consistency proof does not hold", "");
        Refuted("aggregate-from-0.json", Changed(good, "\"version\":3", "\"version\":0"), "aggregate", "The proof begins at 0 versions", "");
        Refuted("aggregate-backwards.json", Changed(good, "\"version\":3", "\"version\":999"), "aggregate", "The proof goes back", "");
        Refuted("aggregate-path-not-hashes.json", Changed(good, "\"path\":\"", "\"path\":\"AAAA"), "aggregate", "The proof is malformed: `path` is not a path", "");
        Refuted("aggregate-no-path.json", Changed(good, "\"path\":", "\"way\":"), "aggregate", "The proof is malformed: `path` is missing.", "");
    }

    void AddCheckpoints()
    {
        Proven("300.checkpoint", _log.Checkpoint(300), "log");
        Proven("600.checkpoint", _log.Checkpoint(600), "log");
        Proven("empty.checkpoint", _log.Checkpoint(0), "log");
        Proven("cosigned.checkpoint", _log.Checkpoint(600, [.. Sample.Witnesses.Select(witness => (witness, 1_767_323_045UL))]), "log", " --key @good/log.vkey --witness @good/witnesses.vkey");
        Expect("log good/300.checkpoint", 5, "Incomplete: nobody vouches for the checkpoint");
        Refuted("root-changed.checkpoint", Changed(_log.Checkpoint(300), "\n300\n", "\n299\n"), "log", "The checkpoint has a wrong signature");
        Refuted("crlf.checkpoint", _log.Checkpoint(300).Replace("\n", "\r\n", StringComparison.Ordinal), "log", "The checkpoint is malformed: its lines end in CR LF");
        Refuted("without-signature.checkpoint", _log.CheckpointText(300) + "\n", "log", "The checkpoint is malformed: there is no signature under it.");
        Refuted("zero-with-a-root.checkpoint", _log.Signed(_log.CheckpointText(0, _log.Tree.Root(1))), "log", "The checkpoint is malformed: its size is 0, and its root is not that of nothing.");
        Refuted("size-with-zeros.checkpoint", _log.Signed(Changed(_log.CheckpointText(300), "\n300\n", "\n0300\n")), "log", "The checkpoint is malformed: its size is no number");
        var epoch = Sample.LogKey.Named(Sample.Origin + "/e2");
        var next = new ModelLog(epoch);
        Refuted("next-epoch.checkpoint", next.Checkpoint(0), "log", "The checkpoint is of the log");
        Files["good/next-epoch.checkpoint"] = Encoding.UTF8.GetBytes(next.Checkpoint(0));
        Expect($"log good/next-epoch.checkpoint --key {epoch.Vkey}", 0, "Proven.");

        foreach (var size in new[] { 1, 41, 300, 600 })
            File($"good/anchors/{size}.checkpoint", _log.Checkpoint(size));
        Expect("log good/anchors --key @good/log.vkey", 0, "Proven.");
        Expect("log good/anchors", 5, "Incomplete: nobody vouches for the checkpoints of");
        var fork = Sample.Log(600, seed: 7);
        AddWitnessed();
        AddEqualIds();
        File("bad/forked-anchors/300.checkpoint", _log.Checkpoint(300));
        File("bad/forked-anchors/300-too.checkpoint", fork.Checkpoint(300));
        Expect("log bad/forked-anchors --key @good/log.vkey", 3, "Refuted: The log");
    }

    /// <summary>Witnesses count for each checkpoint that somebody kept, and each cosignature of a witness that counts.</summary>
    void AddWitnessed()
    {
        const string Trusted = " --key @good/log.vkey --witness @good/witnesses.vkey";
        const ulong Time = 1_767_323_045;
        var (w1, w2, w3) = (Sample.Witnesses[0], Sample.Witnesses[1], Sample.Witnesses[2]);
        File("good/cosigned-anchors/300.checkpoint", _log.Checkpoint(300, (w1, Time), (w2, Time)));
        File("good/cosigned-anchors/600.checkpoint", _log.Checkpoint(600, (w2, Time), (w3, Time + 1), (w1, Time)));
        Expect($"log good/cosigned-anchors{Trusted} --quorum 2", 0, "Proven.");
        Expect($"log good/cosigned-anchors{Trusted}", 5, "Incomplete: 1 checkpoint has fewer good cosignatures than the 3 that are needed, of the 3 witnesses you trust; the first is \"300.checkpoint\" with 2.");
        Expect($"log good/anchors{Trusted} --quorum 1", 5, "Incomplete: 4 checkpoints have fewer good cosignatures than the 1 that are needed, of the 3 witnesses you trust; the first is \"1.checkpoint\" with 0.");

        var (text, good) = (_log.CheckpointText(600), w1.Cosign(_log.CheckpointText(600), Time));
        var wrong = w1.Cosign(_log.CheckpointText(599), Time);
        File("bad/anchors-with-a-wrong-cosignature/600.checkpoint", _log.Signed(text) + wrong);
        Expect($"log bad/anchors-with-a-wrong-cosignature{Trusted} --quorum 1", 3, "Refuted: The checkpoint in \"600.checkpoint\" has a wrong cosignature of the witness \"witness.example/w1\".");
        Expect("log bad/anchors-with-a-wrong-cosignature --key @good/log.vkey", 0, "Proven.");
        Refuted("cosigned-well-then-wrong.checkpoint", _log.Signed(text) + good + wrong, "log", "The checkpoint has a wrong cosignature of the witness", Trusted + " --quorum 1");
        Refuted("cosigned-wrong-then-well.checkpoint", _log.Signed(text) + wrong + good, "log", "The checkpoint has a wrong cosignature of the witness", Trusted + " --quorum 1");
        Proven("cosigned-twice.checkpoint", _log.Signed(text) + good + w1.Cosign(text, Time + 1), "log", Trusted + " --quorum 1");
        Expect($"log good/cosigned-twice.checkpoint{Trusted} --quorum 2", 5, "Incomplete: the checkpoint has 1 good cosignatures of the 3 witnesses you trust, and 2 are needed.");
    }

    /// <summary>A key id has four bytes: two keys of one name can have the same. A signature is good where one of them made it.</summary>
    void AddEqualIds()
    {
        ModelKey[] logs = [new("log.example/x", "c24007"), new("log.example/x", "c72188")];
        ModelKey[] witnesses = [new("witness.example/x", "c27343", 4), new("witness.example/x", "c33025", 4)];
        File("good/equal-ids.vkey", string.Concat(logs.Select(key => key.Vkey + "\n")));
        File("good/equal-ids-of-witnesses.vkey", string.Concat(witnesses.Select(key => key.Vkey + "\n")));
        const string Trusted = " --key @good/equal-ids.vkey --witness @good/equal-ids-of-witnesses.vkey";
        for (var i = 0; i < 2; i++)
        {
            var log = new ModelLog(logs[i]);
            Proven($"equal-ids-{i + 1}.checkpoint", log.Checkpoint(0, (witnesses[i], 1_767_323_045)), "log", Trusted + " --quorum 1");
            Expect($"log good/equal-ids-{i + 1}.checkpoint{Trusted}", 5, "Incomplete: the checkpoint has 1 good cosignatures of the 2 witnesses you trust, and 2 are needed.");
        }

        var text = new ModelLog(logs[0]).CheckpointText(0);
        Proven("equal-ids-both.checkpoint", new ModelLog(logs[1]).Checkpoint(0, (witnesses[1], 1_767_323_045), (witnesses[0], 1_767_323_046)), "log", Trusted);
        Refuted("equal-ids-by-neither.checkpoint", text + "\n" + logs[0].Sign(text + "x"), "log", "The checkpoint has a wrong signature of", Trusted + " --quorum 1");
        Refuted("equal-ids-cosigned-by-neither.checkpoint", new ModelLog(logs[0]).Checkpoint(0) + witnesses[0].Cosign(text + "x", 1), "log", "The checkpoint has a wrong cosignature of", Trusted + " --quorum 1");
    }

    void AddConsistency()
    {
        const string Key = " --key @good/log.vkey";
        var good = _log.LogConsistency(300, 600);
        File("good/consistency.json", good);
        Expect("consistency good/300.checkpoint good/600.checkpoint good/consistency.json" + Key, 0, "Proven.");
        Expect("consistency good/300.checkpoint good/600.checkpoint good/consistency.json", 5, "Incomplete: nobody vouches for the older checkpoint");
        Expect("consistency good/600.checkpoint good/300.checkpoint good/consistency.json" + Key, 3, "Refuted: The log went back");
        File("good/consistency-equal.json", _log.LogConsistency(300, 300));
        Expect("consistency good/300.checkpoint good/300.checkpoint good/consistency-equal.json" + Key, 0, "Proven.");
        Expect("consistency good/300.checkpoint good/600.checkpoint good/consistency-equal.json" + Key, 3, "Refuted: The proof is about other checkpoints");
        void Bad(string name, string text, string sentence)
        {
            File($"bad/{name}", text);
            Expect($"consistency good/300.checkpoint good/600.checkpoint bad/{name}{Key}", 3, "Refuted: " + sentence);
        }

        Bad("consistency-path-cut.json", _log.LogConsistency(300, _log.Tree.Root(300), 600, _log.Tree.Root(600), _log.Tree.Consistency(300, 600)[..^1]), "The consistency proof does not hold");
        Bad("consistency-other-sizes.json", _log.LogConsistency(299, 600), "The proof is about other checkpoints");
        Bad("consistency-other-origin.json", Changed(good, Sample.Origin, Sample.OtherKey.Name), "The proof is about the log \"example.com/another\"");
        Bad("consistency-equal-with-path.json", _log.LogConsistency(300, _log.Tree.Root(300), 300, _log.Tree.Root(300), _log.Tree.Consistency(300, 600)), "The proof is about other checkpoints");
        var fork = Sample.Log(600, seed: 7);
        File("bad/forked-600.checkpoint", fork.Checkpoint(600));
        File("bad/forked-consistency.json", _log.LogConsistency(300, _log.Tree.Root(300), 600, fork.Tree.Root(600), fork.Tree.Consistency(300, 600)));
        Expect("consistency good/300.checkpoint bad/forked-600.checkpoint bad/forked-consistency.json" + Key, 3, "Refuted: The consistency proof does not hold");
        Expect("consistency good/600.checkpoint bad/forked-600.checkpoint bad/forked-consistency.json" + Key, 3, "Refuted: The log showed two histories");
    }

    void AddMirrors()
    {
        foreach (var (name, bytes) in _log.Mirror(600))
            File($"good/mirror/{name}", bytes);
        Expect("log good/mirror --key @good/log.vkey", 0, "Proven.");
        Expect("log good/mirror --key @good/log.vkey --since good/300.checkpoint", 0, "Proven.");
        Expect("log good/mirror", 5, "Incomplete: nobody vouches for the checkpoint");
        Expect("log good/mirror --key @good/log.vkey --since bad/forked-anchors/300-too.checkpoint", 3, "Refuted: The log showed two histories");

        // A mirror of a full tile, and nothing else, with one bit changed; without it; and with a level above that says something else.
        var tiles = _log.Mirror(256);
        void Bad(string name, Action<Dictionary<string, byte[]>> change, int exit, string sentence)
        {
            var copy = tiles.ToDictionary(file => file.Key, file => file.Value.ToArray());
            change(copy);
            foreach (var (file, bytes) in copy)
                File($"bad/{name}/{file}", bytes);
            Expect($"log bad/{name} --key @good/log.vkey", exit, sentence);
        }

        Bad("mirror-leaf-changed", files => files["tile/0/000"][77] ^= 4, 3, "Refuted: Hash 0 of tile/1/000 is not that of the tile below it");
        Bad("mirror-tile-missing", files => files.Remove("tile/0/000"), 5, "Incomplete: there is no tile/0/000");
        Bad("mirror-tile-short", files => files["tile/0/000"] = files["tile/0/000"][..^1], 3, "Refuted: tile/0/000 has 8191 bytes, not 8192.");
        Bad("mirror-node-changed", files => files["tile/1/000.p/1"][0] ^= 1, 3, "Refuted: Hash 0 of tile/1/000 is not that of the tile below it");
    }
}
