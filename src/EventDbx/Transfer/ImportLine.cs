using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text.Json;

namespace EventDbx.Transfer;

/// <summary>One line of an import file: an append request, or a record as reads and exports show it.</summary>
/// <remarks>
/// A line with a member <c>metadata</c> is a record: it keeps event id, time, actor and note, and with
/// <c>metadata.salt</c> its hash; members we do not know are ignored. Any other line is a request, and a member we do not know
/// refuses it: a misspelt <c>expectedVersion</c> must not drop a check.
/// </remarks>
public readonly struct ImportLine
{
    static readonly string[] RequestMembers =
        ["aggregate_type", "aggregate_id", "event_type", "payload", "note", "event_id", "expected_version"];

    /// <summary>Set for requests.</summary>
    public EventDraft? Draft { get; private init; }

    /// <summary>Set for records.</summary>
    public EventImport? Record { get; private init; }

    /// <summary>Whether the line names no event id, so that one is derived from what it says.</summary>
    public bool NeedsId { get; private init; }

    /// <exception cref="RefusedException">What is wrong with the line.</exception>
    public static ImportLine Parse(ReadOnlyMemory<byte> line)
    {
        try
        {
            // Depth: the line's own object, and a payload that JsonPayload will judge by itself.
            using var document = JsonDocument.Parse(line, new() { MaxDepth = Limits.PayloadDepthMax + 2, AllowDuplicateProperties = false });
            var root = document.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
                throw Refused(RefusalCode.InvalidPayload, $"A line is one JSON object; this one is {root.ValueKind}.");
            return root.TryGetProperty("metadata", out var metadata) ? ReadRecord(root, metadata) : ReadRequest(root);
        }
        catch (JsonException cause)
        {
            throw Refused(RefusalCode.InvalidPayload, $"The line is not one JSON object with distinct members: {cause.Message}");
        }
        catch (InvalidOperationException cause)
        {
            throw Refused(RefusalCode.InvalidPayload, $"The line holds text that is not valid UTF-8: {cause.Message}");
        }
    }

    /// <summary>A record whose parts came apart: <paramref name="metadata"/> as a record of a line has it.</summary>
    /// <param name="aggregate">Whose event it is.</param>
    /// <param name="eventType">Of the event.</param>
    /// <param name="version">Which it has to get.</param>
    /// <param name="payload">JSON in UTF-8.</param>
    /// <param name="metadata">The same.</param>
    /// <param name="hash">64 hex digits; empty: unknown. Not looked at where there is no salt.</param>
    /// <param name="merkleRoot">The same.</param>
    /// <exception cref="RefusedException">What is wrong with it.</exception>
    public static EventImport ReadRecord(
        AggregateKey aggregate, string eventType, ulong version, ReadOnlyMemory<byte> payload, ReadOnlyMemory<byte> metadata, string hash, string merkleRoot)
    {
        try
        {
            using var document = JsonDocument.Parse(metadata, new() { MaxDepth = Limits.PayloadDepthMax, AllowDuplicateProperties = false });
            var (id, createdAt) = ReadIdentity(document.RootElement);
            var salt = ReadSalt(document.RootElement);
            // Who has no salt computes hashes in another way.
            var known = salt.Length == 0 ? default : (Hash: Hash(hash, "hash"), Root: Hash(merkleRoot, "merkle_root"));
            return new()
            {
                Draft = new() { Aggregate = aggregate, EventType = eventType, Payload = payload, EventId = id, Note = Text(document.RootElement, "note") },
                CreatedAt = createdAt, Actor = ReadActor(document.RootElement), Version = version, Salt = salt, Hash = known.Hash, MerkleRoot = known.Root,
            };
        }
        catch (JsonException cause)
        {
            throw Refused(RefusalCode.InvalidArgument, $"`metadata` is not one JSON object with distinct members: {cause.Message}");
        }
        catch (InvalidOperationException cause)
        {
            throw Refused(RefusalCode.InvalidArgument, $"`metadata` holds text that is not valid UTF-8: {cause.Message}");
        }

        static Hash32? Hash(string text, string name) => text.Length == 0 ? null
            : Hash32.TryParse(text, out var hash) ? hash : throw Refused(RefusalCode.InvalidArgument, $"`{name}` is 64 lower-case hex digits.");
    }

    /// <summary>An event on its way from one database to another, whose parts came apart: with its salt, so that its hash can be computed again. It has no position.</summary>
    /// <exception cref="RefusedException">What is wrong with it: nothing of it may be missing.</exception>
    /// <inheritdoc cref="ReadRecord(AggregateKey, string, ulong, ReadOnlyMemory{byte}, ReadOnlyMemory{byte}, string, string)"/>
    public static EventRecord ReadEvent(
        AggregateKey aggregate, string eventType, ulong version, ReadOnlyMemory<byte> payload, ReadOnlyMemory<byte> metadata, string hash, string merkleRoot)
    {
        var read = ReadRecord(aggregate, eventType, version, payload, metadata, hash, merkleRoot);
        if (read is not { Salt.Length: > 0, Hash: { } known, MerkleRoot: { } root })
            throw Refused(RefusalCode.InvalidArgument, "An event that is replicated has `metadata.salt`, `hash` and `merkle_root`: without them nobody could tell whether it was changed on the way.");
        return new()
        {
            Aggregate = aggregate, EventType = eventType, Payload = payload, EventId = read.Draft.EventId!.Value, CreatedAt = read.CreatedAt, Actor = read.Actor,
            Note = read.Draft.Note, Version = version, Hash = known, MerkleRoot = root, Position = 0, Salt = read.Salt,
        };
    }

    /// <summary>The same request with an id.</summary>
    internal ImportLine WithId(Guid id) => new() { Draft = Draft! with { EventId = id } };

    static ImportLine ReadRequest(JsonElement root)
    {
        foreach (var member in root.EnumerateObject())
        {
            if (Array.IndexOf(RequestMembers, member.Name) < 0)
                throw Refused(RefusalCode.UnknownMember, $"`{member.Name}` is no member of an append request; known are {string.Join(", ", RequestMembers)}.");
        }

        var id = ReadId(root);
        return new() { Draft = ReadDraft(root, id, Text(root, "note")) with { ExpectedVersion = ReadNumber(root, "expected_version") }, NeedsId = id is null };
    }

    static ImportLine ReadRecord(JsonElement root, JsonElement metadata)
    {
        var (id, createdAt) = ReadIdentity(metadata);
        return new()
        {
            Record = new()
            {
                Draft = ReadDraft(root, id, Text(metadata, "note")), CreatedAt = createdAt, Actor = ReadActor(metadata), Version = ReadNumber(root, "version"),
                Salt = ReadSalt(metadata), Hash = ReadHash(root, "hash"), MerkleRoot = ReadHash(root, "merkle_root"),
            },
        };
    }

    static (Guid Id, Timestamp CreatedAt) ReadIdentity(JsonElement metadata)
    {
        if (metadata.ValueKind != JsonValueKind.Object)
            throw Refused(RefusalCode.InvalidPayload, "`metadata` of a record is an object.");
        var id = ReadId(metadata) ?? throw Refused(RefusalCode.InvalidArgument, "The record has no `metadata.event_id`.");
        if (!Timestamp.TryParse(Text(metadata, "created_at") ?? "", out var createdAt, out var refusal))
            throw new RefusedException(refusal with { Message = $"`metadata.created_at`: {refusal.Message}" });
        return (id, createdAt);
    }

    static EventDraft ReadDraft(JsonElement root, Guid? id, string? note) => new()
    {
        Aggregate = AggregateKey.Create(Text(root, "aggregate_type"), Text(root, "aggregate_id")),
        EventType = Text(root, "event_type") ?? "",
        Payload = root.TryGetProperty("payload", out var payload)
            ? System.Runtime.InteropServices.JsonMarshal.GetRawUtf8Value(payload).ToArray()
            : throw Refused(RefusalCode.InvalidPayload, "The line has no `payload`; send null for an event that changes no state."),
        EventId = id,
        Note = note,
    };

    static Guid? ReadId(JsonElement from) => Text(from, "event_id") is not { } text ? null
        : EventIds.TryParse(text, out var id, out var refusal) ? id : throw new RefusedException(refusal);

    static Actor? ReadActor(JsonElement metadata)
    {
        if (!metadata.TryGetProperty("issued_by", out var by) || by.ValueKind == JsonValueKind.Null)
            return null;
        if (by.ValueKind != JsonValueKind.Object)
            throw Refused(RefusalCode.InvalidArgument, "`metadata.issued_by` is an object with `group` and `user`, or null.");
        return new(Text(by, "group") ?? "", Text(by, "user") ?? "");
    }

    static byte[] ReadSalt(JsonElement metadata)
    {
        if (Text(metadata, "salt") is not { } text)
            return [];
        var salt = new byte[EventBody.SaltBytes];
        return Base64Url.IsValid(text, out var bytes) && bytes == salt.Length && Base64Url.TryDecodeFromChars(text, salt, out _)
            ? salt
            : throw Refused(RefusalCode.InvalidArgument, $"`metadata.salt` is {EventBody.SaltBytes} bytes in base64url.");
    }

    static Hash32? ReadHash(JsonElement root, string name) => Text(root, name) is not { } text ? null
        : Hash32.TryParse(text, out var hash) ? hash : throw Refused(RefusalCode.InvalidArgument, $"`{name}` is 64 lower-case hex digits.");

    static ulong? ReadNumber(JsonElement root, string name) =>
        !root.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null ? null
        : value.ValueKind == JsonValueKind.Number && value.TryGetUInt64(out var number) ? number
        : throw Refused(RefusalCode.InvalidArgument, $"`{name}` is a whole number from 0 up.");

    static string? Text(JsonElement from, string name) =>
        !from.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString()
        : throw Refused(RefusalCode.InvalidArgument, $"`{name}` is a string; this one is {value.ValueKind}.");

    static RefusedException Refused(RefusalCode code, string message) => new(code, message);

    /// <summary>The id of the n-th line that says exactly this: a UUID v8 over its content, so that a second run finds the first.</summary>
    /// <param name="content">See <see cref="ContentOf"/>.</param>
    /// <param name="occurrence">1 for the first line of this content in a file: equal lines are still distinct events.</param>
    internal static Guid DeriveId(Hash32 content, int occurrence)
    {
        Span<byte> bytes = stackalloc byte[Hash32.Length + 4];
        content.Write(bytes);
        System.Buffers.Binary.BinaryPrimitives.WriteInt32BigEndian(bytes[Hash32.Length..], occurrence);
        Span<byte> digest = stackalloc byte[Hash32.Length];
        SHA256.HashData(bytes, digest);
        digest[6] = (byte)((digest[6] & 0x0f) | 0x80);
        digest[8] = (byte)((digest[8] & 0x3f) | 0x80);
        return new Guid(digest[..16], bigEndian: true);
    }

    /// <summary>What a request says, white space between its tokens aside: aggregate, event type, payload, note.</summary>
    /// <exception cref="RefusedException">The payload is not one.</exception>
    internal static Hash32 ContentOf(EventDraft draft)
    {
        if (!JsonPayload.TryParse(draft.Payload.Span, out var payload, out var refusal))
            throw new RefusedException(refusal);
        var request = RequestFingerprint.Of(RequestFingerprint.Payload, Encoding.UTF8.GetBytes(draft.EventType), payload.Text.Span, draft.Note);
        byte[] bytes = [.. "eventdbx import 1"u8, .. draft.Aggregate.Row, 0, .. new byte[Hash32.Length]];
        request.Write(bytes.AsSpan(bytes.Length - Hash32.Length));
        return Hash32.Of(bytes);
    }
}
