using System.Text.Json;
using EventDbx.Server.Rest;
using GraphQL.Types;
using GraphQLParser.AST;

namespace EventDbx.Server.GraphQL;

/// <summary>Variables, read by the types that the operation declares for them: what is <c>JSON</c> stays the bytes that were sent.</summary>
/// <remarks>A value that does not fit its type is handed on as it is; the library refuses it, and says which variable it was.</remarks>
internal static class VariableJson
{
    /// <param name="variables">A JSON object, or nothing.</param>
    /// <param name="document">Whose operations declare them.</param>
    /// <param name="operation">The one that will run.</param>
    /// <param name="schema">That knows the types.</param>
    /// <exception cref="RefusedException">No operation of the document declares a variable of that name.</exception>
    public static Dictionary<string, object?> Read(ReadOnlyMemory<byte> variables, GraphQLDocument document, GraphQLOperationDefinition operation, ISchema schema)
    {
        try
        {
            return ReadAll(variables, document, operation, schema);
        }
        catch (InvalidOperationException cause)
        {
            throw new RefusedException(RefusalCode.InvalidPayload, $"The variables hold text that is not valid Unicode: {cause.Message}");
        }
    }

    static Dictionary<string, object?> ReadAll(ReadOnlyMemory<byte> variables, GraphQLDocument document, GraphQLOperationDefinition operation, ISchema schema)
    {
        var read = new Dictionary<string, object?>();
        if (variables.IsEmpty)
            return read;
        var json = new Utf8JsonReader(variables.Span, new JsonReaderOptions { MaxDepth = ServerLimits.RequestDepthMax });
        json.Read();
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var name = json.GetString()!;
            json.Read();
            if (operation.Variables?.Items.Find(declared => declared.Variable.Name.Value == name) is { } variable)
            {
                if (!read.TryAdd(name, ReadValue(ref json, variables, schema, variable.Type)))
                    throw new RefusedException(RefusalCode.InvalidPayload, $"The variable `{Shown.Of(name)}` stands twice; send it once.");
            }
            else if (DeclaredIn(document, name))
            {
                json.Skip();
            }
            else
            {
                var known = operation.Variables?.Items.ConvertAll(declared => declared.Variable.Name.StringValue) ?? [];
                throw new RefusedException(RefusalCode.UnknownMember, known.Count == 0
                    ? $"The variable `{Shown.Of(name)}` was sent, and the operation declares none."
                    : $"`{Shown.Of(name)}` is no variable of the operation{NearestName.Hint(name, known)}; it declares {string.Join(", ", known)}.");
            }
        }

        return read;
    }

    static bool DeclaredIn(GraphQLDocument document, string name) => document.Definitions.Exists(
        definition => definition is GraphQLOperationDefinition other && other.Variables?.Items.Exists(declared => declared.Variable.Name.Value == name) == true);

    static object? ReadValue(ref Utf8JsonReader json, ReadOnlyMemory<byte> body, ISchema schema, GraphQLType declared) => declared switch
    {
        GraphQLNonNullType required => ReadValue(ref json, body, schema, required.Type),
        GraphQLListType list when json.TokenType == JsonTokenType.StartArray => ReadList(ref json, body, schema, list.Type),
        GraphQLListType list => ReadValue(ref json, body, schema, list.Type),
        GraphQLNamedType named => ReadNamed(ref json, body, schema.AllTypes[named.Name.Value]),
        _ => ReadNamed(ref json, body, null),
    };

    static List<object?> ReadList(ref Utf8JsonReader json, ReadOnlyMemory<byte> body, ISchema schema, GraphQLType declared)
    {
        var items = new List<object?>();
        while (json.Read() && json.TokenType != JsonTokenType.EndArray)
            items.Add(ReadValue(ref json, body, schema, declared));
        return items;
    }

    static object? ReadTyped(ref Utf8JsonReader json, ReadOnlyMemory<byte> body, IGraphType? type)
    {
        switch (type)
        {
            case NonNullGraphType required:
                return ReadTyped(ref json, body, required.ResolvedType);
            case ListGraphType list when json.TokenType == JsonTokenType.StartArray:
                var items = new List<object?>();
                while (json.Read() && json.TokenType != JsonTokenType.EndArray)
                    items.Add(ReadTyped(ref json, body, list.ResolvedType));
                return items;
            case ListGraphType list:
                return ReadTyped(ref json, body, list.ResolvedType);
            default:
                return ReadNamed(ref json, body, type);
        }
    }

    static object? ReadNamed(ref Utf8JsonReader json, ReadOnlyMemory<byte> body, IGraphType? type)
    {
        if (json.TokenType == JsonTokenType.Null)
            return null;
        if (type is IInputObjectGraphType input && json.TokenType == JsonTokenType.StartObject)
            return ReadMembers(ref json, body, input);
        if (type is JsonScalar)
            return new RawJson(RequestJson.Raw(ref json, body));
        switch (json.TokenType)
        {
            case JsonTokenType.String:
                return json.GetString();
            case JsonTokenType.True or JsonTokenType.False:
                return json.GetBoolean();
            case JsonTokenType.Number when json.TryGetInt32(out var small):
                return small;
            case JsonTokenType.Number when json.TryGetUInt64(out var large):
                return large;
            default:
                // No type of ours takes it, so the library says no.
                return new RawJson(RequestJson.Raw(ref json, body));
        }
    }

    static Dictionary<string, object?> ReadMembers(ref Utf8JsonReader json, ReadOnlyMemory<byte> body, IInputObjectGraphType input)
    {
        var members = new Dictionary<string, object?>();
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var name = json.GetString()!;
            json.Read();
            if (!members.TryAdd(name, ReadTyped(ref json, body, input.Fields.Find(name)?.ResolvedType)))
                throw new RefusedException(RefusalCode.InvalidPayload, $"The member `{Shown.Of(name)}` stands twice in {input.Name}; send it once.");
        }

        return members;
    }
}
