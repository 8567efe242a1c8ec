namespace EventDbx.Cli.Tests;

/// <summary>Decision 33: encrypted from the first event; a key is made with a store and never over one.</summary>
public sealed class StoreKeyTests : IDisposable
{
    static readonly string One = Convert.ToBase64String([.. Enumerable.Repeat((byte)1, 32)]);
    static readonly string Two = Convert.ToBase64String([.. Enumerable.Repeat((byte)2, 32)]);

    readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task The_first_store_makes_a_key_and_says_where_it_lies()
    {
        var made = await ChooseAsync(null, null);
        await MakeStoreAsync(made);
        var again = await ChooseAsync(null, null);

        Assert.Contains(_directory["config.toml"], made.Notice, StringComparison.Ordinal);
        Assert.Contains("keep a copy", made.Notice, StringComparison.Ordinal);
        Assert.Null(again.Notice);
        await MakeStoreAsync(again);
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task A_supplied_key_is_used_and_not_written_down(bool exists)
    {
        if (exists)
            await MakeStoreAsync(await ChooseAsync("port = 1\n", One));

        var chosen = await ChooseAsync("port = 1\n", One + "\n");

        Assert.Equal((One, null), (chosen.Key!.ToBase64(), chosen.Notice));
        Assert.Equal("port = 1\n", await ConfigTextAsync());
    }

    [Fact]
    public async Task Encryption_off_creates_a_plain_store_without_a_key()
    {
        var chosen = await ChooseAsync("encryption = \"off\"\n", null);

        Assert.Equal(new StoreKeyChoice(null, false, null), chosen);
        await MakeStoreAsync(chosen);
    }

    [Fact]
    public async Task A_sealed_store_without_its_key_is_refused_and_no_key_is_made()
    {
        await MakeStoreAsync(await ChooseAsync("port = 1\n", One));
        var before = _directory.Fingerprint(".eventdbx/event_store");

        var chosen = await ChooseAsync("port = 1\n", null);
        var refused = await Assert.ThrowsAsync<StoreRefusedException>(() => MakeStoreAsync(chosen));

        Assert.Contains("no key was given", refused.Message, StringComparison.Ordinal);
        Assert.Equal("port = 1\n", await ConfigTextAsync());
        Assert.Equal(before, _directory.Fingerprint(".eventdbx/event_store"));
    }

    [Fact]
    public async Task A_plain_store_takes_no_key_over_it()
    {
        await MakeStoreAsync(await ChooseAsync("encryption = \"off\"\n", null));

        await Assert.ThrowsAsync<StoreRefusedException>(async () => await MakeStoreAsync(await ChooseAsync("port = 1\n", null)));
        await Assert.ThrowsAsync<StoreRefusedException>(async () => await MakeStoreAsync(await ChooseAsync("port = 1\n", One)));

        Assert.Equal("port = 1\n", await ConfigTextAsync());
    }

    [Theory]
    [InlineData("encryption = \"off\"\ndata_encryption_key = \"{One}\"\n", null, "encryption is \"off\"")]
    [InlineData("encryption = \"off\"\n", "{One}", "encryption is \"off\"")]
    [InlineData("data_encryption_key = \"{One}\"\n", "{Two}", "are two different keys")]
    [InlineData("port = 1\n", "short", "EVENTDBX_DEK: The data key has 5 characters")]
    public async Task Contradictions_are_refused(string text, string? supplied, string problem)
    {
        var refused = await Assert.ThrowsAsync<ConfigException>(() => ChooseAsync(Fill(text), supplied is null ? null : Fill(supplied)));

        Assert.Contains(problem, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(One, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_that_make_a_key_at_once_get_the_same_one()
    {
        var keys = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(() => ChooseAsync(null, null))));

        Assert.Single(keys.Select(choice => choice.Key!.ToBase64()).Distinct());
        Assert.Single(keys, choice => choice.Notice is not null);
    }

    static string Fill(string text) =>
        text.Replace("{One}", One, StringComparison.Ordinal).Replace("{Two}", Two, StringComparison.Ordinal);

    /// <param name="text">Of the configuration; null leaves it as it is.</param>
    Task<StoreKeyChoice> ChooseAsync(string? text, string? supplied)
    {
        if (text is not null)
            _directory.Write("config.toml", text);
        var file = ConfigFile.Load(_directory["config.toml"], _directory[".eventdbx"], null, TimeProvider.System);
        return StoreKey.ChooseAsync(file, supplied, TestContext.Current.CancellationToken);
    }

    /// <summary>Makes the store, or opens the one that is there.</summary>
    async Task MakeStoreAsync(StoreKeyChoice choice)
    {
        using var key = choice.Key;
        await using var database = Database.Open(new DatabaseOptions
        {
            Directory = _directory[".eventdbx"],
            Key = key,
            Encrypted = choice.Encrypted,
        });
    }

    Task<string> ConfigTextAsync() => File.ReadAllTextAsync(_directory["config.toml"], TestContext.Current.CancellationToken);
}
