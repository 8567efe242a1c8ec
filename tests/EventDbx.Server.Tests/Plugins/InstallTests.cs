using System.Diagnostics;
using System.Formats.Tar;
using System.Net;
using System.Security.Cryptography;
using EventDbx.Server.Plugins.Install;

namespace EventDbx.Server.Tests.Plugins;

/// <summary><c>plugin install</c>: spec of the command, and bundles that mean harm.</summary>
public sealed class InstallTests : IDisposable
{
    const string Script = "#!/bin/sh\necho one\n";
    static readonly UnixFileMode Executable = UnixFileMode.UserExecute;

    readonly TemporaryDirectory _directory = new();

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    string Data => _directory["data"];

    PluginRegistry Registry => new(Data);

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task A_program_alone_is_installed_under_its_name_and_may_be_run()
    {
        var record = await InstallAsync("plugin.bin", Frames.Utf8(Script));

        Assert.Equal(Path.Combine(Data, "plugins", "find", "1.0.0", PluginTarget.Current, OperatingSystem.IsWindows() ? "find.exe" : "find"), record.BinaryPath);
        Assert.Equal(record, Registry.Find("find", "1.0.0"));
        Assert.Equal(Script, File.ReadAllText(record.BinaryPath));
        Assert.True(OperatingSystem.IsWindows() || File.GetUnixFileMode(record.BinaryPath).HasFlag(Executable));
        // Nothing else is there: no staging, no bundle.
        Assert.Equal([".lock", "find", "registry.json"], Directory.EnumerateFileSystemEntries(Registry.Root).Select(path => Path.GetFileName(path)!).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_bundle_is_unpacked_with_its_directories_and_without_modes_that_grant_more(bool zip)
    {
        const UnixFileMode Mode = UnixFileMode.SetUser | UnixFileMode.OtherWrite | UnixFileMode.GroupRead | UnixFileMode.UserRead;
        byte[] bundle = zip ? Archives.Zip(0x8000 | (int)Mode, ("bin/find", Script), ("lib/a.txt", "a"))
            : Archives.TarGz(tar =>
            {
                tar.WriteEntry(new PaxTarEntry(TarEntryType.Directory, "./"));
                tar.WriteEntry(new PaxTarEntry(TarEntryType.Directory, "./bin/"));
                tar.WriteEntry(Archives.File("./bin/find", Script, Mode));
                tar.WriteEntry(Archives.File("./lib/a.txt", "a", Mode));
            });

        var record = await InstallAsync(zip ? "b.zip" : "b.tar.gz", bundle);

        Assert.Equal(Path.Combine(record.InstallDirectory, "bin", "find"), record.BinaryPath);
        Assert.Equal("a", File.ReadAllText(Path.Combine(record.InstallDirectory, "lib", "a.txt")));
        if (!OperatingSystem.IsWindows())
        {
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead, File.GetUnixFileMode(Path.Combine(record.InstallDirectory, "lib", "a.txt")));
            Assert.Equal(UnixFileMode.None, File.GetUnixFileMode(record.BinaryPath) & (UnixFileMode.SetUser | UnixFileMode.OtherWrite));
            Assert.True(File.GetUnixFileMode(record.BinaryPath).HasFlag(Executable));
        }
    }

    [Theory]
    [InlineData("b.bin", true)]
    [InlineData("b.bin", false)]
    [InlineData("b.TGZ", false)]
    public async Task What_a_bundle_is_its_name_says_or_else_its_first_bytes(string file, bool zip)
    {
        var record = await InstallAsync(file, zip ? Archives.Zip(("find", Script)) : Archives.TarGz(("find", Script)));

        Assert.Equal(Script, File.ReadAllText(record.BinaryPath));
    }

    [Fact]
    public async Task The_program_is_the_named_one_the_only_one_or_the_one_with_the_plugins_name()
    {
        var several = Archives.Zip(("z/run", "z"), ("a/run", "a"), ("find", "f"), ("readme", "r"));

        Assert.Equal("a", File.ReadAllText((await InstallAsync("1.zip", several, bin: "run")).BinaryPath));
        Assert.Equal("f", File.ReadAllText((await InstallAsync("2.zip", several, force: true)).BinaryPath));
        Assert.Equal("r", File.ReadAllText((await InstallAsync("3.zip", Archives.Zip(("other", "r")), force: true)).BinaryPath));
        Assert.Contains("candidates: a, b", (await RefusedAsync("4.zip", Archives.Zip(("b", ""), ("a", "")), force: true)).Message, StringComparison.Ordinal);
        Assert.Contains("it has: a, b", (await RefusedAsync("5.zip", Archives.Zip(("b", ""), ("a", "")), bin: "run", force: true)).Message, StringComparison.Ordinal);
        Assert.Contains("did not contain any files", (await RefusedAsync("6.zip", Archives.Zip(), force: true)).Message, StringComparison.Ordinal);
        Assert.Equal("r", File.ReadAllText(Registry.Find("find", "1.0.0")!.BinaryPath));
    }

    public static TheoryData<string> Names => new(
        "../evil", "a/../../evil", "a/..", "/evil", "//evil", "a//b", "a/./b", "..", "C:\\evil", "c:evil", "..\\evil", "a\\b", "\\\\host\\share", "nul", "COM1.txt", "a/aux/b",
        "evil.", "evil ", "a./b", "a:b", "a\nb", "a\u0001b", "é", "a?b", string.Join('/', Enumerable.Repeat("d", 33)), new string('n', 256), string.Join('/', Enumerable.Repeat(new string('n', 200), 6)));

    [Theory]
    [MemberData(nameof(Names))]
    public async Task A_name_that_is_not_the_same_file_everywhere_is_refused_and_nothing_lands_anywhere(string name)
    {
        await NothingLandsAsync("b.zip", Archives.Zip(("find", Script), (name, "evil")));
        await NothingLandsAsync("b.tar.gz", Archives.TarGz(("find", Script), (name, "evil")));
    }

    [Theory]
    [InlineData("a/b", "A/c")]
    [InlineData("a", "A")]
    [InlineData("a", "a")]
    [InlineData("a", "a/b")]
    [InlineData("a/b", "a")]
    public async Task Two_names_that_may_be_one_file_are_refused(string first, string second)
    {
        await NothingLandsAsync("b.zip", Archives.Zip((first, "1"), (second, "2")));
        await NothingLandsAsync("b.tar.gz", Archives.TarGz((first, "1"), (second, "2")));
    }

    [Theory]
    [InlineData(TarEntryType.SymbolicLink)]
    [InlineData(TarEntryType.HardLink)]
    [InlineData(TarEntryType.CharacterDevice)]
    [InlineData(TarEntryType.BlockDevice)]
    [InlineData(TarEntryType.Fifo)]
    public async Task Links_devices_and_pipes_are_refused(TarEntryType type) => await NothingLandsAsync("b.tar.gz", Archives.TarGz(tar =>
    {
        tar.WriteEntry(Archives.File("find", Script));
        PaxTarEntry entry = new(type, "sub");
        if (type is TarEntryType.SymbolicLink or TarEntryType.HardLink)
            entry.LinkName = type == TarEntryType.HardLink ? "find" : _directory.Path;
        tar.WriteEntry(entry);
        // What would go through the link.
        tar.WriteEntry(Archives.File("sub/evil", "evil"));
    }));

    [Theory]
    [InlineData(0xA000)]
    [InlineData(0x2000)]
    [InlineData(0x6000)]
    [InlineData(0x1000)]
    [InlineData(0xC000)]
    [InlineData(0x4000)]
    public async Task In_a_zip_as_well(int kind) => await NothingLandsAsync("b.zip", Archives.Zip(kind | 0x1FF, ("find", _directory.Path)));

    [Fact]
    public async Task A_bomb_stops_at_what_a_bundle_of_its_size_may_have()
    {
        var zeros = new string('\0', 70 * 1024 * 1024);

        Assert.Equal(RefusalCode.LimitExceeded, (await NothingLandsAsync("b.zip", Archives.Zip(("find", zeros)))).Refusal.Code);
        Assert.Equal(RefusalCode.LimitExceeded, (await NothingLandsAsync("b.tar.gz", Archives.TarGz(("find", zeros)))).Refusal.Code);
        // Sixty are fewer than any bundle may have.
        await InstallAsync("b.zip", Archives.Zip(("find", zeros[..(60 * 1024 * 1024)])));
    }

    [Fact]
    public async Task A_zip_that_says_less_than_it_has_is_refused()
    {
        var bundle = Archives.Zip(("find", new string('x', 100_000)));
        var at = bundle.AsSpan().LastIndexOf("PK\u0001\u0002"u8);
        BitConverter.TryWriteBytes(bundle.AsSpan(at + 24), 10);

        await NothingLandsAsync("b.zip", bundle);
    }

    [Fact]
    public async Task A_bundle_that_is_cut_off_or_damaged_is_refused()
    {
        var (zip, tar) = (Archives.Zip(("find", string.Concat(Enumerable.Range(0, 5000)))), Archives.TarGz(("find", string.Concat(Enumerable.Range(0, 5000)))));

        await NothingLandsAsync("b.zip", zip[..(zip.Length / 2)]);
        await NothingLandsAsync("b.tar.gz", tar[..(tar.Length / 2)]);
        zip[zip.Length / 2] ^= 4;
        tar[tar.Length / 2] ^= 4;
        await NothingLandsAsync("b.zip", zip);
        await NothingLandsAsync("b.tar.gz", tar);
        await NothingLandsAsync("b.tar.xz", tar);
        await NothingLandsAsync("b.bin", []);
    }

    [Fact]
    public async Task A_million_entries_stop_at_the_bound_soon()
    {
        var entries = TestTiers.Choose(150_000, 1_000_000, 1_000_000);
        var (zip, tar) = (Archives.ZipOfMany(entries), Archives.TarOfMany(entries));
        var started = Stopwatch.GetTimestamp();

        var (zipped, tarred) = (await NothingLandsAsync("b.zip", zip), await NothingLandsAsync("b.tar.gz", tar));

        Assert.Contains("more than 100000 entries", zipped.Message, StringComparison.Ordinal);
        Assert.Contains("more than 100000 entries", tarred.Message, StringComparison.Ordinal);
        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(30));
    }

    [Theory]
    [InlineData("../find", "1")]
    [InlineData("", "1")]
    [InlineData("find", "..")]
    [InlineData("find", "1/2")]
    [InlineData("find", ".staging")]
    [InlineData("nul", "1")]
    [InlineData("find", "é")]
    public async Task A_name_or_version_that_is_no_component_of_a_path_is_refused(string name, string version)
    {
        var refused = await Assert.ThrowsAsync<RefusedException>(() => new PluginInstaller(Data, TimeProvider.System).InstallAsync(
            new() { Name = name, Version = version, Source = _directory.Write("b.bin", Script) }, null, Cancellation));

        Assert.Equal(RefusalCode.InvalidName, refused.Refusal.Code);
        Assert.False(Directory.Exists(Data));
    }

    [Fact]
    public async Task A_wrong_checksum_leaves_the_version_that_is_there_and_the_right_one_replaces_it()
    {
        var bundle = Frames.Utf8("#!/bin/sh\necho two\n");
        var checksum = Convert.ToHexString(SHA256.HashData(bundle));
        var before = await InstallAsync("1.bin", Frames.Utf8(Script));
        var was = _directory.Fingerprint("data");

        var wrong = await RefusedAsync("2.bin", bundle, force: true, checksum: new string('0', 64));
        Assert.Equal($"checksum mismatch: expected {new string('0', 64)}, computed {checksum.ToLowerInvariant()}", wrong.Message);
        Assert.Contains("SHA-256 in hex", (await RefusedAsync("2.bin", bundle, force: true, checksum: "abc")).Message, StringComparison.Ordinal);
        Assert.Equal($"plugin 'find' v1.0.0 for target {PluginTarget.Current} is already installed; rerun with --force to overwrite", (await RefusedAsync("2.bin", bundle)).Message);
        Assert.Equal(was, _directory.Fingerprint("data"));
        Assert.Equal("one\n", await RunAsync(before.BinaryPath));

        var after = await InstallAsync("2.bin", bundle, force: true, checksum: $" {checksum} ");
        Assert.Equal("two\n", await RunAsync(after.BinaryPath));
        Assert.Equal(checksum.ToLowerInvariant(), Assert.Single(Registry.List()).Checksum);
    }

    [Fact]
    public async Task The_registry_has_the_published_shape_and_is_its_owners_alone()
    {
        ManualClock clock = new(new(2025, 10, 23, 12, 0, 0, TimeSpan.Zero));
        var source = _directory.Write("b.bin", Script);
        foreach (var version in new[] { "2.0.0", "1.0.0" })
            await new PluginInstaller(Data, clock).InstallAsync(new() { Name = "find", Version = version, Source = source }, null, Cancellation);

        var text = File.ReadAllText(Path.Combine(Data, "plugins", "registry.json")).Replace(_directory.Path, "/srv", StringComparison.Ordinal).Replace(PluginTarget.Current, "linux-x86_64", StringComparison.Ordinal);

        Assert.Equal(Golden.Expected("plugins/registry.json", text), text);
        Assert.True(OperatingSystem.IsWindows() || File.GetUnixFileMode(Path.Combine(Data, "plugins", "registry.json")) == (UnixFileMode.UserRead | UnixFileMode.UserWrite));
    }

    [Fact]
    public async Task A_registry_of_the_reference_is_read_triples_of_targets_included_and_a_directory_that_was_moved_goes_on()
    {
        var record = await InstallAsync("b.bin", Frames.Utf8(Script));
        var registry = Path.Combine(Data, "plugins", "registry.json");
        File.WriteAllText(registry, File.ReadAllText(registry).Replace($"\"target\": \"{PluginTarget.Current}\"", "\"target\": \"x86_64-apple-darwin\", \"more\": 1", StringComparison.Ordinal));
        Assert.Equal("macos-x86_64", Assert.Single(Registry.List()).Target);
        Assert.Equal("linux-aarch64", PluginTarget.Normalize("aarch64-unknown-linux-gnu"));
        Assert.Equal("windows-x86_64", PluginTarget.Normalize("x86_64-pc-windows-msvc"));

        await InstallAsync("b.bin", Frames.Utf8(Script), force: true);
        Directory.Move(Data, _directory["moved"]);

        Assert.Equal(record.BinaryPath.Replace(Data, _directory["moved"], StringComparison.Ordinal), new PluginRegistry(_directory["moved"]).Find("find", "1.0.0")!.BinaryPath);
        File.WriteAllText(Path.Combine(_directory["moved"], "plugins", "registry.json"), "{}");
        Assert.Equal(RefusalCode.IntegrityViolation, Assert.Throws<RefusedException>(() => new PluginRegistry(_directory["moved"]).List()).Refusal.Code);
    }

    [Fact]
    public async Task Of_two_installations_at_once_one_waits_for_the_other()
    {
        var source = _directory.Write("b.bin", Script);

        var all = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => Task.Run(() => new PluginInstaller(Data, TimeProvider.System).InstallAsync(
            new() { Name = "find", Version = $"{i % 3}", Source = source, Force = true }, null, Cancellation))));

        Assert.Equal(["0", "1", "2"], Registry.List().Select(plugin => plugin.Version));
        Assert.All(all, plugin => Assert.True(File.Exists(plugin.BinaryPath)));
    }

    [Fact]
    public async Task What_an_installation_that_was_killed_left_is_cleared_away_and_an_earlier_version_gets_its_place_back()
    {
        var record = await InstallAsync("b.bin", Frames.Utf8(Script));
        _directory.Write("data/plugins/.staging-0123/files/find", "half");
        Directory.Move(record.InstallDirectory, Path.Combine(Path.GetDirectoryName(record.InstallDirectory)!, ".aside-" + PluginTarget.Current));

        await new PluginInstaller(Data, TimeProvider.System).InstallAsync(new() { Name = "other", Version = "1", Source = _directory["b.bin"] }, null, Cancellation);

        Assert.Equal(Script, File.ReadAllText(record.BinaryPath));
        Assert.False(Directory.Exists(Path.Combine(Registry.Root, ".staging-0123")));
    }

    [Fact]
    public async Task An_address_is_fetched_over_https_and_over_http_with_a_checksum_only()
    {
        var checksum = Convert.ToHexString(SHA256.HashData(Frames.Utf8(Script)));
        Web web = new(("https://dl.example/p/find", Answer.Of(Script)), ("http://dl.example/find", Answer.Of(Script)));

        var record = await FetchAsync(web, "https://dl.example/p/find?token=secret");
        Assert.Equal(new(true, "https://dl.example/p/find"), record.Source);
        await FetchAsync(web, "http://dl.example/find", checksum);
        Assert.Contains("--checksum", (await Assert.ThrowsAsync<RefusedException>(() => FetchAsync(web, "http://dl.example/find"))).Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<RefusedException>(() => FetchAsync(web, "ftp://dl.example/find"));
        await Assert.ThrowsAsync<RefusedException>(() => FetchAsync(web, "https://me:secret@dl.example/p/find"));
        Assert.Contains("404", (await Assert.ThrowsAsync<IOException>(() => FetchAsync(web, "https://dl.example/none?token=secret"))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Redirects_are_followed_a_few_times_and_never_from_https_to_http()
    {
        Web web = new(
            ("https://dl.example/a", Answer.To("https://cdn.example/b.zip?signature=secret")), ("https://cdn.example/b.zip", Answer.Of(Archives.Zip(("find", Script)))),
            ("https://dl.example/down", Answer.To("http://cdn.example/c")), ("http://cdn.example/c", Answer.Of(Script)), ("https://dl.example/loop", Answer.To("/loop")), ("https://dl.example/file", Answer.To("file:///etc/passwd")));

        Assert.Equal("https://cdn.example/b.zip", (await FetchAsync(web, "https://dl.example/a")).Source!.Place);
        Assert.Contains("not encrypted", (await Assert.ThrowsAsync<RefusedException>(() => FetchAsync(web, "https://dl.example/down", new string('0', 64)))).Message, StringComparison.Ordinal);
        Assert.Contains("on and on", (await Assert.ThrowsAsync<RefusedException>(() => FetchAsync(web, "https://dl.example/loop"))).Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<RefusedException>(() => FetchAsync(web, "https://dl.example/file"));
    }

    [Fact]
    public async Task A_bundle_that_says_it_is_too_large_is_not_fetched_and_one_that_never_comes_is_given_up()
    {
        Web web = new(("https://dl.example/large", new(HttpStatusCode.OK, [1], 513L * 1024 * 1024)), ("https://dl.example/silent", new(HttpStatusCode.OK, null)));

        Assert.Equal(RefusalCode.LimitExceeded, (await Assert.ThrowsAsync<RefusedException>(() => FetchAsync(web, "https://dl.example/large"))).Refusal.Code);
        Assert.Contains("within 10 minutes", (await Assert.ThrowsAsync<IOException>(() => new PluginInstaller(Data, new HastyClock(10_000), () => web).InstallAsync(
            new() { Name = "find", Version = "1.0.0", Source = "https://dl.example/silent" }, null, Cancellation))).Message, StringComparison.Ordinal);
    }

    Task<InstalledPlugin> FetchAsync(Web web, string source, string? checksum = null) =>
        new PluginInstaller(Data, TimeProvider.System, () => web).InstallAsync(new() { Name = "find", Version = "1.0.0", Source = source, Checksum = checksum, Force = true }, null, Cancellation);

    Task<InstalledPlugin> InstallAsync(string file, byte[] bundle, string? bin = null, bool force = false, string? checksum = null)
    {
        File.WriteAllBytes(_directory[file], bundle);
        return new PluginInstaller(Data, TimeProvider.System).InstallAsync(
            new() { Name = "find", Version = "1.0.0", Source = _directory[file], Bin = bin, Force = force, Checksum = checksum }, null, Cancellation);
    }

    async Task<RefusedException> RefusedAsync(string file, byte[] bundle, string? bin = null, bool force = false, string? checksum = null) =>
        await Assert.ThrowsAsync<RefusedException>(() => InstallAsync(file, bundle, bin, force, checksum));

    /// <summary>It is refused, and of everything beneath the test's directory nothing is new but the empty places of the installer.</summary>
    async Task<RefusedException> NothingLandsAsync(string file, byte[] bundle)
    {
        var refused = await RefusedAsync(file, bundle);
        Assert.All(Directory.EnumerateFiles(_directory.Path, "*", SearchOption.AllDirectories).Select(path => Path.GetRelativePath(_directory.Path, path)), path => Assert.Contains(path, new[] { "b.zip", "b.tar.gz", "b.tar.xz", "b.bin", Path.Combine("data", "plugins", ".lock") }));
        Assert.Empty(Registry.List());
        return refused;
    }

    static async Task<string> RunAsync(string program)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The program is a shell script.");
        using var process = Process.Start(new ProcessStartInfo(program) { RedirectStandardOutput = true })!;
        return await process.StandardOutput.ReadToEndAsync(Cancellation);
    }

    sealed record Answer(HttpStatusCode Status, byte[]? Body, long? Length = null, string? Location = null)
    {
        public static Answer Of(string body) => new(HttpStatusCode.OK, Frames.Utf8(body));

        public static Answer Of(byte[] body) => new(HttpStatusCode.OK, body);

        public static Answer To(string location) => new(HttpStatusCode.Found, [], Location: location);
    }

    /// <summary>A web of a few addresses, without their queries.</summary>
    sealed class Web(params (string Address, Answer Answer)[] known) : HttpMessageHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var answer = known.FirstOrDefault(known => known.Address == request.RequestUri!.GetLeftPart(UriPartial.Path)).Answer ?? new(HttpStatusCode.NotFound, []);
            if (answer.Body is null)
                await Task.Delay(Timeout.Infinite, cancellationToken);
            HttpResponseMessage response = new(answer.Status) { Content = new ByteArrayContent(answer.Body!) };
            if (answer.Length is { } length)
                response.Content.Headers.ContentLength = length;
            if (answer.Location is { } location)
                response.Headers.Location = new(location, UriKind.RelativeOrAbsolute);
            return response;
        }
    }
}
