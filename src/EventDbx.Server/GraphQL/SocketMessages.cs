using System.Buffers;
using System.Text.Json;
using EventDbx.Server.Rest;

namespace EventDbx.Server.GraphQL;

/// <summary>A message of <c>graphql-transport-ws</c>, as a client sent it.</summary>
/// <param name="Type">What it is.</param>
/// <param name="Id">Of the operation it is about.</param>
/// <param name="Payload">JSON, or empty.</param>
internal readonly record struct SocketMessage(string Type, string? Id, ReadOnlyMemory<byte> Payload)
{
    static readonly string[] Members = ["type", "id", "payload"];

    /// <exception cref="RefusedException">It is none.</exception>
    public static SocketMessage Read(ReadOnlyMemory<byte> text) => RequestJson.Read(text, static (ref json, body) =>
    {
        string? type = null, id = null;
        var payload = ReadOnlyMemory<byte>.Empty;
        var seen = 0;
        RequestJson.BeginObject(ref json, "A message");
        while (RequestJson.NextMember(ref json, "a message", Members, ref seen, out var member))
        {
            switch (member)
            {
                case 0: type = RequestJson.Text(ref json, Members[member]); break;
                case 1: id = RequestJson.Text(ref json, Members[member]); break;
                default: payload = json.TokenType == JsonTokenType.Null ? default : RequestJson.Raw(ref json, body); break;
            }
        }

        return new SocketMessage(type ?? throw new RefusedException(RefusalCode.InvalidPayload, "A message has a `type`."), id, payload);
    });

    /// <summary>The token of a <c>connection_init</c>, under <c>authorization</c> or <c>Authorization</c>; null where there is none. What else is there is the client's own.</summary>
    /// <exception cref="RefusedException">It is not <c>Bearer TOKEN</c>.</exception>
    public string? Token()
    {
        if (Payload.IsEmpty)
            return null;
        using var payload = JsonDocument.Parse(Payload, new() { MaxDepth = ServerLimits.RequestDepthMax });
        if (payload.RootElement.ValueKind != JsonValueKind.Object)
            throw new RefusedException(RefusalCode.InvalidPayload, "The payload of connection_init is an object.");
        foreach (var member in payload.RootElement.EnumerateObject())
        {
            if (member.Name.Equals("authorization", StringComparison.OrdinalIgnoreCase) && member.Value.ValueKind != JsonValueKind.Null)
            {
                return (member.Value.ValueKind == JsonValueKind.String ? RestSurface.TokenOf(member.Value.GetString()) : null)
                    ?? throw new RefusedException(RefusalCode.Unauthenticated, "`authorization` in the payload of connection_init is not `Bearer TOKEN`.");
            }
        }

        return null;
    }

    /// <summary>The head of an answer, up to where its payload begins.</summary>
    public static void Begin(IBufferWriter<byte> output, ReadOnlySpan<byte> type, string id)
    {
        output.Write("{\"id\":"u8);
        RecordJson.WriteText(output, id);
        output.Write(",\"type\":\""u8);
        output.Write(type);
        output.Write("\",\"payload\":"u8);
    }

    public static void WriteComplete(IBufferWriter<byte> output, string id)
    {
        output.Write("{\"id\":"u8);
        RecordJson.WriteText(output, id);
        output.Write(",\"type\":\"complete\"}"u8);
    }
}
