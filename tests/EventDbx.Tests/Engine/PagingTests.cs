using EventDbx.Reading;

namespace EventDbx.Tests.Engine;

/// <summary>Lists, pages, cursors and the feed.</summary>
public sealed class PagingTests
{
    static readonly AggregateFilter All = new();

    [Fact]
    public async Task Aggregates_are_listed_by_the_bytes_of_type_then_id()
    {
        // By UTF-16 the emoji would come before U+FFFF; were type and id one string, "order!" would come before "order".
        (string Type, string Id)[] sorted =
        [
            ("a", "x"), ("a!", "x"), ("aé", "x"), ("b", "x"), ("order", "1"), ("order", "1!"), ("order", "10"), ("order", "é"),
            ("order", "\uFFFF"), ("order", "😀"), ("order!", "0"), ("orders", "0"), ("\uFFFF", "x"), ("😀", "x"),
        ];
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        foreach (var (type, id) in sorted.OrderBy(n => n.Id.Length).ThenByDescending(n => n.Type, StringComparer.Ordinal))
            await session.AppendAsync(TestStore.Draft(AggregateKey.Create(type, id)), default);
        await session.ArchiveAsync(AggregateKey.Create("order", "10"), null, default);
        await session.ArchiveAsync(AggregateKey.Create("a", "x"), null, default);

        Assert.Equal(sorted, Names(session.GetAggregates(All, null, 0, 100)));
        Assert.Equal(sorted.Where(n => n.Type == "order"), Names(session.GetAggregates(new() { Type = "order" }, null, 0, 100)));
        Assert.Equal([("order", "1"), ("order", "1!"), ("order", "10")], Names(session.GetAggregates(new() { Type = "order", IdPrefix = "1" }, null, 0, 100)));
        Assert.Equal([("a", "x"), ("order", "10")], Names(session.GetAggregates(new() { Archived = true }, null, 0, 100)));
        Assert.Equal([("order", "1"), ("order", "1!")], Names(session.GetAggregates(new() { IdPrefix = "1", Archived = false }, null, 0, 100)));
        Assert.Equal([("order", "\uFFFF")], Names(session.GetAggregates(new() { Type = "order", IdPrefix = "\uFFFF" }, null, 0, 100)));
        Assert.Empty(session.GetAggregates(new() { Type = "orde" }, null, 0, 100).Items);
        Assert.Empty(session.GetAggregates(new() { Type = "" }, null, 0, 100).Items);
        Assert.Empty(session.GetAggregates(new() { Type = "order\0" + "1" }, null, 0, 100).Items);
        Assert.Equal(sorted, Names(session.GetAggregates(new() { IdPrefix = "" }, [], 0, 100)));
        Assert.Equal(sorted, Names(session.GetAggregates(All, [0], 0, 100)));
        Assert.Equal(sorted.Skip(3).Take(4), Names(session.GetAggregates(All, null, 3, 4)));
        Assert.Empty(session.GetAggregates(All, null, 100, 4).Items);
        Assert.Empty(session.GetAggregates(All, null, 0, 0).Items);
    }

    [Fact]
    public async Task A_cursor_holds_its_place_while_aggregates_come_and_go_around_it()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        foreach (var id in (string[])["b", "d", "f", "h"])
            await session.AppendAsync(TestStore.Draft(AggregateKey.Create("t", id)), default);

        var first = session.GetAggregates(All, null, 0, 2);
        foreach (var id in (string[])["a", "c", "d!", "e"])
            await session.AppendAsync(TestStore.Draft(AggregateKey.Create("t", id)), default);
        await session.ArchiveAsync(AggregateKey.Create("t", "d"), null, default);
        await session.ArchiveAsync(AggregateKey.Create("t", "f"), null, default);
        var second = session.GetAggregates(All, first.Next, 0, 3);
        var third = session.GetAggregates(All, second.Next, 0, 3);

        Assert.Equal(["b", "d"], first.Items.Select(a => a.Aggregate.Id));
        Assert.Equal(["d!", "e", "f"], second.Items.Select(a => a.Aggregate.Id));
        Assert.Equal(["h"], third.Items.Select(a => a.Aggregate.Id));
        Assert.Null(third.Next);

        // A cursor of another list is a place all the same: before the list, within it, beyond it.
        Assert.Equal(["d!", "e", "h"], session.GetAggregates(new() { Type = "t", Archived = false }, first.Next, 0, 10).Items.Select(a => a.Aggregate.Id));
        Assert.Empty(session.GetAggregates(new() { Type = "s" }, first.Next, 0, 10).Items);
        Assert.Equal(8, session.GetAggregates(new() { Type = "t" }, "a\0z"u8.ToArray(), 0, 10).Items.Count);
        Assert.Empty(session.GetAggregates(new() { Type = "t" }, [0xff, 0xff], 0, 10).Items);
    }

    [Fact]
    public async Task Pages_have_at_most_1_000_items_and_chunks_of_them_are_put_together()
    {
        using var store = new TestStore();
        await using var database = store.Open(encrypted: false);
        var session = database.OpenSession();
        var key = TestStore.Aggregate();
        for (var i = 0; i < 2; i++)
            await session.AppendBatchAsync([.. Enumerable.Range(0, 700).Select(n => TestStore.Draft(key, $"{n}"))], default);
        await session.AppendBatchAsync([.. Enumerable.Range(0, 1000).Select(n => TestStore.Draft(AggregateKey.Create("many", $"{n:0000}")))], default);

        var page = session.GetEvents(key, 1, int.MaxValue);
        Assert.Equal(Enumerable.Range(1, 1000).Select(v => (ulong)v), page.Items.Select(e => e.Version));
        Assert.Equal(1001UL, page.NextVersion);
        Assert.Equal(400, session.GetEvents(key, 1001, 1000).Items.Count);
        Assert.Equal(300, session.GetEvents(key, 250, 300).Items.Count);
        Assert.Null(session.GetEvents(key, 1001, 400).NextVersion);
        Assert.Empty(session.GetEvents(key, 1401, 10).Items);
        Assert.Empty(session.GetEvents(key, ulong.MaxValue, 10).Items);
        Assert.Equal((0, 5UL), (session.GetEvents(key, 5, 0).Items.Count, session.GetEvents(key, 5, 0).NextVersion!.Value));

        var list = session.GetAggregates(All, null, 0, int.MaxValue);
        Assert.Equal(1000, list.Items.Count);
        Assert.Equal("order", Assert.Single(session.GetAggregates(All, list.Next, 0, 1000).Items).Aggregate.Type);
    }

    [Fact]
    public async Task Pages_end_after_4_MiB_and_one_item_always_fits()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        var key = TestStore.Aggregate();
        var payload = $"\"{new string('x', 1024 * 1024 - 2)}\"";
        for (var n = 0; n < 6; n++)
            await session.AppendAsync(TestStore.Draft(key, payload), default);

        var page = session.GetEvents(key, 1, 1000);
        Assert.Equal((4, 5UL), (page.Items.Count, page.NextVersion!.Value));
        Assert.Equal(2, session.GetEvents(key, 5, 1000).Items.Count);
        var feed = session.ReadFeed(0, 1000, includeControl: false);
        Assert.Equal((4, 4UL), (feed.Items.Count, feed.ReachedPosition));
        Assert.Equal((2, 6UL), (session.ReadFeed(4, 1000, includeControl: false).Items.Count, session.ReadFeed(4, 1000, includeControl: false).ReachedPosition));
    }

    [Fact]
    public async Task The_feed_gives_batches_whole_however_small_the_page()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        await session.AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        await session.AppendBatchAsync([.. Enumerable.Range(0, 1000).Select(n => TestStore.Draft(AggregateKey.Create("many", $"{n % 300}")))], default);
        await session.AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);

        Assert.Equal(1UL, session.ReadFeed(0, 1, includeControl: true).ReachedPosition);
        Assert.Equal((1001, 1001UL), Reached(session.ReadFeed(0, 2, includeControl: true)));
        Assert.Equal((1000, 1001UL), Reached(session.ReadFeed(1, 10, includeControl: true)));
        // A cursor that was never handed out, in the middle of the batch: the rest of it.
        Assert.Equal((500, 1001UL), Reached(session.ReadFeed(501, 10, includeControl: true)));
        Assert.Equal((1, 1002UL), Reached(session.ReadFeed(1001, 10, includeControl: true)));
        Assert.Equal((0, 7UL), Reached(session.ReadFeed(7, 0, includeControl: true)));
        Assert.Equal((0, 5000UL), Reached(session.ReadFeed(5000, 10, includeControl: true)));
    }

    [Fact]
    public async Task The_feed_says_how_far_it_read_where_it_left_control_entries_out()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession(new Actor("clerks", "jane"));
        for (var n = 0; n < 300; n++)
            await session.CreateAsync(AggregateKey.Create("t", $"{n}"), n == 0 ? "first" : null, default);
        await session.AppendAsync(TestStore.Draft(AggregateKey.Create("t", "a/b")), default);
        await session.ArchiveAsync(AggregateKey.Create("t", "a/b"), null, default);

        var page = session.ReadFeed(0, 10, includeControl: false);
        Assert.Equal(301UL, Assert.Single(page.Items).Position);
        Assert.Equal(302UL, page.ReachedPosition);
        Assert.Equal((0, 302UL), Reached(session.ReadFeed(301, 10, includeControl: false)));

        var first = session.ReadFeed(0, 1, includeControl: true).Items[0].Control!;
        Assert.Equal(("create", "t/0", "jane", """{"comment":"first"}"""), (first.Kind, first.Subject, first.Actor!.User, Encoding.UTF8.GetString(first.Body.Span)));
        Assert.Equal("t/a%2Fb", session.ReadFeed(301, 1, includeControl: true).Items[0].Control!.Subject);
    }

    [Fact]
    public async Task Waiting_for_the_feed_ends_with_the_next_entry_and_with_the_database()
    {
        using var store = new TestStore();
        var database = store.Open();
        var session = database.OpenSession();
        var next = session.WaitForFeedAsync(0, default);
        var third = session.WaitForFeedAsync(2, default);
        Assert.False(next.IsCompleted);

        await session.AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        await next.WaitAsync(TimeSpan.FromSeconds(30));
        await session.AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        Assert.True(session.WaitForFeedAsync(1, default).IsCompletedSuccessfully);
        using var cancelled = new CancellationTokenSource();
        var waiting = session.WaitForFeedAsync(2, cancelled.Token);
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);

        Assert.False(third.IsCompleted);
        await database.DisposeAsync();
        await Assert.ThrowsAsync<RefusedException>(() => third.WaitAsync(TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public async Task A_filter_with_half_a_surrogate_pair_is_refused_and_one_that_is_text_is_not()
    {
        using var store = new TestStore();
        await using var database = store.Open(encrypted: false);
        var session = database.OpenSession();
        // An emoji beside a replacement character that was really meant.
        await session.AppendAsync(TestStore.Draft(TestStore.Aggregate("order", "\U0001f600\ufffd-1")), default);

        var found = session.GetAggregates(new AggregateFilter { Type = "order", IdPrefix = "\U0001f600\ufffd" }, null, 0, 10);
        var refused = Assert.Throws<RefusedException>(() => session.GetAggregates(new AggregateFilter { IdPrefix = "\ud83d" }, null, 0, 10));

        Assert.Single(found.Items);
        Assert.Equal(RefusalCode.InvalidArgument, refused.Refusal.Code);
    }

    static (int Items, ulong Reached) Reached(FeedPage page) => (page.Items.Count, page.ReachedPosition);

    static IEnumerable<(string Type, string Id)> Names(AggregatePage page) => page.Items.Select(a => (a.Aggregate.Type, a.Aggregate.Id));
}
