using EventDbx.Access;
using EventDbx.Events;
using EventDbx.Reading;
using EventDbx.Tests.Engine;
using EventDbx.Verification;

namespace EventDbx.Tests.Access;

/// <summary>What a session may do is decided in the session, and nowhere else.</summary>
public sealed class GrantsTests
{
    static readonly AggregateKey Mine = TestStore.Aggregate("order", "o-1");
    static readonly AggregateKey Theirs = TestStore.Aggregate("invoice", "i-1");

    [Theory]
    [InlineData("aggregate.red")]
    [InlineData("read")]
    [InlineData("")]
    [InlineData("Aggregate.Read")]
    public void An_action_that_is_none_is_refused_with_the_known_ones(string action)
    {
        Assert.False(Grants.TryParse([action], [], out _, out var refusal));
        Assert.Equal(RefusalCode.InvalidArgument, refusal.Code);
        Assert.Contains("aggregate.read", refusal.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("order")]
    [InlineData("aggregate:")]
    [InlineData("aggregate::1")]
    [InlineData("aggregate:order:")]
    [InlineData("aggregate:order:%")]
    [InlineData("aggregate:order:%FF")]
    [InlineData("aggregate:order:%2")]
    public void A_resource_that_is_none_is_refused(string resource)
    {
        Assert.False(Grants.TryParse(["*"], [resource], out _, out var refusal));
        Assert.Equal(RefusalCode.InvalidArgument, refusal.Code);
    }

    [Fact]
    public void A_pattern_full_of_stars_is_matched_in_bounded_time()
    {
        Assert.True(Grants.TryParse(["*"], [$"aggregate:order:{string.Concat(Enumerable.Repeat("*a", 200))}b"], out var grants, out _));
        Assert.False(grants.Allows(AccessAction.AggregateRead, TestStore.Aggregate("order", new string('a', 500))));
    }

    [Fact]
    public async Task Every_verb_is_refused_to_who_may_not()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var owner = database.OpenSession(new Actor("cli", "jane"));
        foreach (var aggregate in (AggregateKey[])[Mine, Theirs])
            await owner.AppendAsync(TestStore.Draft(aggregate), default);

        foreach (var (needs, verbs) in Verbs())
        {
            foreach (var action in AccessActions.All)
            {
                Assert.True(Grants.TryParse([AccessActions.NameOf(action)], [], out var everywhere, out _));
                var allowed = everywhere.Allows(needs);
                foreach (var verb in verbs)
                {
                    var session = database.OpenSession(new Actor("ops", "kim"), everywhere, null);
                    var refused = await RefusalOf(() => verb(session, Mine));
                    Assert.Equal(!allowed, refused == RefusalCode.PermissionDenied);
                }
            }

            // The same action, but for other aggregates.
            Assert.True(Grants.TryParse(["*"], ["aggregate:order:*"], out var orders, out _));
            foreach (var verb in verbs)
            {
                var session = database.OpenSession(new Actor("ops", "kim"), orders, null);
                Assert.Equal(needs is not AccessAction.FeedRead, await RefusalOf(() => verb(session, Theirs)) == RefusalCode.PermissionDenied);
            }
        }
    }

    static (AccessAction Needs, Func<Session, AggregateKey, Task>[] Verbs)[] Verbs() =>
    [
        (AccessAction.AggregateAppend,
        [
            (session, key) => session.AppendAsync(TestStore.Draft(key), default),
            (session, key) => session.AppendBatchAsync([TestStore.Draft(key)], default),
        ]),
        (AccessAction.AggregateRead,
        [
            (session, key) => Task.FromResult(session.GetAggregate(key)),
            (session, key) => Task.FromResult(session.GetAggregate(key, 1)),
            (session, key) => Task.FromResult(session.GetAggregate(key, Timestamp.MaxValue)),
            (session, key) => Task.FromResult(session.GetEvent(key, 1)),
            (session, key) => Task.FromResult(session.GetEvents(key, 1, 10)),
            (session, key) => Task.FromResult(session.Verify(key, VerifyLevel.Full, default)),
            (session, key) => session.VerifyAsync(key, VerifyLevel.Quick, default),
            (session, key) => session.ProveEventAsync(key, 1, null, default),
            (session, key) => session.ProveAggregateAsync(key, 1, 1, default),
            (session, key) => session.OpenEvidenceAsync(new() { Aggregates = [key] }, default),
        ]),
        (AccessAction.AggregateArchive,
        [
            (session, key) => session.CreateAsync(key, null, default),
            (session, key) => session.RemoveAsync(key, default),
            (session, key) => session.RestoreAsync(key, null, default),
        ]),
        (AccessAction.FeedRead, [(session, _) => Task.FromResult(session.ReadFeed(0, 10, false))]),
        (AccessAction.LogRead,
        [
            (session, _) => Task.FromResult(session.VerifyAll(null, default)),
            (session, _) => session.VerifyAllAsync(null, default),
        ]),
        (AccessAction.RecordsImport,
        [
            (session, key) => session.ImportAsync(
                [new() { Draft = TestStore.Draft(key) with { EventId = Guid.CreateVersion7() }, CreatedAt = Timestamp.MaxValue, Version = 77 }], default),
        ]),
    ];

    [Fact]
    public async Task Proofs_of_the_log_need_log_read_on_whatever_resources_and_nothing_else_gives_them()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        await database.OpenSession().AppendAsync(TestStore.Draft(Mine), default);
        Func<Session, Task>[] verbs =
        [
            session => Task.FromResult(session.ProveLog(1, null)),
            session => Task.FromResult(session.ReadTile(0, 0, 1)),
            session => Task.FromResult(session.ReadLogKey()),
            session => session.ReadCheckpointAsync(0, default),
        ];
        foreach (var action in AccessActions.All)
        {
            foreach (var resources in (string[][])[[], ["*"], ["aggregate:order:o-1"], ["aggregate:none"]])
            {
                Assert.True(Grants.TryParse([AccessActions.NameOf(action)], resources, out var grants, out _));
                Assert.Equal(action == AccessAction.LogRead, grants.AllowsLogProofs);
                foreach (var verb in verbs)
                    Assert.Equal(!grants.AllowsLogProofs, await RefusalOf(() => verb(database.OpenSession(new Actor("ops", "kim"), grants, null))) == RefusalCode.PermissionDenied);
            }
        }
    }

    static async Task<RefusalCode?> RefusalOf(Func<Task> act)
    {
        try
        {
            await act();
            return null;
        }
        catch (RefusedException refused)
        {
            return refused.Refusal.Code;
        }
    }

    [Fact]
    public async Task A_batch_with_one_aggregate_out_of_reach_is_refused_whole()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        Assert.True(Grants.TryParse(["aggregate.append"], ["aggregate:order:*"], out var grants, out _));
        var session = database.OpenSession(new Actor("ops", "kim"), grants, null);

        Assert.Equal(RefusalCode.PermissionDenied, await RefusalOf(() => session.AppendBatchAsync([TestStore.Draft(Mine), TestStore.Draft(Theirs)], default)));
        Assert.Equal(0UL, database.LogSize);
    }

    [Fact]
    public async Task Only_root_notes_what_was_done_to_tokens()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        Assert.True(Grants.TryParse(["*"], ["*"], out var all, out _));
        Task Note(Session session) => session.NoteTokenAsync(TokenChange.Issue, Guid.CreateVersion7(), "{}"u8.ToArray(), default);

        Assert.Equal(RefusalCode.PermissionDenied, await RefusalOf(() => Note(database.OpenSession(new Actor("ops", "kim"), all, null))));
        await Note(database.OpenSession(new Actor("cli", "jane")));
        Assert.Equal(RefusalCode.PermissionDenied, await RefusalOf(() => database.OpenSession(new Actor("ops", "kim"), all, null).NoteKeyAsync("auth.secret", "{}"u8.ToArray(), default)));
        Assert.Equal(1UL, database.LogSize);
    }

    [Fact]
    public async Task Lists_and_feed_show_what_may_be_read_and_count_nothing_else()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var owner = database.OpenSession(new Actor("cli", "jane"));
        for (var i = 0; i < 40; i++)
            await owner.AppendAsync(TestStore.Draft(TestStore.Aggregate(i % 2 == 0 ? "order" : "invoice", $"x-{i:00}"), type: i % 4 == 0 ? "placed" : "paid"), default);
        Assert.True(Grants.TryParse(["aggregate.read", "feed.read"], ["aggregate:order:*"], out var grants, out _));
        var session = database.OpenSession(new Actor("ops", "kim"), grants, null);

        var listed = new List<AggregateState>();
        byte[]? after = null;
        do
        {
            var page = session.GetAggregates(new(), after, listed.Count == 0 ? 3 : 0, 4, withState: true);
            listed.AddRange(page.Items);
            after = page.Next;
        }
        while (after is not null);
        Assert.Equal(Enumerable.Range(3, 17).Select(i => $"order/x-{2 * i:00}"), listed.Select(item => item.Aggregate.ToString()));
        Assert.All(listed, item => Assert.Equal("""{"status":"new"}""", item.StateAsJson()));

        var feed = session.ReadFeed(0, 1000, new FeedFilter());
        Assert.Equal(20, feed.Items.Count);
        Assert.Equal(40UL, feed.ReachedPosition);
        Assert.All(feed.Items, item => Assert.Equal("order", item.Event!.Aggregate.Type));
        Assert.Equal(10, session.ReadFeed(0, 1000, new FeedFilter { EventType = "placed" }).Items.Count);
        Assert.Empty(session.ReadFeed(0, 1000, new FeedFilter { AggregateType = "invoice" }).Items);
        Assert.Equal(RefusalCode.PermissionDenied, await RefusalOf(() => Task.FromResult(session.ReadFeed(0, 10, true))));
    }

    [Fact]
    public async Task A_list_walks_over_what_may_not_be_seen_only_so_far_at_a_time()
    {
        using var engine = new EventDbx.Tests.Storage.MemoryEngine();
        await using var database = Database.OpenOn(engine, new() { Directory = "", Encrypted = false });
        var owner = database.OpenSession();
        for (var i = 0; i < Limits.ListScanMax + 1000; i += 1000)
            await owner.AppendBatchAsync([.. Enumerable.Range(i, 1000).Select(n => TestStore.Draft(TestStore.Aggregate("a", $"{n:00000}")))], default);
        await owner.AppendAsync(TestStore.Draft(TestStore.Aggregate("z", "1")), default);
        Assert.True(Grants.TryParse(["aggregate.read"], ["aggregate:z:*"], out var grants, out _));
        var session = database.OpenSession(new Actor("ops", "kim"), grants, null);

        var first = session.GetAggregates(new(), null, 0, 10);
        Assert.Empty(first.Items);
        Assert.NotNull(first.Next);
        Assert.Single(session.GetAggregates(new(), first.Next, 0, 10).Items);
        Assert.Equal(RefusalCode.LimitExceeded, await RefusalOf(() => Task.FromResult(session.GetAggregates(new(), null, Limits.SkipMax + 1, 10))));
        using var gone = new CancellationTokenSource();
        await gone.CancelAsync();
        Assert.Throws<OperationCanceledException>(() => session.GetAggregates(new(), null, 0, 10, cancellation: gone.Token));
    }

    [Fact]
    public async Task Only_who_may_import_everywhere_leaves_a_note_about_an_import()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        foreach (var (actions, resources) in new[] { ("aggregate.append", "*"), ("records.import", "aggregate:order:*") })
        {
            Assert.True(Grants.TryParse([actions], [resources], out var grants, out _));
            Assert.Equal(RefusalCode.PermissionDenied, await RefusalOf(() => database.OpenSession(new Actor("ops", "kim"), grants, null).NoteImportAsync(1, 1, 0, default)));
        }

        await database.OpenSession().NoteImportAsync(1, 1, 0, default);
        Assert.Equal(1UL, database.LogSize);
    }

    [Fact]
    public async Task A_strict_database_without_schemas_takes_no_event_and_stores_nothing()
    {
        using var store = new TestStore();
        await using var database = Database.Open(store.Options() with { Restriction = Restriction.Strict });
        var session = database.OpenSession();

        Assert.Equal(RefusalCode.SchemaViolation, await RefusalOf(() => session.AppendAsync(TestStore.Draft(Mine), default)));
        Assert.Equal(0UL, database.LogSize);
    }
}
