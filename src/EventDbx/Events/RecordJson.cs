using System.Buffers;
using System.Buffers.Text;
using System.Text.Json;

namespace EventDbx.Events;

/// <summary>Records and states as they stand on every wire: members in their published order, and back.</summary>
/// <remarks>Written straight into the caller's buffer; a record costs no allocation.</remarks>
public static class RecordJson
{
    /// <summary>An event, <c>position</c> last.</summary>
    public static void WriteRecord(IBufferWriter<byte> output, EventRecord record) => WriteRecord(output, record, withSalt: false);

    /// <summary>An event, <c>position</c> last.</summary>
    /// <param name="output">Where it goes.</param>
    /// <param name="record">The event.</param>
    /// <param name="withSalt">With <c>metadata.salt</c>, where the record has its own: see <see cref="FeedFilter.WithSalts"/>.</param>
    public static void WriteRecord(IBufferWriter<byte> output, EventRecord record, bool withSalt)
    {
        output.Write("{\"aggregate_type\":"u8);
        JsonEscape.WriteString(output, record.Aggregate.TypeUtf8);
        output.Write(",\"aggregate_id\":"u8);
        JsonEscape.WriteString(output, record.Aggregate.IdUtf8);
        output.Write(",\"event_type\":"u8);
        WriteText(output, record.EventType);
        output.Write(",\"payload\":"u8);
        output.Write(record.Payload.Span);
        output.Write(",\"metadata\":"u8);
        WriteMetadata(output, record, withSalt);
        output.Write(",\"version\":"u8);
        WriteNumber(output, record.Version);
        output.Write(",\"hash\":\""u8);
        WriteHash(output, record.Hash);
        output.Write("\",\"merkle_root\":\""u8);
        WriteHash(output, record.MerkleRoot);
        output.Write("\",\"position\":"u8);
        WriteNumber(output, record.Position);
        output.Write("}"u8);
    }

    /// <summary>The metadata of an event by itself: <c>event_id</c>, <c>created_at</c>, <c>issued_by</c> or null, <c>note</c> where there is one.</summary>
    /// <param name="output">Where it goes.</param>
    /// <param name="record">The event.</param>
    /// <param name="withSalt">With <c>salt</c>, where the record has its own.</param>
    public static void WriteMetadata(IBufferWriter<byte> output, EventRecord record, bool withSalt)
    {
        output.Write("{\"event_id\":\""u8);
        EventIds.TryFormat(record.EventId, output.GetSpan(EventIds.TextLength)[..EventIds.TextLength]);
        output.Advance(EventIds.TextLength);
        output.Write("\",\"created_at\":\""u8);
        WriteTime(output, record.CreatedAt);
        output.Write("\",\"issued_by\":"u8);
        WriteActor(output, record.Actor);
        if (record.Note is not null)
        {
            output.Write(",\"note\":"u8);
            WriteText(output, record.Note);
        }

        if (withSalt && !record.Salt.IsEmpty)
            WriteSalt(output, record.Salt.Span);
        output.Write("}"u8);
    }

    /// <summary>A control entry: <c>kind</c>, <c>subject</c>, <c>created_at</c>, <c>issued_by</c>, <c>body</c>, <c>hash</c>, <c>position</c>.</summary>
    public static void WriteControl(IBufferWriter<byte> output, ControlRecord record) => WriteControl(output, record, withSalt: false);

    /// <param name="output">Where it goes.</param>
    /// <param name="record">The entry.</param>
    /// <param name="withSalt">With <c>salt</c> behind the body: with it anyone can compute the hash.</param>
    internal static void WriteControl(IBufferWriter<byte> output, ControlRecord record, bool withSalt)
    {
        output.Write("{\"kind\":"u8);
        WriteText(output, record.Kind);
        output.Write(",\"subject\":"u8);
        WriteText(output, record.Subject);
        output.Write(",\"created_at\":\""u8);
        WriteTime(output, record.CreatedAt);
        output.Write("\",\"issued_by\":"u8);
        WriteActor(output, record.Actor);
        output.Write(",\"body\":"u8);
        output.Write(record.Body.Span);
        if (withSalt)
            WriteSalt(output, record.Salt.Span);
        output.Write(",\"hash\":\""u8);
        WriteHash(output, record.Hash);
        output.Write("\",\"position\":"u8);
        WriteNumber(output, record.Position);
        output.Write("}"u8);
    }

    /// <summary>
    /// A control entry as the audit shows it: <c>position</c>, <c>kind</c>, <c>subject</c>, <c>created_at</c>, <c>issued_by</c>, <c>from</c>,
    /// <c>body</c> as it was hashed, <c>salt</c>, <c>hash</c>. Whoever has all of it can compute the hash (docs/proofs.md).
    /// </summary>
    public static void WriteAudit(IBufferWriter<byte> output, ControlRecord record)
    {
        output.Write("{\"position\":"u8);
        WriteNumber(output, record.Position);
        output.Write(",\"kind\":"u8);
        WriteText(output, record.Kind);
        output.Write(",\"subject\":"u8);
        WriteText(output, record.Subject);
        output.Write(",\"created_at\":\""u8);
        WriteTime(output, record.CreatedAt);
        output.Write("\",\"issued_by\":"u8);
        WriteActor(output, record.Actor);
        output.Write(",\"from\":"u8);
        if (record.From is { } from)
            WriteText(output, from);
        else
            output.Write("null"u8);
        output.Write(",\"body\":"u8);
        output.Write(record.Body.Span);
        WriteSalt(output, record.Salt.Span);
        output.Write(",\"hash\":\""u8);
        WriteHash(output, record.Hash);
        output.Write("\"}"u8);
    }

    /// <summary>What <see cref="WriteAudit"/> wrote.</summary>
    /// <exception cref="FormatException">It is not that.</exception>
    public static ControlRecord ReadAudit(JsonElement json)
    {
        try
        {
            return new()
            {
                Position = json.GetProperty("position").GetUInt64(),
                Kind = json.GetProperty("kind").GetString()!,
                Subject = json.GetProperty("subject").GetString()!,
                CreatedAt = Timestamp.TryParse(json.GetProperty("created_at").GetString()!, out var time, out _) ? time : throw new FormatException("`created_at` is no time."),
                Actor = json.GetProperty("issued_by") is { ValueKind: JsonValueKind.Object } actor
                    ? new(actor.GetProperty("group").GetString()!, actor.GetProperty("user").GetString()!) : null,
                Body = System.Runtime.InteropServices.JsonMarshal.GetRawUtf8Value(json.GetProperty("body")).ToArray(),
                Salt = ReadSalt(json),
                Hash = ReadHash(json, "hash"),
            };
        }
        catch (Exception cause) when (cause is KeyNotFoundException or InvalidOperationException)
        {
            throw new FormatException($"This is no control entry: {cause.Message}", cause);
        }
    }

    /// <summary>An aggregate and its state, <c>archived</c> last. No <c>state</c> where it is withheld.</summary>
    public static void WriteState(IBufferWriter<byte> output, AggregateState aggregate, bool typed = false, FieldSelection? fields = null)
    {
        output.Write("{\"aggregate_type\":"u8);
        JsonEscape.WriteString(output, aggregate.Aggregate.TypeUtf8);
        output.Write(",\"aggregate_id\":"u8);
        JsonEscape.WriteString(output, aggregate.Aggregate.IdUtf8);
        output.Write(",\"version\":"u8);
        WriteNumber(output, aggregate.Version);
        if (!aggregate.StateWithheld)
        {
            output.Write(",\"state\":"u8);
            aggregate.WriteState(output, typed, fields);
        }

        output.Write(",\"merkle_root\":\""u8);
        WriteHash(output, aggregate.MerkleRoot);
        output.Write(aggregate.Archived ? "\",\"archived\":true}"u8 : "\",\"archived\":false}"u8);
    }

    /// <summary>A string in quotes, escaped as little as JSON allows.</summary>
    public static void WriteText(IBufferWriter<byte> output, string text)
    {
        var length = Encoding.UTF8.GetMaxByteCount(text.Length);
        if (length <= 512)
        {
            Span<byte> utf8 = stackalloc byte[512];
            JsonEscape.WriteString(output, utf8[..Encoding.UTF8.GetBytes(text, utf8)]);
            return;
        }

        JsonEscape.WriteString(output, Encoding.UTF8.GetBytes(text));
    }

    public static void WriteNumber(IBufferWriter<byte> output, ulong number)
    {
        Utf8Formatter.TryFormat(number, output.GetSpan(20), out var written);
        output.Advance(written);
    }

    /// <summary>A record as <see cref="WriteRecord(IBufferWriter{byte}, EventRecord)"/> writes it; members we do not know are ignored.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static EventRecord ReadRecord(JsonElement json)
    {
        try
        {
            var metadata = json.GetProperty("metadata");
            return new()
            {
                Aggregate = AggregateKey.Create(json.GetProperty("aggregate_type").GetString(), json.GetProperty("aggregate_id").GetString()),
                EventType = json.GetProperty("event_type").GetString()!,
                Payload = System.Runtime.InteropServices.JsonMarshal.GetRawUtf8Value(json.GetProperty("payload")).ToArray(),
                EventId = metadata.GetProperty("event_id").GetGuid(),
                CreatedAt = Timestamp.TryParse(metadata.GetProperty("created_at").GetString()!, out var time, out _) ? time : throw new FormatException("`created_at` is no time."),
                Actor = metadata.GetProperty("issued_by") is { ValueKind: JsonValueKind.Object } by
                    ? new(by.GetProperty("group").GetString()!, by.GetProperty("user").GetString()!) : null,
                Note = metadata.TryGetProperty("note", out var note) ? note.GetString() : null,
                Version = json.GetProperty("version").GetUInt64(),
                Hash = ReadHash(json, "hash"),
                MerkleRoot = ReadHash(json, "merkle_root"),
                Position = json.GetProperty("position").GetUInt64(),
                Salt = ReadSalt(metadata),
            };
        }
        catch (Exception cause) when (cause is KeyNotFoundException or InvalidOperationException or RefusedException)
        {
            throw new FormatException($"This is no event record: {cause.Message}", cause);
        }
    }

    /// <summary>An aggregate as <see cref="WriteState"/> writes it typed and whole. Its times are not on the wire, and stay zero.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static AggregateState ReadState(JsonElement json) => ReadState(json, archived: null);

    /// <param name="json">The aggregate.</param>
    /// <param name="archived">Where no member says so.</param>
    internal static AggregateState ReadState(JsonElement json, bool? archived)
    {
        try
        {
            var shown = json.TryGetProperty("state", out var state);
            return new()
            {
                Aggregate = AggregateKey.Create(json.GetProperty("aggregate_type").GetString(), json.GetProperty("aggregate_id").GetString()),
                Version = json.GetProperty("version").GetUInt64(),
                Fields = shown ? ReadFields(state) : StateText.Empty,
                StateWithheld = !shown,
                MerkleRoot = ReadHash(json, "merkle_root"),
                Archived = archived ?? json.GetProperty("archived").GetBoolean(),
                CreatedAt = default,
                UpdatedAt = default,
            };
        }
        catch (Exception cause) when (cause is KeyNotFoundException or InvalidOperationException or RefusedException)
        {
            throw new FormatException($"This is no aggregate: {cause.Message}", cause);
        }
    }

    static byte[] ReadFields(JsonElement state)
    {
        var fields = new List<(byte[] Name, ReadOnlyMemory<byte> Value)>();
        foreach (var member in state.EnumerateObject())
            fields.Add((Encoding.UTF8.GetBytes(member.Name), System.Runtime.InteropServices.JsonMarshal.GetRawUtf8Value(member.Value).ToArray()));
        fields.Sort(static (left, right) => left.Name.AsSpan().SequenceCompareTo(right.Name));
        return StateText.Build(fields);
    }

    internal static Hash32 ReadHash(JsonElement json, string name) => Hash32.TryParse(json.GetProperty(name).GetString()!, out var hash)
        ? hash : throw new FormatException($"`{name}` is no hash.");

    /// <summary>Who did something, or null.</summary>
    public static void WriteActor(IBufferWriter<byte> output, Actor? actor)
    {
        if (actor is null)
        {
            output.Write("null"u8);
            return;
        }

        output.Write("{\"group\":"u8);
        JsonEscape.WriteString(output, actor.GroupUtf8);
        output.Write(",\"user\":"u8);
        JsonEscape.WriteString(output, actor.UserUtf8);
        output.Write("}"u8);
    }

    static void WriteSalt(IBufferWriter<byte> output, ReadOnlySpan<byte> salt)
    {
        output.Write(",\"salt\":\""u8);
        Base64Url.EncodeToUtf8(salt, output.GetSpan(Base64Url.GetEncodedLength(salt.Length)), out _, out var written);
        output.Advance(written);
        output.Write("\""u8);
    }

    static byte[] ReadSalt(JsonElement metadata)
    {
        if (!metadata.TryGetProperty("salt", out var text))
            return [];
        var salt = Base64Url.DecodeFromChars(text.GetString());
        return salt.Length == EventBody.SaltBytes ? salt : throw new FormatException($"`metadata.salt` has {salt.Length} bytes.");
    }

    static void WriteTime(IBufferWriter<byte> output, Timestamp time)
    {
        time.TryFormat(output.GetSpan(Timestamp.TextLengthMax), out var written);
        output.Advance(written);
    }

    internal static void WriteHash(IBufferWriter<byte> output, in Hash32 hash)
    {
        hash.TryFormat(output.GetSpan(Hash32.HexLength)[..Hash32.HexLength]);
        output.Advance(Hash32.HexLength);
    }
}
