using System.Globalization;
using System.Text;
using System.Text.Json;

namespace EventDbx.Verifier.Tests.Vectors;

internal sealed partial class VectorSet
{
    void AddReceipts()
    {
        var plain = Event(e => e is { Type: "order", Id: "o-1", By: not null, Note: not null } && e.Payload.Contains("42.50", StringComparison.Ordinal));
        Proven("receipt.json", _log.Receipt(plain, 300), "event");
        Expect("event good/receipt.json", 5, "Incomplete: nobody vouches for the checkpoint");
        Expect("event good/receipt.json --key @bad/another-log.vkey", 3, "Refuted: The checkpoint is of the log");
        Expect("event good/receipt.json --key @bad/impostor.vkey", 3, "Refuted: The checkpoint has no signature of a key that you trust.");
        Expect("event good/receipt.json --key @bad/impostor.vkey --key @good/log.vkey", 0, "Proven.");
        Expect("event good/receipt.json --key @good/log.vkey --witness @good/witnesses.vkey --quorum 1", 5, "Incomplete: the checkpoint has 0 good cosignatures of the 3 witnesses");
        Proven("receipt-within-a-longer-aggregate.json", _log.Receipt(plain, 600, _log.Aggregates[("order", "o-1")].Events.Count), "event");
        Proven("receipt-first-version.json", _log.Receipt(_log.Entries.First(e => e is { IsControl: false, Version: 1, Id: "o-2" }), 299), "event");
        Proven("receipt-names-outside-ascii.json", _log.Receipt(Event(e => e.Type == "käufer"), 511), "event");
        Proven("receipt-names-to-be-escaped.json", _log.Receipt(Event(e => e.Type.Contains('"', StringComparison.Ordinal)), 512), "event");
        Proven("receipt-nobody-named.json", _log.Receipt(Event(e => e.By is null && e.Note is null), 513), "event");
        Proven("receipt-empty-note.json", _log.Receipt(Event(e => e.Note is { Length: 0 }), 600), "event");
        Proven("receipt-numbers-as-written.json", _log.Receipt(Event(e => e.Payload.Contains("1e3", StringComparison.Ordinal)), 600), "event");
        Proven("receipt-strings-as-written.json", _log.Receipt(Event(e => e.Payload.Contains("quote", StringComparison.Ordinal)), 600), "event");
        Proven("receipt-payload-null.json", _log.Receipt(Event(e => e.Payload == "null"), 600), "event");
        Proven("receipt-newest-entry.json", _log.Receipt(_log.Entries.Last(e => !e.IsControl), _log.Entries.Last(e => !e.IsControl).Position), "event");
        using (var parsed = JsonDocument.Parse(_log.Receipt(plain, 300)))
            Proven("receipt-indented.json", Indented(parsed.RootElement), "event");
        Proven("receipt-with-unnamed-members.json", Changed(Changed(_log.Receipt(plain, 300), "{\"format\"", "{\"comment\":\"not proven\",\"format\""), "\"version\":", "\"display\":{\"version\":7},\"version\":"), "event");
        Proven("receipt-cosigned.json", _log.Receipt(plain, 300, checkpoint: _log.Checkpoint(300, (Sample.Witnesses[0], 1_767_323_045), (Sample.Witnesses[1], 1_767_323_046))), "event");
        Expect("event good/receipt-cosigned.json --key @good/log.vkey --witness @good/witnesses.vkey --quorum 2", 0, "Proven.");
        Expect("event good/receipt-cosigned.json --key @good/log.vkey --witness @good/witnesses.vkey", 5, "Incomplete: the checkpoint has 2 good cosignatures of the 3 witnesses you trust, and 3 are needed.");

        var alone = new ModelLog(Sample.LogKey);
        var only = alone.Append("order", "only", "order-placed", "{}", new Random(1));
        Proven("receipt-log-of-one-entry.json", alone.Receipt(only, 1), "event");

        File("good/bare.tlog-proof", _log.LogProof(plain.Position - 1, 300));
        Expect($"event good/bare.tlog-proof --hash {ModelLog.Hex(plain.Hash)} --key @good/log.vkey", 0, "Proven.");
        Expect($"event good/bare.tlog-proof --hash {ModelLog.Hex(plain.PrevRoot)} --key @good/log.vkey", 3, "Refuted: The log proof does not hold");
        File("good/bare-with-extra.tlog-proof", Changed(_log.LogProof(plain.Position - 1, 300), "\nindex", "\nextra aGVsbG8=\nindex"));
        Expect($"event good/bare-with-extra.tlog-proof --hash {ModelLog.Hex(plain.Hash)} --key @good/log.vkey", 0, "Proven.");
    }

    void AddBrokenReceipts()
    {
        var plain = Event(e => e is { Type: "order", Id: "o-1", By: not null, Note: not null } && e.Payload.Contains("42.50", StringComparison.Ordinal));
        var good = _log.Receipt(plain, 300);
        void Broken(string name, string sentence, string from, string to) => Refuted($"receipt-{name}.json", Changed(good, from, to), "event", sentence);
        const string Content = "The record is not the event with the hash it shows";

        Broken("payload-changed", Content, "42.50", "42.51");
        Broken("payload-number-respelt", Content, "42.50", "42.5");
        Broken("payload-retyped", Content, "42.50", "\"42.50\"");
        Broken("payload-space-within-text", Content, "Jane Doe", "Jane  Doe");
        Broken("payload-escaped-otherwise", Content, "Jane Doe", "Jan\\u0065 Doe");
        Broken("type-changed", Content, "\"aggregate_type\":\"order\"", "\"aggregate_type\":\"orders\"");
        Broken("moved-to-another-aggregate", Content, "\"o-1\"", "\"o-2\"");
        Broken("event-type-changed", Content, $"\"event_type\":\"{plain.EventType}\"", "\"event_type\":\"order-refunded\"");
        Broken("event-id-changed", Content, plain.EventId, plain.EventId[..^1] + (plain.EventId[^1] == '0' ? '1' : '0'));
        Broken("time-changed", Content, "\"created_at\":\"2026", "\"created_at\":\"2025");
        Broken("actor-changed", Content, "\"issued_by\":{", "\"issued_by\":null,\"was\":{");
        Broken("note-dropped", Content, "\"note\":", "\"remark\":");
        Broken("note-changed", Content, "\"note\":\"", "\"note\":\"not ");
        Broken("version-changed", Content, $"\"version\":{plain.Version}", $"\"version\":{plain.Version - 1}");
        Broken("hash-changed", Content, ModelLog.Hex(plain.Hash), ModelLog.Hex(plain.MerkleRoot));
        Broken("prev-root-changed", Content, ModelLog.Hex(plain.PrevRoot), ModelLog.Hex(plain.Hash));
        Broken("merkle-root-changed", "The aggregate proof does not hold: its path gives another root with this event than `merkle_root`.", $"\"merkle_root\":\"{ModelLog.Hex(plain.MerkleRoot)}", $"\"merkle_root\":\"{ModelLog.Hex(plain.Hash)}");
        Broken("position-changed", "The record says position", $"\"position\":{plain.Position}", $"\"position\":{plain.Position + 1}");
        Broken("aggregate-too-small", "The aggregate proof is about", $"\"size\":{plain.Version}", $"\"size\":{plain.Version - 1}");
        Broken("aggregate-other-size", "The aggregate proof does not hold", $"\"size\":{plain.Version}", $"\"size\":{plain.Version + 64}");
        Broken("index-beyond-the-log", "The record says position", "index ", "index 9");
        Broken("hash-in-capitals", "The record is malformed: `hash` is not a hash: 64 lower-case hex digits.", ModelLog.Hex(plain.Hash), ModelLog.Hex(plain.Hash).ToUpperInvariant());
        Broken("salt-too-short", "The record, `metadata`, is malformed: `salt` is not 16 bytes", "\"salt\":\"", "\"salt\":\"\",\"_\":\"");
        Broken("no-salt", "The record, `metadata`, is malformed: `salt` is missing.", "\"salt\":", "\"pepper\":");
        Broken("member-twice", "The record is malformed: `version` stands there twice.", "\"version\":", $"\"version\":{plain.Version},\"version\":");
        Broken("member-twice-by-escape", "The record is malformed: `version` stands there twice.", "\"version\":", $"\"v\\u0065rsion\":{plain.Version},\"version\":");
        Broken("version-with-exponent", "The record is malformed: `version` is not an integer", $"\"version\":{plain.Version}", $"\"version\":{plain.Version}e0");
        Broken("version-with-fraction", "The record is malformed: `version` is not an integer", $"\"version\":{plain.Version}", $"\"version\":{plain.Version}.0");
        Broken("version-with-sign", "The record is malformed: `version` is not an integer", $"\"version\":{plain.Version}", "\"version\":-0");
        Broken("version-with-zero", "The receipt is malformed: a number begins with a zero", $"\"version\":{plain.Version}", $"\"version\":0{plain.Version}");
        Broken("version-2-64", "The record is malformed: `version` is not an integer", $"\"version\":{plain.Version}", "\"version\":18446744073709551616");
        Broken("version-zero", "The record is malformed: `version` is 0", $"\"version\":{plain.Version}", "\"version\":0");
        Broken("version-as-text", "The record is malformed: `version` is not an integer", $"\"version\":{plain.Version}", $"\"version\":\"{plain.Version}\"");
        Broken("time-with-offset", "The record, `metadata`, is malformed: `created_at`", "Z\",\"issued_by\"", "+00:00\",\"issued_by\"");
        Broken("time-with-zeros", "The record, `metadata`, is malformed: `created_at`", "Z\",\"issued_by\"", "0Z\",\"issued_by\"");
        Broken("uuid-in-capitals", "The record, `metadata`, is malformed: `event_id` is not a UUID in lower case.", plain.EventId, plain.EventId.ToUpperInvariant());
        Broken("half-a-surrogate-pair", "The receipt is malformed: half a surrogate pair is not text", "Jane Doe", "Jane \\ud83d Doe");
        Broken("another-format", "The receipt is malformed: its `format` is", "eventdbx-receipt/1", "eventdbx-receipt/2");

        var text = _log.CheckpointText(300);
        var line = Sample.LogKey.Sign(text);
        var wrong = Convert.FromBase64String(line.Trim().Split(' ')[2]);
        wrong[^1] ^= 1;
        var forged = $"{text}\n— {Sample.Origin} {Convert.ToBase64String(wrong)}\n";
        Refuted("receipt-signature-changed.json", _log.Receipt(plain, 300, checkpoint: forged), "event", "The checkpoint has a wrong signature");
        Refuted("receipt-signed-by-an-impostor.json", _log.Receipt(plain, 300, checkpoint: text + "\n" + Sample.Impostor.Sign(text)), "event", "The checkpoint has no signature of a key that you trust.");
        Refuted("receipt-signed-for-another-log.json", _log.Receipt(plain, 300, checkpoint: text + "\n" + Sample.OtherKey.Sign(text)), "event", "The checkpoint has no signature of a key that you trust.", " --key @good/log.vkey --key @bad/another-log.vkey");
        Refuted("receipt-other-checkpoint.json", _log.Receipt(plain, 300, checkpoint: _log.Checkpoint(301)), "event", "The log proof does not hold");
        var larger = Changed(_log.Checkpoint(300), "\n300\n", "\n301\n");
        Refuted("receipt-checkpoint-size-changed.json", _log.Receipt(plain, 300, checkpoint: larger), "event", "The");
        Refuted("receipt-extension-line.json", _log.Receipt(plain, 300, checkpoint: _log.Signed(text + "more\n")), "event", "The checkpoint is malformed: its text has 4 lines");
        Refuted("receipt-index-beyond.json", ModelLog.Receipt(
            Changed(ModelLog.Record(plain), $"\"position\":{plain.Position}", "\"position\":301"), ModelLog.Hex(plain.PrevRoot),
            ModelLog.AggregateProof(plain.Version, plain.MerkleRoot, _log.Aggregates[("order", "o-1")].Tree.Path(plain.Version - 1, plain.Version)),
            ModelLog.LogProof(300, _log.Tree.Path(plain.Position - 1, 300), _log.Checkpoint(300))), "event", "The log proof names index 300, and the log of its checkpoint ends before it");
        Refuted("receipt-path-too-short.json", ReceiptWithPath(plain, path => path[..^1]), "event", "The log proof does not hold");
        Refuted("receipt-path-too-long.json", ReceiptWithPath(plain, path => [.. path, path[0]]), "event", "The log proof does not hold");
        Refuted("receipt-path-swapped.json", ReceiptWithPath(plain, path => [path[1], path[0], .. path[2..]]), "event", "The log proof does not hold");
        Refuted("receipt-path-of-66-hashes.json", ReceiptWithPath(plain, path => [.. Enumerable.Repeat(path[0], 66)]), "event", "The log proof is malformed: its path has more than 65 hashes.");
        var cosigned = Sample.Witnesses[0].Cosign(text, 1_767_323_045);
        var lied = Convert.FromBase64String(cosigned.Trim().Split(' ')[2]);
        lied[11] ^= 1; // the time
        Refuted("receipt-cosignature-changed.json", _log.Receipt(plain, 300, checkpoint: _log.Checkpoint(300) + $"— {Sample.Witnesses[0].Name} {Convert.ToBase64String(lied)}\n"),
            "event", "The checkpoint has a wrong cosignature of the witness", " --key @good/log.vkey --witness @good/witnesses.vkey --quorum 1");
        Refuted("receipt-cut-off.json", good[..^40], "event", "The receipt is malformed: it ends within a string");
        Refuted("receipt-and-more.json", good + "{}", "event", "The receipt is malformed: something stands behind its JSON value");
        Refuted("receipt-byte-order-mark.json", "\uFEFF" + good, "event", "The receipt is malformed: it begins with a byte order mark");
        Refuted("receipt-deep.json", Changed(good, "{\"total\"", new string('[', 200) + new string(']', 200) + "{\"total\""), "event", "The receipt is malformed: it is nested more than 128 levels deep");
        Refuted("empty.json", "", "event", "The receipt is malformed: it ends where a value belongs");
        File("bad/receipt-not-utf-8.json", [.. Encoding.UTF8.GetBytes(good[..60]), 0xC0, 0xAF, .. Encoding.UTF8.GetBytes(good[60..])]);
        Expect("event bad/receipt-not-utf-8.json --key @good/log.vkey", 3, "Refuted: The receipt is malformed: it is not UTF-8.");
        File("bad/receipt-nul.json", [.. Encoding.UTF8.GetBytes(Changed(good, "Jane", "Ja\0ne"))]);
        Expect("event bad/receipt-nul.json --key @good/log.vkey", 3, "Refuted: The receipt is malformed: a control character stands within a string");
        Expect("event good/log.vkey --key @good/log.vkey", 3, "Refuted: The receipt is malformed: no JSON value begins so");
    }

    string ReceiptWithPath(ModelEntry e, Func<List<byte[]>, List<byte[]>> change)
    {
        var tree = _log.Aggregates[(e.Type, e.Id)].Tree;
        return ModelLog.Receipt(
            ModelLog.Record(e), ModelLog.Hex(e.PrevRoot), ModelLog.AggregateProof(e.Version, e.MerkleRoot, tree.Path(e.Version - 1, e.Version)),
            ModelLog.LogProof(e.Position - 1, change(_log.Tree.Path(e.Position - 1, 300)), _log.Checkpoint(300)));
    }

    static string Indented(JsonElement value)
    {
        // White space everywhere, tokens to the byte.
        var raw = value.GetRawText();
        var text = new StringBuilder();
        for (var at = 0; at < raw.Length; at++)
        {
            if (raw[at] == '"')
            {
                var end = at + 1;
                for (; raw[end] != '"'; end++)
                    end += raw[end] == '\\' ? 1 : 0;
                text.Append(raw.AsSpan(at, end - at + 1));
                at = end;
            }
            else if ("{}[],:".Contains(raw[at], StringComparison.Ordinal))
            {
                text.Append(CultureInfo.InvariantCulture, $" \r\n\t{raw[at]} ");
            }
            else
            {
                text.Append(raw[at]);
            }
        }

        return text.Append("\r\n").ToString();
    }
}
