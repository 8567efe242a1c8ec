using System.Text.Json;

namespace EventDbx.Server.Rest;

/// <summary>Reads one request body: every member is known, stands once, and is of the type it must be.</summary>
internal static class RequestJson
{
    /// <summary>What reads a body from its first token on.</summary>
    public delegate T Reading<T>(ref Utf8JsonReader json, ReadOnlyMemory<byte> body);

    /// <exception cref="RefusedException">The body is not one JSON object, or not the one that is wanted.</exception>
    public static T Read<T>(ReadOnlyMemory<byte> body, Reading<T> reading)
    {
        if (body.IsEmpty)
            throw new RefusedException(RefusalCode.InvalidPayload, "The body is empty; send a JSON object.");
        var json = new Utf8JsonReader(body.Span, new JsonReaderOptions { MaxDepth = ServerLimits.RequestDepthMax });
        try
        {
            json.Read();
            var result = reading(ref json, body);
            json.Read(); // What stands behind the object is refused here.
            return result;
        }
        catch (JsonException cause)
        {
            // The reader has no other way to say so: it stands on the innermost level that it took.
            if (json.CurrentDepth >= ServerLimits.RequestDepthMax - 1)
                throw new RefusedException(RefusalCode.LimitExceeded, $"The body is nested too deeply; a payload may have {Limits.PayloadDepthMax} levels of arrays and objects.");
            throw new RefusedException(RefusalCode.InvalidPayload, $"The body is not valid JSON: {cause.Message}");
        }
        catch (InvalidOperationException cause)
        {
            throw new RefusedException(RefusalCode.InvalidPayload, $"The body holds text that is not valid UTF-8: {cause.Message}");
        }
    }

    /// <summary>The reader stands at the start of an object.</summary>
    public static void BeginObject(ref Utf8JsonReader json, string what)
    {
        if (json.TokenType != JsonTokenType.StartObject)
            throw new RefusedException(RefusalCode.InvalidPayload, $"{what} is a JSON object; this one is {Found(json.TokenType)}.");
    }

    /// <summary>Goes to the next member and onto its value.</summary>
    /// <param name="json">In an object, behind a value or at its start.</param>
    /// <param name="what">The object, for messages.</param>
    /// <param name="known">Its members.</param>
    /// <param name="seen">A bit for each member that came before.</param>
    /// <param name="member">Place of the member in <paramref name="known"/>.</param>
    /// <returns>False at the object's end.</returns>
    public static bool NextMember(ref Utf8JsonReader json, string what, string[] known, ref int seen, out int member)
    {
        member = -1;
        json.Read();
        if (json.TokenType != JsonTokenType.PropertyName)
            return false;
        for (var i = 0; i < known.Length && member < 0; i++)
        {
            if (json.ValueTextEquals(known[i]))
                member = i;
        }

        if (member < 0)
        {
            var name = json.GetString()!;
            throw new RefusedException(
                RefusalCode.UnknownMember,
                $"`{Shown.Of(name)}` is no member of {what}{NearestName.Hint(name, known)}; known are {string.Join(", ", known)}.");
        }

        if ((seen & (1 << member)) != 0)
            throw new RefusedException(RefusalCode.InvalidPayload, $"The member `{known[member]}` stands twice in {what}; send it once.");
        seen |= 1 << member;
        json.Read();
        return true;
    }

    public static string? Text(ref Utf8JsonReader json, string name) => json.TokenType switch
    {
        JsonTokenType.String => json.GetString(),
        JsonTokenType.Null => null,
        var found => throw new RefusedException(RefusalCode.InvalidArgument, $"`{name}` is a string; this one is {Found(found)}."),
    };

    public static ulong? Number(ref Utf8JsonReader json, string name)
    {
        if (json.TokenType == JsonTokenType.Null)
            return null;
        if (json.TokenType == JsonTokenType.Number && json.TryGetUInt64(out var number))
            return number;
        var found = json.TokenType == JsonTokenType.Number
            ? Shown.Of(Encoding.UTF8.GetString(json.ValueSpan))
            : Found(json.TokenType);
        throw new RefusedException(RefusalCode.InvalidArgument, $"`{name}` is a whole number from 0 up; this one is {found}.");
    }

    /// <summary>A value as it stands in the body.</summary>
    public static ReadOnlyMemory<byte> Raw(ref Utf8JsonReader json, ReadOnlyMemory<byte> body)
    {
        var start = (int)json.TokenStartIndex;
        json.Skip();
        return body[start..(int)json.BytesConsumed];
    }

    public static string Found(JsonTokenType token) => token switch
    {
        JsonTokenType.StartObject => "an object",
        JsonTokenType.StartArray => "an array",
        JsonTokenType.String => "a string",
        JsonTokenType.Number => "a number",
        JsonTokenType.True => "true",
        JsonTokenType.False => "false",
        JsonTokenType.Null => "null",
        _ => "nothing",
    };
}
