using System.Collections.Immutable;
using System.Text.Json;
using CsCheck;
using EventDbx.Schemas;

namespace EventDbx.Tests.Schemas;

/// <summary>The published shapes: what is read, what is written, what is refused and where.</summary>
public sealed class SchemaJsonTests
{
    // As the existing implementation prints it.
    const string Published = """
        {
          "aggregate": "order", "snapshot_threshold": 50, "locked": false,
          "field_locks": ["tenant"], "hidden": false, "hidden_fields": ["card"],
          "column_types": { "email": { "type": "text", "required": true, "format": "email" }, "total": "decimal(12,2)" },
          "events": { "order-created": { "fields": ["total"] }, "order-paid": { "fields": [], "notes": "settled" } },
          "created_at": "2025-10-20T08:00:00Z", "updated_at": "2025-10-23T12:00:00Z"
        }
        """;

    static readonly Gen<string> Word = Gen.OneOf(
        Gen.String[Gen.Char['a', 'z'], 1, 6], Schemata.Among("é", "😀", "\uE000", "a b", "x.y", "\"", "\\", "/", "<&>", "\u007f", "\u0001"));

    static readonly Gen<Column> Leaf = Gen.OneOf(
        Schemata.Among("integer", "float", "boolean", "timestamp", "json", "binary", "object").Select(type => Column.OfType(type)!),
        Gen.Select(Gen.Byte[1, 255], Gen.Byte).Select((p, s) => new Column { Kind = ColumnKind.Decimal, Precision = p, Scale = Math.Min(p, s) }),
        Gen.Select(Word.Array[0, 3], Word.Array[0, 2], Schemata.Among("a+", "^b$", "[^c]{2}").Array[0, 2], Gen.Enum<TextFormat>().Nullable(), Gen.ULong[0, 9].Nullable(), Gen.Bool)
            .Select((some, none, regex, format, max, required) => new Column
            {
                Kind = ColumnKind.Text, Contains = [.. some], DoesNotContain = [.. none], Regex = [.. regex], Format = format,
                Length = max is null && required ? null : new(null, max), Required = required,
            }),
        Gen.Select(Gen.Long, Gen.Bool).Select((max, open) => new Column
        {
            Kind = ColumnKind.Integer, Range = new(open ? null : $"{long.MinValue}", $"{max}"), Required = open,
        }),
        Gen.Const(new Column { Kind = ColumnKind.Date, MustMatch = "day", Range = new(" 2025-01-01 ", null) }));

    static readonly Gen<AggregateSchema> Schema = Gen.Select(
        Gen.Select(Word, Gen.ULong.Nullable(), Gen.Bool, Gen.Bool),
        Gen.Select(Word.Array[0, 3], Word.Array[0, 3]),
        Gen.Select(Word, Columns(3)).Array[0, 4],
        Gen.Select(Word, Word.Array[0, 3], Gen.OneOf(Word, Gen.Const((string?)null!))).Array[1, 4])
        .Select((head, sets, columns, events) => new AggregateSchema
        {
            Aggregate = Legal(head.Item1), SnapshotThreshold = head.Item2, Locked = head.Item3, Hidden = head.Item4,
            FieldLocks = [.. sets.Item1], HiddenFields = [.. sets.Item2],
            ColumnTypes = Dictionary(columns).SetItem("day", Column.OfType("date")!),
            Events = Dictionary(events.Select(one => (Legal(one.Item1), new EventDefinition { Fields = [.. one.Item2], Notes = one.Item3 }))),
            CreatedAt = Schemata.Now, UpdatedAt = Schemata.Later,
        });

    [Fact]
    public void The_published_example_is_read_and_written_back()
    {
        var schema = SchemaJson.ReadSchema(Utf8(Published));

        Assert.Equal(Minified(Published), SchemaJson.Text(schema));
        Assert.Equal((50UL, "settled", Schemata.Later), (schema.SnapshotThreshold, schema.Events["order-paid"].Notes, schema.UpdatedAt));
        Assert.Equal(schema, SchemaJson.Read(Utf8($$$$"""{"order":{{{{Published}}}}}"""))["order"]);
    }

    [Fact]
    public void Every_schema_is_read_back_as_it_was_written() => Schema.Sample(schema =>
    {
        var book = SchemaBook.Of([schema]);
        Assert.Equal(schema, SchemaJson.ReadSchema(Utf8(SchemaJson.Text(schema))));
        Assert.Equal(schema, SchemaJson.ReadSchema(Utf8(SchemaJson.Text(schema, pretty: true))));
        Assert.Equal(schema, Assert.Single(SchemaBook.Parse(book.Write()).All));
        Assert.Equal(book.Write(), SchemaBook.Parse(book.Write()).Write());
    }, iter: Effort.Choose(300, 3000, 30_000), threads: 1);

    [Fact]
    public void Types_go_by_several_names_and_are_written_by_one()
    {
        foreach (var (spelt, canonical) in new[]
        {
            ("INT", "integer"), (" integer ", "integer"), ("double", "float"), ("Numeric( 12 , 2 )", "decimal(12,2)"), ("decimal (12,2)", "decimal(12,2)"),
            ("bool", "boolean"), ("String", "text"), ("bytes", "binary"), ("TIMESTAMP", "timestamp"), ("date", "date"), ("json", "json"), ("object", "object"),
        })
        {
            Assert.Equal($"\"{canonical}\"", SchemaJson.Text(SchemaJson.ReadColumn(Utf8($"\"{spelt}\""))));
            Assert.Equal($"\"{canonical}\"", SchemaJson.Text(SchemaJson.ReadColumn(Utf8($$$$"""{"type":"{{{{spelt}}}}","required":false,"contains":[],"range":null}"""))));
        }

        foreach (var none in new[] { "integers", "decimal", "decimal(12)", "decimal(1,2,3)", "decimal(256,2)", "decimal(-1,2)", "decimal(12,2", "decimal(1 2,2)", "" })
            Assert.Null(Column.OfType(none));
    }

    [Fact]
    public void Bounds_are_written_with_both_ends() => Assert.Equal(
        """{"type":"text","length":{"min":null,"max":3}}""", SchemaJson.Text(SchemaJson.ReadColumn("""{"type":"text","length":{"max":3}}"""u8)));

    [Theory]
    [InlineData("")]
    [InlineData(" \n\t")]
    [InlineData("{}")]
    [InlineData("""{"$schema":"schemas.schema.json"}""")]
    public void A_file_without_schemas_is_empty(string json) => Assert.Empty(SchemaJson.Read(Utf8(json)));

    [Fact]
    public void Names_are_in_the_order_of_their_bytes_whatever_their_order_in_the_file()
    {
        var written = SchemaJson.ReadDeclared("""{"😀":{"events":{"b":{"fields":["😀","\ue000","b","a","b"]},"a":{}}},"\ue000":{"events":{"a":{}}},"Z":{"events":{"a":{}}},"a":{"events":{"a":{}}}}"""u8, Schemata.Now);

        Assert.Equal(["Z", "a", "\uE000", "😀"], written.Keys);
        Assert.Equal(["a", "b", "\uE000", "😀"], written["😀"].Events["b"].Fields);
        Assert.Equal(["a", "b"], written["😀"].Events.Keys);
    }

    [Fact]
    public void What_people_keep_in_version_control_says_only_what_differs()
    {
        var declared = SchemaJson.ReadDeclared("""{"order":{"events":{"paid":{}}}}"""u8, Schemata.Now)["order"];

        Assert.Equal(("order", Schemata.Now, false), (declared.Aggregate, declared.UpdatedAt, declared.Locked));
        Assert.Contains("`locked` is missing", Schemata.RefusalOf(() => SchemaJson.Read("""{"order":{"aggregate":"order","events":{"paid":{"fields":[]}}}}"""u8)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Times_of_nine_digits_lose_the_last_two() => Assert.Equal(
        Schemata.Time("2025-10-20T08:00:00.1234567Z"),
        SchemaJson.ReadSchema(Utf8(Published.Replace("08:00:00Z", "08:00:00.123456789Z", StringComparison.Ordinal))).CreatedAt);

    [Theory]
    // JSON and kinds.
    [InlineData("[]", "$", "an array stands where")]
    [InlineData("""{"order":""", "$", "not JSON")]
    [InlineData("D", "$", "nested deeper than 64 levels")]
    [InlineData("""{"order":1}""", "$.order", "the number 1")]
    [InlineData("""{"order":{},"order":{}}""", "$", "twice", false)]
    [InlineData("""{"$schema":1}""", "$[\"$schema\"]", "the number 1")]
    [InlineData("""{"a b":null}""", "$[\"a b\"]", "null stands")]
    [InlineData("S\"locked\":1", "$.order.locked", "true or false")]
    [InlineData("S\"locked\":true,\"locked\":true", "$.order", "twice")]
    [InlineData("S\"hidden\":\"no\"", "$.order.hidden", "true or false")]
    [InlineData("S\"loked\":true", "$.order", "`locked`")]
    [InlineData("S\"aggregate\":\"other\"", "$.order.aggregate", "another name")]
    [InlineData("S\"snapshot_threshold\":-1", "$.order.snapshot_threshold", "whole number")]
    [InlineData("S\"snapshot_threshold\":1.5", "$.order.snapshot_threshold", "whole number")]
    [InlineData("S\"field_locks\":\"a\"", "$.order.field_locks", "array of texts")]
    [InlineData("S\"field_locks\":[\"a\",1]", "$.order.field_locks[1]", "a text is expected")]
    [InlineData("S\"field_locks\":[\" \"]", "$.order.field_locks", "blank")]
    [InlineData("S\"hidden_fields\":[\"\\ud800\"]", "$.order.hidden_fields[0]", "surrogate")]
    [InlineData("S\"created_at\":\"yesterday\"", "$.order.created_at", "not a time")]
    [InlineData("S\"updated_at\":1", "$.order.updated_at", "a text is expected")]
    [InlineData("S\"column_types\":[]", "$.order.column_types", "an array stands")]
    // Events.
    [InlineData("""{"order":{"locked":false}}""", "$.order", "`events` is missing")]
    [InlineData("""{"order":{"events":{}}}""", "$.order.events", "no event type")]
    [InlineData("""{"order":{"events":{" ":{}}}}""", "$.order.events", "blank")]
    [InlineData("""{"order":{"events":{"a\u0007":{}}}}""", "$.order.events", "control character")]
    [InlineData("""{"order":{"events":{"a":{"fields":null}}}}""", "$.order.events.a.fields", "null stands")]
    [InlineData("""{"order":{"events":{"a":{"note":"x"}}}}""", "$.order.events.a", "`notes`")]
    [InlineData("""{"order":{"events":{"a":[]}}}""", "$.order.events.a", "an array stands")]
    [InlineData("""{"order":{"events":{"a":{"fields":[""]}}}}""", "$.order.events.a.fields", "blank")]
    [InlineData("""{" ":{"events":{"a":{}}}}""", "$[\" \"]", "blank")]
    [InlineData("""{"..":{"events":{"a":{}}}}""", "$[\"..\"]", "URL")]
    // Columns.
    [InlineData("C\"integr\"", "$.order.column_types.c", "`integer`")]
    [InlineData("C7", "$.order.column_types.c", "a type in quotes")]
    [InlineData("C{\"required\":true}", "$.order.column_types.c", "`type` is missing")]
    [InlineData("C{\"type\":\"txt\"}", "$.order.column_types.c.type", "`text`")]
    [InlineData("C{\"type\":\"text\",\"requird\":true}", "$.order.column_types.c", "`required`")]
    [InlineData("C{\"type\":\"text\",\"required\":\"yes\"}", "$.order.column_types.c.required", "true or false")]
    [InlineData("C{\"type\":\"text\",\"contains\":[\"\"]}", "$.order.column_types.c.contains[0]", "empty")]
    [InlineData("C{\"type\":\"text\",\"does_not_contain\":[null]}", "$.order.column_types.c.does_not_contain[0]", "null stands")]
    [InlineData("C{\"type\":\"text\",\"regex\":\"a\"}", "$.order.column_types.c.regex", "array of texts")]
    [InlineData("C{\"type\":\"text\",\"regex\":[\"(\"]}", "$.order.column_types.c.regex[0]", "`(`")]
    [InlineData("C{\"type\":\"text\",\"format\":\"emial\"}", "$.order.column_types.c.format", "`email`")]
    [InlineData("C{\"type\":\"text\",\"length\":3}", "$.order.column_types.c.length", "the number 3")]
    [InlineData("C{\"type\":\"text\",\"length\":{\"min\":\"3\"}}", "$.order.column_types.c.length.min", "whole number")]
    [InlineData("C{\"type\":\"text\",\"length\":{\"least\":3}}", "$.order.column_types.c.length", "min, max")]
    [InlineData("C{\"type\":\"text\",\"length\":{\"min\":4,\"max\":3}}", "$.order.column_types.c.length", "above max 3")]
    [InlineData("C{\"type\":\"integer\",\"range\":{\"min\":1}}", "$.order.column_types.c.range.min", "the number 1")]
    [InlineData("C{\"type\":\"integer\",\"range\":{\"mni\":\"1\"}}", "$.order.column_types.c.range", "`min`")]
    [InlineData("C{\"type\":\"integer\",\"range\":{\"min\":\"1.5\"}}", "$.order.column_types.c.range.min", "integer")]
    [InlineData("C{\"type\":\"integer\",\"range\":{\"min\":\"2\",\"max\":\"1\"}}", "$.order.column_types.c.range", "above max 1")]
    [InlineData("C{\"type\":\"float\",\"range\":{\"max\":\"nan\"}}", "$.order.column_types.c.range.max", "not a bound")]
    [InlineData("C{\"type\":\"date\",\"range\":{\"max\":\"2025-02-30\"}}", "$.order.column_types.c.range.max", "date")]
    [InlineData("C{\"type\":\"timestamp\",\"range\":{\"min\":\"2025-01-01T00:00:00Z\",\"max\":\"2025-01-01T00:00:00+00:01\"}}", "$.order.column_types.c.range", "above max")]
    [InlineData("C{\"type\":\"decimal(3,2)\",\"range\":{\"min\":\"1e1\"}}", "$.order.column_types.c.range.min", "decimal(3,2)")]
    [InlineData("C\"decimal(2,3)\"", "$.order.column_types.c", "behind the point")]
    [InlineData("C\"decimal(0,0)\"", "$.order.column_types.c", "no digits")]
    [InlineData("C{\"type\":\"text\",\"must_match\":\"c\"}", "$.order.column_types.c.must_match", "itself")]
    [InlineData("C{\"type\":\"text\",\"must_match\":\"d\"}", "$.order.column_types.c.must_match", "no column")]
    [InlineData("C\"text\",\"d\":{\"type\":\"integer\",\"must_match\":\"c\"}", "$.order.column_types.d.must_match", "of type text")]
    [InlineData("C\"decimal(3,2)\",\"d\":{\"type\":\"decimal(4,2)\",\"must_match\":\"c\"}", "$.order.column_types.d.must_match", "decimal(3,2)")]
    [InlineData("C{\"type\":\"object\",\"properties\":{\"d\":\"txt\"}}", "$.order.column_types.c.properties.d", "`text`")]
    [InlineData("C{\"type\":\"object\",\"properties\":{\"\":\"text\"}}", "$.order.column_types.c.properties", "blank")]
    public void What_is_wrong_is_said_with_its_path(string json, string path, string said, bool whole = true)
    {
        json = json[0] switch
        {
            'S' => $$$$"""{"order":{"events":{"a":{}},{{{{json[1..]}}}}}}""",
            'C' => $$$$"""{"order":{"events":{"a":{}},"column_types":{"c":{{{{json[1..]}}}}}}}""",
            'D' => string.Concat(Enumerable.Repeat("{\"a\":", 65)),
            _ => json,
        };

        var refusal = Schemata.RefusalOf(() => SchemaJson.ReadDeclared(Utf8(json), Schemata.Now));

        Assert.Equal((RefusalCode.InvalidSchema, "invalid_schema"), (refusal.Code, refusal.Name));
        Assert.StartsWith($"The schema is not accepted at {path}", refusal.Message, StringComparison.Ordinal);
        Assert.Contains(said, refusal.Message, StringComparison.Ordinal);
        Assert.True(whole == (refusal.Message[$"The schema is not accepted at {path}".Length] is ':' or '[') || !whole, refusal.Message);
    }

    [Fact]
    public void What_exceeds_a_limit_is_refused_and_what_meets_it_is_not()
    {
        string Text(int length) => new('a', length);
        foreach (var (fits, exceeds, path) in new (string, string, string)[]
        {
            (Nest(Limits.SchemaDepthMax), Nest(Limits.SchemaDepthMax + 1), "properties"),
            (Many(Limits.SchemaColumnsMax), Many(Limits.SchemaColumnsMax + 1), "column_types"),
            ($$$$"""{"{{{{Text(Limits.FieldNameBytesMax)}}}}":"text"}""", $$$$"""{"{{{{Text(Limits.FieldNameBytesMax + 1)}}}}":"text"}""", "column_types"),
            (Pattern(Text(Limits.SchemaTextCharactersMax)), Pattern(Text(Limits.SchemaTextCharactersMax + 1)), "regex"),
            (Patterns(Limits.SchemaTextsMax), Patterns(Limits.SchemaTextsMax + 1), "contains"),
            (Wide(4), Wide(5), "properties"),
        })
        {
            Schemata.Compiled(fits);
            Assert.Contains(path, Schemata.RefusalOf(() => Schemata.Compiled(exceeds)).Message, StringComparison.Ordinal);
        }

        static string Nest(int levels) => levels == 1 ? """{"n":"text"}""" : $$$$"""{"n":{"type":"object","properties":{{{{Nest(levels - 1)}}}}}}""";
        static string Many(int count) => "{" + string.Join(',', Enumerable.Range(0, count).Select(i => $"\"c{i}\":\"text\"")) + "}";
        static string Pattern(string pattern) => $$$$"""{"c":{"type":"text","regex":["{{{{pattern}}}}"]}}""";
        static string Patterns(int count) => $$$$"""{"c":{"type":"text","contains":[{{{{string.Join(',', Enumerable.Repeat("\"a\"", count))}}}}]}}""";
        // Objects of 1,023 columns each.
        static string Wide(int count) =>
            "{" + string.Join(',', Enumerable.Range(0, count).Select(i => $$$$"""
                "o{{{{i}}}}":{"type":"object","properties":{{{{Many(1023)}}}}}
                """)) + "}";
    }

    [Fact]
    public void Notes_have_at_most_128_characters()
    {
        var schema = Schemata.Of("{}");
        SchemaChange.Annotate(schema, "e", string.Concat(Enumerable.Repeat("😀", 128)), Schemata.Now);
        Assert.Contains("events.e.notes", Schemata.RefusalOf(() => SchemaChange.Annotate(schema, "e", new('a', 129), Schemata.Now)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_published_JSON_Schema_names_every_member_and_type_that_is_read()
    {
        using var published = JsonDocument.Parse(SchemaJson.Published);
        var definitions = published.RootElement.GetProperty("$defs");
        var column = definitions.GetProperty("column").GetProperty("anyOf")[1].GetProperty("properties");

        var schema = Schemata.Of("""{"c":{"type":"text","required":true,"contains":["a"],"does_not_contain":["b"],"regex":["a"],"format":"url","length":{"max":9},"must_match":"d"},"d":"text","r":{"type":"date","range":{}},"o":{"type":"object","properties":{"p":"text"}}}""");
        schema = SchemaChange.Annotate(schema, "e", "note", Schemata.Now);
        using var written = JsonDocument.Parse(SchemaJson.Text(schema));
        var members = written.RootElement.GetProperty("column_types").EnumerateObject().Where(one => one.Value.ValueKind == JsonValueKind.Object)
            .SelectMany(one => one.Value.EnumerateObject()).Select(one => one.Name);

        Assert.Equal(Names(written.RootElement), Names(definitions.GetProperty("schema").GetProperty("properties")));
        Assert.Equal(Names(written.RootElement.GetProperty("events").GetProperty("e")), Names(definitions.GetProperty("event").GetProperty("properties")));
        Assert.Equal(members.ToHashSet(), Names(column));
        Assert.Equal(
            Enum.GetValues<TextFormat>().Select(TextFormats.NameOf),
            column.GetProperty("format").GetProperty("enum").EnumerateArray().Select(one => one.GetString()).Where(one => one is not null));
        var types = definitions.GetProperty("type").GetProperty("anyOf")[0].GetProperty("enum").EnumerateArray().Select(one => Column.OfType(one.GetString()!)!.Kind);
        Assert.Equal(Enum.GetValues<ColumnKind>().ToHashSet(), types.ToHashSet());
        Assert.Equal("https://json-schema.org/draft/2020-12/schema", published.RootElement.GetProperty("$schema").GetString());

        static HashSet<string> Names(JsonElement json) => [.. json.EnumerateObject().Select(one => one.Name)];
    }

    static Gen<Column> Columns(int depth) => depth == 1
        ? Leaf
        : Gen.OneOf(Leaf, Gen.Select(Word, Columns(depth - 1)).Array[0, 3].Select(nested => new Column { Kind = ColumnKind.Object, Properties = Dictionary(nested) }));

    static ImmutableSortedDictionary<string, T> Dictionary<T>(IEnumerable<(string Name, T Value)> named) =>
        named.GroupBy(one => one.Name).ToImmutableSortedDictionary(group => group.Key, group => group.First().Value, Utf8Order.Instance);

    // Aggregate and event types hold no control characters; field names may.
    static string Legal(string word) => word is "\u007f" or "\u0001" ? "control" : word;

    static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);

    static string Minified(string json) => Encoding.UTF8.GetString(Schemata.Payload(json).Text.Span);
}
