namespace EventDbx.Cli.Tests.Packages;

/// <summary>What the scripts of the Debian package do to files, without a package: each runs on a directory that stands for the system.</summary>
public sealed class DebianScriptTests : IDisposable
{
    const string AsInstalled = "data_dir = \"/var/lib/eventdbx\"\n";

    readonly TemporaryDirectory _system = new();

    public DebianScriptTests()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the scripts are for Debian");
        foreach (var place in (string[])["etc/eventdbx", "etc/default", "var/lib/eventdbx", "var/backups/eventdbx", "var/log/eventdbx", "tools"])
            Directory.CreateDirectory(_system[place]);
        _system.Write("etc/eventdbx/config.toml", AsInstalled);
    }

    public void Dispose() => _system.Dispose();

    [Fact]
    public async Task A_purge_of_what_nobody_has_written_to_leaves_nothing()
    {
        Assert.Equal("", await PurgeAsync());

        Assert.Empty(Directory.GetDirectories(_system.Path, "eventdbx", SearchOption.AllDirectories));
    }

    /// <summary>It may be the only one of a store that lies elsewhere: by `data_dir`, by a variable, or because it was moved.</summary>
    [Theory]
    [InlineData("data_dir = \"/srv/dbx\"\ndata_encryption_key = \"c2VjcmV0\"\n")]
    [InlineData("data_dir = \"/var/lib/eventdbx\"\ndata_encryption_key = \"c2VjcmV0\"\n")]
    [InlineData("data_dir = \"/srv/dbx\"\n")]
    public async Task A_purge_leaves_a_configuration_that_anybody_has_written_to(string config)
    {
        _system.Write("etc/eventdbx/config.toml", config);

        var said = await PurgeAsync();

        Assert.Contains("it may hold the only key of a store that lies elsewhere", said, StringComparison.Ordinal);
        Assert.Equal(config, await File.ReadAllTextAsync(_system["etc/eventdbx/config.toml"], TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("var/lib/eventdbx/event_store/CURRENT")]
    [InlineData("var/lib/eventdbx/.hidden")]
    [InlineData("etc/eventdbx/tls/key.pem")]
    [InlineData("var/backups/eventdbx/monday.tar.zst")]
    [InlineData("var/log/eventdbx/eventdbx.log")]
    public async Task A_purge_leaves_what_lies_in_its_places_and_says_where(string file)
    {
        _system.Write(file, "x");

        var said = await PurgeAsync();

        Assert.True(File.Exists(_system[file]));
        Assert.Contains(file[..(file.IndexOf("/eventdbx", StringComparison.Ordinal) + "/eventdbx".Length)], said, StringComparison.Ordinal);
        // The key of what lies there.
        Assert.Equal(file.StartsWith("var/lib/", StringComparison.Ordinal), File.Exists(_system["etc/eventdbx/config.toml"]));
    }

    /// <summary>That file is a conffile, which dpkg deletes before it purges.</summary>
    [Theory]
    [InlineData("EVENTDBX_DEK=c2VjcmV0\n", true)]
    [InlineData("EVENTDBX_DATA_ENCRYPTION_KEY=\"c2VjcmV0\"\n", true)]
    [InlineData("EVENTDBX_DATA_ENCRYPTION_KEYS_RETIRED=c2VjcmV0\n", true)]
    [InlineData("#EVENTDBX_DEK=c2VjcmV0\nEVENTDBX_PORT=7070\n", false)]
    public async Task A_key_among_the_settings_outlives_the_purge(string settings, bool kept)
    {
        _system.Write("etc/default/eventdbx", settings);

        await RunAsync("postrm", "remove");
        File.Delete(_system["etc/default/eventdbx"]);
        await PurgeAsync();

        Assert.Equal(kept, File.Exists(_system["etc/eventdbx/eventdbx.default"]));
        if (kept && !OperatingSystem.IsWindows())
        {
            Assert.Equal(settings, await File.ReadAllTextAsync(_system["etc/eventdbx/eventdbx.default"], TestContext.Current.CancellationToken));
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_system["etc/eventdbx/eventdbx.default"]));
        }
    }

    async Task<string> PurgeAsync() => await RunAsync("postrm", "purge");

    async Task<string> RunAsync(string script, string action)
    {
        var text = await File.ReadAllTextAsync(Path.Combine(Checkout.Root, "deploy", "debian", script), TestContext.Current.CancellationToken);
        foreach (var place in (string[])["/etc/", "/var/", "/run/"])
            text = text.Replace($" {place}", $" {_system.Path}{place}", StringComparison.Ordinal).Replace($"in {place}", $"in {_system.Path}{place}", StringComparison.Ordinal);
        // What this machine has of services is not asked.
        var stub = _system.Write("tools/deb-systemd-helper", "#!/bin/sh\n");
        await Program.RunAsync("chmod", _system.Path, home: null, "755", stub);
        var ran = await Program.RunAsync("env", _system.Path, home: null, $"PATH={_system["tools"]}:/usr/bin:/bin", "/bin/sh", _system.Write(script, text), action);
        Assert.True(ran.Code == ExitCode.Done, ran.Error);
        return ran.Error;
    }
}
