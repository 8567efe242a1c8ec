using System.Text;
using System.Text.Json.Nodes;
using EventDbx.Server.Checkpoints;
using EventDbx.Server.Upgrades;

namespace EventDbx.Cli.Tests.Upgrades;

/// <summary><c>dbx upgrade</c> against a server of releases on this machine.</summary>
public sealed class UpgradeTests
{
    [Theory]
    [InlineData("upgrade")]
    [InlineData("upgrade latest")]
    [InlineData("upgrade v2.2.0")]
    [InlineData("upgrade 2.2.0")]
    [InlineData("upgrade @v2.2.0")]
    [InlineData("upgrade --to v2.2.0")]
    [InlineData("upgrade@v2.2.0")]
    [InlineData("upgrade@2.2.0")]
    [InlineData("upgrade@latest")]
    [InlineData("upgrade@")]
    [InlineData("--json upgrade@")]
    public async Task A_release_that_is_signed_takes_the_place_of_this_one(string line)
    {
        await using var bench = new UpgradeBench();
        bench.Stand.Add("2.1.0");
        bench.Stand.Add("2.2.0");
        bench.Stand.Add("3.0.0-rc.1", prerelease: true);

        var upgraded = await bench.Line.RunAsync(line.Split(' '));

        Assert.True(upgraded.Code == ExitCode.Done, upgraded.ToString());
        Assert.Equal(("2.2.0", "eventdbx 2.2.0"), (bench.Current, await bench.SaidAsync()));
        Assert.Equal(["2.0.0", "2.2.0"], bench.Laid);
        if (!line.StartsWith("--json", StringComparison.Ordinal))
        {
            Assert.StartsWith($"Installing EventDBX CLI (v2.2.0) via: {bench.Stand.Address[..^"/releases".Length]}/files/v2.2.0/{UpgradeBench.ArchiveOf("2.2.0")}\n", upgraded.Out, StringComparison.Ordinal);
            Assert.EndsWith("`dbx` is EventDBX 2.2.0 from now on; 2.0.0 stays beside it.\n", upgraded.Out, StringComparison.Ordinal);
        }
        else
        {
            Assert.True(JsonNode.Parse(upgraded.Out)!["installed"]!.GetValue<bool>());
        }

        Assert.Contains("until `dbx restart`", upgraded.Error, StringComparison.Ordinal);
        Assert.All(bench.Stand.Requests, static request => Assert.Equal("eventdbx-cli/2.0.0", request.Agent));
        Assert.True(File.Exists(Path.Combine(bench.Root, "2.2.0", "librocksdb.so")));
        if (!OperatingSystem.IsWindows())
            Assert.Equal(File.GetUnixFileMode(bench.Root), File.GetUnixFileMode(Path.Combine(bench.Root, "2.2.0", "completions")));
    }

    /// <summary>The synopses of the published section Upgrades, each in the forms that it allows.</summary>
    [Theory]
    [InlineData("upgrade v2.2.0 --print-only", "Installing EventDBX CLI (v2.2.0) via: ")]
    [InlineData("upgrade 2.2.0 --print-only", "Installing EventDBX CLI (v2.2.0) via: ")]
    [InlineData("upgrade latest --print-only", "Installing EventDBX CLI (v2.2.0) via: ")]
    [InlineData("upgrade v2.2.0", "`dbx` is EventDBX 2.2.0 from now on")]
    [InlineData("upgrade@v2.2.0", "`dbx` is EventDBX 2.2.0 from now on")]
    [InlineData("upgrade --suppress v2.2.0", "Suppressing upgrade reminders for v2.2.0")]
    [InlineData("upgrade --suppress latest", "Suppressing upgrade reminders for v2.2.0")]
    [InlineData("upgrade --clear-suppress", "Upgrade reminders have been re-enabled.")]
    [InlineData("upgrade list", "v2.2.0  2026-01-02T03:04:05Z")]
    [InlineData("upgrade list --limit 1 --json", "\"tag\": \"v2.2.0\"")]
    [InlineData("upgrade@list", "v2.2.0  2026-01-02T03:04:05Z")]
    public async Task Every_published_synopsis_of_upgrades_does_what_it_says(string line, string prints)
    {
        await using var bench = new UpgradeBench();
        bench.Stand.Add("2.2.0");

        var outcome = await bench.Line.RunAsync(line.Split(' '));

        Assert.Equal(ExitCode.Done, outcome.Code);
        Assert.Contains(prints, outcome.Out, StringComparison.Ordinal);
    }

    /// <summary>What a release may have wrong, what that costs, and what is said of it.</summary>
    public static TheoryData<string, int, string> Wrong => new()
    {
        { "archive changed", 3, "is not what was signed" },
        { "archive cut", 3, "is not what was signed" },
        { "archive cut on the way", 1, "cannot be fetched" },
        { "list changed", 3, "none of its signatures is a good one" },
        { "list signed by another", 3, "none of its signatures is a good one" },
        { "list without signature", 3, "it is no signed note" },
        { "list cut", 3, "SHA256SUMS.note of the release is not trusted" },
        { "list without the archive", 3, "does not name eventdbx-2.2.0" },
        { "list of an older release", 3, "it is signed as \"eventdbx v2.1.0\", not as \"eventdbx v2.2.0\"" },
        { "older release under its name", 1, "it says \"eventdbx 2.1.0\"" },
        { "answers with another release", 3, "and the address of releases answers with \"v2.1.0\"" },
        { "no list", 1, "has no file SHA256SUMS.note" },
        { "no archive for this machine", 1, "eventdbx-2.2.0-plan9-mips.tar.gz" },
        { "not there", 1, "There is no release v2.2.0" },
        { "no JSON", 1, "it is no JSON" },
        { "no release", 1, "it has no `tag_name`" },
        { "text that is no Unicode", 1, "it has a string that is no Unicode" },
        { "sends on and on", 1, "sends on and on" },
        { "sends on to no address", 1, "it sends on to \"//h:99999999/\", which is no address" },
        { "sends on in clear text", 1, "http://example.invalid/x is not asked for releases" },
        { "server fails", 1, "answers 503" },
        { "asked too often", 1, "it may have been asked too often" },
        { "program fails", 1, "it says \"\"" },
        { "program cannot be started", 1, "was to say its version" },
        { "program missing", 1, "cannot be used" },
        { "path escapes", 1, "cannot be used" },
    };

    [Theory, MemberData(nameof(Wrong))]
    public async Task What_is_not_as_it_was_signed_changes_nothing(string wrong, int code, string says)
    {
        await using var bench = new UpgradeBench();
        bench.Stand.Add("2.1.0");
        bench.Stand.Add("2.2.0");
        Spoil(bench.Stand, wrong);
        var before = bench.Line.Directory.Fingerprint("prefix");

        var refused = await bench.Line.RunAsync("upgrade", "v2.2.0");

        Assert.Equal((ExitCode)code, refused.Code);
        Assert.Contains(says, refused.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("from now on", refused.Out, StringComparison.Ordinal);
        Assert.Equal(("2.0.0", "eventdbx 2.0.0"), (bench.Current, await bench.SaidAsync()));
        Assert.Equal(["2.0.0"], bench.Laid);
        File.Delete(Path.Combine(bench.Root, ".lock"));
        Assert.Equal(before, bench.Line.Directory.Fingerprint("prefix"));
        Assert.False(Path.Exists(bench.Line.Directory["evil"]) || Path.Exists(bench.Line.Directory["prefix/evil"]) || Path.Exists(Path.Combine(bench.Root, "evil")));
    }

    static void Spoil(ReleaseStand stand, string wrong)
    {
        var (files, name) = (stand.FilesOf("v2.2.0"), UpgradeBench.ArchiveOf("2.2.0"));
        var folder = name[..^".tar.gz".Length];
        switch (wrong)
        {
            case "archive changed":
                files[name] = [.. files[name][..^1], (byte)(files[name][^1] ^ 1)];
                break;
            case "archive cut":
                files[name] = files[name][..(files[name].Length / 2)];
                break;
            case "archive cut on the way":
                stand.Instead = target => target.StartsWith("/elsewhere/", StringComparison.Ordinal) && target.EndsWith(name, StringComparison.Ordinal) ? new(200, files[name]) { Withheld = 10 } : null;
                break;
            case "list changed":
                files[ReleaseChecksums.FileName] = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(files[ReleaseChecksums.FileName]).Replace("  eventdbx-2.2.0", "  eventdbx-2.2.1", StringComparison.Ordinal));
                break;
            case "list signed by another":
                using (var other = SigningKey.Of("eventdbx-test", NoteAlgorithm.Signature, new byte[NoteKey.KeyBytes]))
                    files[ReleaseChecksums.FileName] = stand.Signed("2.2.0", files, other);
                break;
            case "list without signature":
                files[ReleaseChecksums.FileName] = Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(files[ReleaseChecksums.FileName]).Split("\n\n")[0] + "\n");
                break;
            case "list cut":
                files[ReleaseChecksums.FileName] = files[ReleaseChecksums.FileName][..^20];
                break;
            case "list without the archive":
                files[ReleaseChecksums.FileName] = stand.Signed("2.2.0", new() { ["other"] = [] });
                break;
            case "list of an older release":
                files[ReleaseChecksums.FileName] = stand.Signed("2.1.0", files);
                break;
            case "older release under its name":
                // With a list that is signed for it: the program itself says otherwise.
                files[name] = stand.FilesOf("v2.1.0")[UpgradeBench.ArchiveOf("2.1.0")];
                files[ReleaseChecksums.FileName] = stand.Signed("2.2.0", files);
                break;
            case "answers with another release":
                stand.Instead = target => target == "/releases/tags/v2.2.0" ? new(302, []) { Location = "/releases/tags/v2.1.0" } : null;
                break;
            case "no list":
                files.Remove(ReleaseChecksums.FileName);
                break;
            case "no archive for this machine":
                files["eventdbx-2.2.0-plan9-mips.tar.gz"] = files[name];
                files.Remove(name);
                break;
            case "not there":
                stand.Releases.RemoveAt(0);
                break;
            case "no JSON":
                stand.Instead = static _ => new(200, "<html>"u8.ToArray());
                break;
            case "no release":
                stand.Instead = static _ => new(200, "{}"u8.ToArray());
                break;
            case "text that is no Unicode":
                stand.Instead = static _ => new(200, """{"tag_name":"v2.2.0","name":"\ud800"}"""u8.ToArray());
                break;
            case "sends on to no address":
                stand.Instead = static _ => new(302, []) { Location = "//h:99999999/" };
                break;
            case "sends on and on":
                stand.Instead = static target => new(302, []) { Location = target };
                break;
            case "sends on in clear text":
                stand.Instead = static target => target.StartsWith("/files/", StringComparison.Ordinal) ? new(302, []) { Location = "http://example.invalid/x" } : null;
                break;
            case "server fails":
                stand.Instead = static _ => new(503, []);
                break;
            case "asked too often":
                stand.Instead = static _ => new(403, []);
                break;
            case "program fails":
                Repack(("dbx", "#!/bin/sh\nexit 1\n", true));
                break;
            case "program cannot be started":
                Repack(("dbx", "no program", true));
                break;
            case "program missing":
                Repack(("readme", "no program", false));
                break;
            case "path escapes":
                Repack(("dbx", ReleaseStand.Program("2.2.0"), true), ("../../../evil", "evil", true));
                break;
            default:
                throw new ArgumentException(wrong);
        }

        void Repack(params (string, string, bool)[] entries)
        {
            files[name] = ReleaseStand.Archive(folder, entries);
            files[ReleaseChecksums.FileName] = stand.Signed("2.2.0", files);
        }
    }

    [Fact]
    public async Task Print_only_says_what_would_be_done_and_does_nothing()
    {
        await using var bench = new UpgradeBench();
        bench.Stand.Add("2.2.0");
        var before = bench.Line.Directory.Fingerprint("prefix");

        var printed = await bench.Line.RunAsync("upgrade", "v2.2.0", "--print-only");
        var json = JsonNode.Parse((await bench.Line.RunAsync("upgrade", "--print-only", "--json")).Out)!;
        bench.Line.Environment.Remove("EVENTDBX_RELEASE_KEYS");
        var unsigned = await bench.Line.RunAsync("upgrade", "--print-only");

        Assert.Equal((ExitCode.Done, ""), (printed.Code, printed.Error));
        Assert.Matches($"^Installing EventDBX CLI \\(v2\\.2\\.0\\) via: http://.*\n  checksums: http://.*/SHA256SUMS\\.note\n  SHA-256:   [0-9a-f]{{64}}\n  signed by: eventdbx-test\\+[0-9a-f]{{8}}\n  into:      {bench.Root}/2\\.2\\.0\n$", printed.Out);
        Assert.False(json["installed"]!.GetValue<bool>());
        Assert.Equal("v2.2.0", json["tag"]!.GetValue<string>());
        Assert.Contains("SHA-256:   not known", unsigned.Out, StringComparison.Ordinal);
        Assert.DoesNotContain(bench.Stand.Requests, static request => request.Target.EndsWith(".tar.gz", StringComparison.Ordinal));
        Assert.Equal(before, bench.Line.Directory.Fingerprint("prefix"));
    }

    [Fact]
    public async Task Without_a_key_nothing_is_fetched_and_a_file_of_keys_is_asked_for()
    {
        await using var bench = new UpgradeBench();
        bench.Stand.Add("2.2.0");
        bench.Line.Environment.Remove("EVENTDBX_RELEASE_KEYS");

        var refused = await bench.Line.RunAsync("upgrade");
        bench.Line.Directory.Write("bad", "no key\n");
        var bad = await bench.Line.RunAsync("upgrade", "--release-keys", "bad");
        bench.Line.Directory.Write("none", "# none\n");
        var none = await bench.Line.RunAsync("upgrade", "--release-keys", "none");
        var missing = await bench.Line.RunAsync("upgrade", "--release-keys", "missing");

        Assert.Equal(ExitCode.Failed, refused.Code);
        Assert.Contains("This build trusts no key of releases", refused.Error, StringComparison.Ordinal);
        Assert.Contains("--release-keys FILE", refused.Error, StringComparison.Ordinal);
        Assert.Contains("bad, line 1: this is no public key of releases", bad.Error, StringComparison.Ordinal);
        Assert.Contains("has no key of releases in it", none.Error, StringComparison.Ordinal);
        Assert.Contains("There is no file", missing.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Done, (await bench.Line.RunAsync("upgrade", "--release-keys", "keys")).Code);
        Assert.Equal("2.2.0", bench.Current);
    }

    [Fact]
    public async Task The_version_before_stays_and_is_gone_back_to_without_fetching_anything()
    {
        await using var bench = new UpgradeBench();
        bench.Stand.Add("2.1.0");
        bench.Stand.Add("2.2.0");
        bench.Install("1.14.0");
        Assert.Equal(ExitCode.Done, (await bench.Line.RunAsync("upgrade", "v2.1.0")).Code);
        Assert.Equal(["2.0.0", "2.1.0"], bench.Laid);
        Become("2.1.0");
        Assert.Equal(ExitCode.Done, (await bench.Line.RunAsync("upgrade")).Code);
        Assert.Equal(["2.1.0", "2.2.0"], bench.Laid);
        Become("2.2.0");
        var asked = bench.Stand.Requests.Count;

        var refused = await bench.Line.RunAsync("upgrade", "v2.1.0");
        var back = await bench.Line.RunAsync("upgrade", "v2.1.0", "--allow-downgrade");

        Assert.Equal(ExitCode.Failed, refused.Code);
        Assert.Contains("v2.1.0 is older than this version, 2.2.0", refused.Error, StringComparison.Ordinal);
        Assert.Contains("--allow-downgrade", refused.Error, StringComparison.Ordinal);
        Assert.Equal((ExitCode.Done, "`dbx` is EventDBX 2.1.0 from now on.\n"), (back.Code, back.Out));
        Assert.Equal(("2.1.0", "eventdbx 2.1.0"), (bench.Current, await bench.SaidAsync()));
        Assert.Equal(asked, bench.Stand.Requests.Count);

        void Become(string version) => (bench.Line.Version, bench.Line.Self) = (version, [Path.Combine(bench.Root, version, "dbx")]);
    }

    /// <summary>Whoever publishes it can forget to say that it is one, or the address can say so and answer with it all the same.</summary>
    [Theory]
    [InlineData("3.0.0-rc.1", false)]
    [InlineData("3.0.0", true)]
    public async Task A_candidate_is_never_the_newest_release_and_is_installed_by_its_name(string version, bool said)
    {
        await using var bench = new UpgradeBench();
        bench.Stand.Add(version, prerelease: said);
        bench.Stand.Instead = target => target == "/releases/latest" ? new(302, []) { Location = $"/releases/tags/v{version}" } : null;

        var refused = await bench.Line.RunAsync("upgrade");
        Assert.Equal(ExitCode.Failed, refused.Code);
        Assert.Contains($"is said to be v{version}, which is a candidate or a draft", refused.Error, StringComparison.Ordinal);
        Assert.Equal(UpgradeBench.Old, bench.Current);
        bench.Line.Terminal = true;
        Assert.Equal("", (await bench.Line.RunAsync("config")).Error);

        Assert.Equal(ExitCode.Done, (await bench.Line.RunAsync("upgrade", $"v{version}")).Code);
        Assert.Equal(version, bench.Current);
    }

    /// <summary>Named or as the newest: on a system that cannot exchange directories it could not be put there again.</summary>
    [Theory]
    [InlineData("upgrade")]
    [InlineData("upgrade v2.2.0")]
    public async Task A_version_that_lies_there_and_runs_is_not_fetched_again(string line)
    {
        await using var bench = new UpgradeBench();
        bench.Stand.Add("2.2.0");
        bench.Install("2.2.0");

        var printed = await bench.Line.RunAsync([.. line.Split(' '), "--print-only"]);
        Assert.Equal((ExitCode.Done, $"EventDBX 2.2.0 lies in {bench.Root} already; `dbx` would mean it.\n", UpgradeBench.Old), (printed.Code, printed.Out, bench.Current));
        var upgraded = await bench.Line.RunAsync(line.Split(' '));

        Assert.Equal((ExitCode.Done, "`dbx` is EventDBX 2.2.0 from now on.\n", "2.2.0"), (upgraded.Code, upgraded.Out, bench.Current));
        Assert.DoesNotContain(bench.Stand.Requests, static request => request.Target.StartsWith("/files/", StringComparison.Ordinal));
    }

    /// <summary>A server goes on with the version it was started as, whatever is installed meanwhile.</summary>
    [Fact]
    public async Task A_version_that_something_runs_from_stays_until_it_has_ended()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Where a process runs from is told by Linux alone.");
        await using var bench = new UpgradeBench();
        bench.Stand.Add("2.2.0");
        bench.Stand.Add("2.3.0");
        bench.Install("1.14.0");
        File.Copy("/bin/sleep", Path.Combine(bench.Root, "1.14.0", "server"));
        using (var server = System.Diagnostics.Process.Start(Path.Combine(bench.Root, "1.14.0", "server"), "600"))
        {
            Assert.Equal(ExitCode.Done, (await bench.Line.RunAsync("upgrade", "v2.2.0")).Code);
            Assert.Equal(["1.14.0", "2.0.0", "2.2.0"], bench.Laid);
            server.Kill();
            await server.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        Assert.Equal(ExitCode.Done, (await bench.Line.RunAsync("upgrade", "v2.3.0")).Code);
        Assert.Equal(["2.2.0", "2.3.0"], bench.Laid);
    }

    /// <summary>Both have looked before either had the lock. Something may run from it by the time the second has.</summary>
    [Fact]
    public async Task An_upgrade_that_has_waited_for_another_to_the_same_version_takes_what_that_one_has_laid_there()
    {
        await using var bench = new UpgradeBench();
        bench.Stand.Add("2.2.0");
        Assert.True(ReleaseVersion.TryParse("2.2.0", out var version));
        using var server = new ReleaseServer(bench.Stand.Address, "1", TimeProvider.System);
        var upgrader = new Upgrader(bench.Root, server, ReleaseKeys.Read(bench.Stand.PublicKey, "test"), TimeProvider.System);
        var plan = await upgrader.PlanAsync(await server.FindAsync(version, TestContext.Current.CancellationToken), version, TestContext.Current.CancellationToken);

        await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => upgrader.InstallAsync(plan, progress: null, TestContext.Current.CancellationToken)));

        Assert.Single(bench.Stand.Requests, static request => request.Target.StartsWith("/elsewhere/", StringComparison.Ordinal) && request.Target.EndsWith(".tar.gz", StringComparison.Ordinal));
        Assert.Equal(("2.2.0", "eventdbx 2.2.0"), (bench.Current, await bench.SaidAsync()));
        Assert.Equal(["2.0.0", "2.2.0"], bench.Laid);
    }

    [Fact]
    public async Task A_lock_that_cannot_be_had_is_told_at_once_and_one_that_is_held_is_waited_for()
    {
        await using var bench = new UpgradeBench();
        bench.Install("2.2.0");
        Assert.True(ReleaseVersion.TryParse("2.2.0", out var version));
        using var server = new ReleaseServer(bench.Stand.Address, "1", TimeProvider.System);
        var upgrader = new Upgrader(bench.Root, server, [], new HastyClock());
        var path = Path.Combine(bench.Root, ".lock");
        using (new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None))
        {
            var held = await Assert.ThrowsAsync<RefusedException>(() => upgrader.SwitchAsync(version, TestContext.Current.CancellationToken));
            Assert.Contains("Another upgrade", held.Message, StringComparison.Ordinal);
        }

        // It is there, and nobody can open it: as on a disk that is read-only.
        File.Delete(path);
        using var socket = new System.Net.Sockets.Socket(System.Net.Sockets.AddressFamily.Unix, System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Unspecified);
        socket.Bind(new System.Net.Sockets.UnixDomainSocketEndPoint(path));
        await Assert.ThrowsAnyAsync<IOException>(() => upgrader.SwitchAsync(version, TestContext.Current.CancellationToken));
        Assert.Equal(UpgradeBench.Old, bench.Current);
    }

    /// <summary>Each look at it is a minute later.</summary>
    sealed class HastyClock : TimeProvider
    {
        long _looks;

        public override long GetTimestamp() => ++_looks * TimestampFrequency * 60;
    }

    [Fact]
    public async Task A_version_that_lies_there_and_does_not_run_is_fetched_anew()
    {
        await using var bench = new UpgradeBench();
        bench.Stand.Add("2.2.0");
        bench.Line.Directory.Write("prefix/lib/eventdbx/2.2.0/dbx", "half a program");

        var upgraded = await bench.Line.RunAsync("upgrade", "v2.2.0");

        Assert.True(upgraded.Code == ExitCode.Done, upgraded.ToString());
        Assert.Contains("It is fetched anew.", upgraded.Error, StringComparison.Ordinal);
        Assert.Equal("eventdbx 2.2.0", await bench.SaidAsync());
        Assert.Equal(["2.0.0", "2.2.0"], bench.Laid);
    }

    [Theory]
    [InlineData("2.2.0", "EventDBX 2.2.0 is the newest release.")]
    [InlineData("2.3.0", "EventDBX 2.3.0 is newer than the newest release, v2.2.0.")]
    public async Task Where_there_is_nothing_newer_nothing_is_done(string running, string says)
    {
        await using var bench = new UpgradeBench();
        bench.Stand.Add("2.2.0");
        bench.Line.Version = running;

        var outcome = await bench.Line.RunAsync("upgrade");

        Assert.Equal((ExitCode.Done, says + "\n", ""), (outcome.Code, outcome.Out, outcome.Error));
        Assert.Equal("2.0.0", bench.Current);
    }

    [Theory]
    [InlineData("v1.13.1", 1, "v1.13.1 cannot be installed: the minimum supported version is v1.13.2.")]
    [InlineData("v1.13.2", 1, "is older than this version")]
    [InlineData("newest", 2, "`newest` is no version")]
    [InlineData("v2.2", 2, "`v2.2` is no version")]
    [InlineData("v02.2.0", 2, "is no version")]
    [InlineData("v2.2.0-", 2, "is no version")]
    [InlineData("v2.2.0/../..", 2, "is no version")]
    public async Task A_version_that_is_none_or_too_old_is_refused(string version, int code, string says)
    {
        await using var bench = new UpgradeBench();

        var refused = await bench.Line.RunAsync("upgrade", version);

        Assert.Equal((ExitCode)code, refused.Code);
        Assert.Contains(says, refused.Error, StringComparison.Ordinal);
        Assert.Empty(bench.Stand.Requests);
    }

    [Theory]
    [InlineData("upgrade v2.2.0 --suppress v2.1.0")]
    [InlineData("upgrade --print-only --suppress v2.1.0")]
    [InlineData("upgrade --clear-suppress --suppress v2.1.0")]
    [InlineData("upgrade --clear-suppress v2.1.0")]
    [InlineData("upgrade --suppress v2.1.0 list")]
    [InlineData("upgrade --clear-suppress list")]
    [InlineData("upgrade --suppress nonsense")]
    [InlineData("upgrade v2.2.0 v2.3.0")]
    [InlineData("upgrade@v2.2.0 --print-only")]
    [InlineData("upgrade@v2.2.0 v2.3.0")]
    [InlineData("upgrade@list --limit 3")]
    [InlineData("upgrade@nonsense")]
    [InlineData("upgrade list --limit 0")]
    [InlineData("upgrade list --limit 1001")]
    [InlineData("upgrade list more")]
    [InlineData("status@v2")]
    public async Task A_line_that_does_not_say_what_to_do_is_refused(string line)
    {
        await using var bench = new UpgradeBench();

        var refused = await bench.Line.RunAsync(line.Split(' '));

        Assert.True(refused.Code == ExitCode.Usage, refused.ToString());
        Assert.Empty(bench.Stand.Requests);
    }
}
