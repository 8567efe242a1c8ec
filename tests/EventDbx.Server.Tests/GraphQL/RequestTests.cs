using EventDbx.Server.Configuration;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.GraphQL;

/// <summary>GraphQL over HTTP: which requests are taken, and in which form they are answered.</summary>
public sealed class RequestTests(RestServer server) : IClassFixture<RestServer>
{
    [Theory]
    [InlineData("[]", "invalid_payload")]
    [InlineData("""[{"query":"{ __typename }"}]""", "invalid_payload")]
    [InlineData("7", "invalid_payload")]
    [InlineData("{", "invalid_payload")]
    [InlineData("{}", "invalid_payload")]
    [InlineData("""{"query":null}""", "invalid_payload")]
    [InlineData("""{"query":7}""", "invalid_argument")]
    [InlineData("""{"query":"{ __typename }","variables":[]}""", "invalid_payload")]
    [InlineData("""{"query":"{ __typename }","operation_name":"x"}""", "unknown_member")]
    [InlineData("""{"query":"{ __typename }","query":"{ __typename }"}""", "invalid_payload")]
    public async Task A_body_that_is_no_request_is_400(string body, string code)
    {
        var reply = await server.SendAsync("POST", "/graphql", body);
        Assert.Equal((400, code), (reply.Status, reply.Code));
    }

    [Theory]
    [InlineData("multipart/form-data; boundary=x")]
    [InlineData("application/graphql")]
    [InlineData("text/plain")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("")]
    public async Task Only_json_is_read(string contentType)
    {
        var reply = await server.SendAsync("POST", "/graphql", GraphQLCalls.Body("{ __typename }"), contentType: contentType);
        Assert.Equal((415, "unsupported_media_type"), (reply.Status, reply.Code));
    }

    [Fact]
    public async Task Extensions_are_taken_and_nothing_is_done_with_them() =>
        Assert.Equal("""{"data":{"__typename":"Query"}}""", (await server.SendAsync("POST", "/graphql", """{"query":"{ __typename }","operationName":"","variables":null,"extensions":{"a":1}}""")).Body);

    [Theory]
    [InlineData("{ aggregates { version } ")]
    [InlineData("{ aggregatez { version } }")]
    [InlineData("{ aggregates }")]
    [InlineData("query A { __typename } query B { __typename }")]
    [InlineData("fragment F on Query { __typename }")]
    [InlineData("{ aggregates(tak: 1) { version } }")]
    [InlineData("{ aggregates(take: \"1\") { version } }")]
    [InlineData("{ aggregates(take: 99999999999) { version } }")]
    [InlineData("{ event(aggregate_type: \"a\", aggregate_id: \"b\", version: -1) { version } }")]
    [InlineData("{ event(aggregate_type: \"a\", aggregate_id: \"b\", version: 18446744073709551616) { version } }")]
    [InlineData("{ ...F } fragment F on Query { ...F }")]
    [InlineData("mutation { appendEvent(input: { aggregate_type: \"a\", aggregate_id: \"b\", event_type: \"c\", payloud: 1 }) { version } }")]
    [InlineData("subscription { events { cursor } }")]
    public async Task A_document_that_cannot_run_is_200_with_errors_or_400_for_who_asks_for_the_newer_form(string query)
    {
        var old = await server.QueryAsync(query);
        Assert.Equal((200, "application/json"), (old.Status, old["Content-Type"]));
        Assert.Equal("invalid_argument", old.Json.GetProperty("errors")[0].GetProperty("extensions").GetProperty("code").GetString());
        Assert.False(old.Json.TryGetProperty("data", out _));

        var newer = await server.QueryAsync(query, headers: ("Accept", "application/graphql-response+json, application/json;q=0.9"));
        Assert.Equal((400, "application/graphql-response+json", old.Body), (newer.Status, newer["Content-Type"], newer.Body));
    }

    [Fact]
    public async Task The_newer_form_is_200_where_the_request_ran()
    {
        var reply = await server.QueryAsync("{ __typename }", headers: ("Accept", "application/graphql-response+json"));
        Assert.Equal((200, "application/graphql-response+json", """{"data":{"__typename":"Query"}}"""), (reply.Status, reply["Content-Type"], reply.Body));
    }

    [Fact]
    public async Task The_operation_is_chosen_by_its_name_and_a_variable_that_none_declares_is_refused()
    {
        const string Two = "query A($take: Int) { aggregates(take: $take) { version } } query B { __typename }";
        Assert.Equal("""{"data":{"__typename":"Query"}}""", (await server.SendAsync("POST", "/graphql", GraphQLCalls.Body(Two, """{"take":1}""", "B"))).Body);
        Assert.Equal("invalid_argument", (await server.SendAsync("POST", "/graphql", GraphQLCalls.Body(Two, operation: "C"))).ErrorCode());
        var misspelt = await server.SendAsync("POST", "/graphql", GraphQLCalls.Body(Two, """{"tak":1}""", "A"));
        Assert.Equal("unknown_member", misspelt.ErrorCode());
        Assert.Contains("take", misspelt.Json.GetProperty("errors")[0].GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_get_never_runs_a_query()
    {
        var reply = await server.SendAsync("GET", "/graphql?query=%7B__typename%7D");
        Assert.Equal((400, "unknown_member"), (reply.Status, reply.Code));
        Assert.StartsWith("text/html", (await server.GetAsync("/graphql", token: null))["Content-Type"], StringComparison.Ordinal);
        Assert.Equal(405, (await server.SendAsync("PUT", "/graphql", "{}")).Status);
    }

    [Fact]
    public async Task Switched_off_it_is_not_there_on_any_path_and_pages_close_by_themselves()
    {
        await using var off = new RestServer { ChangeOptions = static options => options with { Config = options.Config with { ApiGraphQL = false } } };
        await off.InitializeAsync();
        Assert.Equal((404, "not_found"), ((await off.QueryAsync("{ __typename }")).Status, (await off.QueryAsync("{ __typename }")).Code));
        foreach (var path in (string[])["/graphql", "/graphql/playground", "/graphql/page.js", "/graphql/page.css"])
            Assert.Contains("api.graphql", (await off.GetAsync(path)).Body, StringComparison.Ordinal);

        await using var closed = new RestServer { ChangeOptions = static options => options with { Config = options.Config with { ApiPublicDocs = false } } };
        await closed.InitializeAsync();
        Assert.Equal(200, (await closed.QueryAsync("{ __typename }")).Status);
        foreach (var path in (string[])["/graphql", "/graphql/playground", "/graphql/page.js", "/graphql/page.css"])
        {
            Assert.Equal(401, (await closed.GetAsync(path, token: null)).Status);
            Assert.NotEqual(401, (await closed.GetAsync(path)).Status);
        }

        // The token of a socket comes later.
        await using var socket = await TransportSocket.ConnectAsync(new($"ws://127.0.0.1:{closed.Host.Port}/graphql"), closed.Root, TestContext.Current.CancellationToken);
    }
}
