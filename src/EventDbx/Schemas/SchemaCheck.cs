using System.Collections.Immutable;

namespace EventDbx.Schemas;

/// <summary>Whether a schema can be enforced: everything that could be wrong with it is found when it is written, not when an event meets it.</summary>
internal ref struct SchemaCheck
{
    static readonly ColumnKind[] Ranged = [ColumnKind.Integer, ColumnKind.Float, ColumnKind.Decimal, ColumnKind.Timestamp, ColumnKind.Date];

    readonly AggregateSchema _schema;
    int _columns;

    SchemaCheck(AggregateSchema schema) => _schema = schema;

    /// <param name="schema">Any.</param>
    /// <param name="path">Where it stands, for messages.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidSchema"/>.</exception>
    public static void Verify(AggregateSchema schema, string path)
    {
        var check = new SchemaCheck(schema);
        if (string.IsNullOrWhiteSpace(schema.Aggregate))
            throw SchemaRefusal.At(path, "the aggregate type is blank; a schema names one.");
        if (Names.Check("the aggregate type", schema.Aggregate, Limits.TypeBytesMax) is { } refusal)
            throw SchemaRefusal.At(path, refusal.Message);
        Fields(schema.FieldLocks, SchemaRefusal.Below(path, "field_locks"));
        Fields(schema.HiddenFields, SchemaRefusal.Below(path, "hidden_fields"));
        Events(schema.Events, SchemaRefusal.Below(path, "events"));
        check.Columns(schema.ColumnTypes, SchemaRefusal.Below(path, "column_types"), "", 1);
    }

    /// <summary>The column that a dotted path names, from the root; null when there is none.</summary>
    public static Column? Find(AggregateSchema schema, string dotted)
    {
        var columns = schema.ColumnTypes;
        Column? found = null;
        foreach (var name in dotted.Split('.'))
        {
            if (!columns.TryGetValue(name, out found))
                return null;
            columns = found.Properties;
        }

        return found;
    }

    static void Events(ImmutableSortedDictionary<string, EventDefinition> events, string path)
    {
        if (events.IsEmpty)
            throw SchemaRefusal.At(path, "there is no event type; a schema has at least one.");
        if (events.Count > Limits.SchemaEventsMax)
            throw SchemaRefusal.At(path, $"there are {events.Count} event types; at most {Limits.SchemaEventsMax} are accepted.");
        foreach (var (name, definition) in events)
        {
            var at = SchemaRefusal.Below(path, name);
            if (string.IsNullOrWhiteSpace(name))
                throw SchemaRefusal.At(at, "the event type is blank; every event has a name.");
            if (Names.Check("the event type", name, Limits.TypeBytesMax) is { } refusal)
                throw SchemaRefusal.At(at, refusal.Message);
            Fields(definition.Fields, SchemaRefusal.Below(at, "fields"));
            if (definition.Notes is not { } notes)
                continue;
            var scalars = TextLength(notes);
            if (scalars > Limits.NoteScalarsMax)
                throw SchemaRefusal.At(SchemaRefusal.Below(at, "notes"), $"the note has {scalars} characters; at most {Limits.NoteScalarsMax} are accepted.");
            if (HasHalf(notes))
                throw SchemaRefusal.At(SchemaRefusal.Below(at, "notes"), "the note holds half of a surrogate pair.");
        }
    }

    static void Fields(ImmutableSortedSet<string> fields, string path)
    {
        if (fields.Count > Limits.SchemaColumnsMax)
            throw SchemaRefusal.At(path, $"there are {fields.Count} fields; at most {Limits.SchemaColumnsMax} are accepted.");
        foreach (var field in fields)
            FieldName(field, path);
    }

    static void FieldName(string name, string path)
    {
        if (string.IsNullOrWhiteSpace(name))
            throw SchemaRefusal.At(path, "a field name is blank.");
        if (HasHalf(name))
            throw SchemaRefusal.At(path, "a field name holds half of a surrogate pair.");
        var bytes = Encoding.UTF8.GetByteCount(name);
        if (bytes > Limits.FieldNameBytesMax)
            throw SchemaRefusal.At(path, $"a field name has {bytes} bytes of UTF-8; at most {Limits.FieldNameBytesMax} are accepted.");
    }

    void Columns(ImmutableSortedDictionary<string, Column> columns, string path, string dotted, int level)
    {
        if (columns.IsEmpty)
            return;
        if (level > Limits.SchemaDepthMax)
            throw SchemaRefusal.At(path, $"columns are nested deeper than {Limits.SchemaDepthMax} levels; use a column of type json below.");
        if (columns.Count > Limits.SchemaColumnsMax)
            throw SchemaRefusal.At(path, $"there are {columns.Count} columns; at most {Limits.SchemaColumnsMax} are accepted on one level.");
        _columns += columns.Count;
        if (_columns > Limits.SchemaColumnsInAllMax)
            throw SchemaRefusal.At(path, $"with these the schema has {_columns} columns; at most {Limits.SchemaColumnsInAllMax} are accepted in all.");
        foreach (var (name, column) in columns)
        {
            FieldName(name, path);
            One(column, SchemaRefusal.Below(path, name), level == 1 ? name : $"{dotted}.{name}", level);
        }
    }

    void One(Column column, string path, string dotted, int level)
    {
        if (column.Kind == ColumnKind.Decimal)
            Decimal(column, path);
        TextRules(column, path);
        if (column.Length is { } length)
            LengthRule(column, length, SchemaRefusal.Below(path, "length"));
        if (column.Range is { } range)
            RangeRule(column, range, SchemaRefusal.Below(path, "range"));
        if (column.MustMatch is { } target)
            MustMatch(column, target, SchemaRefusal.Below(path, "must_match"), dotted);
        var properties = SchemaRefusal.Below(path, "properties");
        if (column.Kind != ColumnKind.Object && !column.Properties.IsEmpty)
            throw DoesNotApply(column, properties, "object");
        Columns(column.Properties, properties, dotted, level + 1);
    }

    static void Decimal(Column column, string path)
    {
        if (column.Precision == 0)
            throw SchemaRefusal.At(path, $"{column.TypeName} has no digits; p is from 1 to 255.");
        if (column.Scale > column.Precision)
            throw SchemaRefusal.At(path, $"{column.TypeName} has more digits behind the point than in all; s is at most p.");
    }

    static void TextRules(Column column, string path)
    {
        Texts(column, column.Contains, SchemaRefusal.Below(path, "contains"));
        Texts(column, column.DoesNotContain, SchemaRefusal.Below(path, "does_not_contain"));
        var regex = SchemaRefusal.Below(path, "regex");
        Texts(column, column.Regex, regex);
        for (var i = 0; i < column.Regex.Length; i++)
        {
            if (LinearPattern.Compile(column.Regex[i], out var why) is null)
                throw SchemaRefusal.At($"{regex}[{i}]", $"the pattern `{SchemaRefusal.Shown(column.Regex[i])}` is not accepted: {why}.");
        }

        if (column.Format is not null && column.Kind != ColumnKind.Text)
            throw DoesNotApply(column, SchemaRefusal.Below(path, "format"), "text");
    }

    static void Texts(Column column, ImmutableArray<string> texts, string path)
    {
        if (texts.IsEmpty)
            return;
        if (column.Kind != ColumnKind.Text)
            throw DoesNotApply(column, path, "text");
        if (texts.Length > Limits.SchemaTextsMax)
            throw SchemaRefusal.At(path, $"there are {texts.Length} texts; at most {Limits.SchemaTextsMax} are accepted.");
        for (var i = 0; i < texts.Length; i++)
            BoundedText(texts[i], $"{path}[{i}]");
    }

    static void BoundedText(string text, string path)
    {
        if (text.Length == 0)
            throw SchemaRefusal.At(path, "the text is empty, and so would say nothing.");
        if (text.Length > Limits.SchemaTextCharactersMax)
            throw SchemaRefusal.At(path, $"the text has {text.Length} characters; at most {Limits.SchemaTextCharactersMax} are accepted.");
        if (HasHalf(text))
            throw SchemaRefusal.At(path, "the text holds half of a surrogate pair.");
    }

    static void LengthRule(Column column, LengthBounds length, string path)
    {
        if (column.Kind is not (ColumnKind.Text or ColumnKind.Binary))
            throw DoesNotApply(column, path, "text and binary");
        if (length.Min > length.Max)
            throw SchemaRefusal.At(path, $"min {length.Min} is above max {length.Max}; nothing would be accepted.");
    }

    static void RangeRule(Column column, RangeBounds range, string path)
    {
        if (!Ranged.Contains(column.Kind))
            throw DoesNotApply(column, path, "integer, float, decimal, timestamp and date");
        var min = Bound(column, range.Min, SchemaRefusal.Below(path, "min"));
        var max = Bound(column, range.Max, SchemaRefusal.Below(path, "max"));
        if (min is { } low && max is { } high && low.CompareTo(high, column.Kind) > 0)
            throw SchemaRefusal.At(path, $"min {range.Min!.Trim()} is above max {range.Max!.Trim()}; nothing would be accepted.");
    }

    static ColumnValue? Bound(Column column, string? text, string path)
    {
        if (text is null)
            return null;
        BoundedText(text, path);
        return ColumnValue.TryParse(column.Kind, text.AsSpan().Trim(), out var value) && !double.IsNaN(value.Real)
            ? value
            : throw SchemaRefusal.At(path, $"\"{SchemaRefusal.Shown(text)}\" is not a bound of type {column.TypeName}; {Accepted.By(column)} is accepted.");
    }

    void MustMatch(Column column, string target, string path, string dotted)
    {
        var shown = SchemaRefusal.Shown(target);
        if (target == dotted)
            throw SchemaRefusal.At(path, "a field always matches itself; name another.");
        var other = Find(_schema, target)
            ?? throw SchemaRefusal.At(path, $"`{shown}` is no column of this schema; name one by its path from the root, such as contact.email.");
        if (other.Kind != column.Kind || other.Precision != column.Precision || other.Scale != column.Scale)
            throw SchemaRefusal.At(path, $"`{shown}` is of type {other.TypeName}, this column of type {column.TypeName}; both have to be of the same.");
    }

    static RefusedException DoesNotApply(Column column, string path, string kinds) =>
        SchemaRefusal.At(path, $"the rule is for columns of type {kinds}; this one is of type {column.TypeName}.");

    static bool HasHalf(ReadOnlySpan<char> text)
    {
        while (!text.IsEmpty)
        {
            if (Rune.DecodeFromUtf16(text, out _, out var consumed) != System.Buffers.OperationStatus.Done)
                return true;
            text = text[consumed..];
        }

        return false;
    }

    static int TextLength(string text)
    {
        var scalars = 0;
        foreach (var _ in text.EnumerateRunes())
            scalars++;
        return scalars;
    }
}

/// <summary>What each type accepts, for messages.</summary>
internal static class Accepted
{
    public static string By(Column column) => column.Kind switch
    {
        ColumnKind.Integer => "a whole number of 64 bits with a sign, as a number without fraction and exponent or as a text,",
        ColumnKind.Float => "a number, or a text that is one,",
        ColumnKind.Decimal => "a number in plain notation of at most 96 bits, or a text that is one,",
        ColumnKind.Boolean => "true, false, 0 or 1, also as a text,",
        ColumnKind.Text => "a text",
        ColumnKind.Timestamp => "an RFC 3339 time as a text, such as \"2025-01-31T23:59:59Z\",",
        ColumnKind.Date => "a date as a text in the form YYYY-MM-DD",
        ColumnKind.Json => "any value",
        ColumnKind.Binary => "a text in standard base64 with its padding",
        ColumnKind.Object => "an object",
    };
}
