using System.Diagnostics;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using EventDbx.Backups;
using EventDbx.Cli.Output;
using EventDbx.Server.Rest;

namespace EventDbx.Server.Tests.Backups;

/// <summary>Where keys are found and left out, whatever place they come from; and what lies in the way of a backup or of a look at it.</summary>
public sealed class BackupSecretsTests : IDisposable
{
    readonly CommandLine _line = new();

    public void Dispose() => _line.Dispose();

    static string NewKey() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));

    [Fact]
    public async Task A_key_file_that_the_environment_names_goes_with_the_keys_and_stays_with_them()
    {
        var key = WriteKeyFile();
        _line.Environment["EVENTDBX_DATA_ENCRYPTION_KEY_FILE"] = _line.Directory[".eventdbx/data.key"];
        await FillAsync();

        Assert.Contains("left out: data.key (", (await SucceedAsync("backup", "--output", "without", "--without-keys")).Out, StringComparison.Ordinal);
        Assert.Empty(FilesWith(key, "without"));
        Assert.Contains("its keys are in it", (await SucceedAsync("backup", "--output", "with")).Out, StringComparison.Ordinal);
        Assert.Equal(["data/data.key"], FilesWith(key, "with"));
        // It says which file is the key: the environment does not go along.
        Assert.Contains("It can be restored by itself.", (await SucceedAsync("backup", "verify", "with")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_file_that_the_configuration_names_is_found_in_the_archive_as_a_restore_finds_it()
    {
        WriteKeyFile();
        _line.Directory.Write(".eventdbx/config.toml", "data_encryption_key_file = \"data.key\"\n");
        await FillAsync();
        await SucceedAsync("backup", "--output", "b");

        var json = JsonNode.Parse((await SucceedAsync("backup", "verify", "b", "--json")).Out)!;
        Assert.Equal((true, true), (json["payloads_checked"]!.GetValue<bool>(), json["restores_by_itself"]!.GetValue<bool>()));
        using var there = new CommandLine();
        foreach (var arguments in (string[][])[["restore", "--input", _line.Directory["b"], "--data-dir", there.Directory["data"]], ["verify", "--all"], ["aggregate", "get", "order", "o-1"]])
        {
            var outcome = await there.RunAsync(arguments);
            Assert.True(outcome.Code == ExitCode.Done, outcome.Error);
        }
    }

    [Fact]
    public async Task The_key_of_the_environment_proves_an_archive_and_does_not_make_it_one_that_restores_by_itself()
    {
        _line.Environment["EVENTDBX_DEK"] = NewKey();
        await FillAsync();
        await SucceedAsync("backup", "--output", "b");

        var json = JsonNode.Parse((await SucceedAsync("backup", "verify", "b", "--json")).Out)!;
        Assert.Equal((true, false), (json["payloads_checked"]!.GetValue<bool>(), json["restores_by_itself"]!.GetValue<bool>()));
    }

    [Fact]
    public async Task Another_configuration_and_a_note_with_the_key_have_no_place_in_a_backup_without_keys()
    {
        await FillAsync();
        await SucceedAsync("backup", "--output", "b");
        var trial = _line.Directory["trial"];
        await SucceedAsync("restore", "--input", "b", "--data-dir", trial);
        var key = ValueIn(await File.ReadAllTextAsync(Path.Combine(trial, "config.toml"), TestContext.Current.CancellationToken), "data_encryption_key = \"");
        _line.Directory.Write("trial/notes/restore.txt", $"EVENTDBX_DEK={key} dbx restore");
        _line.Directory.Write("trial/notes/plain.txt", "ask Kim for the key");

        var made = (await SucceedAsync("backup", "--data-dir", trial, "--output", "without", "--without-keys")).Out;

        Assert.Contains("left out: config.toml (", made, StringComparison.Ordinal);
        Assert.Contains("left out: notes/restore.txt (a key stands in it", made, StringComparison.Ordinal);
        Assert.DoesNotContain("plain.txt", made, StringComparison.Ordinal);
        Assert.Empty(FilesWith(key, "without"));
        Assert.Equal(["data/notes/plain.txt"], FilesWith("ask Kim", "without"));
    }

    [Fact]
    public async Task A_key_in_a_comment_refuses_a_backup_without_keys()
    {
        await FillAsync();
        var text = await File.ReadAllTextAsync(_line.ConfigPath, TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(_line.ConfigPath, $"# was {ValueIn(text, "data_encryption_key = \"")}\n{text}", TestContext.Current.CancellationToken);

        var refused = await _line.RunAsync("backup", "--output", "b", "--without-keys");

        Assert.Equal(ExitCode.Failed, refused.Code);
        Assert.Contains("stands in a comment", refused.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(_line.Directory["b"]));
        await SucceedAsync("backup", "--output", "b");
    }

    [Theory]
    [InlineData(true, false, "192.0.2.7", true)]
    [InlineData(false, true, "192.0.2.7", true)]
    [InlineData(false, false, "127.0.0.1", true)]
    [InlineData(false, false, "::ffff:127.0.0.1", true)]
    [InlineData(false, false, "::1", true)]
    [InlineData(false, false, "192.0.2.7", false)]
    [InlineData(false, false, "::ffff:192.0.2.7", false)]
    [InlineData(false, false, "2001:db8::1", false)]
    [InlineData(false, false, null, false)]
    public void Keys_go_where_nobody_reads_along(bool owner, bool tls, string? from, bool go) =>
        Assert.Equal(go, BackupRoutes.IsPrivate(owner, tls, from is null ? null : System.Net.IPAddress.Parse(from)));

    [Fact]
    public async Task What_is_no_ordinary_file_is_not_replaced()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "devices are no files there");
        await FillAsync();
        using (var made = Process.Start("mkfifo", [_line.Directory["pipe"]]))
            await made.WaitForExitAsync(TestContext.Current.CancellationToken);
        File.CreateSymbolicLink(_line.Directory["null"], "/dev/null");
        foreach (var output in (string[])["/dev/null", "null", "pipe"])
        {
            var refused = await _line.RunAsync("backup", "--output", output, "--force");
            Assert.Equal(ExitCode.Failed, refused.Code);
            Assert.Contains("is no ordinary file", refused.Error, StringComparison.Ordinal);
        }

        Assert.Equal("/dev/null", new FileInfo(_line.Directory["null"]).LinkTarget);
        _line.Directory.Write("empty", "");
        await SucceedAsync("backup", "--output", "empty", "--force");
    }

    [Fact]
    public async Task What_a_killed_backup_left_is_removed_by_the_next_one_and_nothing_else_is()
    {
        await FillAsync();
        await SucceedAsync("backup", "--output", "out/b");
        var whole = await File.ReadAllBytesAsync(_line.Directory["out/b"], TestContext.Current.CancellationToken);
        string[] left = ["b.0123abcd.tmp", "monday.0123abcd.tmp"], stays = ["b.0123abce.tmp", "b.0123abcf.tmp", "b.0123ABCD.tmp", "c.0123abcd.tmp", "b.tmp"];
        foreach (var name in (string[])[.. left, .. stays])
        {
            await File.WriteAllBytesAsync(_line.Directory[$"out/{name}"], name[0] switch { 'c' => "of somebody else"u8.ToArray(), 'm' => whole, _ => whole[..^10] }, TestContext.Current.CancellationToken);
            // The second one may be at work still.
            if (name != stays[0])
                File.SetLastWriteTimeUtc(_line.Directory[$"out/{name}"], DateTime.UtcNow.AddHours(-1));
        }

        await using (new FileStream(_line.Directory[$"out/{stays[1]}"], FileMode.Open, FileAccess.ReadWrite, FileShare.None))
            await SucceedAsync("backup", "--output", "out/b", "--force");

        Assert.Equal(((string[])["b", .. stays]).Order(StringComparer.Ordinal), Directory.GetFiles(_line.Directory["out"]).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task What_a_killed_verify_left_is_removed_and_one_that_is_under_way_is_not()
    {
        await FillAsync();
        await SucceedAsync("backup", "--output", "out/b");
        foreach (var name in (string[])["left", "held", "other"])
            _line.Directory.Write($"out/.dbx-backup-verify-{name}/unpacked/data/x", "x");
        _line.Directory.Write("out/.dbx-backup-verify-left/lock", "");
        await using (new FileStream(_line.Directory["out/.dbx-backup-verify-held/lock"], FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None))
            await SucceedAsync("backup", "verify", "out/b");

        Assert.Equal([".dbx-backup-verify-held", ".dbx-backup-verify-other"], Directory.GetDirectories(_line.Directory["out"]).Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.True(File.Exists(_line.Directory["out/.dbx-backup-verify-held/unpacked/data/x"]));
    }

    string WriteKeyFile()
    {
        var key = NewKey();
        EventDbx.Storage.PrivateDirectory.Create(_line.DataDirectory);
        _line.Directory.Write(".eventdbx/data.key", key + "\n");
        return key;
    }

    /// <summary>Paths in an archive of what holds a text.</summary>
    string[] FilesWith(string text, string archive)
    {
        var target = _line.Directory[$"unpacked-{archive}"];
        if (!Directory.Exists(target))
        {
            using var stream = File.OpenRead(_line.Directory[archive]);
            BackupReader.Unpack(stream, target, new(), TestContext.Current.CancellationToken);
        }

        return [.. Directory.EnumerateFiles(target, "*", SearchOption.AllDirectories)
            .Where(file => File.ReadAllText(file).Contains(text, StringComparison.Ordinal)).Select(file => Path.GetRelativePath(target, file)).Order(StringComparer.Ordinal)];
    }

    static string ValueIn(string config, string name)
    {
        var at = config.IndexOf(name, StringComparison.Ordinal) + name.Length;
        Assert.True(at >= name.Length, config);
        return config[at..config.IndexOf('"', at)];
    }

    async Task FillAsync() => await SucceedAsync("aggregate", "apply", "order", "o-1", "made", "--field", "n=1");

    async Task<Outcome> SucceedAsync(params string[] arguments)
    {
        var outcome = await _line.RunAsync(arguments);
        Assert.True(outcome.Code == ExitCode.Done, $"{string.Join(' ', arguments)}: {outcome.Code} {outcome.Error}");
        return outcome;
    }
}
