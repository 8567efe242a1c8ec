using System.Text;
using System.Text.Json;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Tests.Tokens;

/// <summary>Issue, list, revoke, refresh.</summary>
public sealed class IssueTests
{
    [Fact]
    public async Task Without_root_and_actions_a_token_appends_and_reads_everything_and_says_so()
    {
        await using var bench = TokenBench.Open(encrypted: false);
        var plain = await bench.IssueAsync();
        var named = await bench.IssueAsync(request => request with { Actions = ["aggregate.read"] });
        var root = await bench.IssueAsync(request => request with { Root = true, Actions = ["aggregate.read"], Resources = ["aggregate:a:b"] });

        Assert.Equal((true, false, false), (plain.ActionsDefaulted, named.ActionsDefaulted, root.ActionsDefaulted));
        Assert.Equal(["aggregate.append", "aggregate.read"], plain.Listing.Actions);
        Assert.Equal(["*"], plain.Listing.Resources);
        Assert.Equal(["*.*"], root.Listing.Actions);
        Assert.Equal(["*"], root.Listing.Resources);
        Assert.Equal(("ops:cron", "admin"), (plain.Listing.Subject, plain.Listing.IssuedBy));
        Assert.True(bench.Tokens.Authenticate(root.Token).Grants.Root);
    }

    [Theory]
    [InlineData(null, 3600)]
    [InlineData(0ul, null)]
    [InlineData(1ul, 1)]
    [InlineData(ulong.MaxValue, -1)]
    public async Task A_lifetime_is_as_asked_for(ulong? asked, int? seconds)
    {
        await using var bench = TokenBench.Open(encrypted: false);
        var listing = (await bench.IssueAsync(request => request with { TtlSeconds = asked })).Listing;

        if (seconds is null)
            Assert.Null(listing.ExpiresAt);
        else if (seconds < 0)
            Assert.Equal("9999-12-31T23:59:59Z", listing.ExpiresAt.ToString());
        else
            Assert.Equal(TimeSpan.FromSeconds(seconds.Value), listing.ExpiresAt!.Value.ToDateTimeOffset() - listing.IssuedAt.ToDateTimeOffset());
    }

    [Fact]
    public async Task No_default_lifetime_is_under_a_minute()
    {
        await using var bench = TokenBench.Open(encrypted: false);
        bench.Settings = bench.Settings with { DefaultTtl = TimeSpan.FromSeconds(5) };
        await bench.ReopenAsync();
        var listing = (await bench.IssueAsync()).Listing;
        Assert.Equal(TimeSpan.FromMinutes(1), listing.ExpiresAt!.Value.ToDateTimeOffset() - listing.IssuedAt.ToDateTimeOffset());
    }

    [Fact]
    public async Task What_is_out_of_form_or_bounds_is_refused_and_leaves_nothing()
    {
        await using var bench = TokenBench.Open(encrypted: false);
        foreach (var (change, code) in new (Func<TokenRequest, TokenRequest>, RefusalCode)[]
        {
            (request => request with { Group = "" }, RefusalCode.InvalidName),
            (request => request with { User = "a\nb" }, RefusalCode.InvalidName),
            (request => request with { User = new('u', 257) }, RefusalCode.InvalidName),
            (request => request with { Subject = new('s', 514) }, RefusalCode.InvalidName),
            (request => request with { IssuedBy = "" }, RefusalCode.InvalidName),
            (request => request with { Actions = ["aggregate.write"] }, RefusalCode.InvalidArgument),
            (request => request with { Root = true, Actions = ["aggregate.write"] }, RefusalCode.InvalidArgument),
            (request => request with { Resources = ["order:*"] }, RefusalCode.InvalidArgument),
            (request => request with { Actions = [.. Enumerable.Repeat("aggregate.read", 101)] }, RefusalCode.LimitExceeded),
            (request => request with { Resources = [.. Enumerable.Repeat("*", 1001)] }, RefusalCode.LimitExceeded),
            (request => request with { Resources = [.. Enumerable.Repeat("aggregate:" + new string('t', 100), 200)] }, RefusalCode.LimitExceeded),
        })
        {
            var refused = await Assert.ThrowsAsync<RefusedException>(() => bench.IssueAsync(change));
            Assert.Equal(code, refused.Refusal.Code);
        }

        Assert.Empty(bench.Tokens.List(bench.Owner));
        Assert.Empty(bench.ControlEntries());
        foreach (var change in new Func<TokenRequest, TokenRequest>[]
        {
            request => request with { User = new('u', 256), Group = new('g', 256) },
            request => request with { Subject = new('s', 513) },
            request => request with { Actions = [.. Enumerable.Repeat("aggregate.read", 100)] },
            request => request with { Resources = [.. Enumerable.Repeat("*", 1000)] },
        })
        {
            bench.Tokens.Authenticate((await bench.IssueAsync(change)).Token);
        }
    }

    [Fact]
    public async Task Only_root_manages_tokens()
    {
        await using var bench = TokenBench.Open(encrypted: false);
        var issued = await bench.IssueAsync(request => request with { Actions = ["*.*"] });
        var session = bench.Tokens.Authenticate(issued.Token);
        var entries = bench.ControlEntries().Count;

        await DeniedAsync(() => bench.Tokens.IssueAsync(session, new() { Group = "a", User = "b" }, TokenBench.Cancellation));
        await DeniedAsync(() => bench.Tokens.RevokeAsync(session, issued.Token, null, TokenBench.Cancellation));
        await DeniedAsync(() => bench.Tokens.RefreshAsync(session, issued.Token, new(), TokenBench.Cancellation));
        await DeniedAsync(() => Task.FromResult(bench.Tokens.List(session)));

        bench.Tokens.Authenticate(issued.Token);
        Assert.Equal(entries, bench.ControlEntries().Count);
        var root = bench.Tokens.Authenticate((await bench.IssueAsync(request => request with { Root = true })).Token);
        Assert.Equal(2, bench.Tokens.List(root).Count);

        static async Task DeniedAsync(Func<Task> act) =>
            Assert.Equal(RefusalCode.PermissionDenied, (await Assert.ThrowsAsync<RefusedException>(act)).Refusal.Code);
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task A_token_that_was_revoked_is_refused_by_token_or_by_id(bool byId)
    {
        await using var bench = TokenBench.Open();
        var issued = await bench.IssueAsync();
        var kept = await bench.IssueAsync();
        bench.Tokens.Authenticate(issued.Token);

        var revocation = await bench.Tokens.RevokeAsync(
            bench.Owner, byId ? issued.Listing.Jti.ToString() : $" {issued.Token}\n", "lost laptop", TokenBench.Cancellation);

        Assert.Equal(new(issued.Listing.Jti, Timestamp.From(bench.Clock.Now), "lost laptop"), revocation);
        Assert.Equal((RefusalCode.Unauthenticated, "The token has been revoked."), (bench.Refused(issued.Token).Code, bench.Refused(issued.Token).Message));
        bench.Tokens.Authenticate(kept.Token);
        await bench.ReopenAsync();
        Assert.Contains("revoked", bench.Refused(issued.Token).Message, StringComparison.Ordinal);
        bench.Tokens.Authenticate(kept.Token);
        Assert.Equal([TokenStatus.Revoked, TokenStatus.Active], bench.Tokens.List(bench.Owner).Select(listing => listing.Status));
        Assert.Equal("lost laptop", bench.Tokens.List(bench.Owner)[0].RevokedReason);
    }

    [Fact]
    public async Task Revoking_again_keeps_the_time_and_may_give_another_reason()
    {
        await using var bench = TokenBench.Open(encrypted: false);
        var issued = await bench.IssueAsync();
        var first = await bench.Tokens.RevokeAsync(bench.Owner, issued.Token, "one", TokenBench.Cancellation);
        bench.Clock.Pass(TimeSpan.FromMinutes(1));

        Assert.Equal(first with { Reason = "two" }, await bench.Tokens.RevokeAsync(bench.Owner, issued.Token, "two", TokenBench.Cancellation));
        Assert.Equal(first with { Reason = "two" }, await bench.Tokens.RevokeAsync(bench.Owner, issued.Token, null, TokenBench.Cancellation));
    }

    [Theory]
    [InlineData("45c3013e-9b95-4ed0-9af9-1a465f81d3cf")]
    [InlineData("abcd.abcd.abcd")]
    [InlineData("")]
    public async Task What_is_not_known_cannot_be_revoked_or_refreshed(string given)
    {
        await using var bench = TokenBench.Open(encrypted: false);
        var revoke = await Assert.ThrowsAsync<RefusedException>(() => bench.Tokens.RevokeAsync(bench.Owner, given, null, TokenBench.Cancellation));
        var refresh = await Assert.ThrowsAsync<RefusedException>(() => bench.Tokens.RefreshAsync(bench.Owner, given, new(), TokenBench.Cancellation));

        Assert.Equal((RefusalCode.Unauthenticated, RefusalCode.Unauthenticated), (revoke.Refusal.Code, refresh.Refusal.Code));
        Assert.Contains("not found or inactive", revoke.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("abcd", revoke.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refresh_ends_the_old_token_and_makes_one_like_it()
    {
        await using var bench = TokenBench.Open();
        var old = await bench.IssueAsync(request => request with
        {
            Subject = "nightly", Actions = ["aggregate.append"], Resources = ["aggregate:order:*"], TtlSeconds = 90, WriteLimit = 5, KeepAlive = true, IssuedBy = "cli",
        });
        await bench.Tokens.Authenticate(old.Token).AppendAsync(TokenBench.Draft("1"), TokenBench.Cancellation);
        bench.Clock.Pass(TimeSpan.FromSeconds(10));

        var next = await bench.Tokens.RefreshAsync(bench.Owner, old.Token, new(), TokenBench.Cancellation);

        Assert.Contains("revoked", bench.Refused(old.Token).Message, StringComparison.Ordinal);
        Assert.NotEqual(old.Listing.Jti, next.Listing.Jti);
        Assert.Equal(("nightly", "ops", "cron", false, "cli"), (next.Listing.Subject, next.Listing.Group, next.Listing.User, next.Listing.Root, next.Listing.IssuedBy));
        Assert.Equal((old.Listing.Actions, old.Listing.Resources), (next.Listing.Actions, next.Listing.Resources));
        Assert.Equal((new TokenLimits(4, KeepAlive: true), 4ul), (next.Listing.Limits, next.Listing.WritesRemaining));
        Assert.Equal(TimeSpan.FromSeconds(90), next.Listing.ExpiresAt!.Value.ToDateTimeOffset() - next.Listing.IssuedAt.ToDateTimeOffset());
        Assert.Equal("refreshed", bench.Tokens.List(bench.Owner)[0].RevokedReason);
        await bench.ReopenAsync();
        bench.Tokens.Authenticate(next.Token);
    }

    [Fact]
    public async Task A_refresh_takes_another_lifetime_and_limit()
    {
        await using var bench = TokenBench.Open(encrypted: false);
        var old = await bench.IssueAsync(request => request with { TtlSeconds = 0, WriteLimit = 5 });

        var given = await bench.Tokens.RefreshAsync(bench.Owner, old.Listing.Jti.ToString(), new() { TtlSeconds = 70, WriteLimit = 9 }, TokenBench.Cancellation);
        Assert.Equal((9ul, TimeSpan.FromSeconds(70)), (given.Listing.WritesRemaining, given.Listing.ExpiresAt!.Value.ToDateTimeOffset() - given.Listing.IssuedAt.ToDateTimeOffset()));
        var forEver = await bench.Tokens.RefreshAsync(bench.Owner, given.Token, new() { TtlSeconds = 0 }, TokenBench.Cancellation);
        Assert.Null(forEver.Listing.ExpiresAt);
        var byDefault = await bench.Tokens.RefreshAsync(bench.Owner, forEver.Token, new(), TokenBench.Cancellation);
        Assert.Equal(TimeSpan.FromHours(1), byDefault.Listing.ExpiresAt!.Value.ToDateTimeOffset() - byDefault.Listing.IssuedAt.ToDateTimeOffset());
    }

    [Fact]
    public async Task A_revoked_or_expired_token_cannot_be_refreshed()
    {
        await using var bench = TokenBench.Open(encrypted: false);
        var revoked = await bench.IssueAsync();
        var expired = await bench.IssueAsync(request => request with { TtlSeconds = 60 });
        await bench.Tokens.RevokeAsync(bench.Owner, revoked.Token, null, TokenBench.Cancellation);
        bench.Clock.Pass(TimeSpan.FromSeconds(60));
        var entries = bench.ControlEntries().Count;

        foreach (var (token, why) in new[] { (revoked, "has been revoked"), (expired, "has expired") })
        {
            var refused = await Assert.ThrowsAsync<RefusedException>(() => bench.Tokens.RefreshAsync(bench.Owner, token.Token, new(), TokenBench.Cancellation));
            Assert.Equal(RefusalCode.Unauthenticated, refused.Refusal.Code);
            Assert.Contains($"{token.Listing.Jti} {why}", refused.Message, StringComparison.Ordinal);
        }

        Assert.Equal((2, entries), (bench.Tokens.List(bench.Owner).Count, bench.ControlEntries().Count));
        Assert.Equal([TokenStatus.Revoked, TokenStatus.Expired], bench.Tokens.List(bench.Owner).Select(listing => listing.Status));
    }

    [Fact]
    public async Task What_is_done_to_tokens_stands_in_the_log_without_their_secrets()
    {
        await using var bench = TokenBench.Open();
        var issued = await bench.IssueAsync(request => request with { WriteLimit = 7 });
        var next = await bench.Tokens.RefreshAsync(bench.Owner, issued.Token, new(), TokenBench.Cancellation);
        await bench.Tokens.RevokeAsync(bench.Owner, next.Token, "done", TokenBench.Cancellation);

        var entries = bench.ControlEntries();

        Assert.Equal(["token_issue", "token_refresh", "token_revoke"], entries.Select(entry => entry.Kind));
        Assert.Equal([issued.Listing.Jti, next.Listing.Jti, next.Listing.Jti], entries.Select(entry => Guid.Parse(entry.Subject)));
        Assert.All(entries, entry => Assert.Equal(new Actor("cli", "owner"), entry.Actor));
        Assert.Equal(
            $$"""{"subject":"ops:cron","group":"ops","user":"cron","root":false,"actions":["aggregate.append","aggregate.read"],"resources":["*"],"expires_at":"{{issued.Listing.ExpiresAt}}","limits":{"write_events":7,"keep_alive":false},"issued_by":"admin"}""",
            Encoding.UTF8.GetString(entries[0].Body.Span));
        Assert.Equal(issued.Listing.Jti.ToString(), Member(entries[1], "refreshes"));
        Assert.Equal("done", Member(entries[2], "reason"));
        foreach (var entry in entries)
        {
            var text = Encoding.UTF8.GetString(entry.Body.Span);
            Assert.DoesNotContain("eyJ", text, StringComparison.Ordinal);
            Assert.DoesNotContain("sha256", text, StringComparison.Ordinal);
        }

        static string Member(ControlRecord entry, string name)
        {
            using var json = JsonDocument.Parse(entry.Body);
            return json.RootElement.GetProperty(name).GetString()!;
        }
    }

    [Fact]
    public async Task Of_many_refreshes_of_one_token_at_once_one_succeeds()
    {
        await using var bench = TokenBench.Open();
        var old = await bench.IssueAsync();
        var attempts = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(async () =>
        {
            try
            {
                return await bench.Tokens.RefreshAsync(bench.Owner, old.Token, new(), TokenBench.Cancellation);
            }
            catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.Unauthenticated)
            {
                return null;
            }
        })));

        bench.Tokens.Authenticate(Assert.Single(attempts, attempt => attempt is not null)!.Token);
        Assert.Equal([TokenStatus.Revoked, TokenStatus.Active], bench.Tokens.List(bench.Owner).Select(listing => listing.Status));
    }

    [Fact]
    public async Task Many_at_once_lose_none()
    {
        await using var bench = TokenBench.Open();
        var issued = await Task.WhenAll(Enumerable.Range(0, 16).Select(i => Task.Run(() => bench.IssueAsync(request => request with { User = $"u{i}" }))));

        await bench.ReopenAsync();

        Assert.Equal(
            Enumerable.Range(0, 16).Select(i => $"u{i}").Order(StringComparer.Ordinal),
            bench.Tokens.List(bench.Owner).Select(listing => listing.User).Order(StringComparer.Ordinal));
        Assert.Equal(16, bench.ControlEntries().Count);
        foreach (var token in issued)
            bench.Tokens.Authenticate(token.Token);
    }
}
