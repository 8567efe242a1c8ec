using System.Text.Json;

namespace EventDbx.Server.Tests.Admin;

/// <summary>What is no remote and no plugin: refused, with nothing kept, by one server for all of them.</summary>
public sealed class PeerRefusalTests(PeerRefusalTests.Opened opened) : IClassFixture<PeerRefusalTests.Opened>
{
    const string Key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    readonly AdminServer _admin = opened.Admin;

    /// <summary>A server whose Admin API is open.</summary>
    public sealed class Opened : IAsyncLifetime
    {
        public AdminServer Admin { get; } = new();

        public async ValueTask InitializeAsync()
        {
            await Admin.InitializeAsync();
            await Admin.EnableAsync("key");
        }

        public ValueTask DisposeAsync() => Admin.DisposeAsync();
    }

    [Theory]
    [InlineData("http://10.1.2.3", Key, "scheme must be 'tcp', found 'http'")]
    [InlineData(" ", Key, "remote endpoint cannot be empty")]
    [InlineData("10.1.2.3", " ", "public key cannot be empty")]
    [InlineData("10.1.2.3", "AAAA", "32 bytes")]
    [InlineData("10.1.2.3", "nonsense!", "invalid base64 public key")]
    [InlineData("10.1.2.3", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "no point of the curve")]
    [InlineData("[::1", Key, "invalid IPv6 host")]
    [InlineData("[10.1.2.3]:1", Key, "invalid IPv6 host")]
    [InlineData("[::1]1", Key, "IPv6 port must follow ']'")]
    [InlineData("tcp://:1", Key, "host cannot be empty")]
    [InlineData("tcp://", Key, "host cannot be empty")]
    [InlineData("a b:1", Key, "neither a name nor an address")]
    [InlineData("::1", Key, "host cannot be empty")]
    [InlineData("host:", Key, "port cannot be empty")]
    [InlineData("host:x", Key, "port is invalid")]
    [InlineData("host:65536", Key, "port is invalid")]
    [InlineData("host:0", Key, "greater than zero")]
    public async Task What_is_no_remote_is_refused_and_nothing_is_kept(string endpoint, string key, string why)
    {
        var reply = await _admin.AskAsync(
            "PUT", "/admin/remotes/r", JsonSerializer.Serialize(new Dictionary<string, string> { ["endpoint"] = endpoint, ["public_key"] = key }));

        Assert.Equal((400, "invalid_argument"), (reply.Status, reply.Code));
        Assert.Contains(why, reply.Json.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Empty(_admin.Saved.Remotes);
        Assert.Empty(_admin.Entries("remote_change"));
    }

    [Fact]
    public async Task A_member_that_no_remote_has_is_refused()
    {
        var reply = await _admin.AskAsync("PUT", "/admin/remotes/r", $$"""{"endpoint":"h","public_kee":"{{Key}}"}""");
        Assert.Equal((400, "unknown_member"), (reply.Status, reply.Code));
        Assert.Contains("public_key", reply.Body, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("p", """{"config":{"type":"process","name":"x","version":"1"}}""", "process plugins must be managed via the CLI")]
    [InlineData("p", """{"name":"q","config":{"type":"log"}}""", "plugin name 'q' does not match path parameter 'p'")]
    [InlineData("p", """{"config":{"type":"udp"}}""", "not \"udp\"")]
    [InlineData("p", """{"enabled":true}""", "`config` is missing")]
    [InlineData("p", """{"config":{"type":"log","level":"loud"}}""", "not \"loud\"")]
    [InlineData("p", """{"config":{"type":"log","templat":"x"}}""", "template")]
    [InlineData("p", """{"config":{"type":"tcp","host":"h","port":0}}""", "1 to 65535")]
    [InlineData("p", """{"config":{"type":"tcp","host":"a b","port":1}}""", "config.host")]
    [InlineData("p", """{"config":{"type":"http","endpoint":"ftp://h"}}""", "config.endpoint")]
    [InlineData("p", """{"config":{"type":"http","endpoint":"http://u:p@h"}}""", "names a user")]
    [InlineData("p", """{"config":{"type":"http","endpoint":"http://h/e?page=1&access_token=s"}}""", "`access_token` in its query")]
    [InlineData("p", """{"config":{"type":"http","endpoint":"h/e?%6Bey=s"}}""", "`key` in its query")]
    [InlineData("p", """{"config":{"type":"grpc","endpoint":"grpcs://h?X-API-Key=s"}}""", "`X-API-Key` in its query")]
    [InlineData("p", """{"config":{"type":"http","endpoint":"h","headers":{"a b":"c"}}}""", "no name of a header")]
    [InlineData("p", """{"config":{"type":"http","endpoint":"h","headers":{"a":"b\r\nc: d"}}}""", "control characters")]
    [InlineData("p", """{"config":{"type":"grpc","endpoint":"h:1"}}""", "config.endpoint")]
    [InlineData("%20", """{"config":{"type":"log"}}""", "plugin name cannot be empty")]
    public async Task What_is_no_plugin_is_refused_and_nothing_is_kept(string name, string body, string why)
    {
        var reply = await _admin.AskAsync("PUT", $"/admin/plugins/{name}", body);

        Assert.True(reply.Status == 400, reply.Body);
        Assert.Contains(why, reply.Json.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Empty(_admin.Host.Admin.Plugins.List());
        Assert.Empty(_admin.Entries("plugin_change"));
    }
}
