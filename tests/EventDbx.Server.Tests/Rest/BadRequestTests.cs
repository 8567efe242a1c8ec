using System.Text;

namespace EventDbx.Server.Tests.Rest;

/// <summary>Each input that is refused, with its code; each is the neighbour of one that is taken.</summary>
public class BadRequestTests(RestServer server) : IClassFixture<RestServer>
{
    const string Good = """{"aggregate_type":"b","aggregate_id":"1","event_type":"e","payload":{}}""";

    [Theory]
    [InlineData("", "invalid_payload")]
    [InlineData(" ", "invalid_payload")]
    [InlineData("{", "invalid_payload")]
    [InlineData("null", "invalid_payload")]
    [InlineData("[]", "invalid_payload")]
    [InlineData("3", "invalid_payload")]
    [InlineData("not json", "invalid_payload")]
    [InlineData(Good + "x", "invalid_payload")]
    [InlineData(Good + Good, "invalid_payload")]
    [InlineData("\uFEFF" + Good, "invalid_payload")]
    [InlineData("""{"aggregate_type":"b","aggregate_id":"1","event_type":"e","payload":{},}""", "invalid_payload")]
    [InlineData("""{"aggregate_type":"b","aggregate_id":"1","event_type":"e","payload":{} /* c */}""", "invalid_payload")]
    [InlineData("""{"aggregate_type":"b","aggregate_id":"1","event_type":"e","payload":NaN}""", "invalid_payload")]
    [InlineData("""{"aggregate_type":"b","aggregate_id":"1","event_type":"e","payload":{"a":1,"a":2}}""", "invalid_payload")]
    [InlineData("""{"aggregate_type":"b","aggregate_id":"1","event_type":"e","payload":"\ud800"}""", "invalid_payload")]
    [InlineData("""{"aggregate_type":"\ud800","aggregate_id":"1","event_type":"e","payload":{}}""", "invalid_payload")]
    [InlineData("""{"aggregate_type":"b","aggregate_id":"1","event_type":"e","payload":{},"payload":{}}""", "invalid_payload")]
    [InlineData("""{"aggregate_type":"b","aggregate_type":"b","aggregate_id":"1","event_type":"e","payload":{}}""", "invalid_payload")]
    [InlineData("""{"aggregate_type":"b","aggregate_id":"1","event_type":"e"}""", "invalid_payload")]
    [InlineData("""{"aggregate_id":"1","event_type":"e","payload":{}}""", "invalid_name")]
    [InlineData("""{"aggregate_type":null,"aggregate_id":"1","event_type":"e","payload":{}}""", "invalid_name")]
    [InlineData("""{"aggregate_type":"","aggregate_id":"1","event_type":"e","payload":{}}""", "invalid_name")]
    [InlineData("""{"aggregate_type":"..","aggregate_id":"1","event_type":"e","payload":{}}""", "invalid_name")]
    [InlineData("""{"aggregate_type":"b","aggregate_id":"1","payload":{}}""", "invalid_name")]
    [InlineData("""{"aggregate_type":"b","aggregate_id":"1","event_type":"a\u0000b","payload":{}}""", "invalid_name")]
    [InlineData("""{"aggregate_type":1,"aggregate_id":"1","event_type":"e","payload":{}}""", "invalid_argument")]
    [InlineData("""{"aggregate_type":"b","aggregate_id":["1"],"event_type":"e","payload":{}}""", "invalid_argument")]
    [InlineData("""{"aggregate_type":"b","aggregate_id":"1","event_type":{},"payload":{}}""", "invalid_argument")]
    [InlineData("""{"aggregate_type":"b","aggregate_id":"1","event_type":"e","payload":{},"note":true}""", "invalid_argument")]
    [InlineData("""{"aggregate_type":"b","aggregate_id":"1","event_type":"e","payload":{},"event_id":"x"}""", "invalid_argument")]
    [InlineData("""{"aggregate_type":"b","aggregate_id":"1","event_type":"e","payload":{},"event_id":"00000000-0000-0000-0000-000000000000"}""", "invalid_argument")]
    [InlineData("""{"aggregate_type":"b","aggregate_id":"1","event_type":"e","payload":{},"expected_version":-1}""", "invalid_argument")]
    [InlineData("""{"aggregate_type":"b","aggregate_id":"1","event_type":"e","payload":{},"expected_version":1.5}""", "invalid_argument")]
    [InlineData("""{"aggregate_type":"b","aggregate_id":"1","event_type":"e","payload":{},"expected_version":"1"}""", "invalid_argument")]
    [InlineData("""{"aggregate_type":"b","aggregate_id":"1","event_type":"e","payload":{},"expectedVersion":1}""", "unknown_member")]
    [InlineData("""{"aggregate_type":"b","aggregate_id":"1","event_type":"e","payload":{},"x":1}""", "unknown_member")]
    public async Task A_bad_append_is_refused(string body, string code)
    {
        var size = server.Host.Database.LogSize;
        var reply = await server.PostAsync("/v1/events", body);
        Assert.Equal((400, code), (reply.Status, reply.Code));
        Assert.Equal(size, server.Host.Database.LogSize);
    }

    [Fact]
    public async Task The_good_one_among_them_is_taken() => Assert.Equal(200, (await server.PostAsync("/v1/events", $" {Good}\r\n")).Status);

    [Fact]
    public async Task A_misspelt_member_is_named_with_the_one_that_was_meant()
    {
        var reply = await server.PostAsync("/v1/events", """{"aggregate_type":"b","aggregate_id":"1","event_type":"e","payload":{},"expectedVersion":1}""");
        Assert.Contains("`expectedVersion`", reply.Body, StringComparison.Ordinal);
        Assert.Contains("did you mean `expected_version`?", reply.Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"aggregate_type":"b","aggregate_id":"1","event_type":"e","payload":{},"note":3}""", "`note` is a string; this one is a number.")]
    [InlineData("""{"aggregate_type":"b","aggregate_id":"1","event_type":"e","payload":{},"expected_version":"3"}""", "this one is a string.")]
    [InlineData("""[1]""", "this one is an array.")]
    public async Task A_wrong_type_is_named_with_what_was_found(string body, string said) =>
        Assert.Contains(said, (await server.PostAsync("/v1/events", body)).Json.GetProperty("message").GetString()!, StringComparison.Ordinal);

    [Theory]
    [InlineData("/v1/events/batch", "{}", "invalid_argument")]
    [InlineData("/v1/events/batch", """{"events":null}""", "invalid_argument")]
    [InlineData("/v1/events/batch", """{"events":{}}""", "invalid_argument")]
    [InlineData("/v1/events/batch", """{"event":[]}""", "unknown_member")]
    [InlineData("/v1/events/batch", """{"events":[],"events":[]}""", "invalid_payload")]
    [InlineData("/v1/events/batch", """{"events":[3]}""", "invalid_payload")]
    [InlineData("/v1/events/batch", "[]", "invalid_payload")]
    [InlineData("/v1/records", "{}", "invalid_argument")]
    [InlineData("/v1/records", """{"events":[]}""", "unknown_member")]
    [InlineData("/v1/records", """{"records":[""" + Good + "]}", "invalid_argument")]
    [InlineData("/v1/records", """{"records":[{"metadata":3}]}""", "invalid_payload")]
    [InlineData("/v1/imports", "{}", "invalid_argument")]
    [InlineData("/v1/imports", """{"lines":1,"appended":1}""", "invalid_argument")]
    [InlineData("/v1/imports", """{"lines":"1","appended":1,"known":0}""", "invalid_argument")]
    [InlineData("/v1/imports", """{"lines":1,"appended":1,"known":0,"more":1}""", "unknown_member")]
    [InlineData("/v1/aggregates/b/1/archive", """{"coment":"x"}""", "unknown_member")]
    [InlineData("/v1/aggregates/b/1/archive", """{"comment":3}""", "invalid_argument")]
    [InlineData("/v1/aggregates/b/1/archive", """{"comment":"x" """, "invalid_payload")]
    [InlineData("/admin/tokens", """{"group":"g"}""", "invalid_argument")]
    [InlineData("/admin/tokens", """{"group":"g","user":"u","roots":true}""", "unknown_member")]
    [InlineData("/admin/tokens/revoke", "{}", "invalid_argument")]
    [InlineData("/admin/tokens/refresh", """{"token":"x","ttl":1}""", "unknown_member")]
    [InlineData("/v1/verify", "{}", "invalid_argument")]
    public async Task A_bad_body_of_another_route_is_refused(string target, string body, string code)
    {
        await server.PostAsync("/v1/events", Good);
        var size = server.Host.Database.LogSize;
        var reply = await server.PostAsync(target, body);
        Assert.Equal((400, code), (reply.Status, reply.Code));
        Assert.Equal(size, server.Host.Database.LogSize);
    }

    [Theory]
    [InlineData("/v1/aggregates?skip=1000001", "limit_exceeded")]
    [InlineData("/v1/aggregates?skip=-1", "invalid_argument")]
    [InlineData("/v1/aggregates?skip=x", "invalid_argument")]
    [InlineData("/v1/aggregates?take=-1", "invalid_argument")]
    [InlineData("/v1/aggregates?take=1.0", "invalid_argument")]
    [InlineData("/v1/aggregates?take=", "invalid_argument")]
    [InlineData("/v1/aggregates?take", "invalid_argument")]
    [InlineData("/v1/aggregates?take=%2B1", "invalid_argument")]
    [InlineData("/v1/aggregates?take=18446744073709551616", "invalid_argument")]
    [InlineData("/v1/aggregates?take=1&take=1", "unknown_member")]
    [InlineData("/v1/aggregates?limit=1", "unknown_member")]
    [InlineData("/v1/aggregates?Take=1", "unknown_member")]
    [InlineData("/v1/aggregates?archived=yes", "invalid_argument")]
    [InlineData("/v1/aggregates?typed=1", "invalid_argument")]
    [InlineData("/v1/aggregates?fields=", "invalid_argument")]
    [InlineData("/v1/aggregates?fields=a.b", "invalid_argument")]
    [InlineData("/v1/aggregates?type=%FF", "invalid_argument")]
    [InlineData("/v1/aggregates?type=%2", "invalid_argument")]
    [InlineData("/v1/aggregates?%zz=1", "invalid_argument")]
    [InlineData("/v1/aggregates?cursor=x", "invalid_argument")]
    [InlineData("/v1/aggregates?cursor=", "invalid_argument")]
    [InlineData("/v1/aggregates?cursor=AQ", "invalid_argument")]
    [InlineData("/v1/aggregates?cursor=AmE&skip=0", "invalid_argument")]
    [InlineData("/v1/aggregates/b/1?version=1&at=2026-01-01T00:00:00Z", "invalid_argument")]
    [InlineData("/v1/aggregates/b/1?version=-1", "invalid_argument")]
    [InlineData("/v1/aggregates/b/1?at=yesterday", "invalid_argument")]
    [InlineData("/v1/aggregates/b/1?at=2026-01-01", "invalid_argument")]
    [InlineData("/v1/aggregates/b/1?skip=1", "unknown_member")]
    [InlineData("/v1/aggregates/b/1/events?cursor=AWEAYg", "invalid_argument")]
    [InlineData("/v1/aggregates/b/1/events?typed=true", "unknown_member")]
    [InlineData("/v1/aggregates/b/1/events/x", "invalid_argument")]
    [InlineData("/v1/aggregates/b/1/events/-1", "invalid_argument")]
    [InlineData("/v1/aggregates/b/1/events/1?x=1", "unknown_member")]
    [InlineData("/v1/aggregates/b/1/verify?level=deep", "invalid_argument")]
    [InlineData("/v1/events?after=x", "invalid_argument")]
    [InlineData("/v1/events?after=-1", "invalid_argument")]
    [InlineData("/v1/events?after=1-", "invalid_argument")]
    [InlineData("/v1/events?after=1-1-1", "invalid_argument")]
    [InlineData("/v1/events?after=99999", "invalid_argument")]
    [InlineData("/v1/events?include=all", "invalid_argument")]
    [InlineData("/v1/events?skip=1", "unknown_member")]
    [InlineData("/health?verbose=1", "unknown_member")]
    [InlineData("/admin/status?x=1", "unknown_member")]
    public async Task A_bad_query_is_refused(string target, string code)
    {
        await server.PostAsync("/v1/events", Good);
        var reply = await server.GetAsync(target);
        Assert.Equal((400, code), (reply.Status, reply.Code));
    }

    [Theory]
    [InlineData("application/json", 200)]
    [InlineData("application/json; charset=utf-8", 200)]
    [InlineData("application/json;charset=\"UTF-8\"", 200)]
    [InlineData("application/vnd.x+json", 200)]
    [InlineData("APPLICATION/JSON", 200)]
    [InlineData("text/plain", 415)]
    [InlineData("application/json; charset=utf-16", 415)]
    [InlineData("application/x-www-form-urlencoded", 415)]
    [InlineData("application/jsonx", 415)]
    [InlineData("nonsense", 415)]
    [InlineData("", 415)]
    public async Task A_body_says_that_it_is_JSON(string contentType, int status)
    {
        var reply = await server.SendAsync("POST", "/v1/events", Good, contentType: contentType);
        Assert.Equal(status, reply.Status);
        if (status == 415)
            Assert.Equal("unsupported_media_type", reply.Code);
    }

    [Fact]
    public async Task A_body_where_none_is_read_is_refused()
    {
        Assert.Equal("invalid_argument", (await server.SendAsync("GET", "/v1/aggregates", "{}")).Code);
        Assert.Equal("invalid_argument", (await server.SendAsync("DELETE", "/v1/aggregates/b/none", "{}")).Code);
        Assert.Equal(404, (await server.SendAsync("DELETE", "/v1/aggregates/b/none", "")).Status);
    }

    [Theory]
    [InlineData("POST", "/v1/events/batch", """{"events":[]}""", "If-Match", "\"1\"")]
    [InlineData("POST", "/v1/events/batch", """{"events":[]}""", "Idempotency-Key", "k")]
    [InlineData("PUT", "/v1/aggregates/b/new", null, "If-None-Match", "*")]
    [InlineData("DELETE", "/v1/aggregates/b/1", null, "If-Match", "\"0\"")]
    [InlineData("POST", "/v1/aggregates/b/1/archive", "{}", "If-Match", "\"1\"")]
    public async Task A_condition_that_would_be_ignored_is_refused(string method, string target, string? body, string header, string value) =>
        Assert.Equal("invalid_argument", (await server.SendAsync(method, target, body, headers: (header, value))).Code);

    [Theory]
    [InlineData(64, 200)]
    [InlineData(65, 400)]
    [InlineData(10_000, 400)]
    [InlineData(1_000_000, 400)]
    public async Task Depth_is_bounded(int levels, int status)
    {
        var body = new StringBuilder("""{"aggregate_type":"b","aggregate_id":"deep","event_type":"e","payload":""");
        body.Append('[', levels).Append(']', levels).Append('}');
        var reply = await server.PostAsync("/v1/events", body.ToString());
        Assert.Equal(status, reply.Status);
        if (status != 200)
            Assert.Equal("limit_exceeded", reply.Code);
    }

    [Fact]
    public async Task A_payload_beyond_its_limit_is_refused_and_one_at_it_is_taken()
    {
        string Body(int length) => $$"""{"aggregate_type":"b","aggregate_id":"long","event_type":"e","payload":"{{new string('x', length - 2)}}"}""";
        Assert.Equal(200, (await server.PostAsync("/v1/events", Body(Limits.PayloadBytesMax))).Status);
        Assert.Equal("limit_exceeded", (await server.PostAsync("/v1/events", Body(Limits.PayloadBytesMax + 1))).Code);
    }

    [Fact]
    public async Task A_batch_says_which_of_it_was_refused()
    {
        var bad = Good.Replace("{}", "{\"a\":1,\"a\":1}", StringComparison.Ordinal);
        foreach (var (second, code, status) in new[]
        {
            (bad, "invalid_payload", 400),
            (Good.Replace("\"e\"", "\"e\",\"nope\":1", StringComparison.Ordinal), "unknown_member", 400),
            (Good.Replace("\"e\"", "\"e\",\"expected_version\":77", StringComparison.Ordinal), "version_conflict", 409),
        })
        {
            var size = server.Host.Database.LogSize;
            var reply = await server.PostAsync("/v1/events/batch", $$"""{"events":[{{Good}},{{second}},{{Good}}]}""");
            Assert.Equal((status, code, 1), (reply.Status, reply.Code, reply.Json.GetProperty("operation").GetInt32()));
            Assert.Equal(size, server.Host.Database.LogSize);
        }
    }

    [Fact]
    public async Task A_batch_has_a_thousand_events_at_most()
    {
        string Batch(int count) => $$"""{"events":[{{string.Join(',', Enumerable.Repeat(Good, count))}}]}""";
        var reply = await server.PostAsync("/v1/events/batch", Batch(Limits.BatchEventsMax), ("Prefer", "return=minimal"));
        Assert.Equal((200, """{"count":1000,"known":[]}""", "return=minimal"), (reply.Status, reply.Body, reply["Preference-Applied"]));
        Assert.Equal("limit_exceeded", (await server.PostAsync("/v1/events/batch", Batch(Limits.BatchEventsMax + 1))).Code);
        // The whole answer of the same comes in pieces, and is whole.
        var whole = await server.PostAsync("/v1/events/batch", Batch(Limits.BatchEventsMax));
        Assert.Equal(Limits.BatchEventsMax, whole.Json.GetProperty("events").GetArrayLength());
        Assert.Null(whole["Content-Length"]);
        Assert.Equal("""{"events":[],"known":[]}""", (await server.PostAsync("/v1/events/batch", """{"events":[]}""")).Body);
    }

    [Theory]
    [InlineData("NONSENSE\r\n\r\n", 400)]
    [InlineData("GET /health HTTP/1.1\r\n\r\n", 400)]
    [InlineData("GET /health HTTP/3.7\r\nHost: x\r\n\r\n", 505)]
    [InlineData("GET /v1/aggregates/x/%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400)]
    [InlineData("GET /v1/aggregates/x/\u00e9 HTTP/1.1\r\nHost: x\r\n\r\n", 400)]
    [InlineData("GET health HTTP/1.1\r\nHost: x\r\n\r\n", 405)]
    public async Task What_is_not_HTTP_is_refused_and_closed(string request, int status) =>
        Assert.StartsWith($"HTTP/1.1 {status} ", await server.SayAsync(request), StringComparison.Ordinal);

    [Fact]
    public async Task Headers_beyond_their_limit_are_431_and_lines_414()
    {
        Assert.StartsWith("HTTP/1.1 414 ", await server.SayAsync($"GET /{new string('a', ServerLimits.RequestLineBytesMax)} HTTP/1.1\r\nHost: x\r\n\r\n"), StringComparison.Ordinal);
        var many = string.Concat(Enumerable.Range(0, ServerLimits.HeadersMax + 1).Select(i => $"x-{i}: 1\r\n"));
        Assert.StartsWith("HTTP/1.1 431 ", await server.SayAsync($"GET /health HTTP/1.1\r\nHost: x\r\n{many}\r\n"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_asterisk_and_an_authority_are_no_paths()
    {
        Assert.StartsWith("HTTP/1.1 404 ", await server.SayAsync("OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 404 ", await server.SayAsync("CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\nConnection: close\r\n\r\n"), StringComparison.Ordinal);
    }
}
