using System.Text;

namespace EventDbx.Verifier.Tests.Mutations;

/// <summary>A document, perhaps changed.</summary>
/// <param name="Kind">What was done to it.</param>
/// <param name="Holds">Whether it says something that is true and shown, by the way it was made.</param>
/// <param name="Judge">What the verifier says of it.</param>
/// <param name="Receipt">The bytes where it is a receipt: for the second opinion.</param>
internal sealed record Mutation(string Kind, bool Holds, Func<Report> Judge, byte[]? Receipt = null);

/// <summary>Draws documents of random logs and changes them.</summary>
internal sealed class MutationSource
{
    readonly Random _random;
    readonly List<ModelLog> _logs = [];
    readonly Dictionary<(ModelLog, int), string> _checkpoints = [];
    readonly Trust _trust = new([VerifierKey.Parse(Sample.LogKey.Vkey, out _)!], [], 0);

    public MutationSource(Random random)
    {
        _random = random;
        foreach (var size in new[] { 1, 2, 3, 5, 8, 17, 40, 64, 65, 120, 200 })
        {
            var log = Sample.Log(size, random.Next());
            // A log that begins with a control entry has none to speak of.
            if (log.Aggregates.Count == 0)
                log.Append("order", "o-1", "order-placed", "{}", random);
            _logs.Add(log);
        }
    }

    public Mutation Next() => _random.Next(100) switch
    {
        < 72 => Receipt(),
        < 82 => AggregateConsistency(),
        < 95 => LogConsistency(),
        _ => Bundle(),
    };

    Mutation Receipt()
    {
        var log = _random.NextItem(_logs);
        var e = AnEvent(log);
        var aggregate = log.Aggregates[(e.Type, e.Id)].Tree;
        var (size, of) = (_random.Next(e.Position, log.Size + 1), _random.Next(2) == 0 ? e.Version : _random.Next(e.Version, aggregate.Count + 1));
        var path = log.Tree.Path(e.Position - 1, size);
        var (record, prev, proof, logProof) = (ModelLog.Record(e), ModelLog.Hex(e.PrevRoot),
            ModelLog.AggregateProof(of, aggregate.Root(of), aggregate.Path(e.Version - 1, of)), ModelLog.LogProof(e.Position - 1, path, Checkpoint(log, size)));
        var whole = ModelLog.Receipt(record, prev, proof, logProof);
        Mutation Is(string kind, bool holds, string text) => OfReceipt(kind, holds, Encoding.UTF8.GetBytes(text));
        Mutation Parts(string kind, bool holds, string? r = null, string? p = null, string? a = null, string? l = null) =>
            Is(kind, holds, ModelLog.Receipt(r ?? record, p ?? prev, a ?? proof, l ?? logProof));

        switch (_random.Next(20))
        {
            case 0: return Is("receipt as it is", true, whole);
            case 1: return Is("receipt with white space", true, Edits.Spaced(whole, _random, " \t\r\n"));
            case 2: return Is("receipt with an unnamed member", true, Unnamed(whole, _random.NextItem(["{\"format\"", "{\"event_id\"", "{\"size\"", "{\"aggregate_type\""])));
            case 3: return Is("receipt in another order", true, $$"""{"log_proof":{{ModelLog.Json(logProof)}},"aggregate_proof":{{proof}},"prev_root":"{{prev}}","record":{{record}},"format":"eventdbx-receipt/1"}""");
            case 4: return Is("receipt with a name escaped", true, Escaped(whole, _random.NextItem(["\"prev_root\"", "\"aggregate_type\"", "\"event_type\""])));
            case 5: return Parts("receipt with more signatures", true, l: logProof + Sample.OtherKey.Sign(log.CheckpointText(size)));
            case 6: return Spliced();
            case 7: return Parts("receipt with a path changed", false, l: ModelLog.LogProof(e.Position - 1, Edits.PathChanged(path, _random), Checkpoint(log, size)));
            case 8: return Parts("receipt with another index", false, l: ModelLog.LogProof(_random.NextItem([e.Position - 2, e.Position, size, size + e.Position, e.Position + 255]), path, Checkpoint(log, size)));
            case 9: return Parts("receipt with an aggregate path changed", false, a: ModelLog.AggregateProof(of, aggregate.Root(of), Edits.PathChanged(aggregate.Path(e.Version - 1, of), _random)));
            case 10:
                // A path does not bind a size; what it binds is the way that it goes.
                var other = _random.Next(1, aggregate.Count + 9);
                var same = other >= e.Version && Edits.Climb(e.Version - 1, other) == Edits.Climb(e.Version - 1, of);
                return Parts("receipt with another aggregate size", same, a: ModelLog.AggregateProof(other, aggregate.Root(of), aggregate.Path(e.Version - 1, of)));
            case 11: return Edited();
            case 12: return Is("receipt with a member dropped", false, Edits.Replaced(whole, _random.NextItem(["\"payload\"", "\"salt\"", "\"hash\"", "\"log_proof\"", "\"root\"", "\"issued_by\"", "\"version\""]), "\"dropped\""));
            case 13: return Is("receipt with a member twice", false, Edits.Replaced(whole, "\"version\":", $"\"version\":{e.Version},\"version\":"));
            case 14: return Is("receipt with a number as text", false, Edits.Replaced(whole, $"\"position\":{e.Position}", _random.NextItem([$"\"position\":\"{e.Position}\"", $"\"position\":{e.Position}.0", $"\"position\":{e.Position}e0", $"\"position\":0{e.Position}", $"\"position\":-{e.Position}"])));
            case 15: return OfReceipt("receipt cut off", false, Encoding.UTF8.GetBytes(whole)[..^_random.Next(1, whole.Length)]);
            case 16: return Parts("receipt signed by another", false, l: ModelLog.LogProof(e.Position - 1, path, log.CheckpointText(size) + "\n" + _random.NextItem([Sample.Impostor, Sample.OtherKey]).Sign(log.CheckpointText(size))));
            default: return OfReceipt("receipt with a byte changed", false, Edits.ByteChanged(Encoding.UTF8.GetBytes(whole), _random, Digits(whole)));
        }

        // Parts of the same event at other sizes fit; parts of another event do not.
        Mutation Spliced()
        {
            var donor = _random.Next(2) == 0 ? e : AnEvent(log);
            var (donorSize, tree) = (_random.Next(donor.Position, log.Size + 1), log.Aggregates[(donor.Type, donor.Id)].Tree);
            var donorOf = _random.Next(donor.Version, tree.Count + 1);
            return _random.Next(4) switch
            {
                0 => Parts("receipt with another record", donor == e, r: ModelLog.Record(donor)),
                1 => Parts("receipt with another prev_root", donor.PrevRoot.AsSpan().SequenceEqual(e.PrevRoot), p: ModelLog.Hex(donor.PrevRoot)),
                2 => Parts("receipt with another aggregate proof", donor == e, a: ModelLog.AggregateProof(donorOf, tree.Root(donorOf), tree.Path(donor.Version - 1, donorOf))),
                _ => Parts("receipt with another log proof", donor == e, l: log.LogProof(donor.Position - 1, donorSize, Checkpoint(log, donorSize))),
            };
        }

        Mutation Edited()
        {
            var changed = _random.Next(9) switch
            {
                0 => e with { Version = e.Version + 1 },
                1 => e with { Position = e.Position + 1 },
                2 => e with { Note = e.Note is null ? "" : null },
                3 => e with { Payload = e.Payload == "{}" ? "null" : "{}" },
                4 => e with { CreatedAt = e.CreatedAt.AddTicks(1) },
                5 => e with { By = e.By is null ? ("a", "b") : null },
                6 => e with { Salt = [.. e.Salt[1..], (byte)(e.Salt[0] + 1)] },
                7 => e with { MerkleRoot = e.Salt.Concat(e.Salt).ToArray() },
                _ => e with { Id = e.Id + "'" },
            };
            // A liar computes the hash anew, too: then it is not in the trees.
            return Parts("receipt with a value changed", false, r: ModelLog.Record(_random.Next(2) == 0 ? changed : ModelLog.Hashed(changed)));
        }
    }

    Mutation AggregateConsistency()
    {
        var log = _random.NextItem(_logs);
        var e = AnEvent(log);
        var tree = log.Aggregates[(e.Type, e.Id)].Tree;
        var (from, to) = (e.Version, _random.Next(e.Version, tree.Count + 1));
        var whole = log.AggregateConsistency(e.Type, e.Id, from, to);
        var path = tree.Consistency(from, to);
        string With(int m, int n, IEnumerable<byte[]> proof, byte[]? first = null, byte[]? second = null) =>
            $$"""{"format":"eventdbx-aggregate-consistency/1","aggregate_type":"t","aggregate_id":"i","from":{"version":{{m}},"root":"{{ModelLog.Hex(first ?? tree.Root(from))}}"},"to":{"version":{{n}},"root":"{{ModelLog.Hex(second ?? tree.Root(to))}}"},"path":"{{ModelLog.Path(proof)}}"}""";
        Mutation Is(string kind, bool holds, string text) => new(kind, holds, () => Judged("aggregate", report =>
            Documents.Consistency.CheckAggregate(Encoding.UTF8.GetBytes(text), (Digest.Read(tree.Root(from)), null), report)));

        switch (_random.Next(6))
        {
            case 0: return Is("aggregate proof as it is", true, whole);
            case 1: return Is("aggregate proof with white space", true, Edits.Spaced(whole, _random, " \t\r\n"));
            case 2: return Is("aggregate proof with a path changed", false, With(from, to, Edits.PathChanged(path, _random)));
            case 3:
                var (m, n) = (_random.Next(0, tree.Count + 3), _random.Next(0, tree.Count + 3));
                return Is("aggregate proof with other versions", Edits.Steps(m, n) == Edits.Steps(from, to), With(m, n, path));
            case 4:
                var donor = AnEvent(log);
                return Is("aggregate proof with another root", donor.MerkleRoot.AsSpan().SequenceEqual(tree.Root(to)), With(from, to, path, second: donor.MerkleRoot));
            default:
                return Is("aggregate proof with other roots", false, With(from, to, path, first: tree.Root(to).Reverse().ToArray()));
        }
    }

    Mutation LogConsistency()
    {
        var log = _random.NextItem(_logs);
        var to = _random.Next(1, log.Size + 1);
        var from = _random.Next(1, to + 1);
        var (old, now, path) = (Checkpoint(log, from), Checkpoint(log, to), log.Tree.Consistency(from, to));
        var whole = log.LogConsistency(from, to);
        Mutation Bytes(string kind, bool holds, byte[] o, byte[] n, byte[] p) => new(kind, holds, () => Judged("consistency", report => Documents.Consistency.CheckLog(
            Notes.Checkpoint.Parse(o, "The older checkpoint"), Notes.Checkpoint.Parse(n, "The newer checkpoint"), p, _trust, report)));
        Mutation Is(string kind, bool holds, string? o = null, string? n = null, string? p = null) =>
            Bytes(kind, holds, Encoding.UTF8.GetBytes(o ?? old), Encoding.UTF8.GetBytes(n ?? now), Encoding.UTF8.GetBytes(p ?? whole));

        switch (_random.Next(8))
        {
            case 0: return Is("consistency as it is", true);
            case 1: return Is("consistency with white space", true, p: Edits.Spaced(whole, _random, " \t\r\n"));
            case 2: return Is("consistency with a path changed", false, p: log.LogConsistency(from, log.Tree.Root(from), to, log.Tree.Root(to), Edits.PathChanged(path, _random)));
            case 3: return Is("consistency with its checkpoints swapped", from == to, o: now, n: old);
            case 4:
                var other = _random.Next(1, log.Size + 1);
                return Is("consistency with another checkpoint", other == from, o: Checkpoint(log, other));
            case 5: return Bytes("consistency with a byte of a checkpoint changed", false, Encoding.UTF8.GetBytes(old), Edits.ByteChanged(Encoding.UTF8.GetBytes(now), _random), Encoding.UTF8.GetBytes(whole));
            default: return Bytes("consistency with a byte changed", false, Encoding.UTF8.GetBytes(old), Encoding.UTF8.GetBytes(now), Edits.ByteChanged(Encoding.UTF8.GetBytes(whole), _random));
        }
    }

    Mutation Bundle()
    {
        var log = _random.NextItem(_logs.Where(log => log.Size is > 1 and <= 65).ToList());
        var size = _random.Next(1, log.Size + 1);
        var since = _random.Next(3) == 0 ? _random.Next(1, size + 1) : 0;
        var names = log.Aggregates.Where(_ => _random.Next(4) == 0).Where(aggregate => aggregate.Value.Events[0].Position <= size).Select(aggregate => aggregate.Key).Take(4).ToArray();
        var lines = _random.Next(3) == 0 ? log.LogBundle(size, since) : log.Bundle(size, since, names);
        var (at, other) = (_random.Next(lines.Count), _random.Next(lines.Count));
        switch (_random.Next(8))
        {
            case 0: return OfBundle("bundle as it is", true, Joined(lines));
            case 1: return OfBundle("bundle with white space", true, Joined(lines.Select(line => Edits.Spaced(line, _random, " \t\r"))));
            case 2: return OfBundle("bundle without its last newline", true, Joined(lines)[..^1]);
            case 3: return OfBundle("bundle with a line dropped", false, Joined([.. lines[..at], .. lines[(at + 1)..]]));
            case 4: return OfBundle("bundle with a line twice", false, Joined([.. lines[..at], lines[at], .. lines[at..]]));
            case 5 when at != other:
                (lines[at], lines[other]) = (lines[other], lines[at]);
                return OfBundle("bundle with lines swapped", false, Joined(lines));
            case 6:
                var bytes = Joined(lines);
                return OfBundle("bundle cut off", false, bytes[..^_random.Next(2, bytes.Length)]);
            default:
                // The one member that may be absent: under another name it is.
                var bundle = Joined(lines);
                var named = bundle.AsSpan(0, bundle.AsSpan().IndexOf((byte)'\n')).IndexOf("\"since\""u8);
                return OfBundle("bundle with a byte changed", false, Edits.ByteChanged(bundle, _random, named < 0 ? null : named..(named + 7), last: 1));
        }
    }

    Mutation OfReceipt(string kind, bool holds, byte[] receipt) =>
        new(kind, holds, () => Judged("event", report => Documents.Receipt.Check(receipt, _trust, report)), receipt);

    Mutation OfBundle(string kind, bool holds, byte[] bundle) => new(kind, holds, () => Judged("bundle", report =>
    {
        using var stream = new MemoryStream(bundle);
        // Few in memory: some need several passes.
        new Bundles.Bundle(_trust, null, report) { AggregatesInMemory = 3 }.Check(stream);
    }));

    static Report Judged(string command, Action<Report> check)
    {
        var report = new Report(command);
        try
        {
            check(report);
        }
        catch (RefutedException refuted)
        {
            report.Refute(refuted.Message);
        }

        return report;
    }

    string Checkpoint(ModelLog log, int size) =>
        _checkpoints.TryGetValue((log, size), out var known) ? known : _checkpoints[(log, size)] = log.Checkpoint(size);

    ModelEntry AnEvent(ModelLog log)
    {
        while (true)
        {
            if (_random.NextItem(log.Entries) is { IsControl: false } e)
                return e;
        }
    }

    /// <summary>The digits of the aggregate's size, which nothing binds but the form of the path.</summary>
    static Range Digits(string receipt)
    {
        const string Before = "\"aggregate_proof\":{\"size\":";
        var at = Encoding.UTF8.GetByteCount(receipt.AsSpan(0, receipt.IndexOf(Before, StringComparison.Ordinal))) + Before.Length;
        var digits = receipt.AsSpan(receipt.IndexOf(Before, StringComparison.Ordinal) + Before.Length).IndexOf(',');
        return at..(at + digits);
    }

    static string Unnamed(string json, string brace) => Edits.Replaced(json, brace, "{\"unnamed\":[{\"version\":0}]," + brace[1..]);

    static string Escaped(string json, string name) => Edits.Replaced(json, name, $"\"\\u{(int)name[1]:x4}{name[2..]}");

    static byte[] Joined(IEnumerable<string> lines) => Encoding.UTF8.GetBytes(string.Concat(lines.Select(line => line + "\n")));
}
