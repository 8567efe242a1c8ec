using EventDbx.Schemas;
using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Merging;

/// <summary>Schemas are taken over whole: everything that they say counts, and when they were made does not.</summary>
public sealed class MergeSchemaTests
{
    static string Schema(string type, string more = "", string time = "2026-01-01T00:00:00Z") =>
        $$"""
        "{{type}}":{"aggregate":"{{type}}","snapshot_threshold":null,"locked":false,"field_locks":[],"hidden":false,"hidden_fields":[],"column_types":{},"events":{"placed":{"fields":[]}{{more}}},"created_at":"{{time}}","updated_at":"{{time}}"}
        """;

    static byte[] Json(params string[] schemas) => Encoding.UTF8.GetBytes($"{{{string.Join(',', schemas)}}}");

    [Fact]
    public async Task Types_that_are_named_are_set_and_others_stay_unless_all_is_replaced()
    {
        using var store = new TestStore();
        await using (var database = store.Open())
        {
            var session = database.OpenSession();
            Assert.Equal(2, await session.MergeSchemasAsync(Json(Schema("a"), Schema("b")), replace: false, default));
            Assert.Equal(1, await session.MergeSchemasAsync(Json(Schema("b", ""","paid":{"fields":["x"]}"""), Schema("a")), replace: false, default));
            Assert.Equal(["a", "b"], session.GetSchemas().All.Select(schema => schema.Aggregate));
            Assert.Equal(2UL, (ulong)session.GetSchemas().Get("b").Events.Count);

            Assert.Equal(2, await session.MergeSchemasAsync(Json(Schema("b", ""","paid":{"fields":["x"]}"""), Schema("c")), replace: true, default));
            Assert.Equal(["b", "c"], session.GetSchemas().All.Select(schema => schema.Aggregate));
            Assert.Equal(5UL, database.LogSize);
            session.VerifyAll(null, default);
        }

        await using var again = store.Open();
        Assert.Equal(["b", "c"], again.OpenSession().GetSchemas().All.Select(schema => schema.Aggregate));
        Assert.Equal(2, await again.OpenSession().MergeSchemasAsync(ReadOnlyMemory<byte>.Empty, replace: true, default));
        Assert.Equal(0, again.OpenSession().GetSchemas().Count);
    }

    [Theory]
    [InlineData("\"hidden\":false", "\"hidden\":true")]
    [InlineData("\"hidden_fields\":[]", "\"hidden_fields\":[\"x\"]")]
    [InlineData("\"column_types\":{}", "\"column_types\":{\"x\":\"integer\"}")]
    [InlineData("\"snapshot_threshold\":null", "\"snapshot_threshold\":7")]
    [InlineData("\"locked\":false", "\"locked\":true")]
    [InlineData("\"field_locks\":[]", "\"field_locks\":[\"x\"]")]
    [InlineData("\"placed\":{\"fields\":[]}", "\"placed\":{\"fields\":[],\"notes\":\"n\"}")]
    [InlineData("\"placed\":{\"fields\":[]}", "\"placed\":{\"fields\":[\"x\"]}")]
    public async Task Whatever_they_say_otherwise_is_a_change_and_their_times_are_none(string said, string says)
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        await session.MergeSchemasAsync(Json(Schema("a")), replace: false, default);
        var end = session.FindLogEnd();

        Assert.Equal(0, await session.MergeSchemasAsync(Json(Schema("a", time: "2020-02-02T00:00:00Z")), replace: true, default));
        Assert.Equal(end, session.FindLogEnd());
        var changed = Schema("a").Replace(said, says, StringComparison.Ordinal);
        Assert.NotEqual(Schema("a"), changed);
        Assert.Equal(1, await session.MergeSchemasAsync(Json(changed), replace: false, default));
        Assert.True(SchemaJson.Read(Json(changed))["a"].SaysTheSameAs(session.GetSchemas().Get("a")));
    }

    [Fact]
    public async Task One_that_cannot_be_enforced_keeps_all_of_them_out()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        await session.MergeSchemasAsync(Json(Schema("a")), replace: false, default);
        var end = session.FindLogEnd();
        string[] bad =
        [
            Schema("c").Replace("\"column_types\":{}", "\"column_types\":{\"x\":{\"type\":\"text\",\"regex\":[\"(\"]}}", StringComparison.Ordinal),
            Schema("c").Replace("\"aggregate\":\"c\"", "\"aggregate\":\"d\"", StringComparison.Ordinal), "\"c\":7",
        ];

        foreach (var one in bad)
        {
            Assert.Equal("invalid_schema", (await Answers.RefusalOf(CallAsync(Json(Schema("b"), one)))).Name);
            Assert.Equal("invalid_schema", (await Answers.RefusalOf(CallAsync("nonsense"u8.ToArray()))).Name);
        }

        Assert.Equal(end, session.FindLogEnd());
        Assert.Equal(1, session.GetSchemas().Count);

        async Task CallAsync(byte[] json) => await session.MergeSchemasAsync(json, replace: true, default);
    }
}
