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
    [InlineData("EVENTDBX_DATA_ENCRYPTION_KEY_NEXT=c2VjcmV0\n", true)]
    [InlineData("EVENTDBX_BIND_ADDR=127.0.0.1\n  EVENTDBX_BACKUP_PASSPHRASE = secret\n", true)]
    [InlineData("EVENTDBX_BIND_ADDR=0.0.0.0\n", true)]
    [InlineData("#EVENTDBX_PORT=7070\n\nEVENTDBX_BIND_ADDR=127.0.0.1\nEVENTDBX_SOCKET_BIND_ADDR=127.0.0.1:6363\n", false)]
    [InlineData(null, false)]
    public async Task A_setting_that_is_not_the_packages_outlives_the_purge(string? written, bool kept)
    {
        // As the package brings it, where nothing is written.
        var settings = written ?? await File.ReadAllTextAsync(Path.Combine(Checkout.Root, "deploy", "debian", "eventdbx.default"), TestContext.Current.CancellationToken);
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

    [Fact]
    public async Task Settings_that_were_kept_before_are_not_replaced_by_later_ones()
    {
        foreach (var key in (string[])["one", "two", "two", "three", "one"])
        {
            _system.Write("etc/default/eventdbx", $"EVENTDBX_DEK={key}\n");
            await RunAsync("postrm", "remove");
        }

        Assert.Equal(["eventdbx.default", "eventdbx.default.2", "eventdbx.default.3"],
            Directory.GetFiles(_system["etc/eventdbx"], "eventdbx.default*").Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal("EVENTDBX_DEK=one\n", await File.ReadAllTextAsync(_system["etc/eventdbx/eventdbx.default"], TestContext.Current.CancellationToken));
        Assert.Equal("EVENTDBX_DEK=three\n", await File.ReadAllTextAsync(_system["etc/eventdbx/eventdbx.default.3"], TestContext.Current.CancellationToken));
    }

    [Theory]
    [InlineData("EVENTDBX_A=b", "b")]
    [InlineData(" \tEVENTDBX_A = b c \t", "b c")]
    [InlineData("EVENTDBX_A=b\r", "b")]
    [InlineData("EVENTDBX_A= \" it's b \" ", " it's b ")]
    [InlineData("EVENTDBX_A='say \"b\" $HOME'", "say \"b\" $HOME")]
    [InlineData("EVENTDBX_A=a=b#c", "a=b#c")]
    [InlineData("EVENTDBX_A=", "")]
    [InlineData("; a note\n # another\n\nHTTPS_PROXY=x\nEVENTDBX_A=b", "b")]
    public async Task The_service_and_its_commands_have_the_same_settings(string settings, string value)
    {
        var ran = await ServeAsync(settings, "status");

        Assert.True(ran.Code == ExitCode.Done, ran.Error);
        Assert.Equal($"EVENTDBX_A={value}\n--config {_system["etc/eventdbx/config.toml"]} status\n", ran.Out);
    }

    /// <summary>systemd goes on with the next line, or takes it otherwise: a command would have other settings than the server.</summary>
    [Theory]
    [InlineData("EVENTDBX_A=b\\\nc", "line 1 of", "ends in a backslash")]
    [InlineData("# a note \\\nEVENTDBX_A=b", "line 1 of", "ends in a backslash")]
    [InlineData("\nEVENTDBX_A=a\\b", "line 2 of", "(EVENTDBX_A) has a backslash")]
    [InlineData("EVENTDBX_A=\"b\nc\"", "line 1 of", "(EVENTDBX_A) has a quote")]
    [InlineData("EVENTDBX_A='b'c'", "line 1 of", "(EVENTDBX_A) has a quote")]
    [InlineData("EVENTDBX_A=a\"b", "line 1 of", "(EVENTDBX_A) has a quote")]
    [InlineData("export EVENTDBX_A=b", "line 1 of", "does not begin with the name of a variable")]
    [InlineData("EVENTDBX_A", "line 1 of", "has no `=`")]
    public async Task A_line_that_may_be_meant_otherwise_is_refused_by_its_number(string settings, params string[] said)
    {
        var refused = await ServeAsync(settings, "status");

        Assert.Equal((ExitCode.Usage, ""), (refused.Code, refused.Out));
        Assert.All(said, words => Assert.Contains(words, refused.Error, StringComparison.Ordinal));
        Assert.Contains("Accepted are lines NAME=VALUE", refused.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false, "start")]
    [InlineData(false, "--json", "start")]
    [InlineData(false, "--lock-timeout", "5", "restart")]
    [InlineData(false, "--lock-timeout=5", "-h", "start", "--foreground")]
    [InlineData(true, "--json", "aggregate", "get", "start", "restart")]
    [InlineData(true, "--lock-timeout", "5", "aggregate", "list", "start")]
    [InlineData(true, "--", "start")]
    [InlineData(true, "stop")]
    public async Task A_server_is_started_by_the_service_manager_alone(bool runs, params string[] arguments)
    {
        var ran = await ServeAsync("", arguments);

        Assert.Equal(runs ? ExitCode.Done : ExitCode.Usage, ran.Code);
        Assert.Equal(runs ? "" : $"error: the service manager starts the server: `systemctl {arguments.First(static word => word is "start" or "restart")} eventdbx`.\n", ran.Error);
        Assert.Equal(runs ? $"--config {_system["etc/eventdbx/config.toml"]} {string.Join(' ', arguments)}\n" : "", ran.Out);
    }

    /// <summary>Runs <c>dbx-service</c> as if it were the service's user, with a program that says what it was given.</summary>
    async Task<Outcome> ServeAsync(string settings, params string[] arguments)
    {
        _system.Write("etc/default/eventdbx", settings);
        foreach (var (name, text) in new[] { ("id", "case $1 in -un) echo eventdbx ;; *) echo 1000 ;; esac"), ("dbx", "env | grep ^EVENTDBX_ ; echo \"$*\"") })
            await Program.RunAsync("chmod", _system.Path, home: null, "755", _system.Write($"tools/{name}", $"#!/bin/sh\n{text}\n"));
        var script = (await File.ReadAllTextAsync(Path.Combine(Checkout.Root, "deploy", "debian", "dbx-service"), TestContext.Current.CancellationToken))
            .Replace("/usr/lib/eventdbx/dbx", _system["tools/dbx"], StringComparison.Ordinal).Replace(" /etc/", $" {_system.Path}/etc/", StringComparison.Ordinal)
            .Replace("</etc/", $"<{_system.Path}/etc/", StringComparison.Ordinal);
        return await Program.RunAsync("env", _system.Path, home: null, ["-i", $"PATH={_system["tools"]}:/usr/bin:/bin", "/bin/sh", _system.Write("dbx-service", script), .. arguments]);
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
