using System.Globalization;
using System.Text.Json;

namespace EventDbx.Server.Tests.Rest;

/// <summary>The life of aggregates, verification, transfer, tokens and status.</summary>
public class LifecycleTests(RestServer server) : IClassFixture<RestServer>
{
    [Fact]
    public async Task An_aggregate_is_created_removed_archived_and_restored()
    {
        const string Url = "/v1/aggregates/life/1";
        var before = server.Host.Database.LogSize;
        var created = await server.SendAsync("PUT", Url, """{"comment":"first"}""");
        Assert.Equal((201, "\"0\"", 0, "{}"), (created.Status, created["ETag"], created.Json.GetProperty("version").GetInt32(), created.Json.GetProperty("state").GetRawText()));
        Assert.Equal((409, "already_exists"), (await server.SendAsync("PUT", Url)) is var twice ? (twice.Status, twice.Code) : default);
        var removed = await server.SendAsync("DELETE", Url);
        Assert.Equal((204, ""), (removed.Status, removed.Body));
        Assert.Equal((404, "not_found"), (await server.SendAsync("DELETE", Url)) is var gone ? (gone.Status, gone.Code) : default);
        await server.AppendAsync("life", "1", "e", """{"a":1}""");
        Assert.Equal((409, "not_empty"), (await server.SendAsync("DELETE", Url)) is var full ? (full.Status, full.Code) : default);
        var archived = await server.PostAsync(Url + "/archive", """{"comment":"done"}""");
        Assert.Equal((200, "\"1a\"", true), (archived.Status, archived["ETag"], archived.Json.GetProperty("archived").GetBoolean()));
        Assert.Equal("\"1a\"", (await server.SendAsync("POST", Url + "/archive"))["ETag"]);
        Assert.Equal("""{"a":"1"}""", (await server.GetAsync(Url)).Json.GetProperty("state").GetRawText());
        var restored = await server.SendAsync("POST", Url + "/restore");
        Assert.Equal((200, "\"1\"", false), (restored.Status, restored["ETag"], restored.Json.GetProperty("archived").GetBoolean()));
        Assert.Equal("not_found", (await server.SendAsync("POST", "/v1/aggregates/life/none/archive")).Code);
        var kinds = (await server.GetAsync($"/v1/events?after={before}&include=control&type=none")).Json.GetProperty("items").EnumerateArray()
            .Select(item => item.GetProperty("control")).Where(entry => entry.GetProperty("subject").GetString() == "life/1").Select(entry => entry.GetProperty("kind").GetString());
        Assert.Equal(["create", "remove", "archive", "restore"], kinds);
    }

    [Fact]
    public async Task Who_may_archive_and_not_read_is_answered_without_the_state_and_a_reader_with_it()
    {
        const string Url = "/v1/aggregates/life/2";
        await server.AppendAsync("life", "2", "e", """{"a":1}""");
        var token = await server.TokenForAsync("aggregate.archive");
        Assert.Equal("permission_denied", (await server.GetAsync(Url, token)).Code);

        foreach (var (verb, status) in ((string, int)[])[("restore", 200), ("snapshots", 201), ("archive", 200)])
        {
            var reply = await server.SendAsync("POST", $"{Url}/{verb}", token: token);
            Assert.Equal((status, 1), (reply.Status, reply.Json.GetProperty("version").GetInt32()));
            Assert.False(reply.Json.TryGetProperty("state", out _), reply.Body);
        }

        var both = await server.IssueAsync(new() { Group = "team", User = "kim", Actions = ["aggregate.archive", "aggregate.read"], TtlSeconds = 0 });
        Assert.Equal("""{"a":"1"}""", (await server.SendAsync("POST", $"{Url}/restore", token: both)).Json.GetProperty("state").GetRawText());
    }

    [Fact]
    public async Task An_aggregate_is_verified_quick_and_full()
    {
        for (var i = 0; i < 5; i++)
            await server.AppendAsync("verify", "1", "e", $$"""{"i":{{i}}}""");
        var state = (await server.GetAsync("/v1/aggregates/verify/1")).Json;
        var full = await server.GetAsync("/v1/aggregates/verify/1/verify");
        Assert.Equal($$"""{"merkle_root":"{{state.GetProperty("merkle_root").GetString()}}","version":5,"archived":false,"events_checked":5}""", full.Body);
        var quick = (await server.GetAsync("/v1/aggregates/verify/1/verify?level=quick")).Json;
        Assert.Equal((1, full.Json.GetProperty("merkle_root").GetString()), (quick.GetProperty("events_checked").GetInt32(), quick.GetProperty("merkle_root").GetString()));
        Assert.Equal("not_found", (await server.GetAsync("/v1/aggregates/verify/none/verify")).Code);
    }

    [Fact]
    public async Task Everything_is_verified_in_lines_that_end_with_the_result()
    {
        await server.AppendAsync("verify", "2", "e", "{}");
        var reply = await server.SendAsync("POST", "/v1/verify");
        Assert.Equal((200, "application/x-ndjson"), (reply.Status, reply["Content-Type"]));
        var lines = reply.Body.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonDocument.Parse(line).RootElement).ToArray();
        Assert.All(lines[..^1], line => Assert.Equal(["phase", "done", "total"], line.EnumerateObject().Select(member => member.Name)));
        Assert.Equal(
            ["log_size", "log_root", "events", "control_entries", "aggregates", "archived", "client_ids", "fold_points", "snapshots", "tiles", "payloads_checked", "checkpoints", "checkpoints_of_lost_entries", "checkpoint_signatures_checked", "newest_checkpoint", "watermark_size", "seconds"],
            lines[^1].GetProperty("result").EnumerateObject().Select(member => member.Name));
        Assert.Equal(server.Host.Status().LogSize, lines[^1].GetProperty("result").GetProperty("log_size").GetUInt64());
    }

    [Fact]
    public async Task A_verify_that_was_interrupted_is_gone_on_with_when_asked()
    {
        await server.AppendAsync("verify", "3", "e", "{}");
        var status = server.Host.Status();
        var documents = server.Host.Database.Documents;
        Assert.True(documents.TryReplace(
            "verify.progress",
            System.Text.Encoding.UTF8.GetBytes($$"""
                {"format":"eventdbx-verify-progress/1","database_id":"{{status.DatabaseId}}","epoch":1,"started_at":"2026-01-02T03:04:05Z","saved_at":"2026-01-02T03:05:05Z",
                 "log_size":{{status.LogSize}},"log_root":"{{status.LogRoot}}","aggregate_type":"verify","aggregate_id":"3","aggregates":1,"events":1}
                """),
            documents.Read("verify.progress")));
        var reply = await server.SendAsync("POST", "/v1/verify?resume=true");
        var resumed = JsonDocument.Parse(reply.Body.TrimEnd('\n').Split('\n')[^1]).RootElement.GetProperty("result").GetProperty("resumed");
        Assert.Equal(["started_at", "saved_at", "log_size", "log_root", "aggregate_type", "aggregate_id", "aggregates", "events"], resumed.EnumerateObject().Select(member => member.Name));
        Assert.Equal((status.LogRoot, "3"), (resumed.GetProperty("log_root").GetString(), resumed.GetProperty("aggregate_id").GetString()));
        Assert.DoesNotContain("resumed", (await server.SendAsync("POST", "/v1/verify?resume=true")).Body, StringComparison.Ordinal);
        Assert.Equal("invalid_argument", (await server.SendAsync("POST", "/v1/verify?resume=yes")).Code);
    }

    [Fact]
    public async Task Records_keep_their_identity()
    {
        const string Record = """
            {"aggregate_type":"rec","aggregate_id":"1","event_type":"e","payload":{"a":1},"metadata":{"event_id":"01890a5d-ac96-774b-bcce-b302099a8099",
             "created_at":"2020-01-01T00:00:00Z","issued_by":{"group":"old","user":"system"},"note":"moved"},"version":1,"ours":"ignored"}
            """;
        var before = server.Host.Database.LogSize;
        var reply = await server.PostAsync("/v1/records", $$"""{"records":[{{Record}}]}""");
        var metadata = reply.Json.GetProperty("events")[0].GetProperty("metadata");
        Assert.Equal("""{"event_id":"01890a5d-ac96-774b-bcce-b302099a8099","created_at":"2020-01-01T00:00:00Z","issued_by":{"group":"old","user":"system"},"note":"moved"}""", metadata.GetRawText());
        Assert.Equal("""{"count":1,"known":[0]}""", (await server.PostAsync("/v1/records", $$"""{"records":[{{Record}}]}""", ("Prefer", "return=minimal"))).Body);
        var bad = await server.PostAsync("/v1/records", $$"""{"records":[{{Record}},{{Record.Replace("\"01890a5d-", "\"x", StringComparison.Ordinal)}}]}""");
        Assert.Equal((400, "invalid_argument", 1), (bad.Status, bad.Code, bad.Json.GetProperty("operation").GetInt32()));
        Assert.Equal(204, (await server.PostAsync("/v1/imports", """{"lines":2,"appended":1,"known":1}""")).Status);
        var import = (await server.GetAsync($"/v1/events?after={before}&include=control&type=none")).Json.GetProperty("items").EnumerateArray()
            .Select(item => item.GetProperty("control")).Last(entry => entry.GetProperty("kind").GetString() == "import");
        Assert.Equal("""{"lines":2,"appended":1,"known":1,"from":"rest 127.0.0.1"}""", import.GetProperty("body").GetRawText());
    }

    [Fact]
    public async Task Tokens_are_issued_listed_replaced_and_revoked()
    {
        var issued = await server.PostAsync("/admin/tokens", """{"group":"team","user":"kim","actions":["aggregate.read"],"resources":["aggregate:life:*"],"ttl_secs":600}""");
        Assert.Equal((201, "no-store"), (issued.Status, issued["Cache-Control"]));
        var token = issued.Json.GetProperty("token").GetString()!;
        Assert.Equal(200, (await server.GetAsync("/v1/aggregates", token)).Status);
        var jti = issued.Json.GetProperty("jti").GetString()!;
        var list = await server.GetAsync("/admin/tokens");
        var listed = Assert.Single(list.Json.EnumerateArray(), item => item.GetProperty("jti").GetString() == jti);
        Assert.False(listed.TryGetProperty("token", out _));
        var refreshed = await server.PostAsync("/admin/tokens/refresh", $$"""{"token":"{{jti}}"}""");
        Assert.Equal(201, refreshed.Status);
        Assert.Equal("unauthenticated", (await server.GetAsync("/v1/aggregates", token)).Code);
        var next = refreshed.Json.GetProperty("token").GetString()!;
        Assert.Equal(200, (await server.GetAsync("/v1/aggregates", next)).Status);
        var revoked = await server.PostAsync("/admin/tokens/revoke", $$"""{"token":"{{next}}","reason":"left"}""");
        Assert.Equal((200, true), (revoked.Status, revoked.Json.GetProperty("revoked").GetBoolean()));
        Assert.Equal("unauthenticated", (await server.GetAsync("/v1/aggregates", next)).Code);
    }

    [Fact]
    public async Task The_status_is_what_the_host_says()
    {
        var status = ServerStatus.Read((await server.GetAsync("/admin/status")).Json);
        Assert.Equal(
            (server.Host.Port, Environment.ProcessId, "2.1.0-test", Exposure.Loopback, false, Path.GetFullPath(server.DataDir)),
            (status.Port, status.Pid, status.Version, status.Exposure, status.Encryption, status.DataDir));
        Assert.Equal([$"http://127.0.0.1:{server.Host.Port.ToString(CultureInfo.InvariantCulture)}", $"unix:{server.SocketPath}"], status.Addresses);
        Assert.True(status.Connections > 0);
        Assert.Null(status.Unhealthy);
        Assert.Equal((Restriction.Default, Durability.Sync, server.Host.Database.DatabaseId, 1U), (status.Restriction, status.Durability, status.DatabaseId, status.Epoch));
        using var other = JsonDocument.Parse("""{"version":"x"}""");
        Assert.Throws<FormatException>(() => ServerStatus.Read(other.RootElement));
    }

    [Fact]
    public async Task A_page_ends_at_four_mebibytes_and_comes_in_pieces()
    {
        var large = JsonSerializer.Serialize(new string('x', 900_000));
        for (var i = 0; i < 6; i++)
            await server.AppendAsync("large", "l", "e", $$"""{"text":{{large}}}""");
        var reply = await server.GetAsync("/v1/aggregates/large/l/events");
        Assert.Equal(5, reply.Json.GetArrayLength());
        Assert.NotNull(reply["X-Next-Cursor"]);
        Assert.Null(reply["Content-Length"]);
    }

    [Fact]
    public async Task A_strict_server_refuses_what_has_no_schema()
    {
        await using var strict = new RestServer(options => options with { Restriction = Restriction.Strict });
        await strict.InitializeAsync();
        var reply = await strict.PostAsync("/v1/events", """{"aggregate_type":"a","aggregate_id":"1","event_type":"e","payload":{}}""");
        Assert.Equal((400, "schema_violation"), (reply.Status, reply.Code));
    }

    [Fact]
    public async Task A_cursor_from_before_a_loss_is_gone_and_says_where_the_histories_part()
    {
        await using var damaged = new RestServer();
        await damaged.InitializeAsync();
        await damaged.AppendAsync("a", "1", "e", "{}");
        await damaged.AppendAsync("a", "1", "e", "{}");
        var size = damaged.Host.Database.LogSize;
        await damaged.Host.StopAsync(TimeSpan.FromSeconds(5));
        File.Delete(Path.Combine(damaged.DataDir, "watermark"));
        var report = EventDbx.Recovery.StoreRecovery.AcceptLoss(new() { Directory = damaged.DataDir, Encrypted = false });
        Assert.Equal(size, report.Kept);
        await damaged.StartAsync();
        var within = await damaged.GetAsync($"/v1/events?after=1-{size - 1}");
        Assert.Equal((410, "cursor_gone"), (within.Status, within.Code));
        Assert.Contains($"part behind position {size}", within.Body, StringComparison.Ordinal);
        Assert.Contains($"go on at 2-{size - 1}", within.Body, StringComparison.Ordinal);
        Assert.Contains($"go on at 2-{size} ", (await damaged.GetAsync($"/v1/events?after=1-{size + 5}")).Body, StringComparison.Ordinal);
        Assert.Equal(200, (await damaged.GetAsync($"/v1/events?after=2-{size - 1}")).Status);
        Assert.Equal(200, (await damaged.GetAsync($"/v1/events?after={size - 1}")).Status);
        // Who may not read the feed does not learn where the histories part.
        Assert.Equal("permission_denied", (await damaged.GetAsync("/v1/events?after=1-1", await damaged.TokenForAsync("aggregate.append"))).Code);
    }
}
