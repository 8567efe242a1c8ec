using System.Text.Json;

namespace EventDbx.Cli.Tests.Commands;

/// <summary>What becomes of keys and of the secret that signs tokens in a restore; and of the old store where an archive is cut.</summary>
[CiTier("It starts servers and commands as processes, for seconds each.")]
public sealed class RestoreSecretsTests
{
    [Fact]
    public async Task A_backup_without_keys_keeps_the_tokens_of_the_installation_it_was_made_from_and_of_no_other()
    {
        using var here = new CommandLine();
        await FillAsync(here, 3);
        await here.SucceedAsync("token", "generate", "--group", "ops", "--user", "kim", "--root");
        var archive = here.Directory["dbx.backup"];
        await here.SucceedAsync("backup", "--output", archive, "--without-keys");
        var (key, secret) = (CommandLine.ValueIn(here.ConfigText, "data_encryption_key = \""), CommandLine.ValueIn(here.ConfigText, "\nsecret = \""));

        using var there = new CommandLine();
        there.Environment["EVENTDBX_DEK"] = key;
        var elsewhere = await there.SucceedAsync("restore", "--input", archive, "--data-dir", there.Directory["data"], "--keep-tokens", "--json");
        Assert.Equal("rotated", JsonDocument.Parse(elsewhere.Out).RootElement.GetProperty("tokens").GetString());
        Assert.Contains("every token of before is refused", elsewhere.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(secret, there.ConfigText, StringComparison.Ordinal);

        var over = await here.SucceedAsync("restore", "--input", archive, "--force", "--keep-tokens", "--json");
        Assert.Equal("kept", JsonDocument.Parse(over.Out).RootElement.GetProperty("tokens").GetString());
        Assert.Equal(secret, CommandLine.ValueIn(here.ConfigText, "\nsecret = \""));
        // Without being told to keep them, over a store that knows more.
        await FillAsync(here, 2);
        var rotated = await here.SucceedAsync("restore", "--input", archive, "--force", "--json");
        Assert.Equal("rotated", JsonDocument.Parse(rotated.Out).RootElement.GetProperty("tokens").GetString());
        Assert.NotEqual(secret, CommandLine.ValueIn(here.ConfigText, "\nsecret = \""));
    }

    [Fact]
    public async Task The_key_of_a_configuration_that_is_replaced_is_kept_where_the_restored_one_has_a_key_file()
    {
        using var here = new CommandLine();
        var text = Convert.ToBase64String(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32));
        var keyFile = here.Directory.Write("keys/data.key", text);
        here.Directory.Write(".eventdbx/config.toml", $"data_encryption_key_file = \"{keyFile}\"\n");
        await FillAsync(here, 2);
        await here.SucceedAsync("backup", "--output", here.Directory["b"]);
        using var there = new CommandLine();
        await FillAsync(there, 1);
        var key = CommandLine.ValueIn(there.ConfigText, "data_encryption_key = \"");

        var refused = await there.RunAsync("restore", "--input", here.Directory["b"], "--data-dir", there.Directory[".eventdbx"], "--force");
        Assert.Equal(ExitCode.Refused, refused.Code);
        there.Environment["EVENTDBX_DEK"] = text;
        await there.SucceedAsync("restore", "--input", here.Directory["b"], "--data-dir", there.Directory[".eventdbx"], "--force");
        there.Environment.Clear();

        Assert.Contains($"data_encryption_keys_retired = [\"{key}\"]", there.ConfigText, StringComparison.Ordinal);
        Assert.Contains(keyFile, there.ConfigText, StringComparison.Ordinal);
        await there.SucceedAsync("verify", "--all");
    }

    [Fact]
    public async Task A_key_file_in_the_data_directory_goes_along_to_another_place()
    {
        using var here = new CommandLine();
        var keyFile = here.Directory.Write(".eventdbx/data.key", Convert.ToBase64String(System.Security.Cryptography.RandomNumberGenerator.GetBytes(32)));
        here.Directory.Write(".eventdbx/config.toml", $"data_encryption_key_file = \"{keyFile}\"\n");
        await FillAsync(here, 2);
        await here.SucceedAsync("backup", "--output", here.Directory["b"]);
        File.Delete(keyFile);
        using var there = new CommandLine();

        await there.SucceedAsync("restore", "--input", here.Directory["b"], "--data-dir", there.Directory["data"]);

        Assert.Contains(there.Directory["data/data.key"], there.ConfigText, StringComparison.Ordinal);
        await there.SucceedAsync("verify", "--all");
    }

    /// <summary>Every KiB of it in CI; the reader alone is cut at more places (BackupArchiveTests).</summary>
    [Fact]
    public async Task Cut_anywhere_an_archive_leaves_the_old_store_and_its_configuration_as_they_were()
    {
        using var here = new CommandLine();
        await FillAsync(here, 2);
        await here.SucceedAsync("backup", "--output", here.Directory["b"]);
        var whole = await File.ReadAllBytesAsync(here.Directory["b"], TestContext.Current.CancellationToken);
        using var there = new CommandLine();
        await FillAsync(there, 3);
        await there.SucceedAsync("verify", "--all");
        var before = Print(there);
        var step = TestTiers.Choose(Math.Max(1024, whole.Length / 8), ci: 1024, demand: 256);
        for (var length = 0; length < whole.Length; length += step)
        {
            await File.WriteAllBytesAsync(there.Directory["cut"], whole[..length], TestContext.Current.CancellationToken);
            var refused = await there.RunAsync("restore", "--input", there.Directory["cut"], "--data-dir", there.Directory[".eventdbx"], "--force");
            Assert.True(refused.Code is ExitCode.Difference or ExitCode.Failed, $"{length} of {whole.Length}: {refused.Code} {refused.Error}");
            Assert.True(before == Print(there), $"cut at {length} of {whole.Length} it has changed what was there");
        }

        await there.SucceedAsync("verify", "--all");
        Assert.Equal(3, JsonDocument.Parse((await there.SucceedAsync("aggregate", "replay", "order", "o-1", "--json")).Out).RootElement.GetArrayLength());

        static string Print(CommandLine line) => string.Join('\n', line.Directory.Fingerprint(".eventdbx").Split('\n').Where(static file => !file.Contains(".lock ", StringComparison.Ordinal)));
    }

    static async Task FillAsync(CommandLine line, int events)
    {
        for (var i = 0; i < events; i++)
            await line.SucceedAsync("aggregate", "apply", "order", "o-1", "placed", "--field", $"n={i}");
    }
}
