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
        var made = await ChooseAsync("", null, StoreState.Absent);
        var again = await ChooseAsync(null, null, StoreState.Sealed);

        Assert.Equal(StoreKey.Length, made.Key!.Length);
        Assert.Contains(_directory["config.toml"], made.Notice, StringComparison.Ordinal);
        Assert.Contains("keep a copy", made.Notice, StringComparison.Ordinal);
        Assert.Equal(made.Key, again.Key);
        Assert.Null(again.Notice);
    }

    [Theory, InlineData(StoreState.Absent), InlineData(StoreState.Sealed)]
    public async Task A_supplied_key_is_used_and_not_written_down(StoreState store)
    {
        var chosen = await ChooseAsync("port = 1\n", One + "\n", store);

        Assert.Equal(Convert.FromBase64String(One), chosen.Key);
        Assert.Null(chosen.Notice);
        Assert.Equal("port = 1\n", await File.ReadAllTextAsync(_directory["config.toml"], TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Encryption_off_creates_a_plain_store_without_a_key()
    {
        var chosen = await ChooseAsync("encryption = \"off\"\n", null, StoreState.Absent);

        Assert.Equal(new StoreKeyChoice(null, null), chosen);
    }

    [Fact]
    public async Task A_sealed_store_without_its_key_is_refused_and_no_key_is_made()
    {
        var refused = await Assert.ThrowsAsync<StoreRefusedException>(() => ChooseAsync("port = 1\n", null, StoreState.Sealed));

        Assert.Contains("its key is missing", refused.Message, StringComparison.Ordinal);
        Assert.Equal("port = 1\n", await File.ReadAllTextAsync(_directory["config.toml"], TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_plain_store_takes_no_key_over_it()
    {
        await Assert.ThrowsAsync<StoreRefusedException>(() => ChooseAsync($"data_encryption_key = \"{One}\"\n", null, StoreState.Plain));
        await Assert.ThrowsAsync<StoreRefusedException>(() => ChooseAsync("", One, StoreState.Plain));

        Assert.Null((await ChooseAsync("", null, StoreState.Plain)).Key);
    }

    [Theory]
    [InlineData("encryption = \"off\"\ndata_encryption_key = \"{One}\"\n", null, "encryption is \"off\"")]
    [InlineData("encryption = \"off\"\n", "{One}", "encryption is \"off\"")]
    [InlineData("data_encryption_key = \"{One}\"\n", "{Two}", "are two different keys")]
    [InlineData("", "short", "EVENTDBX_DEK must be 32 bytes in base64")]
    public async Task Contradictions_are_refused(string text, string? supplied, string problem)
    {
        var refused = await Assert.ThrowsAsync<ConfigException>(
            () => ChooseAsync(Fill(text), supplied is null ? null : Fill(supplied), StoreState.Absent));

        Assert.Contains(problem, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(One, refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_that_make_a_key_at_once_get_the_same_one()
    {
        var keys = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Run(() => ChooseAsync(null, null, StoreState.Absent))));

        Assert.Single(keys.Select(choice => Convert.ToBase64String(choice.Key!)).Distinct());
        Assert.Single(keys, choice => choice.Notice is not null);
    }

    static string Fill(string text) =>
        text.Replace("{One}", One, StringComparison.Ordinal).Replace("{Two}", Two, StringComparison.Ordinal);

    Task<StoreKeyChoice> ChooseAsync(string? text, string? supplied, StoreState store)
    {
        if (text is not null)
            _directory.Write("config.toml", text);
        var file = ConfigFile.Load(_directory["config.toml"], _directory[".eventdbx"], null, TimeProvider.System);
        return StoreKey.ChooseAsync(file, supplied, store, TestContext.Current.CancellationToken);
    }
}
