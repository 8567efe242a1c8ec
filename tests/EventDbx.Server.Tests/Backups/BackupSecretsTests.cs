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
    public async Task A_key_in_another_setting_refuses_a_backup_without_keys_and_in_a_comment_it_is_blanked()
    {
        await FillAsync();
        var text = await File.ReadAllTextAsync(_line.ConfigPath, TestContext.Current.CancellationToken);
        var key = ValueIn(text, "data_encryption_key = \"");
        await File.WriteAllTextAsync(_line.ConfigPath, text.Replace("service_name = \"eventdbx\"", $"service_name = \"{key}\"", StringComparison.Ordinal), TestContext.Current.CancellationToken);

        var refused = await _line.RunAsync("backup", "--output", "b", "--without-keys");
        await File.WriteAllTextAsync(_line.ConfigPath, $"# was {key}, ask Kim\n{text}", TestContext.Current.CancellationToken);
        var made = await SucceedAsync("backup", "--output", "b", "--without-keys");

        Assert.Equal(ExitCode.Failed, refused.Code);
        Assert.Contains("stands in another setting", refused.Error, StringComparison.Ordinal);
        Assert.Contains("config.toml is blanked: a key or secret stood in a comment of it.", made.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("config.toml", made.Out.Split('\n', 2)[1], StringComparison.Ordinal);
        Assert.Equal(["config.toml"], FilesWith("# was (left out), ask Kim", "b"));
        Assert.Empty(FilesWith(key, "b"));
    }

    /// <param name="source">Where the data key comes from; none: the store is plain.</param>
    [Theory]
    [InlineData("configuration")]
    [InlineData("environment")]
    [InlineData("command")]
    [InlineData("file")]
    [InlineData("none")]
    public async Task Without_keys_nothing_that_is_known_to_be_secret_stands_in_the_archive_in_any_form(string source)
    {
        const string header = "Bearer token-of-the-hook-0123", signing = "signs-every-request-4567", variable = "of-the-program-89abcd", collector = "token-of-the-collector";
        var (key, retired, secret, previous) = (NewKey(), NewKey(), NewKey(), NewKey());
        _line.Directory.Write("elsewhere.key", key);
        if (source == "environment")
            _line.Environment["EVENTDBX_DEK"] = key;
        _line.Directory.Write(".eventdbx/config.toml", $"""
            # By hand, and it stays.
            {source switch
            {
                "configuration" => $"data_encryption_key = \"{key}\"\ndata_encryption_keys_retired = [\"{retired}\"]",
                "command" => $"data_encryption_key_command = [\"cat\", \"{_line.Directory["elsewhere.key"]}\"]",
                "file" => $"data_encryption_key_file = \"{_line.Directory["elsewhere.key"]}\"",
                "none" => "encryption = \"off\"",
                _ => "",
            }}
            [auth]
            secret = "{secret}"
            key_id = "now"
            previous_secret = "{previous}"
            previous_key_id = "before"
            previous_until = "2126-01-01T00:00:00Z"
            [telemetry]
            otlp_headers = "authorization=Bearer {collector}"

            """);
        await FillAsync();
        await SucceedAsync("log", "checkpoint");
        await SucceedAsync("config", "--admin-master-key", "a master key of the test");
        _line.Directory.Write("signing", signing);
        await SucceedAsync("plugin", "config", "http", "--name", "hook", "--endpoint", "hooks.invalid/e", "--disable", "--header", $"Authorization={header}", "--header", "X-Pin=1234", "--header", "X-Origin=http://origin.invalid:5000", "--header", $"X-Place={_line.DataDirectory}", "--header", "Accept=application/json", "--signing-secret-file", _line.Directory["signing"]);
        if (source == "none")
            AddProgram(variable);

        List<byte[]> secrets =
        [
            .. ((string[])[secret, previous, .. source == "none" ? (string[])[] : [key], .. source == "configuration" ? [retired] : (string[])[]]).Select(Convert.FromBase64String),
            .. ((string[])[header, signing, collector, ValueIn(await File.ReadAllTextAsync(_line.ConfigPath, TestContext.Current.CancellationToken), "master_key_hash = \""), .. source == "none" ? [variable] : (string[])[]]).Select(System.Text.Encoding.UTF8.GetBytes),
            await File.ReadAllBytesAsync(Path.Combine(_line.DataDirectory, "replication.key"), TestContext.Current.CancellationToken),
            SeedOf(await File.ReadAllTextAsync(Path.Combine(_line.DataDirectory, "checkpoint.key"), TestContext.Current.CancellationToken)),
        ];
        var forms = secrets.SelectMany(FormsOf).ToList();
        await HideAsync(forms);
        // Addresses and paths stand in a header, but are no secrets.
        _line.Directory.Write(".eventdbx/notes/plain.txt", $"ask Kim for the key, at http://origin.invalid:5000 or in {_line.DataDirectory}");

        var made = await SucceedAsync("backup", "--output", "b", "--without-keys");

        var archive = await UncompressedAsync("b");
        Assert.All(forms, form => Assert.True(archive.AsSpan().IndexOf(form) < 0, Convert.ToHexString(form)));
        Assert.True(archive.AsSpan().IndexOf("# By hand, and it stays."u8) > 0);
        Assert.True(archive.AsSpan().IndexOf("ask Kim for the key"u8) > 0);
        Assert.Contains("config.toml is blanked: ", made.Error, StringComparison.Ordinal);
        Assert.True(archive.AsSpan().IndexOf("\"reason\": \"blanked: a key or secret stood in a comment of it\""u8) > 0);
        Assert.Equal(source == "none", made.Error.Contains("plugins.json is blanked: it has no secrets of the plugins `hook`, `program`, which are disabled", StringComparison.Ordinal));
        // With its keys it has them, so that this search finds what there is.
        await SucceedAsync("backup", "--output", "with");
        var with = await UncompressedAsync("with");
        Assert.True(with.AsSpan().IndexOf(System.Text.Encoding.ASCII.GetBytes(secret)) > 0);

        using var there = new CommandLine();
        there.Environment["EVENTDBX_DEK"] = source == "none" ? "" : key;
        foreach (var arguments in (string[][])[["restore", "--input", _line.Directory["b"], "--data-dir", there.Directory["data"]], ["verify", "--all"], ["plugin", "list", "--json"]])
        {
            var outcome = await there.RunAsync(arguments);
            Assert.True(outcome.Code == ExitCode.Done, $"{arguments[0]}: {outcome.Error}");
            if (arguments[0] == "plugin")
                Assert.DoesNotContain("\"enabled\": true", outcome.Out.Replace("\":true", "\": true", StringComparison.Ordinal), StringComparison.Ordinal);
        }

        if (source != "none")
            return;
        var plugins = JsonNode.Parse(await File.ReadAllBytesAsync(there.Directory["data/plugins.json"], TestContext.Current.CancellationToken))!;
        Assert.Equal(
            ("", "", "application/json", null),
            (plugins[0]!["config"]!["headers"]!["Authorization"]!.GetValue<string>(), plugins[0]!["config"]!["headers"]!["X-Pin"]!.GetValue<string>(), plugins[0]!["config"]!["headers"]!["Accept"]!.GetValue<string>(), plugins[0]!["config"]!["signing_secret"]));
        Assert.Equal(["config", "enabled", "name"], plugins[1]!.AsObject().Select(static member => member.Key).Order(StringComparer.Ordinal));
        Assert.Equal(("", 0), (plugins[1]!["config"]!["env"]!["TOKEN"]!.GetValue<string>(), plugins[1]!["config"]!["args"]!.AsArray().Count));
    }

    [Fact]
    public async Task Plugins_of_a_plain_store_that_cannot_be_read_are_left_out_without_keys_and_those_without_secrets_stay_as_they_are()
    {
        await SucceedAsync("config", "--encryption", "off");
        await FillAsync();
        const string log = """[{"enabled":true,"name":"l","config":{"type":"log","level":"info","template":null}}]""";
        foreach (var (document, taken) in ((string, bool)[])[(log, true), ("[{\"enabled\":", false)])
        {
            _line.Directory.Write(".eventdbx/plugins.json", document);
            var made = await SucceedAsync("backup", "--output", "b", "--without-keys", "--force");
            Assert.Equal((!taken, ""), (made.Out.Contains("left out: plugins.json (it cannot be read", StringComparison.Ordinal), made.Error));
            Assert.Equal(taken, (await UncompressedAsync("b")).AsSpan().IndexOf(System.Text.Encoding.ASCII.GetBytes(log)) > 0);
        }
    }

    /// <summary>A plugin that is a program, with members that nobody knows.</summary>
    void AddProgram(string variable)
    {
        var path = Path.Combine(_line.DataDirectory, "plugins.json");
        var plugins = JsonNode.Parse(File.ReadAllBytes(path))!.AsArray();
        plugins.Add(JsonNode.Parse($$$"""{"enabled":true,"name":"program","note":"1234567890","config":{"type":"process","name":"p","version":"1","args":["--pin=1234"],"env":{"TOKEN":"{{{variable}}}"},"working_dir":null}}"""));
        File.WriteAllText(path, plugins.ToJsonString());
    }

    /// <summary>In comments of the configuration, in a note each, and once in a large file, over the border of what is read at once.</summary>
    async Task HideAsync(List<byte[]> forms)
    {
        for (var i = 0; i < forms.Count; i++)
        {
            _line.Directory.Write($".eventdbx/notes/{i}.txt", "");
            await File.WriteAllBytesAsync(Path.Combine(_line.DataDirectory, "notes", $"{i}.txt"), [.. "it is "u8, .. forms[i], .. "."u8], TestContext.Current.CancellationToken);
        }

        var large = new byte[3 * 1024 * 1024];
        for (var i = 0; i < forms.Count; i++)
            forms[i].CopyTo(large, ((1 + (i % 40)) * 64 * 1024) - (forms[i].Length / 2));
        await File.WriteAllBytesAsync(Path.Combine(_line.DataDirectory, "large.bin"), large, TestContext.Current.CancellationToken);
        await File.AppendAllLinesAsync(
            _line.ConfigPath, forms.Where(static form => form.All(static b => b is >= 32 and < 127)).Select(static form => $"# it is {System.Text.Encoding.ASCII.GetString(form)}."), TestContext.Current.CancellationToken);
    }

    static IEnumerable<byte[]> FormsOf(byte[] secret) =>
    [
        secret, .. ((string[])
        [
            Convert.ToHexString(secret), Convert.ToHexStringLower(secret), Convert.ToBase64String(secret), Convert.ToBase64String(secret).TrimEnd('='),
            Convert.ToBase64String(secret).TrimEnd('=').Replace('+', '-').Replace('/', '_'),
        ]).Select(System.Text.Encoding.ASCII.GetBytes),
    ];

    /// <summary>Of <c>PRIVATE+KEY+NAME+ID+BASE64</c>: behind a byte for the kind.</summary>
    static byte[] SeedOf(string text) => Convert.FromBase64String(text.Trim().Split('+', 5)[^1])[1..];

    async Task<byte[]> UncompressedAsync(string archive)
    {
        await using var file = File.OpenRead(_line.Directory[archive]);
        await using var from = new ZstdSharp.DecompressionStream(file);
        using var to = new MemoryStream();
        await from.CopyToAsync(to, TestContext.Current.CancellationToken);
        return to.ToArray();
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
        string[] left = ["b.0123abcd.tmp", "monday.0123abcd.tmp", "off-site.0123abcd.tmp"], stays = ["b.0123abce.tmp", "b.0123abcf.tmp", "b.0123ABCD.tmp", "c.0123abcd.tmp", "b.tmp", "off-site.tmp"];
        foreach (var name in (string[])[.. left, .. stays])
        {
            await File.WriteAllBytesAsync(_line.Directory[$"out/{name}"], name[0] switch { 'c' => "of somebody else"u8.ToArray(), 'm' => whole, 'o' => "age-encryption.org/v1\n-> scrypt "u8.ToArray(), _ => whole[..^10] }, TestContext.Current.CancellationToken);
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
