using EventDbx.Encryption;
using EventDbx.Recovery;

namespace EventDbx.Cli.Tests;

/// <summary>Whoever waited for a data directory does not go on with keys and secrets that were replaced meanwhile.</summary>
public sealed class ConfigStillThereTests : IDisposable
{
    const string Key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

    const string Other = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

    readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData($"data_encryption_key = \"{Key}\"", $"data_encryption_key = \"{Other}\"")]
    [InlineData($"data_encryption_key = \"{Key}\"", "")]
    [InlineData($"[auth]\nsecret = \"{Key}\"\nkey_id = \"a\"", $"[auth]\nsecret = \"{Other}\"\nkey_id = \"b\"")]
    [InlineData("port = 7070", "port = ")]
    public void Another_one_is_refused(string before, string after)
    {
        var file = Load(before);
        _directory.Write("config.toml", after);
        var refused = Assert.Throws<StoreRefusedException>(() => ConfigStillThere.Demand(file));
        Assert.Contains("was changed while the data directory was waited for", refused.Message, StringComparison.Ordinal);
        // What cannot be read is nothing to go on with.
        Assert.Equal(after is not ("" or "port = "), refused.ConfigReplaced);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_command_that_waited_goes_on_with_the_key_that_has_taken_the_place_of_the_old_one_but_not_to_another_directory(bool elsewhere)
    {
        var clock = new HeardClock();
        using var line = new CommandLine { Clock = clock };
        line.Directory.Write(".eventdbx/config.toml", $"data_encryption_key = \"{Key}\"\n");
        foreach (var id in (string[])["o-1", "o-2"])
            Assert.Equal(ExitCode.Done, (await line.RunAsync("aggregate", "apply", "order", id, "made")).Code);
        Task<Outcome> waiting;
        Assert.True(DataKey.TryParse(Key, out var old, out _) & DataKey.TryParse(Other, out var next, out _));
        using (old)
        using (next)
        await using (var database = Database.Open(new() { Directory = line.Directory[".eventdbx"], Key = old, CreateIfMissing = false }))
        {
            clock.Listen();
            waiting = Task.Run(() => line.RunAsync("aggregate", "list", "--lock-timeout", "60"));
            // It has read the configuration, and begins to wait.
            await clock.Heard;
            await database.OpenSession().RotateKeyAsync(next!, null, TestContext.Current.CancellationToken);
            line.Directory.Write(".eventdbx/config.toml", $"data_encryption_key = \"{Other}\"\n{(elsewhere ? $"data_dir = \"{line.Directory["other"]}\"\n" : "")}");
        }

        var outcome = await waiting;
        Assert.True(outcome.Code == (elsewhere ? ExitCode.Refused : ExitCode.Done), outcome.Error);
        if (elsewhere)
            Assert.Contains("was changed while the data directory was waited for", outcome.Error, StringComparison.Ordinal);
        else
            Assert.Contains("o-2", outcome.Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("port = 7070", "# a comment\nport = 7070")]
    [InlineData("port = 7070", "port = 7071")]
    [InlineData("", "restrict = \"strict\"")]
    [InlineData("", $"data_encryption_key = \"{Key}\"")]
    [InlineData($"[auth]\nsecret = \"{Key}\"", $"[auth]\nsecret = \"{Key}\"\nkey_id = \"a\"")]
    [InlineData("", $"[auth]\nsecret = \"{Key}\"\nkey_id = \"a\"")]
    public void The_same_keys_other_settings_and_what_is_made_for_a_new_store_are_none(string before, string after)
    {
        var file = Load(before);
        _directory.Write("config.toml", after);
        ConfigStillThere.Demand(file);
    }

    /// <summary>Tells when somebody looks again and again how late it is: whoever does is waiting.</summary>
    sealed class HeardClock : TimeProvider
    {
        const int Often = 10;

        int _looked;
        volatile TaskCompletionSource? _heard;

        public Task Heard => _heard!.Task;

        public void Listen()
        {
            _heard = new(TaskCreationOptions.RunContinuationsAsynchronously);
            Interlocked.Exchange(ref _looked, 0);
        }

        public override long GetTimestamp()
        {
            if (Interlocked.Increment(ref _looked) >= Often)
                _heard?.TrySetResult();
            return base.GetTimestamp();
        }
    }

    ConfigFile Load(string text)
    {
        // None, and not an empty one, is what a first start finds.
        if (text.Length > 0)
            _directory.Write("config.toml", text);
        return ConfigFile.Load(_directory["config.toml"], _directory.Path, null, TimeProvider.System);
    }
}
