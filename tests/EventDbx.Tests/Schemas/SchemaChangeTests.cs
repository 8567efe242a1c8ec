using EventDbx.Schemas;

namespace EventDbx.Tests.Schemas;

/// <summary>Changes of schemas: what each does, what each refuses, and that nothing is done by halves.</summary>
public sealed class SchemaChangeTests
{
    static readonly Timestamp Now = Schemata.Now, Later = Schemata.Later;

    static readonly AggregateSchema Order = SchemaChange.Create(SchemaBook.Empty, "order", ["paid", "created", "paid"], 10, Now);

    [Fact]
    public void A_schema_is_created_with_its_events()
    {
        Assert.Equal(
            """{"aggregate":"order","snapshot_threshold":10,"locked":false,"field_locks":[],"hidden":false,"hidden_fields":[],"column_types":{},"events":{"created":{"fields":[]},"paid":{"fields":[]}},"created_at":"2025-10-20T08:00:00Z","updated_at":"2025-10-20T08:00:00Z"}""",
            SchemaJson.Text(Order));
        Assert.Equal(RefusalCode.AlreadyExists, Schemata.RefusalOf(() => SchemaChange.Create(SchemaBook.Empty.With(Order), "order", ["a"], null, Now)).Code);
        foreach (var (name, events) in new (string, string[])[] { ("", ["a"]), ("  ", ["a"]), ("order", []), ("order", ["a", " "]), ("a\u001f", ["a"]), (new('a', 257), ["a"]), ("..", ["a"]) })
            Assert.Equal(RefusalCode.InvalidSchema, Schemata.RefusalOf(() => SchemaChange.Create(SchemaBook.Empty, name, events, null, Now)).Code);
    }

    [Fact]
    public void Every_change_sets_the_time_and_a_change_that_changes_nothing_changes_nothing()
    {
        var text = Column.OfType("text")!;
        var rules = SchemaJson.ReadRules("""{"required":true}"""u8, out _);
        Func<AggregateSchema, Timestamp, AggregateSchema>[] changes =
        [
            (schema, now) => SchemaChange.AddEvents(schema, ["shipped", "paid"], now),
            (schema, now) => SchemaChange.RemoveEvent(schema, "created", now),
            (schema, now) => SchemaChange.Annotate(schema, "paid", "by card", now),
            (schema, now) => SchemaChange.SetSnapshotThreshold(schema, null, now),
            (schema, now) => SchemaChange.SetLocked(schema, true, now),
            (schema, now) => SchemaChange.SetFieldLocked(schema, "tenant", true, now),
            (schema, now) => SchemaChange.SetHidden(schema, true, now),
            (schema, now) => SchemaChange.SetFieldHidden(schema, "card", true, now),
            (schema, now) => SchemaChange.SetColumn(schema, "total", text, now),
            (schema, now) => SchemaChange.SetRules(schema, "total", rules, true, now),
            (schema, now) => SchemaChange.ClearRules(schema, "total", now),
            (schema, now) => SchemaChange.RemoveColumn(schema, "total", now),
            (schema, now) => SchemaChange.AddFields(schema, "refunded", ["b", "a", "b"], now),
            (schema, now) => SchemaChange.RemoveFields(schema, "refunded", ["b", "z"], now),
            (schema, now) => SchemaChange.SetFieldLocked(schema, "tenant", false, now),
            (schema, now) => SchemaChange.SetFieldHidden(schema, "card", false, now),
            (schema, now) => SchemaChange.Annotate(schema, "paid", null, now),
            (schema, now) => SchemaChange.Replace(schema, Order with { CreatedAt = Later }, now),
        ];

        var schema = Order;
        foreach (var change in changes)
        {
            var next = change(schema with { UpdatedAt = Now }, Later);
            Assert.NotEqual(SchemaJson.Text(schema with { UpdatedAt = Now }), SchemaJson.Text(next with { UpdatedAt = Now }));
            Assert.Equal((Later, Now), (next.UpdatedAt, next.CreatedAt));
            // Removing an event twice is the one change that cannot be asked for twice.
            if (next.Events.ContainsKey("created") || change == changes[^1])
                Assert.Same(next, change(next, Schemata.Time("2026-01-01T00:00:00Z")));
            schema = next;
        }

        Assert.True(schema.SaysTheSameAs(Order));
    }

    [Fact]
    public void An_event_is_removed_only_when_it_is_there_and_not_the_last()
    {
        Assert.Equal(RefusalCode.SchemaViolation, Schemata.RefusalOf(() => SchemaChange.RemoveEvent(Order, "piad", Now)).Code);
        var last = SchemaChange.RemoveEvent(Order, "created", Later);
        Assert.Contains("at least one", Schemata.RefusalOf(() => SchemaChange.RemoveEvent(last, "paid", Now)).Message, StringComparison.Ordinal);
        Assert.Contains("`paid`", Schemata.RefusalOf(() => SchemaChange.Annotate(Order, "piad", "note", Now)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Setting_a_type_drops_the_rules_and_rules_without_properties_keep_them()
    {
        var schema = SchemaChange.SetColumn(Order, "contact", Column.OfType("object")!, Now);
        schema = Rules(schema, "contact", """{"properties":{"email":"text"}}""");
        schema = Rules(schema, "contact", """{"required":true}""");
        Assert.Equal("""{"type":"object","required":true,"properties":{"email":"text"}}""", SchemaJson.Text(schema.ColumnTypes["contact"]));

        Assert.Equal("""{"type":"object","required":true}""", SchemaJson.Text(Rules(schema, "contact", """{"required":true,"properties":{}}""").ColumnTypes["contact"]));
        Assert.Equal("\"object\"", SchemaJson.Text(SchemaChange.ClearRules(schema, "contact", Now).ColumnTypes["contact"]));
        Assert.Equal("\"text\"", SchemaJson.Text(SchemaChange.SetColumn(schema, "contact", new() { Kind = ColumnKind.Text, Required = true }, Now).ColumnTypes["contact"]));
    }

    [Fact]
    public void Rules_need_a_type_and_have_to_apply_to_it()
    {
        var schema = SchemaChange.SetColumn(Order, "total", Column.OfType("integer")!, Now);
        Assert.Contains("`total`", Schemata.RefusalOf(() => Rules(schema, "totl", """{"required":true}""")).Message, StringComparison.Ordinal);
        Assert.Contains("$.order.column_types.total.contains", Schemata.RefusalOf(() => Rules(schema, "total", """{"contains":["a"]}""")).Message, StringComparison.Ordinal);
        Assert.Contains("`type`", Schemata.RefusalOf(() => Rules(schema, "total", """{"type":"text"}""")).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_column_that_another_has_to_match_stays()
    {
        var text = Column.OfType("text")!;
        var schema = SchemaChange.SetColumn(SchemaChange.SetColumn(Order, "a", text, Now), "b", text, Now);
        schema = Rules(schema, "b", """{"must_match":"a"}""");

        Assert.Contains("$.order.column_types.b.must_match", Schemata.RefusalOf(() => SchemaChange.RemoveColumn(schema, "a", Now)).Message, StringComparison.Ordinal);
        Assert.Contains("of type integer", Schemata.RefusalOf(() => SchemaChange.SetColumn(schema, "a", Column.OfType("int")!, Now)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Blank_names_are_refused_everywhere()
    {
        Action[] changes =
        [
            () => SchemaChange.SetFieldLocked(Order, " ", true, Now), () => SchemaChange.SetFieldLocked(Order, "", false, Now),
            () => SchemaChange.SetFieldHidden(Order, "", true, Now), () => SchemaChange.SetColumn(Order, "\t", Column.OfType("text")!, Now),
            () => SchemaChange.RemoveColumn(Order, "", Now), () => SchemaChange.AddFields(Order, "paid", ["a", ""], Now),
            () => SchemaChange.AddFields(Order, " ", [], Now), () => SchemaChange.AddEvents(Order, ["a", ""], Now),
        ];
        Assert.All(changes, change => Assert.Equal(RefusalCode.InvalidSchema, Schemata.RefusalOf(change).Code));
        Assert.Same(Order, SchemaChange.RemoveFields(Order, "unknown", ["a"], Now));
    }

    [Fact]
    public void An_empty_list_of_fields_makes_the_event() =>
        Assert.Empty(SchemaChange.AddFields(Order, "new", [], Now).Events["new"].Fields);

    [Fact]
    public void A_schema_is_not_replaced_by_that_of_another_type_nor_by_a_broken_one()
    {
        Assert.Equal(RefusalCode.InvalidSchema, Schemata.RefusalOf(() => SchemaChange.Replace(Order, Order with { Aggregate = "other" }, Now)).Code);
        Assert.Equal(RefusalCode.InvalidSchema, Schemata.RefusalOf(() => SchemaChange.Replace(Order, Order with { Events = Order.Events.Clear() }, Now)).Code);
        Assert.Same(Order, SchemaChange.Replace(Order, Order with { CreatedAt = Later, UpdatedAt = Later }, Later));
    }

    [Fact]
    public void A_book_counts_its_changes_and_leaves_older_books_as_they_were()
    {
        var one = SchemaBook.Empty.With(Order);
        var two = one.With(Order with { Aggregate = "a" });

        Assert.Equal((0UL, 1UL, 2UL), (SchemaBook.Empty.Revision, one.Revision, two.Revision));
        Assert.Equal(["a", "order"], two.All.Select(schema => schema.Aggregate));
        Assert.Same(two, two.With(SchemaJson.ReadSchema(Encoding.UTF8.GetBytes(SchemaJson.Text(Order)))));
        Assert.Same(two, two.Without("b"));
        Assert.Equal((3UL, 1), (two.Without("a").Revision, two.Without("a").Count));
        Assert.NotNull(two.Find("a"));
        Assert.Null(two.Without("a").Find("a"));
        Assert.Null(one.Find("a"));
        Assert.Equal(["a", "order"], SchemaBook.Parse(two.Write(), 9).All.Select(schema => schema.Aggregate));

        var missing = Schemata.RefusalOf(() => two.Get("odrer"));
        Assert.Equal(RefusalCode.NotFound, missing.Code);
        Assert.Contains("`order`", missing.Message, StringComparison.Ordinal);
        Assert.Equal(RefusalCode.InvalidSchema, Schemata.RefusalOf(() => two.With(Order with { Aggregate = "" })).Code);
    }

    static AggregateSchema Rules(AggregateSchema schema, string field, string json)
    {
        var rules = SchemaJson.ReadRules(Encoding.UTF8.GetBytes(json), out var hasProperties);
        return SchemaChange.SetRules(schema, field, rules, keepProperties: !hasProperties, Now);
    }
}
