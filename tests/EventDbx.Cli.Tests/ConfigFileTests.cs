namespace EventDbx.Cli.Tests;

public sealed class ConfigFileTests : IDisposable
{
    readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData("prt = 1", 1, "unknown key `prt`; did you mean `port`?")]
    [InlineData("# a comment\n\nport = 1\nlist_page_sze = 3", 4, "unknown key `list_page_sze`; did you mean `list_page_size`?")]
    [InlineData("[admin]\nenabeld = true", 2, "unknown key `admin.enabeld`; did you mean `admin.enabled`?")]
    [InlineData("[admin]\npage_limit = 3", 2, "unknown key `admin.page_limit`; did you mean `page_limit`?")]
    [InlineData("zzz = 1", 1, "unknown key `zzz`")]
    [InlineData("[amdin]\nport = 1", 1, "unknown table [amdin]; did you mean `admin`?")]
    [InlineData("[[admin]]\nport = 1", 1, "[[admin]] is a list of tables")]
    [InlineData("port = 70000", 1, "`port` must be a whole number from 1 to 65535, not 70000.")]
    [InlineData("port = \"7070\"", 1, "`port` must be a whole number from 1 to 65535, not \"7070\".")]
    [InlineData("data_dir = \"\"", 1, "`data_dir` must be the path of a directory, not \"\".")]
    [InlineData("page_limit = 0", 1, "`page_limit` must be a whole number from 1")]
    [InlineData("durability = \"fast\"", 1, "`durability` must be \"sync\" or \"relaxed\", not \"fast\".")]
    [InlineData("relaxed_interval_ms = 0", 1, "`relaxed_interval_ms` must be a whole number from 1 to 60000, not 0.")]
    [InlineData("encryption = false", 1, "`encryption` must be \"on\" or \"off\", not false.")]
    [InlineData("restrict = \"lax\"", 1, "`restrict` must be \"off\", \"default\" or \"strict\", not \"lax\".")]
    [InlineData("api = \"soap\"", 1, "`api` must be \"rest\", \"graphql\", \"grpc\" or \"all\"")]
    [InlineData("[socket]\nbind_addr = \"localhost\"", 2, "`socket.bind_addr` must be an IP address and a port")]
    [InlineData("[socket]\nbind_addr = \"1.2.3.4\"", 2, "`socket.bind_addr` must be an IP address and a port")]
    [InlineData("[admin]\nbind_addr = \"7\"", 2, "`admin.bind_addr` must be an IP address")]
    [InlineData("cache_threshold = 1\nmemory_threshold = 2", 2, "`memory_threshold` says again what `cache_threshold` says in line 1.")]
    [InlineData("[remotes.standby]\naddress = \"x\"", 2, "unknown key `address` for a remote; known: endpoint, public_key, mode.")]
    [InlineData("[replication.allow.east]\npublic_key = \"K1\"\npussh = true", 3, "unknown key `pussh` for an allowed peer; known: public_key, push, pull.")]
    [InlineData("[replication.allow.east]\npublic_key = \"K1\"\npush = \"true\"", 3, "`replication.allow.east.push` must be true or false.")]
    [InlineData("[replication.allow.east]\npublic_key = 5", 2, "`replication.allow.east.public_key` must be a string.")]
    [InlineData("[replication.allow.east]\npublic_key = \"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"", 2, "`replication.allow.east.public_key`: public key is none of Ed25519")]
    [InlineData("[replication.allow.east]\npush = true\npull = true", 3, "[replication.allow.east] has no public_key")]
    [InlineData("[replication.allow.a]\npublic_key = \"K1\"\n[replication.allow.b]\npublic_key = \"K1=\"", 4, "[replication.allow.b] has the key of [replication.allow.a]")]
    [InlineData("[replication.allow]\npush = true", 2, "`replication.allow.push` must stand in a table of its own, [replication.allow.<name>].")]
    [InlineData("[replication.alow.east]\npush = true", 1, "unknown table [replication.alow.east]")]
    public void What_is_wrong_is_named_with_its_line(string text, int line, string problem)
    {
        var refused = Assert.Throws<ConfigException>(() => Load(text.Replace("K1", Key, StringComparison.Ordinal)));

        Assert.StartsWith($"{_directory["config.toml"]}, line {line}: {problem}", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("port = \n", 1)]
    [InlineData("port = 1\nport = 2\n", 2)]
    [InlineData("[admin\n", 1)]
    public void Text_that_is_not_TOML_is_named_with_line_and_column(string text, int line)
    {
        var refused = Assert.Throws<ConfigException>(() => Load(text));

        Assert.StartsWith($"{_directory["config.toml"]}, line {line}, column ", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("data_encryption_key = \"c2VjcmV0\"")]
    [InlineData("data_encryption_key = \"c2VjcmV0\"\ndata_encryption_key = \"c2VjcmV0\"")]
    [InlineData("[admin]\nmaster_key_hash = \"c2VjcmV0\"")]
    public void A_secret_is_never_quoted(string text)
    {
        var refused = Assert.Throws<ConfigException>(() => Load(text));

        Assert.DoesNotContain("c2VjcmV0", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Without_a_file_the_published_defaults_hold_and_nothing_is_written()
    {
        var file = ConfigFile.Load(null, _directory[".eventdbx"], null, TimeProvider.System);

        Assert.False(file.Exists);
        Assert.Equal((7070, 10_000, 10, 1000, 10), (file.Config.Port, file.Config.CacheThreshold, file.Config.ListPageSize, file.Config.PageLimit, file.Config.PluginMaxAttempts));
        Assert.Equal(_directory[".eventdbx"], file.Config.DataDir);
        Assert.Equal((Durability.Sync, true, Restriction.Default), (file.Config.Durability, file.Config.Encryption, file.Config.Restrict));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_directory.Path));
    }

    [Fact]
    public void A_file_of_the_older_kind_is_read()
    {
        var config = Load("""
            port = 7070
            data_dir = "/srv/dbx"
            memory_threshold = 5
            restrict = true
            plugins = [ { kind = "log" } ]
            [api]
            rest = true
            [grpc]
            enabled = true
            [remotes]
            [remotes.standby]
            endpoint = "tcp://10.0.0.2:6363"
            public_key = "abc"
            """).Config;

        Assert.Equal((5, Restriction.Default), (config.CacheThreshold, config.Restrict));
        Assert.Equal((true, false, true), (config.ApiRest, config.ApiGraphQL, config.ApiGrpc));
        Assert.Equal("tcp://10.0.0.2:6363", config.Remotes["standby"].Endpoint);
    }

    [Fact]
    public void A_relative_data_directory_is_beside_the_file()
    {
        Assert.Equal(_directory["data"], Load("data_dir = \"data\"").Config.DataDir);
    }

    [Fact]
    public async Task A_save_changes_what_changed_and_keeps_everything_else()
    {
        const string text = """
            # Our office.
            port = 7070   # the usual

            data_dir = "/srv/dünn 😀"
            [api] # surfaces
            rest = true
            # no graphql here

            [admin]
            enabled = false
            """;
        await SaveAsync(text, config => config with { Port = 8080, ListPageSize = 20, AdminEnabled = true, AdminPort = 1, SocketBindAddr = "127.0.0.1:1" });

        var saved = Without(await File.ReadAllTextAsync(_directory["config.toml"], TestContext.Current.CancellationToken), "created_at", "updated_at");
        Assert.Equal("""
            # Our office.
            port = 8080   # the usual

            data_dir = "/srv/dünn 😀"
            list_page_size = 20
            [api] # surfaces
            rest = true
            # no graphql here

            [admin]
            enabled = true
            port = 1

            [socket]
            bind_addr = "127.0.0.1:1"

            """, saved);
    }

    [Theory]
    [InlineData("api = \"rest\"")]
    [InlineData("api_mode = \"all\"\nport = 1")]
    [InlineData("api = { rest = true }")]
    [InlineData("api.rest = true")]
    [InlineData("[api]\nrest = true")]
    [InlineData("[api]")]
    [InlineData("[api]\nrest = true\n[grpc]\nenabled = true")]
    [InlineData("# nothing but this\nport = 1")]
    [InlineData("[admin]\nport = 3\n")]
    public async Task Surfaces_change_together_in_whatever_form_they_stand(string text)
    {
        await SaveAsync(text, config => config with { ApiRest = false, ApiGraphQL = true, ApiGrpc = false });

        var config = Load(null).Config;
        Assert.Equal((false, true, false), (config.ApiRest, config.ApiGraphQL, config.ApiGrpc));
    }

    [Theory]
    [InlineData("snapshot_threshold = 5\nport = 1\n", "port = 1\n")]
    [InlineData("port = 1\r\nsnapshot_threshold = 5 # often\r\n", "port = 1\r\n")]
    [InlineData("port = 1\nsnapshot_threshold = 5", "port = 1\n")]
    public async Task A_key_that_is_cleared_goes_with_its_line(string text, string kept)
    {
        await SaveAsync(text, config => config with { SnapshotThreshold = null });

        Assert.Equal(kept, Without(await File.ReadAllTextAsync(_directory["config.toml"], TestContext.Current.CancellationToken), "created_at", "updated_at"));
    }

    [Theory]
    [InlineData("port = 1\n", "port = 1\n\n[remotes.b]\nendpoint = \"e\"\npublic_key = \"k\"\n")]
    [InlineData("port = 1\r\n", "port = 1\r\n\r\n[remotes.b]\r\nendpoint = \"e\"\r\npublic_key = \"k\"\r\n")]
    [InlineData("port = 1\n\n# far\n[remotes.a]\nendpoint = \"x\"\n\n[remotes.b] # old\nendpoint = \"old\"\n\n[api]\nrest = true\n", "port = 1\n\n# far\n[remotes.a]\nendpoint = \"x\"\n\n[api]\nrest = true\n\n[remotes.b]\nendpoint = \"e\"\npublic_key = \"k\"\n")]
    public async Task A_remote_that_is_put_takes_the_place_of_the_one_of_its_name_and_of_nothing_else(string text, string kept)
    {
        await SaveAsync(text, config => config with { Remotes = config.Remotes.SetItem("b", new() { Endpoint = "e", PublicKey = "k" }) });

        Assert.Equal(kept, Without(await File.ReadAllTextAsync(_directory["config.toml"], TestContext.Current.CancellationToken), "created_at", "updated_at"));
    }

    [Fact]
    public async Task What_cannot_be_edited_is_refused_before_anything_else_is_done()
    {
        const string text = "log = { origin = \"example.com/orders\" }\n";

        await Assert.ThrowsAsync<ConfigException>(() => Load(text).UpdateAsync(
            config => config with { LogOrigin = null }, () => throw new InvalidOperationException("done"), TestContext.Current.CancellationToken));

        Assert.Equal(text, await File.ReadAllTextAsync(_directory["config.toml"], TestContext.Current.CancellationToken));
    }

    [Fact]
    public void Every_key_survives_being_written_and_read()
    {
        var config = new ServerConfig
        {
            DataDir = "/d \"q\" \\ \u0001",
            Port = 1,
            BindAddr = "1.2.3.4",
            CacheThreshold = 2,
            SnapshotThreshold = 3,
            DataEncryptionKey = Convert.ToBase64String(new byte[32]),
            Encryption = false,
            Durability = Durability.Relaxed,
            RelaxedIntervalMs = 4,
            CreatedAt = "2025-01-01T00:00:00Z",
            UpdatedAt = "2025-01-02T00:00:00Z",
            Restrict = Restriction.Strict,
            ListPageSize = 5,
            PageLimit = 6,
            PluginMaxAttempts = 7,
            ReplicationIdentityKey = "id",
            ReplicationBindAddr = "[::1]:1",
            GrpcBindAddr = "1.2.3.4:5",
            SocketBindAddr = "1.2.3.4:6",
            ApiRest = false,
            ApiGraphQL = false,
            ApiGrpc = true,
            AdminEnabled = true,
            AdminBindAddr = "::1",
            AdminPort = 0,
            AdminMasterKeyHash = "$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$V1loW78P8Cx7WWVKoD4i/ElobtuKLnJEg2Q0XZVphyY",
            AuthIssuer = "i",
            AuthAudience = "a",
            AuthSecret = "s",
            AuthKeyId = "k",
            AuthDefaultTtlSecs = 60,
            AuthClockSkewSecs = 0,
        };
        var remotes = config.Remotes.Add("a.b c", new RemoteConfig { Endpoint = "e", PublicKey = "p" });
        var allowed = config.ReplicationAllow.Add("a.b c", new AllowedPeer { PublicKey = Key, Push = true }).Add("d", new AllowedPeer { PublicKey = OtherKey, Pull = true });
        config = config with { Remotes = remotes, ReplicationAllow = allowed };

        var read = Load(ConfigFile.Show(config, secrets: true)).Config;

        Assert.Equal(config.Remotes, read.Remotes);
        Assert.Equal(config.ReplicationAllow, read.ReplicationAllow);
        Assert.Equal(config, read with { Remotes = config.Remotes, ReplicationAllow = config.ReplicationAllow, DataDir = config.DataDir });
        Assert.DoesNotContain(config.DataEncryptionKey, ConfigFile.Show(config, secrets: false), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_file_is_for_its_owner_only_and_a_link_to_it_stays_a_link()
    {
        if (OperatingSystem.IsWindows())
        {
            Assert.Skip("Windows has no file modes.");
            return;
        }

        _directory.Write("real/config.toml", "port = 1\n");
        File.CreateSymbolicLink(_directory["config.toml"], "real/config.toml");

        await Load(null).UpdateAsync(config => config with { Port = 2 }, TestContext.Current.CancellationToken);

        Assert.NotNull(new FileInfo(_directory["config.toml"]).LinkTarget);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_directory["real/config.toml"]));
        Assert.Equal(2, Load(null).Config.Port);
        Assert.DoesNotContain(Directory.EnumerateFiles(_directory.Path, "*", SearchOption.AllDirectories), path => path.EndsWith(".tmp", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Updates_at_the_same_time_are_all_kept()
    {
        var cancellation = TestContext.Current.CancellationToken;

        await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Task.Run(
            () => Load(null).UpdateAsync(config => config with { AdminPort = config.AdminPort + 1 }, cancellation), cancellation)));

        Assert.Equal(7171 + 20, Load(null).Config.AdminPort);
    }

    [Theory]
    [InlineData("remotes = { old = { endpoint = \"e\", public_key = \"p\" }, other = { endpoint = \"e2\", public_key = \"p2\" } }\nport = 9 # ours\n")]
    [InlineData("remotes.old = { endpoint = \"e\", public_key = \"p\" }\nport = 9 # ours\nremotes.other = { endpoint = \"e2\", public_key = \"p2\" }\n")]
    [InlineData("remotes.old.endpoint = \"e\"\nremotes.old.public_key = \"p\"\nport = 9 # ours\nremotes.other.endpoint = \"e2\"\nremotes.other.public_key = \"p2\"")]
    [InlineData("port = 9 # ours\n[remotes]\nold = { endpoint = \"e\", public_key = \"p\" }\nother.endpoint = \"e2\"\nother.public_key = \"p2\"\n[admin]\nport = 1\n")]
    [InlineData("port = 9 # ours\r\n[remotes.old]\r\nendpoint = \"e\"\r\npublic_key = \"p\"\r\n[remotes.other]\r\nendpoint = \"e2\"\r\npublic_key = \"p2\"\r\n")]
    [InlineData("port = 9 # ours\n[remotes.old]\nendpoint = \"e\"\npublic_key = \"p\"\n[remotes]\nother = { endpoint = \"e2\", public_key = \"p2\" }\n")]
    public async Task Remotes_are_added_replaced_and_removed_however_they_are_written(string text)
    {
        var (one, two) = (new RemoteConfig { Endpoint = "n", PublicKey = "k" }, new RemoteConfig { Endpoint = "e2", PublicKey = "p2" });
        var added = await SaveAsync(text, config => config with { Remotes = config.Remotes.Add("new", one) });
        Assert.Equal(["new", "old", "other"], Load(null).Config.Remotes.Keys);
        var replaced = await SaveAsync(text, config => config with { Remotes = config.Remotes.SetItem("old", one) });
        Assert.Equal([("old", one), ("other", two)], Load(null).Config.Remotes.Select(remote => (remote.Key, remote.Value)));
        await SaveAsync(text, config => config with { Remotes = config.Remotes.Remove("old") });
        Assert.Equal([("other", two)], Load(null).Config.Remotes.Select(remote => (remote.Key, remote.Value)));
        await Load(null).UpdateAsync(config => config with { Remotes = config.Remotes.Clear() }, TestContext.Current.CancellationToken);

        Assert.Equal((3, 2), (added.Remotes.Count, replaced.Remotes.Count));
        Assert.Empty(Load(null).Config.Remotes);
        Assert.Equal(9, Load(null).Config.Port);
        Assert.Contains("port = 9 # ours", await File.ReadAllTextAsync(_directory["config.toml"], TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    const string Key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    const string OtherKey = "PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw";

    [Theory]
    [InlineData("port = 9 # ours\n")]
    [InlineData("port = 9 # ours\n[replication]\nidentity_key = \"id\" # far\n[api]\nrest = true\n")]
    [InlineData("port = 9 # ours\n[replication]\nallow = { old = { public_key = \"K2\", push = true } }\n[api]\nrest = true\n")]
    [InlineData("port = 9 # ours\n[replication]\nallow.old = { public_key = \"K2\", push = true }\n")]
    [InlineData("port = 9 # ours\n[replication.allow]\nold.public_key = \"K2\"\nold.push = true\n[replication]\nidentity_key = \"id\"\n")]
    [InlineData("port = 9 # ours\r\n[replication.allow.old]\r\npublic_key = \"K2\"\r\npush = true\r\n")]
    [InlineData("port = 9 # ours\nreplication.allow.old.public_key = \"K2\"\nreplication.allow.old.push = true")]
    public async Task Who_is_allowed_is_added_changed_and_removed_however_it_is_written(string text)
    {
        text = text.Replace("K2", OtherKey, StringComparison.Ordinal);
        var one = new AllowedPeer { PublicKey = Key, Pull = true };
        var hasOld = text.Contains("old", StringComparison.Ordinal);
        await SaveAsync(text, config => config with { ReplicationAllow = config.ReplicationAllow.Add("new", one) });
        Assert.Equal(hasOld ? ["new", "old"] : ["new"], Load(null).Config.ReplicationAllow.Keys);
        await Load(null).UpdateAsync(config => config with { ReplicationAllow = config.ReplicationAllow.SetItem("old", new() { PublicKey = OtherKey, Push = true, Pull = true }) }, TestContext.Current.CancellationToken);
        Assert.Equal([("new", true), ("old", true)], Load(null).Config.ReplicationAllow.Select(peer => (peer.Key, peer.Value.Pull)));
        // A key of the table above goes into that table.
        await Load(null).UpdateAsync(config => config with { ReplicationIdentityKey = "other", Remotes = config.Remotes.SetItem("r", new() { Endpoint = "e", PublicKey = "p" }) }, TestContext.Current.CancellationToken);
        Assert.Equal("other", Load(null).Config.ReplicationIdentityKey);
        await Load(null).UpdateAsync(config => config with { ReplicationAllow = config.ReplicationAllow.Clear() }, TestContext.Current.CancellationToken);

        Assert.Empty(Load(null).Config.ReplicationAllow);
        Assert.Equal((9, "other"), (Load(null).Config.Port, Load(null).Config.ReplicationIdentityKey));
        Assert.Contains("port = 9 # ours", await File.ReadAllTextAsync(_directory["config.toml"], TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Beside_an_inline_table_of_replication_nobody_is_allowed_and_it_says_why()
    {
        const string text = "replication = { identity_key = \"id\" }\n";
        var refused = await Assert.ThrowsAsync<ConfigException>(() => SaveAsync(text, config => config with { ReplicationAllow = config.ReplicationAllow.Add("new", new() { PublicKey = Key, Push = true }) }));

        Assert.Contains("line 1: `replication` stands in an inline table", refused.Message, StringComparison.Ordinal);
        Assert.Equal(text, await File.ReadAllTextAsync(_directory["config.toml"], TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task What_is_done_first_is_done_when_only_the_name_of_the_new_file_can_still_fail()
    {
        var cancellation = TestContext.Current.CancellationToken;
        string? ready = null;
        await Load("port = 1\n").UpdateAsync(
            config => config with { Port = 2 },
            async () =>
            {
                Assert.Equal("port = 1\n", await File.ReadAllTextAsync(_directory["config.toml"], cancellation));
                ready = await File.ReadAllTextAsync(_directory["config.toml.tmp"], cancellation);
            },
            cancellation);
        Assert.Equal(ready, await File.ReadAllTextAsync(_directory["config.toml"], cancellation));
        Assert.Contains("\nport = 2\n", ready, StringComparison.Ordinal);

        // Where it throws, nothing has changed; where nothing changes or nothing could be written, it is not done.
        await Assert.ThrowsAsync<InvalidOperationException>(() => Load("port = 1\n").UpdateAsync(config => config with { Port = 2 }, () => throw new InvalidOperationException(), cancellation));
        Assert.Equal("port = 1\n", await File.ReadAllTextAsync(_directory["config.toml"], cancellation));
        Assert.False(File.Exists(_directory["config.toml.tmp"]));
        await Load(null).UpdateAsync(config => config, () => throw new InvalidOperationException(), cancellation);
        Directory.CreateDirectory(_directory["config.toml.tmp"]);
        var unwritten = await Record.ExceptionAsync(() => Load(null).UpdateAsync(config => config with { Port = 2 }, () => throw new NotSupportedException("done"), cancellation));
        Assert.True(unwritten is IOException or UnauthorizedAccessException, $"{unwritten}");
    }

    /// <param name="text">Null reads what is there.</param>
    ConfigFile Load(string? text)
    {
        if (text is not null)
            _directory.Write("config.toml", text);
        return ConfigFile.Load(_directory["config.toml"], _directory[".eventdbx"], null, TimeProvider.System);
    }

    Task<ServerConfig> SaveAsync(string text, Func<ServerConfig, ServerConfig> change) =>
        Load(text).UpdateAsync(change, TestContext.Current.CancellationToken);

    /// <summary>And without the first and the last line of a file of ours.</summary>
    static string Without(string text, params string[] keys) => string.Concat(
        text.Split('\n').Select(line => line + "\n").SkipLast(text.EndsWith('\n') ? 1 : 0).Where(line => !keys.Any(key => line.StartsWith(key + " =", StringComparison.Ordinal)) && !line.Contains("EventDBX configuration", StringComparison.Ordinal)));
}
