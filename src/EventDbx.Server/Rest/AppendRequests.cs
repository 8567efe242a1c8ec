using System.Text.Json;
using EventDbx.Transfer;

namespace EventDbx.Server.Rest;

/// <summary>The bodies of the routes that write events.</summary>
internal static class AppendRequests
{
    static readonly string[] Members = ["aggregate_type", "aggregate_id", "event_type", "payload", "patch", "note", "event_id", "expected_version"];
    static readonly string[] BatchMembers = ["events"];
    static readonly string[] RecordsMembers = ["records"];
    static readonly string[] ImportMembers = ["lines", "appended", "known"];
    static readonly string[] CommentMembers = ["comment"];

    /// <summary>One append. Its payload is a part of <paramref name="body"/>, which must outlive it.</summary>
    public static EventDraft ReadOne(ReadOnlyMemory<byte> body) => RequestJson.Read(body, ReadDraft);

    public static List<EventDraft> ReadBatch(ReadOnlyMemory<byte> body) => RequestJson.Read(
        body, static (ref json, text) => ReadList(ref json, text, "the batch", BatchMembers, ReadDraft));

    public static List<EventImport> ReadRecords(ReadOnlyMemory<byte> body) => RequestJson.Read(
        body, static (ref json, text) => ReadList(ref json, text, "the request", RecordsMembers, ReadRecord));

    public static (long Lines, long Appended, long Known) ReadImport(ReadOnlyMemory<byte> body) => RequestJson.Read(body, static (ref json, text) =>
    {
        var numbers = new long?[ImportMembers.Length];
        var seen = 0;
        RequestJson.BeginObject(ref json, "The body");
        while (RequestJson.NextMember(ref json, "the request", ImportMembers, ref seen, out var member))
            numbers[member] = (long?)Math.Min(RequestJson.Number(ref json, ImportMembers[member]) ?? 0, long.MaxValue);
        for (var i = 0; i < numbers.Length; i++)
        {
            if (numbers[i] is null)
                throw new RefusedException(RefusalCode.InvalidArgument, $"`{ImportMembers[i]}` is missing; the request has {string.Join(", ", ImportMembers)}.");
        }

        return (numbers[0]!.Value, numbers[1]!.Value, numbers[2]!.Value);
    });

    /// <summary>The optional body of what is done to an aggregate.</summary>
    public static string? ReadComment(ReadOnlyMemory<byte> body) => body.IsEmpty ? null : RequestJson.Read(body, static (ref json, text) =>
    {
        string? comment = null;
        var seen = 0;
        RequestJson.BeginObject(ref json, "The body");
        while (RequestJson.NextMember(ref json, "the request", CommentMembers, ref seen, out _))
            comment = RequestJson.Text(ref json, "comment");
        return comment;
    });

    static EventDraft ReadDraft(ref Utf8JsonReader json, ReadOnlyMemory<byte> body)
    {
        string? type = null, id = null, eventType = null, note = null, eventId = null;
        ReadOnlyMemory<byte>? payload = null, patch = null;
        ulong? expected = null;
        var seen = 0;
        RequestJson.BeginObject(ref json, "An append request");
        while (RequestJson.NextMember(ref json, "an append request", Members, ref seen, out var member))
        {
            switch (member)
            {
                case 0: type = RequestJson.Text(ref json, Members[member]); break;
                case 1: id = RequestJson.Text(ref json, Members[member]); break;
                case 2: eventType = RequestJson.Text(ref json, Members[member]); break;
                case 3: payload = RequestJson.Raw(ref json, body); break;
                case 4: patch = json.TokenType == JsonTokenType.Null ? (ReadOnlyMemory<byte>?)null : RequestJson.Raw(ref json, body); break;
                case 5: note = RequestJson.Text(ref json, Members[member]); break;
                case 6: eventId = RequestJson.Text(ref json, Members[member]); break;
                default: expected = RequestJson.Number(ref json, Members[member]); break;
            }
        }

        return new()
        {
            Aggregate = AggregateKey.Create(Named(type, Members[0]), Named(id, Members[1])),
            EventType = Named(eventType, Members[2]),
            Payload = payload ?? (patch is null
                ? throw new RefusedException(RefusalCode.InvalidPayload, "`payload` and `patch` are missing, and an event takes one of them; send `\"payload\":null` for an event that changes no state.")
                : default),
            Patch = patch,
            Note = note,
            EventId = eventId is null ? null : EventIds.TryParse(eventId, out var parsed, out var refusal) ? parsed : throw new RefusedException(refusal),
            ExpectedVersion = expected,
        };
    }

    static string Named(string? name, string member) =>
        name ?? throw new RefusedException(RefusalCode.InvalidName, $"`{member}` is missing; an append request names aggregate_type, aggregate_id and event_type.");

    static EventImport ReadRecord(ref Utf8JsonReader json, ReadOnlyMemory<byte> body)
    {
        RequestJson.BeginObject(ref json, "A record");
        return ImportLine.Parse(RequestJson.Raw(ref json, body)).Record
            ?? throw new RefusedException(RefusalCode.InvalidArgument, "A record has `metadata` with its id and time; this one has none. Appends go to POST /v1/events/batch.");
    }

    /// <summary>An object with one list; a refusal says which of its items.</summary>
    static List<T> ReadList<T>(ref Utf8JsonReader json, ReadOnlyMemory<byte> body, string what, string[] members, RequestJson.Reading<T> reading)
    {
        List<T>? items = null;
        var seen = 0;
        RequestJson.BeginObject(ref json, "The body");
        while (RequestJson.NextMember(ref json, what, members, ref seen, out _))
        {
            if (json.TokenType != JsonTokenType.StartArray)
                throw new RefusedException(RefusalCode.InvalidArgument, $"`{members[0]}` is an array; this one is {RequestJson.Found(json.TokenType)}.");
            items = [];
            while (json.Read() && json.TokenType != JsonTokenType.EndArray)
                items.Add(ReadItem(ref json, body, items.Count, reading));
        }

        return items ?? throw new RefusedException(RefusalCode.InvalidArgument, $"`{members[0]}` is missing; send {{\"{members[0]}\":[…]}}.");
    }

    static T ReadItem<T>(ref Utf8JsonReader json, ReadOnlyMemory<byte> body, int place, RequestJson.Reading<T> reading)
    {
        try
        {
            return reading(ref json, body);
        }
        catch (RefusedException refused)
        {
            throw new RefusedException(refused.Refusal with { Operation = place });
        }
    }
}
