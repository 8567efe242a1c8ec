using System.Text.Json;

namespace EventDbx.Server.Tests.Admin;

/// <summary>Who may push to this node, or pull from it, over the Admin API: taken, refused, kept, and in the log.</summary>
public sealed class AllowedRouteTests : IAsyncLifetime
{
    const string Key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    readonly AdminServer _admin = new();

    public async ValueTask InitializeAsync()
    {
        await _admin.InitializeAsync();
        await _admin.EnableAsync("key");
    }

    public ValueTask DisposeAsync() => _admin.DisposeAsync();

    [Fact]
    public async Task Who_may_come_is_put_changed_listed_and_denied_by_name_or_key()
    {
        const string slash = "/admin/replication/allowed/";
        var put = await _admin.AskAsync("PUT", slash + "east", $$"""{"public_key":"{{Key}}","push":true}""");
        var changed = await _admin.AskAsync("PUT", slash + "east", $$"""{"public_key":"{{Key}}","push":true,"pull":true}""");
        var kept = await _admin.AskAsync("PUT", slash + "east?create=true", $$"""{"public_key":"{{Key}}","pull":true}""");
        var under = await _admin.AskAsync("PUT", slash + "other", $$"""{"public_key":"{{Key.TrimEnd('=')}}","pull":true}""");
        var listed = await _admin.AskAsync("GET", "/admin/replication/allowed");
        var config = await _admin.AskAsync("GET", "/admin/config");
        var denied = await _admin.AskAsync("DELETE", slash + Uri.EscapeDataString(Key.TrimEnd('=')));
        var gone = await _admin.AskAsync("DELETE", slash + "east");

        Assert.Equal((201, $$"""{"public_key":"{{Key}}","push":true,"pull":false}"""), (put.Status, put.Body));
        Assert.Equal((200, 409, 409, 200, 404), (changed.Status, kept.Status, under.Status, denied.Status, gone.Status));
        Assert.Equal($$$"""{"east":{"public_key":"{{{Key}}}","push":true,"pull":true}}""", listed.Body);
        Assert.True(config.Json.GetProperty("replication").GetProperty("allow").GetProperty("east").GetProperty("pull").GetBoolean());
        Assert.Equal($$"""{"name":"east","public_key":"{{Key}}","push":true,"pull":true}""", denied.Body);
        Assert.Empty(_admin.Saved.ReplicationAllow);
        Assert.Equal(["allowed", "allowed_anew", "denied"], _admin.Entries("remote_change").Select(Action));
    }

    [Theory]
    [InlineData("p", """{"public_key":"KEY"}""", "invalid_argument", "neither push nor pull")]
    [InlineData("p", """{"public_key":"KEY","push":false,"pull":false}""", "invalid_argument", "neither push nor pull")]
    [InlineData("p", """{"public_key":"KEY","push":"true"}""", "invalid_argument", "`push` is true or false; this one is a string")]
    [InlineData("p", """{"public_key":"KEY","push":true,"pul":true}""", "unknown_member", "pull")]
    [InlineData("p", """{"push":true}""", "invalid_argument", "public key cannot be empty")]
    [InlineData("p", """{"public_key":null,"push":true}""", "invalid_argument", "public key cannot be empty")]
    [InlineData("p", """{"public_key":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA","push":true}""", "invalid_argument", "no point of the curve")]
    [InlineData("%20", """{"public_key":"KEY","push":true}""", "invalid_argument", "peer name cannot be empty")]
    [InlineData("11qYAYKxCrfVS%2F7TyWQHOg7hcvPapiMlrwIaaPcHURo", """{"public_key":"KEY","push":true}""", "invalid_argument", "cannot be a key")]
    public async Task Who_is_no_peer_is_refused_and_nobody_is_let_in(string name, string body, string code, string why)
    {
        var reply = await _admin.AskAsync("PUT", $"/admin/replication/allowed/{name}", body.Replace("KEY", Key, StringComparison.Ordinal));

        Assert.Equal((400, code), (reply.Status, reply.Code));
        Assert.Contains(why, reply.Json.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Empty(_admin.Saved.ReplicationAllow);
        Assert.Empty(_admin.Entries("remote_change"));
    }

    static string? Action(ControlRecord entry)
    {
        using var body = JsonDocument.Parse(entry.Body);
        return body.RootElement.GetProperty("action").GetString();
    }
}
