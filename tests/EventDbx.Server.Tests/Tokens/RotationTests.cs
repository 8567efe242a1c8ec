using System.Text;
using EventDbx.Server.Configuration;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Tests.Tokens;

/// <summary>The signing secret is replaced: who signs, what is taken and until when, and what is written down.</summary>
public sealed class RotationTests
{
    [Fact]
    public async Task A_new_secret_signs_at_once_and_tokens_of_the_old_one_are_taken_until_the_overlap_is_over()
    {
        await using var bench = await OpenAsync();
        var old = await bench.IssueAsync(request => request with { TtlSeconds = 0 });
        bench.Tokens.Authenticate(old.Token);

        var rotation = await bench.Tokens.RotateSecretAsync(bench.Owner, TimeSpan.FromHours(1), TokenBench.Cancellation);
        var next = await bench.IssueAsync(request => request with { TtlSeconds = 0 });

        Assert.Equal((bench.Settings.KeyId, "2026-01-02T04:04:05Z"), (rotation.PreviousKeyId, rotation.PreviousUntil.ToString()));
        Assert.NotEqual(old.Token.Split('.')[0], next.Token.Split('.')[0]);
        bench.Tokens.Authenticate(next.Token);
        bench.Clock.Now = rotation.PreviousUntil!.Value.ToDateTimeOffset() - TimeSpan.FromTicks(1);
        bench.Tokens.Authenticate(old.Token);
        bench.Clock.Now += TimeSpan.FromTicks(1);
        var refusal = bench.Refused(old.Token);
        Assert.Equal(RefusalCode.Unauthenticated, refusal.Code);
        Assert.Contains($"({rotation.PreviousKeyId}) was replaced, and counted until 2026-01-02T04:04:05Z", refusal.Message, StringComparison.Ordinal);
        bench.Tokens.Authenticate(next.Token);
    }

    [Fact]
    public async Task Without_an_overlap_the_very_next_request_with_an_old_token_is_refused()
    {
        await using var bench = await OpenAsync();
        var old = await bench.IssueAsync();
        bench.Tokens.Authenticate(old.Token);

        var rotation = await bench.Tokens.RotateSecretAsync(bench.Owner, TimeSpan.Zero, TokenBench.Cancellation);

        Assert.Null(rotation.PreviousUntil);
        Assert.Contains("`auth.secret` was replaced", bench.Refused(old.Token).Message, StringComparison.Ordinal);
        var saved = Load(bench).Config;
        Assert.Equal((null, null, null), (saved.AuthPreviousSecret, saved.AuthPreviousKeyId, saved.AuthPreviousUntil));
    }

    [Fact]
    public async Task There_are_two_secrets_at_most_and_the_one_that_is_dropped_is_named()
    {
        await using var bench = await OpenAsync();
        var first = await bench.IssueAsync();
        Assert.Null((await bench.Tokens.RotateSecretAsync(bench.Owner, TimeSpan.FromHours(5), TokenBench.Cancellation)).Dropped);
        var second = await bench.IssueAsync();

        // In the same second, too: the names differ.
        var rotation = await bench.Tokens.RotateSecretAsync(bench.Owner, TimeSpan.FromHours(1), TokenBench.Cancellation);

        Assert.Equal(bench.Settings.KeyId, rotation.Dropped!.KeyId);
        Assert.Equal(3, new[] { rotation.KeyId, rotation.PreviousKeyId, rotation.Dropped.KeyId }.Distinct().Count());
        bench.Refused(first.Token);
        bench.Tokens.Authenticate(second.Token);
        bench.Tokens.Authenticate((await bench.IssueAsync()).Token);
    }

    [Fact]
    public async Task What_was_replaced_is_still_so_after_a_restart_and_a_refresh_moves_a_token_to_the_new_secret()
    {
        await using var bench = await OpenAsync();
        var (moved, left) = (await bench.IssueAsync(), await bench.IssueAsync());
        var rotation = await bench.Tokens.RotateSecretAsync(bench.Owner, TimeSpan.FromMinutes(5), TokenBench.Cancellation);
        await RestartAsync(bench);
        bench.Tokens.Authenticate(left.Token);

        var successor = await bench.Tokens.RefreshAsync(bench.Owner, moved.Token, new(), TokenBench.Cancellation);

        bench.Clock.Pass(TimeSpan.FromMinutes(6));
        bench.Tokens.Authenticate(successor.Token);
        Assert.Contains(rotation.PreviousKeyId, bench.Refused(left.Token).Message, StringComparison.Ordinal);
        await RestartAsync(bench);
        bench.Tokens.Authenticate(successor.Token);
        Assert.Contains(rotation.PreviousKeyId, bench.Refused(left.Token).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("auth.secret", "`auth.secret` was changed")]
    [InlineData("auth.key_id", "`auth.secret` was replaced")]
    public async Task A_secret_that_somebody_changed_in_the_file_refuses_every_older_token_at_the_next_start_and_says_so(string key, string why)
    {
        await using var bench = await OpenAsync();
        var old = await bench.IssueAsync();
        await ChangeAsync(bench, config => key == "auth.secret" ? config with { AuthSecret = Convert.ToBase64String(new byte[32]) } : config with { AuthKeyId = "mine" });

        // Until then the secret in use stays the one it was, and is not replaced over the head of who changed the file.
        bench.Tokens.Authenticate(old.Token);
        var refused = await Assert.ThrowsAsync<RefusedException>(() => bench.Tokens.RotateSecretAsync(bench.Owner, TimeSpan.FromHours(1), TokenBench.Cancellation));
        Assert.Contains("it was changed since the server started", refused.Message, StringComparison.Ordinal);
        bench.Tokens.Authenticate(old.Token);

        await RestartAsync(bench);
        Assert.Contains(why, bench.Refused(old.Token).Message, StringComparison.Ordinal);
        bench.Tokens.Authenticate((await bench.IssueAsync()).Token);
        await bench.Tokens.RotateSecretAsync(bench.Owner, TimeSpan.FromHours(1), TokenBench.Cancellation);
    }

    [Fact]
    public async Task A_rotation_stands_in_the_log_without_a_secret_and_the_file_alone_holds_both()
    {
        await using var bench = await OpenAsync();
        var before = Load(bench).Config.AuthSecret;

        var rotation = await bench.Tokens.RotateSecretAsync(bench.Owner, TimeSpan.FromDays(1), TokenBench.Cancellation);

        var entry = Assert.Single(bench.ControlEntries());
        Assert.Equal(("key_change", "auth.secret"), (entry.Kind, entry.Subject));
        var body = Encoding.UTF8.GetString(entry.Body.Span);
        Assert.Equal($$"""{"key_id":"{{rotation.KeyId}}","previous_key_id":"{{rotation.PreviousKeyId}}","previous_until":"2026-01-03T03:04:05Z"}""", body);
        var saved = Load(bench).Config;
        Assert.Equal(before, saved.AuthPreviousSecret);
        Assert.NotEqual(before, saved.AuthSecret);
        Assert.DoesNotContain(saved.AuthPreviousSecret!, ConfigFile.Show(saved, secrets: false), StringComparison.Ordinal);
        if (!OperatingSystem.IsWindows())
            Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Load(bench).Path));
    }

    [Fact]
    public async Task A_secret_is_replaced_even_when_the_log_takes_no_more_writes()
    {
        await using var bench = await OpenAsync();
        var old = await bench.IssueAsync();
        var owner = bench.Owner;
        await bench.Database.DisposeAsync();

        var refused = await Assert.ThrowsAsync<RefusedException>(() => bench.Tokens.RotateSecretAsync(owner, TimeSpan.Zero, TokenBench.Cancellation));

        Assert.Contains("The secret is replaced", refused.Message, StringComparison.Ordinal);
        Assert.NotEqual(bench.Settings.KeyId, Load(bench).Config.AuthKeyId);
        bench.Refused(old.Token);
    }

    [Fact]
    public async Task Nothing_is_replaced_by_who_may_not_or_where_there_is_nowhere_to_write_it()
    {
        await using var bench = await OpenAsync();
        var token = await bench.IssueAsync(request => request with { Actions = ["*"] });
        var before = File.ReadAllText(Load(bench).Path);

        await RefusedAsync(RefusalCode.PermissionDenied, bench.Tokens.Authenticate(token.Token), TimeSpan.FromHours(1));
        await RefusedAsync(RefusalCode.InvalidArgument, bench.Owner, TimeSpan.FromSeconds(-1));
        await RefusedAsync(RefusalCode.InvalidArgument, bench.Owner, TokenBounds.OverlapMax + TimeSpan.FromSeconds(1));
        bench.File = null;
        await bench.ReopenAsync();
        await RefusedAsync(RefusalCode.InvalidArgument, bench.Owner, TimeSpan.FromHours(1));
        bench.File = Load(bench, new ConfigEnvironment(name => name == "EVENTDBX_AUTH_SECRET" ? Convert.ToBase64String(new byte[32]) : null, "/"));
        await bench.ReopenAsync();
        Assert.Contains("EVENTDBX_AUTH_SECRET", await RefusedAsync(RefusalCode.InvalidArgument, bench.Owner, TimeSpan.FromHours(1)), StringComparison.Ordinal);

        Assert.Equal(before, File.ReadAllText(Load(bench).Path));
        bench.Tokens.Authenticate(token.Token);

        async Task<string> RefusedAsync(RefusalCode code, Session by, TimeSpan overlap)
        {
            var refused = await Assert.ThrowsAsync<RefusedException>(() => bench.Tokens.RotateSecretAsync(by, overlap, TokenBench.Cancellation));
            Assert.Equal(code, refused.Refusal.Code);
            return refused.Message;
        }
    }

    [Theory]
    [InlineData("auth.previous_secret")]
    [InlineData("auth.previous_key_id")]
    [InlineData("auth.previous_until")]
    public async Task An_older_secret_of_which_a_part_is_missing_is_refused_and_not_left_out(string missing)
    {
        await using var bench = await OpenAsync();
        await bench.Tokens.RotateSecretAsync(bench.Owner, TimeSpan.FromDays(1), TokenBench.Cancellation);
        await ChangeAsync(bench, config => missing switch
        {
            "auth.previous_secret" => config with { AuthPreviousSecret = null },
            "auth.previous_key_id" => config with { AuthPreviousKeyId = null },
            _ => config with { AuthPreviousUntil = null },
        });

        var refused = await Assert.ThrowsAsync<ConfigException>(() => AuthSettings.EnsureAsync(Load(bench), TokenBench.Cancellation));

        Assert.Contains("go together", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Two_secrets_that_tokens_could_not_tell_apart_are_refused()
    {
        await using var bench = await OpenAsync();
        await bench.Tokens.RotateSecretAsync(bench.Owner, TimeSpan.FromDays(1), TokenBench.Cancellation);
        await ChangeAsync(bench, config => config with { AuthPreviousKeyId = config.AuthKeyId });

        var refused = await Assert.ThrowsAsync<ConfigException>(() => AuthSettings.EnsureAsync(Load(bench), TokenBench.Cancellation));

        Assert.Contains("so they must differ", refused.Message, StringComparison.Ordinal);
    }

    static async Task<TokenBench> OpenAsync()
    {
        var bench = TokenBench.Open(encrypted: false);
        await RestartAsync(bench);
        return bench;
    }

    static async Task RestartAsync(TokenBench bench)
    {
        bench.File = Load(bench);
        bench.Settings = await AuthSettings.EnsureAsync(bench.File, TokenBench.Cancellation);
        await bench.ReopenAsync();
    }

    static ConfigFile Load(TokenBench bench, ConfigEnvironment? environment = null) =>
        ConfigFile.Load(bench.Directory["config.toml"], bench.Directory.Path, null, bench.Clock, environment);

    static Task<ServerConfig> ChangeAsync(TokenBench bench, Func<ServerConfig, ServerConfig> change) => Load(bench).UpdateAsync(change, TokenBench.Cancellation);
}
