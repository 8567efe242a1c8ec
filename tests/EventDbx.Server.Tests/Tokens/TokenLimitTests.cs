using EventDbx.Server.Tokens;

namespace EventDbx.Server.Tests.Tokens;

/// <summary>Write limits, and tokens that use keeps alive.</summary>
public sealed class TokenLimitTests
{
    [Fact]
    public async Task Sixty_four_writers_with_one_token_append_exactly_its_limit()
    {
        const int limit = 200;
        await using var bench = TokenBench.Open();
        var issued = await bench.IssueAsync(request => request with { WriteLimit = limit });
        var (appended, refused) = (0, 0);

        await Task.WhenAll(Enumerable.Range(0, 64).Select(writer => Task.Run(async () =>
        {
            for (var i = 0; i < 5; i++)
            {
                try
                {
                    var draft = TokenBench.Draft($"{writer}", Guid.Parse($"01890a5d-ac96-774b-bcce-{writer:x8}{i:x4}"));
                    var session = bench.Tokens.Authenticate(issued.Token);
                    await session.AppendAsync(draft, TokenBench.Cancellation);
                    Interlocked.Increment(ref appended);
                    // The same once more is known, and spends nothing.
                    Assert.False((await session.AppendAsync(draft, TokenBench.Cancellation)).Appended);
                }
                catch (RefusedException no) when (no.Refusal.Code == RefusalCode.WriteLimitReached)
                {
                    Interlocked.Increment(ref refused);
                }
            }
        })));

        Assert.Equal((limit, (64 * 5) - limit), (appended, refused));
        Assert.Equal(limit, bench.Owner.ReadFeed(0, 1000, includeControl: false).Items.Count);
        await bench.ReopenAsync();
        Assert.Equal(0ul, Assert.Single(bench.Tokens.List(bench.Owner)).WritesRemaining);
        var more = await Assert.ThrowsAsync<RefusedException>(() => bench.Tokens.Authenticate(issued.Token).AppendAsync(TokenBench.Draft("more"), TokenBench.Cancellation));
        Assert.Equal(RefusalCode.WriteLimitReached, more.Refusal.Code);
    }

    [Fact]
    public async Task A_refresh_among_writers_hands_over_exactly_what_is_left()
    {
        await using var bench = TokenBench.Open();
        var first = await bench.IssueAsync(request => request with { WriteLimit = 300 });
        var tokens = new System.Collections.Concurrent.ConcurrentBag<string> { first.Token };
        TaskCompletionSource begun = new(TaskCreationOptions.RunContinuationsAsynchronously), refreshed = new(TaskCreationOptions.RunContinuationsAsynchronously);
        var all = 0;
        async Task<int> WriteAsync(int writer)
        {
            var written = 0;
            for (var refused = 0; refused < 3;)
            {
                foreach (var token in tokens)
                {
                    try
                    {
                        await bench.Tokens.Authenticate(token).AppendAsync(
                            new() { Aggregate = AggregateKey.Create("order", $"o-{writer}"), EventType = "placed", Payload = "{}"u8.ToArray() }, TokenBench.Cancellation);
                        written++;
                        if (Interlocked.Increment(ref all) == 20)
                            begun.SetResult();
                    }
                    catch (RefusedException no) when (no.Refusal.Code is RefusalCode.WriteLimitReached or RefusalCode.Unauthenticated)
                    {
                        // Whoever tried on without a pause would keep the threads from the refresh, and from all other tests.
                        await refreshed.Task.WaitAsync(TimeSpan.FromMinutes(1), TokenBench.Cancellation);
                        refused++;
                    }
                }
            }

            return written;
        }

        var writers = Enumerable.Range(0, 16).Select(writer => Task.Run(() => WriteAsync(writer))).ToArray();
        // A writer that ends before is one that has failed.
        await Task.WhenAny([begun.Task, .. writers]).WaitAsync(TimeSpan.FromMinutes(1), TokenBench.Cancellation);
        Assert.True(begun.Task.IsCompleted, "the writers ended before they had written 20 events");
        tokens.Add((await bench.Tokens.RefreshAsync(bench.Owner, first.Token, new(), TokenBench.Cancellation)).Token);
        refreshed.SetResult();
        var written = (await Task.WhenAll(writers)).Sum();
        var second = bench.Tokens.List(bench.Owner).Single(listing => listing.Status == TokenStatus.Active);

        Assert.Equal(300UL, (ulong)written + second.WritesRemaining!.Value);
    }

    [Fact]
    public async Task A_batch_over_the_limit_is_refused_whole_and_spends_nothing()
    {
        await using var bench = TokenBench.Open(encrypted: false);
        var issued = await bench.IssueAsync(request => request with { WriteLimit = 3 });
        var session = bench.Tokens.Authenticate(issued.Token);

        var refused = await Assert.ThrowsAsync<RefusedException>(() => session.AppendBatchAsync([.. Drafts(4)], TokenBench.Cancellation));

        Assert.Equal(RefusalCode.WriteLimitReached, refused.Refusal.Code);
        Assert.Equal(3ul, bench.Tokens.List(bench.Owner)[0].WritesRemaining);
        Assert.Empty(bench.Owner.ReadFeed(0, 10, includeControl: false).Items);
        Assert.Equal(3, (await session.AppendBatchAsync([.. Drafts(3)], TokenBench.Cancellation)).Count);
        Assert.Equal(0ul, bench.Tokens.List(bench.Owner)[0].WritesRemaining);

        static IEnumerable<EventDraft> Drafts(int count) => Enumerable.Range(0, count).Select(i => TokenBench.Draft($"{i}"));
    }

    [Fact]
    public async Task A_limit_of_nothing_reads_and_does_not_append()
    {
        await using var bench = TokenBench.Open(encrypted: false);
        var session = bench.Tokens.Authenticate((await bench.IssueAsync(request => request with { WriteLimit = 0 })).Token);

        Assert.Empty(session.GetAggregates(new(), null, 0, 10, cancellation: TokenBench.Cancellation).Items);
        var refused = await Assert.ThrowsAsync<RefusedException>(() => session.AppendAsync(TokenBench.Draft("1"), TokenBench.Cancellation));
        Assert.Equal(RefusalCode.WriteLimitReached, refused.Refusal.Code);
    }

    [Fact]
    public async Task Every_use_moves_the_end_of_a_token_that_is_kept_alive()
    {
        await using var bench = TokenBench.Open(encrypted: false);
        var kept = await bench.IssueAsync(request => request with { TtlSeconds = 600, KeepAlive = true });
        var plain = await bench.IssueAsync(request => request with { TtlSeconds = 600 });
        for (var i = 0; i < 4; i++)
        {
            bench.Clock.Pass(TimeSpan.FromSeconds(500));
            bench.Tokens.Authenticate(kept.Token);
        }

        Assert.Contains("expired", bench.Refused(plain.Token).Message, StringComparison.Ordinal);
        Assert.Equal(bench.Clock.Now + TimeSpan.FromSeconds(600), bench.Tokens.List(bench.Owner)[0].ExpiresAt!.Value.ToDateTimeOffset());
        bench.Clock.Pass(TimeSpan.FromSeconds(630));
        Assert.Contains("expired", bench.Refused(kept.Token).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task How_far_a_token_is_kept_alive_survives_a_reopen()
    {
        await using var bench = TokenBench.Open();
        var kept = await bench.IssueAsync(request => request with { TtlSeconds = 600, KeepAlive = true });
        bench.Clock.Pass(TimeSpan.FromSeconds(500));
        bench.Tokens.Authenticate(kept.Token);
        // Too soon after the last to be written at once: only the end of the authority writes it.
        bench.Clock.Pass(TimeSpan.FromSeconds(5));
        bench.Tokens.Authenticate(kept.Token);
        var end = bench.Clock.Now + TimeSpan.FromSeconds(600);

        await bench.ReopenAsync();

        Assert.Equal(end, bench.Tokens.List(bench.Owner)[0].ExpiresAt!.Value.ToDateTimeOffset());
        bench.Clock.Now = end + TimeSpan.FromSeconds(29);
        bench.Tokens.Authenticate(kept.Token);
    }

    [Fact]
    public async Task A_use_is_written_down_only_so_often()
    {
        await using var bench = TokenBench.Open(encrypted: false);
        var kept = await bench.IssueAsync(request => request with { TtlSeconds = 160, KeepAlive = true });
        // A sixteenth of the lifetime is ten seconds; the store's word is null until the first write.
        Assert.Null(await UseAsync(seconds: 9));
        var first = await UseAsync(seconds: 1);
        Assert.Equal(bench.Clock.Now + TimeSpan.FromSeconds(160), first!.Value.ToDateTimeOffset());
        Assert.Equal(first, await UseAsync(seconds: 9));
        Assert.NotEqual(first, await UseAsync(seconds: 1));

        async Task<Timestamp?> UseAsync(int seconds)
        {
            bench.Clock.Pass(TimeSpan.FromSeconds(seconds));
            bench.Tokens.Authenticate(kept.Token);
            await bench.Tokens.WrittenAsync();
            return bench.Database.FindTokenUse(kept.Listing.Jti).ExpiresAt;
        }
    }

    [Fact]
    public async Task A_revoked_token_is_kept_alive_no_more()
    {
        await using var bench = TokenBench.Open(encrypted: false);
        var kept = await bench.IssueAsync(request => request with { TtlSeconds = 600, KeepAlive = true });
        bench.Tokens.Authenticate(kept.Token);
        await bench.Tokens.RevokeAsync(bench.Owner, kept.Token, null, TokenBench.Cancellation);
        var end = bench.Tokens.List(bench.Owner)[0].ExpiresAt;
        bench.Clock.Pass(TimeSpan.FromSeconds(10));

        Assert.Contains("revoked", bench.Refused(kept.Token).Message, StringComparison.Ordinal);
        Assert.Equal(end, bench.Tokens.List(bench.Owner)[0].ExpiresAt);
    }
}
