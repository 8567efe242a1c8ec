using System.Buffers;
using System.Collections.Immutable;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace EventDbx.Schemas;

/// <summary>Schemas as JSON: the published shapes, in and out.</summary>
/// <remarks>
/// Reading refuses what it does not know, with the path, and then everything that could not be enforced
/// (<see cref="SchemaCheck"/>): what has been read can be compiled. <see cref="Published"/> tells editors the same.
/// </remarks>
public static class SchemaJson
{
    internal static readonly JsonWriterOptions Compact = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    static readonly JsonWriterOptions Pretty = Compact with { Indented = true, NewLine = "\n" };

    /// <summary>Reads <c>schemas.json</c>: type to schema. Blank is empty; a member <c>$schema</c> that is a text is for editors.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidSchema"/>, with the path.</exception>
    public static ImmutableSortedDictionary<string, AggregateSchema> Read(ReadOnlySpan<byte> json) => SchemaReader.File(json, declaredAt: null);

    /// <summary>
    /// Reads the same shape as people keep it in version control: only <c>events</c> is required of a schema, and the times are
    /// <paramref name="now"/> where they are not given.
    /// </summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidSchema"/>, with the path.</exception>
    public static ImmutableSortedDictionary<string, AggregateSchema> ReadDeclared(ReadOnlySpan<byte> json, Timestamp now) => SchemaReader.File(json, now);

    /// <summary>Reads one schema, which names its type in <c>aggregate</c>.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidSchema"/>, with the path.</exception>
    public static AggregateSchema ReadSchema(ReadOnlySpan<byte> json) => SchemaReader.One(json, declaredAt: null);

    /// <inheritdoc cref="ReadDeclared"/>
    public static AggregateSchema ReadDeclaredSchema(ReadOnlySpan<byte> json, Timestamp now) => SchemaReader.One(json, now);

    /// <summary>Reads a column: a type in quotes, or an object of <c>type</c> and rules.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidSchema"/>, with the path. Whether the rules fit is seen by the change that uses it.</exception>
    public static Column ReadColumn(ReadOnlySpan<byte> json) => SchemaReader.Column(json);

    /// <summary>Reads the rules of a column: the object form without <c>type</c>.</summary>
    /// <param name="json">The object.</param>
    /// <param name="hasProperties">Whether <c>properties</c> stands in it; without it a column keeps its own.</param>
    /// <returns>A column whose type means nothing.</returns>
    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidSchema"/>, with the path.</exception>
    public static Column ReadRules(ReadOnlySpan<byte> json, out bool hasProperties) => SchemaReader.Rules(json, out hasProperties);

    /// <summary>The JSON Schema (draft 2020-12) of <c>schemas.json</c>, for editors.</summary>
    public static string Published
    {
        get
        {
            using var stream = typeof(SchemaJson).Assembly.GetManifestResourceStream("schemas.schema.json")!;
            using var reader = new StreamReader(stream, Encoding.UTF8);
            return reader.ReadToEnd();
        }
    }

    /// <summary>Writes <c>schemas.json</c>: indented, in the order of the types' bytes, with a line feed at its end.</summary>
    public static void Write(IBufferWriter<byte> output, IEnumerable<AggregateSchema> schemas)
    {
        using (var json = new Utf8JsonWriter(output, Pretty))
        {
            json.WriteStartObject();
            foreach (var schema in schemas.OrderBy(schema => schema.Aggregate, Utf8Order.Instance))
            {
                json.WritePropertyName(schema.Aggregate);
                Write(json, schema);
            }

            json.WriteEndObject();
        }

        output.Write("\n"u8);
    }

    /// <summary>One schema as text, its members in the published order.</summary>
    public static string Text(AggregateSchema schema, bool pretty = false)
    {
        var output = new ArrayBufferWriter<byte>();
        Write(output, schema, pretty);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }

    /// <inheritdoc cref="Text(AggregateSchema, bool)"/>
    public static void Write(IBufferWriter<byte> output, AggregateSchema schema, bool pretty = false)
    {
        using var json = new Utf8JsonWriter(output, pretty ? Pretty : Compact);
        Write(json, schema);
    }

    /// <summary>A column as text, in its short form when it has no rules.</summary>
    public static string Text(Column column)
    {
        var output = new ArrayBufferWriter<byte>();
        using (var json = new Utf8JsonWriter(output, Compact))
            Write(json, column);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }

    internal static void Write(Utf8JsonWriter json, AggregateSchema schema)
    {
        json.WriteStartObject();
        json.WriteString("aggregate"u8, schema.Aggregate);
        WriteNumber(json, "snapshot_threshold"u8, schema.SnapshotThreshold);
        json.WriteBoolean("locked"u8, schema.Locked);
        WriteTexts(json, "field_locks"u8, schema.FieldLocks);
        json.WriteBoolean("hidden"u8, schema.Hidden);
        WriteTexts(json, "hidden_fields"u8, schema.HiddenFields);
        WriteColumns(json, "column_types"u8, schema.ColumnTypes);
        json.WriteStartObject("events"u8);
        foreach (var (name, definition) in schema.Events)
        {
            json.WritePropertyName(name);
            Write(json, definition);
        }

        json.WriteEndObject();
        json.WriteString("created_at"u8, schema.CreatedAt.ToString());
        json.WriteString("updated_at"u8, schema.UpdatedAt.ToString());
        json.WriteEndObject();
    }

    internal static void Write(Utf8JsonWriter json, EventDefinition definition)
    {
        json.WriteStartObject();
        WriteTexts(json, "fields"u8, definition.Fields);
        if (definition.Notes is not null)
            json.WriteString("notes"u8, definition.Notes);
        json.WriteEndObject();
    }

    internal static void Write(Utf8JsonWriter json, Column column)
    {
        if (column.IsBare)
        {
            json.WriteStringValue(column.TypeName);
            return;
        }

        json.WriteStartObject();
        json.WriteString("type"u8, column.TypeName);
        WriteRuleMembers(json, column);
        json.WriteEndObject();
    }

    /// <summary>The rules of a column without its type.</summary>
    /// <param name="json">Where to.</param>
    /// <param name="column">The rules.</param>
    /// <param name="withProperties">Whether <c>properties</c> is written even where there is none.</param>
    internal static void WriteRules(Utf8JsonWriter json, Column column, bool withProperties)
    {
        json.WriteStartObject();
        WriteRuleMembers(json, column);
        if (withProperties && column.Properties.IsEmpty)
            WriteColumns(json, "properties"u8, column.Properties);
        json.WriteEndObject();
    }

    static void WriteRuleMembers(Utf8JsonWriter json, Column column)
    {
        if (column.Required)
            json.WriteBoolean("required"u8, true);
        if (!column.Contains.IsEmpty)
            WriteTexts(json, "contains"u8, column.Contains);
        if (!column.DoesNotContain.IsEmpty)
            WriteTexts(json, "does_not_contain"u8, column.DoesNotContain);
        if (!column.Regex.IsEmpty)
            WriteTexts(json, "regex"u8, column.Regex);
        if (column.Format is { } format)
            json.WriteString("format"u8, TextFormats.NameOf(format));
        if (column.Length is { } length)
        {
            json.WriteStartObject("length"u8);
            WriteNumber(json, "min"u8, length.Min);
            WriteNumber(json, "max"u8, length.Max);
            json.WriteEndObject();
        }

        if (column.Range is { } range)
        {
            json.WriteStartObject("range"u8);
            json.WriteString("min"u8, range.Min);
            json.WriteString("max"u8, range.Max);
            json.WriteEndObject();
        }

        if (column.MustMatch is not null)
            json.WriteString("must_match"u8, column.MustMatch);
        if (!column.Properties.IsEmpty)
            WriteColumns(json, "properties"u8, column.Properties);
    }

    static void WriteColumns(Utf8JsonWriter json, ReadOnlySpan<byte> name, ImmutableSortedDictionary<string, Column> columns)
    {
        json.WriteStartObject(name);
        foreach (var (field, column) in columns)
        {
            json.WritePropertyName(field);
            Write(json, column);
        }

        json.WriteEndObject();
    }

    static void WriteTexts(Utf8JsonWriter json, ReadOnlySpan<byte> name, IEnumerable<string> texts)
    {
        json.WriteStartArray(name);
        foreach (var text in texts)
            json.WriteStringValue(text);
        json.WriteEndArray();
    }

    static void WriteNumber(Utf8JsonWriter json, ReadOnlySpan<byte> name, ulong? number)
    {
        if (number is { } value)
            json.WriteNumber(name, value);
        else
            json.WriteNull(name);
    }
}
