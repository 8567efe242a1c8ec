namespace EventDbx.Cli.Tests;

/// <summary>A configuration that was cut is refused: it would be a valid one, without its keys.</summary>
public sealed class ConfigCutTests : IDisposable
{
    static readonly string Dek = Convert.ToBase64String([.. Enumerable.Repeat((byte)1, 32)]);
    static readonly string Next = Convert.ToBase64String([.. Enumerable.Repeat((byte)2, 32)]);

    readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Cut_at_any_byte_it_is_refused_or_says_all_that_it_said()
    {
        var whole = await WrittenAsync();
        var said = ConfigFile.Show(Load().Saved, secrets: true);
        var refused = 0;
        for (var length = 0; length <= whole.Length; length++)
        {
            _directory.Write("config.toml", whole[..length]);
            try
            {
                Assert.Equal(said, ConfigFile.Show(Load().Saved, secrets: true));
                Assert.InRange(length, whole.Length - 1, whole.Length);
            }
            catch (ConfigException cut)
            {
                refused++;
                Assert.DoesNotContain(Dek[..20], cut.Message, StringComparison.Ordinal);
            }
        }

        Assert.Equal(whole.Length - 1, refused);
    }

    [Fact]
    public async Task What_is_changed_later_stands_before_the_last_line_and_both_lines_stay()
    {
        await WrittenAsync();

        await Load().UpdateAsync(config => config with { LogOrigin = "example.com/log", PageLimit = 7, AdminMasterKeyHash = null }, TestContext.Current.CancellationToken);

        var lines = (await File.ReadAllTextAsync(_directory["config.toml"], TestContext.Current.CancellationToken)).TrimEnd('\n').Split('\n');
        Assert.StartsWith("# EventDBX configuration.", lines[0], StringComparison.Ordinal);
        Assert.Equal("# End of the EventDBX configuration.", lines[^1]);
        Assert.Equal(("example.com/log", 7, Dek), (Load().Config.LogOrigin, Load().Config.PageLimit, Load().Config.DataEncryptionKey));
    }

    [Theory]
    [InlineData("\n")]
    [InlineData("\r\n")]
    public async Task One_by_hand_is_whole_from_the_first_change_on_with_its_comments_and_its_order(string newline)
    {
        var hand = $"# mine{newline}port = 7171 # here{newline}{newline}[tls]{newline}enabled = true{newline}# the end of mine";
        _directory.Write("config.toml", hand);

        await Load().UpdateAsync(config => config with { DataEncryptionKey = Dek }, TestContext.Current.CancellationToken);
        await Load().UpdateAsync(config => config with { PageLimit = 7 }, TestContext.Current.CancellationToken);

        var whole = await File.ReadAllTextAsync(_directory["config.toml"], TestContext.Current.CancellationToken);
        Assert.Equal(2, whole.Split("EventDBX configuration").Length - 1);
        Assert.Contains($"{newline}# mine{newline}port = 7171 # here{newline}", whole, StringComparison.Ordinal);
        Assert.Contains($"enabled = true{newline}# the end of mine{newline}# End of", whole, StringComparison.Ordinal);
        Assert.Equal((true, 7171, Dek), (Load().Config.TlsEnabled, Load().Config.Port, Load().Config.DataEncryptionKey));
        // Below that nothing of our first line is left whole, and so nothing that reads as an other file's setting.
        for (var length = whole.IndexOf('\n', StringComparison.Ordinal); length < whole.TrimEnd().Length; length++)
        {
            _directory.Write("config.toml", whole[..length]);
            Assert.Throws<ConfigException>(Load);
        }
    }

    [Fact]
    public async Task What_somebody_writes_behind_the_last_line_is_read_and_kept()
    {
        var whole = await WrittenAsync();
        _directory.Write("config.toml", whole + "\n[remotes.copy]\nendpoint = \"10.0.0.1:7443\"\npublic_key = \"x\"\n");

        await Load().UpdateAsync(config => config with { PageLimit = 7 }, TestContext.Current.CancellationToken);

        Assert.Equal("10.0.0.1:7443", Load().Config.Remotes["copy"].Endpoint);
        Assert.Equal(7, Load().Config.PageLimit);
    }

    [Theory]
    [InlineData("")]
    [InlineData("\n\n")]
    [InlineData("# port = 8080\n")]
    public void A_file_without_any_setting_is_refused_and_says_what_to_do(string text)
    {
        _directory.Write("config.toml", text);

        var refused = Assert.Throws<ConfigException>(Load);

        Assert.Contains("delete it to start from the defaults", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void No_file_a_device_and_one_by_hand_are_as_good_as_before()
    {
        Assert.False(Load().Exists);
        _directory.Write("config.toml", "port = 1 # by hand\n");
        Assert.Equal(1, Load().Config.Port);
        if (!OperatingSystem.IsWindows())
            Assert.False(ConfigFile.Load("/dev/null", _directory[".eventdbx"], null, TimeProvider.System).Exists);
    }

    [Fact]
    public async Task A_cut_configuration_makes_no_key_over_a_store_and_none_elsewhere()
    {
        using var line = new CommandLine();
        await line.RunAsync("config", "--port", "8080");
        await line.RunAsync("aggregate", "apply", "order", "o-1", "made");
        var whole = line.ConfigText;
        var cut = whole[..whole.IndexOf("data_encryption_key", StringComparison.Ordinal)];
        await File.WriteAllTextAsync(line.ConfigPath, cut, TestContext.Current.CancellationToken);

        var refused = await line.RunAsync("aggregate", "apply", "order", "o-2", "made");

        Assert.Equal(ExitCode.Failed, refused.Code);
        Assert.Contains("was cut off", refused.Error, StringComparison.Ordinal);
        Assert.Equal(cut, line.ConfigText);
    }

    /// <summary>A configuration of ours in which everything that matters is set; the text of its file.</summary>
    async Task<string> WrittenAsync()
    {
        await Load().UpdateAsync(
            config => config with
            {
                Port = 8080, DataDir = "/srv/data", DataEncryptionKey = Dek, DataEncryptionKeyNext = Next, AdminEnabled = true,
                AdminMasterKeyHash = MasterKeyHash.Of("a master key"), AuthSecret = Next, AuthKeyId = "key-1", LogQuorum = 0,
            },
            default);
        var file = Load();
        // Whatever TLS has to say, once it has.
        foreach (var key in ConfigKeys.All.Where(key => key.Table == "tls"))
            await file.UpdateAsync(config => key.Set(config, ConfigValue.OfText(key.Name == "tls.enabled" ? "true" : "/etc/tls.pem")), default);
        return await File.ReadAllTextAsync(_directory["config.toml"], TestContext.Current.CancellationToken);
    }

    ConfigFile Load() => ConfigFile.Load(_directory["config.toml"], _directory[".eventdbx"], null, TimeProvider.System);
}
