using System.Text;
using System.Text.Json;
using EventDbx.Server.Configuration;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.Admin;

/// <summary>Who did what, when and from where: in the log, by every way in.</summary>
public sealed class AuditTests : IAsyncLifetime
{
    readonly AdminServer _admin = new();

    public ValueTask InitializeAsync() => _admin.InitializeAsync();

    public ValueTask DisposeAsync() => _admin.DisposeAsync();

    static string Body(ControlRecord entry) => Encoding.UTF8.GetString(entry.Body.Span);

    async Task<List<JsonElement>> AuditAsync(string query) =>
        [.. (await _admin.Server.GetAsync($"/admin/audit{query}")).Json.GetProperty("items").EnumerateArray()];

    [Fact]
    public async Task Every_route_that_leaves_an_entry_says_from_where_it_was_asked()
    {
        await _admin.EnableAsync("key");
        var server = _admin.Server;
        await server.AppendAsync("t", "1", "e", "{}");
        var size = _admin.Host.Database.LogSize;
        (string Method, string Target, string? Body, string Kind)[] asked =
        [
            ("PUT", "/v1/aggregates/t/2", null, "create"), ("DELETE", "/v1/aggregates/t/2", null, "remove"), ("POST", "/v1/aggregates/t/1/archive", """{"comment":"x"}""", "archive"),
            ("POST", "/v1/aggregates/t/1/restore", null, "restore"), ("POST", "/v1/aggregates/t/1/snapshots", """{"comment":"y"}""", "snapshot"),
            ("POST", "/v1/imports", """{"lines":1,"appended":1,"known":0}""", "import"),
            ("POST", "/admin/schemas", """{"aggregate":"t","events":["e"]}""", "schema_change"), ("PATCH", "/admin/schemas/t", """{"change":"add_events","events":["f"]}""", "schema_change"),
            ("DELETE", "/admin/schemas/t/events/f", null, "schema_change"),
            ("POST", "/admin/tokens", """{"group":"g","user":"u","actions":["aggregate.read"]}""", "token_issue"),
            ("PUT", "/admin/plugins/p", """{"config":{"type":"log"}}""", "plugin_change"), ("DELETE", "/admin/schemas/none", null, ""),
        ];
        foreach (var (method, target, body, kind) in asked)
        {
            var reply = await server.SendAsync(method, target, body);
            Assert.True(kind.Length == 0 || reply.Status < 300, $"{method} {target}: {reply.Body}");
        }

        var entries = _admin.Entries().Where(entry => entry.Position > size && entry.Kind != "config_change").ToList();
        Assert.Equal(asked.Select(one => one.Kind).Where(kind => kind.Length > 0), entries.Select(entry => entry.Kind));
        Assert.All(entries, entry => Assert.Equal("rest 127.0.0.1", entry.From));
        Assert.Equal("""{"comment":"x","from":"rest 127.0.0.1"}""", Body(entries[2]));
        Assert.Equal("""{"from":"rest 127.0.0.1"}""", Body(entries[3]));

        // By the other doors.
        Assert.Equal(201, (await _admin.AskAsync("POST", "/admin/tokens", """{"group":"g","user":"u","root":true}""")).Status);
        Assert.Equal(("admin 127.0.0.1", "admin", "token_issue"), _admin.Entries()[^1] is var last ? (last.From, last.Actor!.Group, last.Kind) : default);
        Assert.Contains("\"issued_by\":\"admin\"", Body(_admin.Entries()[^1]), StringComparison.Ordinal);

        // What the entries say besides is still compared with what they led to.
        var verified = await server.Owner.VerifyAllAsync(null, TestContext.Current.CancellationToken);
        Assert.Equal(_admin.Host.Database.LogSize, verified.LogSize);
    }

    [Fact]
    public async Task The_audit_is_filtered_by_kind_subject_actor_time_and_place()
    {
        var server = _admin.Server;
        await server.AppendAsync("t", "1", "e", "{}");
        var revoked = await server.TokenForAsync("aggregate.read");
        var before = Timestamp.From(server.Clock.GetUtcNow());
        server.Clock.Advance(TimeSpan.FromMinutes(1));
        var one = await server.PostAsync("/admin/tokens/revoke", $$"""{"token":"{{revoked}}","reason":"lost"}""");
        await server.SendAsync("PUT", "/v1/aggregates/t/a%2Fb");

        Assert.Equal(["token_issue", "token_issue", "token_revoke", "create"], (await AuditAsync("")).Select(Kind));
        Assert.Equal(["token_revoke", "create"], (await AuditAsync("?kind=token_revoke,create")).Select(Kind));
        Assert.Equal(["create"], (await AuditAsync("?subject=t/a%252Fb")).Select(Kind));
        Assert.Equal(["token_issue", "token_revoke"], (await AuditAsync($"?subject={one.Json.GetProperty("jti").GetString()}")).Select(Kind));
        Assert.Equal(["token_issue", "token_issue"], (await AuditAsync("?group=cli&user=owner")).Select(Kind));
        Assert.Equal(["token_revoke", "create"], (await AuditAsync("?user=root")).Select(Kind));
        Assert.Equal(["token_revoke", "create"], (await AuditAsync($"?since={before}")).Select(Kind));
        Assert.Equal(["token_issue", "token_issue"], (await AuditAsync($"?until={before}")).Select(Kind));
        Assert.Empty(await AuditAsync("?kind=archive"));

        var page = (await server.GetAsync("/admin/audit?take=2")).Json;
        Assert.False(page.GetProperty("end").GetBoolean());
        var rest = (await server.GetAsync($"/admin/audit?after={page.GetProperty("after").GetUInt64()}")).Json;
        Assert.Equal(["token_revoke", "create"], rest.GetProperty("items").EnumerateArray().Select(Kind));
        Assert.True(rest.GetProperty("end").GetBoolean());

        static string? Kind(JsonElement item) => item.GetProperty("kind").GetString();
    }

    [Theory]
    [InlineData("?kinds=create", "unknown_member")]
    [InlineData("?kind=create,,remove", "invalid_argument")]
    [InlineData("?kind=create,nope", "invalid_argument")]
    [InlineData("?after=x", "invalid_argument")]
    [InlineData("?since=yesterday", "invalid_argument")]
    public async Task A_question_that_would_be_misunderstood_is_refused(string query, string code) =>
        Assert.Equal(code, (await _admin.Server.GetAsync($"/admin/audit{query}")).Code);

    [Fact]
    public async Task A_kind_that_there_is_not_is_refused_with_the_nearest_and_all_there_are()
    {
        var slip = await _admin.Server.GetAsync("/admin/audit?kind=token_isue");
        Assert.Equal(400, slip.Status);
        Assert.Contains("did you mean `token_issue`?", slip.Json.GetProperty("message").GetString(), StringComparison.Ordinal);
        foreach (var kind in ControlKinds.All)
        {
            Assert.Contains(kind, slip.Body, StringComparison.Ordinal);
            Assert.Equal(200, (await _admin.Server.GetAsync($"/admin/audit?kind={kind}")).Status);
            Assert.Contains($"`{kind}`", await File.ReadAllTextAsync(Path.Combine(Checkout.Root, "docs", "rest.md"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
        }
    }

    [Theory]
    [InlineData("""{"group":"g","user":"u"}""", false)]
    [InlineData("""{"group":"g","user":"u","actions":[]}""", false)]
    [InlineData("""{"group":"g","user":"u","root":false,"resources":["aggregate:t"]}""", false)]
    [InlineData("""{"group":"g","user":"u","actions":["aggregate.read"]}""", true)]
    [InlineData("""{"group":"g","user":"u","root":true}""", true)]
    public async Task A_token_that_is_asked_for_from_afar_names_its_actions(string body, bool taken)
    {
        var count = _admin.Entries("token_issue").Count;
        var reply = await _admin.Server.PostAsync("/admin/tokens", body);

        Assert.Equal(taken ? 201 : 400, reply.Status);
        Assert.Equal(taken, !reply.Body.Contains("actions must be provided for non-root tokens", StringComparison.Ordinal));
        Assert.Equal(count + (taken ? 1 : 0), _admin.Entries("token_issue").Count);
    }

    [Fact]
    public async Task Each_item_has_the_hash_that_is_its_leaf_and_what_the_feed_says_of_it()
    {
        await _admin.Server.SendAsync("PUT", "/v1/aggregates/t/1");
        await _admin.Server.AppendAsync("t", "1", "e", "{}");

        var items = await AuditAsync("");
        var feed = (await _admin.Server.GetAsync("/v1/events?include=control")).Json.GetProperty("items").EnumerateArray().Where(item => item.TryGetProperty("control", out _)).Select(item => item.GetProperty("control")).ToList();
        var tile = _admin.Server.Owner.ReadTile(0, 0, (int)_admin.Host.Database.LogSize);
        Assert.Equal(feed.Select(control => control.GetProperty("hash").GetString()), items.Select(item => item.GetProperty("hash").GetString()));
        Assert.Equal(feed.Select(control => control.GetProperty("body").GetRawText()), items.Select(item => item.GetProperty("body").GetRawText()));
        foreach (var item in items)
            Assert.Equal(Convert.ToHexStringLower(tile.AsSpan(32 * (item.GetProperty("position").GetInt32() - 1), 32)), item.GetProperty("hash").GetString());
    }

    [Fact]
    public async Task Settings_that_changed_are_named_and_their_values_are_not_however_they_were_changed()
    {
        Assert.Empty(_admin.Entries("config_change"));
        await _admin.EnableAsync("key");
        await AdminServer.UntilAsync(() => _admin.Entries("config_change").Count == 1);
        await _admin.SetAsync(config => config with { AdminMasterKeyHash = AdminServer.HashOf("other") });
        await AdminServer.UntilAsync(() => _admin.Entries("config_change").Count == 2);
        // By hand, and while no server runs.
        await _admin.Server.Host.DisposeAsync();
        await File.AppendAllTextAsync(_admin.Server.ConfigPath, $"\n[remotes.evil]\nendpoint = \"tcp://192.0.2.66:6363\"\npublic_key = \"{Convert.ToBase64String(new byte[32])}\"\n", TestContext.Current.CancellationToken);
        await _admin.SetAsync(config => config with { AdminMasterKeyHash = null, ListPageSize = 7 });
        await _admin.Server.StartAsync();

        var entries = _admin.Entries("config_change");
        Assert.Equal(
            [
                """{"changed":["admin.enabled","admin.port"],"set":["admin.master_key_hash"],"cleared":[],"from":"server"}""",
                """{"changed":["admin.master_key_hash"],"set":[],"cleared":[],"from":"server"}""",
                """{"changed":["list_page_size"],"set":["remotes.evil"],"cleared":["admin.master_key_hash"],"from":"server"}""",
            ],
            entries.Select(Body));
        Assert.All(entries, entry => Assert.Equal(("config.toml", new Actor("server", "server")), (entry.Subject, entry.Actor)));

        // Nothing has changed since, so nothing is said.
        await _admin.Server.Host.DisposeAsync();
        await _admin.Server.StartAsync();
        Assert.Equal(3, _admin.Entries("config_change").Count);
    }

    [Fact]
    public async Task A_remote_that_was_put_has_its_own_entry_and_no_other()
    {
        await _admin.EnableAsync("key");
        await AdminServer.UntilAsync(() => _admin.Entries("config_change").Count == 1);
        for (var i = 0; i < 5; i++)
            Assert.Equal(201, (await _admin.AskAsync("PUT", $"/admin/remotes/r{i}", $$"""{"endpoint":"192.0.2.{{i}}","public_key":"{{"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}}"}""")).Status);
        await _admin.SetAsync(config => config with { ListPageSize = 7 });
        await AdminServer.UntilAsync(() => _admin.Entries("config_change").Count == 2);

        Assert.Equal("""{"changed":["list_page_size"],"set":[],"cleared":[],"from":"server"}""", Body(_admin.Entries("config_change")[1]));
    }

    [Fact]
    public async Task The_configuration_is_shown_with_its_secrets_hidden_whoever_asks()
    {
        await _admin.EnableAsync("key");
        await _admin.SetAsync(config => config with { AuthSecret = "canary-secret", DataEncryptionKey = Convert.ToBase64String(new byte[32]) });

        var shown = await _admin.AskAsync("GET", "/admin/config");

        Assert.Equal(200, shown.Status);
        Assert.Equal(50, shown.Json.GetProperty("page_limit").GetInt32());
        Assert.Equal(ConfigFile.Hidden, shown.Json.GetProperty("auth").GetProperty("secret").GetString());
        Assert.Equal(ConfigFile.Hidden, shown.Json.GetProperty("data_encryption_key").GetString());
        Assert.DoesNotContain("canary", shown.Body, StringComparison.Ordinal);
        Assert.DoesNotContain("argon2", shown.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tokens_are_managed_by_what_stands_in_the_path()
    {
        await _admin.EnableAsync("key");
        var issued = await _admin.AskAsync("POST", "/admin/tokens", """{"group":"ops","user":"cron","actions":["aggregate.append"]}""");
        var (token, jti) = (issued.Json.GetProperty("token").GetString()!, issued.Json.GetProperty("jti").GetString()!);
        Assert.Equal((201, "admin"), (issued.Status, issued.Json.GetProperty("issued_by").GetString()));

        var refreshed = await _admin.AskAsync("POST", $"/admin/tokens/{token}/refresh", """{"ttl_secs":60}""");
        var again = await _admin.AskAsync("POST", $"/admin/tokens/{jti}/refresh", "{}");
        var unknown = await _admin.AskAsync("POST", $"/admin/tokens/{Guid.NewGuid()}/revoke");
        var revoked = await _admin.AskAsync("POST", $"/admin/tokens/{refreshed.Json.GetProperty("jti").GetString()}/revoke");
        var reason = await _admin.AskAsync("POST", $"/admin/tokens/{refreshed.Json.GetProperty("jti").GetString()}/revoke", """{"reason":"over"}""");
        var misspelt = await _admin.AskAsync("POST", $"/admin/tokens/{jti}/revoke", """{"reson":"over"}""");

        Assert.Equal((200, 401, 401, 204, 204, 400), (refreshed.Status, again.Status, unknown.Status, revoked.Status, reason.Status, misspelt.Status));
        Assert.Equal("", revoked.Body);
        Assert.Equal(401, (await _admin.Server.GetAsync("/v1/aggregates", refreshed.Json.GetProperty("token").GetString())).Status);
        Assert.Contains("\"reason\":\"over\"", Body(_admin.Entries("token_revoke")[^1]), StringComparison.Ordinal);
        lock (_admin.Server.Lines)
            Assert.DoesNotContain(_admin.Server.Lines, line => line.Message.Contains(token, StringComparison.Ordinal) || line.Message.Contains(jti, StringComparison.Ordinal));
    }
}
