using System.Buffers;
using System.Text;
using EventDbx.Schemas;

namespace EventDbx.Tests.Schemas;

/// <summary>Changes of schemas as values: written and read again, applied, and refused.</summary>
public sealed class SchemaEditTests
{
    static readonly Timestamp Now = new(1_000);

    static readonly AggregateSchema Order = SchemaEdit.Apply(
        SchemaBook.Empty, "order", [SchemaEdit.Create(["placed", "paid"], 10), SchemaEdit.SetColumn("total", Type("integer"))], new(1))!;

    static readonly SchemaEdit[] Every =
    [
        SchemaEdit.Create(["a", "b \" c"], 7), SchemaEdit.Create(["a"], null), SchemaEdit.Replace(Order), SchemaEdit.Drop(),
        SchemaEdit.AddEvents(["x"]), SchemaEdit.RemoveEvent("paid"), SchemaEdit.Annotate("paid", "by card"), SchemaEdit.Annotate("paid", null),
        SchemaEdit.SetSnapshotThreshold(3), SchemaEdit.SetSnapshotThreshold(null), SchemaEdit.SetLocked(true), SchemaEdit.SetFieldLocked("f", true),
        SchemaEdit.SetHidden(true), SchemaEdit.SetFieldHidden("f", true), SchemaEdit.SetColumn("f", Type("decimal(12,2)")), SchemaEdit.RemoveColumn("total"),
        Rules("""{"required":true,"range":{"min":"1","max":null}}"""), Rules("""{"properties":{}}"""), Rules("{}"), SchemaEdit.ClearRules("total"),
        SchemaEdit.AddFields("paid", ["total", "by"]), SchemaEdit.RemoveFields("paid", ["by"]),
    ];

    static Column Type(string name) => Column.OfType(name)!;

    static SchemaEdit Rules(string json) => SchemaEdit.SetRules("total", SchemaJson.ReadRules(Encoding.UTF8.GetBytes(json), out var hasProperties), hasProperties);

    static string Json(params IReadOnlyList<SchemaEdit> edits)
    {
        var output = new ArrayBufferWriter<byte>();
        SchemaEditJson.Write(output, edits);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }

    static IReadOnlyList<SchemaEdit> Read(string json) => SchemaEditJson.Read(Encoding.UTF8.GetBytes(json));

    static AggregateSchema? Apply(params IReadOnlyList<SchemaEdit> edits) => SchemaEdit.Apply(SchemaBook.Of([Order]), "order", edits, Now);

    static Refusal RefusalOf(Action act) => Assert.Throws<RefusedException>(act).Refusal;

    [Fact]
    public void Every_change_is_read_as_it_was_written_and_does_the_same()
    {
        Assert.Equal(SchemaEditJson.Names.Order(), Every.Select(edit => Json(edit).Split('"')[3]).Distinct().Order());
        foreach (var edit in Every)
        {
            var read = Read(Json(edit));
            Assert.Equal(Json(edit), Json(read));
            // A change on its own is read as an array of one is.
            Assert.Equal(Json(edit), Json(Read(Json(edit)[1..^1])));
            AggregateSchema? Done(IReadOnlyList<SchemaEdit> edits) =>
                SchemaEdit.Apply(Json(edit).Contains("\"create\"", StringComparison.Ordinal) ? SchemaBook.Empty : SchemaBook.Of([Order]), "order", edits, Now);
            Assert.Equal(Done([edit]), Done(read));
        }
    }

    [Theory]
    [InlineData("""{"change":"add_events","events":["shipped"]}""", "events.shipped")]
    [InlineData("""{"change":"remove_event","event":"paid"}""", "events.paid")]
    [InlineData("""{"change":"annotate","event":"paid","notes":"by card"}""", "events.paid")]
    [InlineData("""{"change":"set_snapshot_threshold","snapshot_threshold":null}""", "snapshot_threshold")]
    [InlineData("""{"change":"set_locked","locked":true}""", "locked")]
    [InlineData("""{"change":"set_field_locked","field":"total","locked":true}""", "field_locks")]
    [InlineData("""{"change":"set_hidden","hidden":true}""", "hidden")]
    [InlineData("""{"change":"set_field_hidden","field":"total","hidden":true}""", "hidden_fields")]
    [InlineData("""{"change":"set_column","field":"email","type":"text"}""", "column_types.email")]
    [InlineData("""{"change":"remove_column","field":"total"}""", "column_types.total")]
    [InlineData("""{"change":"set_rules","field":"total","rules":{"required":true}}""", "column_types.total")]
    [InlineData("""{"change":"add_fields","event":"paid","fields":["total"]}""", "events.paid")]
    [InlineData("""{"snapshot_threshold":5}""", "snapshot_threshold")]
    [InlineData("""{"locked":true}""", "locked")]
    [InlineData("""{"field_lock":{"field":"total","lock":true}}""", "field_locks")]
    [InlineData("""{"add_fields":{"sent":["by"]},"remove_fields":{"none":["by"]}}""", "events.sent")]
    [InlineData("{}", null)]
    [InlineData("[]", null)]
    [InlineData("""{"change":"remove_fields","event":"none","fields":["x"]}""", null)]
    public void A_change_changes_what_it_says_and_nothing_else(string json, string? path)
    {
        var after = Apply(Read(json))!;

        Assert.Equal(path is null ? [] : [path], SchemaDiff.Between(Order, after).Select(difference => difference.Path));
        Assert.Equal(path is null ? Order.UpdatedAt : Now, after.UpdatedAt);
        Assert.Equal(Order.CreatedAt, after.CreatedAt);
    }

    [Theory]
    [InlineData("""{"change":"ad_events","events":["a"]}""", RefusalCode.InvalidSchema, "did you mean `add_events`")]
    [InlineData("""{"change":"add_events"}""", RefusalCode.InvalidSchema, "`events` is missing")]
    [InlineData("""{"change":"add_events","evens":["a"]}""", RefusalCode.UnknownMember, "did you mean `events`")]
    [InlineData("""{"change":"add_events","events":["a"],"event":"a"}""", RefusalCode.UnknownMember, "`event`")]
    [InlineData("""{"change":"add_events","events":"a"}""", RefusalCode.InvalidSchema, "$.events")]
    [InlineData("""[{"change":"drop"},{"change":"set_locked","locked":1}]""", RefusalCode.InvalidSchema, "$[1].locked")]
    [InlineData("""[{"locked":true}]""", RefusalCode.InvalidSchema, "`change` is missing")]
    [InlineData("""{"loked":true}""", RefusalCode.UnknownMember, "did you mean `locked`")]
    [InlineData("""{"field_lock":{"field":"a"}}""", RefusalCode.InvalidSchema, "`lock` is missing")]
    [InlineData("""{"locked":true,"locked":false}""", RefusalCode.InvalidSchema, "twice")]
    [InlineData("""{"change":"set_column","field":"f","type":"txt"}""", RefusalCode.InvalidSchema, "did you mean `text`")]
    [InlineData("""{"change":"set_rules","field":"f","rules":{"type":"text"}}""", RefusalCode.InvalidSchema, "`type`")]
    [InlineData("7", RefusalCode.InvalidSchema, "a change")]
    [InlineData("", RefusalCode.InvalidSchema, "not JSON")]
    public void What_is_no_change_is_refused_with_its_place(string json, RefusalCode code, string says)
    {
        var refusal = RefusalOf(() => Read(json));

        Assert.Equal(code, refusal.Code);
        Assert.Contains(says, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void More_changes_at_once_than_there_may_be_are_refused()
    {
        var one = """{"change":"set_locked","locked":true},""";
        Assert.Equal(Limits.SchemaEditsMax, Read($"[{string.Concat(Enumerable.Repeat(one, Limits.SchemaEditsMax))[..^1]}]").Count);
        Assert.Equal(RefusalCode.LimitExceeded, RefusalOf(() => Read($"[{string.Concat(Enumerable.Repeat(one, Limits.SchemaEditsMax + 1))[..^1]}]")).Code);
    }

    [Fact]
    public void Changes_follow_each_other_and_one_that_does_not_apply_is_a_refusal_of_all()
    {
        Assert.Equal(["placed", "sent"], Apply(SchemaEdit.RemoveEvent("paid"), SchemaEdit.AddEvents(["sent"]))!.Events.Keys);
        Assert.Equal(RefusalCode.SchemaViolation, RefusalOf(() => Apply(SchemaEdit.AddEvents(["sent"]), SchemaEdit.RemoveEvent("none"))).Code);
        Assert.Equal(RefusalCode.AlreadyExists, RefusalOf(() => Apply(SchemaEdit.Create(["a"], null))).Code);
        Assert.Equal(["a"], Apply(SchemaEdit.Drop(), SchemaEdit.Create(["a"], null))!.Events.Keys);
        Assert.Equal(RefusalCode.NotFound, RefusalOf(() => Apply(SchemaEdit.Drop(), SchemaEdit.AddEvents(["a"]))).Code);
        Assert.Null(Apply(SchemaEdit.Drop()));
        Assert.Equal(RefusalCode.NotFound, RefusalOf(() => SchemaEdit.Apply(SchemaBook.Empty, "order", [SchemaEdit.SetLocked(true)], Now)).Code);
        Assert.Equal(RefusalCode.NotFound, RefusalOf(() => SchemaEdit.Apply(SchemaBook.Empty, "order", [], Now)).Code);
    }

    [Fact]
    public void A_schema_that_replaces_another_keeps_its_age_and_one_that_says_the_same_changes_nothing()
    {
        var declared = SchemaJson.ReadDeclaredSchema("""{"aggregate":"order","events":{"sent":{}}}"""u8, new(5));

        var replaced = Apply(SchemaEdit.Replace(declared))!;

        Assert.Equal((Order.CreatedAt, Now), (replaced.CreatedAt, replaced.UpdatedAt));
        Assert.Equal((Now, Now), SchemaEdit.Apply(SchemaBook.Empty, "order", [SchemaEdit.Replace(declared)], Now) is { } made ? (made.CreatedAt, made.UpdatedAt) : default);
        Assert.Same(Order, Apply(SchemaEdit.Replace(Order with { UpdatedAt = new(99) })));
    }

    [Fact]
    public void Differences_tell_what_was_there_and_what_is()
    {
        var after = Apply(SchemaEdit.SetColumn("total", Type("text")), SchemaEdit.RemoveEvent("paid"), SchemaEdit.AddFields("a b", ["x"]))!;

        Assert.Equal(
            [
                new("column_types.total", "\"integer\"", "\"text\""),
                new("events[\"a b\"]", null, """{"fields":["x"]}"""),
                new("events.paid", """{"fields":[]}""", null),
            ],
            SchemaDiff.Between(Order, after));
        Assert.Equal(["snapshot_threshold", "column_types.total", "events.paid", "events.placed"], SchemaDiff.Between(null, Order).Select(difference => difference.Path));
        Assert.Empty(SchemaDiff.Between(Order, Order with { UpdatedAt = Now }));
    }
}
