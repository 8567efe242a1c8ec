using EventDbx.Server.Admin;
using EventDbx.Server.Configuration;

namespace EventDbx.Cli.Tests;

/// <summary>Which remote is followed, as <c>config.toml</c> says it.</summary>
public sealed class ConfigFollowTests : IDisposable
{
    const string Key = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo";

    readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    ConfigFile Load(string text)
    {
        _directory.Write("config.toml", text);
        return ConfigFile.Load(_directory["config.toml"], _directory.Path, null, TimeProvider.System);
    }

    static string Remote(string name, string mode) => $"[remotes.{name}]\nendpoint = \"tcp://10.1.2.3:6363\"\npublic_key = \"{Key}\"\n{mode}\n";

    [Fact]
    public void A_remote_whose_mode_is_follow_is_the_one_that_is_followed()
    {
        var config = Load(Remote("a", "") + Remote("b", "mode = \"follow\"")).Config;
        Assert.Equal("b", config.Followed);
        Assert.Equal((RemoteMode.OnDemand, RemoteMode.Follow), (config.Remotes["a"].Mode, config.Remotes["b"].Mode));
        Assert.Null(Load(Remote("a", "")).Config.Followed);
    }

    [Theory]
    [InlineData("mode = \"mirror\"", "line 4: `remotes.a.mode` must be \"follow\"")]
    [InlineData("mode = \"\"", "line 4: `remotes.a.mode` must be \"follow\"")]
    [InlineData("mode = true", "line 4: `remotes.a.mode` must be a string")]
    [InlineData("modes = \"follow\"", "line 4: unknown key `modes` for a remote; known: endpoint, public_key, mode")]
    public void Another_mode_is_refused_with_its_line(string line, string said) =>
        Assert.Contains(said, Assert.Throws<ConfigException>(() => Load(Remote("a", line))).Message, StringComparison.Ordinal);

    [Fact]
    public void A_second_remote_to_follow_is_refused_with_its_line()
    {
        var refused = Assert.Throws<ConfigException>(() => Load(Remote("a", "mode = \"follow\"") + Remote("b", "mode = \"follow\"")));
        Assert.Contains("line 8: `remotes.b.mode` would follow a second leader: [remotes.a]", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_one_is_followed_instead_and_then_nobody()
    {
        var file = Load("# kept\n" + Remote("a", "mode = \"follow\"") + Remote("b", ""));
        var settings = new PeerSettings(file, database: null);
        await settings.FollowAsync(null, "b");
        Assert.Equal("b", file.Reload().Config.Followed);
        Assert.Equal(Key, file.Reload().Config.Remotes["a"].PublicKey);
        await settings.FollowAsync(null, "b");
        Assert.Equal("b", file.Reload().Config.Followed);
        var absent = await Assert.ThrowsAsync<RefusedException>(() => settings.FollowAsync(null, "c"));
        Assert.Equal(RefusalCode.NotFound, absent.Refusal.Code);
        await settings.FollowAsync(null, null);
        Assert.Null(file.Reload().Config.Followed);
        var text = await File.ReadAllTextAsync(file.Path, TestContext.Current.CancellationToken);
        Assert.Contains("# kept\n", text, StringComparison.Ordinal);
        Assert.DoesNotContain("mode", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_leader_that_has_moved_is_followed_on()
    {
        var file = Load(Remote("a", "mode = \"follow\""));
        await new PeerSettings(file, database: null).PutRemoteAsync(null, "a", "tcp://10.9.9.9:6363", Key, replace: true);
        var moved = file.Reload().Config;
        Assert.Equal(("a", "tcp://10.9.9.9:6363"), (moved.Followed, moved.Remotes["a"].Endpoint));
    }
}
