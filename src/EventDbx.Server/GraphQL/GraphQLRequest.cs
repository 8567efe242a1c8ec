using System.Text.Json;
using EventDbx.Server.Rest;

namespace EventDbx.Server.GraphQL;

/// <summary>One request, as it came: over HTTP, or as the payload of a message.</summary>
/// <param name="Query">The document.</param>
/// <param name="OperationName">Which of its operations; null where it has one.</param>
/// <param name="Variables">A JSON object that is a part of the body, or empty.</param>
internal sealed record GraphQLRequest(string Query, string? OperationName, ReadOnlyMemory<byte> Variables)
{
    static readonly string[] Members = ["query", "operationName", "variables", "extensions"];

    /// <exception cref="RefusedException">It is no such object, or has members that nobody knows.</exception>
    public static GraphQLRequest Read(ReadOnlyMemory<byte> body) => RequestJson.Read(body, Read);

    /// <summary>Reads one from where the reader stands.</summary>
    public static GraphQLRequest Read(ref Utf8JsonReader json, ReadOnlyMemory<byte> body)
    {
        string? query = null, name = null;
        var variables = ReadOnlyMemory<byte>.Empty;
        if (json.TokenType == JsonTokenType.StartArray)
            throw new RefusedException(RefusalCode.InvalidPayload, "The body is an array, and requests are not taken in batches: send one object, and appends that belong together as `appendEvents`.");
        var seen = 0;
        RequestJson.BeginObject(ref json, "A GraphQL request");
        while (RequestJson.NextMember(ref json, "a GraphQL request", Members, ref seen, out var member))
        {
            switch (member)
            {
                case 0: query = RequestJson.Text(ref json, Members[member]); break;
                case 1: name = RequestJson.Text(ref json, Members[member]); break;
                case 2: variables = Object(ref json, body, Members[member]); break;
                default: Object(ref json, body, Members[member]); break;
            }
        }

        if (query is null)
            throw new RefusedException(RefusalCode.InvalidPayload, "`query` is missing; send {\"query\":\"{ aggregates { aggregate_id } }\"}.");
        return new(query, name is "" ? null : name, variables);
    }

    static ReadOnlyMemory<byte> Object(ref Utf8JsonReader json, ReadOnlyMemory<byte> body, string name) => json.TokenType switch
    {
        JsonTokenType.Null => default,
        JsonTokenType.StartObject => RequestJson.Raw(ref json, body),
        var found => throw new RefusedException(RefusalCode.InvalidPayload, $"`{name}` is an object; this one is {RequestJson.Found(found)}."),
    };
}
