using System.Globalization;
using System.Net;
using System.Text.Json;
using EventDbx.Cli.Output;
using EventDbx.Server.Replication;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.Replication.Following;

/// <summary><c>dbx follow</c> and <c>dbx promote</c> on a directory that no server has open.</summary>
public sealed class FollowCommandTests : IAsyncLifetime
{
    readonly RestServer _leader = new() { ChangeOptions = static options => options with { PeerEndPoint = new(IPAddress.Loopback, 0) } };

    readonly CommandLine _line = new();

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        // Before it starts: a change would leave an entry in the middle of what is compared.
        await AllowAsync(pull: true);
        await _leader.InitializeAsync();
        for (var i = 0; i < 3; i++)
            await _leader.AppendAsync("order", $"o-{i}", "placed", """{"n":1}""");
        await MirrorProcessTests.RunAsync(
            _line, "remote", "add", "leader", "127.0.0.1", "--port", _leader.Host.PeerPort!.Value.ToString(CultureInfo.InvariantCulture),
            "--public-key", NodeIdentity.ReadOrCreate(Path.Combine(_leader.DataDir, "replication.key")).Key.ToString());
    }

    async Task AllowAsync(bool pull) => await File.WriteAllTextAsync(
        _leader.ConfigPath,
        $"page_limit = 50\n[replication.allow.mirror]\npublic_key = \"{(await MirrorProcessTests.RunAsync(_line, "remote", "key")).Trim()}\"\npush = true\npull = {(pull ? "true" : "false")}\n", Cancellation);

    public async ValueTask DisposeAsync()
    {
        _line.Dispose();
        await _leader.DisposeAsync();
    }

    [Fact]
    public async Task A_directory_becomes_a_mirror_goes_on_refuses_writes_and_leads_when_it_is_promoted()
    {
        var first = await _line.RunAsync("follow", "leader");
        Assert.Equal((ExitCode.Done, $"Mirror of 'leader' at position {_leader.Host.Database.LogSize}\n"), (first.Code, first.Out));
        Assert.Contains("`dbx start` follows on", first.Error, StringComparison.Ordinal);
        Assert.Contains("mode: follow", await MirrorProcessTests.RunAsync(_line, "remote", "show", "leader"), StringComparison.Ordinal);
        Assert.EndsWith("mode=follow\n", await MirrorProcessTests.RunAsync(_line, "remote", "ls"), StringComparison.Ordinal);

        await _leader.AppendAsync("order", "o-9", "placed", """{"n":1}""");
        var second = JsonDocument.Parse(await MirrorProcessTests.RunAsync(_line, "follow", "leader", "--json")).RootElement;
        Assert.Equal(
            ("leader", "caught_up", _leader.Host.Database.LogSize, false),
            (second.GetProperty("remote").GetString(), second.GetProperty("condition").GetString(), second.GetProperty("position").GetUInt64(), second.GetProperty("server").GetBoolean()));
        Assert.Contains("o-9", await MirrorProcessTests.RunAsync(_line, "aggregate", "list"), StringComparison.Ordinal);
        var refused = await _line.RunAsync("aggregate", "apply", "order", "o-9", "placed", "--field", "n=2");
        Assert.Equal(ExitCode.Failed, refused.Code);
        Assert.Contains("leader", refused.Error, StringComparison.Ordinal);

        var unasked = await _line.RunAsync("promote");
        Assert.Equal(ExitCode.Usage, unasked.Code);
        Assert.Contains("--yes", unasked.Error, StringComparison.Ordinal);
        (_line.Terminal, _line.Input) = (true, "no\n");
        Assert.Equal("promote cancelled\n", await MirrorProcessTests.RunAsync(_line, "promote"));
        _line.Input = "promote\n";
        var promoted = await MirrorProcessTests.RunAsync(_line, "promote", "--comment", "a drill");
        Assert.Contains("in epoch 2", promoted, StringComparison.Ordinal);
        Assert.EndsWith("/e2\n", promoted, StringComparison.Ordinal);
        await MirrorProcessTests.RunAsync(_line, "aggregate", "apply", "order", "o-9", "placed", "--field", "n=2");
        await MirrorProcessTests.RunAsync(_line, "verify", "--all");
        Assert.DoesNotContain("mode", await File.ReadAllTextAsync(_line.ConfigPath, Cancellation), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_store_with_a_history_of_its_own_is_refused_and_goes_on_as_it_was()
    {
        await MirrorProcessTests.RunAsync(_line, "aggregate", "apply", "mine", "m-1", "placed", "--field", "n=1");
        var refused = await _line.RunAsync("follow", "leader");
        Assert.Equal(ExitCode.Failed, refused.Code);
        Assert.Contains("a history of its own", refused.Error, StringComparison.Ordinal);
        Assert.Contains("empty data directory", refused.Error, StringComparison.Ordinal);
        var promote = await _line.RunAsync("promote", "--yes");
        Assert.Equal(ExitCode.Failed, promote.Code);
        Assert.Contains("no mirror", promote.Error, StringComparison.Ordinal);
        await MirrorProcessTests.RunAsync(_line, "aggregate", "apply", "mine", "m-1", "placed", "--field", "n=2");
        Assert.DoesNotContain("mode", await File.ReadAllTextAsync(_line.ConfigPath, Cancellation), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_is_made_for_a_remote_that_is_not_configured_nor_promoted_where_there_is_no_store()
    {
        var unknown = await _line.RunAsync("follow", "nobody");
        Assert.Equal(ExitCode.Failed, unknown.Code);
        Assert.Contains("no remote named 'nobody'", unknown.Error, StringComparison.Ordinal);
        var promote = await _line.RunAsync("promote", "--yes");
        Assert.Equal(ExitCode.Failed, promote.Code);
        Assert.Contains("no store yet", promote.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(_line.DataDirectory, "event_store")));
    }

    [Fact]
    public async Task A_directory_that_is_not_that_of_the_configuration_is_not_followed_from()
    {
        var other = _line.Directory["other"];
        foreach (var command in (string[][])[["follow", "leader"], ["promote", "--yes"]])
        {
            var refused = await _line.RunAsync([.. command, "--data-dir", other]);
            Assert.Equal(ExitCode.Failed, refused.Code);
            Assert.Contains("--config", refused.Error, StringComparison.Ordinal);
        }

        Assert.False(Directory.Exists(other));
        Assert.DoesNotContain("mode", await File.ReadAllTextAsync(_line.ConfigPath, Cancellation), StringComparison.Ordinal);
        await MirrorProcessTests.RunAsync(_line, "follow", "leader", "--data-dir", _line.DataDirectory);
    }

    [Fact]
    public async Task A_leader_that_does_not_let_it_pull_says_so_and_nothing_is_kept()
    {
        await AllowAsync(pull: false);
        var refused = await _line.RunAsync("follow", "leader");
        Assert.Equal(ExitCode.Failed, refused.Code);
        Assert.Contains("pull", refused.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("mode", await File.ReadAllTextAsync(_line.ConfigPath, Cancellation), StringComparison.Ordinal);
    }
}
