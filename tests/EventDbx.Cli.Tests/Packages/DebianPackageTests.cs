using System.Text.RegularExpressions;

namespace EventDbx.Cli.Tests.Packages;

/// <summary>The Debian package, in a system that has nothing but what the package says it needs.</summary>
[Collection(PackageTests.Name)]
public sealed partial class DebianPackageTests(PackageBuild packages)
{
    const string Unit = "/usr/lib/systemd/system/eventdbx.service";
    const string Wanted = "/etc/systemd/system/multi-user.target.wants/eventdbx.service";

    [Fact]
    public async Task It_installs_serves_as_its_own_user_and_removes_cleanly_and_no_data_goes_with_it()
    {
        await using var system = await InstallAsync();

        Assert.Equal("", await system.RunAsync("dpkg", "-V", "eventdbx"));
        Assert.StartsWith("eventdbx 2.", await system.RunAsync("dbx", "--version"), StringComparison.Ordinal);
        Assert.Contains("dbx-verify", await system.RunAsync("dbx-verify", "--help"), StringComparison.Ordinal);
        Assert.Equal(
            "700 eventdbx /var/lib/eventdbx\n700 eventdbx /etc/eventdbx\n700 eventdbx /var/backups/eventdbx\n700 eventdbx /var/log/eventdbx\n600 eventdbx /etc/eventdbx/config.toml\n",
            await system.RunAsync("stat", "-c", "%a %U %n", "/var/lib/eventdbx", "/etc/eventdbx", "/var/backups/eventdbx", "/var/log/eventdbx", "/etc/eventdbx/config.toml"));
        Assert.EndsWith("/lib/systemd/system/eventdbx.service\n", await system.RunAsync("readlink", Wanted), StringComparison.Ordinal);

        Assert.StartsWith(".TH DBX 1", (await system.RunAsync("sh", "-c", "zcat /usr/share/man/man1/dbx.1.gz | grep '^.TH'")).ToUpperInvariant().Replace("\"", "", StringComparison.Ordinal), StringComparison.Ordinal);
        Assert.Contains("dbx", await system.RunAsync("bash", "-c", ". /usr/share/bash-completion/completions/dbx && complete -p dbx"), StringComparison.Ordinal);

        // As the unit starts it, and as an administrator has changed the port.
        await File.AppendAllTextAsync(system["/etc/default/eventdbx"], $"EVENTDBX_PORT={FreePort.Take()}\nEVENTDBX_SOCKET_BIND_ADDR=127.0.0.1:{FreePort.Take()}\n", TestContext.Current.CancellationToken);
        var command = ExecStart().Match(await File.ReadAllTextAsync(system[Unit], TestContext.Current.CancellationToken)).Groups[1].Value;
        var user = int.Parse((await system.RunAsync("id", "-u", "eventdbx")).Trim(), System.Globalization.CultureInfo.InvariantCulture);
        using var server = system.BeginAsUser(user, "/var/lib/eventdbx", "/bin/sh", "-c", $"set -a; . /etc/default/eventdbx; umask 077; exec {command}");
        while (!(await system.TryAsync("dbx-service", "status")).Out.Contains("is running", StringComparison.Ordinal))
            Assert.True(server.Runs, "the server ended");
        await system.RunAsync("dbx-service", "aggregate", "apply", "order", "o-1", "order-paid", "--field", "method=card");
        Assert.Contains("\"method\"", await system.RunAsync("dbx-service", "aggregate", "get", "order", "o-1"), StringComparison.Ordinal);
        var second = await system.TryAsync("dbx-service", "start");
        Assert.Equal((ExitCode.Usage, "error: the service manager starts the server: `systemctl start eventdbx`.\n"), (second.Code, second.Error));
        await system.RunAsync("dbx-service", "stop");
        var end = await server.WaitAsync();
        Assert.True(end.Code == ExitCode.Done, end.Error);
        Assert.Contains("data_encryption_key = ", await system.RunAsync("cat", "/etc/eventdbx/config.toml"), StringComparison.Ordinal);
        Assert.Equal("", await system.RunAsync("find", "/var/lib/eventdbx", "/etc/eventdbx", "-not", "-user", "eventdbx", "-o", "-perm", "/077", "-not", "-type", "l"));

        var key = await system.RunAsync("sha256sum", "/etc/eventdbx/config.toml");
        await system.RunAsync("dpkg", "-r", "eventdbx");
        Assert.NotEqual(ExitCode.Done, (await system.TryAsync("which", "dbx")).Code);
        Assert.False(Directory.Exists(system["/usr/lib/eventdbx"]));
        Assert.False(File.Exists(system[Unit]));
        Assert.True(Directory.Exists(system["/var/lib/eventdbx/event_store"]));

        var purged = await system.RunAsync("dpkg", "--purge", "eventdbx");
        Assert.Contains("The events stay in /var/lib/eventdbx, and their key in /etc/eventdbx/config.toml.", purged, StringComparison.Ordinal);
        Assert.Equal(key, await system.RunAsync("sha256sum", "/etc/eventdbx/config.toml"));
        Assert.True(Directory.Exists(system["/var/lib/eventdbx/event_store"]));
        Assert.False(File.Exists(system["/etc/default/eventdbx"]));
    }

    [Fact]
    public async Task Where_there_are_no_events_a_purge_leaves_nothing()
    {
        await using var system = await InstallAsync();

        await system.RunAsync("dpkg", "--purge", "eventdbx");

        Assert.Equal("", await system.RunAsync("find", "/etc", "/usr", "/var/lib", "/var/backups", "/var/log", "-name", "*eventdbx*", "-not", "-path", "/var/lib/dpkg/*", "-not", "-path", "/var/lib/systemd/*"));
    }

    [Fact]
    public async Task An_upgrade_keeps_settings_data_and_what_an_administrator_disabled()
    {
        await using var system = await InstallAsync();
        await system.RunAsync("dbx-service", "aggregate", "apply", "order", "o-1", "order-paid", "--field", "method=card");
        await File.AppendAllTextAsync(system["/etc/default/eventdbx"], "EVENTDBX_LOG=warn\n", TestContext.Current.CancellationToken);
        // As `systemctl disable` does.
        await system.RunAsync("rm", Wanted);
        var config = await system.RunAsync("sha256sum", "/etc/eventdbx/config.toml");

        await system.RunAsync("dpkg", "-i", "/eventdbx.deb");

        Assert.Equal(config, await system.RunAsync("sha256sum", "/etc/eventdbx/config.toml"));
        Assert.Contains("EVENTDBX_LOG=warn\n", await system.RunAsync("cat", "/etc/default/eventdbx"), StringComparison.Ordinal);
        Assert.NotEqual(ExitCode.Done, (await system.TryAsync("readlink", Wanted)).Code);
        Assert.Contains("\"method\"", await system.RunAsync("dbx-service", "aggregate", "get", "order", "o-1"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_backup_of_the_service_is_made_checked_and_restored_by_its_own_user()
    {
        await using var system = await InstallAsync();
        await system.RunAsync("dbx-service", "aggregate", "apply", "order", "o-1", "order-paid", "--field", "method=card");

        await system.RunAsync("dbx-service", "backup", "--output", "/var/backups/eventdbx/monday.tar.zst");
        await system.RunAsync("dbx-service", "backup", "verify", "/var/backups/eventdbx/monday.tar.zst");
        await system.RunAsync("dbx-service", "aggregate", "apply", "order", "o-2", "order-paid", "--field", "method=card");
        await system.RunAsync("dbx-service", "restore", "--input", "/var/backups/eventdbx/monday.tar.zst", "--force");

        Assert.Equal("600 eventdbx\n", await system.RunAsync("stat", "-c", "%a %U", "/var/backups/eventdbx/monday.tar.zst"));
        Assert.Contains("\"method\"", await system.RunAsync("dbx-service", "aggregate", "get", "order", "o-1"), StringComparison.Ordinal);
        Assert.NotEqual(ExitCode.Done, (await system.TryAsync("dbx-service", "aggregate", "get", "order", "o-2")).Code);
        Assert.Equal("", await system.RunAsync("find", "/var/lib/eventdbx", "/etc/eventdbx", "/var/backups/eventdbx", "-not", "-user", "eventdbx", "-o", "-perm", "/077", "-not", "-type", "l"));
    }

    [Fact]
    public async Task A_purge_keeps_the_key_of_a_store_that_lies_elsewhere()
    {
        await using var system = await InstallAsync();
        await system.RunAsync("install", "-d", "-o", "eventdbx", "-m", "700", "/srv/dbx");
        await system.RunAsync("dbx-service", "config", "--data-dir", "/srv/dbx");
        await system.RunAsync("dbx-service", "aggregate", "apply", "order", "o-1", "order-paid", "--field", "method=card");

        var purged = await system.RunAsync("dpkg", "--purge", "eventdbx");

        Assert.Contains("it may hold the only key of a store that lies elsewhere", purged, StringComparison.Ordinal);
        await system.RunAsync("dpkg", "-i", "/eventdbx.deb");
        Assert.Contains("\"method\"", await system.RunAsync("dbx-service", "aggregate", "get", "order", "o-1"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_README_works_in_it_as_it_stands()
    {
        await using var system = await InstallAsync();
        var home = Directory.CreateDirectory(system["/root/reader"]).FullName;
        system.Link(Path.Combine(home, "dbx"), "/root/reader", "dbx");
        await using var walk = DocumentWalk.Begin(home);

        Assert.True(await walk.FollowAsync("README.md") > 5);
    }

    [Fact]
    public async Task Two_nodes_in_it_replicate()
    {
        await using var system = await InstallAsync();
        var port = FreePort.Take();
        async Task<string> NodeAsync(string name, string command) =>
            await system.RunAsync("sh", "-euc", $"mkdir -p /root/{name} && cd /root/{name} && export HOME=/root/{name} EVENTDBX_SOCKET_BIND_ADDR=127.0.0.1:{(name == "second" ? port : 0)}; {command}");

        await NodeAsync("first", "dbx aggregate apply order o-1 order-paid --field method=card");
        await NodeAsync("second", $"dbx remote allow first --push --public-key {(await NodeAsync("first", "dbx remote key 2>/dev/null")).Trim()} && dbx start --port=0 --bind=127.0.0.1");
        await NodeAsync("first", $"dbx remote add second 127.0.0.1 --port {port} --public-key {(await NodeAsync("second", "dbx remote key 2>/dev/null")).Trim()}");
        var dry = await NodeAsync("first", "dbx push second --dry-run");
        var pushed = await NodeAsync("first", "dbx push second");
        var again = await NodeAsync("first", "dbx push second --dry-run");
        var read = await NodeAsync("second", "dbx aggregate get order o-1; dbx stop");

        Assert.Contains("Push to remote 'second' (dry run)", dry, StringComparison.Ordinal);
        Assert.DoesNotContain("up to date", dry + pushed, StringComparison.Ordinal);
        Assert.Contains("remote 'second' is up to date", again, StringComparison.Ordinal);
        Assert.Contains("\"method\"", read, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Its_unit_is_one_that_systemd_takes_and_finds_little_exposed()
    {
        Assert.SkipUnless(Tools.Has("systemd-analyze"), "there is no systemd-analyze: tools/install-package-prerequisites.sh installs it");
        using var scratch = new TemporaryDirectory();
        var unit = await File.ReadAllTextAsync(Path.Combine(Checkout.Root, "deploy", "systemd", "eventdbx.service"), TestContext.Current.CancellationToken);
        // The program that it names is not installed here; another one stands for it.
        var file = scratch.Write("eventdbx.service", unit.Replace("/usr/bin/dbx", "/bin/true", StringComparison.Ordinal));

        var verified = await Program.RunAsync("systemd-analyze", scratch.Path, home: null, "verify", "--man=no", file);
        var looked = await Program.RunAsync("systemd-analyze", scratch.Path, home: null, "security", "--offline=true", "--threshold=20", "--no-pager", file);
        var changed = await Program.RunAsync("systemd-analyze", scratch.Path, home: null, "verify", "--man=no", scratch.Write("wrong.service", unit.Replace("Type=notify", "Type=notfy", StringComparison.Ordinal)));

        Assert.Equal((ExitCode.Done, ""), (verified.Code, verified.Error));
        Assert.True(looked.Code == ExitCode.Done, looked.Out + looked.Error);
        Assert.Contains("notfy", changed.Error, StringComparison.Ordinal);
    }

    /// <summary>What is linked with a library needs the package of it: no more, no less.</summary>
    [Fact]
    public async Task It_needs_what_it_is_linked_with()
    {
        await packages.DemandAsync("deb");
        var depends = (await Program.RunAsync("dpkg-deb", "/", home: null, "-f", packages.Find("*.deb"), "Depends")).Out.Trim();

        Assert.Matches(@"^libc6 \(>= 2\.\d+\), libgcc-s1 \(>= [0-9.]+\), (?:libstdc\+\+6 \([^)]*\), )?(?:zlib1g \([^)]*\), )?libssl3 \| libssl3t64, adduser, init-system-helpers \(>= 1\.54\)$", depends);
    }

    async Task<MinimalSystem> InstallAsync()
    {
        await packages.DemandAsync("deb");
        var package = packages.Find("*.deb");
        var depends = (await Program.RunAsync("dpkg-deb", "/", home: null, "-f", package, "Depends")).Out.Trim();
        // Of alternatives the first that this release has is its own business; here it is the one that is installed.
        var system = await MinimalSystem.MakeAsync(depends.Split(", ").Select(static one => Alternative(one)));
        try
        {
            File.Copy(package, system["/eventdbx.deb"]);
            var said = await system.RunAsync("dpkg", "-i", "/eventdbx.deb");
            Assert.DoesNotContain("warning", said, StringComparison.OrdinalIgnoreCase);
            return system;
        }
        catch
        {
            await system.DisposeAsync();
            throw;
        }
    }

    /// <summary>The name of a package, without version, of the alternatives the one that this system has.</summary>
    static string Alternative(string dependency)
    {
        var names = dependency.Split(" | ").Select(static one => one.Split(' ')[0]).ToList();
        return names.Find(static name => File.Exists($"/var/lib/dpkg/info/{name}.list") || Directory.GetFiles("/var/lib/dpkg/info", $"{name}:*.list").Length > 0) ?? names[0];
    }

    [GeneratedRegex("^ExecStart=(.*)$", RegexOptions.Multiline)]
    private static partial Regex ExecStart();
}
