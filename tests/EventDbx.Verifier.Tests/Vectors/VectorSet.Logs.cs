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
        File("bad/forked-anchors/300.checkpoint", _log.Checkpoint(300));
        File("bad/forked-anchors/300-too.checkpoint", fork.Checkpoint(300));
        Expect("log bad/forked-anchors --key @good/log.vkey", 3, "Refuted: The log");
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
