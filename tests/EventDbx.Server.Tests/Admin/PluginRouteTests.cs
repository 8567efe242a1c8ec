using System.Text.Json;
using EventDbx.Server.Tests.Link;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.Admin;

/// <summary>The routes of plugins and of the queue, beyond what <see cref="PeerRouteTests"/> has of setting them up.</summary>
public sealed class PluginRouteTests(RestServer server) : IClassFixture<RestServer>
{
    [Theory]
    [InlineData("POST", "/admin/plugins/trail/enable?from=yesterday", null, 400, "invalid_argument", "`from` is now, start or")]
    [InlineData("POST", "/admin/plugins/trail/enable?from=99999999", null, 400, "invalid_argument", "99999999")]
    [InlineData("POST", "/admin/plugins/trail/enable?form=now", null, 400, "unknown_member", "did you mean `from`")]
    [InlineData("POST", "/admin/plugins/trial/enable", null, 404, "not_found", "did you mean `trail`")]
    [InlineData("PUT", "/admin/plugins/trail?check=maybe", """{"config":{"type":"log"}}""", 400, "invalid_argument", "true or false")]
    [InlineData("POST", "/admin/plugins/none/test", null, 404, "not_found", "none")]
    [InlineData("POST", "/admin/plugins/none/replay", """{"aggregate_type":"t"}""", 404, "not_found", "no enabled plugin named 'none'")]
    [InlineData("POST", "/admin/plugins/trail/replay", "{}", 400, "invalid_argument", "`aggregate_type` is missing")]
    [InlineData("POST", "/admin/plugins/trail/replay", """{"aggregate_typ":"t"}""", 400, "unknown_member", "aggregate_type")]
    [InlineData("POST", "/admin/plugins/trail/replay", """{"aggregate_type":"t","aggregate_id":".."}""", 400, "invalid_name", "..")]
    [InlineData("GET", "/admin/queue?plugin=none", null, 404, "not_found", "none")]
    [InlineData("GET", "/admin/queue?take=some", null, 400, "invalid_argument", "whole number")]
    [InlineData("POST", "/admin/queue/retry", """{"event_id":"no"}""", 400, "invalid_argument", "no")]
    [InlineData("POST", "/admin/queue/retry", """{"plugin":"none"}""", 404, "not_found", "none")]
    [InlineData("POST", "/admin/queue/retry", """{"plugn":"trail"}""", 400, "unknown_member", "plugin")]
    [InlineData("POST", "/admin/queue/clear", """{"plugin":"none"}""", 404, "not_found", "none")]
    [InlineData("POST", "/admin/queue/clear", """{"event_id":"01890a5d-ac96-774b-bcce-b302099a8057"}""", 400, "unknown_member", "event_id")]
    [InlineData("GET", "/admin/plugins/test", null, 405, "method_not_allowed", "POST")]
    public async Task What_cannot_be_done_is_refused_before_anything_is_answered(string method, string target, string? body, int status, string code, string why)
    {
        Assert.InRange((await server.SendAsync("PUT", "/admin/plugins/trail", """{"config":{"type":"log"}}""")).Status, 200, 201);

        var reply = await server.SendAsync(method, target, body);

        Assert.True((status, code) == (reply.Status, reply.Code), reply.Body);
        Assert.Contains(why, reply.Json.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_plugin_begins_where_it_is_told_to_and_says_whether_anything_changed()
    {
        await server.AppendAsync("begun", "1", "e", "{}");
        await server.AppendAsync("begun", "1", "e", "{}");
        Assert.Equal(201, (await server.SendAsync("PUT", "/admin/plugins/begins", """{"enabled":false,"config":{"type":"log"}}""")).Status);
        Assert.Equal(JsonValueKind.Null, (await StatusAsync("begins")).GetProperty("position").ValueKind);

        var disabled = await server.SendAsync("POST", "/admin/plugins/begins/disable");
        var enabled = await server.SendAsync("POST", "/admin/plugins/begins/enable?from=1");
        var again = await server.SendAsync("POST", "/admin/plugins/begins/enable");

        Assert.Equal("""{"enabled":false,"name":"begins","config":{"type":"log","level":"info","template":null},"changed":false}""", disabled.Body);
        Assert.Equal((true, false), (enabled.Json.GetProperty("changed").GetBoolean(), again.Json.GetProperty("changed").GetBoolean()));
        await UntilAsync(async () => (await StatusAsync("begins")) is var now && now.GetProperty("lag").GetUInt64() == 0 && now.GetProperty("state").GetString() == "running");
        Assert.Equal(200, (await server.SendAsync("POST", "/admin/plugins/begins/disable")).Status);
        Assert.Equal("disabled", (await StatusAsync("begins")).GetProperty("state").GetString());
        Assert.Equal(204, (await server.SendAsync("DELETE", "/admin/plugins/begins")).Status);
    }

    [Fact]
    public async Task A_plugin_that_is_not_there_is_enabled_without_the_check_alone_and_is_down_then()
    {
        // Nobody listens on port 1.
        const string body = """{"config":{"type":"tcp","host":"127.0.0.1","port":1}}""";
        Assert.Equal(400, (await server.SendAsync("PUT", "/admin/plugins/away", body)).Status);
        Assert.Equal(400, (await server.SendAsync("PUT", "/admin/plugins/away?check=true", body)).Status);
        Assert.Equal(201, (await server.SendAsync("PUT", "/admin/plugins/away?check=false", body)).Status);
        await server.AppendAsync("away", "1", "e", "{}");

        await UntilAsync(async () => (await StatusAsync("away")).GetProperty("state").GetString() == "down");

        var down = await StatusAsync("away");
        Assert.True(down.GetProperty("lag").GetUInt64() >= 1);
        Assert.NotEqual(JsonValueKind.Null, down.GetProperty("last_error").ValueKind);
        Assert.NotEqual(JsonValueKind.Null, down.GetProperty("next_attempt_at").ValueKind);
        Assert.Equal(0, (await server.SendAsync("GET", "/admin/queue?plugin=away")).Json.GetProperty("pending").GetInt32());
        Assert.Equal(200, (await server.SendAsync("POST", "/admin/plugins/away/disable")).Status);
        Assert.Equal(204, (await server.SendAsync("DELETE", "/admin/plugins/away")).Status);
    }

    [Fact]
    public async Task A_replay_ends_at_the_first_event_that_is_not_taken_and_its_last_line_says_so()
    {
        await using var hook = new PostReceiver { Refuses = "poison" };
        await server.AppendAsync("replayed", "1", "e", """{"a":1}""");
        await server.AppendAsync("replayed", "2", "e", """{"poison":true}""");
        await server.AppendAsync("replayed", "3", "e", """{"a":3}""");
        Assert.Equal(201, (await server.SendAsync("PUT", "/admin/plugins/replays", $$$"""{"config":{"type":"http","endpoint":"127.0.0.1:{{{hook.Port}}}/e"}}""")).Status);

        var failed = await server.SendAsync("POST", "/admin/plugins/replays/replay", """{"aggregate_type":"replayed"}""");
        hook.Refuses = null;
        var done = await server.SendAsync("POST", "/admin/plugins/replays/replay", """{"aggregate_type":"replayed"}""");

        Assert.Equal((200, "application/x-ndjson"), (failed.Status, failed["Content-Type"]));
        var lines = failed.Body.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(2, lines.Length);
        Assert.Equal("""{"aggregate_type":"replayed","aggregate_id":"1","version":1,"done":true}""", lines[0]);
        Assert.Contains("422", JsonDocument.Parse(lines[1]).RootElement.GetProperty("error").GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.EndsWith("{\"result\":{\"aggregates\":3}}\n", done.Body, StringComparison.Ordinal);
        Assert.Equal(4, hook.Posts.Count);
        Assert.Equal(200, (await server.SendAsync("POST", "/admin/plugins/replays/disable")).Status);
        Assert.Equal(204, (await server.SendAsync("DELETE", "/admin/plugins/replays")).Status);
    }

    async Task<JsonElement> StatusAsync(string name) =>
        (await server.SendAsync("GET", "/admin/plugins")).Json.EnumerateArray().Single(plugin => plugin.GetProperty("name").GetString() == name);

    /// <summary>Waits for what the server does by itself.</summary>
    static async Task UntilAsync(Func<Task<bool>> condition)
    {
        using var late = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!await condition())
            await Task.Delay(TimeSpan.FromMilliseconds(10), late.Token);
    }
}
