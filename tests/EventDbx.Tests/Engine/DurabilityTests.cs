using EventDbx.Storage.RocksDb;
using EventDbx.Tests.Storage;

namespace EventDbx.Tests.Engine;

/// <summary>Durable before acknowledged; in relaxed mode, unsynced and unseen.</summary>
public sealed class DurabilityTests
{
    static readonly AggregateKey Order = TestStore.Aggregate();
    static readonly TimeSpan Never = TimeSpan.FromHours(1);
    static readonly TimeSpan AtOnce = TimeSpan.FromMilliseconds(1);

    [Fact]
    public async Task No_answer_precedes_its_sync_and_until_then_nobody_is_shown_anything()
    {
        using var store = new TestStore();
        var steps = new EngineSteps { SplitsCommits = true };
        await using var database = Database.Open(store.Options() with { WrapEngine = steps.Over });
        var session = database.OpenSession();
        using var held = steps.Sync.Hold();

        var first = session.AppendAsync(TestStore.Draft(Order), default);
        var second = session.AppendBatchAsync([TestStore.Draft(Order), TestStore.Draft(Order)], default);
        var woken = session.WaitForFeedAsync(0, default);
        await held.Reached;

        // It is written: only the sync is missing.
        using (var view = steps.Inner.OpenView())
            Assert.NotNull(view.Get(Family.Log, Keyspace.Position(1)));
        Assert.False(first.IsCompleted || second.IsCompleted || woken.IsCompleted);
        AssertShows(0, database, store);

        held.Release();
        Assert.Equal(1UL, (await first).Record.Position);
        Assert.Equal([2UL, 3UL], (await second).Select(r => r.Record.Position));
        await woken;
        AssertShows(3, database, store);
    }

    [Fact]
    public async Task What_waits_together_shares_one_sync()
    {
        using var store = new TestStore();
        var steps = new EngineSteps();
        await using var database = Database.Open(store.Options() with { WrapEngine = steps.Over, EnableStatistics = true });
        var session = database.OpenSession();
        var engine = (RocksDbEngine)steps.Inner;
        var syncs = engine.WalSyncs;
        List<Task> answers = [];
        using (var held = steps.Commit.Hold())
        {
            answers.Add(session.AppendAsync(TestStore.Draft(Order), default));
            await held.Reached;
            for (var i = 0; i < 300; i++)
                answers.Add(session.AppendAsync(TestStore.Draft(TestStore.Aggregate("order", $"o-{i % 50}")), default));
        }

        await Task.WhenAll(answers);

        Assert.Equal((2UL, 2UL), database.Commits);
        Assert.Equal(2UL, engine.WalSyncs - syncs);
    }

    [Fact]
    public async Task Syncs_are_never_more_than_groups_and_new_write_ahead_logs()
    {
        using var store = new TestStore();
        var steps = new EngineSteps();
        await using var database = Database.Open(store.Options() with { WrapEngine = steps.Over, EnableStatistics = true });
        var session = database.OpenSession();
        var engine = (RocksDbEngine)steps.Inner;
        var (syncs, logs) = (engine.WalSyncs, WriteAheadLogs(store).ToHashSet());

        await Task.WhenAll(Enumerable.Range(0, 16).Select(writer => Task.Run(async () =>
        {
            for (var i = 0; i < 40; i++)
                await session.AppendAsync(TestStore.Draft(TestStore.Aggregate("order", $"o-{writer}")), default);
        })));

        var (groups, asked) = database.Commits;
        var newLogs = WriteAheadLogs(store).Count(log => !logs.Contains(log));
        Assert.Equal(groups, asked);
        Assert.InRange(engine.WalSyncs - syncs, 1UL, groups + (ulong)newLogs);
        Assert.InRange(groups, 40UL, 640UL);
    }

    static IEnumerable<string> WriteAheadLogs(TestStore store) => Directory.EnumerateFiles(Path.Combine(store.Directory, "event_store"), "*.log");

    [Fact]
    public async Task A_group_ends_at_its_bound_of_bytes()
    {
        using var store = new TestStore();
        var steps = new EngineSteps();
        await using var database = Database.Open(store.Options(encrypted: false) with { WrapEngine = steps.Over });
        var session = database.OpenSession();
        var payload = $"\"{new string('x', 1_000_000)}\"";
        List<Task> answers = [];
        using (var held = steps.Commit.Hold())
        {
            answers.Add(session.AppendAsync(TestStore.Draft(Order), default));
            await held.Reached;
            // Text and body are both held while an append waits: four of these are a group of 8 MiB.
            for (var i = 0; i < 8; i++)
                answers.Add(session.AppendAsync(TestStore.Draft(TestStore.Aggregate("order", $"o-{i}"), payload), default));
        }

        await Task.WhenAll(answers);

        Assert.Equal(3UL, database.Commits.Groups);
    }

    [Fact]
    public async Task Relaxed_answers_come_before_the_sync_and_see_their_writes_while_the_feed_shows_nothing()
    {
        using var store = new TestStore();
        var steps = new EngineSteps();
        await using (var database = Database.Open(Relaxed(store, steps, Never)))
        {
            var session = database.OpenSession();

            var record = (await session.AppendAsync(TestStore.Draft(Order), default)).Record;
            await session.CreateAsync(TestStore.Aggregate("order", "empty"), null, default);

            Assert.Equal(record.Text(), session.GetEvent(Order, 1).Text());
            Assert.Equal(1UL, session.GetAggregate(Order).Version);
            Assert.Equal(2, session.GetAggregates(new(), null, 0, 10).Items.Count);
            Assert.Equal(0, steps.Sync.Arrivals);
            Assert.False(session.WaitForFeedAsync(0, default).IsCompleted);
            AssertShows(0, database, store);
        }

        // Closing syncs what is left.
        Assert.Equal(1, steps.Sync.Arrivals);
        await using (var database = store.Open())
            AssertShows(2, database, store);
    }

    [Fact]
    public async Task Relaxed_the_feed_and_the_watermark_move_only_when_the_sync_has_returned()
    {
        using var store = new TestStore();
        var steps = new EngineSteps();
        await using var database = Database.Open(Relaxed(store, steps, AtOnce));
        var session = database.OpenSession();
        using var held = steps.Sync.Hold();
        var woken = session.WaitForFeedAsync(0, default);

        await session.AppendAsync(TestStore.Draft(Order), default);
        // Nobody asks for it: that the writer comes here is the interval being kept.
        await held.Reached;
        var during = session.AppendAsync(TestStore.Draft(Order), default);

        Assert.False(woken.IsCompleted || during.IsCompleted);
        AssertShows(0, database, store);

        held.Release();
        await woken.WaitAsync(TimeSpan.FromSeconds(30));
        Assert.True(database.LogSize >= 1);
        await session.WaitForFeedAsync(1, default).WaitAsync(TimeSpan.FromSeconds(30));
        AssertShows(2, database, store);
    }

    [Fact]
    public async Task Relaxed_under_steady_load_it_is_synced_all_the_same()
    {
        using var store = new TestStore();
        var steps = new EngineSteps();
        await using var database = Database.Open(Relaxed(store, steps, AtOnce));
        var session = database.OpenSession();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(30));

        // Two writers without a pause: there is always something waiting.
        await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => Task.Run(async () =>
        {
            while (steps.Sync.Arrivals < 5)
                await session.AppendAsync(TestStore.Draft(Order), limit.Token);
        })));

        Assert.InRange(database.LogSize, 1UL, ulong.MaxValue);
        Assert.True(database.Commits.Syncs <= database.Commits.Groups);
    }

    [Theory]
    [InlineData(Durability.Sync)]
    [InlineData(Durability.Relaxed)]
    public async Task What_the_feed_has_shown_no_power_cut_can_take_back(Durability durability)
    {
        using var store = new TestStore();
        var memory = new MemoryEngine();
        var options = store.Options() with { Durability = durability, RelaxedInterval = AtOnce };
        await using var database = Database.OpenOn(memory, options);
        var session = database.OpenSession();

        for (var i = 1; i <= 60; i++)
        {
            var record = (await session.AppendAsync(TestStore.Draft(Order), default)).Record;
            var shown = session.ReadFeed(0, 1000, includeControl: true);
            await using var survivor = Database.OpenOn(memory.AfterPowerCut(), options);
            var survived = survivor.OpenSession().ReadFeed(0, 1000, includeControl: true);
            Assert.Equal(shown.Items.Select(e => e.Event!.Text()), survived.Items.Take(shown.Items.Count).Select(e => e.Event!.Text()));
            Assert.True(durability == Durability.Relaxed || survivor.LogSize == record.Position, "what was answered is there");
        }
    }

    [Fact]
    public async Task A_caller_who_stops_waiting_has_not_stopped_the_event()
    {
        using var store = new TestStore();
        var steps = new EngineSteps();
        await using var database = Database.Open(store.Options() with { WrapEngine = steps.Over });
        var session = database.OpenSession();
        using var cancelled = new CancellationTokenSource();
        using (var held = steps.Commit.Hold())
        {
            var append = session.AppendAsync(TestStore.Draft(Order), cancelled.Token);
            await held.Reached;
            await cancelled.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => append);
        }

        await session.WaitForFeedAsync(0, default).WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(1UL, session.GetAggregate(Order).Version);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => session.AppendAsync(TestStore.Draft(Order), cancelled.Token));
        Assert.Equal(1UL, session.GetAggregate(Order).Version);
    }

    [Fact]
    public async Task Closing_commits_what_waits()
    {
        using var store = new TestStore();
        var steps = new EngineSteps();
        var database = Database.Open(store.Options() with { WrapEngine = steps.Over, GroupCommits = 1 });
        var session = database.OpenSession();
        List<Task<AppendResult>> answers = [];
        Task closing;
        using (var held = steps.Commit.Hold())
        {
            for (var i = 0; i < 5; i++)
                answers.Add(session.AppendAsync(TestStore.Draft(Order), default));
            await held.Reached;
            closing = database.DisposeAsync().AsTask();
        }

        await closing;
        Assert.Equal([1UL, 2, 3, 4, 5], (await Task.WhenAll(answers)).Select(r => r.Record.Version));
        await using var again = store.Open();
        Assert.Equal(5UL, again.LogSize);
    }

    static DatabaseOptions Relaxed(TestStore store, EngineSteps steps, TimeSpan interval) =>
        store.Options() with { WrapEngine = steps.Over, Durability = Durability.Relaxed, RelaxedInterval = interval };

    /// <summary>The log as everybody outside is shown it: size, feed, and the file that survives us.</summary>
    static void AssertShows(ulong size, Database database, TestStore store)
    {
        Assert.Equal(size, database.LogSize);
        var page = database.OpenSession().ReadFeed(0, 1000, includeControl: true);
        Assert.Equal((size, (int)size), (page.ReachedPosition, page.Items.Count));
        using var watermark = Watermark.Open(Path.Combine(store.Directory, "watermark"));
        Assert.Equal((size, database.LogRoot), (watermark.Newest!.Value.LogSize, watermark.Newest.Value.LogRoot));
    }
}
