using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using EventDbx.Server.Admin;
using EventDbx.Server.Plugins;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.Admin;

/// <summary>Remotes and plugins: taken, refused, kept, and in the log.</summary>
public sealed class PeerRouteTests : IAsyncLifetime
{
    const string Key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

    readonly AdminServer _admin = new();

    public async ValueTask InitializeAsync()
    {
        await _admin.InitializeAsync();
        await _admin.EnableAsync("key");
    }

    public ValueTask DisposeAsync() => _admin.DisposeAsync();

    Task<Reply> PutRemoteAsync(string name, string endpoint, string key = Key) =>
        _admin.AskAsync("PUT", $"/admin/remotes/{name}", JsonSerializer.Serialize(new Dictionary<string, string> { ["endpoint"] = endpoint, ["public_key"] = key }));

    [Fact]
    public async Task A_remote_is_put_replaced_listed_and_removed_and_the_file_keeps_its_comments()
    {
        var text = await File.ReadAllTextAsync(_admin.Server.ConfigPath, TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(_admin.Server.ConfigPath, "# ours\n" + text + "\n[remotes.old]\nendpoint = \"tcp://192.0.2.7:1\" # far\npublic_key = \"" + Key + "\"\n", TestContext.Current.CancellationToken);

        var put = await PutRemoteAsync("standby", "10.1.2.3");
        var same = await PutRemoteAsync("standby", "tcp://10.1.2.3:6363");
        var replaced = await _admin.AskAsync("POST", "/admin/remotes/standby", $$"""{"public_key":"{{Key}}","endpoint":"[2001:db8::1]:7000"}""");
        var listed = await _admin.AskAsync("GET", "/admin/remotes");
        var removed = await _admin.AskAsync("DELETE", "/admin/remotes/old");
        var gone = await _admin.AskAsync("DELETE", "/admin/remotes/old");

        Assert.Equal((201, $$"""{"endpoint":"tcp://10.1.2.3:6363","public_key":"{{Key}}"}"""), (put.Status, put.Body));
        Assert.Equal((200, 200, 204, 404), (same.Status, replaced.Status, removed.Status, gone.Status));
        Assert.Equal("tcp://[2001:db8::1]:7000", listed.Json.GetProperty("standby").GetProperty("endpoint").GetString());
        Assert.Equal(["old", "standby"], listed.Json.EnumerateObject().Select(remote => remote.Name));
        Assert.Equal(["standby"], _admin.Saved.Remotes.Keys);
        var now = await File.ReadAllTextAsync(_admin.Server.ConfigPath, TestContext.Current.CancellationToken);
        Assert.Contains("\n# ours\n", now, StringComparison.Ordinal);
        Assert.DoesNotContain("192.0.2.7", now, StringComparison.Ordinal);

        var entries = _admin.Entries("remote_change");
        Assert.Equal(
            [
                $$"""{"action":"added","endpoint":"tcp://10.1.2.3:6363","public_key":"{{Key}}","from":"admin 127.0.0.1"}""",
                $$"""{"action":"replaced","endpoint":"tcp://[2001:db8::1]:7000","public_key":"{{Key}}","from":"admin 127.0.0.1"}""",
                $$"""{"action":"removed","endpoint":"tcp://192.0.2.7:1","public_key":"{{Key}}","from":"admin 127.0.0.1"}""",
            ],
            entries.Select(entry => System.Text.Encoding.UTF8.GetString(entry.Body.Span)));
        Assert.All(entries, entry => Assert.Equal(new Actor("admin", "admin"), entry.Actor));
    }

    [Fact]
    public async Task A_remote_that_is_to_be_new_is_not_replaced()
    {
        Assert.Equal(201, (await _admin.AskAsync("PUT", "/admin/remotes/r?create=true", $$"""{"endpoint":"10.1.2.3","public_key":"{{Key}}"}""")).Status);
        var again = await _admin.AskAsync("PUT", "/admin/remotes/r?create=true", $$"""{"endpoint":"10.1.2.4","public_key":"{{Key}}"}""");
        var vague = await _admin.AskAsync("PUT", "/admin/remotes/r?create=yes", $$"""{"endpoint":"10.1.2.4","public_key":"{{Key}}"}""");

        Assert.Equal((409, "already_exists", 400), (again.Status, again.Code, vague.Status));
        Assert.Equal("tcp://10.1.2.3:6363", _admin.Saved.Remotes["r"].Endpoint);
        Assert.Single(_admin.Entries("remote_change"));
    }

    [Fact]
    public async Task Remotes_that_many_put_at_once_are_all_kept()
    {
        // A key that is known is not checked again, so none of them has to wait.
        Assert.Equal(200, (await _admin.AskAsync("GET", "/admin/status")).Status);
        var replies = await Task.WhenAll(Enumerable.Range(0, 16).Select(i => PutRemoteAsync($"r{i}", $"192.0.2.{i}")));

        Assert.All(replies, reply => Assert.Equal(201, reply.Status));
        Assert.Equal(16, _admin.Saved.Remotes.Count);
        Assert.Equal(16, _admin.Entries("remote_change").Count);
    }

    [Theory]
    [InlineData("remotes = { old = { endpoint = \"tcp://192.0.2.7:1\", public_key = \"KEY\" } }\n")]
    [InlineData("remotes.old.endpoint = \"tcp://192.0.2.7:1\"\nremotes.old.public_key = \"KEY\"\n")]
    public async Task Remotes_that_stand_inline_or_dotted_are_changed_like_others_each_with_one_entry(string first)
    {
        var text = await File.ReadAllTextAsync(_admin.Server.ConfigPath, TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(_admin.Server.ConfigPath, first.Replace("KEY", Key, StringComparison.Ordinal) + text, TestContext.Current.CancellationToken);

        Assert.Equal(201, (await PutRemoteAsync("new", "10.1.2.3")).Status);
        Assert.Equal(200, (await PutRemoteAsync("old", "10.1.2.4")).Status);
        Assert.Equal(["new", "old"], _admin.Saved.Remotes.Keys);
        Assert.Equal(204, (await _admin.AskAsync("DELETE", "/admin/remotes/old")).Status);

        Assert.Equal(["new"], _admin.Saved.Remotes.Keys);
        Assert.Equal(["added", "replaced", "removed"], _admin.Entries("remote_change").Select(entry => Member(entry, "action")));
    }

    [Fact]
    public async Task A_remote_or_a_plugin_that_cannot_be_written_leaves_no_entry()
    {
        var (config, plugins) = (_admin.Server.ConfigPath + ".tmp", Path.Combine(_admin.Server.DataDir, PluginBook.DocumentName + ".tmp"));
        Directory.CreateDirectory(config);
        Directory.CreateDirectory(plugins);
        var remote = await PutRemoteAsync("r", "10.1.2.3");
        var plugin = await _admin.AskAsync("PUT", "/admin/plugins/p", """{"config":{"type":"log"}}""");
        Assert.Equal((503, 503), (remote.Status, plugin.Status));
        Assert.Empty(_admin.Entries("remote_change", "plugin_change"));

        Directory.Delete(config);
        Directory.Delete(plugins);
        Assert.Equal(201, (await PutRemoteAsync("r", "10.1.2.3")).Status);
        Assert.Equal(201, (await _admin.AskAsync("PUT", "/admin/plugins/p", """{"config":{"type":"log"}}""")).Status);
        // The same again changes nothing, and says nothing.
        Assert.Equal(200, (await PutRemoteAsync("r", "10.1.2.3")).Status);
        Assert.Equal(200, (await _admin.AskAsync("PUT", "/admin/plugins/p", """{"config":{"type":"log"}}""")).Status);
        Assert.Equal(["added", "added"], _admin.Entries("remote_change", "plugin_change").Select(entry => Member(entry, "action")));
    }

    [Fact]
    public async Task A_remote_whose_file_fails_behind_its_entry_is_taken_back_by_another_entry()
    {
        // Somebody takes the new file away before it has its name: while the entry that announces it is on its way.
        var taken = 0;
        _admin.Troubles.OnPlanned = () =>
        {
            if (!File.Exists(_admin.Server.ConfigPath + ".tmp"))
                return;
            File.Delete(_admin.Server.ConfigPath + ".tmp");
            taken++;
        };
        var failed = await PutRemoteAsync("r", "10.1.2.3");
        _admin.Troubles.OnPlanned = null;

        Assert.Equal(1, taken);
        Assert.Equal(503, failed.Status);
        Assert.Empty(_admin.Saved.Remotes);
        Assert.Equal(
            ["""{"action":"added",""", """{"action":"failed","not":"added",""" ],
            _admin.Entries("remote_change").Select(entry => Text(entry)[..Text(entry).IndexOf("\"endpoint\"", StringComparison.Ordinal)]));
        Assert.Equal(201, (await PutRemoteAsync("r", "10.1.2.3")).Status);
    }

    [Fact]
    public async Task A_plugin_whose_document_fails_behind_its_entry_is_taken_back_by_another_entry()
    {
        using var book = new PluginBook(_admin.Host.Admin.Surroundings, new FailingDocuments(_admin.Host.Database.Documents));
        var asked = PluginJson.ReadUpsert("""{"config":{"type":"log"}}"""u8.ToArray(), allowProcess: false);

        await Assert.ThrowsAsync<RefusedException>(() => book.SetAsync(_admin.Server.Owner, "p", asked, TestContext.Current.CancellationToken));

        Assert.Empty(_admin.Host.Admin.Plugins.List());
        Assert.Equal(
            ["""{"action":"added","type":"log","enabled":true}""", """{"action":"failed","not":"added","type":"log","enabled":true}"""], _admin.Entries("plugin_change").Select(Text));
    }

    sealed class FailingDocuments(EventDbx.Documents.IDocuments documents) : EventDbx.Documents.IDocuments
    {
        public EventDbx.Documents.Document Read(string name) => documents.Read(name);

        public bool CanReplace(string name, ReadOnlySpan<byte> content, EventDbx.Documents.Document read) => documents.CanReplace(name, content, read);

        public bool TryReplace(string name, ReadOnlySpan<byte> content, EventDbx.Documents.Document read) => throw new IOException("The disk is full.");

        public void Delete(string name) => documents.Delete(name);
    }

    static string Text(ControlRecord entry) => System.Text.Encoding.UTF8.GetString(entry.Body.Span);

    static string? Member(ControlRecord entry, string name)
    {
        using var body = JsonDocument.Parse(entry.Body);
        return body.RootElement.GetProperty(name).GetString();
    }

    [CiTier("It waits for limits of time, one after the other.")]
    [Fact]
    public async Task A_plugin_that_does_not_answer_keeps_nobody_from_changing_others()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Elsewhere a full queue of connections refuses.");
        Assert.Equal(201, (await _admin.AskAsync("PUT", "/admin/plugins/good", """{"config":{"type":"log"}}""")).Status);
        // Nobody accepts, and the queue is full: further connections hang.
        using var silent = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        silent.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        silent.Listen(0);
        var port = ((IPEndPoint)silent.LocalEndPoint!).Port;
        using var full = new CancellationTokenSource();
        List<TcpClient> queue = [.. Enumerable.Range(0, 4).Select(_ => new TcpClient())];
        var waiting = queue.Select(client => client.ConnectAsync(IPAddress.Loopback, port, full.Token).AsTask()).ToList();
        await AdminServer.UntilAsync(() => waiting.Any(one => one.IsCompleted));

        var hanging = Enumerable.Range(0, 8).Select(i => _admin.AskAsync("PUT", $"/admin/plugins/bad{i}", $$$"""{"config":{"type":"tcp","host":"127.0.0.1","port":{{{port}}} }}""")).ToList();
        var disabled = await _admin.AskAsync("POST", "/admin/plugins/good/disable");

        Assert.Equal(200, disabled.Status);
        Assert.Contains(hanging, one => !one.IsCompleted);
        Assert.All(await Task.WhenAll(hanging), reply => Assert.Equal(400, reply.Status));
        Assert.Equal(["good"], _admin.Host.Admin.Plugins.List().Select(plugin => plugin.Name));
        await full.CancelAsync();
        queue.ForEach(client => client.Dispose());
    }

    [Theory]
    [InlineData("https://hooks.example/other", true)]
    [InlineData("HTTPS://hooks.example:443/e?page=2", true)]
    [InlineData("hooks.example/e", true)]
    [InlineData("http://hooks.example/e", false)]
    [InlineData("https://hooks.example:444/e", false)]
    [InlineData("https://evil.example/e", false)]
    [InlineData("https://hooks.example.evil.example/e", false)]
    public async Task A_hidden_header_is_kept_only_for_whom_it_was_given(string endpoint, bool kept)
    {
        Assert.Equal(201, (await _admin.AskAsync("PUT", "/admin/plugins/hook", """{"enabled":false,"config":{"type":"http","endpoint":"https://hooks.example/e","headers":{"X-Key":"canary-1"}}}""")).Status);

        string Body(string value) => $$$"""{"enabled":false,"config":{"type":"http","https":true,"endpoint":"{{{endpoint}}}","headers":{"X-Key":"{{{value}}}"} } }""";
        var hidden = await _admin.AskAsync("PUT", "/admin/plugins/hook", Body("(hidden)"));

        Assert.Equal(kept ? 200 : 400, hidden.Status);
        Assert.DoesNotContain("canary", hidden.Body, StringComparison.Ordinal);
        Assert.Equal(kept, !hidden.Body.Contains("scheme, host and port", StringComparison.Ordinal));
        Assert.Equal(200, (await _admin.AskAsync("PUT", "/admin/plugins/hook", Body("canary-2"))).Status);
    }

    [Fact]
    public async Task A_plugin_is_reached_before_it_is_enabled_and_nothing_changes_where_it_is_not()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        var there = $$"""{"type":"tcp","host":"127.0.0.1","port":{{port}}}""";
        var body = $$"""{"config":{{there}}}""";

        var made = await _admin.AskAsync("PUT", "/admin/plugins/pipe", body);
        var disabled = await _admin.AskAsync("POST", "/admin/plugins/pipe/disable");
        listener.Stop();
        var unreached = await _admin.AskAsync("POST", "/admin/plugins/pipe/enable");
        var stays = await _admin.AskAsync("PUT", "/admin/plugins/pipe", body);
        var asked = await _admin.AskAsync("PUT", "/admin/plugins/pipe", $$"""{"enabled":true,"config":{{there}}}""");
        var other = await _admin.AskAsync("PUT", "/admin/plugins/new", body);
        var kept = await _admin.AskAsync("PUT", "/admin/plugins/new", $$"""{"enabled":false,"config":{{there}}}""");
        var listed = await _admin.AskAsync("GET", "/admin/plugins");

        Assert.Equal((201, $$"""{"enabled":true,"name":"pipe","config":{{there}}}"""), (made.Status, made.Body));
        Assert.Equal((200, 400, 200, 400, 400, 201), (disabled.Status, unreached.Status, stays.Status, asked.Status, other.Status, kept.Status));
        Assert.Contains("failed to establish connection for 'pipe'", unreached.Body, StringComparison.Ordinal);
        Assert.StartsWith(
            $$"""[{"enabled":false,"name":"new","config":{{there}},"position":null,"lag":0,"state":"disabled","waiting":0,"dead":0,"last_error":null,"next_attempt_at":null},{"enabled":false,"name":"pipe","config":{{there}},"position":""",
            listed.Body, StringComparison.Ordinal);
        Assert.Equal(JsonValueKind.Number, listed.Json[1].GetProperty("position").ValueKind);
    }

    [Fact]
    public async Task Headers_are_secrets_that_no_answer_no_entry_and_no_list_shows_and_a_hidden_one_stays()
    {
        const string config = """{"type":"http","endpoint":"hooks.example/e","headers":{"X-Key":"canary-1"},"https":true}""";
        var made = await _admin.AskAsync("PUT", "/admin/plugins/hook", $$"""{"enabled":false,"config":{{config}}}""");
        var again = await _admin.AskAsync("PUT", "/admin/plugins/hook", $$"""{"enabled":false,"config":{{made.Json.GetProperty("config").GetRawText()}}}""");
        var listed = await _admin.AskAsync("GET", "/admin/plugins");
        var nothing = await _admin.AskAsync("PUT", "/admin/plugins/other", $$"""{"enabled":false,"config":{{made.Json.GetProperty("config").GetRawText()}}}""");

        Assert.Equal((201, 200, 400), (made.Status, again.Status, nothing.Status));
        Assert.Equal("""{"enabled":false,"name":"hook","config":{"type":"http","endpoint":"hooks.example/e","headers":{"X-Key":"(hidden)"},"https":true}}""", made.Body);
        Assert.All([made.Body, again.Body, listed.Body, .. _admin.Entries("plugin_change").Select(entry => System.Text.Encoding.UTF8.GetString(entry.Body.Span))], text => Assert.DoesNotContain("canary", text, StringComparison.Ordinal));
        Assert.Equal("canary-1", _admin.Host.Admin.Plugins.List()[0].Config.Headers["x-key"]);
        Assert.Equal(
            """{"action":"added","type":"http","enabled":false,"target":"hooks.example:443","headers":["X-Key"],"from":"admin 127.0.0.1"}""",
            System.Text.Encoding.UTF8.GetString(_admin.Entries("plugin_change")[0].Body.Span));
    }

    [Fact]
    public async Task A_program_is_set_up_over_the_socket_alone()
    {
        const string body = """{"enabled":false,"config":{"type":"process","name":"x","version":"1","args":["a"],"env":{"K":"canary"},"working_dir":null}}""";
        var root = _admin.Server.Root;

        var network = await _admin.Server.SendAsync("PUT", "/admin/plugins/p", body, root);
        var key = await _admin.AskAsync("PUT", "/admin/plugins/p", body);
        using var owner = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            ConnectCallback = async (_, cancellation) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(_admin.Server.SocketPath), cancellation);
                return new NetworkStream(socket, ownsSocket: true);
            },
        });
        using var content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        using var put = await owner.PutAsync(new Uri("http://dbx/admin/plugins/p?check=false"), content, TestContext.Current.CancellationToken);
        var socket = await Reply.OfAsync(put);

        Assert.Equal((400, 400, 201), (network.Status, key.Status, socket.Status));
        Assert.Contains("process plugins must be managed via the CLI", network.Body, StringComparison.Ordinal);
        var listed = await _admin.AskAsync("GET", "/admin/plugins");
        Assert.DoesNotContain("canary", socket.Body + listed.Body, StringComparison.Ordinal);
        Assert.Equal("process", listed.Json[0].GetProperty("config").GetProperty("type").GetString());
    }

    [Fact]
    public async Task A_plugin_is_removed_only_when_it_is_disabled_and_keeps_its_type()
    {
        Assert.Equal(201, (await _admin.AskAsync("PUT", "/admin/plugins/trail", """{"config":{"type":"log","level":"warn","template":"{event}"}}""")).Status);
        Assert.Equal(400, (await _admin.AskAsync("PUT", "/admin/plugins/trail", """{"enabled":false,"config":{"type":"tcp","host":"h","port":1}}""")).Status);
        Assert.Equal(400, (await _admin.AskAsync("DELETE", "/admin/plugins/trail")).Status);
        Assert.Equal(200, (await _admin.AskAsync("POST", "/admin/plugins/trail/disable")).Status);
        Assert.Equal(204, (await _admin.AskAsync("DELETE", "/admin/plugins/trail")).Status);
        Assert.Equal(404, (await _admin.AskAsync("POST", "/admin/plugins/trail/enable")).Status);
        Assert.Equal("[]", (await _admin.AskAsync("GET", "/admin/plugins")).Body);
        Assert.Equal(3, _admin.Entries("plugin_change").Count);
    }

    [Fact]
    public void A_document_of_another_hand_is_read_and_its_programs_show_no_secrets()
    {
        var plugins = PluginJson.ReadAll(
            """
            [{"enabled":true,"name":" find ","config":{"type":"process","name":"dbx_search","version":"1.0.0","args":["--key=canary"],"env":{"A":"canary"},"working_dir":null},"more":1},
             {"enabled":true,"name":"twice","config":{"type":"log"}},{"enabled":false,"name":"twice","config":{"type":"log","level":"warn"}}]
            """u8.ToArray());
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        PluginJson.Write(output, plugins[0], secrets: false);

        Assert.Equal(["find", "twice"], plugins.Select(plugin => plugin.Name));
        Assert.False(plugins[1].Enabled);
        Assert.Equal("""{"enabled":true,"name":"find","config":{"type":"process","name":"dbx_search","version":"1.0.0","args":["(hidden)"],"env":{"A":"(hidden)"},"working_dir":null}}""", System.Text.Encoding.UTF8.GetString(output.WrittenSpan));
        Assert.Contains("--key=canary", System.Text.Encoding.UTF8.GetString(PluginJson.WriteAll(plugins)), StringComparison.Ordinal);
        Assert.Empty(PluginJson.ReadAll(" \n"u8.ToArray()));
        Assert.Throws<RefusedException>(() => PluginJson.ReadAll("{}"u8.ToArray()));
    }
}
