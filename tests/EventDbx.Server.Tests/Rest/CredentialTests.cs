using System.Buffers.Text;
using System.Text;
using EventDbx.Schemas;
using EventDbx.Server.Rest;
using EventDbx.Staging;

namespace EventDbx.Server.Tests.Rest;

/// <summary>Every route against every kind of credential.</summary>
public sealed class CredentialTests(RestServer server) : IClassFixture<RestServer>
{
    /// <summary>How each route is asked for. A route that is not here fails <see cref="Every_route_stands_in_the_table"/>.</summary>
    /// <param name="Target">What is asked.</param>
    /// <param name="Body">With what.</param>
    /// <param name="Elsewhere">Status for a token that allows the action on other aggregates only.</param>
    /// <param name="Allowed">Status for a token that allows it.</param>
    /// <param name="Before">What must be there, by the owner.</param>
    internal sealed record Row(string Target, string? Body, int Elsewhere, int Allowed, Func<Session, Task>? Before = null);

    internal static readonly Dictionary<string, Row> Table = new()
    {
        ["GET /metrics"] = new("/metrics", null, 200, 200),
        ["GET /v1/aggregates"] = new("/v1/aggregates", null, 200, 200),
        ["GET /v1/aggregates/{type}/{id}"] = new("/v1/aggregates/m/1", null, 403, 200),
        ["PUT /v1/aggregates/{type}/{id}"] = new("/v1/aggregates/m/new", null, 403, 201),
        ["DELETE /v1/aggregates/{type}/{id}"] = new("/v1/aggregates/m/empty", null, 403, 204, owner => owner.CreateAsync(AggregateKey.Create("m", "empty"), null, default)),
        ["POST /v1/aggregates/{type}/{id}/archive"] = new("/v1/aggregates/m/1/archive", "{}", 403, 200),
        ["POST /v1/aggregates/{type}/{id}/restore"] = new("/v1/aggregates/m/1/restore", null, 403, 200),
        ["POST /v1/aggregates/{type}/{id}/snapshots"] = new("/v1/aggregates/m/1/snapshots", null, 403, 201),
        ["GET /v1/aggregates/{type}/{id}/snapshots"] = new("/v1/aggregates/m/1/snapshots", null, 403, 200),
        ["GET /v1/aggregates/{type}/{id}/events"] = new("/v1/aggregates/m/1/events", null, 403, 200),
        ["GET /v1/aggregates/{type}/{id}/events/{version}"] = new("/v1/aggregates/m/1/events/1", null, 403, 200),
        ["GET /v1/aggregates/{type}/{id}/verify"] = new("/v1/aggregates/m/1/verify", null, 403, 200),
        ["GET /v1/aggregates/{type}/{id}/events/{version}/proof"] = new("/v1/aggregates/m/1/events/1/proof", null, 403, 200),
        ["GET /v1/aggregates/{type}/{id}/proof"] = new("/v1/aggregates/m/1/proof?from=1", null, 403, 200),
        ["GET /v1/log/checkpoint"] = new("/v1/log/checkpoint", null, 200, 200),
        ["GET /v1/log/key"] = new("/v1/log/key", null, 200, 200, owner => owner.ReadCheckpointAsync(0, default)),
        ["GET /v1/log/consistency"] = new("/v1/log/consistency?from=1&to=1", null, 200, 200),
        ["GET /v1/log/tile/{level}/{index…}"] = new("/v1/log/tile/0/000.p/1", null, 200, 200),
        ["POST /v1/evidence"] = new("/v1/evidence", """{"aggregates":[{"aggregate_type":"m","aggregate_id":"1"}]}""", 403, 200),
        ["POST /v1/events"] = new("/v1/events", """{"aggregate_type":"m","aggregate_id":"2","event_type":"e","payload":{}}""", 403, 200),
        ["POST /v1/events/batch"] = new("/v1/events/batch", """{"events":[{"aggregate_type":"m","aggregate_id":"2","event_type":"e","payload":{}}]}""", 403, 200),
        ["GET /v1/events"] = new("/v1/events", null, 200, 200),
        // What a token may do is asked for each field: GraphQL/AnswerTests.
        ["POST /graphql"] = new("/graphql", """{"query":"{ __typename }"}""", 200, 200),
        ["POST /v1/staged"] = new("/v1/staged", """{"aggregate_type":"m","aggregate_id":"2","event_type":"e","payload":{}}""", 403, 201),
        ["GET /v1/staged"] = new("/v1/staged", null, 200, 200),
        ["DELETE /v1/staged"] = new("/v1/staged", null, 200, 200),
        ["DELETE /v1/staged/{event_id}"] = new("/v1/staged/01890a5d-ac96-774b-bcce-b302099a8058", null, 404, 200, StageAsync),
        ["POST /v1/staged/commit"] = new("/v1/staged/commit", null, 200, 200, StageAsync),
        ["POST /v1/records"] = new("/v1/records", """{"records":[{"aggregate_type":"m","aggregate_id":"3","event_type":"e","payload":{},"metadata":{"event_id":"01890a5d-ac96-774b-bcce-b302099a8057","created_at":"2026-01-01T00:00:00Z","issued_by":null}}]}""", 403, 200),
        ["POST /v1/imports"] = new("/v1/imports", """{"lines":1,"appended":1,"known":0}""", 403, 204),
        ["POST /v1/verify"] = new("/v1/verify", null, 403, 200),
        ["GET /admin/status"] = new("/admin/status", null, 403, 200),
        ["GET /admin/schemas"] = new("/admin/schemas", null, 403, 200),
        ["POST /admin/schemas"] = new("/admin/schemas", """{"aggregate":"made","events":["e"]}""", 403, 201),
        ["GET /admin/schemas/{type}"] = new("/admin/schemas/s", null, 403, 200, DeclareAsync),
        ["PATCH /admin/schemas/{type}"] = new("/admin/schemas/s", """{"change":"add_events","events":["f"]}""", 403, 200, DeclareAsync),
        ["POST /admin/schemas/{type}/validate"] = new("/admin/schemas/s/validate", """{"event_type":"e","payload":{}}""", 403, 200, DeclareAsync),
        ["DELETE /admin/schemas/{type}/events/{event}"] = new("/admin/schemas/s/events/f", null, 403, 200, DeclareAsync),
        ["POST /admin/backup"] = new("/admin/backup", """{"keys":false}""", 403, 200),
        ["GET /admin/key"] = new("/admin/key", null, 403, 200),
        ["POST /admin/key/rotate"] = new("/admin/key/rotate", """{"new_key":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}""", 403, 400),
        ["GET /admin/tokens"] = new("/admin/tokens", null, 403, 200),
        ["POST /admin/tokens"] = new("/admin/tokens", """{"group":"g","user":"u","actions":["aggregate.read"]}""", 403, 201),
        ["POST /admin/tokens/revoke"] = new("/admin/tokens/revoke", null, 403, 200),
        ["POST /admin/tokens/refresh"] = new("/admin/tokens/refresh", null, 403, 201),
        // This server was given its secret, so it has no place to keep another one: what a token may is asked before that.
        ["POST /admin/tokens/rotate-secret"] = new("/admin/tokens/rotate-secret", "{}", 403, 400),
        ["POST /admin/tokens/{token}/revoke"] = new("/admin/tokens/TOKEN/revoke", null, 403, 204),
        ["POST /admin/tokens/{token}/refresh"] = new("/admin/tokens/TOKEN/refresh", "{}", 403, 200),
        ["GET /admin/config"] = new("/admin/config", null, 403, 200),
        ["GET /admin/audit"] = new("/admin/audit", null, 403, 200),
        ["GET /admin/remotes"] = new("/admin/remotes", null, 403, 200),
        ["PUT /admin/remotes/{name}"] = new("/admin/remotes/r", Remote, 403, 201),
        ["POST /admin/remotes/{name}"] = new("/admin/remotes/r", Remote, 403, 200),
        ["DELETE /admin/remotes/{name}"] = new("/admin/remotes/r", null, 403, 204),
        ["GET /admin/replication/allowed"] = new("/admin/replication/allowed", null, 403, 200),
        ["PUT /admin/replication/allowed/{peer}"] = new("/admin/replication/allowed/p", Allowed, 403, 201),
        ["DELETE /admin/replication/allowed/{peer}"] = new("/admin/replication/allowed/p", null, 403, 200),
        ["POST /admin/replication/push"] = new("/admin/replication/push", """{"remote":"none"}""", 403, 404),
        ["POST /admin/replication/pull"] = new("/admin/replication/pull", """{"remote":"none"}""", 403, 404),
        ["POST /admin/replication/follow"] = new("/admin/replication/follow", """{"remote":"none"}""", 403, 404),
        ["POST /admin/replication/promote"] = new("/admin/replication/promote", null, 403, 400),
        ["GET /admin/plugins"] = new("/admin/plugins", null, 403, 200),
        ["POST /admin/plugins/test"] = new("/admin/plugins/test", null, 403, 200),
        ["PUT /admin/plugins/{name}"] = new("/admin/plugins/p", """{"config":{"type":"log"}}""", 403, 201),
        ["POST /admin/plugins/{name}/enable"] = new("/admin/plugins/p/enable", null, 403, 200),
        ["POST /admin/plugins/{name}/test"] = new("/admin/plugins/p/test", null, 403, 200),
        ["POST /admin/plugins/{name}/replay"] = new("/admin/plugins/p/replay", """{"aggregate_type":"m","aggregate_id":"1"}""", 403, 200),
        ["POST /admin/plugins/{name}/disable"] = new("/admin/plugins/p/disable", null, 403, 200),
        ["DELETE /admin/plugins/{name}"] = new("/admin/plugins/p", null, 403, 204),
        ["GET /admin/queue"] = new("/admin/queue", null, 403, 200),
        ["POST /admin/queue/retry"] = new("/admin/queue/retry", null, 403, 200),
        ["POST /admin/queue/clear"] = new("/admin/queue/clear", null, 403, 200),
    };

    const string Remote = """{"endpoint":"tcp://192.0.2.1","public_key":"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}""";

    const string Allowed = """{"public_key":"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=","push":true}""";

    static Task<StagedEvent> StageAsync(Session owner) => owner.StageAsync(
        new()
        {
            Aggregate = AggregateKey.Create("m", "2"), EventType = "e", Payload = "{}"u8.ToArray(),
            EventId = Guid.Parse("01890a5d-ac96-774b-bcce-b302099a8058"),
        },
        default);

    static Task<AggregateSchema?> DeclareAsync(Session owner) => owner.ChangeSchemaAsync(
        "s", [owner.GetSchemas().Find("s") is null ? SchemaEdit.Create(["e", "f"], null) : SchemaEdit.AddEvents(["f"])], default);

    internal static string KeyOf(RestRoute route) => $"{route.Method} {route.Template}";

    static IEnumerable<RestRoute> Closed => RestRoutes.All.Where(route => !route.Access.IsOpen && !route.Access.IsPage);

    [Fact]
    public void Every_route_stands_in_the_table() =>
        Assert.Equal(Closed.Select(KeyOf).Order(StringComparer.Ordinal), Table.Keys.Order(StringComparer.Ordinal));

    [Fact]
    public void Only_health_ready_and_pages_without_data_are_open()
    {
        Assert.Equal(["GET /health", "GET /ready"], RestRoutes.All.Where(route => route.Access.IsOpen).Select(KeyOf));
        Assert.Equal(["GET /openapi.json", "GET /docs", "GET /graphql", "GET /graphql/playground", "GET /graphql/page.js", "GET /graphql/page.css"], RestRoutes.All.Where(route => route.Access.IsPage).Select(KeyOf));
    }

    [Fact]
    public async Task Every_route_says_401_without_a_good_token_and_403_without_the_right_one()
    {
        await server.AppendAsync("m", "1", "e", """{"a":1}""");
        var good = await server.TokenForAsync("*.*");
        var expired = await server.IssueAsync(new() { Group = "g", User = "u", Root = true, TtlSeconds = 60 });
        server.Clock.Advance(TimeSpan.FromMinutes(2));
        var revoked = await server.IssueAsync(new() { Group = "g", User = "u", Root = true });
        await server.Host.Tokens.RevokeAsync(server.Owner, revoked, null, TestContext.Current.CancellationToken);
        var parts = good.Split('.');
        var none = Base64Url.EncodeToString("""{"typ":"JWT","alg":"none","kid":"key-1"}"""u8);
        (string Name, string? Token)[] bad =
        [
            ("none", null), ("garbage", "nonsense"), ("empty", ""), ("expired", expired), ("revoked", revoked),
            ("alg none", $"{none}.{parts[1]}."), ("alg none, signed", $"{none}.{parts[1]}.{parts[2]}"), ("head exchanged", $"{parts[1]}.{parts[1]}.{parts[2]}"),
            ("cut", good[..^1]), ("longer", good + "A"), ("two", $"{good} {good}"),
        ];

        var size = server.Host.Database.LogSize;
        foreach (var route in Closed)
        {
            var (key, row) = (KeyOf(route), Table[KeyOf(route)]);
            var body = row.Body ?? (route.Body == RestBody.Required ? $$"""{"token":"{{good}}"}""" : null);
            var target = row.Target.Replace("TOKEN", good, StringComparison.Ordinal);
            foreach (var (name, token) in bad.Concat(Tampered(good, every: 29).Select((token, i) => ($"tampered {i}", (string?)token))))
            {
                var reply = await server.SendAsync(route.Method, target, body, token);
                Assert.True(reply.Status == 401 && reply.Code == "unauthenticated", $"{key} with {name}: {reply.Status} {reply.Body}");
                Assert.Equal("Bearer", reply["WWW-Authenticate"]);
            }

            // Those ask further on.
            if (route.Access == RestAccess.AnyToken)
                continue;
            var wrong = await server.SendAsync(route.Method, target, body, await server.TokenForAsync(WrongFor(route.Access)));
            Assert.True(wrong.Status == 403 && wrong.Code == "permission_denied", $"{key} with the wrong action: {wrong.Status} {wrong.Body}");
            if (row.Elsewhere == 403)
            {
                var elsewhere = await server.SendAsync(route.Method, target, body, await server.TokenForAsync(RightFor(route.Access), "aggregate:other:*"));
                Assert.True(elsewhere.Status == 403 && elsewhere.Code == "permission_denied", $"{key} elsewhere: {elsewhere.Status} {elsewhere.Body}");
            }
        }

        // Issuing those tokens is in the log, and nothing else is.
        var control = server.Owner.ReadFeed(size, 1000, includeControl: true).Items;
        Assert.All(control, item => Assert.Equal("token_issue", item.Control?.Kind));
    }

    [Fact]
    public async Task Every_route_answers_the_token_that_may()
    {
        await server.AppendAsync("m", "1", "e", """{"a":1}""");
        foreach (var route in Closed)
        {
            var row = Table[KeyOf(route)];
            if (row.Before is not null)
                await row.Before(server.Owner);
            var token = route.Access.IsRoot ? server.Root : await server.TokenForAsync(RightFor(route.Access));
            var body = row.Body ?? (route.Body == RestBody.Required ? $$"""{"token":"{{await server.TokenForAsync("*")}}"}""" : null);
            var target = row.Target.Contains("TOKEN", StringComparison.Ordinal) ? row.Target.Replace("TOKEN", await server.TokenForAsync("*"), StringComparison.Ordinal) : row.Target;
            var reply = await server.SendAsync(route.Method, target, body, token);
            Assert.True(reply.Status == row.Allowed, $"{KeyOf(route)}: {reply.Status} {reply.Body}");
            if (row.Elsewhere != 403)
            {
                // Somebody else: what one has staged oneself is shown, whatever the token reaches.
                var other = await server.IssueAsync(new() { Group = "team", User = "lee", Actions = [RightFor(route.Access)], Resources = ["aggregate:other:*"], TtlSeconds = 0 });
                var elsewhere = await server.SendAsync(route.Method, target, body, other);
                Assert.Equal(row.Elsewhere, elsewhere.Status);
                Assert.DoesNotContain("\"m\"", elsewhere.Body, StringComparison.Ordinal);
            }

            if (route.Method == "GET")
            {
                var head = await server.SendAsync("HEAD", target, null, token);
                Assert.Equal((reply.Status, ""), (head.Status, head.Body));
                // Of these the next answer may be longer: numbers and the log grow, and a newer checkpoint is signed.
                if (row.Target is not ("/metrics" or "/v1/events" or "/admin/status" or "/admin/tokens" or "/v1/log/checkpoint") && !row.Target.EndsWith("/events/1/proof", StringComparison.Ordinal))
                    Assert.Equal(reply["Content-Length"], head["Content-Length"]);
            }
        }
    }

    [Fact]
    public async Task A_token_with_any_byte_changed_is_refused()
    {
        await server.AppendAsync("m", "1", "e", """{"a":1}""");
        var good = await server.TokenForAsync("aggregate.read");
        Assert.Equal(200, (await server.GetAsync("/v1/aggregates/m/1", good)).Status);
        foreach (var token in Tampered(good, every: 1))
            Assert.Equal(401, (await server.GetAsync("/v1/aggregates/m/1", token)).Status);
    }

    [Fact]
    public async Task Open_routes_do_not_look_at_tokens()
    {
        foreach (var token in new[] { null, "nonsense", server.Root })
        {
            Assert.Equal(200, (await server.GetAsync("/health", token)).Status);
            Assert.Equal(200, (await server.GetAsync("/ready", token)).Status);
        }
    }

    [Theory]
    [InlineData("bearer", 200)]
    [InlineData("BEARER", 200)]
    [InlineData("Basic", 401)]
    [InlineData("Bearer,", 401)]
    public async Task The_scheme_is_Bearer_in_either_case(string scheme, int status) =>
        Assert.Equal(status, (await server.SendAsync("GET", "/v1/aggregates", token: null, headers: ("Authorization", $"{scheme} {server.Root}"))).Status);

    [Fact]
    public async Task A_token_sent_twice_is_refused()
    {
        var said = await server.SayAsync($"GET /v1/aggregates HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {server.Root}\r\nAuthorization: Bearer {server.Root}\r\nConnection: close\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 401 ", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_header_of_the_socket_means_nothing_on_the_port()
    {
        var reply = await server.SendAsync("GET", "/v1/aggregates", token: null, headers: ("X-EventDBX-User", "root"));
        Assert.Equal("unauthenticated", reply.Code);
    }

    [Fact]
    public async Task No_token_and_no_payload_gets_into_the_log_of_the_server()
    {
        var token = await server.TokenForAsync("aggregate.append");
        await server.SendAsync("POST", "/v1/events", """{"aggregate_type":"m","aggregate_id":"l","event_type":"e","payload":{"secret":"hush"}}""", token);
        await server.SendAsync("POST", "/v1/events", """{"secret":"hush"}""", token);
        lock (server.Lines)
        {
            Assert.Contains(server.Lines, line => line.Message.StartsWith("request method=POST route=/v1/events status=200 ", StringComparison.Ordinal));
            Assert.DoesNotContain(server.Lines, line => line.ToString().Contains("hush", StringComparison.Ordinal) || line.ToString().Contains(token[^20..], StringComparison.Ordinal));
        }
    }

    static IEnumerable<string> Tampered(string token, int every)
    {
        for (var at = 0; at < token.Length; at += every)
        {
            var changed = new StringBuilder(token);
            changed[at] = token[at] == 'A' ? 'B' : 'A';
            yield return changed.ToString();
        }
    }

    internal static string RightFor(RestAccess access) => access.Action is { } action ? AccessActions.NameOf(action) : "*.*";

    static string WrongFor(RestAccess access) => access.Action is not { } action ? "*.*" : action switch
    {
        AccessAction.AggregateRead => "feed.read",
        AccessAction.AggregateAppend => "aggregate.read",
        AccessAction.AggregateArchive => "aggregate.append",
        AccessAction.FeedRead => "aggregate.archive",
        AccessAction.LogRead => "aggregate.*",
        AccessAction.RecordsImport => "aggregate.append",
    };
}
