using System.Text.Json;

namespace EventDbx.Server.Tests.Rest;

/// <summary>Schemas, patches, snapshots and staging over HTTP.</summary>
public sealed class SchemaRouteTests(RestServer server) : IClassFixture<RestServer>
{
    static string Append(string type, string id, string content, string eventType = "e") =>
        $$"""{"aggregate_type":"{{type}}","aggregate_id":"{{id}}","event_type":"{{eventType}}","{{content}}}""";

    static string Batch(params string[] appends) => $$"""{"events":[{{string.Join(',', appends)}}]}""";

    [Fact]
    public async Task A_schema_is_declared_changed_shown_and_tried()
    {
        var made = await server.PostAsync("/admin/schemas", """{"aggregate":"a/b","events":["e","f"],"snapshot_threshold":5}""");
        Assert.Equal(201, made.Status);
        Assert.Equal(
            ["aggregate", "snapshot_threshold", "locked", "field_locks", "hidden", "hidden_fields", "column_types", "events", "created_at", "updated_at"],
            made.Json.EnumerateObject().Select(member => member.Name));
        Assert.Equal((409, "already_exists"), Of(await server.PostAsync("/admin/schemas", """{"aggregate":"a/b","events":["e"]}""")));

        var changed = await server.SendAsync("PATCH", "/admin/schemas/a%2Fb", """[{"change":"set_column","field":"n","type":"integer"},{"change":"set_rules","field":"n","rules":{"required":true}}]""");
        Assert.Equal("""{"type":"integer","required":true}""", changed.Json.GetProperty("column_types").GetProperty("n").GetRawText());
        Assert.Equal(changed.Body, (await server.GetAsync("/admin/schemas/a%2Fb")).Body);
        Assert.Contains(changed.Body, (await server.GetAsync("/admin/schemas")).Body, StringComparison.Ordinal);
        Assert.Equal("""{"valid":true}""", (await server.PostAsync("/admin/schemas/a%2Fb/validate", """{"event_type":"e","payload":{"n":1}}""")).Body);
        var broken = await server.PostAsync("/admin/schemas/a%2Fb/validate", """{"event_type":"g","payload":{"n":"x"}}""");
        Assert.Equal((400, "schema_violation"), Of(broken));
        Assert.Equal(["event_undefined", "type"], broken.Json.GetProperty("details").EnumerateArray().Select(detail => detail.GetProperty("rule").GetString()));

        var without = await server.SendAsync("DELETE", "/admin/schemas/a%2Fb/events/f");
        Assert.Equal(["e"], without.Json.GetProperty("events").EnumerateObject().Select(member => member.Name));
        Assert.Equal((400, "schema_violation"), Of(await server.SendAsync("DELETE", "/admin/schemas/a%2Fb/events/e")));
        Assert.Equal(200, (await server.SendAsync("PATCH", "/admin/schemas/a%2Fb", """{"locked":true,"add_fields":{"g":["n"]}}""")).Status);
        Assert.Equal((204, ""), ((await server.SendAsync("PATCH", "/admin/schemas/a%2Fb", """{"change":"drop"}""")) is var dropped ? (dropped.Status, dropped.Body) : default));
        Assert.Equal((404, "not_found"), Of(await server.GetAsync("/admin/schemas/a%2Fb")));
    }

    [Theory]
    [InlineData("POST", "/admin/schemas", """{"aggregate":"x","event":["e"]}""", "unknown_member")]
    [InlineData("POST", "/admin/schemas", """{"aggregate":"x"}""", "invalid_argument")]
    [InlineData("POST", "/admin/schemas", """{"aggregate":"x","events":[]}""", "invalid_schema")]
    [InlineData("POST", "/admin/schemas", """{"aggregate":"x","events":[1]}""", "invalid_argument")]
    [InlineData("POST", "/admin/schemas", """{"aggregate":"..","events":["e"]}""", "invalid_name")]
    [InlineData("PATCH", "/admin/schemas/none", """{"change":"set_locked","locked":true}""", "not_found")]
    [InlineData("PATCH", "/admin/schemas/none", """{"change":"lock"}""", "invalid_schema")]
    [InlineData("PATCH", "/admin/schemas/none", "[", "invalid_schema")]
    [InlineData("POST", "/admin/schemas/none/validate", """{"payload":{}}""", "invalid_argument")]
    [InlineData("POST", "/v1/staged", """{"aggregate_type":"x","aggregate_id":"1","event_type":"e"}""", "invalid_payload")]
    [InlineData("POST", "/v1/events", """{"aggregate_type":"x","aggregate_id":"1","event_type":"e","payload":null,"patch":[{"op":"add","path":"/a","value":1}]}""", "invalid_patch")]
    [InlineData("POST", "/v1/events", """{"aggregate_type":"x","aggregate_id":"1","event_type":"e","patch":null}""", "invalid_payload")]
    [InlineData("POST", "/v1/events", """{"aggregate_type":"x","aggregate_id":"1","event_type":"e","patch":{}}""", "invalid_patch")]
    [InlineData("POST", "/v1/events", """{"aggregate_type":"x","aggregate_id":"1","event_type":"e","patch":[{"op":"remove","path":"/a"}]}""", "invalid_patch")]
    [InlineData("DELETE", "/v1/staged/no", null, "invalid_argument")]
    [InlineData("DELETE", "/v1/staged/01890a5d-ac96-774b-bcce-b302099a8059", null, "not_found")]
    [InlineData("GET", "/v1/aggregates/x/1/snapshots", null, "not_found")]
    [InlineData("POST", "/v1/aggregates/x/1/snapshots", """{"coment":"x"}""", "unknown_member")]
    public async Task What_is_wrong_is_refused_and_leaves_nothing(string method, string target, string? body, string code)
    {
        var size = server.Host.Database.LogSize;

        var reply = await server.SendAsync(method, target, body);

        Assert.Equal((code == "not_found" ? 404 : 400, code), Of(reply));
        Assert.Equal(size, server.Host.Database.LogSize);
    }

    [Fact]
    public async Task A_patch_is_appended_alone_and_in_a_batch_and_is_known_by_its_id()
    {
        const string both = """patch":[{"op":"add","path":"/list/-","value":2}],"event_id":"01890a5d-ac96-774b-bcce-b302099a8011","payload":null""";
        await server.AppendAsync("patched", "1", "e", """{"list":[1],"text":"42"}""");
        var body = Append("patched", "1", both.Replace(""","payload":null""", "", StringComparison.Ordinal));

        var first = await server.PostAsync("/v1/events", body);
        var again = await server.PostAsync("/v1/events", body);
        var batch = await server.PostAsync("/v1/events/batch", Batch(Append("patched", "1", """patch":[{"op":"add","path":"/list/-","value":3}]"""), Append("patched", "2", """payload":{},"patch":null""")));

        Assert.Equal("""{"list":[1,2]}""", first.Json.GetProperty("payload").GetRawText());
        Assert.Equal((first.Body, "true"), (again.Body, again["Idempotent-Replayed"]));
        Assert.Equal("""{"list":[1,2,3]}""", batch.Json.GetProperty("events")[0].GetProperty("payload").GetRawText());
        Assert.Equal("""{"list":[1,2,3],"text":"42"}""", (await server.GetAsync("/v1/aggregates/patched/1?typed=true")).Json.GetProperty("state").GetRawText());
        Assert.Equal((400, "invalid_patch"), Of(await server.PostAsync("/v1/events", Append("patched", "1", both))));
    }

    [Fact]
    public async Task Every_violation_is_told_also_of_one_event_of_a_batch()
    {
        await server.PostAsync("/admin/schemas", """{"aggregate":"told","events":["e"]}""");
        await server.SendAsync("PATCH", "/admin/schemas/told", """[{"change":"set_column","field":"a","type":"integer"},{"change":"set_column","field":"b","type":"date"}]""");

        var reply = await server.PostAsync("/v1/events", Append("told", "1", """payload":{"a":"x","b":"y"}"""));
        var batch = await server.PostAsync("/v1/events/batch", Batch(Append("told", "1", """payload":{}"""), Append("told", "1", """payload":{"b":1}""")));

        Assert.Equal((400, "schema_violation"), Of(reply));
        var details = reply.Json.GetProperty("details");
        Assert.Equal(["a type", "b type"], details.EnumerateArray().Select(detail => $"{detail.GetProperty("path").GetString()} {detail.GetProperty("rule").GetString()}"));
        Assert.Contains(details[0].GetProperty("message").GetString()!, reply.Json.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal(1, batch.Json.GetProperty("operation").GetInt32());
        Assert.Equal("b", batch.Json.GetProperty("details")[0].GetProperty("path").GetString());
    }

    [Fact]
    public async Task Snapshots_are_taken_and_listed_in_pages()
    {
        await server.AppendAsync("kept", "1", "e", """{"n":1,"s":"x"}""");
        var first = await server.SendAsync("POST", "/v1/aggregates/kept/1/snapshots?typed=true&fields=n", """{"comment":"first"}""");
        await server.AppendAsync("kept", "1", "e", """{"n":2}""");
        Assert.Equal(201, (await server.SendAsync("POST", "/v1/aggregates/kept/1/snapshots")).Status);

        Assert.Equal(201, first.Status);
        Assert.Equal(["aggregate_type", "aggregate_id", "version", "state", "merkle_root", "created_at", "comment"], first.Json.EnumerateObject().Select(member => member.Name));
        Assert.Equal("""{"n":1}""", first.Json.GetProperty("state").GetRawText());
        var page = await server.GetAsync("/v1/aggregates/kept/1/snapshots?take=1");
        Assert.Equal(("1", "first"), Assert.Single(page.Json.EnumerateArray().Select(item => (item.GetProperty("state").GetProperty("n").GetString(), item.GetProperty("comment").GetString()))));
        var next = await server.GetAsync($"/v1/aggregates/kept/1/snapshots?cursor={page["X-Next-Cursor"]}");
        Assert.Equal((2, JsonValueKind.Null), Assert.Single(next.Json.EnumerateArray().Select(item => (item.GetProperty("version").GetInt32(), item.GetProperty("comment").ValueKind))));
        Assert.Null(next["X-Next-Cursor"]);
        Assert.Equal("invalid_argument", (await server.GetAsync("/v1/aggregates/kept/1/snapshots?cursor=AQ")).Code);
        await server.AppendAsync("kept", "2", "e", "{}");
        Assert.Equal("invalid_argument", (await server.GetAsync($"/v1/aggregates/kept/2/snapshots?cursor={page["X-Next-Cursor"]}")).Code);
        Assert.Equal("[]", (await server.GetAsync("/v1/aggregates/kept/1/snapshots?take=0")).Body);
    }

    [Fact]
    public async Task Events_are_staged_listed_taken_back_and_committed()
    {
        var one = await server.PostAsync("/v1/staged", Append("cart", "1", """payload":{"n":1},"note":"by phone","event_id":"01890a5d-ac96-774b-bcce-b302099a8021","expected_version":0"""));
        var two = await server.PostAsync("/v1/staged", Append("cart", "1", """patch":[{"op":"replace","path":"/n","value":2}]"""));
        await server.PostAsync("/v1/staged", Append("cart", "2", """payload":{},"event_id":"01890a5d-ac96-774b-bcce-b302099a8022""" + "\""));

        Assert.Equal(201, one.Status);
        Assert.Equal("""{"aggregate":"cart","aggregate_id":"1","event":"e","payload":{"n":1},"issued_by":{"group":"ops","user":"root"},"note":"by phone","event_id":"01890a5d-ac96-774b-bcce-b302099a8021","expected_version":0}""", one.Body);
        Assert.Equal("""[{"op":"replace","path":"/n","value":2}]""", two.Json.GetProperty("patch").GetRawText());
        Assert.Equal($"[{one.Body},{two.Body},", (await server.GetAsync("/v1/staged")).Body[..(one.Body.Length + two.Body.Length + 3)]);
        Assert.Equal("""{"unstaged":1}""", (await server.SendAsync("DELETE", "/v1/staged/01890a5d-ac96-774b-bcce-b302099a8022")).Body);

        var committed = await server.SendAsync("POST", "/v1/staged/commit");
        Assert.Equal([1, 2], committed.Json.GetProperty("events").EnumerateArray().Select(item => item.GetProperty("version").GetInt32()));
        Assert.Equal("[]", committed.Json.GetProperty("known").GetRawText());
        Assert.Equal("""{"events":[],"known":[]}""", (await server.SendAsync("POST", "/v1/staged/commit")).Body);
        Assert.Equal("""{"unstaged":0}""", (await server.SendAsync("DELETE", "/v1/staged")).Body);
    }

    static (int, string) Of(Reply reply) => (reply.Status, reply.Code);
}
