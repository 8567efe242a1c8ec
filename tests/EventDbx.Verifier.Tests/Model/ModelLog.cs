using System.Buffers.Binary;
using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace EventDbx.Verifier.Tests.Model;

/// <summary>One entry of the model's log; of a control entry, <see cref="Type"/> is the kind and <see cref="Id"/> the subject.</summary>
internal sealed record ModelEntry(
    bool IsControl, string Type, string Id, int Version, string EventType, string Payload, string EventId, DateTime CreatedAt, (string Group, string User)? By,
    string? Note, byte[] Salt, byte[] PrevRoot, byte[] Hash, byte[] MerkleRoot, int Position);

/// <summary>
/// A database in memory, written from docs/integrity.md and docs/proofs.md and sharing nothing with the verifier or the server: it makes
/// the documents that the verifier is to judge.
/// </summary>
internal sealed class ModelLog(ModelKey key)
{
    static readonly JsonSerializerOptions Plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public ModelKey Key { get; } = key;

    public ModelTree Tree { get; } = new();

    public List<ModelEntry> Entries { get; } = [];

    public Dictionary<(string Type, string Id), (ModelTree Tree, List<ModelEntry> Events)> Aggregates { get; } = [];

    public int Size => Entries.Count;

    public ModelEntry Append(
        string type, string id, string eventType, string payload, Random random, (string, string)? by = null, string? note = null, DateTime? at = null)
    {
        if (!Aggregates.TryGetValue((type, id), out var aggregate))
            Aggregates[(type, id)] = aggregate = (new ModelTree(), []);
        var eventId = new byte[16];
        random.NextBytes(eventId);
        (eventId[6], eventId[8]) = ((byte)((eventId[6] & 0x0F) | 0x70), (byte)((eventId[8] & 0x3F) | 0x80));
        var salt = new byte[16];
        random.NextBytes(salt);
        var time = at ?? new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc).AddTicks(Entries.Count * 1_234_567L);
        var entry = Hashed(new(
            false, type, id, aggregate.Events.Count + 1, eventType, payload, new Guid(eventId, bigEndian: true).ToString("D"), time, by, note, salt,
            aggregate.Tree.Root(aggregate.Events.Count), [], [], Size + 1));
        aggregate.Tree.Append(entry.Hash);
        entry = entry with { MerkleRoot = aggregate.Tree.Root(aggregate.Tree.Count) };
        aggregate.Events.Add(entry);
        Entries.Add(entry);
        Tree.Append(entry.Hash);
        return entry;
    }

    public ModelEntry Control(string kind, string subject, string body, Random random, (string, string)? by = null)
    {
        var salt = new byte[16];
        random.NextBytes(salt);
        var time = new DateTime(2026, 1, 2, 3, 4, 5, DateTimeKind.Utc).AddTicks(Entries.Count * 1_234_567L);
        var entry = Hashed(new(true, kind, subject, 0, "", body, "", time, by, null, salt, [], [], [], Size + 1));
        Entries.Add(entry);
        Tree.Append(entry.Hash);
        return entry;
    }

    /// <summary>The entry with the leaf hash of its content.</summary>
    public static ModelEntry Hashed(ModelEntry e)
    {
        var by = e.By is { } actor ? (byte[])[1, .. Lp(actor.Group), .. Lp(actor.User)] : [0];
        var ticks = U64(unchecked((ulong)(e.CreatedAt.Ticks - DateTime.UnixEpoch.Ticks)));
        byte[] bytes = e.IsControl
            ? [0, 2, .. Lp(e.Type), .. Lp(e.Id), .. ticks, .. by, .. Lp(e.Payload), .. e.Salt]
            : [0, 1, .. Lp(e.Type), .. Lp(e.Id), .. U64((ulong)e.Version), .. Lp(e.EventType), .. Convert.FromHexString(e.EventId.Replace("-", "", StringComparison.Ordinal)),
                .. ticks, .. by, .. e.Note is null ? (byte[])[0] : [1, .. Lp(e.Note)], .. e.PrevRoot, .. Lp(e.Payload), .. e.Salt];
        return e with { Hash = SHA256.HashData(bytes) };
    }

    public string CheckpointText(int size) => CheckpointText(size, Tree.Root(size));

    public string CheckpointText(long size, byte[] root) =>
        string.Create(CultureInfo.InvariantCulture, $"{Key.Name}\n{size}\n{Convert.ToBase64String(root)}\n");

    /// <summary>Signed, and cosigned by whoever is there.</summary>
    public string Checkpoint(int size, params (ModelKey Key, ulong Time)[] witnesses) => Signed(CheckpointText(size), witnesses);

    public string Signed(string text, params (ModelKey Key, ulong Time)[] witnesses) =>
        text + "\n" + Key.Sign(text) + string.Concat(witnesses.Select(witness => witness.Key.Cosign(text, witness.Time)));

    public string LogProof(int index, int size, string? checkpoint = null) => LogProof(index, Tree.Path(index, size), checkpoint ?? Checkpoint(size));

    public static string LogProof(long index, IEnumerable<byte[]> path, string checkpoint) =>
        $"c2sp.org/tlog-proof@v1\nindex {index}\n{string.Concat(path.Select(hash => Convert.ToBase64String(hash) + "\n"))}\n{checkpoint}";

    public static string Record(ModelEntry e) =>
        $$"""{"aggregate_type":{{Json(e.Type)}},"aggregate_id":{{Json(e.Id)}},"event_type":{{Json(e.EventType)}},"payload":{{e.Payload}},"metadata":{"event_id":"{{e.EventId}}","created_at":"{{Time(e.CreatedAt)}}","issued_by":{{By(e)}}{{(e.Note is null ? "" : $",\"note\":{Json(e.Note)}")}},"salt":"{{Base64Url.EncodeToString(e.Salt)}}"},"version":{{e.Version}},"hash":"{{Hex(e.Hash)}}","merkle_root":"{{Hex(e.MerkleRoot)}}","position":{{e.Position}}}""";

    public static string ControlJson(ModelEntry e) =>
        $$"""{"kind":{{Json(e.Type)}},"subject":{{Json(e.Id)}},"created_at":"{{Time(e.CreatedAt)}}","issued_by":{{By(e)}},"body":{{e.Payload}},"salt":"{{Base64Url.EncodeToString(e.Salt)}}","hash":"{{Hex(e.Hash)}}","position":{{e.Position}}}""";

    /// <summary>A receipt.</summary>
    /// <param name="aggregateSize">Of the tree in the aggregate proof; the event's version when 0.</param>
    public string Receipt(ModelEntry e, int size, int aggregateSize = 0, string? checkpoint = null)
    {
        var tree = Aggregates[(e.Type, e.Id)].Tree;
        var of = aggregateSize == 0 ? e.Version : aggregateSize;
        return Receipt(Record(e), Hex(e.PrevRoot), AggregateProof(of, tree.Root(of), tree.Path(e.Version - 1, of)), LogProof(e.Position - 1, size, checkpoint));
    }

    public static string Receipt(string record, string prevRoot, string aggregateProof, string logProof) =>
        $$"""{"format":"eventdbx-receipt/1","record":{{record}},"prev_root":"{{prevRoot}}","aggregate_proof":{{aggregateProof}},"log_proof":{{Json(logProof)}}}""";

    public static string AggregateProof(int size, byte[] root, IEnumerable<byte[]> path) => $$"""{"size":{{size}},"root":"{{Hex(root)}}","path":"{{Path(path)}}"}""";

    public string AggregateConsistency(string type, string id, int from, int to)
    {
        var tree = Aggregates[(type, id)].Tree;
        return $$"""{"format":"eventdbx-aggregate-consistency/1","aggregate_type":{{Json(type)}},"aggregate_id":{{Json(id)}},"from":{"version":{{from}},"root":"{{Hex(tree.Root(from))}}"},"to":{"version":{{to}},"root":"{{Hex(tree.Root(to))}}"},"path":"{{Path(tree.Consistency(from, to))}}"}""";
    }

    public string LogConsistency(int from, int to) => LogConsistency(from, Tree.Root(from), to, Tree.Root(to), Tree.Consistency(from, to));

    public string LogConsistency(int from, byte[] fromRoot, int to, byte[] toRoot, IEnumerable<byte[]> path) =>
        $$"""{"format":"eventdbx-log-consistency/1","origin":{{Json(Key.Name)}},"from":{"size":{{from}},"root":"{{Hex(fromRoot)}}"},"to":{"size":{{to}},"root":"{{Hex(toRoot)}}"},"path":"{{Path(path)}}"}""";

    /// <summary>Every line of a bundle of aggregates, without newlines.</summary>
    public List<string> Bundle(int size, int since, params (string Type, string Id)[] aggregates) => [.. BundleLines(size, since, aggregates)];

    /// <summary>The same, one at a time.</summary>
    public IEnumerable<string> BundleLines(int size, int since, params (string Type, string Id)[] aggregates)
    {
        yield return Header("aggregates", size, since);
        var events = 0;
        var ordered = aggregates.OrderBy(aggregate => Convert.ToHexString(Encoding.UTF8.GetBytes(aggregate.Type)), StringComparer.Ordinal)
            .ThenBy(aggregate => Convert.ToHexString(Encoding.UTF8.GetBytes(aggregate.Id)), StringComparer.Ordinal);
        foreach (var name in ordered)
        {
            var records = Aggregates[name].Events.Where(e => e.Position <= size).ToList();
            yield return $$$"""{"aggregate":{"aggregate_type":{{{Json(name.Type)}}},"aggregate_id":{{{Json(name.Id)}}},"version":{{{records.Count}}},"merkle_root":"{{{Hex(Aggregates[name].Tree.Root(records.Count))}}}"}}""";
            foreach (var e in records)
                yield return $$"""{"record":{{Record(e)}},"path":"{{Path(Tree.Path(e.Position - 1, size))}}"}""";
            events += records.Count;
        }

        yield return $$$"""{"end":{"aggregates":{{{aggregates.Length}}},"events":{{{events}}}}}""";
    }

    /// <summary>Every line of a bundle of the log.</summary>
    public List<string> LogBundle(int size, int since)
    {
        var lines = new List<string> { Header("log", size, since) };
        lines.AddRange(Entries.Take(size).Select(e => e.IsControl ? $$"""{"control":{{ControlJson(e)}}}""" : $$"""{"record":{{Record(e)}}}"""));
        var events = Entries.Take(size).Where(e => !e.IsControl).ToList();
        lines.Add($$$"""{"end":{"aggregates":{{{events.Select(e => (e.Type, e.Id)).Distinct().Count()}}},"events":{{{events.Count}}},"control_entries":{{{size - events.Count}}}}}""");
        return lines;
    }

    public string Header(string scope, int size, int since) =>
        $$"""{"format":"eventdbx-evidence/1","scope":"{{scope}}","key":{{Json(Key.Vkey)}},"checkpoint":{{Json(Checkpoint(size))}}{{(since == 0 ? "" : $$""","since":{"size":{{since}},"root":"{{Hex(Tree.Root(since))}}","path":"{{Path(Tree.Consistency(since, size))}}"}""")}}}""";

    /// <summary>The files of a mirror, by name.</summary>
    public Dictionary<string, byte[]> Mirror(int size)
    {
        var files = new Dictionary<string, byte[]> { ["checkpoint"] = Encoding.UTF8.GetBytes(Checkpoint(size)) };
        var hashes = Enumerable.Range(0, size).Select(Tree.Leaf).ToList();
        for (var level = 0; hashes.Count > 0; level++)
        {
            foreach (var (number, tile) in hashes.Chunk(256).Index())
                files[$"tile/{level}/{number:000}{(tile.Length == 256 ? "" : $".p/{tile.Length}")}"] = [.. tile.SelectMany(hash => hash)];
            hashes = [.. hashes.Chunk(256).Where(tile => tile.Length == 256).Select(tile =>
            {
                var tree = new ModelTree();
                Array.ForEach(tile, tree.Append);
                return tree.Root(256);
            })];
        }

        return files;
    }

    public static string Hex(byte[] bytes) => Convert.ToHexStringLower(bytes);

    public static string Path(IEnumerable<byte[]> hashes) => Convert.ToBase64String([.. hashes.SelectMany(hash => hash)]);

    public static string Json(string text) => JsonSerializer.Serialize(text, Plain);

    static string By(ModelEntry e) => e.By is { } actor ? $$"""{"group":{{Json(actor.Group)}},"user":{{Json(actor.User)}}}""" : "null";

    static string Time(DateTime time) => time.ToString((time.Ticks % 10_000_000) switch
    {
        0 => "yyyy-MM-dd'T'HH:mm:ss'Z'",
        var ticks when ticks % 10_000 == 0 => "yyyy-MM-dd'T'HH:mm:ss.fff'Z'",
        var ticks when ticks % 10 == 0 => "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'",
        _ => "yyyy-MM-dd'T'HH:mm:ss.fffffff'Z'",
    }, CultureInfo.InvariantCulture);

    static byte[] Lp(string text)
    {
        var utf8 = Encoding.UTF8.GetBytes(text);
        var length = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(length, utf8.Length);
        return [.. length, .. utf8];
    }

    static byte[] U64(ulong value)
    {
        var bytes = new byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, value);
        return bytes;
    }
}
