using EventDbx.Server.Plugins;
using EventDbx.Server.Tests.Admin;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.Plugins;

/// <summary>Plugins set up over the Admin API: reached by their own kind of channel first, their secrets shown to nobody.</summary>
public sealed class PluginSecretTests : IAsyncLifetime
{
    readonly AdminServer _admin = new();

    public async ValueTask InitializeAsync()
    {
        await _admin.InitializeAsync();
        await _admin.EnableAsync("key");
    }

    public ValueTask DisposeAsync() => _admin.DisposeAsync();

    Task<Reply> PutAsync(string name, string body) => _admin.AskAsync("PUT", $"/admin/plugins/{name}", body);

    [Fact]
    public async Task No_secret_of_a_plugin_is_in_an_answer_an_entry_or_a_line_of_the_log()
    {
        // It answers with what it was sent, as some do.
        await using var echo = new HttpReceiver(request => HttpReceiver.Answer(500, string.Join("; ", request.Headers.Select(header => $"{header.Key}: {header.Value}"))));
        string Body(string enabled, string secret, string header) =>
            $$$"""{"enabled":{{{enabled}}},"config":{"type":"http","endpoint":"127.0.0.1:{{{echo.Port}}}/e","headers":{"X-Key":"{{{header}}}"},"https":false,"signing_secret":"{{{secret}}}"},"types":["order"],"hold_on_dead":true}""";

        var made = await PutAsync("hook", Body("false", "canary-secret", "canary-header"));
        var unreached = await PutAsync("hook", Body("true", "(hidden)", "(hidden)"));
        var kept = await PutAsync("hook", Body("false", "(hidden)", "(hidden)"));
        var moved = await PutAsync("hook", Body("false", "(hidden)", "canary-2").Replace("127.0.0.1", "localhost", StringComparison.Ordinal));
        var listed = await _admin.AskAsync("GET", "/admin/plugins");
        var plugin = _admin.Host.Admin.Plugins.List()[0];
        await using (var channel = PluginChannels.Open(plugin, _admin.Host.Admin.Surroundings))
            Assert.DoesNotContain("canary", (await channel.DeliverAsync([Sinks.Event(1)], TestContext.Current.CancellationToken)).Failure!.Reason, StringComparison.Ordinal);

        Assert.Equal((201, 400, 200, 400), (made.Status, unreached.Status, kept.Status, moved.Status));
        Assert.Contains("failed to establish connection for 'hook'", unreached.Body, StringComparison.Ordinal);
        Assert.Contains("readiness check failed (500)", unreached.Body, StringComparison.Ordinal);
        Assert.Contains("scheme, host and port", moved.Body, StringComparison.Ordinal);
        Assert.Equal(("canary-secret", "canary-header"), (plugin.Config.SigningSecret, plugin.Config.Headers["X-Key"]));
        Assert.Equal(
            $$$"""{"enabled":false,"name":"hook","config":{"type":"http","endpoint":"127.0.0.1:{{{echo.Port}}}/e","headers":{"X-Key":"(hidden)"},"https":false,"signing_secret":"(hidden)"},"types":["order"],"hold_on_dead":true}""",
            kept.Body);
        Assert.All(
            [made.Body, unreached.Body, kept.Body, moved.Body, listed.Body, .. _admin.Entries("plugin_change").Select(entry => System.Text.Encoding.UTF8.GetString(entry.Body.Span)), .. _admin.Server.Lines.Select(line => line.Message + line.Failure)],
            text => Assert.DoesNotContain("canary", text, StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_a_request_does_not_say_of_filters_stays_and_an_empty_list_takes_them_away()
    {
        Assert.Equal(201, (await PutAsync("trail", """{"config":{"type":"log"},"types":["order","order"],"events":["order-paid"],"exact_state":true}""")).Status);
        var silent = await PutAsync("trail", """{"config":{"type":"log","level":"warn"}}""");
        var cleared = await PutAsync("trail", """{"config":{"type":"log","level":"warn"},"types":[],"exact_state":false}""");
        var refused = await PutAsync("trail", """{"config":{"type":"log"},"types":[""]}""");
        var misspelt = await PutAsync("trail", """{"config":{"type":"log"},"typs":["a"]}""");

        Assert.Equal("""{"enabled":true,"name":"trail","config":{"type":"log","level":"warn","template":null},"types":["order"],"events":["order-paid"],"exact_state":true}""", silent.Body);
        Assert.Equal("""{"enabled":true,"name":"trail","config":{"type":"log","level":"warn","template":null},"events":["order-paid"]}""", cleared.Body);
        Assert.Equal((400, 400), (refused.Status, misspelt.Status));
        Assert.Contains("types", misspelt.Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_setting_that_opens_addresses_is_followed_while_the_server_runs_and_its_change_is_an_entry()
    {
        var body = $$$"""{"enabled":false,"config":{"type":"tcp","host":"169.254.10.1","port":9}}""";
        var refused = await PutAsync("pipe", body);
        await _admin.SetAsync(config => config with { PluginAllowedAddresses = new("169.254.10.0/24") });
        var taken = await PutAsync("pipe", body);

        Assert.Equal((400, 201), (refused.Status, taken.Status));
        Assert.Contains("169.254.10.1 is blocked: link-local. `plugin_allowed_addresses` in config.toml opens it.", refused.Body, StringComparison.Ordinal);
        await AdminServer.UntilAsync(() => _admin.Entries("config_change").Any(entry => System.Text.Encoding.UTF8.GetString(entry.Body.Span).Contains("plugin_allowed_addresses", StringComparison.Ordinal)));
    }
}
