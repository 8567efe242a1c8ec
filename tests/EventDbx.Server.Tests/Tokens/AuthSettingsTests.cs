using EventDbx.Server.Configuration;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Tests.Tokens;

public sealed class AuthSettingsTests : IDisposable
{
    readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task A_secret_that_is_missing_is_made_once()
    {
        var made = await EnsureAsync();
        var again = await EnsureAsync();

        Assert.Equal((32, "key-20260102030405"), (made.Secret.Length, made.KeyId));
        Assert.Equal(made.Secret, again.Secret);
        Assert.Equal(made.KeyId, again.KeyId);
        Assert.Equal(("eventdbx://self", "eventdbx-clients", TimeSpan.FromHours(1), TimeSpan.FromSeconds(30)), (made.Issuer, made.Audience, made.DefaultTtl, made.ClockSkew));
        Assert.Contains(Convert.ToBase64String(made.Secret), await ConfigTextAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Many_who_find_none_at_once_go_on_with_the_same_one()
    {
        var files = Enumerable.Range(0, 8).Select(_ => Load()).ToList();
        var settings = await Task.WhenAll(files.Select(file => Task.Run(() => AuthSettings.EnsureAsync(file, TokenBench.Cancellation))));

        Assert.Single(settings.Select(found => Convert.ToBase64String(found.Secret)).Distinct());
        Assert.Single(settings.Select(found => found.KeyId).Distinct());
    }

    [Fact]
    public async Task A_secret_that_is_there_is_kept_and_gets_a_name()
    {
        var secret = Convert.ToBase64String(new byte[33]);
        _directory.Write("config.toml", $"# mine\n[auth]\nsecret = \"{secret}\"\nissuer = \"me\"\n");

        var settings = await EnsureAsync();

        Assert.Equal((33, "key-20260102030405", "me"), (settings.Secret.Length, settings.KeyId, settings.Issuer));
        Assert.Contains("\n# mine\n", await ConfigTextAsync(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0", "27 bytes")]
    [InlineData("my-secret-word", "not base64")]
    public async Task A_secret_that_is_no_good_is_refused_and_not_shown(string secret, string why)
    {
        _directory.Write("config.toml", $"[auth]\nsecret = \"{secret}\"\nkey_id = \"k\"\n");

        var refused = await Assert.ThrowsAsync<ConfigException>(EnsureAsync);

        Assert.Contains("auth.secret", refused.Message, StringComparison.Ordinal);
        Assert.Contains(why, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(secret, refused.Message, StringComparison.Ordinal);
    }

    ConfigFile Load() => ConfigFile.Load(_directory["config.toml"], _directory.Path, dataDir: null, new ManualClock());

    Task<AuthSettings> EnsureAsync() => AuthSettings.EnsureAsync(Load(), TokenBench.Cancellation);

    Task<string> ConfigTextAsync() => File.ReadAllTextAsync(_directory["config.toml"], TokenBench.Cancellation);
}
