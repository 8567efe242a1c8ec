using System.Text.Json;

namespace EventDbx.Server.Rest;

/// <summary>The bodies of the routes of schemas.</summary>
internal static class SchemaRequests
{
    static readonly string[] CreateMembers = ["aggregate", "events", "snapshot_threshold"];
    static readonly string[] ValidateMembers = ["event_type", "payload"];

    public static (string Aggregate, IReadOnlyList<string> Events, ulong? SnapshotThreshold) ReadCreate(ReadOnlyMemory<byte> body) =>
        RequestJson.Read(body, static (ref json, text) =>
        {
            (string? aggregate, List<string>? events, ulong? threshold) = (null, null, null);
            var seen = 0;
            RequestJson.BeginObject(ref json, "The body");
            while (RequestJson.NextMember(ref json, "a new schema", CreateMembers, ref seen, out var member))
            {
                switch (member)
                {
                    case 0: aggregate = RequestJson.Text(ref json, CreateMembers[member]); break;
                    case 1: events = ReadNames(ref json, CreateMembers[member]); break;
                    default: threshold = RequestJson.Number(ref json, CreateMembers[member]); break;
                }
            }

            return (aggregate ?? throw Missing(CreateMembers[0]), events ?? throw Missing(CreateMembers[1]), threshold);
        });

    public static (string EventType, ReadOnlyMemory<byte> Payload) ReadValidate(ReadOnlyMemory<byte> body) => RequestJson.Read(body, static (ref json, text) =>
    {
        (string? eventType, ReadOnlyMemory<byte>? payload) = (null, null);
        var seen = 0;
        RequestJson.BeginObject(ref json, "The body");
        while (RequestJson.NextMember(ref json, "an event to validate", ValidateMembers, ref seen, out var member))
        {
            if (member == 0)
                eventType = RequestJson.Text(ref json, ValidateMembers[member]);
            else
                payload = RequestJson.Raw(ref json, text);
        }

        return (eventType ?? throw Missing(ValidateMembers[0]), payload ?? throw Missing(ValidateMembers[1]));
    });

    static List<string> ReadNames(ref Utf8JsonReader json, string member)
    {
        if (json.TokenType != JsonTokenType.StartArray)
            throw new RefusedException(RefusalCode.InvalidArgument, $"`{member}` is an array of names; this one is {RequestJson.Found(json.TokenType)}.");
        List<string> names = [];
        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
        {
            names.Add(json.TokenType == JsonTokenType.String
                ? json.GetString()!
                : throw new RefusedException(RefusalCode.InvalidArgument, $"`{member}` holds names; this one is {RequestJson.Found(json.TokenType)}."));
        }

        return names;
    }

    static RefusedException Missing(string member) => new(RefusalCode.InvalidArgument, $"`{member}` is missing.");
}
