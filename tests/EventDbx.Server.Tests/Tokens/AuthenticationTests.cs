using System.Text;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Tests.Tokens;

/// <summary>Who gets in: a token that is signed, in the ledger, active and in time. Nobody else.</summary>
public sealed class AuthenticationTests
{
    [Fact]
    public async Task A_token_opens_a_session_of_its_actor_and_grants()
    {
        await using var bench = TokenBench.Open();
        var issued = await bench.IssueAsync(request => request with { Actions = ["aggregate.read"], Resources = ["aggregate:order:*"] });

        var session = bench.Tokens.Authenticate(issued.Token);

        Assert.Equal(new Actor("ops", "cron"), session.Actor);
        Assert.True(session.Grants.Allows(AccessAction.AggregateRead, AggregateKey.Create("order", "1")));
        Assert.False(session.Grants.Allows(AccessAction.AggregateRead, AggregateKey.Create("patient", "1")));
        Assert.False(session.Grants.Allows(AccessAction.AggregateAppend));
        Assert.False(session.Grants.Root);
        Assert.Same(session, bench.Tokens.Authenticate(issued.Token));
    }

    [Fact]
    public async Task A_bit_flipped_at_any_character_is_refused_and_the_token_itself_still_works()
    {
        await using var bench = TokenBench.Open(encrypted: false);
        var token = (await bench.IssueAsync()).Token;
        for (var at = 0; at < token.Length; at++)
        {
            for (var bit = 0; bit < 8; bit++)
            {
                var changed = $"{token[..at]}{(char)(token[at] ^ (1 << bit))}{token[(at + 1)..]}";
                Assert.Equal(RefusalCode.Unauthenticated, bench.Refused(changed).Code);
            }
        }

        bench.Tokens.Authenticate(token);
    }

    [Theory]
    [InlineData("", "malformed")]
    [InlineData("garbage", "malformed")]
    [InlineData("a.b", "malformed")]
    [InlineData("höhö.abcd.abcd", "malformed")]
    [InlineData("abcd.abcd.abcd", "not known")]
    [InlineData("45c3013e-9b95-4ed0-9af9-1a465f81d3cf", "malformed")]
    public async Task What_is_no_token_is_refused_and_not_repeated(string text, string why)
    {
        await using var bench = TokenBench.Open(encrypted: false);

        var refusal = bench.Refused(text);

        Assert.Equal(RefusalCode.Unauthenticated, refusal.Code);
        Assert.Contains(why, refusal.Message, StringComparison.Ordinal);
        if (text.Length > 0)
            Assert.DoesNotContain(text, refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_text_longer_than_any_token_is_refused_unread()
    {
        await using var bench = TokenBench.Open(encrypted: false);
        Assert.Contains("malformed", bench.Refused(new string('a', 10_000_000)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_jti_is_no_token()
    {
        await using var bench = TokenBench.Open(encrypted: false);
        var issued = await bench.IssueAsync();
        Assert.Contains("malformed", bench.Refused(issued.Listing.Jti.ToString()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_signed_token_that_is_not_in_the_ledger_is_refused()
    {
        await using var bench = TokenBench.Open(encrypted: false);
        await using var other = TokenBench.Open(encrypted: false);
        var theirs = await other.IssueAsync();

        Assert.Contains("not known", bench.Refused(theirs.Token).Message, StringComparison.Ordinal);
        other.Tokens.Authenticate(theirs.Token);
    }

    [Fact]
    public async Task A_token_in_the_ledger_is_refused_under_another_secret_key_id_issuer_or_audience()
    {
        await using var bench = TokenBench.Open(encrypted: false);
        var token = (await bench.IssueAsync()).Token;
        var ours = bench.Settings;
        foreach (var (settings, why) in new[]
        {
            (ours with { Secret = new byte[32] }, "signature"), (ours with { KeyId = "key-2" }, "secret"), (ours with { Issuer = "eventdbx://other" }, "issuer"),
            (ours with { Audience = "others" }, "audience"),
        })
        {
            bench.Settings = settings;
            await bench.ReopenAsync();
            var refusal = bench.Refused(token);
            Assert.Equal(RefusalCode.Unauthenticated, refusal.Code);
            Assert.Contains(why, refusal.Message, StringComparison.Ordinal);
        }

        bench.Settings = ours;
        await bench.ReopenAsync();
        bench.Tokens.Authenticate(token);
    }

    [Theory]
    [InlineData("\"aggregate:order:*\"", "\"*\"")]
    [InlineData("\"root\":false", "\"root\":true")]
    [InlineData("\"group\":\"ops\"", "\"group\":\"admin\"")]
    [InlineData("\"write_events\":5", "\"write_events\":500")]
    [InlineData("\"aggregate.read\"", "\"*.*\"")]
    public async Task Who_edits_the_ledger_cannot_widen_a_token(string from, string to)
    {
        await using var bench = TokenBench.Open(encrypted: false);
        var issued = await bench.IssueAsync(request => request with { Actions = ["aggregate.read"], Resources = ["aggregate:order:*"], WriteLimit = 5 });
        Assert.Contains(from, bench.LedgerText, StringComparison.Ordinal);
        await File.WriteAllTextAsync(bench.LedgerPath, bench.LedgerText.Replace(from, to, StringComparison.Ordinal), TokenBench.Cancellation);
        await bench.ReopenAsync();

        Assert.Contains("not what was signed", bench.Refused(issued.Token).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_edits_the_ledger_cannot_prolong_a_token()
    {
        await using var bench = TokenBench.Open(encrypted: false);
        var issued = await bench.IssueAsync();
        var text = bench.LedgerText.Replace($"\"expires_at\":\"{issued.Listing.ExpiresAt}\"", "\"expires_at\":null", StringComparison.Ordinal);
        Assert.NotEqual(text, bench.LedgerText);
        await File.WriteAllTextAsync(bench.LedgerPath, text, TokenBench.Cancellation);
        await bench.ReopenAsync();

        bench.Tokens.Authenticate(issued.Token);
        bench.Clock.Pass(TimeSpan.FromHours(2));
        Assert.Contains("expired", bench.Refused(issued.Token).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_token_lives_to_its_end_and_the_clock_skew_beyond()
    {
        await using var bench = TokenBench.Open(encrypted: false);
        var issued = await bench.IssueAsync(request => request with { TtlSeconds = 100 });
        var end = issued.Listing.ExpiresAt!.Value.ToDateTimeOffset();

        bench.Clock.Now = end + TimeSpan.FromSeconds(30) - TimeSpan.FromTicks(1);
        bench.Tokens.Authenticate(issued.Token);
        bench.Clock.Now = end + TimeSpan.FromSeconds(30);
        var refusal = bench.Refused(issued.Token);

        Assert.Equal(RefusalCode.Unauthenticated, refusal.Code);
        Assert.Contains("has expired", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_token_from_the_future_is_refused_beyond_the_clock_skew()
    {
        await using var bench = TokenBench.Open(encrypted: false);
        var issued = await bench.IssueAsync();
        var start = issued.Listing.IssuedAt.ToDateTimeOffset();

        bench.Clock.Now = start - TimeSpan.FromSeconds(30);
        bench.Tokens.Authenticate(issued.Token);
        bench.Clock.Now = start - TimeSpan.FromSeconds(31);
        Assert.Contains("not valid yet", bench.Refused(issued.Token).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_request_allocates_nothing()
    {
        await using var bench = TokenBench.Open(encrypted: false);
        var token = (await bench.IssueAsync()).Token;
        for (var i = 0; i < 100; i++)
            bench.Tokens.Authenticate(token);

        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 100; i++)
            bench.Tokens.Authenticate(token);

        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public async Task Revoking_closes_the_door_under_many_who_use_it()
    {
        await using var bench = TokenBench.Open(encrypted: false);
        var issued = await bench.IssueAsync();
        var revoked = false;
        var after = 0;
        var users = Enumerable.Range(0, 4).Select(_ => Task.Run(() =>
        {
            while (true)
            {
                var wasRevoked = Volatile.Read(ref revoked);
                try
                {
                    bench.Tokens.Authenticate(issued.Token);
                    if (wasRevoked)
                        Interlocked.Increment(ref after);
                }
                catch (RefusedException refused) when (refused.Refusal.Message.Contains("revoked", StringComparison.Ordinal))
                {
                    return;
                }
            }
        }, TokenBench.Cancellation)).ToArray();

        await bench.Tokens.RevokeAsync(bench.Owner, issued.Token, null, TokenBench.Cancellation);
        Volatile.Write(ref revoked, true);
        await Task.WhenAll(users);

        Assert.Equal(0, after);
    }
}
