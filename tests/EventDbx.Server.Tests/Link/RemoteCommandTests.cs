using System.Text.Json.Nodes;
using EventDbx.Cli.Output;
using EventDbx.Server.Configuration;
using EventDbx.Server.Replication;

namespace EventDbx.Server.Tests.Link;

/// <summary><c>dbx remote</c>: other nodes, who may come, and the key of this one.</summary>
public sealed class RemoteCommandTests : IDisposable
{
    const string Key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    const string OtherKey = "PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw";

    const string Fingerprint = "SHA256:bbXpuKG6zhzdmnxq256TlqzFBzRl2f6OOg722cYNbU8";

    readonly CommandLine _line = new();

    string KeyPath => Path.Combine(_line.DataDirectory, "replication.key");

    ServerConfig Saved => ConfigFile.Load(_line.ConfigPath, _line.DataDirectory, null, TimeProvider.System).Config;

    public void Dispose() => _line.Dispose();

    public static TheoryData<string> Roads => ["nothing there", "stopped", "running"];

    /// <summary>The published synopses of section Replication, with values for names, each with what it prints.</summary>
    [Theory, MemberData(nameof(Roads))]
    public async Task Every_published_synopsis_of_remotes_does_what_it_says(string road)
    {
        await using var server = await PrepareAsync(road);
        foreach (var (line, prints) in new (string[], string)[]
        {
            (["remote", "ls"], "(no remotes configured)\n"),
            (["remote", "ls", "--json"], "{}\n"),
            (["remote", "add", "standby", "10.1.2.3", "--public-key", Key], $"Remote 'standby' set to endpoint tcp://10.1.2.3:6363 with pinned key {Key}\nfingerprint: {Fingerprint}\n"),
            (["remote", "add", " east ", " db.example ", "--public-key", $" {OtherKey}= ", "--port", "7000"], $"Remote 'east' set to endpoint tcp://db.example:7000 with pinned key {OtherKey}="),
            (["remote", "add", "--name", "v6", "--ip", "2001:db8::7", "--public-key", Key], "Remote 'v6' set to endpoint tcp://[2001:db8::7]:6363 with pinned key"),
            (["remote", "add", "v6", "[::1]", "--public-key", Key, "--replace"], "Remote 'v6' set to endpoint tcp://[::1]:6363 with pinned key"),
            (["remote", "ls"], $"east tcp://db.example:7000 {PeerKey.FingerprintOf(OtherKey)}\nstandby tcp://10.1.2.3:6363 {Fingerprint}\nv6 tcp://[::1]:6363 {Fingerprint}\n"),
            (["remote", "show", "standby"], $"name: standby\nendpoint: tcp://10.1.2.3:6363\npublic_key: {Key}\nfingerprint: {Fingerprint}\n"),
            (["remote", "rm", "v6"], "Removed remote 'v6'\n"),
            (["remote", "rm", "east"], "Removed remote 'east'\n"),
            (["remote", "ls", "--json"], $"{{\n  \"standby\": {{\n    \"endpoint\": \"tcp://10.1.2.3:6363\",\n    \"public_key\": \"{Key}\",\n    \"fingerprint\": \"{Fingerprint}\"\n  }}\n}}\n"),
        })
        {
            var outcome = await _line.RunAsync(line);
            Assert.True(outcome.Code == ExitCode.Done && outcome.Out.StartsWith(prints, StringComparison.Ordinal), $"dbx {string.Join(' ', line)}: {outcome}");
        }

        var key = await _line.RunAsync("remote", "key");
        var shown = await _line.RunAsync("remote", "key", "--show-path");
        Assert.Equal(new(ExitCode.Done, $"{await File.ReadAllTextAsync(Path.ChangeExtension(KeyPath, ".pub"), TestContext.Current.CancellationToken)}\n", $"fingerprint: {PeerKey.FingerprintOf(key.Out)}\n"), key);
        Assert.Equal($"{key.Out}path: {KeyPath}\n", shown.Out);
        Assert.Equal(["standby"], Saved.Remotes.Keys);
        Assert.Equal(new() { Endpoint = "tcp://10.1.2.3:6363", PublicKey = Key }, Saved.Remotes["standby"]);
        Assert.Equal(road != "nothing there", Database.ExistsIn(_line.DataDirectory));
    }

    [Theory, MemberData(nameof(Roads))]
    public async Task What_is_no_remote_is_refused_with_the_published_words_and_nothing_is_kept(string road)
    {
        await using var server = await PrepareAsync(road);
        await _line.RunAsync("remote", "add", "there", "10.1.2.3", "--public-key", Key);
        foreach (var (line, code, why) in new (string[], ExitCode, string)[]
        {
            (["add", " ", "10.1.2.3", "--public-key", Key], ExitCode.Failed, "remote name cannot be empty"),
            (["add", "..", "10.1.2.3", "--public-key", Key], ExitCode.Failed, "The name of a remote"),
            (["add", "r", " ", "--public-key", Key], ExitCode.Failed, "remote IP address cannot be empty"),
            (["add", "r", "tcp://10.1.2.3", "--public-key", Key], ExitCode.Failed, "remote IP address must not include a protocol scheme"),
            (["add", "r", "10.1.2.3", "--public-key", Key, "--port", "0"], ExitCode.Failed, "remote port must be greater than zero"),
            (["add", "r", "10.1.2.3", "--public-key", Key, "--port", "65536"], ExitCode.Usage, "`--port` must be a whole number from 0 to 65535"),
            (["add", "r", "10.1.2.3:6363", "--public-key", Key], ExitCode.Failed, "must not include a port"),
            (["add", "r", "[10.1.2.3]", "--public-key", Key], ExitCode.Failed, "remote endpoint"),
            (["add", "r", "10.1.2.3", "--public-key", " "], ExitCode.Failed, "public key cannot be empty"),
            (["add", "r", "10.1.2.3", "--public-key", "nonsense!"], ExitCode.Failed, "invalid base64 public key: "),
            (["add", "r", "10.1.2.3", "--public-key", "AAAA"], ExitCode.Failed, "public key must decode to 32 bytes"),
            (["add", "r", "10.1.2.3", "--public-key", new string('A', 43)], ExitCode.Failed, "no point of the curve"),
            (["add", "r", "10.1.2.3"], ExitCode.Usage, "`--public-key` is missing"),
            (["add", "there", "10.9.9.9", "--public-key", Key], ExitCode.Failed, "remote 'there' already exists (use --replace to overwrite)"),
            (["rm", "none"], ExitCode.Failed, "no remote named 'none' is configured"),
            (["show", "none"], ExitCode.Failed, "no remote named 'none' is configured"),
            (["allow", "p", "--public-key", Key], ExitCode.Usage, "say what it may"),
            (["allow", "p", "--both", "--push", "--public-key", Key], ExitCode.Usage, "exclude each other"),
            (["allow", "p", "--both"], ExitCode.Usage, "`--public-key` is missing"),
            (["allow", " ", "--both", "--public-key", Key], ExitCode.Failed, "peer name cannot be empty"),
            (["allow", Key, "--both", "--public-key", Key], ExitCode.Failed, "The name of a peer cannot be a key"),
            (["allow", "p", "--both", "--public-key", new string('A', 43)], ExitCode.Failed, "no point of the curve"),
            (["deny", "nobody"], ExitCode.Failed, "no peer 'nobody' is allowed"),
            (["deny", OtherKey], ExitCode.Failed, "is allowed, by name or by key"),
        })
        {
            var outcome = await _line.RunAsync(["remote", .. line]);
            Assert.True(outcome.Code == code && outcome.Out.Length == 0 && outcome.Error.Contains(why, StringComparison.Ordinal), $"dbx remote {string.Join(' ', line)}: {outcome}");
        }

        Assert.Equal(["there"], Saved.Remotes.Keys);
        Assert.Equal("tcp://10.1.2.3:6363", Saved.Remotes["there"].Endpoint);
        Assert.Empty(Saved.ReplicationAllow);
    }

    [Theory, MemberData(nameof(Roads))]
    public async Task Who_may_come_is_allowed_changed_listed_and_denied_by_name_or_by_key(string road)
    {
        await using var server = await PrepareAsync(road);

        var nobody = await _line.RunAsync("remote", "allowed");
        var allowed = await _line.RunAsync("remote", "allow", "east", "--pull", "--public-key", Key);
        var again = await _line.RunAsync("remote", "allow", "east", "--both", "--public-key", Key);
        var under = await _line.RunAsync("remote", "allow", "other", "--push", "--public-key", Key + "=");
        var replaced = await _line.RunAsync("remote", "allow", "east", "--both", "--public-key", Key, "--replace");
        var west = await _line.RunAsync("remote", "allow", "west", "--push", "--public-key", OtherKey, "--json");
        var listed = await _line.RunAsync("remote", "allowed");
        var json = await _line.RunAsync("remote", "allowed", "--json");
        var byKey = await _line.RunAsync("remote", "deny", OtherKey + "=");
        var byName = await _line.RunAsync("remote", "deny", "east");

        Assert.Equal(new(ExitCode.Done, "(nobody is allowed)\n", ""), nobody);
        Assert.Equal($"Peer 'east' may pull with key {Key}\nfingerprint: {Fingerprint}\n", allowed.Out);
        Assert.Contains("peer 'east' already exists (use --replace to overwrite)", again.Error, StringComparison.Ordinal);
        Assert.Contains("the peer 'east' already", under.Error, StringComparison.Ordinal);
        Assert.StartsWith("Peer 'east' may push and pull with key", replaced.Out, StringComparison.Ordinal);
        Assert.True(JsonNode.DeepEquals(
            new JsonObject { ["name"] = "west", ["public_key"] = OtherKey, ["fingerprint"] = PeerKey.FingerprintOf(OtherKey), ["push"] = true, ["pull"] = false }, JsonNode.Parse(west.Out)));
        Assert.Equal($"east push,pull {Fingerprint}\nwest push {PeerKey.FingerprintOf(OtherKey)}\n", listed.Out);
        Assert.Equal(Key, JsonNode.Parse(json.Out)!["east"]!["public_key"]!.GetValue<string>());
        Assert.Equal($"Denied peer 'west' with key {OtherKey}\n", byKey.Out);
        Assert.Equal($"Denied peer 'east' with key {Key}\n", byName.Out);
        Assert.Empty(Saved.ReplicationAllow);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Every_change_leaves_one_entry_and_a_server_that_starts_finds_no_other(bool running)
    {
        await StoreAsync();
        // The first server notes down what it finds.
        await (await RunningServer.StartAsync(_line)).DisposeAsync();
        await using (var server = running ? await RunningServer.StartAsync(_line) : null)
        {
            foreach (var line in (string[][])
            [
                ["add", "standby", "10.1.2.3", "--public-key", Key], ["add", "standby", "10.1.2.3", "--public-key", Key, "--replace"], ["add", "standby", "10.1.2.4", "--public-key", Key, "--replace"], ["rm", "standby"],
                ["allow", "east", "--push", "--public-key", Key], ["allow", "east", "--both", "--public-key", Key, "--replace"], ["deny", Key], ["allow", "west", "--pull", "--public-key", Key],
            ])
                Assert.Equal(ExitCode.Done, (await _line.RunAsync(["remote", .. line])).Code);
        }

        await (await RunningServer.StartAsync(_line)).DisposeAsync();
        var entries = JsonNode.Parse((await _line.RunAsync("audit", "list", "--kind", "remote_change,config_change", "--json")).Out)!.AsArray();

        var from = running ? "socket" : "directory";
        Assert.Equal(
            [
                $$"""standby {"action":"added","endpoint":"tcp://10.1.2.3:6363","public_key":"{{Key}}","from":"{{from}}"}""",
                $$"""standby {"action":"replaced","endpoint":"tcp://10.1.2.4:6363","public_key":"{{Key}}","from":"{{from}}"}""",
                $$"""standby {"action":"removed","endpoint":"tcp://10.1.2.4:6363","public_key":"{{Key}}","from":"{{from}}"}""",
                $$"""east {"action":"allowed","public_key":"{{Key}}","push":true,"pull":false,"from":"{{from}}"}""",
                $$"""east {"action":"allowed_anew","public_key":"{{Key}}","push":true,"pull":true,"from":"{{from}}"}""",
                $$"""east {"action":"denied","public_key":"{{Key}}","push":true,"pull":true,"from":"{{from}}"}""",
                $$"""west {"action":"allowed","public_key":"{{Key}}","push":false,"pull":true,"from":"{{from}}"}""",
            ],
            entries.Select(entry => $"{entry!["subject"]} {entry["body"]!.ToJsonString(Relaxed)}"));
    }

    [Fact]
    public async Task A_peer_that_somebody_writes_into_the_file_is_in_the_log_by_its_name()
    {
        await StoreAsync();
        await (await RunningServer.StartAsync(_line)).DisposeAsync();
        await File.AppendAllTextAsync(_line.ConfigPath, $"\n[replication.allow.evil]\npublic_key = \"{Key}\"\npull = true\n", TestContext.Current.CancellationToken);

        await (await RunningServer.StartAsync(_line)).DisposeAsync();
        var entries = await _line.RunAsync("audit", "list", "--kind", "config_change", "--json");

        Assert.Contains("replication.allow.evil", entries.Out, StringComparison.Ordinal);
        Assert.Equal($"evil pull {Fingerprint}\n", (await _line.RunAsync("remote", "allowed")).Out);
    }

    [Fact]
    public async Task The_identity_is_made_with_the_store_and_not_by_who_only_looks()
    {
        foreach (var line in (string[][])[["--help"], ["remote", "key", "--help"], ["config"], ["status"], ["doctor"], ["aggregate", "list"], ["remote", "ls"], ["remote", "allowed"], ["token", "list"]])
            Assert.Equal(ExitCode.Done, (await _line.RunAsync(line)).Code);
        Assert.False(Directory.Exists(_line.DataDirectory));

        await StoreAsync();
        Assert.Equal(32, new FileInfo(KeyPath).Length);
        var key = await _line.RunAsync("remote", "key");

        File.Delete(Path.ChangeExtension(KeyPath, ".pub"));
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("aggregate", "list")).Code);
        Assert.Equal(key.Out, await File.ReadAllTextAsync(Path.ChangeExtension(KeyPath, ".pub"), TestContext.Current.CancellationToken) + "\n");
        Assert.Equal(key, await _line.RunAsync("remote", "key"));
    }

    [Fact]
    public async Task A_server_makes_the_identity_where_its_setting_says_and_a_command_elsewhere_makes_none()
    {
        _line.Directory.Write(".eventdbx/config.toml", "encryption = \"off\"\n[replication]\nidentity_key = \"keys/node.seed\"\n");
        await using (var server = await RunningServer.StartAsync(_line))
        {
            Assert.Equal(32, new FileInfo(Path.Combine(_line.DataDirectory, "keys", "node.seed")).Length);
            Assert.False(File.Exists(KeyPath));
        }

        await using var elsewhere = await Conformance.RemoteCli.StartAsync();
        Assert.Equal(ExitCode.Done, (await elsewhere.Line.RunAsync("remote", "add", "standby", "10.1.2.3", "--public-key", Key)).Code);
        Assert.StartsWith("standby tcp://10.1.2.3:6363 ", (await elsewhere.Line.RunAsync("remote", "ls")).Out, StringComparison.Ordinal);
        Assert.True(elsewhere.LeftNothing);
    }

    [Fact]
    public async Task A_damaged_identity_is_told_to_who_asks_for_it_and_to_doctor_and_holds_up_nobody_else()
    {
        await StoreAsync();
        await File.WriteAllBytesAsync(KeyPath, new byte[5], TestContext.Current.CancellationToken);

        var key = await _line.RunAsync("remote", "key", "--json");
        var doctor = await _line.RunAsync("doctor", "--json");
        var applied = await _line.RunAsync("aggregate", "apply", "order", "o-2", "made");

        Assert.Equal((ExitCode.Failed, ""), (key.Code, key.Out));
        Assert.StartsWith($"failed to load local replication public key: invalid replication key length at {KeyPath}: it has 5 bytes", JsonNode.Parse(key.Error)!["message"]!.GetValue<string>(), StringComparison.Ordinal);
        Assert.Equal(ExitCode.Failed, doctor.Code);
        Assert.Contains(
            JsonNode.Parse(doctor.Out)!["findings"]!.AsArray(), finding => finding!["severity"]!.GetValue<string>() == "problem" && finding["check"]!.GetValue<string>() == "replication");
        Assert.Equal(new(ExitCode.Done, applied.Out, ""), applied);
        Assert.Equal(5, new FileInfo(KeyPath).Length);
    }

    [Fact]
    public async Task Doctor_shows_by_which_fingerprint_other_nodes_know_this_one()
    {
        Assert.Contains("This node has no key for replication yet", (await _line.RunAsync("doctor")).Out, StringComparison.Ordinal);
        await StoreAsync();

        var json = JsonNode.Parse((await _line.RunAsync("remote", "key", "--json")).Out)!;

        Assert.Equal(KeyPath, json["path"]!.GetValue<string>());
        Assert.Contains($"Other nodes know this one as {json["fingerprint"]}.", (await _line.RunAsync("doctor")).Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_token_that_is_not_root_changes_no_peers_and_sees_none(bool running)
    {
        await StoreAsync();
        var token = (await _line.RunAsync("token", "generate", "--group", "shop", "--user", "till", "--action", "*.*")).Out.Split('\n')[0]["token=".Length..];
        await using var server = running ? await RunningServer.StartAsync(_line) : null;

        foreach (var line in (string[][])[["ls"], ["show", "x"], ["rm", "x"], ["add", "x", "10.1.2.3", "--public-key", Key], ["allowed"], ["allow", "x", "--both", "--public-key", Key], ["deny", "x"]])
        {
            var outcome = await _line.RunAsync(["remote", .. line, "--token", token, "--json"]);
            Assert.Equal((ExitCode.Failed, ""), (outcome.Code, outcome.Out));
            Assert.Equal("permission_denied", JsonNode.Parse(outcome.Error)!["code"]!.GetValue<string>());
        }

        Assert.Empty(Saved.Remotes);
        Assert.Empty(Saved.ReplicationAllow);
    }

    static readonly System.Text.Json.JsonSerializerOptions Relaxed = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    async Task<Outcome> StoreAsync()
    {
        await _line.RunAsync("config", "--encryption", "off");
        return await _line.RunAsync("aggregate", "apply", "order", "o-1", "made");
    }

    async Task<RunningServer?> PrepareAsync(string road)
    {
        if (road != "nothing there")
            await StoreAsync();
        return road == "running" ? await RunningServer.StartAsync(_line) : null;
    }
}
