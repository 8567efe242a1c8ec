using System.Text.Json;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.GraphQL;

/// <summary>What GraphQL answers is what REST answers.</summary>
public sealed class AnswerTests(RestServer server) : IClassFixture<RestServer>
{
    const string EventFields = "{ aggregate_type aggregate_id event_type payload metadata { event_id created_at issued_by { group user } note } version hash merkle_root position }";

    [Fact]
    public async Task An_append_and_every_read_show_member_for_member_what_rest_shows()
    {
        var appended = (await server.QueryAsync(
            $"mutation($input: AppendEventInput!) {{ appendEvent(input: $input) {EventFields} }}",
            """{"input":{"aggregate_type":"order","aggregate_id":"same","event_type":"placed","payload":{"b":1.50,"a":[123456789012345678901234567890,-0.0,1e400],"t":"\u0041"},"note":"by phone","event_id":"01890a5d-ac96-774b-bcce-b302099a8011","expected_version":0}}""")).Data();

        var rest = (await server.GetAsync("/v1/aggregates/order/same/events/1")).Body;
        Assert.Equal(rest, appended.GetProperty("appendEvent").GetRawText());
        Assert.Contains("""{"b":1.50,"a":[123456789012345678901234567890,-0.0,1e400],"t":"\u0041"}""", rest, StringComparison.Ordinal);
        var read = (await server.QueryAsync($$"""
            { event(aggregate_type: "order", aggregate_id: "same", version: 1) {{EventFields}}
              aggregateEvents(aggregate_type: "order", aggregate_id: "same") {{EventFields}}
              aggregate(aggregate_type: "order", aggregate_id: "same") { aggregate_type aggregate_id version state merkle_root archived typed: state(typed: true) part: state(fields: ["b", "/a/0"]) }
              verifyAggregate(aggregate_type: "order", aggregate_id: "same", level: quick) { merkle_root version archived events_checked } }
            """)).Data();
        Assert.Equal(rest, read.GetProperty("event").GetRawText());
        Assert.Equal($"[{rest}]", read.GetProperty("aggregateEvents").GetRawText());
        var aggregate = read.GetProperty("aggregate");
        var (plain, typed, part) = (await server.GetAsync("/v1/aggregates/order/same"), await server.GetAsync("/v1/aggregates/order/same?typed=true"), await server.GetAsync("/v1/aggregates/order/same?fields=b,/a/0"));
        Assert.Equal(plain.Json.GetProperty("state").GetRawText(), aggregate.GetProperty("state").GetRawText());
        Assert.Equal(typed.Json.GetProperty("state").GetRawText(), aggregate.GetProperty("typed").GetRawText());
        Assert.Equal(part.Json.GetProperty("state").GetRawText(), aggregate.GetProperty("part").GetRawText());
        Assert.Equal(["aggregate_type", "aggregate_id", "version", "state", "merkle_root", "archived", "typed", "part"], aggregate.EnumerateObject().Select(member => member.Name));
        Assert.Equal((await server.GetAsync("/v1/aggregates/order/same/verify?level=quick")).Body, read.GetProperty("verifyAggregate").GetRawText());
    }

    [Theory]
    [InlineData("""{ b: 1.50, a: [123456789012345678901234567890, -0.0, 1e400], t: "A", n: null, e: {} }""", """{"b":1.50,"a":[123456789012345678901234567890,-0.0,1e400],"t":"A","n":null,"e":{}}""")]
    [InlineData("1.10", "1.10")]
    [InlineData("true", "true")]
    [InlineData("null", "null")]
    [InlineData("\"a\\\"b\\u00e9\"", "\"a\\\"bé\"")]
    public async Task A_payload_written_into_the_query_keeps_its_numbers(string literal, string stored)
    {
        var id = Guid.NewGuid().ToString();
        var answer = (await server.QueryAsync($$"""mutation { appendEvent(input: { aggregate_type: "literal", aggregate_id: "{{id}}", event_type: "e", payload: {{literal}} }) { payload version } }""")).Data();
        Assert.Equal($$"""{"payload":{{stored}},"version":1}""", answer.GetProperty("appendEvent").GetRawText());
        Assert.Equal(stored, (await server.GetAsync($"/v1/aggregates/literal/{id}/events/1")).Json.GetProperty("payload").GetRawText());
    }

    [Theory]
    [InlineData("{ a: $x }")]
    [InlineData("{ a: NAME }")]
    [InlineData("\"\\ud800\"")]
    public async Task What_is_no_json_is_no_payload(string literal)
    {
        var reply = await server.QueryAsync($$"""mutation { appendEvent(input: { aggregate_type: "literal", aggregate_id: "no", event_type: "e", payload: {{literal}} }) { version } }""");
        Assert.Equal("invalid_argument", reply.Json.GetProperty("errors")[0].GetProperty("extensions").GetProperty("code").GetString());
        Assert.Equal(404, (await server.GetAsync("/v1/aggregates/literal/no")).Status);
    }

    [Fact]
    public async Task A_bare_variable_of_a_payload_keeps_its_literal()
    {
        var answer = (await server.QueryAsync(
            """mutation($p: JSON, $v: Long) { appendEvent(input: { aggregate_type: "literal", aggregate_id: "bare", event_type: "e", payload: $p, expected_version: $v }) { payload } }""", """{"p":1.50,"v":0}""")).Data();
        Assert.Equal("1.50", answer.GetProperty("appendEvent").GetProperty("payload").GetRawText());
    }

    [Fact]
    public async Task Payload_and_patch_are_told_apart_as_rest_tells_them_apart()
    {
        const string Append = "mutation($input: AppendEventInput!) { appendEvent(input: $input) { payload version } }";
        static string Input(string rest) => $$$"""{"input":{"aggregate_type":"patched","aggregate_id":"1","event_type":"e"{{{rest}}}}}""";
        (await server.QueryAsync(Append, Input(""","payload":{"a":{"b":1}}"""))).Data();

        Assert.Equal("""{"a":{"b":1,"c":2.0}}""", (await server.QueryAsync(Append, Input(""","payload":null,"patch":[{"op":"add","path":"/a/c","value":2.0}]"""))).Data().GetProperty("appendEvent").GetProperty("payload").GetRawText());
        Assert.Equal("null", (await server.QueryAsync(Append, Input(""","payload":null"""))).Data().GetProperty("appendEvent").GetProperty("payload").GetRawText());
        Assert.Equal("invalid_payload", (await server.QueryAsync(Append, Input(""))).ErrorCode());
        Assert.Equal("invalid_payload", (await server.QueryAsync(Append, Input(""","patch":null"""))).ErrorCode());
        Assert.Equal("invalid_patch", (await server.QueryAsync(Append, Input(""","patch":[{"op":"remove","path":"/a"}]"""))).ErrorCode());
        var both = await server.QueryAsync(Append, Input(""","payload":{},"patch":[]"""));
        var restSays = await server.PostAsync("/v1/events", """{"aggregate_type":"patched","aggregate_id":"1","event_type":"e","payload":{},"patch":[]}""");
        Assert.Equal((restSays.Code, restSays.Json.GetProperty("message").GetString()), (both.ErrorCode(), both.Json.GetProperty("errors")[0].GetProperty("message").GetString()));
    }

    [Fact]
    public async Task A_batch_is_all_or_nothing_and_says_which_were_known()
    {
        const string Append = "mutation($input: [AppendEventInput!]!) { appendEvents(input: $input) { known events { version payload } } }";
        const string One = """{"aggregate_type":"batch","aggregate_id":"1","event_type":"e","payload":{"n":1},"event_id":"01890a5d-ac96-774b-bcce-b302099a8021"}""";
        (await server.QueryAsync(Append, $$"""{"input":[{{One}}]}""")).Data();
        var known = (await server.QueryAsync(Append, $$$"""{"input":[{"aggregate_type":"batch","aggregate_id":"1","event_type":"e","payload":{"n":2}},{{{One}}}]}""")).Data().GetProperty("appendEvents");
        Assert.Equal("""{"known":[1],"events":[{"version":2,"payload":{"n":2}},{"version":1,"payload":{"n":1}}]}""", known.GetRawText());

        var refused = await server.QueryAsync(Append, """{"input":[{"aggregate_type":"batch","aggregate_id":"2","event_type":"e","payload":{}},{"aggregate_type":"batch","aggregate_id":"..","event_type":"e","payload":{}}]}""");
        Assert.Equal("invalid_name", refused.ErrorCode());
        Assert.Equal(1, refused.Json.GetProperty("errors")[0].GetProperty("extensions").GetProperty("operation").GetInt32());
        Assert.Equal(404, (await server.GetAsync("/v1/aggregates/batch/2")).Status);
    }

    [Fact]
    public async Task Pages_go_on_by_cursor_on_every_list()
    {
        for (var i = 0; i < 5; i++)
        {
            await server.AppendAsync("paged", $"p-{i}", "e", """{"n":1}""");
            await server.AppendAsync("paged", "long", "e", $$"""{"n":{{i}}}""");
            await server.SendAsync("POST", "/v1/aggregates/paged/long/snapshots");
        }

        async Task<List<string>> WalkAsync(string page, string item)
        {
            List<string> seen = [];
            for (string? cursor = null; ;)
            {
                var data = (await server.QueryAsync("query($c: String) { p: " + page.Replace(")", ", take: 2, cursor: $c)", StringComparison.Ordinal) + " { items { " + item + " } next_cursor } }", JsonSerializer.Serialize(new Dictionary<string, string?> { ["c"] = cursor }))).Data().GetProperty("p");
                seen.AddRange(data.GetProperty("items").EnumerateArray().Select(one => one.GetProperty(item).GetRawText()));
                if ((cursor = data.GetProperty("next_cursor").GetString()) is null)
                    return seen;
            }
        }

        Assert.Equal(["\"long\"", "\"p-0\"", "\"p-1\"", "\"p-2\"", "\"p-3\"", "\"p-4\""], await WalkAsync("aggregatesPage(type: \"paged\")", "aggregate_id"));
        Assert.Equal(["1", "2", "3", "4", "5"], await WalkAsync("aggregateEventsPage(aggregate_type: \"paged\", aggregate_id: \"long\")", "version"));
        Assert.Equal(["1", "2", "3", "4", "5"], await WalkAsync("snapshots(aggregate_type: \"paged\", aggregate_id: \"long\")", "version"));
        var rest = (await server.GetAsync("/v1/aggregates?type=paged&skip=1&take=2")).Body;
        Assert.Equal(rest, (await server.QueryAsync("""{ aggregates(type: "paged", skip: 1, take: 2) { aggregate_type aggregate_id version state merkle_root archived } }""")).Data().GetProperty("aggregates").GetRawText());
        Assert.Equal("invalid_argument", (await server.QueryAsync("""{ aggregates(skip: 1, cursor: "AQ") { version } }""")).ErrorCode());
        Assert.Equal("invalid_argument", (await server.QueryAsync("{ aggregates(take: -1) { version } }")).ErrorCode());
        Assert.Equal(0, (await server.QueryAsync("{ aggregates(take: 0) { version } }")).Data().GetProperty("aggregates").GetArrayLength());
    }

    [Fact]
    public async Task Earlier_versions_and_times_are_shown_and_one_of_them_is_asked_for()
    {
        var first = (await server.AppendAsync("timed", "1", "e", """{"n":1}""")).Json.GetProperty("metadata").GetProperty("created_at").GetString();
        server.Clock.Advance(TimeSpan.FromSeconds(1));
        await server.AppendAsync("timed", "1", "e", """{"n":2}""");
        var read = (await server.QueryAsync($$"""
            { a: aggregate(aggregate_type: "timed", aggregate_id: "1", version: 1) { version state }
              b: aggregate(aggregate_type: "timed", aggregate_id: "1", at: "{{first}}") { version state }
              c: aggregate(aggregate_type: "timed", aggregate_id: "1", version: 99) { version state }
              d: aggregate(aggregate_type: "timed", aggregate_id: "none") { version } }
            """)).Data();
        Assert.Equal("""{"a":{"version":1,"state":{"n":"1"}},"b":{"version":1,"state":{"n":"1"}},"c":{"version":2,"state":{"n":"2"}},"d":null}""", read.GetRawText());
        Assert.Equal("invalid_argument", (await server.QueryAsync($$"""{ aggregate(aggregate_type: "timed", aggregate_id: "1", version: 1, at: "{{first}}") { version } }""")).ErrorCode());
        Assert.Equal("invalid_argument", (await server.QueryAsync("""{ aggregate(aggregate_type: "timed", aggregate_id: "1", at: "yesterday") { version } }""")).ErrorCode());
    }

    [Fact]
    public async Task The_life_of_an_aggregate_runs_in_the_order_of_the_fields()
    {
        const string Name = """aggregate_type: "life", aggregate_id: "1" """;
        var lived = (await server.QueryAsync($$"""
            mutation {
              made: createAggregate({{Name}}, comment: "reserved") { version archived }
              one: appendEvent(input: { {{Name}}, event_type: "e", payload: { n: 1 } }) { version }
              kept: createSnapshot({{Name}}, comment: "kept") { version state comment created_at }
              away: archiveAggregate({{Name}}) { archived version }
              back: restoreAggregate({{Name}}) { archived }
              empty: createAggregate(aggregate_type: "life", aggregate_id: "2") { version }
              gone: removeAggregate(aggregate_type: "life", aggregate_id: "2")
            }
            """)).Data();
        Assert.Equal("""{"version":0,"archived":false}""", lived.GetProperty("made").GetRawText());
        Assert.Equal("""{"n":"1"}""", lived.GetProperty("kept").GetProperty("state").GetRawText());
        Assert.True(lived.GetProperty("away").GetProperty("archived").GetBoolean());
        Assert.False(lived.GetProperty("back").GetProperty("archived").GetBoolean());
        Assert.True(lived.GetProperty("gone").GetBoolean());
        var origin = server.Owner.ReadAudit(0, 1000, new() { Subject = "life/1" }).Items.Select(item => item.From).Distinct();
        Assert.Equal(["graphql 127.0.0.1"], origin);
    }

    [Fact]
    public async Task A_field_that_fails_says_what_rest_says_and_the_others_are_answered()
    {
        await server.AppendAsync("failing", "1", "e", "{}");
        var reply = await server.QueryAsync("""
            { ok: aggregate(aggregate_type: "failing", aggregate_id: "1") { version }
              gone: aggregateEvents(aggregate_type: "failing", aggregate_id: "none") { version } }
            """);
        // Not null by its type, so all of data is.
        Assert.Equal("not_found", reply.ErrorCode());
        Assert.Equal(JsonValueKind.Null, reply.Json.GetProperty("data").ValueKind);
        var error = reply.Json.GetProperty("errors")[0];
        Assert.Equal((await server.GetAsync("/v1/aggregates/failing/none/events")).Json.GetProperty("message").GetString(), error.GetProperty("message").GetString());
        Assert.Equal("""["gone"]""", error.GetProperty("path").GetRawText());
        Assert.Equal("""[{"line":2,"column":3}]""", error.GetProperty("locations").GetRawText());

        var conflict = await server.QueryAsync("""mutation { appendEvent(input: { aggregate_type: "failing", aggregate_id: "1", event_type: "e", payload: 1, expected_version: 7 }) { version } }""");
        Assert.Equal("version_conflict", conflict.ErrorCode());
        Assert.Equal(1, conflict.Json.GetProperty("errors")[0].GetProperty("extensions").GetProperty("actual_version").GetInt32());
    }

    [Fact]
    public async Task What_a_token_may_do_is_asked_for_each_field()
    {
        await server.AppendAsync("mine", "1", "e", "{}");
        await server.AppendAsync("yours", "1", "e", "{}");
        var mine = await server.TokenForAsync("aggregate.read", "aggregate:mine:*");

        var list = (await server.QueryAsync("{ aggregates { aggregate_type } }", token: mine)).Data();
        Assert.Equal("""[{"aggregate_type":"mine"}]""", list.GetProperty("aggregates").GetRawText());
        Assert.Equal("permission_denied", (await server.QueryAsync("""{ aggregate(aggregate_type: "yours", aggregate_id: "1") { version } }""", token: mine)).ErrorCode());
        Assert.Equal("permission_denied", (await server.QueryAsync("""mutation { appendEvent(input: { aggregate_type: "mine", aggregate_id: "1", event_type: "e", payload: 1 }) { version } }""", token: mine)).ErrorCode());
        Assert.Equal("permission_denied", (await server.QueryAsync("""mutation { archiveAggregate(aggregate_type: "mine", aggregate_id: "1") { version } }""", token: mine)).ErrorCode());
        Assert.Equal((401, "unauthenticated"), ((await server.QueryAsync("{ __typename }", token: null)).Status, (await server.QueryAsync("{ __typename }", token: null)).Code));
    }
}
