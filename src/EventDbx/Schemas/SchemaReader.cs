using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;

namespace EventDbx.Schemas;

/// <summary>From JSON to schemas: kinds, names and members, each refusal with its path.</summary>
internal static class SchemaReader
{
    static readonly string[] SchemaMembers =
        ["aggregate", "snapshot_threshold", "locked", "field_locks", "hidden", "hidden_fields", "column_types", "events", "created_at", "updated_at"];

    static readonly string[] RequiredMembers = ["aggregate", "locked", "field_locks", "events", "created_at", "updated_at"];

    static readonly string[] EventMembers = ["fields", "notes"];

    static readonly string[] RuleMembers =
        ["required", "contains", "does_not_contain", "regex", "format", "length", "range", "must_match", "properties"];

    static readonly string[] ColumnMembers = ["type", .. RuleMembers];

    static readonly string[] BoundMembers = ["min", "max"];

    static readonly string[] Formats = [.. Enum.GetValues<TextFormat>().Select(TextFormats.NameOf)];

    /// <param name="declaredAt">Null: a stored file, in which everything stands.</param>
    public static ImmutableSortedDictionary<string, AggregateSchema> File(ReadOnlySpan<byte> json, Timestamp? declaredAt)
    {
        var schemas = ImmutableSortedDictionary.CreateBuilder<string, AggregateSchema>(Utf8Order.Instance);
        if (!json.ContainsAnyExcept(" \t\r\n"u8))
            return schemas.ToImmutable();
        using var document = Parse(json);
        foreach (var (name, value) in Members(document.RootElement, "$", "an object of aggregate types and their schemas"))
        {
            // An editor finds the JSON Schema by it. A type of that name would be an object.
            if (name == "$schema" && value.ValueKind == JsonValueKind.String)
                continue;
            var path = SchemaRefusal.Below("$", name);
            var schema = Schema(value, path, name, declaredAt);
            SchemaCheck.Verify(schema, path);
            schemas.Add(name, schema);
            if (schemas.Count > Limits.SchemasMax)
                throw SchemaRefusal.At("$", $"there are more than {Limits.SchemasMax} schemas.");
        }

        return schemas.ToImmutable();
    }

    public static AggregateSchema One(ReadOnlySpan<byte> json, Timestamp? declaredAt)
    {
        using var document = Parse(json);
        var schema = Schema(document.RootElement, "$", null, declaredAt);
        SchemaCheck.Verify(schema, "$");
        return schema;
    }

    public static Column Column(ReadOnlySpan<byte> json)
    {
        using var document = Parse(json);
        return Column(document.RootElement, "$", 1);
    }

    public static Column Rules(ReadOnlySpan<byte> json, out bool hasProperties)
    {
        using var document = Parse(json);
        hasProperties = document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("properties"u8, out _);
        return Ruled(document.RootElement, "$", RuleMembers, 1);
    }

    internal static JsonDocument Parse(ReadOnlySpan<byte> json)
    {
        if (json.Length > Limits.DocumentBytesMax)
            throw SchemaRefusal.At("$", $"the JSON has {json.Length} bytes; at most {Limits.DocumentBytesMax} are accepted.");
        if (!System.Text.Unicode.Utf8.IsValid(json))
            throw SchemaRefusal.At("$", "the text is not UTF-8.");
        try
        {
            return JsonDocument.Parse(json.ToArray());
        }
        catch (JsonException cause)
        {
            if (cause.Message.Contains("configured depth", StringComparison.Ordinal))
                throw SchemaRefusal.At("$", $"the JSON is nested deeper than 64 levels; columns may be nested {Limits.SchemaDepthMax} deep.");
            throw SchemaRefusal.At("$", string.Create(CultureInfo.InvariantCulture,
                $"it is not JSON, at line {cause.LineNumber + 1}, byte {cause.BytePositionInLine + 1}."));
        }
    }

    static AggregateSchema Schema(JsonElement json, string path, string? name, Timestamp? declaredAt)
    {
        var now = declaredAt ?? default;
        AggregateSchema schema = new() { Aggregate = name ?? "", CreatedAt = now, UpdatedAt = now };
        HashSet<string> seen = [];
        foreach (var (member, value) in Members(json, path, "an object: a schema"))
        {
            seen.Add(member);
            var at = SchemaRefusal.Below(path, member);
            schema = member switch
            {
                "aggregate" => schema with { Aggregate = AggregateName(value, at, name) },
                "snapshot_threshold" => schema with { SnapshotThreshold = Count(value, at) },
                "locked" => schema with { Locked = Truth(value, at) },
                "field_locks" => schema with { FieldLocks = Names(value, at) },
                "hidden" => schema with { Hidden = Truth(value, at) },
                "hidden_fields" => schema with { HiddenFields = Names(value, at) },
                "column_types" => schema with { ColumnTypes = Columns(value, at, 1) },
                "events" => schema with { Events = Events(value, at, declaredAt is not null) },
                "created_at" => schema with { CreatedAt = Time(value, at) },
                "updated_at" => schema with { UpdatedAt = Time(value, at) },
                _ => throw Unknown(path, member, SchemaMembers),
            };
        }

        foreach (var required in declaredAt is null ? RequiredMembers : name is null ? ["aggregate", "events"] : (string[])["events"])
        {
            if (!seen.Contains(required))
                throw SchemaRefusal.At(path, $"`{required}` is missing.");
        }

        return schema;
    }

    static string AggregateName(JsonElement json, string path, string? expected)
    {
        var name = Text(json, path);
        return expected is null || name == expected
            ? name
            : throw SchemaRefusal.At(path, $"it is \"{SchemaRefusal.Shown(name)}\", and stands under another name; both have to be the same.");
    }

    static ImmutableSortedDictionary<string, EventDefinition> Events(JsonElement json, string path, bool declared)
    {
        var events = ImmutableSortedDictionary.CreateBuilder<string, EventDefinition>(Utf8Order.Instance);
        foreach (var (name, value) in Members(json, path, "an object of event types"))
            events.Add(name, Event(value, SchemaRefusal.Below(path, name), declared));
        return events.ToImmutable();
    }

    static EventDefinition Event(JsonElement json, string path, bool declared)
    {
        var definition = EventDefinition.Any;
        var hasFields = declared;
        foreach (var (member, value) in Members(json, path, "an object: {\"fields\": […], \"notes\": \"…\"}"))
        {
            var at = SchemaRefusal.Below(path, member);
            switch (member)
            {
                case "fields":
                    definition = definition with { Fields = Names(value, at) };
                    hasFields = true;
                    break;
                case "notes":
                    definition = definition with { Notes = value.ValueKind == JsonValueKind.Null ? null : Text(value, at) };
                    break;
                default:
                    throw Unknown(path, member, EventMembers);
            }
        }

        return hasFields ? definition : throw SchemaRefusal.At(path, "`fields` is missing; [] means any.");
    }

    static ImmutableSortedDictionary<string, Column> Columns(JsonElement json, string path, int level)
    {
        // Checked here as well: it bounds the recursion.
        if (level > Limits.SchemaDepthMax)
            throw SchemaRefusal.At(path, $"columns are nested deeper than {Limits.SchemaDepthMax} levels; use a column of type json below.");
        var columns = ImmutableSortedDictionary.CreateBuilder<string, Column>(Utf8Order.Instance);
        foreach (var (name, value) in Members(json, path, "an object of fields and their columns"))
            columns.Add(name, Column(value, SchemaRefusal.Below(path, name), level));
        return columns.ToImmutable();
    }

    static Column Column(JsonElement json, string path, int level) => json.ValueKind switch
    {
        JsonValueKind.String => TypeOf(json, path),
        JsonValueKind.Object => Ruled(json, path, ColumnMembers, level),
        _ => throw Kind(json, path, "a type in quotes, or an object: {\"type\": \"…\", rules}"),
    };

    static Column TypeOf(JsonElement json, string path)
    {
        var text = Text(json, path);
        return Schemas.Column.OfType(text)
            ?? throw SchemaRefusal.At(path,
                $"`{SchemaRefusal.Shown(text)}` is no type{NearestName.Hint(text, Schemas.Column.TypeNames)}; the types are {string.Join(", ", Schemas.Column.TypeNames)}.");
    }

    static Column Ruled(JsonElement json, string path, string[] members, int level)
    {
        Column rules = new() { Kind = ColumnKind.Json };
        Column? type = null;
        foreach (var (member, value) in Members(json, path, "an object of rules"))
        {
            var at = SchemaRefusal.Below(path, member);
            if (member == "type" && members == ColumnMembers)
            {
                type = TypeOf(value, at);
                continue;
            }

            rules = member switch
            {
                "required" => rules with { Required = Truth(value, at) },
                "contains" => rules with { Contains = Texts(value, at) },
                "does_not_contain" => rules with { DoesNotContain = Texts(value, at) },
                "regex" => rules with { Regex = Texts(value, at) },
                "format" => rules with { Format = FormatOf(value, at) },
                "length" => rules with { Length = Length(value, at) },
                "range" => rules with { Range = Range(value, at) },
                "must_match" => rules with { MustMatch = value.ValueKind == JsonValueKind.Null ? null : Text(value, at) },
                "properties" => rules with { Properties = Columns(value, at, level + 1) },
                _ => throw Unknown(path, member, members),
            };
        }

        if (members != ColumnMembers)
            return rules;
        return type?.Under(rules, keepProperties: false) ?? throw SchemaRefusal.At(path, "`type` is missing.");
    }

    static TextFormat? FormatOf(JsonElement json, string path)
    {
        if (json.ValueKind == JsonValueKind.Null)
            return null;
        var text = Text(json, path);
        var index = Array.IndexOf(Formats, text);
        return index >= 0
            ? (TextFormat)index
            : throw SchemaRefusal.At(path, $"`{SchemaRefusal.Shown(text)}` is no format{NearestName.Hint(text, Formats)}; the formats are {string.Join(", ", Formats)}.");
    }

    static LengthBounds? Length(JsonElement json, string path)
    {
        if (json.ValueKind == JsonValueKind.Null)
            return null;
        LengthBounds bounds = new(null, null);
        foreach (var (member, value) in Members(json, path, "an object: {\"min\": 1, \"max\": 10}"))
        {
            var count = Count(value, SchemaRefusal.Below(path, member));
            bounds = member switch
            {
                "min" => bounds with { Min = count },
                "max" => bounds with { Max = count },
                _ => throw Unknown(path, member, BoundMembers),
            };
        }

        return bounds;
    }

    static RangeBounds? Range(JsonElement json, string path)
    {
        if (json.ValueKind == JsonValueKind.Null)
            return null;
        RangeBounds bounds = new(null, null);
        foreach (var (member, value) in Members(json, path, "an object: {\"min\": \"1\", \"max\": \"10\"}"))
        {
            if (member is not ("min" or "max"))
                throw Unknown(path, member, BoundMembers);
            var at = SchemaRefusal.Below(path, member);
            var text = value.ValueKind switch
            {
                JsonValueKind.Null => null,
                JsonValueKind.String => Text(value, at),
                _ => throw Kind(value, at, "a text in the column's type, such as \"10\", or null"),
            };
            bounds = member == "min" ? bounds with { Min = text } : bounds with { Max = text };
        }

        return bounds;
    }

    internal static List<(string Name, JsonElement Value)> Members(JsonElement json, string path, string expected)
    {
        if (json.ValueKind != JsonValueKind.Object)
            throw Kind(json, path, expected);
        List<(string, JsonElement)> members = [];
        HashSet<string> names = new(StringComparer.Ordinal);
        foreach (var property in json.EnumerateObject())
        {
            string name;
            try
            {
                name = property.Name;
            }
            catch (InvalidOperationException)
            {
                throw SchemaRefusal.At(path, "a name holds half of a surrogate pair.");
            }

            if (!names.Add(name))
                throw SchemaRefusal.At(path, $"\"{SchemaRefusal.Shown(name)}\" is there twice.");
            members.Add((name, property.Value));
        }

        return members;
    }

    internal static string Text(JsonElement json, string path)
    {
        if (json.ValueKind != JsonValueKind.String)
            throw Kind(json, path, "a text");
        try
        {
            return json.GetString()!;
        }
        catch (InvalidOperationException)
        {
            throw SchemaRefusal.At(path, "the text holds half of a surrogate pair.");
        }
    }

    internal static ImmutableArray<string> Texts(JsonElement json, string path)
    {
        if (json.ValueKind != JsonValueKind.Array)
            throw Kind(json, path, "an array of texts");
        var texts = ImmutableArray.CreateBuilder<string>(json.GetArrayLength());
        foreach (var item in json.EnumerateArray())
            texts.Add(Text(item, $"{path}[{texts.Count}]"));
        return texts.ToImmutable();
    }

    static ImmutableSortedSet<string> Names(JsonElement json, string path) =>
        ImmutableSortedSet.CreateRange(Utf8Order.Instance, Texts(json, path));

    internal static bool Truth(JsonElement json, string path) => json.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => throw Kind(json, path, "true or false"),
    };

    internal static ulong? Count(JsonElement json, string path)
    {
        if (json.ValueKind == JsonValueKind.Null)
            return null;
        return json.ValueKind == JsonValueKind.Number && json.TryGetUInt64(out var count)
            ? count
            : throw Kind(json, path, "a whole number from 0, or null");
    }

    // Files of the existing implementation have nine digits; these times are for people, and three digits less tell them the same.
    static Timestamp Time(JsonElement json, string path)
    {
        var text = Text(json, path);
        var digits = text.Length > 20 && text[19] == '.' ? text.AsSpan(20).IndexOfAnyExceptInRange('0', '9') : -1;
        var kept = digits > 7 ? text.Remove(27, digits - 7) : text;
        return Timestamp.TryParse(kept, out var time, out var refusal) ? time : throw SchemaRefusal.At(path, refusal.Message);
    }

    static RefusedException Unknown(string path, string member, string[] known) =>
        SchemaRefusal.At(path, $"`{SchemaRefusal.Shown(member)}` is no member here{NearestName.Hint(member, known)}; known are {string.Join(", ", known)}.");

    internal static RefusedException Kind(JsonElement json, string path, string expected)
    {
        var found = json.ValueKind switch
        {
            JsonValueKind.Object => "an object",
            JsonValueKind.Array => "an array",
            JsonValueKind.String => "a text",
            JsonValueKind.Null => "null",
            JsonValueKind.True or JsonValueKind.False => "a truth value",
            _ => $"the number {SchemaRefusal.Shown(json.GetRawText().AsSpan())}",
        };
        return SchemaRefusal.At(path, $"{found} stands where {expected} is expected.");
    }
}
