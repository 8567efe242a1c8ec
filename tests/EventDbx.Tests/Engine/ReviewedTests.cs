using EventDbx.Tests.Crash;
using EventDbx.Events;
using EventDbx.Storage;
using EventDbx.Storage.RocksDb;

namespace EventDbx.Tests.Engine;

/// <summary>What a review found, each as a test of its own.</summary>
public sealed class ReviewedTests
{
    [Fact]
    public async Task An_append_refused_for_a_damaged_field_leaves_no_hole_and_no_head_ahead_of_its_events()
    {
        using var store = new TestStore();
        var large = TestStore.Aggregate("big", "b");
        await using (var database = store.Open(encrypted: false))
        {
            var session = database.OpenSession();
            for (var part = 0; part < 5; part++)
                await session.AppendAsync(TestStore.Draft(large, Fields($"f{part}_", 1000)), default);
        }

        await using (var database = store.Open(encrypted: false))
        {
            // Everything is remembered, and more than is kept; then a row that is known only by memory is damaged.
            var session = database.OpenSession();
            for (var part = 0; part < 5; part++)
                await session.AppendAsync(TestStore.Draft(large, Fields($"f{part}_", 1000)), default);
            Damage(database, [.. Keyspace.Prefix(large), .. "f0_1"u8]);

            var refused = await Assert.ThrowsAsync<RefusedException>(
                () => session.AppendAsync(TestStore.Draft(large, """{"f0_1":1,""" + Fields("new", 500)[1..]), default));
            var other = await session.AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);

            Assert.Equal(RefusalCode.IntegrityViolation, refused.Refusal.Code);
            Assert.Equal(11UL, other.Record.Position);
            Assert.Equal(11, session.ReadFeed(0, 100, includeControl: true).Items.Count);
        }

        static string Fields(string prefix, int count) => "{" + string.Join(',', Enumerable.Range(0, count).Select(i => $"\"{prefix}{i}\":\"12345678\"")) + "}";
    }

    [Fact]
    public async Task A_read_under_way_at_a_close_keeps_the_lock_and_leaves_an_intact_store()
    {
        using var store = new TestStore();
        var database = store.Open();
        await database.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        var reader = database.OpenReader();

        var closing = database.DisposeAsync().AsTask();
        var closedEarly = closing.IsCompleted;
        var second = Assert.Throws<StoreRefusedException>(() => store.Open());
        reader.Dispose();
        await closing;

        Assert.False(closedEarly);
        Assert.Contains("in use", second.Message, StringComparison.Ordinal);
        await using var again = store.Open();
        Assert.Equal(1UL, again.LogSize);
    }

    [Fact]
    public async Task A_page_of_large_events_fetches_little_more_than_it_returns()
    {
        using var store = new TestStore();
        await using var database = store.Open(encrypted: false);
        var session = database.OpenSession();
        var large = TestStore.Aggregate();
        for (var i = 0; i < 60; i++)
            await session.AppendAsync(TestStore.Draft(large, $"\"{new string('x', 1_000_000)}\""), default);
        _ = session.GetEvents(large, 1, 5);

        var before = GC.GetAllocatedBytesForCurrentThread();
        var page = session.GetEvents(large, 1, 1000);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;

        Assert.InRange(page.Items.Count, 1, 8);
        Assert.True(allocated < 60_000_000, $"{allocated} bytes for {page.Items.Count} events of a megabyte");
    }

    [Fact]
    public async Task After_an_unclean_stop_the_watermark_speaks_only_of_what_lies_in_tables()
    {
        using var store = new TestStore();
        await using var live = store.Open();
        for (var i = 0; i < 20; i++)
            await live.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        using var killed = DirectoryImage.Copy(store.Directory);
        var old = Directory.GetFiles(Path.Combine(killed.Path, "event_store"), "*.log").Select(Path.GetFileName);

        // Opened after the kill and killed again; then the logs of before lose what was never synced: everything.
        await using var opened = Database.Open(store.Options() with { Directory = killed.Path });
        using var powerCut = DirectoryImage.Copy(killed.Path);
        foreach (var log in old.Select(log => powerCut.In(Path.Combine("event_store", log!))).Where(File.Exists))
            await File.WriteAllBytesAsync(log, []);

        await using var survived = Database.Open(store.Options() with { Directory = powerCut.Path });
        Assert.Equal(20UL, survived.LogSize);
    }

    static void Damage(Database database, byte[] key)
    {
        using var view = database.Engine.OpenView();
        var value = view.Get(Family.State, key)!;
        value[0] ^= 1;
        ((RocksDbEngine)database.Engine).Commit(new RawPut(database.LogSize, key, value), sync: true);
    }

    sealed class RawPut(ulong logSize, byte[] key, byte[] value) : IGroupPlanner
    {
        public void Plan(IStorageView view, WritePlan plan)
        {
            (plan.BaseLogSize, plan.LogSize) = (logSize, logSize);
            plan.Put(Family.State, key, value);
        }

        public void Forget() { }
    }
}
