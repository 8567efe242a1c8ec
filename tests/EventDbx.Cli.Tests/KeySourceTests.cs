namespace EventDbx.Cli.Tests;

/// <summary>The data key from a file or a command.</summary>
public sealed class KeySourceTests : IDisposable
{
    static readonly string One = Convert.ToBase64String([.. Enumerable.Repeat((byte)1, 32)]);
    static readonly string Two = Convert.ToBase64String([.. Enumerable.Repeat((byte)2, 32)]);

    readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task A_file_beside_the_configuration_gives_the_key_and_nothing_is_written_down()
    {
        _directory.Write("keys/dek", $"\n  {One}\n");
        const string text = "data_encryption_key_file = \"keys/dek\"\n";

        using var key = (await ChooseAsync(text)).Key;

        Assert.Equal(One, key!.ToBase64());
        Assert.Equal(text, await File.ReadAllTextAsync(_directory["config.toml"], TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_command_gives_the_key_with_its_arguments_as_they_are()
    {
        if (OperatingSystem.IsWindows())
            return;
        using var key = (await ChooseAsync($"data_encryption_key_command = [\"/bin/sh\", \"-c\", \"printf '%s\\\\n' {One}; echo not this >&2\"]\n")).Key;

        Assert.Equal(One, key!.ToBase64());
    }

    [Theory]
    [InlineData("data_encryption_key_file = \"nowhere/dek\"\n", "cannot be read|Could not find")]
    [InlineData("data_encryption_key_command = [\"/nowhere/program\"]\n", "cannot be started")]
    [InlineData("data_encryption_key_command = [\"/bin/sh\", \"-c\", \"echo {One}; exit 3\"]\n", "exit code 3")]
    [InlineData("data_encryption_key_command = [\"/bin/sh\", \"-c\", \"echo short\"]\n", "has 5 characters")]
    [InlineData("data_encryption_key_command = [\"/bin/sh\", \"-c\", \"yes {One}\"]\n", "longer than 4096 bytes")]
    [InlineData("data_encryption_key_command = [\"/bin/sh\", \"-c\", \"true\"]\n", "is empty")]
    [InlineData("data_encryption_key = \"{One}\"\ndata_encryption_key_command = [\"/bin/sh\", \"-c\", \"echo {Two}\"]\n", "two different keys")]
    [InlineData("encryption = \"off\"\ndata_encryption_key_command = [\"/bin/sh\", \"-c\", \"echo {One}\"]\n", "remove one of the two")]
    [InlineData("data_encryption_key_next = \"{One}\"\n", "no `data_encryption_key`")]
    [InlineData("data_encryption_keys_retired = [\"{One}\"]\n", "no `data_encryption_key`")]
    [InlineData("data_encryption_key = \"{Two}\"\ndata_encryption_keys_retired = [\"{One}x\"]\n", "a list of keys")]
    [InlineData("data_encryption_key_command = \"/bin/x {One}\"\n", "a list of strings")]
    [InlineData("data_encryption_key_command = [\"/bin/x\", 3, \"{One}\"]\n", "a list of strings")]
    public async Task What_gives_no_key_or_another_one_is_refused_and_no_key_is_made(string text, string problem)
    {
        text = text.Replace("{One}", One, StringComparison.Ordinal).Replace("{Two}", Two, StringComparison.Ordinal);

        var refused = await Assert.ThrowsAsync<ConfigException>(() => ChooseAsync(text));

        Assert.Matches(problem.Replace("`", ".", StringComparison.Ordinal), refused.Message);
        Assert.DoesNotContain(One, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(Two, refused.Message, StringComparison.Ordinal);
        Assert.Equal(text, await File.ReadAllTextAsync(_directory["config.toml"], TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Sources_that_agree_are_one_key()
    {
        _directory.Write("dek", One);
        using var key = (await ChooseAsync($"data_encryption_key = \"{One}\"\ndata_encryption_key_file = \"dek\"\n", One)).Key;

        Assert.Equal(One, key!.ToBase64());
    }

    [Fact]
    public async Task The_command_line_sets_them_and_says_where_the_key_comes_from_and_whether_it_fits()
    {
        using var line = new CommandLine();
        line.Directory.Write("dek", One);
        await line.RunAsync("config", "--dek-file", "dek");
        await line.RunAsync("aggregate", "apply", "order", "o-1", "made");

        var fits = await line.RunAsync("key", "show-location", "--json");
        line.Directory.Write("dek", Two);
        var other = await line.RunAsync("key", "show-location");
        var opened = await line.RunAsync("aggregate", "list");

        Assert.Equal(ExitCode.Done, fits.Code);
        Assert.Contains("\"kind\": \"file\"", fits.Out, StringComparison.Ordinal);
        Assert.Contains("\"fits\": true", fits.Out, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Refused, other.Code);
        Assert.Contains("DOES NOT FIT", other.Out, StringComparison.Ordinal);
        Assert.Equal(ExitCode.Refused, opened.Code);
        Assert.All([fits.Out, other.Out, opened.Error], text => Assert.DoesNotContain(One, text, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_command_that_has_ended_has_given_its_key_though_a_process_of_its_own_holds_the_output()
    {
        if (OperatingSystem.IsWindows())
            return;
        // Until this test has ended.
        var command = $"echo {One}; (while [ -d '{_directory[""]}' ]; do sleep 0.05; done) 2>/dev/null &";
        using var key = (await ChooseAsync($"data_encryption_key_command = [\"/bin/sh\", \"-c\", \"{command}\"]\n")).Key;

        Assert.Equal(One, key!.ToBase64());
    }

    [Fact]
    public async Task A_file_that_is_a_pipe_without_a_writer_can_be_called_off()
    {
        if (OperatingSystem.IsWindows())
            return;
        using (var made = System.Diagnostics.Process.Start("mkfifo", _directory["dek"]))
            await made.WaitForExitAsync(TestContext.Current.CancellationToken);
        _directory.Write("config.toml", "data_encryption_key_file = \"dek\"\n");
        using var stop = new CancellationTokenSource();
        var choosing = StoreKey.ChooseAsync(ConfigFile.Load(_directory["config.toml"], _directory[".eventdbx"], null, TimeProvider.System), null, stop.Token);

        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => choosing);
        // Lets go of the thread that waits for a writer, where one does.
        using var writer = new FileStream(_directory["dek"], FileMode.Open, FileAccess.ReadWrite);
    }

    [Fact]
    public async Task Arguments_of_the_command_are_shown_only_where_secrets_are()
    {
        using var line = new CommandLine();
        await line.RunAsync("config", "--dek-command", "/opt/getkey,--vault-token,CANARY7");

        var (text, json) = (await line.RunAsync("config"), await line.RunAsync("config", "--json"));
        var secrets = await line.RunAsync("config", "--show-secrets");

        Assert.All([text.Out, json.Out], shown =>
        {
            Assert.Contains("/opt/getkey", shown, StringComparison.Ordinal);
            Assert.DoesNotContain("CANARY7", shown, StringComparison.Ordinal);
            Assert.DoesNotContain("vault", shown, StringComparison.Ordinal);
        });
        Assert.Contains("CANARY7", secrets.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("CANARY7", (await line.RunAsync("config", "--dek-command", "/opt/getkey,CANARY7,")).Error, StringComparison.Ordinal);
    }

    Task<StoreKeyChoice> ChooseAsync(string text, string? supplied = null)
    {
        _directory.Write("config.toml", text);
        return StoreKey.ChooseAsync(
            ConfigFile.Load(_directory["config.toml"], _directory[".eventdbx"], null, TimeProvider.System), supplied, TestContext.Current.CancellationToken);
    }
}
