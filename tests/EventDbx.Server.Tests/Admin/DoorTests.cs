using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.Admin;

/// <summary>Which door lets whom in, and that settings act on the very next request.</summary>
/// <remarks>How many wrong keys are looked at is counted in the whole process, so those who send many do it one after the other.</remarks>
[Collection("Wrong admin keys")]
public sealed class DoorTests : IAsyncLifetime
{
    readonly AdminServer _admin = new();

    public ValueTask InitializeAsync() => _admin.InitializeAsync();

    public ValueTask DisposeAsync() => _admin.DisposeAsync();

    RestServer Server => _admin.Server;

    Task<Reply> OnMainAsync(string target, params (string Name, string Value)[] headers) => _admin.AskAsync(_admin.Host.Port, "GET", target, null, headers);

    Task<Reply> OnAdminAsync(string target, params (string Name, string Value)[] headers) => _admin.AskAsync(_admin.AdminPort, "GET", target, null, headers);

    static void Refused(Reply reply)
    {
        Assert.Equal((401, "unauthenticated", "Bearer"), (reply.Status, reply.Code, reply["WWW-Authenticate"]));
        Assert.Contains("X-Admin-Key", reply.Json.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_admin_port_lets_in_the_key_alone_in_either_header()
    {
        await _admin.EnableAsync("key");

        Assert.Equal(200, (await OnAdminAsync("/admin/tokens", ("X-Admin-Key", "key"))).Status);
        Assert.Equal(200, (await OnAdminAsync("/admin/tokens", ("X-Admin-Key", " key "))).Status);
        Assert.Equal(200, (await OnAdminAsync("/admin/tokens", ("Authorization", "Bearer key"))).Status);
        Assert.Equal(200, (await OnAdminAsync("/admin/tokens", ("Authorization", "bearer key"), ("X-Admin-Key", "  "))).Status);
        Refused(await OnAdminAsync("/admin/tokens"));
        Refused(await OnAdminAsync("/admin/tokens", ("X-Admin-Key", "kez")));
        Refused(await OnAdminAsync("/admin/tokens", ("Authorization", "Basic key")));
        Refused(await OnAdminAsync("/admin/tokens", ("Authorization", $"Bearer {Server.Root}")));
        // With the header the bearer is not looked at, even if the header is wrong.
        Refused(await OnAdminAsync("/admin/tokens", ("X-Admin-Key", "wrong"), ("Authorization", "Bearer key")));
    }

    [Fact]
    public async Task A_key_that_stands_twice_is_none()
    {
        await _admin.EnableAsync("key", shared: true);

        var said = await Server.SayAsync("GET /admin/tokens HTTP/1.1\r\nHost: x\r\nX-Admin-Key: key\r\nX-Admin-Key: key\r\nConnection: close\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 401 ", said, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_admin_port_serves_the_Admin_API_and_health_and_nothing_else()
    {
        await _admin.EnableAsync("key");

        Assert.Equal(200, (await OnAdminAsync("/health")).Status);
        Assert.Equal(200, (await OnAdminAsync("/admin/status", ("X-Admin-Key", "key"))).Status);
        foreach (var target in (string[])["/ready", "/v1/aggregates", "/v1/events", "/health/x", "/"])
            Assert.Equal(404, (await OnAdminAsync(target, ("X-Admin-Key", "key"))).Status);
    }

    [Fact]
    public async Task The_main_port_takes_root_tokens_and_not_the_key_while_the_Admin_API_has_its_own_port()
    {
        await _admin.EnableAsync("key");

        Assert.Equal(200, (await OnMainAsync("/admin/tokens", ("Authorization", $"Bearer {Server.Root}"))).Status);
        Refused(await OnMainAsync("/admin/tokens", ("X-Admin-Key", "key")));
        Refused(await OnMainAsync("/admin/tokens", ("X-Admin-Key", "key"), ("Authorization", $"Bearer {Server.Root}")));
        Assert.Equal(401, (await OnMainAsync("/admin/tokens", ("Authorization", "Bearer key"))).Status);
    }

    [Fact]
    public async Task On_the_shared_port_what_has_the_form_of_a_token_is_one_and_anything_else_is_the_key()
    {
        await _admin.EnableAsync("key", shared: true);

        Assert.Equal(200, (await OnMainAsync("/admin/tokens", ("X-Admin-Key", "key"))).Status);
        Assert.Equal(200, (await OnMainAsync("/admin/tokens", ("Authorization", "Bearer key"))).Status);
        Assert.Equal(200, (await OnMainAsync("/admin/tokens", ("Authorization", $"Bearer {Server.Root}"))).Status);
        Assert.Equal(403, (await OnMainAsync("/admin/tokens", ("Authorization", $"Bearer {await Server.TokenForAsync("*.*")}"))).Status);
        Refused(await OnMainAsync("/admin/tokens", ("X-Admin-Key", "kez")));
        Refused(await OnMainAsync("/admin/tokens", ("Authorization", "Bearer kez")));
        // The key is for the Admin API: data needs a token.
        Assert.Equal(401, (await OnMainAsync("/v1/aggregates", ("X-Admin-Key", "key"))).Status);
        Assert.Equal(401, (await OnMainAsync("/v1/aggregates", ("Authorization", "Bearer key"))).Status);
        Assert.Null(_admin.Host.Admin.Address);
    }

    [Fact]
    public async Task With_REST_switched_off_the_key_still_opens_the_Admin_API()
    {
        await using var off = new AdminServer();
        await File.WriteAllTextAsync(off.Server.ConfigPath, "page_limit = 50\n[api]\ngraphql = true\n", TestContext.Current.CancellationToken);
        await off.InitializeAsync();
        await off.EnableAsync("key", shared: true);

        Assert.Equal(200, (await off.AskAsync(off.Host.Port, "GET", "/admin/tokens", null, ("X-Admin-Key", "key"))).Status);
        Assert.Equal(404, (await off.AskAsync(off.Host.Port, "GET", "/admin/tokens", null, ("Authorization", $"Bearer {off.Server.Root}"))).Status);
    }

    [Fact]
    public async Task A_wrong_key_no_key_none_configured_and_an_Admin_API_that_is_off_say_the_same()
    {
        await _admin.EnableAsync("key", shared: true);
        var wrong = await OnMainAsync("/admin/tokens", ("X-Admin-Key", "kez"));
        await _admin.SetAsync(config => config with { AdminMasterKeyHash = null });
        var cleared = await OnMainAsync("/admin/tokens", ("X-Admin-Key", "key"));
        await _admin.SetAsync(config => config with { AdminEnabled = false, AdminMasterKeyHash = AdminServer.HashOf("key") });
        var off = await OnMainAsync("/admin/tokens", ("X-Admin-Key", "key"));

        Refused(wrong);
        Assert.Equal((wrong.Status, wrong.Body), (cleared.Status, cleared.Body));
        Assert.Equal((wrong.Status, wrong.Body), (off.Status, off.Body));
    }

    [Fact]
    public async Task A_key_that_is_changed_or_cleared_and_an_Admin_API_that_is_disabled_act_on_the_next_request()
    {
        await _admin.EnableAsync("key");
        for (var round = 0; round < 5; round++)
        {
            Assert.Equal(200, (await _admin.AskAsync("GET", "/admin/status")).Status);
            await _admin.SetAsync(config => config with { AdminMasterKeyHash = AdminServer.HashOf("other") });
            Refused(await _admin.AskAsync("GET", "/admin/status"));
            Assert.Equal(200, (await _admin.AskAsync("GET", "/admin/status", key: "other")).Status);
            await _admin.SetAsync(config => config with { AdminMasterKeyHash = null });
            Refused(await _admin.AskAsync("GET", "/admin/status", key: "other"));
            await _admin.SetAsync(config => config with { AdminMasterKeyHash = AdminServer.HashOf("key") });
        }

        // On a connection that is open already: the listener may take half a second to close.
        await _admin.EnableAsync("key", shared: true);
        Assert.Equal(200, (await OnMainAsync("/admin/status", ("X-Admin-Key", "key"))).Status);
        await _admin.SetAsync(config => config with { AdminEnabled = false });
        Refused(await OnMainAsync("/admin/status", ("X-Admin-Key", "key")));
    }

    [CiTier("It waits for limits of time, one after the other.")]
    [Fact]
    public async Task Too_many_wrong_keys_are_told_when_to_come_back_and_who_is_known_is_let_in()
    {
        await _admin.EnableAsync("key");
        Assert.Equal(200, (await _admin.AskAsync("GET", "/admin/status")).Status);
        for (var i = 0; i < ServerLimits.AdminFailuresMax; i++)
            Refused(await _admin.AskAsync("GET", "/admin/status", key: $"wrong {i}"));

        var crowd = Enumerable.Range(0, 2 * ServerLimits.AdminLateMax).Select(i => _admin.AskAsync("GET", "/admin/status", key: "wrong")).ToList();
        Assert.Equal(200, (await _admin.AskAsync("GET", "/admin/status")).Status);
        var held = (await Task.WhenAll(crowd)).Where(reply => reply.Status != 401).ToList();
        Assert.NotEmpty(held);
        Assert.All(held, reply => Assert.Equal((429, "too_many_requests", "6"), (reply.Status, reply.Code, reply["Retry-After"])));
    }

    [Fact]
    public async Task The_owner_on_the_socket_needs_no_key_and_a_wrong_one_is_not_looked_at()
    {
        await _admin.EnableAsync("key");
        using var client = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (_, cancellation) =>
            {
                var socket = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Unspecified);
                await socket.ConnectAsync(new System.Net.Sockets.UnixDomainSocketEndPoint(Server.SocketPath), cancellation);
                return new System.Net.Sockets.NetworkStream(socket, ownsSocket: true);
            },
        });
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri("http://dbx/admin/remotes"));
        request.Headers.Add("X-Admin-Key", "wrong");
        using var response = await client.SendAsync(request, TestContext.Current.CancellationToken);
        Assert.Equal(200, (int)response.StatusCode);
    }

    [Fact]
    public async Task The_listener_opens_moves_and_closes_while_the_server_runs()
    {
        Assert.False(await AdminServer.ListensAsync(_admin.AdminPort));
        await _admin.EnableAsync("key");
        Assert.True(await AdminServer.ListensAsync(_admin.AdminPort));
        Assert.Contains($"http://127.0.0.1:{_admin.AdminPort}", _admin.Host.Status().Addresses);

        var other = FreePort.Take();
        await _admin.SetAsync(config => config with { AdminPort = other });
        await AdminServer.UntilAsync(() => _admin.Host.Admin.Address == $"http://127.0.0.1:{other}");
        Assert.False(await AdminServer.ListensAsync(_admin.AdminPort));
        Assert.Equal(200, (await _admin.AskAsync(other, "GET", "/admin/status", null, ("X-Admin-Key", "key"))).Status);

        await _admin.SetAsync(config => config with { AdminEnabled = false });
        await AdminServer.UntilAsync(() => _admin.Host.Admin.Address is null);
        Assert.False(await AdminServer.ListensAsync(other));
    }

    [Fact]
    public async Task A_crowd_that_says_nothing_does_not_shut_the_admin_port()
    {
        await _admin.EnableAsync("key");
        var crowd = new List<System.Net.Sockets.Socket>();
        try
        {
            // More than it takes in all.
            for (var i = 0; i < ServerLimits.AdminConnectionsMax + 20; i++)
            {
                var one = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.InterNetwork, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp);
                crowd.Add(one);
                await one.ConnectAsync(System.Net.IPAddress.Loopback, _admin.AdminPort, TestContext.Current.CancellationToken);
            }

            Assert.Equal(200, (await _admin.AskAsync("GET", "/admin/status")).Status);
            Assert.InRange(_admin.Host.Status().Connections, 1, ServerLimits.AdminConnectionsMax / 4);
        }
        finally
        {
            crowd.ForEach(one => one.Dispose());
        }

        lock (Server.Lines)
            Assert.InRange(Server.Lines.Count(line => line.Level == Microsoft.Extensions.Logging.LogLevel.Warning), 0, 2);
    }

    [Fact]
    public async Task Beyond_this_machine_it_does_not_open_in_clear_text_where_the_settings_ask_for_TLS_and_warns_where_they_do_not()
    {
        bool Warned(string words)
        {
            lock (Server.Lines)
                return Server.Lines.Count(line => line is { Source: "admin", Level: Microsoft.Extensions.Logging.LogLevel.Warning } && line.Message.Contains(words, StringComparison.Ordinal)) == 1;
        }

        await _admin.SetAsync(config => config with
        {
            TlsEnabled = true, AdminEnabled = true, AdminBindAddr = "0.0.0.0", AdminPort = _admin.AdminPort, AdminMasterKeyHash = AdminServer.HashOf("key"),
        });
        await AdminServer.UntilAsync(() => Warned($"does not listen on 0.0.0.0:{_admin.AdminPort}"));
        Assert.False(await AdminServer.ListensAsync(_admin.AdminPort));
        Assert.False(Warned("can be read on the way"));

        // On this machine nobody reads along.
        await _admin.SetAsync(config => config with { AdminBindAddr = "127.0.0.1" });
        await AdminServer.UntilAsync(() => _admin.Host.Admin.Address is not null);
        Assert.False(Warned("can be read on the way"));
        await _admin.SetAsync(config => config with { AdminBindAddr = "0.0.0.0" });
        await AdminServer.UntilAsync(() => _admin.Host.Admin.Address is null);

        await _admin.SetAsync(config => config with { TlsEnabled = false });
        await AdminServer.UntilAsync(() => _admin.Host.Admin.Address is not null);
        await AdminServer.UntilAsync(() => Warned("can be read on the way"));
        Assert.Equal(200, (await _admin.AskAsync("GET", "/admin/status")).Status);
    }

    [Fact]
    public async Task A_port_that_is_taken_while_the_server_runs_is_logged_once_and_taken_when_it_is_free()
    {
        using var taken = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, _admin.AdminPort);
        taken.Start();
        await _admin.SetAsync(config => config with { AdminEnabled = true, AdminPort = _admin.AdminPort, AdminMasterKeyHash = AdminServer.HashOf("key") });
        bool Logged(int times)
        {
            lock (Server.Lines)
                return Server.Lines.Count(line => line.Source == "admin" && line.Message.Contains("cannot listen", StringComparison.Ordinal)) == times;
        }

        await AdminServer.UntilAsync(() => Logged(1));
        taken.Stop();
        await AdminServer.UntilAsync(() => _admin.Host.Admin.Address is not null);
        Assert.True(Logged(1));
        Assert.Equal(200, (await _admin.AskAsync("GET", "/admin/status")).Status);
    }

    [Fact]
    public async Task Enabled_without_a_key_it_starts_and_lets_nobody_in()
    {
        await Server.Host.DisposeAsync();
        await _admin.SetAsync(config => config with { AdminEnabled = true, AdminPort = _admin.AdminPort });
        await Server.StartAsync();

        Assert.NotNull(_admin.Host.Admin.Address);
        Refused(await _admin.AskAsync("GET", "/admin/status", key: "key"));
        Refused(await _admin.AskAsync("GET", "/admin/status", key: null));
    }

    [Fact]
    public async Task While_the_settings_cannot_be_read_the_key_opens_nothing_and_tokens_go_on()
    {
        await _admin.EnableAsync("key", shared: true);
        var text = await File.ReadAllTextAsync(Server.ConfigPath, TestContext.Current.CancellationToken);
        Assert.Equal(200, (await OnMainAsync("/admin/status", ("X-Admin-Key", "key"))).Status);

        await File.WriteAllTextAsync(Server.ConfigPath, text + "\nnonsense = 1\n", TestContext.Current.CancellationToken);
        var broken = await OnMainAsync("/admin/status", ("X-Admin-Key", "key"));
        var again = await OnMainAsync("/admin/status", ("X-Admin-Key", "key"));
        var token = await OnMainAsync("/admin/status", ("Authorization", $"Bearer {Server.Root}"));
        await File.WriteAllTextAsync(Server.ConfigPath, text, TestContext.Current.CancellationToken);
        var mended = await OnMainAsync("/admin/status", ("X-Admin-Key", "key"));

        Assert.Equal((503, "unavailable", 503, 200, 200), (broken.Status, broken.Code, again.Status, token.Status, mended.Status));
        lock (Server.Lines)
        {
            var line = Assert.Single(Server.Lines, line => line.Source == "admin" && line.Message.Contains("cannot be read", StringComparison.Ordinal));
            Assert.DoesNotContain("argon2", line.Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Every_route_of_the_Admin_API_needs_the_key_and_is_answered_with_it()
    {
        await _admin.EnableAsync("key");
        var size = _admin.Host.Database.LogSize;
        foreach (var route in EventDbx.Server.Rest.RestRoutes.All.Where(route => route.IsAdmin))
        {
            var target = route.Template.Replace("{type}", "t", StringComparison.Ordinal).Replace("{name}", "n", StringComparison.Ordinal)
                .Replace("{event}", "e", StringComparison.Ordinal).Replace("{token}", "none", StringComparison.Ordinal);
            Refused(await _admin.AskAsync(route.Method, target, null, key: null));
            var reply = await _admin.AskAsync(route.Method, target, null);
            // What it then says of the empty request is another test's business.
            Assert.True(reply.Status is 200 or 400 or 404 || (reply.Status == 401 && reply.Body.Contains("Token not found", StringComparison.Ordinal)), $"{route.Method} {target}: {reply.Status} {reply.Body}");
        }

        Assert.All(_admin.Entries().Where(entry => entry.Position > size), entry => Assert.Equal("config_change", entry.Kind));
    }
}
