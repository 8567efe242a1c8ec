using System.Text.Json;

namespace EventDbx.Server.Tokens;

/// <summary>Reads the members of an object that must be what they are said to be.</summary>
internal static class JsonReading
{
    /// <summary>No member may stand twice: what one reader sees, every reader sees.</summary>
    public static readonly JsonDocumentOptions Strict = new() { AllowDuplicateProperties = false, MaxDepth = 8 };

    public static JsonElement? Member(this JsonElement from, string name) =>
        from.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    public static string? Text(this JsonElement from, string name) => from.Member(name) is not { } value ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString()! : throw Wrong(name, "a string", value);

    public static bool? Truth(this JsonElement from, string name) => from.Member(name) is not { } value ? null
        : value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : throw Wrong(name, "true or false", value);

    public static ulong? Number(this JsonElement from, string name) => from.Member(name) is not { } value ? null
        : value.ValueKind == JsonValueKind.Number && value.TryGetUInt64(out var number) ? number : throw Wrong(name, "a whole number from 0 up", value);

    public static string[]? Texts(this JsonElement from, string name)
    {
        if (from.Member(name) is not { } value)
            return null;
        if (value.ValueKind != JsonValueKind.Array)
            throw Wrong(name, "an array of strings", value);
        var texts = new string[value.GetArrayLength()];
        var at = 0;
        foreach (var item in value.EnumerateArray())
            texts[at++] = item.ValueKind == JsonValueKind.String ? item.GetString()! : throw Wrong(name, "an array of strings", item);
        return texts;
    }

    public static Guid? Id(this JsonElement from, string name) => from.Text(name) is not { } text ? null
        : Guid.TryParseExact(text, "D", out var id) ? id : throw new RefusedException(RefusalCode.InvalidArgument, $"`{name}` is a UUID.");

    public static T Required<T>(T? value, string name) where T : struct => value ?? throw Missing(name);

    public static T Required<T>(T? value, string name) where T : class => value ?? throw Missing(name);

    static RefusedException Missing(string name) => new(RefusalCode.InvalidArgument, $"`{name}` is missing.");

    static RefusedException Wrong(string name, string accepted, JsonElement found) =>
        new(RefusalCode.InvalidArgument, $"`{name}` is {accepted}; this one is {Kind(found)}.");

    static string Kind(JsonElement found) => found.ValueKind switch
    {
        JsonValueKind.Object => "an object",
        JsonValueKind.Array => "an array",
        JsonValueKind.String => "a string",
        JsonValueKind.Number => $"the number {Short(found.GetRawText())}",
        JsonValueKind.True or JsonValueKind.False => "a truth value",
        _ => "null",
    };

    static string Short(string text) => text.Length <= 40 ? text : text[..40] + "…";
}
