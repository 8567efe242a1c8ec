using System.Diagnostics;
using System.Text.Json.Nodes;
using EventDbx.Backups;
using EventDbx.Cli.Output;
using EventDbx.Server.Backups;
using EventDbx.Server.Configuration;
using EventDbx.TestKit;

namespace EventDbx.Server.Tests.Backups;

/// <summary><c>dbx backup</c> and <c>dbx backup verify</c>, with a server and without.</summary>
public sealed class BackupCommandTests : IDisposable
{
    readonly CommandLine _line = new();

    public void Dispose() => _line.Dispose();

    string Archive => _line.Directory["out/b.tar.zst"];

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task One_is_made_says_what_it_holds_and_is_verified(bool running)
    {
        await FillAsync();
        await using (var server = running ? await RunningServer.StartAsync(_line) : null)
        {
            var made = await _line.RunAsync("backup", "--output", "out/b.tar.zst");
            Assert.True(made.Code == ExitCode.Done, made.Error);
            Assert.StartsWith($"Created {Archive}: ", made.Out, StringComparison.Ordinal);
            Assert.Contains("can read everything: its keys are in it.", made.Out, StringComparison.Ordinal);
            Assert.Contains("log_size=3 log_root=", made.Out, StringComparison.Ordinal);
            Assert.Empty(Directory.GetDirectories(_line.DataDirectory, "event_store.stage-*"));
            if (!OperatingSystem.IsWindows())
                Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Archive));
            Assert.Equal(["b.tar.zst"], Directory.GetFileSystemEntries(_line.Directory["out"]).Select(Path.GetFileName));
            Assert.Equal(ExitCode.Done, (await _line.RunAsync("aggregate", "apply", "order", "o-9", "made")).Code);
        }

        var verified = await _line.RunAsync("backup", "verify", "out/b.tar.zst");
        Assert.True(verified.Code == ExitCode.Done, verified.Error);
        Assert.Contains("verified 3 events", verified.Out, StringComparison.Ordinal);
        Assert.Contains("It can be restored by itself.", verified.Out, StringComparison.Ordinal);
        var json = JsonNode.Parse((await _line.RunAsync("backup", "verify", "--file", Archive, "--json")).Out)!;
        Assert.Equal(
            (true, 3, true, true, "included"),
            (json["valid"]!.GetValue<bool>(), json["events"]!.GetValue<int>(), json["payloads_checked"]!.GetValue<bool>(), json["restores_by_itself"]!.GetValue<bool>(), json["keys"]!.GetValue<string>()));
        Assert.Equal(["b.tar.zst"], Directory.GetFileSystemEntries(_line.Directory["out"]).Select(Path.GetFileName));
    }

    [Fact]
    public async Task With_a_server_and_without_it_holds_the_same()
    {
        await FillAsync();
        await _line.RunAsync("log", "checkpoint");
        _line.Directory.Write(".eventdbx/tls.key", "secret");
        await _line.RunAsync("backup", "--output", "closed.tar.zst");
        await using (await RunningServer.StartAsync(_line))
            Assert.Equal(ExitCode.Done, (await _line.RunAsync("backup", "--output", "running.tar.zst")).Code);
        var (closed, running) = (ManifestOf("closed.tar.zst"), ManifestOf("running.tar.zst"));
        Assert.Equal(Told(closed), Told(running));
        Assert.Equal(["checkpoint.key", "tls.key"], closed.LeftOut.Select(static left => left.Path).Order(StringComparer.Ordinal));

        // The files of the store are others after each open, and so are those that only a server has.
        static string Told(BackupManifest manifest) => string.Join(
            '\n',
            [
                $"{manifest.DatabaseId} {manifest.Epoch} {manifest.LogSize} {manifest.LogRoot} {manifest.Encrypted} {manifest.Keys} {manifest.Standing} {manifest.DataDir} {manifest.ConfigPath} {manifest.StorageFormat}",
                .. manifest.LeftOut.Where(static left => left.Path != "logs").Select(static left => $"- {left.Path} {left.Reason}").Order(StringComparer.Ordinal),
                .. manifest.Files.Select(static file => file.Path).Where(static path => !path.StartsWith("data/event_store/", StringComparison.Ordinal) && path is not ("data/tokens.json" or "data/settings.json")),
            ]);
    }

    [Fact]
    public async Task A_file_that_is_there_stays_unless_it_may_be_replaced()
    {
        await FillAsync();
        _line.Directory.Write("out/b.tar.zst", "precious");
        var refused = await _line.RunAsync("backup", "--output", Archive);
        Assert.Equal(ExitCode.Failed, refused.Code);
        Assert.Contains("--force", refused.Error, StringComparison.Ordinal);
        Assert.Equal("precious", await File.ReadAllTextAsync(Archive, TestContext.Current.CancellationToken));
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("backup", "--output", Archive, "--force")).Code);
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("backup", "verify", Archive)).Code);
        Assert.Equal(ExitCode.Failed, (await _line.RunAsync("backup", "--output", "out", "--force")).Code);
    }

    [Fact]
    public async Task Of_several_that_make_one_file_at_once_one_gets_the_name_and_the_others_are_told()
    {
        List<CommandLine> lines = [new(), new(), new()];
        foreach (var line in lines)
            Assert.Equal(ExitCode.Done, (await line.RunAsync("aggregate", "apply", "order", "o-1", "made")).Code);
        var made = await Task.WhenAll(lines.Select(line => Task.Run(() => line.RunAsync("backup", "--output", Archive))));
        lines.ForEach(static line => line.Dispose());
        Assert.Single(made, static outcome => outcome.Code == ExitCode.Done);
        Assert.All(made.Where(static outcome => outcome.Code != ExitCode.Done), static outcome => Assert.Contains("exists already", outcome.Error, StringComparison.Ordinal));
        Assert.Equal(["b.tar.zst"], Directory.GetFileSystemEntries(_line.Directory["out"]).Select(Path.GetFileName));
    }

    [Fact]
    public async Task What_an_incremental_one_needs_is_not_replaced_by_it()
    {
        await FillAsync();
        await _line.RunAsync("backup", "--output", "out/1");
        await _line.RunAsync("backup", "--output", "out/2", "--since", "out/1");
        var whole = await File.ReadAllBytesAsync(_line.Directory["out/1"], TestContext.Current.CancellationToken);
        File.CreateSymbolicLink(_line.Directory["out/link"], "1");
        File.Copy(_line.Directory["out/1"], _line.Directory["out/copy"]);
        foreach (var (output, since, why) in ((string, string, string)[])
            [("out/1", "out/1", "is the backup that is referred to"), ("out/../out/1", "out/link", "is the backup that is referred to"), ("out/link", "out/1", "is the backup that is referred to"),
             ("out/copy", "out/1", "stands or which it is"), ("out/1", "out/2", "stands or which it is")])
        {
            var refused = await _line.RunAsync("backup", "--output", output, "--since", since, "--force");
            Assert.True(refused.Code == ExitCode.Failed && refused.Error.Contains(why, StringComparison.Ordinal), $"{output} since {since}: {refused.Code} {refused.Error}");
            Assert.Equal(whole, await File.ReadAllBytesAsync(_line.Directory["out/1"], TestContext.Current.CancellationToken));
        }

        // What it does not need may be replaced: an increment beside it, and by a whole one its base as well.
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("backup", "--output", "out/2", "--since", "out/1", "--force")).Code);
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("backup", "verify", "out/2")).Code);
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("backup", "--output", "out/1", "--force")).Code);
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("backup", "verify", "out/1")).Code);
    }

    [Theory]
    [InlineData(".eventdbx/b.tar.zst")]
    [InlineData(".eventdbx/new/b.tar.zst")]
    [InlineData("out/../.eventdbx/b.tar.zst")]
    [InlineData("link/b.tar.zst")]
    public async Task A_place_in_the_data_directory_is_refused_however_it_is_named(string output)
    {
        await FillAsync();
        Directory.CreateSymbolicLink(_line.Directory["link"], ".eventdbx");
        var refused = await _line.RunAsync("backup", "--output", output);
        Assert.Equal(ExitCode.Failed, refused.Code);
        Assert.Contains("is in the data directory", refused.Error, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_line.Directory[".eventdbx/new"]));
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("backup", "--output", ".eventdbx-2/b.tar.zst")).Code);
    }

    [Fact]
    public async Task Without_a_store_there_is_nothing_to_back_up_and_nothing_is_made()
    {
        var refused = await _line.RunAsync("backup", "--output", "out/b.tar.zst");
        Assert.Equal(ExitCode.Failed, refused.Code);
        Assert.Contains("no store yet", refused.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.GetFileSystemEntries(_line.Directory.Path));
    }

    [Theory]
    [InlineData("where to?", "backup")]
    [InlineData("where to?", "backup", "--output", "")]
    [InlineData("standard output is none", "backup", "--output", "-", "--force")]
    [InlineData("opens the backup that `--since` names", "backup", "--output", "x", "--passphrase", "y")]
    [InlineData("at least 8 characters", "backup", "--output", "x", "--encrypt-to", "short")]
    [InlineData("names the environment variable NOTHING", "backup", "--output", "x", "--encrypt-to", "env:NOTHING")]
    [InlineData("FILE", "backup", "verify")]
    public async Task What_cannot_be_meant_is_a_usage_error(string why, params string[] line)
    {
        await FillAsync();
        var refused = await _line.RunAsync(line);
        Assert.Equal(ExitCode.Usage, refused.Code);
        Assert.Contains(why, refused.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Without_keys_nothing_in_it_opens_it(bool running)
    {
        await FillAsync();
        await _line.RunAsync("token", "generate", "--group", "ops", "--user", "kim");
        var key = ConfigFile.Load(_line.ConfigPath, _line.DataDirectory, null, TimeProvider.System).Saved.DataEncryptionKey!;
        await using (var server = running ? await RunningServer.StartAsync(_line) : null)
        {
            var made = await _line.RunAsync("backup", "--output", Archive, "--without-keys");
            Assert.Contains("cannot read what is sealed without the data key", made.Out, StringComparison.Ordinal);
            Assert.Contains("left out: data_encryption_key (", made.Out, StringComparison.Ordinal);
            Assert.Contains("left out: replication.key (", made.Out, StringComparison.Ordinal);
        }

        await using (var archive = File.OpenRead(Archive))
        {
            var contents = BackupReader.Unpack(archive, _line.Directory["unpacked"], new(), TestContext.Current.CancellationToken);
            var saved = ConfigFile.Load(contents.ConfigFile, contents.DataDirectory, null, TimeProvider.System).Saved;
            foreach (var secret in ConfigKeys.All.Where(static setting => setting.Secret))
                Assert.True(secret.Get(saved) is null, secret.Name);
            foreach (var file in Directory.EnumerateFiles(_line.Directory["unpacked"], "*", SearchOption.AllDirectories))
                Assert.DoesNotContain(key, await File.ReadAllTextAsync(file, TestContext.Current.CancellationToken), StringComparison.Ordinal);
        }

        var without = await _line.RunAsync("backup", "verify", Archive);
        Assert.Equal(ExitCode.Done, without.Code);
        Assert.Contains("not checked, for want of the key", without.Out, StringComparison.Ordinal);
        Assert.Contains("it needs the data key", without.Out, StringComparison.Ordinal);
        _line.Environment["EVENTDBX_DEK"] = key;
        Assert.DoesNotContain("not checked", (await _line.RunAsync("backup", "verify", Archive)).Out, StringComparison.Ordinal);
        _line.Environment["EVENTDBX_DEK"] = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        var other = await _line.RunAsync("backup", "verify", Archive);
        Assert.Equal(ExitCode.Failed, other.Code);
        Assert.Contains("is not the one of the store", other.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void A_secret_setting_that_is_added_is_left_out_as_well()
    {
        var full = new ServerConfig { DataDir = "/x" };
        foreach (var secret in ConfigKeys.All.Where(static setting => setting.Secret))
            Assert.True(secret.Get(BackupScope.WithoutSecrets(full)) is null, secret.Name);
        var source = File.ReadAllText(Path.Combine(Checkout.Root, "src", "EventDbx.Server", "Backups", "BackupScope.cs"));
        foreach (var secret in ConfigKeys.All.Where(static setting => setting.Secret))
            Assert.Contains(string.Concat(secret.Name.Split('.', '_').Select(static part => char.ToUpperInvariant(part[0]) + part[1..])) + " = ", source, StringComparison.Ordinal);
    }

    [CiTier("age takes its time for each passphrase.")]
    [Fact]
    public async Task Encrypted_to_a_passphrase_it_is_verified_with_that_alone()
    {
        await FillAsync();
        _line.Directory.Write("phrase", "correct horse battery\n");
        var made = await _line.RunAsync("backup", "--output", Archive, "--encrypt-to", "@phrase");
        Assert.True(made.Code == ExitCode.Done, made.Error);
        Assert.Contains("Whoever has the file and its passphrase can read everything", made.Out, StringComparison.Ordinal);
        Assert.StartsWith("age-encryption.org/v1\n-> scrypt ", await File.ReadAllTextAsync(Archive, TestContext.Current.CancellationToken), StringComparison.Ordinal);

        var without = await _line.RunAsync("backup", "verify", Archive);
        Assert.Equal(ExitCode.Failed, without.Code);
        Assert.Contains("is encrypted to a passphrase", without.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Failed, (await _line.RunAsync("backup", "verify", Archive, "--passphrase", "another passphrase")).Code);
        _line.Environment["EVENTDBX_BACKUP_PASSPHRASE"] = "correct horse battery";
        Assert.Contains("restored by itself", (await _line.RunAsync("backup", "verify", Archive)).Out, StringComparison.Ordinal);
        var content = await File.ReadAllBytesAsync(Archive, TestContext.Current.CancellationToken);
        content[^20] ^= 1;
        await File.WriteAllBytesAsync(Archive, content, TestContext.Current.CancellationToken);
        Assert.Equal(ExitCode.Difference, (await _line.RunAsync("backup", "verify", Archive)).Code);
    }

    [Fact]
    public async Task A_damaged_one_is_exit_code_3_and_nothing_is_left_of_the_look_at_it()
    {
        await FillAsync();
        await _line.RunAsync("backup", "--output", Archive);
        var content = await File.ReadAllBytesAsync(Archive, TestContext.Current.CancellationToken);
        foreach (var length in (int[])[0, 1024, content.Length / 2, content.Length - 1])
        {
            await File.WriteAllBytesAsync(Archive, content[..length], TestContext.Current.CancellationToken);
            var refused = await _line.RunAsync("backup", "verify", Archive);
            Assert.Equal(ExitCode.Difference, refused.Code);
            Assert.Contains("damaged or was changed", refused.Error, StringComparison.Ordinal);
            Assert.Equal(["b.tar.zst"], Directory.GetFileSystemEntries(_line.Directory["out"]).Select(Path.GetFileName));
        }

        Assert.Equal(ExitCode.Failed, (await _line.RunAsync("backup", "verify", "nothing.tar.zst")).Code);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_incremental_one_needs_its_base_and_finds_it_beside_it(bool running)
    {
        await FillAsync();
        await using (var server = running ? await RunningServer.StartAsync(_line) : null)
        {
            Assert.Equal(ExitCode.Done, (await _line.RunAsync("backup", "--output", "out/1")).Code);
            await _line.RunAsync("aggregate", "apply", "order", "o-1", "paid");
            Assert.Equal(ExitCode.Done, (await _line.RunAsync("backup", "--output", "out/2", "--since", "out/1")).Code);
            await _line.RunAsync("aggregate", "apply", "order", "o-1", "sent");
            var made = await _line.RunAsync("backup", "--output", "out/3", "--since", "out/2");
            Assert.True(made.Code == ExitCode.Done, made.Error);
            Assert.Contains("are in its base, 2 (", made.Out, StringComparison.Ordinal);
        }

        var verified = await _line.RunAsync("backup", "verify", "out/3");
        Assert.True(verified.Code == ExitCode.Done, verified.Error);
        Assert.Contains("verified 5 events", verified.Out, StringComparison.Ordinal);
        Assert.Contains("it needs the backup 2 (", verified.Out, StringComparison.Ordinal);
        File.Move(_line.Directory["out/1"], _line.Directory["first"]);
        var missing = await _line.RunAsync("backup", "verify", "out/3");
        Assert.Equal(ExitCode.Failed, missing.Code);
        Assert.Contains("needs its base", missing.Error, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("backup", "verify", "out/3", "--base", "first")).Code);
    }

    [Fact]
    public async Task The_backup_of_another_database_and_a_damaged_one_are_no_base()
    {
        await FillAsync();
        await _line.RunAsync("backup", "--output", "out/1");
        using var other = new CommandLine();
        await other.RunAsync("aggregate", "apply", "order", "o-1", "made");
        var foreign = await other.RunAsync("backup", "--output", "x", "--since", _line.Directory["out/1"]);
        Assert.Equal(ExitCode.Failed, foreign.Code);
        Assert.Contains("is of database", foreign.Error, StringComparison.Ordinal);
        var content = await File.ReadAllBytesAsync(_line.Directory["out/1"], TestContext.Current.CancellationToken);
        await File.WriteAllBytesAsync(_line.Directory["out/1"], content[..^1], TestContext.Current.CancellationToken);
        Assert.Equal(ExitCode.Difference, (await _line.RunAsync("backup", "--output", "out/2", "--since", "out/1")).Code);
        Assert.False(File.Exists(_line.Directory["out/2"]));
    }

    [CiTier("It kills processes again and again.")]
    [Fact]
    public Task A_kill_leaves_no_archive_that_looks_like_one_and_a_store_that_opens() => Seeded.RunAsync(async random =>
    {
        await FillAsync();
        var lines = string.Concat(Enumerable.Range(0, 2000).Select(static n => $$$"""{"aggregate_type":"order","aggregate_id":"k-{{{n % 50}}}","event_type":"made","payload":{"n":{{{n}}},"text":"{{{new string('x', 200)}}}"}}""" + "\n"));
        _line.Directory.Write("events.ndjson", lines);
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("import", "events.ndjson")).Code);
        for (var left = TestTiers.Choose(2, 8, 100); left > 0; left--)
        {
            using (var child = Process.Start(new ProcessStartInfo(CommandLine.Program, ["backup", "--output", Archive]) { Environment = { ["HOME"] = _line.Directory.Path }, RedirectStandardOutput = true, RedirectStandardError = true })!)
            {
                // Until it is at work, and then for a moment.
                while (!child.HasExited && Directory.GetDirectories(_line.DataDirectory, "event_store.stage-*").Length == 0)
                    await Task.Yield();
                await Task.Delay(TimeSpan.FromMilliseconds(60 * random.NextDouble()), TestContext.Current.CancellationToken);
                child.Kill();
                await child.WaitForExitAsync(TestContext.Current.CancellationToken);
            }

            // One that came to its end is whole; what has another name is refused.
            foreach (var file in Directory.Exists(_line.Directory["out"]) ? Directory.GetFiles(_line.Directory["out"]) : [])
            {
                var verified = await _line.RunAsync("backup", "verify", file);
                Assert.True(verified.Code == (file == Archive ? ExitCode.Done : ExitCode.Difference) || (file != Archive && verified.Code == ExitCode.Done), $"{file}: {verified.Error}");
                File.Delete(file);
            }

            Assert.Equal(ExitCode.Done, (await _line.RunAsync("verify", "--all")).Code);
            Assert.Empty(Directory.GetDirectories(_line.DataDirectory, "event_store.stage-*"));
        }
    });

    [Fact]
    public async Task A_disk_that_is_full_is_said_and_nothing_is_left_on_it()
    {
        await FillAsync();
        Directory.CreateDirectory(_line.Directory["small"]);
        if (!OperatingSystem.IsLinux() || await RunAsync("mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", _line.Directory["small"]) != 0)
            Assert.Skip("a small file system can be mounted by root on Linux only");
        try
        {
            var full = await _line.RunAsync("backup", "--output", "small/b.tar.zst");
            Assert.Equal(ExitCode.Failed, full.Code);
            Assert.Contains("No space left", full.Error, StringComparison.Ordinal);
            Assert.Empty(Directory.GetFileSystemEntries(_line.Directory["small"]));
            Assert.Empty(Directory.GetDirectories(_line.DataDirectory, "event_store.stage-*"));
        }
        finally
        {
            Assert.Equal(0, await RunAsync("umount", _line.Directory["small"]));
        }
    }

    static async Task<int> RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return process.ExitCode;
    }

    async Task FillAsync()
    {
        foreach (var id in (string[])["o-1", "o-2", "o-3"])
            Assert.Equal(ExitCode.Done, (await _line.RunAsync("aggregate", "apply", "order", id, "made", "--field", "n=1")).Code);
    }

    BackupManifest ManifestOf(string name)
    {
        using var archive = File.OpenRead(_line.Directory[name]);
        return BackupReader.ReadManifest(archive, CancellationToken.None).Manifest;
    }
}
