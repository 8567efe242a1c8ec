using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;

namespace EventDbx.Cli.Tests.Packages;

/// <summary>install.sh against a place of releases on this machine; the program that it installs is a script that knows its version.</summary>
[CiTier("It starts servers and commands as processes, for seconds each.")]
public sealed class InstallScriptTests : IAsyncDisposable
{
    /// <summary>The strict one always, the other one in CI.</summary>
    static readonly string[] Shells = TestTiers.Choose<string[]>(["dash"], ["dash", "bash"], ["dash", "bash"]);

    readonly TemporaryDirectory _home = new();
    readonly ReleaseServer _server = new();
    readonly Dictionary<string, string> _environment = [];

    public InstallScriptTests() => Assert.SkipUnless(OperatingSystem.IsLinux() || OperatingSystem.IsMacOS(), "install.ps1 is for Windows");

    public async ValueTask DisposeAsync()
    {
        await _server.DisposeAsync();
        _home.Dispose();
    }

    public static TheoryData<string> EveryShell => [.. Shells];

    [Theory, MemberData(nameof(EveryShell))]
    public async Task The_newest_release_is_installed_and_a_newer_one_takes_its_place(string shell)
    {
        Publish("2.1.0");
        var first = await InstallAsync(shell);
        Publish("2.2.0");
        var second = await InstallAsync(shell);
        var again = await InstallAsync(shell, "--version", "v2.2.0");
        var back = await InstallAsync(shell, "--version=2.1.0");

        foreach (var (outcome, version) in new[] { (first, "2.1.0"), (second, "2.2.0"), (again, "2.2.0"), (back, "2.1.0") })
        {
            Assert.True(outcome.Code == ExitCode.Done, outcome.Out + outcome.Error);
            Assert.Contains($"EventDBX {version} is installed: {_home["p/bin/dbx"]}\n", outcome.Out, StringComparison.Ordinal);
            Assert.Contains($"{_home["p/bin"]} is not in your PATH.", outcome.Out, StringComparison.Ordinal);
        }

        Assert.Equal("eventdbx 2.1.0\n", (await Program.RunAsync(_home["p/bin/dbx"], _home.Path, _home.Path, "--version")).Out);
        Assert.Equal("../lib/eventdbx/current/dbx", new FileInfo(_home["p/bin/dbx"]).LinkTarget);
        Assert.Equal("2.1.0", new FileInfo(_home["p/lib/eventdbx/current"]).LinkTarget);
        Assert.Equal(["2.1.0", "2.2.0", "current"], Laid());
    }

    [Fact]
    public async Task A_damaged_version_is_replaced_and_where_that_fails_it_stays_as_it_was()
    {
        Publish("2.1.0");
        Assert.Equal(ExitCode.Done, (await InstallAsync("dash")).Code);
        _home.Write("p/lib/eventdbx/2.1.0/more", "damaged");
        // As a run that was killed leaves it.
        _home.Write("p/lib/eventdbx/.install.killed/SHA256SUMS", "");
        var failing = _home.Write("tools/cp", "#!/bin/sh\nexit 1\n");
        Assert.Equal(ExitCode.Done, (await Program.RunAsync("chmod", _home.Path, home: null, "755", failing)).Code);
        var path = Environment.GetEnvironmentVariable("PATH");
        _environment["PATH"] = $"{_home["tools"]}:{path}";

        var failed = await InstallAsync("dash");
        Assert.Equal(ExitCode.Failed, failed.Code);
        Assert.Contains("cannot be replaced. It stays as it was.", failed.Error, StringComparison.Ordinal);
        Assert.True(File.Exists(_home["p/lib/eventdbx/2.1.0/more"]));
        Assert.Equal("eventdbx 2.1.0\n", (await Program.RunAsync(_home["p/bin/dbx"], _home.Path, _home.Path, "--version")).Out);

        _environment["PATH"] = path!;
        var replaced = await InstallAsync("dash");
        Assert.True(replaced.Code == ExitCode.Done, replaced.Error);
        Assert.False(File.Exists(_home["p/lib/eventdbx/2.1.0/more"]));
        Assert.Equal("eventdbx 2.1.0\n", (await Program.RunAsync(_home["p/bin/dbx"], _home.Path, _home.Path, "--version")).Out);
        Assert.Equal("2.1.0", new FileInfo(_home["p/lib/eventdbx/current"]).LinkTarget);
        if (Tools.Has("flock"))
            Assert.Equal(["2.1.0", "current"], Laid());
    }

    [Fact]
    public async Task What_has_the_name_of_a_version_is_never_half_of_one()
    {
        Publish("2.1.0");
        Assert.Equal(ExitCode.Done, (await InstallAsync("dash")).Code);
        _home.Write("p/lib/eventdbx/2.1.0/more", "damaged");
        // Killed after the first bytes.
        var killing = _home.Write("tools/cp", "#!/bin/sh\nfor last; do :; done\nmkdir -p \"$last\"\nkill -9 $PPID\n");
        Assert.Equal(ExitCode.Done, (await Program.RunAsync("chmod", _home.Path, home: null, "755", killing)).Code);
        _environment["PATH"] = $"{_home["tools"]}:{Environment.GetEnvironmentVariable("PATH")}";

        Assert.NotEqual(ExitCode.Done, (await InstallAsync("dash")).Code);

        Assert.True(File.Exists(_home["p/lib/eventdbx/2.1.0/dbx"]));
        Assert.Equal("eventdbx 2.1.0\n", (await Program.RunAsync(_home["p/bin/dbx"], _home.Path, _home.Path, "--version")).Out);
    }

    [Fact]
    public async Task A_newest_release_that_is_older_than_what_is_installed_has_to_be_named()
    {
        Publish("2.10.0");
        Assert.Equal(ExitCode.Done, (await InstallAsync("dash")).Code);
        Publish("2.9.0");

        var refused = await InstallAsync("dash");

        Assert.Equal(ExitCode.Failed, refused.Code);
        Assert.Contains("the newest release is said to be 2.9.0, and 2.10.0 is installed, which is newer; `--version 2.9.0` installs it all the same.", refused.Error, StringComparison.Ordinal);
        Assert.Equal(["2.10.0", "current"], Laid());
        Assert.Equal(ExitCode.Done, (await InstallAsync("dash", "--version", "2.9.0")).Code);
        Publish("2.10.0");
        Assert.Equal(ExitCode.Done, (await InstallAsync("dash")).Code);
        Assert.Equal("2.10.0", new FileInfo(_home["p/lib/eventdbx/current"]).LinkTarget);
    }

    [Fact]
    public async Task A_manual_that_finds_no_place_is_no_failure()
    {
        var archive = Archive("2.1.0", static (writer, name) => writer.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, $"{name}/man/dbx.1") { DataStream = new MemoryStream([1]) }));
        _server.Publish("v2.1.0", new Dictionary<string, byte[]> { [Name] = archive, ["SHA256SUMS"] = Sums("2.1.0", (Name, archive)) });
        _home.Write("p/share", "no directory");

        var installed = await InstallAsync("dash");

        Assert.Equal((ExitCode.Done, ""), (installed.Code, installed.Error));
        Assert.Contains($"{_home["p/share/man/man1/dbx.1"]} cannot be made", installed.Out, StringComparison.Ordinal);
        Assert.Contains("EventDBX 2.1.0 is installed: ", installed.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_link_that_somebody_else_put_where_the_manual_goes_stays()
    {
        var archive = Archive("2.1.0", static (writer, name) => writer.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, $"{name}/man/dbx.1") { DataStream = new MemoryStream([1]) }));
        _server.Publish("v2.1.0", new Dictionary<string, byte[]> { [Name] = archive, ["SHA256SUMS"] = Sums("2.1.0", (Name, archive)) });
        Directory.CreateDirectory(_home["p/share/man/man1"]);
        File.CreateSymbolicLink(_home["p/share/man/man1/dbx.1"], "/elsewhere/dbx.1");

        Assert.Equal(ExitCode.Done, (await InstallAsync("dash")).Code);
        Assert.Equal("/elsewhere/dbx.1", new FileInfo(_home["p/share/man/man1/dbx.1"]).LinkTarget);

        File.Delete(_home["p/share/man/man1/dbx.1"]);
        Assert.Equal(ExitCode.Done, (await InstallAsync("dash")).Code);
        Assert.Equal(_home["p/lib/eventdbx/current/man/dbx.1"], new FileInfo(_home["p/share/man/man1/dbx.1"]).LinkTarget);
    }

    [Theory, MemberData(nameof(EveryShell))]
    public async Task What_does_not_fit_is_refused_and_leaves_nothing(string shell)
    {
        var archive = Archive("2.1.0");
        byte[] changed = [.. archive];
        changed[archive.Length / 2] ^= 1;
        var sums = Sums("2.1.0", ("eventdbx-2.1.0-" + Rid + ".tar.gz", archive));
        var escaping = Archive("2.1.0", (writer, name) => writer.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, $"{name}/../../escaped") { DataStream = new MemoryStream([1]) }));
        var linked = Archive("2.1.0", (writer, name) => writer.WriteEntry(new PaxTarEntry(TarEntryType.SymbolicLink, $"{name}/link") { LinkName = "/etc/passwd" }));
        var lying = Archive("2.0.9", name: "eventdbx-2.1.0-" + Rid);
        foreach (var (release, refused) in new (Dictionary<string, byte[]>, string)[]
        {
            (new() { [Name] = changed, ["SHA256SUMS"] = sums }, "is not what the release says it is. Its SHA-256 is "),
            (new() { [Name] = archive[..^1], ["SHA256SUMS"] = sums }, "is not what the release says it is. Its SHA-256 is "),
            (new() { [Name] = archive }, "has no SHA256SUMS"),
            (new() { [Name] = archive, ["SHA256SUMS"] = Sums("2.1.0") }, "has no checksum of " + Name),
            (new() { [Name] = archive, ["SHA256SUMS"] = Sums("2.1.0", (Name, archive), (Name, changed)) }, "has no checksum of " + Name + ", or more than one"),
            (new() { [Name] = archive, ["SHA256SUMS"] = Sums("2.0.9", (Name, archive)) }, "are not those of release 2.1.0: they begin with `eventdbx v2.0.9`"),
            (new() { ["eventdbx-2.1.0-plan9-mips.tar.gz"] = archive, ["SHA256SUMS"] = sums }, $"has no programs for {Rid}. It has: eventdbx-2.1.0-plan9-mips.tar.gz"),
            (new() { [Name] = escaping, ["SHA256SUMS"] = Sums("2.1.0", (Name, escaping)) }, "holds something that is no file below"),
            (new() { [Name] = linked, ["SHA256SUMS"] = Sums("2.1.0", (Name, linked)) }, "holds something that is no file below"),
            (new() { [Name] = lying, ["SHA256SUMS"] = Sums("2.1.0", (Name, lying)) }, "says that it is `eventdbx 2.0.9`, not 2.1.0"),
            (new() { [Name] = [1, 2, 3], ["SHA256SUMS"] = Sums("2.1.0", (Name, [1, 2, 3])) }, "cannot be read"),
        })
        {
            _server.Files.Clear();
            _server.Publish("v2.1.0", release);
            await RefusedAsync(await InstallAsync(shell), refused);
        }

        await RefusedAsync(await InstallAsync(shell, "--version", "9.9.9"), "/releases/tags/v9.9.9 did not answer as it should");
        Publish("2.1.0");
        foreach (var (tag, said) in new[] { ("v2.1.0", true), ("v2.1.0-rc.1", false) })
        {
            _server.Publish(tag, new Dictionary<string, byte[]>(), prerelease: said);
            await RefusedAsync(await InstallAsync(shell), $"the newest release is said to be {tag}, which is a candidate or a draft");
        }

        Publish("2.1.0");
        _server.CutOff.Add("/releases/download/v2.1.0/" + Name);
        await RefusedAsync(await InstallAsync(shell), "did not answer as it should");
        _environment["EVENTDBX_RELEASES_URL"] = "http://releases.example/releases";
        await RefusedAsync(await InstallAsync(shell), "is not asked: only https is");
    }

    [Fact]
    public async Task An_older_installation_stays_as_it_is_when_a_newer_one_is_refused()
    {
        Publish("2.1.0");
        Assert.Equal(ExitCode.Done, (await InstallAsync("dash")).Code);
        var before = _home.Fingerprint("p");

        var archive = Archive("2.2.0");
        _server.Publish("v2.2.0", new Dictionary<string, byte[]> { [Name.Replace("2.1.0", "2.2.0", StringComparison.Ordinal)] = archive[..^1], ["SHA256SUMS"] = Sums("2.2.0", (Name.Replace("2.1.0", "2.2.0", StringComparison.Ordinal), archive)) });
        var refused = await InstallAsync("dash");

        Assert.Equal(ExitCode.Failed, refused.Code);
        Assert.Equal(before, _home.Fingerprint("p"));
    }

    [Theory, MemberData(nameof(EveryShell))]
    public async Task Where_a_key_is_known_its_signature_is_needed(string shell)
    {
        Assert.SkipUnless(Tools.Has("openssl"), "there is no openssl here");
        var (one, other) = (await KeyAsync("one"), await KeyAsync("other"));
        var archive = Archive("2.1.0");
        var sums = Sums("2.1.0", (Name, archive));
        var signed = await SignAsync("one", sums);
        _environment["EVENTDBX_RELEASE_KEYS"] = _home.Write("keys", $"# release keys\n{one}\n");

        await RefusedAsync(await WithNoteAsync(null), "is not signed: it has no SHA256SUMS.note");
        await RefusedAsync(await WithNoteAsync(await SignAsync("other", sums)), "is signed by none of the keys");
        await RefusedAsync(await WithNoteAsync(await SignAsync("one", Sums("2.1.0", (Name, [1])))), "has signed another text than SHA256SUMS");
        var line = Encoding.UTF8.GetString(signed).Split('\n')[^2];
        var bytes = Convert.FromBase64String(line.Split(' ')[2]);
        bytes[^1] ^= 1;
        var forged = Encoding.UTF8.GetString(signed).Replace(line, $"— one {Convert.ToBase64String(bytes)}", StringComparison.Ordinal);
        await RefusedAsync(await WithNoteAsync(Encoding.UTF8.GetBytes(forged)), "the signature of one on release 2.1.0 is not good");
        // A key that was replaced: another of the same name, before it in the file or in the note.
        await File.WriteAllTextAsync(_home["keys"], $"{other.Replace("other+", "one+", StringComparison.Ordinal)}\n", TestContext.Current.CancellationToken);
        await RefusedAsync(await WithNoteAsync(signed), "is signed by none of the keys");
        await File.WriteAllTextAsync(_home["keys"], $"{other.Replace("other+", "one+", StringComparison.Ordinal)}\n{one}\n", TestContext.Current.CancellationToken);
        var listed = await WithNoteAsync(signed);
        Assert.True(listed.Code == ExitCode.Done, listed.Error);
        var former = Encoding.UTF8.GetString(await SignAsync("other", sums)).Split('\n')[^2].Replace("— other ", "— one ", StringComparison.Ordinal);
        await File.WriteAllTextAsync(_home["keys"], $"{one}\n", TestContext.Current.CancellationToken);
        var both = await WithNoteAsync(Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(signed).Replace(line, $"{former}\n{line}", StringComparison.Ordinal)));
        Assert.True(both.Code == ExitCode.Done, both.Error);
        Directory.Delete(_home["p"], recursive: true);
        await File.WriteAllTextAsync(_home["keys"], $"{other}\n{one}", TestContext.Current.CancellationToken);
        var good = await WithNoteAsync(signed);
        Assert.True(good.Code == ExitCode.Done, good.Error);
        Assert.Contains("signed by one\n", good.Out, StringComparison.Ordinal);

        Task<Outcome> WithNoteAsync(byte[]? note)
        {
            Dictionary<string, byte[]> release = new() { [Name] = archive, ["SHA256SUMS"] = sums };
            if (note is not null)
                release["SHA256SUMS.note"] = note;
            _server.Files.Clear();
            _server.Publish("v2.1.0", release);
            return InstallAsync(shell);
        }
    }

    [Fact]
    public async Task It_does_without_curl_and_says_when_wget_is_missing_too()
    {
        Publish("2.1.0");
        Assert.SkipUnless(Tools.Has("wget"), "there is no wget here");
        Directory.CreateDirectory(_home["tools"]);
        foreach (var tool in (string[])["sh", "dash", "uname", "ldd", "grep", "sed", "awk", "tar", "gzip", "mktemp", "mkdir", "rmdir", "rm", "mv", "ln", "cat", "head", "tail", "tr", "wc", "cmp", "cp", "diff", "readlink", "sha256sum", "wget", "env"])
        {
            if (Array.Find((string[])["/usr/bin/", "/bin/"], directory => File.Exists(directory + tool)) is { } directory)
                File.CreateSymbolicLink(_home["tools/" + tool], directory + tool);
        }

        _environment["PATH"] = _home["tools"];
        _server.SendsOn["/releases/latest"] = "http://releases.example/latest";
        var clear = await InstallAsync("/bin/sh", "--prefix", _home["q"]);
        _server.SendsOn["/releases/latest"] = "/releases/latest";
        var round = await InstallAsync("/bin/sh", "--prefix", _home["q"]);
        _server.SendsOn["/releases/latest"] = "/releases/tags/v2.1.0";
        var without = await InstallAsync("/bin/sh");
        File.Delete(_home["tools/wget"]);
        var neither = await InstallAsync("/bin/sh", "--prefix", _home["q"]);

        Assert.Equal((ExitCode.Failed, ExitCode.Failed), (clear.Code, round.Code));
        Assert.Contains("http://releases.example/latest is not asked: only https is", clear.Error, StringComparison.Ordinal);
        Assert.Contains("sends on and on", round.Error, StringComparison.Ordinal);
        Assert.True(without.Code == ExitCode.Done, without.Error);
        Assert.Equal(ExitCode.Failed, neither.Code);
        Assert.Contains("there is neither `curl` nor `wget` here", neither.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_home["q"]));
    }

    [Fact]
    public async Task A_program_of_that_name_that_is_not_ours_is_left_alone()
    {
        Publish("2.1.0");
        _home.Write("p/bin/dbx", "#!/bin/sh\n");

        var refused = await InstallAsync("dash");

        Assert.Equal(ExitCode.Failed, refused.Code);
        Assert.Contains($"{_home["p/bin/dbx"]} is there already and was not put there by this script.", refused.Error, StringComparison.Ordinal);
        Assert.Equal("#!/bin/sh\n", await File.ReadAllTextAsync(_home["p/bin/dbx"], TestContext.Current.CancellationToken));
        Assert.False(Directory.Exists(_home["p/lib"]));
    }

    [Theory]
    [InlineData("`--prefx` is not known", "--prefx", "x")]
    [InlineData("--version needs a value", "--version")]
    [InlineData("`../x` is no version", "--version", "../x")]
    [InlineData("`1;reboot` is no version", "--version=1;reboot")]
    public async Task Arguments_that_make_no_sense_are_refused(string refused, params string[] arguments)
    {
        var outcome = await InstallAsync("dash", arguments);

        Assert.Equal(ExitCode.Usage, outcome.Code);
        Assert.Contains(refused, outcome.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_home["p"]));
    }

    [Fact]
    public async Task A_script_that_arrives_in_half_does_nothing()
    {
        Publish("2.1.0");
        var text = await File.ReadAllTextAsync(Path.Combine(Checkout.Root, "install.sh"), TestContext.Current.CancellationToken);
        foreach (var part in (double[])[0.25, 0.5, 0.75, 0.99])
        {
            var half = _home.Write("half.sh", text[..(int)(text.Length * part)]);
            await RunAsync("dash", half, ["--prefix", _home["p"]]);
            Assert.False(Directory.Exists(_home["p"]));
        }
    }

    /// <summary>There is no PowerShell on most machines that run this; where there is one, it has to understand the script.</summary>
    [Fact]
    public async Task The_script_for_Windows_is_PowerShell()
    {
        Assert.SkipUnless(Tools.Has("pwsh"), "there is no PowerShell here: install.ps1 is only read");
        var script = Path.Combine(Checkout.Root, "install.ps1");

        var parsed = await Program.RunAsync("pwsh", _home.Path, _home.Path, "-NoProfile", "-Command", $"$e = $null; [void][System.Management.Automation.Language.Parser]::ParseFile('{script}', [ref]$null, [ref]$e); $e.Count");

        Assert.Equal("0\n", parsed.Out);
    }

    /// <summary>Here with a tar of that name, and a program that is a script.</summary>
    [Fact]
    public async Task The_script_for_Windows_installs_what_fits_and_nothing_else()
    {
        Assert.SkipUnless(Tools.Has("pwsh"), "there is no PowerShell here: install.ps1 is only read");
        Directory.CreateDirectory(_home["tools"]);
        File.CreateSymbolicLink(_home["tools/tar.exe"], "/usr/bin/tar");
        const string name = "eventdbx-2.1.0-win-x64.tar.gz";
        var archive = Archive("2.1.0", name: "eventdbx-2.1.0-win-x64", program: "dbx.exe");

        _server.Publish("v2.1.0", new Dictionary<string, byte[]> { [name] = archive[..^1], ["SHA256SUMS"] = Sums("2.1.0", (name, archive)) });
        var refused = await InstallAsync();
        Assert.Equal(ExitCode.Failed, refused.Code);
        Assert.StartsWith($"error: {name} is not what the release says it is.", refused.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_home["p"]));

        _server.Publish("v2.1.0", new Dictionary<string, byte[]> { [name] = archive, ["SHA256SUMS"] = Sums("2.1.0", (name, archive)) });
        var installed = await InstallAsync();
        Assert.True(installed.Code == ExitCode.Done, installed.Error);
        Assert.Equal("@\"%~dp0..\\lib\\eventdbx\\2.1.0\\dbx.exe\" %*", (await File.ReadAllTextAsync(_home["p/bin/dbx.cmd"], TestContext.Current.CancellationToken)).Trim());

        Task<Outcome> InstallAsync() => Program.RunAsync(
            "env", _home.Path, _home.Path, $"PATH={_home["tools"]}:{Environment.GetEnvironmentVariable("PATH")}", $"EVENTDBX_RELEASES_URL={_server.Url}",
            "pwsh", "-NoProfile", "-File", Path.Combine(Checkout.Root, "install.ps1"), "-Prefix", _home["p"]);
    }

    static string Rid { get; } = (OperatingSystem.IsMacOS() ? "osx-" : "linux-")
        + (System.Runtime.InteropServices.RuntimeInformation.OSArchitecture == System.Runtime.InteropServices.Architecture.Arm64 ? "arm64" : "x64");

    static string Name { get; } = $"eventdbx-2.1.0-{Rid}.tar.gz";

    void Publish(string version)
    {
        var (name, archive) = ($"eventdbx-{version}-{Rid}.tar.gz", Archive(version));
        _server.Publish("v" + version, new Dictionary<string, byte[]> { [name] = archive, ["SHA256SUMS"] = Sums(version, (name, archive), ("another.deb", [1])) });
    }

    async Task RefusedAsync(Outcome outcome, string why)
    {
        Assert.True(outcome.Code == ExitCode.Failed, outcome.Out + outcome.Error);
        Assert.Contains(why, outcome.Error, StringComparison.Ordinal);
        Assert.StartsWith("error: ", outcome.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_home["p"]), (await Program.RunAsync("find", _home.Path, home: null, _home["p"])).Out);
    }

    Task<Outcome> InstallAsync(string shell, params string[] arguments)
    {
        Assert.SkipUnless(shell.StartsWith('/') || Tools.Has(shell), $"there is no {shell} here");
        return RunAsync(shell, Path.Combine(Checkout.Root, "install.sh"), arguments.Contains("--prefix") ? arguments : ["--prefix", _home["p"], .. arguments]);
    }

    Task<Outcome> RunAsync(string shell, string script, string[] arguments)
    {
        Dictionary<string, string> all = new(_environment);
        all.TryAdd("EVENTDBX_RELEASES_URL", _server.Url);
        return Program.RunAsync("/usr/bin/env", _home.Path, _home.Path, [.. all.Select(static pair => $"{pair.Key}={pair.Value}"), shell, script, .. arguments]);
    }

    /// <summary>What lies beside the versions, but for the lock.</summary>
    IEnumerable<string?> Laid() =>
        Directory.EnumerateFileSystemEntries(_home["p/lib/eventdbx"]).Select(Path.GetFileName).Where(static name => name != ".lock").Order(StringComparer.Ordinal);

    static byte[] Sums(string version, params (string Name, byte[] Content)[] files) => Encoding.UTF8.GetBytes(
        $"eventdbx v{version}\n" + string.Concat(files.Select(static file => $"{Convert.ToHexStringLower(SHA256.HashData(file.Content))}  {file.Name}\n")));

    /// <summary>What a release has for this machine: a folder whose <c>dbx</c> says a version.</summary>
    static byte[] Archive(string version, Action<TarWriter, string>? more = null, string? name = null, string program = "dbx")
    {
        name ??= $"eventdbx-{version}-{Rid}";
        MemoryStream bytes = new();
        using (GZipStream packed = new(bytes, CompressionLevel.Fastest))
        using (TarWriter writer = new(packed))
        {
            writer.WriteEntry(new PaxTarEntry(TarEntryType.Directory, name + "/") { Mode = (UnixFileMode)0b111_101_101 });
            writer.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, $"{name}/{program}")
            {
                Mode = (UnixFileMode)0b111_101_101, DataStream = new MemoryStream(Encoding.UTF8.GetBytes($"#!/bin/sh\necho eventdbx {version}\n")),
            });
            more?.Invoke(writer, name);
        }

        return bytes.ToArray();
    }

    /// <summary>A new key; its public half as a vkey.</summary>
    async Task<string> KeyAsync(string name)
    {
        Assert.Equal(ExitCode.Done, (await Program.RunAsync("openssl", _home.Path, _home.Path, "genpkey", "-algorithm", "ed25519", "-out", name + ".key")).Code);
        _home.Write("SHA256SUMS", "eventdbx v0.0.0\n");
        return (await SignerAsync(name)).Trim();
    }

    async Task<byte[]> SignAsync(string name, byte[] sums)
    {
        await File.WriteAllBytesAsync(_home["SHA256SUMS"], sums, TestContext.Current.CancellationToken);
        await SignerAsync(name);
        return await File.ReadAllBytesAsync(_home["SHA256SUMS.note"], TestContext.Current.CancellationToken);
    }

    async Task<string> SignerAsync(string name)
    {
        var signed = await Program.RunAsync(Path.Combine(Checkout.Root, "tools", "sign-release.sh"), _home.Path, _home.Path, _home[name + ".key"], name, _home["SHA256SUMS"]);
        Assert.True(signed.Code == ExitCode.Done, signed.Error);
        return signed.Out;
    }
}
