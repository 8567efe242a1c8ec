using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using EventDbx.Encryption;

namespace EventDbx.Cli.Tests.Commands;

/// <summary>Where the key of a restored store comes from: nothing that only the archive names is run, nothing is lost, and the next command finds it.</summary>
[CiTier("It starts servers and commands as processes, for seconds each.")]
public sealed class RestoredKeysTests
{
    [Theory]
    [InlineData("encrypted")]
    [InlineData("encrypted, and the key beside it")]
    [InlineData("plain")]
    public async Task A_program_that_the_archive_alone_names_is_run_neither_by_a_restore_nor_by_a_rehearsal_nor_by_a_verify(string store)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The program is a shell script.");
        using var here = new CommandLine();
        var (mark, key) = (here.Directory["was-run"], NewKey());
        var command = $"data_encryption_key_command = [\"sh\", \"-c\", \"touch {mark}; echo {key}\"]\n";
        var archive = await CraftAsync(here, store == "plain" ? null : key, store.Contains("beside", StringComparison.Ordinal) ? $"data_encryption_key = \"{key}\"\n{command}" : command);
        using var there = new CommandLine();
        string[] restore = ["restore", "--input", archive, "--data-dir", there.Directory["data"]];
        if (store == "encrypted")
        {
            var refused = await there.RunAsync(restore);
            Assert.Equal(ExitCode.Refused, refused.Code);
            Assert.Contains("the program sh (data_encryption_key_command)", refused.Error, StringComparison.Ordinal);
            Assert.Contains("EVENTDBX_DEK", refused.Error, StringComparison.Ordinal);
            there.Environment["EVENTDBX_DEK"] = NewKey();
            Assert.Contains("the program sh (data_encryption_key_command)", (await there.RunAsync(restore)).Error, StringComparison.Ordinal);
            there.Environment["EVENTDBX_DEK"] = key;
        }

        await there.SucceedAsync("backup", "verify", archive);
        await there.SucceedAsync([.. restore, "--dry-run"]);
        var restored = await there.SucceedAsync(restore);
        await there.SucceedAsync("verify", "--all");

        Assert.False(File.Exists(mark), "a program that the archive names was run");
        Assert.Contains("The program sh", restored.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("data_encryption_key_command", there.ConfigText, StringComparison.Ordinal);
        Assert.Equal(store == "plain", there.ConfigText.Contains("encryption = \"off\"", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_program_that_the_configuration_at_hand_names_too_is_asked_and_stays()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "The program is a shell script.");
        using var here = new CommandLine();
        var key = NewKey();
        var command = $"data_encryption_key_command = [\"sh\", \"-c\", \"echo {key}\"]\n";
        var archive = await CraftAsync(here, key, command);
        using var there = new CommandLine();
        there.Directory.Write(".eventdbx/config.toml", command);

        await there.SucceedAsync("restore", "--input", archive, "--data-dir", there.Directory["data"], "--force");

        Assert.Contains("data_encryption_key_command", there.ConfigText, StringComparison.Ordinal);
        await there.SucceedAsync("verify", "--all");
    }

    [Fact]
    public async Task A_key_file_of_the_data_directory_that_is_replaced_is_kept_as_a_retired_key_and_opens_what_was_made_with_it()
    {
        using var here = new CommandLine();
        var (first, second) = (NewKey(), NewKey());
        here.Directory.Write(".eventdbx/data.key", first);
        here.Directory.Write(".eventdbx/config.toml", "data_encryption_key_file = \"data.key\"\n");
        await FillAsync(here, 2);
        await here.SucceedAsync("backup", "--output", here.Directory["a"]);
        await here.SucceedAsync("key", "rotate", "--new-key", second);
        here.Directory.Write(".eventdbx/data.key", second);
        await FillAsync(here, 1);
        await here.SucceedAsync("backup", "--output", here.Directory["b"], "--without-keys");

        await here.SucceedAsync("restore", "--input", here.Directory["a"], "--force");

        Assert.Equal(first, File.ReadAllText(here.Directory[".eventdbx/data.key"]));
        Assert.Contains($"data_encryption_keys_retired = [\"{second}\"]", here.ConfigText, StringComparison.Ordinal);
        await here.SucceedAsync("verify", "--all");
        await here.SucceedAsync("restore", "--input", here.Directory["b"], "--force");
        await here.SucceedAsync("verify", "--all");
        Assert.Equal(3, JsonDocument.Parse((await here.SucceedAsync("aggregate", "replay", "order", "o-1", "--json")).Out).RootElement.GetArrayLength());
        // The same once more brings no other key, and retires none.
        await here.SucceedAsync("restore", "--input", here.Directory["a"], "--force");
        Assert.Contains($"data_encryption_keys_retired = [\"{second}\"]", here.ConfigText, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_file_that_is_not_on_this_machine_does_not_stay_in_a_configuration_that_the_environment_has_the_key_of()
    {
        using var here = new CommandLine();
        var key = NewKey();
        var keyFile = here.Directory.Write("keys/data.key", key);
        here.Directory.Write(".eventdbx/config.toml", $"data_encryption_key_file = \"{keyFile}\"\n");
        await FillAsync(here, 2);
        await here.SucceedAsync("backup", "--output", here.Directory["b"]);
        File.Delete(keyFile);
        using var there = new CommandLine();
        there.Environment["EVENTDBX_DEK"] = key;

        var restored = await there.SucceedAsync("restore", "--input", here.Directory["b"], "--data-dir", there.Directory["data"]);

        Assert.Contains($"The key file {keyFile}", restored.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(keyFile, there.ConfigText, StringComparison.Ordinal);
        await there.SucceedAsync("aggregate", "list");
    }

    [Fact]
    public async Task Where_the_environment_gives_the_key_of_a_backup_without_keys_that_of_the_configuration_is_retired()
    {
        using var here = new CommandLine();
        await FillAsync(here, 2);
        var key = KeyIn(here.ConfigText);
        await here.SucceedAsync("backup", "--output", here.Directory["b"], "--without-keys");
        using var there = new CommandLine();
        await FillAsync(there, 1);
        var other = KeyIn(there.ConfigText);
        there.Environment["EVENTDBX_DEK"] = key;

        var restored = await there.SucceedAsync("restore", "--input", here.Directory["b"], "--data-dir", there.Directory[".eventdbx"], "--force");

        Assert.Contains("EVENTDBX_DEK gives the key of what is restored", restored.Error, StringComparison.Ordinal);
        Assert.Contains($"data_encryption_keys_retired = [\"{other}\"]", there.ConfigText, StringComparison.Ordinal);
        Assert.DoesNotContain(key, there.ConfigText, StringComparison.Ordinal);
        await there.SucceedAsync("verify", "--all");
    }

    [Fact]
    public async Task A_restore_behind_which_no_command_would_find_the_key_is_refused_and_changes_nothing()
    {
        using var here = new CommandLine();
        await FillAsync(here, 2);
        await here.SucceedAsync("backup", "--output", here.Directory["b"]);
        using var there = new CommandLine();
        string[] restore = ["restore", "--input", here.Directory["b"], "--data-dir", there.Directory["data"]];
        there.Environment["EVENTDBX_DEK"] = NewKey();

        var rehearsed = await there.RunAsync([.. restore, "--dry-run"]);
        var refused = await there.RunAsync(restore);

        Assert.Equal((ExitCode.Refused, ExitCode.Refused), (rehearsed.Code, refused.Code));
        Assert.Contains("are two different keys", refused.Error, StringComparison.Ordinal);
        Assert.Equal((false, false), (Directory.Exists(there.Directory["data"]), File.Exists(there.ConfigPath)));
        there.Environment.Clear();
        await there.SucceedAsync(restore);
        await there.SucceedAsync("verify", "--all");
    }

    [Fact]
    public async Task A_restore_that_has_to_replace_a_secret_of_the_environment_is_refused_unless_tokens_are_to_stay_good()
    {
        using var here = new CommandLine();
        here.Environment["EVENTDBX_AUTH_SECRET"] = NewKey();
        await FillAsync(here, 3);
        await here.SucceedAsync("token", "generate", "--group", "ops", "--user", "kim", "--root");
        await here.SucceedAsync("backup", "--output", here.Directory["b"]);
        string[] cut = ["restore", "--input", here.Directory["b"], "--force", "--to-position", "2", "--json"];
        var config = here.ConfigText;

        var refused = await here.RunAsync(cut);

        Assert.Equal(ExitCode.Failed, refused.Code);
        Assert.Contains("EVENTDBX_AUTH_SECRET", refused.Error, StringComparison.Ordinal);
        Assert.Contains("--keep-tokens", refused.Error, StringComparison.Ordinal);
        Assert.Equal(config, here.ConfigText);
        var kept = await here.SucceedAsync([.. cut, "--keep-tokens"]);
        Assert.Equal("kept", JsonDocument.Parse(kept.Out).RootElement.GetProperty("tokens").GetString());
    }

    [Fact]
    public async Task A_backup_without_keys_leaves_the_admin_key_and_the_telemetry_headers_of_its_own_installation_and_brings_them_to_no_other()
    {
        using var here = new CommandLine();
        here.Directory.Write(".eventdbx/config.toml", "[telemetry]\notlp_headers = \"authorization=Bearer abc\"\n");
        here.Environment["ADMIN"] = NewKey();
        await here.SucceedAsync("config", "--admin-master-key", "env:ADMIN");
        await FillAsync(here, 2);
        await here.SucceedAsync("backup", "--output", here.Directory["b"], "--without-keys");
        var hash = CommandLine.ValueIn(here.ConfigText, "master_key_hash = \"");
        using var there = new CommandLine();
        there.Environment["EVENTDBX_DEK"] = KeyIn(here.ConfigText);

        await here.SucceedAsync("restore", "--input", here.Directory["b"], "--force");
        await there.SucceedAsync("restore", "--input", here.Directory["b"], "--data-dir", there.Directory["data"]);

        Assert.Equal((hash, "authorization=Bearer abc"), (CommandLine.ValueIn(here.ConfigText, "master_key_hash = \""), CommandLine.ValueIn(here.ConfigText, "otlp_headers = \"")));
        Assert.DoesNotContain("master_key_hash = ", there.ConfigText, StringComparison.Ordinal);
        Assert.DoesNotContain("Bearer abc", there.ConfigText, StringComparison.Ordinal);
    }

    /// <summary>An archive of a store with three events, with whatever configuration: nothing in that is run on the way.</summary>
    static async Task<string> CraftAsync(CommandLine line, string? key, string config)
    {
        if (key is null)
            line.Directory.Write(".eventdbx/config.toml", "encryption = \"off\"\n");
        else
            line.Environment["EVENTDBX_DEK"] = key;
        await FillAsync(line, 3);
        var (directory, archive) = (line.Directory[".eventdbx"], line.Directory["crafted"]);
        DataKey? parsed = null;
        Assert.True(key is null || DataKey.TryParse(key, out parsed, out _));
        using (parsed)
        {
            await using var database = Database.Open(new() { Directory = directory, Key = parsed, Encrypted = key is not null });
            using var staged = await database.OpenSession().BackUpAsync(
                new() { CreatedBy = "a stranger", ReadConfig = _ => new(Encoding.UTF8.GetBytes(config), line.ConfigPath, HasKeys: true), LeaveOut = static path => path.StartsWith("config.toml", StringComparison.Ordinal) ? "" : null },
                TestContext.Current.CancellationToken);
            await using var output = File.Create(archive);
            staged.Write(output, null, TestContext.Current.CancellationToken);
        }

        return archive;
    }

    static string NewKey() => Convert.ToBase64String(RandomNumberGenerator.GetBytes(32));

    static async Task FillAsync(CommandLine line, int events)
    {
        for (var i = 0; i < events; i++)
            await line.SucceedAsync("aggregate", "apply", "order", "o-1", "placed", "--field", $"n={i}");
    }

    static string KeyIn(string config) => CommandLine.ValueIn(config, "data_encryption_key = \"");
}
