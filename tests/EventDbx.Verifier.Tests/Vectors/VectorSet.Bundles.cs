using EventDbx.Verifier.Tests.Lies;

namespace EventDbx.Verifier.Tests.Vectors;

internal sealed partial class VectorSet
{
    const string Key = " --key @good/log.vkey";

    static readonly (string, string)[] Chosen = [("order", "o-2"), ("permit", "case 7"), ("käufer", "東京/1")];

    void AddBundles()
    {
        Proven("bundle.ndjson", Joined(_log.Bundle(120, 0, Chosen)), "bundle");
        Expect("bundle good/bundle.ndjson", 5, "Incomplete: nobody vouches for the checkpoint");
        Expect("bundle good/bundle.ndjson --key @good/log.vkey --since good/anchors/41.checkpoint", 5, "Incomplete: the bundle has no proof from the checkpoint that you kept");
        Expect("bundle good/bundle.ndjson --key @good/log.vkey --since good/300.checkpoint", 3, "Refuted: The log went back");
        Proven("bundle-since.ndjson", Joined(_log.Bundle(120, 41, Chosen)), "bundle", Key + " --since good/anchors/41.checkpoint");
        Expect("bundle good/bundle-since.ndjson --key @good/log.vkey", 0, "Proven.");
        Proven("bundle-of-the-log.ndjson", Joined(_log.LogBundle(60, 0)), "bundle", Key + " --since good/anchors/41.checkpoint");
        Proven("bundle-crlf.ndjson", Joined(_log.Bundle(60, 0, Chosen[..1])).Replace("\n", " \r\n", StringComparison.Ordinal), "bundle");
        Proven("bundle-of-nothing.ndjson", Joined(_log.Bundle(60, 0)), "bundle");
        var cut = _log.Bundle(60, 0, Chosen);
        File("bad/bundle-cut-off.ndjson", Joined(cut[..^1]));
        Expect("bundle bad/bundle-cut-off.ndjson" + Key, 5, "Incomplete: the bundle has no end: it was cut off behind line");
        File("bad/bundle-cut-within-a-line.ndjson", Joined(cut)[..^60]);
        Expect("bundle bad/bundle-cut-within-a-line.ndjson" + Key, 5, "Incomplete: the bundle was cut off within line");
        File("bad/bundle-given-up.ndjson", Joined([.. cut[..^1], """{"error":{"code":"unavailable","message":"the server stops \u001b[2J"}}"""]));
        Expect("bundle bad/bundle-given-up.ndjson" + Key, 5, "Incomplete: the maker of the bundle gave up: \"the server stops \\u{1b}[2J\" (unavailable).");
        File("bad/bundle-empty.ndjson", "");
        Expect("bundle bad/bundle-empty.ndjson" + Key, 5, "Incomplete: the bundle has no end: it is empty.");
    }

    void AddBrokenBundles()
    {
        var good = _log.Bundle(120, 41, Chosen);
        void Bad(string name, string sentence, Func<List<string>, IEnumerable<string>> change, string more = "") =>
            Refuted($"bundle-{name}.ndjson", Joined(change([.. good])), "bundle", sentence, Key + more);
        var (first, second) = (1, good.FindIndex(2, line => line.StartsWith("{\"aggregate\"", StringComparison.Ordinal)));

        Bad("event-dropped", "Line 3: ", lines => [.. lines[..2], .. lines[3..]]);
        Bad("last-event-dropped", $"Line {second}: the events of", lines => [.. lines[..(second - 1)], .. lines[second..]]);
        Bad("event-twice", "Line 4: ", lines => [.. lines[..3], lines[2], .. lines[3..]]);
        Bad("events-swapped", "Line 3: ", lines => [.. lines[..2], lines[3], lines[2], .. lines[4..]]);
        Bad("aggregates-swapped", "Line ", lines => [lines[0], .. lines[second..^1], .. lines[first..second], lines[^1]]);
        Bad("aggregate-dropped", "The last line of the bundle says 3 aggregates, and there are 2.", lines => [lines[0], .. lines[second..]]);
        Bad("event-among-others", $"Line {second + 2}: ", lines => [.. lines[..(second + 1)], lines[2], .. lines[(second + 1)..]]);
        Bad("paths-swapped", "Line 3: ", lines =>
        {
            var (one, other) = (PathOf(lines[2]), PathOf(lines[3]));
            (lines[2], lines[3]) = (Changed(lines[2], one, other), Changed(lines[3], other, one));
            return lines;
        });
        Bad("root-of-the-aggregate", $"Line {second + 1}: the line of", lines => Edit(lines, 1, "\"merkle_root\":\"", "\"merkle_root\":\"0000000000000000000000000000000000000000000000000000000000000000\",\"_\":\""));
        Bad("aggregate-of-nothing", "Line 2: \"a\" \"a\" stands there with no event", lines =>
            [lines[0], $$$"""{"aggregate":{"aggregate_type":"a","aggregate_id":"a","version":0,"merkle_root":"{{{Digest.OfNothing}}}"}}""", .. lines[1..]]);
        Bad("payload-changed", "Line 3: ", lines => Edit(lines, 2, "\"payload\":", "\"payload\":[0],\"_\":"));
        Bad("count-changed", "The last line of the bundle says", lines => Edit(lines, lines.Count - 1, "\"events\":", "\"events\":1"));
        Bad("more-behind-the-end", $"Line {good.Count + 1} of the bundle is malformed", lines => [.. lines, lines[^1]]);
        Bad("blank-line", "Line 3 of the bundle is malformed: it ends where a value belongs", lines => [.. lines[..2], "", .. lines[2..]]);
        Bad("two-kinds", "Line 3 of the bundle is malformed: it has none, or more than one", lines => Edit(lines, 2, "{\"record\"", "{\"end\":{},\"record\""));
        Bad("no-kind", "Line 3 of the bundle is malformed: it has none, or more than one", lines => Edit(lines, 2, "{\"record\"", "{\"recorded\""));
        Bad("control-entry", "Line 3 of the bundle is malformed: a control entry belongs to no aggregate.", lines => [.. lines[..2], "{\"control\":{}}", .. lines[2..]]);
        Bad("event-before-any-aggregate", "Line 2 of the bundle is malformed: an event stands before any aggregate.", lines => [lines[0], .. lines[2..]]);
        Bad("since-changed", "The consistency proof does not hold", lines => Edit(lines, 0, "\"since\":{\"size\":41", "\"since\":{\"size\":40"));
        Bad("another-key", "The bundle names the key of another log", lines => Edit(lines, 0, Sample.LogKey.Vkey, Sample.OtherKey.Vkey));
        Bad("impostors-key", "The checkpoint of the bundle was not signed by the key that the bundle names.", lines => Edit(lines, 0, Sample.LogKey.Vkey, Sample.Impostor.Vkey));
        Bad("scope-unknown", "The first line of the bundle is malformed: `scope` is not", lines => Edit(lines, 0, "\"scope\":\"aggregates\"", "\"scope\":\"some\""));
        var fork = Sample.Log(60, seed: 7);
        File("bad/forked-41.checkpoint", fork.Checkpoint(41));
        Expect("bundle good/bundle-since.ndjson --key @good/log.vkey --since bad/forked-41.checkpoint", 3, "Refuted: The log showed two histories");

        var log = _log.LogBundle(60, 0);
        void BadLog(string name, string sentence, Func<List<string>, IEnumerable<string>> change, string more = "") =>
            Refuted($"bundle-of-the-log-{name}.ndjson", Joined(change([.. log])), "bundle", sentence, Key + more);
        var control = log.FindIndex(line => line.StartsWith("{\"control\"", StringComparison.Ordinal));
        BadLog("entry-dropped", "Line 11: position 11 stands where 10 belongs.", lines => [.. lines[..10], .. lines[11..]]);
        BadLog("tail-dropped", "The last line of the bundle says", lines => [.. lines[..^2], lines[^1]]);
        BadLog("tail-dropped-and-counted", "The bundle ends with position 59, and the checkpoint's log has 60 entries: the tail was left out.", _ =>
            [log[0], .. _log.LogBundle(59, 0)[1..]]);
        BadLog("control-changed", $"Line {control + 1}: the control entry is not the one with the hash it shows", lines => Edit(lines, control, "\"subject\":\"", "\"subject\":\"x"));
        BadLog("another-log", "The entries of the bundle are not the log of the checkpoint", _ => [log[0], .. fork.LogBundle(60, 0)[1..]]);
        BadLog("aggregates-counted-wrongly", "The last line of the bundle says", lines => Edit(lines, lines.Count - 1, "\"aggregates\":", "\"aggregates\":1"));
        AddTwoHistories();
        Expect("bundle good/bundle-of-the-log.ndjson --key @good/log.vkey --since bad/forked-41.checkpoint", 3, "Refuted: The log showed two histories");
    }

    /// <summary>A log in which one aggregate begins twice: each history proves itself, and only the whole log refutes them.</summary>
    void AddTwoHistories()
    {
        var (log, first, second) = LyingServer.TwoHistories();
        foreach (var (name, history) in new[] { ("one", first), ("other", second) })
        {
            log.Aggregates[("order", "twice")] = LyingServer.Tree(history);
            Proven($"{name}-history-of-two.json", log.Receipt(history[0], log.Size), "event");
            Proven($"{name}-history-of-two.ndjson", Joined(log.Bundle(log.Size, 0, ("order", "twice"))), "bundle");
        }

        Refuted("bundle-of-the-log-two-histories.ndjson", Joined(log.LogBundle(log.Size, 0)), "bundle", "Line 46: version 1 of \"order\" \"twice\" stands where version 4 belongs.");
    }

    static string Joined(IEnumerable<string> lines) => string.Concat(lines.Select(line => line + "\n"));

    static List<string> Edit(List<string> lines, int line, string from, string to)
    {
        lines[line] = Changed(lines[line], from, to);
        return lines;
    }

    static string PathOf(string line) => line[(line.LastIndexOf("\"path\"", StringComparison.Ordinal) + 7)..^1];
}
