using System.Text.Json;
using EventDbx.Checkpoints;
using EventDbx.Integrity;

namespace EventDbx.Tests.Checkpoints;

/// <summary>Reads a bundle as docs/proofs.md, section 6, says; anything that does not hold is an exception.</summary>
internal sealed class BundleCheck
{
    readonly FakeSigner _signer;
    readonly Dictionary<AggregateKey, MerkleTree> _trees = [];
    readonly MerkleTree _log = new();
    AggregateKey? _aggregate;
    (ulong Version, Hash32 Root) _promised;
    ulong _position;

    BundleCheck(FakeSigner signer) => _signer = signer;

    public string Scope { get; private set; } = "";

    public Checkpoint Checkpoint { get; private set; } = null!;

    public TreePoint? Since { get; private set; }

    public List<AggregateKey> Aggregates { get; } = [];

    public ulong Events { get; private set; }

    public ulong Control { get; private set; }

    public static BundleCheck Of(ReadOnlySpan<byte> utf8, FakeSigner signer)
    {
        var check = new BundleCheck(signer);
        var lines = Encoding.UTF8.GetString(utf8).Split('\n');
        Hold(lines[^1].Length == 0, "the last line has its newline");
        for (var i = 0; i < lines.Length - 1; i++)
        {
            using var line = JsonDocument.Parse(lines[i]);
            check.Take(line.RootElement, first: i == 0, last: i == lines.Length - 2);
        }

        return check;
    }

    void Take(JsonElement line, bool first, bool last)
    {
        var kind = line.EnumerateObject().First().Name;
        Hold(first == (kind == "format") && last == (kind == "end"), $"{kind} in its place");
        switch (kind)
        {
            case "format":
                Begin(line);
                break;
            case "aggregate":
                BeginAggregate(line.GetProperty(kind));
                break;
            case "record":
                TakeEvent(line);
                break;
            case "control":
                TakeControl(line.GetProperty(kind));
                break;
            default:
                End(line.GetProperty("end"));
                break;
        }
    }

    void Begin(JsonElement line)
    {
        Hold(line.GetProperty("format").GetString() == "eventdbx-evidence/1", "format");
        Scope = line.GetProperty("scope").GetString()!;
        Hold(SignedNote.TryParse(Encoding.UTF8.GetBytes(line.GetProperty("checkpoint").GetString()!), out var note) && Checkpoint.TryParse(note.Text, out var checkpoint), "checkpoint");
        Checkpoint = Checkpoint.TryParse(note!.Text, out var read) ? read : throw new FormatException();
        Hold(_signer.Verifies(Checkpoint.Origin, note) && line.GetProperty("key").GetString() == _signer.VerifierKey(Checkpoint.Origin), "signature");
        if (!line.TryGetProperty("since", out var since))
            return;
        Since = new(since.GetProperty("size").GetUInt64(), HashIn(since, "root"));
        Hold(MerkleProof.Extends(Since.Value.Size, Checkpoint.Size, Since.Value.Root, Checkpoint.Root, Path(since)), "since");
    }

    void BeginAggregate(JsonElement json)
    {
        EndAggregate();
        var aggregate = AggregateKey.Create(json.GetProperty("aggregate_type").GetString(), json.GetProperty("aggregate_id").GetString());
        Hold(Scope == "aggregates" && (_aggregate is null || _aggregate.CompareTo(aggregate) < 0), "order of aggregates");
        (_aggregate, _promised, _position) = (aggregate, (json.GetProperty("version").GetUInt64(), HashIn(json, "merkle_root")), 0);
        Aggregates.Add(aggregate);
    }

    void EndAggregate()
    {
        if (_aggregate is null)
            return;
        var tree = _trees.GetValueOrDefault(_aggregate) ?? new();
        Hold(tree.Size == _promised.Version && tree.Root() == _promised.Root, $"{_aggregate} is whole");
        _trees.Remove(_aggregate);
    }

    void TakeEvent(JsonElement line)
    {
        var record = EventDbx.Events.RecordJson.ReadRecord(line.GetProperty("record"));
        Hold(Scope == "log" || record.Aggregate.Equals(_aggregate), "its aggregate");
        if (!_trees.TryGetValue(record.Aggregate, out var tree))
            _trees.Add(record.Aggregate, tree = new());
        var leaf = EntryHash.OfEvent(
            record.Aggregate, record.Version, Encoding.UTF8.GetBytes(record.EventType), record.EventId, record.CreatedAt.Ticks100ns, record.Actor, record.Note,
            tree.Root(), record.Payload.Span, record.Salt.Span);
        Hold(leaf == record.Hash, "hash");
        tree.Append(leaf);
        Hold(tree.Size == record.Version && tree.Root() == record.MerkleRoot, "version and root");
        Place(record.Position, leaf, line);
        Events++;
    }

    void TakeControl(JsonElement json)
    {
        var actor = json.GetProperty("issued_by") is { ValueKind: JsonValueKind.Object } by ? new Actor(by.GetProperty("group").GetString()!, by.GetProperty("user").GetString()!) : null;
        Hold(Timestamp.TryParse(json.GetProperty("created_at").GetString()!, out var time, out _), "time");
        var leaf = EntryHash.OfControl(
            Encoding.UTF8.GetBytes(json.GetProperty("kind").GetString()!), Encoding.UTF8.GetBytes(json.GetProperty("subject").GetString()!), time.Ticks100ns, actor,
            System.Runtime.InteropServices.JsonMarshal.GetRawUtf8Value(json.GetProperty("body")),
            System.Buffers.Text.Base64Url.DecodeFromChars(json.GetProperty("salt").GetString()));
        Hold(leaf == HashIn(json, "hash"), "hash of a control entry");
        Place(json.GetProperty("position").GetUInt64(), leaf, json);
        Control++;
    }

    void Place(ulong position, Hash32 leaf, JsonElement line)
    {
        if (Scope == "log")
        {
            _log.Append(leaf);
            Hold(_log.Size == position && !line.TryGetProperty("path", out _), "position");
            return;
        }

        Hold(position > _position, "positions rise");
        _position = position;
        Hold(MerkleProof.Includes(position - 1, Checkpoint.Size, leaf, Checkpoint.Root, Path(line)), "path");
    }

    void End(JsonElement end)
    {
        EndAggregate();
        var aggregates = Scope == "log" ? (ulong)_trees.Count : (ulong)Aggregates.Count;
        Hold(end.GetProperty("aggregates").GetUInt64() == aggregates && end.GetProperty("events").GetUInt64() == Events, "counts");
        if (Scope == "log")
            Hold(end.GetProperty("control_entries").GetUInt64() == Control && _log.Size == Checkpoint.Size && _log.Root() == Checkpoint.Root, "the whole log");
    }

    static Hash32 HashIn(JsonElement json, string name) => Hash32.TryParse(json.GetProperty(name).GetString()!, out var hash) ? hash : throw new FormatException(name);

    static Hash32[] Path(JsonElement json)
    {
        var bytes = Convert.FromBase64String(json.GetProperty("path").GetString()!);
        return [.. bytes.Chunk(Hash32.Length).Select(hash => Hash32.Read(hash))];
    }

    static void Hold(bool holds, string what)
    {
        if (!holds)
            throw new FormatException($"does not hold: {what}");
    }
}
