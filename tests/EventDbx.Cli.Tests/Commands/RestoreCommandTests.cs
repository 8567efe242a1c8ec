using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using EventDbx.Backups;
using EventDbx.Encryption;
using EventDbx.Recovery;

namespace EventDbx.Cli.Tests.Commands;

/// <summary><c>dbx restore</c>, from an archive that <c>dbx backup</c> has made; and <c>dbx doctor --rebuild</c>.</summary>
public sealed class RestoreCommandTests
{
    [Fact]
    public async Task A_backup_is_restored_on_a_new_machine_and_says_what_it_came_to()
    {
        using var here = new CommandLine();
        var archive = await BackedUpAsync(here, events: 4);
        using var there = new CommandLine();
        var data = there.Directory["data"];

        var restored = await there.RunAsync("restore", "--input", archive, "--data-dir", data, "--comment", "a new machine");

        Assert.Equal((ExitCode.Done, true), (restored.Code, restored.Out.StartsWith($"restored  {archive} into {data}\n", StringComparison.Ordinal)));
        Assert.Contains("tokens    kept", restored.Out, StringComparison.Ordinal);
        Assert.Contains("is good again", restored.Error, StringComparison.Ordinal);
        Assert.Contains($"data_dir = \"{data}\"", there.ConfigText, StringComparison.Ordinal);
        await there.SucceedAsync("verify", "--all");
        Assert.Equal((await here.RunAsync("aggregate", "get", "order", "o-1")).Out, (await there.RunAsync("aggregate", "get", "order", "o-1")).Out);
        var entry = await there.SucceedAsync("audit", "list", "--kind", "epoch", "--json");
        Assert.Contains("a new machine", entry.Out, StringComparison.Ordinal);
        Assert.Equal(["event_store"], Directory.GetDirectories(data).Select(Path.GetFileName));
    }

    /// <summary>Any command on a terminal may have written it, before there was anything else.</summary>
    [Theory]
    [InlineData("upgrade-state.json", true)]
    [InlineData("upgrade-state.json.0123abcd.tmp", true)]
    [InlineData("upgrade-state.json.old", false)]
    public async Task What_is_remembered_of_releases_does_not_make_a_directory_occupied(string name, bool restores)
    {
        using var here = new CommandLine();
        var archive = await BackedUpAsync(here, events: 1);
        using var there = new CommandLine();
        there.Directory.Write($".eventdbx/{name}", "{}");

        var outcome = await there.RunAsync("restore", "--input", archive, "--data-dir", there.Directory[".eventdbx"]);

        Assert.True(outcome.Code == (restores ? ExitCode.Done : ExitCode.Failed), outcome.ToString());
        Assert.Equal("{}", File.ReadAllText(there.Directory[$".eventdbx/{name}"]));
        if (!restores)
            Assert.Contains($"is not empty: it holds {name}. ", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_is_there_is_replaced_by_force_alone_and_its_key_is_kept()
    {
        using var here = new CommandLine();
        var archive = await BackedUpAsync(here, events: 4);
        using var there = new CommandLine();
        await FillAsync(there, 7);
        var data = there.Directory[".eventdbx"];
        var before = Files(data);
        var key = KeyIn(there.ConfigText);

        var refused = await there.RunAsync("restore", "--input", archive, "--data-dir", data);
        Assert.Equal(ExitCode.Failed, refused.Code);
        Assert.Contains("7 entries of database", refused.Error, StringComparison.Ordinal);
        Assert.Contains("--force", refused.Error, StringComparison.Ordinal);
        var rehearsed = await there.RunAsync("restore", "--input", archive, "--data-dir", data, "--force", "--dry-run", "--json");
        Assert.Equal((ExitCode.Done, true), (rehearsed.Code, JsonDocument.Parse(rehearsed.Out).RootElement.GetProperty("dry_run").GetBoolean()));
        Assert.Equal(before, Files(data));

        var restored = await there.SucceedAsync("restore", "--input", archive, "--data-dir", data, "--force", "--keep-old", "--json");

        var json = JsonDocument.Parse(restored.Out).RootElement;
        Assert.Equal((4UL, 4UL, 7UL), (json.GetProperty("kept").GetUInt64(), json.GetProperty("of").GetUInt64(), json.GetProperty("replaced").GetProperty("log_size").GetUInt64()));
        Assert.True(Directory.Exists(Path.Combine(json.GetProperty("old_kept").GetString()!, "event_store")));
        Assert.Contains(key, File.ReadAllText(json.GetProperty("config_kept").GetString()!), StringComparison.Ordinal);
        Assert.Contains($"data_encryption_keys_retired = [\"{key}\"]", there.ConfigText, StringComparison.Ordinal);
        await there.SucceedAsync("verify", "--all");
        // With the key in it, it has no place in a backup without keys.
        Assert.Contains(Path.GetFileName(json.GetProperty("config_kept").GetString()!), (await there.SucceedAsync("backup", "--output", there.Directory["b"], "--without-keys", "--json")).Out, StringComparison.Ordinal);
    }

    [CiTier("It starts servers and commands as processes, for seconds each.")]
    [Fact]
    public async Task A_position_and_a_time_cut_the_log_and_the_secret_of_tokens_is_replaced()
    {
        using var here = new CommandLine();
        await FillAsync(here, 5);
        await here.SucceedAsync("token", "generate", "--group", "ops", "--user", "kim", "--root");
        var archive = await BackUpAsync(here);
        var times = JsonDocument.Parse((await here.SucceedAsync("aggregate", "replay", "order", "o-1", "--json")).Out).RootElement;
        using var there = new CommandLine();

        var cut = await there.SucceedAsync("restore", "--input", archive, "--data-dir", there.Directory["data"], "--to-position", "3", "--json");

        Assert.Equal(("rotated", 3UL), (JsonDocument.Parse(cut.Out).RootElement.GetProperty("tokens").GetString(), JsonDocument.Parse(cut.Out).RootElement.GetProperty("kept").GetUInt64()));
        Assert.NotEqual(SecretIn(here.ConfigText), SecretIn(there.ConfigText));
        await there.SucceedAsync("verify", "--all");
        Assert.Equal(ExitCode.Failed, (await there.RunAsync("restore", "--input", archive, "--data-dir", there.Directory["data"], "--to-position", "99", "--force")).Code);
        Assert.Equal(ExitCode.Usage, (await there.RunAsync("restore", "--input", archive, "--to-position", "3", "--to-time", "2026-01-01T00:00:00Z")).Code);
        Assert.Equal(ExitCode.Usage, (await there.RunAsync("restore", "--input", archive, "--to-time", "yesterday")).Code);
        var kept = await there.SucceedAsync("restore", "--input", archive, "--data-dir", there.Directory["data"], "--to-position", "3", "--keep-tokens", "--force", "--json");
        Assert.Equal("kept", JsonDocument.Parse(kept.Out).RootElement.GetProperty("tokens").GetString());
        Assert.Equal(SecretIn(here.ConfigText), SecretIn(there.ConfigText));
        var early = await there.RunAsync("restore", "--input", archive, "--data-dir", there.Directory["data"], "--to-time", "2000-01-01T00:00:00Z", "--force");
        Assert.Equal(ExitCode.Failed, early.Code);
        Assert.Contains("its first entry is of", early.Error, StringComparison.Ordinal);
        var late = await there.SucceedAsync("restore", "--input", archive, "--data-dir", there.Directory["data"], "--to-time", "2999-01-01T00:00:00Z", "--force", "--json");
        Assert.Equal(JsonDocument.Parse(late.Out).RootElement.GetProperty("of").GetUInt64(), JsonDocument.Parse(late.Out).RootElement.GetProperty("kept").GetUInt64());
        Assert.True(times.GetArrayLength() > 0);
    }

    [Fact]
    public async Task A_configuration_that_an_interrupted_restore_has_yet_to_put_there_is_put_there_before_it_is_read()
    {
        using var here = new CommandLine();
        var archive = await BackedUpAsync(here, events: 3);
        var data = here.Directory["elsewhere"];
        var config = Path.Combine(data, "config.toml");
        await here.SucceedAsync("restore", "--input", archive, "--data-dir", data, "--config", config);
        // As a kill right behind the commit leaves it.
        var text = await File.ReadAllTextAsync(config, TestContext.Current.CancellationToken);
        File.Delete(config);
        Interrupt(data, "config.toml", text);

        var listed = await here.SucceedAsync("aggregate", "list", "--config", config, "--json");

        Assert.Contains("o-1", listed.Out, StringComparison.Ordinal);
        Assert.True(File.Exists(config));
        Assert.False(File.Exists(Path.Combine(data, "event_store.swap")));
    }

    [Fact]
    public async Task The_archive_chooses_no_place_that_nobody_here_has_named()
    {
        using var here = new CommandLine();
        var archive = await BackedUpAsync(here, events: 3);
        var from = here.Directory[".eventdbx"];
        Directory.Delete(from, recursive: true);
        using var there = new CommandLine();

        foreach (var force in (string[][])[[], ["--force"]])
        {
            var refused = await there.RunAsync(["restore", "--input", archive, .. force]);
            Assert.Equal((ExitCode.Usage, false), (refused.Code, Directory.Exists(from)));
            Assert.Contains($"`--data-dir {from}`", refused.Error, StringComparison.Ordinal);
        }

        there.Environment["EVENTDBX_DATA_DIR"] = from;
        Assert.Contains("where it was made", (await there.SucceedAsync("restore", "--input", archive)).Out, StringComparison.Ordinal);
        Assert.True(Database.ExistsIn(from));
        Directory.Delete(from, recursive: true);
        Assert.Contains("where it was made", (await here.SucceedAsync("restore", "--input", archive)).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_is_replaced_in_a_directory_that_is_not_recognisably_one_of_ours()
    {
        using var here = new CommandLine();
        var archive = await BackedUpAsync(here, events: 3);
        using var there = new CommandLine();
        there.Directory.Write("ssh/tokens.json", "mine");
        var before = there.Directory.Fingerprint("ssh");
        // The first attempt must not leave what the second one takes for a mark.
        foreach (var force in (string[][])[[], ["--force"], ["--force"]])
        {
            var refused = await there.RunAsync(["restore", "--input", archive, "--data-dir", there.Directory["ssh"], .. force]);
            Assert.Equal((ExitCode.Failed, before), (refused.Code, there.Directory.Fingerprint("ssh")));
            Assert.Contains("not recognisably a data directory", refused.Error, StringComparison.Ordinal);
        }

        // A file system of its own is never quite empty.
        Directory.CreateDirectory(there.Directory["volume/lost+found"]);
        await there.SucceedAsync("restore", "--input", archive, "--data-dir", there.Directory["volume"], "--config", there.Directory["volume.toml"], "--force");
        // A configuration that stands alone in the ordinary place is that of a store to be.
        await there.SucceedAsync("config", "--bind", "127.0.0.1");
        await there.SucceedAsync("restore", "--input", archive, "--data-dir", there.Directory[".eventdbx"], "--force");
        File.WriteAllText(there.Directory["ssh/watermark"], "");
        await there.SucceedAsync("restore", "--input", archive, "--data-dir", there.Directory["ssh"], "--config", there.Directory["c.toml"], "--force");
    }

    [Fact]
    public async Task A_planted_journal_writes_no_file_that_the_command_does_not_read()
    {
        using var here = new CommandLine();
        await FillAsync(here, 2);
        var (data, victim) = (here.Directory["theirs"], here.Directory["cron.d/x"]);
        Interrupt(data, victim, "* * * * * root true");

        foreach (var command in (string[][])[["status"], ["doctor"], ["aggregate", "list"], ["verify", "--all"]])
        {
            var refused = await here.RunAsync([.. command, "--data-dir", data]);
            Assert.NotEqual(ExitCode.Done, refused.Code);
            Assert.False(Directory.Exists(here.Directory["cron.d"]));
            Assert.Contains(command[0] == "doctor" ? "was interrupted" : $"its configuration goes to {victim}", refused.Out + refused.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task An_interrupted_restore_does_not_replace_what_is_by_now_the_configuration_of_another_store()
    {
        using var here = new CommandLine();
        var archive = await BackedUpAsync(here, events: 3);
        var data = here.Directory["elsewhere"];
        var own = Path.Combine(data, "config.toml");
        await here.SucceedAsync("restore", "--input", archive, "--data-dir", data);
        var text = await File.ReadAllTextAsync(own, TestContext.Current.CancellationToken);
        File.Delete(own);
        Interrupt(data, here.ConfigPath, text);
        var before = here.ConfigText;

        var ended = await here.RunAsync("status", "--data-dir", data);

        Assert.Contains($"Use the store in {data} with --config {own}", ended.Error, StringComparison.Ordinal);
        Assert.Equal((before, text), (here.ConfigText, await File.ReadAllTextAsync(own, TestContext.Current.CancellationToken)));
        await here.SucceedAsync("verify", "--all");
        await here.SucceedAsync("verify", "--all", "--config", own);
    }

    [Fact]
    public async Task A_time_within_the_log_keeps_what_was_written_by_then()
    {
        using var here = new CommandLine();
        var archive = await BackedUpAsync(here, events: 5);
        var told = JsonDocument.Parse((await here.SucceedAsync("aggregate", "get", "order", "o-1", "--include-events", "--json")).Out).RootElement;
        var times = told.GetProperty("events").EnumerateArray().Select(static item => item.GetProperty("metadata").GetProperty("created_at").GetString()!).ToList();
        Assert.Equal(5, times.Count);
        var until = DateTimeOffset.Parse(times[2], CultureInfo.InvariantCulture);
        var expected = times.TakeWhile(time => DateTimeOffset.Parse(time, CultureInfo.InvariantCulture) <= until).Count();
        using var there = new CommandLine();

        var cut = await there.SucceedAsync("restore", "--input", archive, "--data-dir", there.Directory["data"], "--to-time", times[2], "--json");

        var json = JsonDocument.Parse(cut.Out).RootElement;
        Assert.Equal(((ulong)expected, 5UL), (json.GetProperty("kept").GetUInt64(), json.GetProperty("of").GetUInt64()));
        Assert.Equal(times[expected], json.GetProperty("ended_by").GetProperty("created_at").GetString());
        var kept = JsonDocument.Parse((await there.SucceedAsync("aggregate", "get", "order", "o-1", "--include-events", "--json")).Out).RootElement;
        Assert.Equal(times.Take(expected), kept.GetProperty("events").EnumerateArray().Select(static item => item.GetProperty("metadata").GetProperty("created_at").GetString()!));
    }

    [Fact]
    public async Task A_trial_beside_another_store_leaves_the_configuration_of_that_one_alone()
    {
        using var here = new CommandLine();
        var archive = await BackedUpAsync(here, events: 3);
        var config = here.ConfigText;
        var trial = here.Directory["trial"];

        var restored = await here.SucceedAsync("restore", "--input", archive, "--data-dir", trial);

        Assert.Equal(config, here.ConfigText);
        Assert.Contains($"--config {Path.Combine(trial, "config.toml")}", restored.Error, StringComparison.Ordinal);
        await here.SucceedAsync("verify", "--all", "--config", Path.Combine(trial, "config.toml"));
        await here.SucceedAsync("verify", "--all");
        Assert.Equal(ExitCode.Failed, (await here.RunAsync("restore", "--input", archive, "--data-dir", here.Directory["other"], "--config", here.ConfigPath, "--force")).Code);
        Assert.False(Directory.Exists(here.Directory["other"]));
    }

    [Fact]
    public async Task A_backup_without_keys_needs_the_key_and_says_so()
    {
        using var here = new CommandLine();
        await FillAsync(here, 3);
        var archive = await BackUpAsync(here, "--without-keys");
        using var there = new CommandLine();
        var data = there.Directory["data"];

        var refused = await there.RunAsync("restore", "--input", archive, "--data-dir", data);
        Assert.Equal(ExitCode.Refused, refused.Code);
        Assert.Contains("EVENTDBX_DEK", refused.Error, StringComparison.Ordinal);
        there.Environment["EVENTDBX_DEK"] = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));
        Assert.Equal(ExitCode.Refused, (await there.RunAsync("restore", "--input", archive, "--data-dir", data)).Code);
        Assert.False(Directory.Exists(data));
        there.Environment["EVENTDBX_DEK"] = KeyIn(here.ConfigText);
        await there.SucceedAsync("restore", "--input", archive, "--data-dir", data);
        await there.SucceedAsync("verify", "--all");
        // Over the installation that it was made from: its configuration has the key.
        await here.SucceedAsync("restore", "--input", archive, "--force");
        await here.SucceedAsync("verify", "--all");
    }

    [Fact]
    public async Task A_damaged_archive_is_told_from_its_damage_and_changes_nothing_of_what_is_there()
    {
        using var here = new CommandLine();
        var archive = await BackedUpAsync(here, events: 3);
        using var there = new CommandLine();
        await FillAsync(there, 2);
        var data = there.Directory[".eventdbx"];
        var before = Files(data);
        var whole = await File.ReadAllBytesAsync(archive, TestContext.Current.CancellationToken);
        var damaged = there.Directory["damaged"];
        var random = new Random(7);
        for (var i = TestTiers.Choose(6, 30, 300); i > 0; i--)
        {
            var bytes = i % 2 == 0 ? whole[..random.Next(whole.Length)] : [.. whole];
            if (i % 2 == 1)
                bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
            await File.WriteAllBytesAsync(damaged, bytes, TestContext.Current.CancellationToken);
            var refused = await there.RunAsync("restore", "--input", damaged, "--data-dir", data, "--force");
            // Without its manifest it may look like one of another version.
            Assert.True(refused.Code is ExitCode.Difference or ExitCode.Failed, $"{i}: {refused.Code} {refused.Error}");
            Assert.Equal(before, Files(data));
        }

        await there.SucceedAsync("verify", "--all");
    }

    [CiTier("It starts servers and commands as processes, for seconds each.")]
    [Fact]
    public async Task An_encrypted_and_an_incremental_backup_are_restored_with_what_they_need()
    {
        using var here = new CommandLine();
        var archive = await BackedUpAsync(here, events: 2);
        await here.SucceedAsync("aggregate", "apply", "order", "o-2", "placed", "--field", "n=1");
        var later = here.Directory["later.backup"];
        await here.SucceedAsync("backup", "--output", later, "--since", archive, "--encrypt-to", "correct horse battery");
        using var there = new CommandLine();
        var data = there.Directory["data"];

        Assert.Equal(ExitCode.Failed, (await there.RunAsync("restore", "--input", later, "--data-dir", data)).Code);
        Assert.Equal(ExitCode.Failed, (await there.RunAsync("restore", "--input", later, "--data-dir", data, "--passphrase", "another horse")).Code);
        there.Environment["EVENTDBX_BACKUP_PASSPHRASE"] = "correct horse battery";
        File.Move(archive, there.Directory["base"]);
        Assert.Equal(ExitCode.Failed, (await there.RunAsync("restore", "--input", later, "--data-dir", data)).Code);
        Assert.False(Directory.Exists(data));
        await there.SucceedAsync("restore", "--input", later, "--data-dir", data, "--base", there.Directory["base"]);
        await there.SucceedAsync("verify", "--all");
        Assert.Contains("o-2", (await there.SucceedAsync("aggregate", "list")).Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_command_after_an_interrupted_restore_ends_it_and_goes_on_with_its_key_and_settings()
    {
        using var here = new CommandLine();
        var archive = await BackedUpAsync(here, events: 4);
        using var there = new CommandLine();
        await FillAsync(there, 2);
        var (data, staged) = (there.Directory[".eventdbx"], there.Directory["staged"]);
        var (epoch, database) = (0U, Guid.Empty);
        Assert.True(DataKey.TryParse(KeyIn(here.ConfigText), out var key, out _));
        using (key)
        using (var restore = StoreRestore.Begin(new() { Directory = data }))
        {
            await using (var stream = File.OpenRead(archive))
            {
                var contents = BackupReader.Unpack(stream, restore.Unpacked, new(), TestContext.Current.CancellationToken);
                Assert.True(EventDbx.Integrity.Hash32.TryParse(contents.Manifest.LogRoot, out var root));
                var request = new RestoreRequest { From = contents.DataDirectory, DatabaseId = contents.Manifest.DatabaseId, Epoch = contents.Manifest.Epoch, LogSize = contents.Manifest.LogSize, LogRoot = root, Pieces = [] };
                epoch = restore.Prepare(request, new() { Directory = data, Key = key }, null, TestContext.Current.CancellationToken).Epoch;
                database = contents.Manifest.DatabaseId;
            }

            Directory.Move(Path.Combine(data, "event_store.staged"), staged);
        }

        // As a kill right behind the commit point leaves it (docs/storage-format.md).
        Directory.Move(staged, Path.Combine(data, "event_store.staged"));
        await File.WriteAllTextAsync(Path.Combine(data, "event_store.staged", "config.toml"), here.ConfigText.Replace(here.Directory[".eventdbx"], data, StringComparison.Ordinal), TestContext.Current.CancellationToken);
        await File.WriteAllTextAsync(
            Path.Combine(data, "event_store.swap"),
            $$"""{"format":"eventdbx-swap/1","cause":"restore","aside":"event_store.before-restore","keep_aside":false,"pieces":["event_store","watermark"],"replaced":["event_store","watermark"],"removed":["event_store.inventory"],"config":"config.toml","database_id":"{{database}}","epoch":{{epoch}}}""", TestContext.Current.CancellationToken);

        var verified = await there.SucceedAsync("verify", "--all");

        Assert.Contains("was interrupted behind its commit point", verified.Error, StringComparison.Ordinal);
        Assert.Equal(KeyIn(here.ConfigText), KeyIn(there.ConfigText));
        Assert.Equal((await here.RunAsync("aggregate", "get", "order", "o-1")).Out, (await there.RunAsync("aggregate", "get", "order", "o-1")).Out);
        Assert.DoesNotContain(Directory.GetFileSystemEntries(data).Select(Path.GetFileName), static name => name!.StartsWith("event_store.s", StringComparison.Ordinal) || name.StartsWith("event_store.before", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Indexes_are_rebuilt_and_the_store_says_what_it_said()
    {
        using var here = new CommandLine();
        await FillAsync(here, 5);
        var told = (await here.SucceedAsync("aggregate", "get", "order", "o-1", "--include-events", "--json")).Out;

        var rebuilt = await here.SucceedAsync("doctor", "--rebuild", "--json");

        var json = JsonDocument.Parse(rebuilt.Out).RootElement;
        Assert.Equal((5UL, 1UL, 0UL, JsonValueKind.Null), (json.GetProperty("log_size").GetUInt64(), json.GetProperty("epoch").GetUInt64(), json.GetProperty("left_out").GetUInt64(), json.GetProperty("kept_old").ValueKind));
        Assert.Equal(told, (await here.SucceedAsync("aggregate", "get", "order", "o-1", "--include-events", "--json")).Out);
        await here.SucceedAsync("verify", "--all");
        Assert.Equal(ExitCode.Usage, (await here.RunAsync("doctor", "--keep-old")).Code);
        using var nothing = new CommandLine();
        Assert.Equal(ExitCode.Refused, (await nothing.RunAsync("doctor", "--rebuild")).Code);
    }

    /// <summary>A data directory as a kill right behind the commit of a restore leaves it, when a configuration is all that is to be put in place yet.</summary>
    static void Interrupt(string data, string config, string content)
    {
        Directory.CreateDirectory(Path.Combine(data, "event_store.staged", "new"));
        File.WriteAllText(Path.Combine(data, "event_store.staged", "config.toml"), content);
        File.WriteAllText(Path.Combine(data, "event_store.swap"),
            $$"""{"format":"eventdbx-swap/1","cause":"restore","aside":"event_store.before-restore-x","keep_aside":true,"pieces":[],"replaced":[],"removed":[],"config":{{JsonSerializer.Serialize(config)}},"database_id":"{{Guid.Empty}}","epoch":1}""");
    }

    static async Task<string> BackedUpAsync(CommandLine line, int events)
    {
        await FillAsync(line, events);
        return await BackUpAsync(line);
    }

    static async Task<string> BackUpAsync(CommandLine line, params string[] further)
    {
        var archive = line.Directory["dbx.backup"];
        await line.SucceedAsync(["backup", "--output", archive, .. further]);
        return archive;
    }

    static async Task FillAsync(CommandLine line, int events)
    {
        for (var i = 0; i < events; i++)
            await line.SucceedAsync("aggregate", "apply", "order", "o-1", "placed", "--field", $"n={i}");
    }

    static string KeyIn(string config) => CommandLine.ValueIn(config, "data_encryption_key = \"");

    static string SecretIn(string config) => CommandLine.ValueIn(config, "secret = \"");

    /// <summary>Names and contents of everything but locks.</summary>
    static string Files(string directory) => string.Join('\n', Directory.EnumerateFiles(directory, "*", SearchOption.AllDirectories)
        .Where(static file => !file.EndsWith(".lock", StringComparison.Ordinal)).Order(StringComparer.Ordinal)
        .Select(file => string.Create(CultureInfo.InvariantCulture, $"{Path.GetRelativePath(directory, file)} {Convert.ToHexString(SHA256.HashData(File.ReadAllBytes(file)))}")));
}
