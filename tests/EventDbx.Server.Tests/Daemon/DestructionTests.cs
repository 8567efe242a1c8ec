using EventDbx.Server.Configuration;
using EventDbx.Server.Daemon;

namespace EventDbx.Server.Tests.Daemon;

public sealed class DestructionTests : IDisposable
{
    static readonly string[] OwnNames =
    [
        "config.toml", "config.toml.lock", "event_store/CURRENT", "event_store.inventory", "event_store.lock", "event_store.lost-20250101T000000Z/CURRENT",
        "watermark", "tokens.json", "tokens.json.tmp", "schemas.json", "plugins.json", "staged_events.json", "upgrade-state.json", "upgrade-state.json.0123abcd.tmp", "verify.progress", "schemas.json.replaced", "eventdbx.pid", "replication.key", "replication.key.0123abcd.tmp", "checkpoint.key", "tls.crt", "tls.key",
        "logs/eventdbx.log", "logs/eventdbx_2025-01-01_00-00-00.log", "logs/eventdbx_2025-01-01_00-00-00-1.log",
    ];

    readonly TemporaryDirectory _home = new();

    string Root => _home[".eventdbx"];

    public void Dispose() => _home.Dispose();

    [Fact]
    public void Everything_of_ours_goes_and_an_emptied_directory_with_it()
    {
        WriteOwn();

        var left = Plan().Run(TimeSpan.Zero);

        Assert.Empty(left);
        Assert.False(Directory.Exists(Root));
    }

    [Fact]
    public void What_is_not_ours_stays_and_is_named()
    {
        WriteOwn();
        string[] foreign = ["config.toml.orig", "event_store.mine", "logs/other.log", "notes.txt", "tokens.json.bak", "upgrade-state.json.notes.tmp"];
        foreach (var name in foreign)
            _home.Write($".eventdbx/{name}", "mine");

        var left = Plan().Run(TimeSpan.Zero);

        Assert.Equal(foreign.Select(name => Path.Combine(Root, name.Split('/')[0])), left);
        Assert.All(foreign, name => Assert.Equal("mine", File.ReadAllText(Path.Combine(Root, name))));
    }

    [Fact]
    public void Configurations_that_restores_have_kept_go_with_the_one_that_took_their_place()
    {
        WriteOwn();
        string[] kept = ["config.toml.before-restore-20261126T000000Z", "config.toml.before-restore-20261126T000000Z-2", "config.toml.event_store.before-restore-20261126T000000Z"];
        foreach (var name in kept)
            _home.Write($".eventdbx/{name}", "data_encryption_key = \"cannot be read\"\n");
        _home.Write("other/event_store/CURRENT", "");
        _home.Write(".eventdbx/config.toml.before-restore-20261127T000000Z", $"data_dir = \"{_home["other"]}\"\n");
        _home.Write(".eventdbx/dbx.toml.before-restore-20261126T000000Z", "mine");
        string[] stay = ["config.toml.before-restore-20261127T000000Z", "dbx.toml.before-restore-20261126T000000Z"];

        var plan = Plan();
        var left = plan.Run(TimeSpan.Zero);

        Assert.Equal(kept.Select(name => Path.Combine(Root, name)), plan.OtherConfigs);
        Assert.Equal(stay.Select(name => Path.Combine(Root, name)), left);
        Assert.All(kept, name => Assert.False(File.Exists(Path.Combine(Root, name)), name));
    }

    [Fact]
    public void A_store_that_was_restored_beside_another_takes_its_own_configuration_along()
    {
        WriteOwn();
        foreach (var (name, content) in ((string, string)[])[("event_store/CURRENT", ""), ("config.toml", $"data_dir = \"{_home["trial"]}\"\n"), ("config.toml.before-restore-20261126T000000Z", "")])
            _home.Write($"trial/{name}", content);

        var plan = Plan(_home["trial"]);

        Assert.Equal((null, Root), (plan.ConfigFile, plan.OtherStore));
        Assert.Equal([_home["trial/config.toml"], _home["trial/config.toml.before-restore-20261126T000000Z"]], plan.OtherConfigs);
        Assert.Empty(plan.Run(TimeSpan.Zero));
        Assert.False(Directory.Exists(_home["trial"]));
        Assert.All(OwnNames, name => Assert.True(File.Exists(Path.Combine(Root, name)), name));

        // One that speaks of another directory is not known to be of this store.
        _home.Write("trial/event_store/CURRENT", "");
        _home.Write("trial/config.toml", $"data_dir = \"{_home["moved"]}\"\n");
        Assert.Equal([_home["trial/config.toml"]], Plan(_home["trial"]).Run(TimeSpan.Zero));
    }

    [Fact]
    public void A_link_is_removed_and_never_followed()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Links need a privilege there.");
        WriteOwn();
        _home.Write("elsewhere/CURRENT", "mine");
        Directory.Delete(Path.Combine(Root, "event_store"), recursive: true);
        Directory.CreateSymbolicLink(Path.Combine(Root, "event_store"), _home["elsewhere"]);
        Directory.CreateSymbolicLink(Path.Combine(Root, "plugins"), _home["elsewhere"]);
        Directory.Delete(Path.Combine(Root, "logs"), recursive: true);
        _home.Write("otherlogs/eventdbx.log", "mine");
        Directory.CreateSymbolicLink(Path.Combine(Root, "logs"), _home["otherlogs"]);

        var left = Plan().Run(TimeSpan.Zero);

        Assert.Equal([Path.Combine(Root, "logs")], left);
        Assert.Equal("mine", File.ReadAllText(_home["elsewhere/CURRENT"]));
        Assert.Equal("mine", File.ReadAllText(_home["otherlogs/eventdbx.log"]));
    }

    [Fact]
    public void A_directory_that_is_a_link_is_refused()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Links need a privilege there.");
        WriteOwn();
        Directory.CreateSymbolicLink(_home["linked"], Root);

        Assert.Contains("it is a link, to ", Refused(_home["linked"]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/", "the root of the file system")]
    [InlineData("{home}", "the home directory")]
    [InlineData("{home}/", "the home directory")]
    [InlineData("{home}/..", "the home directory, or one above it")]
    [InlineData("{home}/project", "not recognisably a data directory")]
    public void A_directory_that_is_not_recognisably_ours_is_refused_and_left_alone(string directory, string why)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Paths of Unix.");
        _home.Write("project/schemas.json", "mine");

        var message = Refused(directory.Replace("{home}", _home.Path, StringComparison.Ordinal));

        Assert.Contains(why, message, StringComparison.Ordinal);
        Assert.EndsWith("Nothing was removed.", message, StringComparison.Ordinal);
        Assert.Equal("mine", File.ReadAllText(_home["project/schemas.json"]));
    }

    [Fact]
    public void Beside_a_configuration_without_a_store_only_the_configuration_goes()
    {
        _home.Write(".eventdbx/config.toml", "port = 1\n");
        _home.Write(".eventdbx/schemas.json", "mine");

        var left = Plan().Run(TimeSpan.Zero);

        Assert.Equal([Path.Combine(Root, "schemas.json")], left);
        Assert.False(File.Exists(Path.Combine(Root, "config.toml")));
    }

    [Fact]
    public void The_configuration_of_another_store_stays_with_its_key()
    {
        WriteOwn();
        _home.Write("trial/event_store/CURRENT", "");

        Plan(_home["trial"]).Run(TimeSpan.Zero);

        Assert.False(Directory.Exists(_home["trial"]));
        Assert.All(OwnNames, name => Assert.True(File.Exists(Path.Combine(Root, name)), name));
    }

    [Fact]
    public void The_configuration_stays_while_a_store_lies_beside_it()
    {
        WriteOwn();
        _home.Write("trial/event_store/CURRENT", "");
        _home.Write(".eventdbx/config.toml", $"data_dir = \"{_home["trial"]}/\"\n");

        var plan = Plan(_home["trial"]);
        plan.Run(TimeSpan.Zero);

        Assert.Equal((null, Root), (plan.ConfigFile, plan.OtherStore));
        Assert.False(Directory.Exists(_home["trial"]));
        Assert.All(OwnNames, name => Assert.True(File.Exists(Path.Combine(Root, name)), name));
        // No store is left to need it but this one.
        Assert.Equal((Path.Combine(Root, "config.toml"), null), (Plan(Root).ConfigFile, Plan(Root).OtherStore));
    }

    [Fact]
    public void The_configuration_goes_with_the_store_it_names_however_that_is_spelt()
    {
        _home.Write("data/event_store/CURRENT", "");
        _home.Write(".eventdbx/config.toml", $"data_dir = \"{_home["data"]}/\"\n");

        Plan().Run(TimeSpan.Zero);

        Assert.False(File.Exists(Path.Combine(Root, "config.toml")));
    }

    [Fact]
    public void A_directory_that_another_process_has_is_left_whole()
    {
        WriteOwn();
        var before = _home.Fingerprint(".");
        using (Database.Hold(Root, "a test", TimeSpan.Zero))
        {
            var refused = Assert.Throws<StoreRefusedException>(() => Plan().Run(TimeSpan.Zero));
            Assert.True(refused.InUse);
        }

        Assert.Equal(before, _home.Fingerprint("."));
    }

    void WriteOwn()
    {
        foreach (var name in OwnNames)
            _home.Write($".eventdbx/{name}", "");
        _home.Write(".eventdbx/config.toml", "port = 1\n");
    }

    Destruction Plan(string? dataDirectory = null) =>
        Destruction.Plan(ConfigFile.Load(null, Root, dataDirectory, TimeProvider.System), _home.Path);

    string Refused(string dataDirectory) => Assert.Throws<DaemonException>(() => Plan(dataDirectory)).Message;
}
