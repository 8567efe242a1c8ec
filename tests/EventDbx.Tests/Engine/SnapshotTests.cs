using EventDbx.Events;
using EventDbx.Schemas;
using EventDbx.Storage;
using EventDbx.Tests.Checkpoints;

namespace EventDbx.Tests.Engine;

public sealed class SnapshotTests
{
    static readonly AggregateKey Order = TestStore.Aggregate();

    static string Filled(int n, int filler) => $$"""{"n":{{n}},"filler":"{{new string('x', filler)}}"}""";

    [Theory]
    [InlineData(true, 0)]
    [InlineData(true, 6000)]
    [InlineData(false, 6000)]
    public async Task A_snapshot_keeps_the_state_and_changes_nothing_else(bool encrypted, int filler)
    {
        using var store = new TestStore();
        await using (var database = store.Open(encrypted))
        {
            var session = database.OpenSession(new Actor("cli", "jane"));
            await session.AppendAsync(TestStore.Draft(Order, Filled(1, filler)), default);
            var taken = await session.SnapshotAsync(Order, "before the move", default);
            await session.AppendAsync(TestStore.Draft(Order, Filled(2, filler)), default);
            await session.SnapshotAsync(Order, null, default);
            await session.SnapshotAsync(Order, "again", default);

            Assert.Equal((1UL, "before the move", false), (taken.State.Version, taken.Comment, taken.Automatic));
            Assert.Equal(2UL, session.GetAggregate(Order).Version);
            session.VerifyAll(null, default);
        }

        await using var again = store.Open(encrypted);
        var kept = again.OpenSession().GetSnapshots(Order, null, 10).Items;
        Assert.Equal([(1UL, "before the move"), (2UL, null), (2UL, "again")], kept.Select(snapshot => (snapshot.State.Version, snapshot.Comment)));
        Assert.Equal(Filled(1, filler).Length, kept[0].State.StateAsJson(typed: true).Length);
        Assert.Equal(again.OpenSession().GetEvent(Order, 1).MerkleRoot, kept[0].State.MerkleRoot);
        Assert.Equal("snapshot", again.OpenSession().ReadFeed(0, 10, true).Items[1].Control!.Kind);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_snapshot_of_what_the_writer_does_not_have_in_memory_leaves_the_state_as_it_is(bool encrypted)
    {
        using var store = new TestStore();
        await using (var database = store.Open(encrypted))
            await database.OpenSession().AppendAsync(TestStore.Draft(Order), default);

        await using var again = store.Open(encrypted);
        var session = again.OpenSession();
        var taken = await session.SnapshotAsync(Order, null, default);

        Assert.Equal("""{"status":"new"}""", taken.State.StateAsJson());
        Assert.Equal("""{"status":"new"}""", session.GetAggregate(Order).StateAsJson());
        session.VerifyAll(null, default);
        await session.AppendAsync(TestStore.Draft(Order, """{"more":1}"""), default);
        Assert.Equal("""{"more":1,"status":"new"}""", session.GetAggregate(Order).StateAsJson(typed: true));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_snapshots_of_a_removed_aggregate_go_with_it_and_are_not_those_of_the_next_one_of_its_name(bool encrypted)
    {
        using var store = new TestStore();
        var neighbour = TestStore.Aggregate("order", "o-10");
        await using (var database = store.Open(encrypted))
        {
            var session = database.OpenSession();
            await session.CreateAsync(neighbour, null, default);
            await session.SnapshotAsync(neighbour, "of the neighbour", default);
            await session.CreateAsync(Order, null, default);
            for (var i = 0; i < 3; i++)
                await session.SnapshotAsync(Order, "of the first life", default);
            await session.RemoveAsync(Order, default);
            Assert.Equal(1UL, session.VerifyAll(null, default).Snapshots);
        }

        await using var again = store.Open(encrypted);
        var next = again.OpenSession();
        await next.AppendAsync(TestStore.Draft(Order, """{"n":1}"""), default);
        await next.AppendAsync(TestStore.Draft(Order, """{"n":2}"""), default);

        next.VerifyAll(null, default);
        Assert.Equal("""{"n":1}""", next.GetAggregate(Order, 1).StateAsJson(typed: true));
        Assert.Empty(next.GetSnapshots(Order, null, 10).Items);
        Assert.Single(next.GetSnapshots(neighbour, null, 10).Items);
    }

    [Fact]
    public async Task Snapshots_that_come_together_never_overwrite_each_other()
    {
        using var store = new TestStore();
        // Larger than what is kept in the commit: the automatic one is written behind it, where the manual ones come as well.
        var filler = new string('x', Limits.SnapshotInCommitBytesMax);
        await using (var database = store.Open())
        {
            var session = database.OpenSession();
            await session.ChangeSchemaAsync("order", [SchemaEdit.Create(["placed"], 1)], default);
            async Task BothAsync(int n)
            {
                var aggregate = TestStore.Aggregate("order", $"a-{n}");
                await session.AppendAsync(TestStore.Draft(aggregate, $$"""{"t":"{{filler}}"}"""), default);
                await Task.WhenAll(session.SnapshotAsync(aggregate, "mine", default), session.SnapshotAsync(aggregate, "yours", default));
            }

            await Task.WhenAll(Enumerable.Range(0, 60).Select(n => Task.Run(() => BothAsync(n))));
        }

        await using var again = store.Open();
        var later = again.OpenSession();
        for (var n = 0; n < 60; n++)
        {
            var kept = later.GetSnapshots(TestStore.Aggregate("order", $"a-{n}"), null, 10).Items;
            Assert.Equal(["auto snapshot v1", "mine", "yours"], kept.Select(snapshot => snapshot.Comment!).Order(StringComparer.Ordinal));
        }

        later.VerifyAll(null, default);
    }

    [CiTier("It keeps large states.")]
    [Fact]
    public async Task Automatic_snapshots_of_large_states_are_all_there_after_a_proper_stop_and_of_what_was_archived_too()
    {
        using var store = new TestStore();
        var filler = new string('x', Limits.SnapshotInCommitBytesMax);
        var archived = TestStore.Aggregate("order", "archived");
        await using (var database = store.Open())
        {
            var session = database.OpenSession();
            await session.ChangeSchemaAsync("order", [SchemaEdit.Create(["placed"], 1)], default);
            await session.AppendAsync(TestStore.Draft(archived, $$"""{"t":"{{filler}}"}"""), default);
            await session.ArchiveAsync(archived, null, default);
            // More than a queue of a thousand would hold.
            for (var batch = 0; batch < 6; batch++)
                await session.AppendBatchAsync([.. Enumerable.Range(0, 200).Select(i => TestStore.Draft(TestStore.Aggregate("order", $"o-{batch}-{i}"), $$"""{"t":"{{filler}}"}"""))], default);
        }

        await using var again = store.Open();
        var later = again.OpenSession();
        Assert.Equal(later.GetAggregate(archived).StateAsJson(), Assert.Single(later.GetSnapshots(archived, null, 10).Items).State.StateAsJson());
        for (var batch = 0; batch < 6; batch++)
        {
            for (var i = 0; i < 200; i++)
                Assert.Equal(1UL, Assert.Single(later.GetSnapshots(TestStore.Aggregate("order", $"o-{batch}-{i}"), null, 10).Items).State.Version);
        }

        Assert.Equal(1201UL, later.VerifyAll(null, default).Snapshots);
    }

    [Fact]
    public async Task A_stop_gives_up_what_is_not_written_within_its_deadline_and_says_how_much()
    {
        using var store = new TestStore();
        var (clock, steps, said) = (new SteppedClock(), new EngineSteps(), new List<string>());
        var database = Database.Open(store.Options(encrypted: false) with { Clock = clock, WrapEngine = steps.Over, Progress = said.Add });
        var session = database.OpenSession();
        await session.ChangeSchemaAsync("order", [SchemaEdit.Create(["placed"], 1)], default);
        using (var held = steps.View.Hold())
        {
            var filler = new string('x', Limits.SnapshotInCommitBytesMax);
            await session.AppendBatchAsync([.. Enumerable.Range(0, 3).Select(i => TestStore.Draft(TestStore.Aggregate("order", $"o-{i}"), $$"""{"t":"{{filler}}"}"""))], default);
            await held.Reached;
            var closing = database.DisposeAsync().AsTask();
            await clock.TimerSetAsync();
            // On another thread: what the timer wakes goes on right there, before the hold ends.
            await Task.Run(() => clock.Advance(TimeSpan.FromSeconds(Limits.SnapshotsAtStopSecondsMax)), TestContext.Current.CancellationToken);
            held.Release();
            await closing;
        }

        Assert.StartsWith("2 automatic snapshots of large states were not written", Assert.Single(said), StringComparison.Ordinal);
        await using var again = store.Open(encrypted: false);
        var all = again.OpenSession().VerifyAll(null, default);
        Assert.Equal((3UL, 1UL), (all.Events, all.Snapshots));
    }

    [Fact]
    public async Task Archived_and_empty_aggregates_can_be_kept_and_absent_ones_not()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        await session.CreateAsync(Order, null, default);
        Assert.Equal(0UL, (await session.SnapshotAsync(Order, null, default)).State.Version);
        await session.AppendAsync(TestStore.Draft(Order), default);
        await session.ArchiveAsync(Order, null, default);
        Assert.True((await session.SnapshotAsync(Order, null, default)).State.Archived);
        await session.RestoreAsync(Order, null, default);
        await session.AppendAsync(TestStore.Draft(Order), default);

        var refused = await Assert.ThrowsAsync<RefusedException>(() => session.SnapshotAsync(TestStore.Aggregate("order", "o-9"), null, default));
        Assert.Equal(RefusalCode.NotFound, refused.Refusal.Code);
        session.VerifyAll(null, default);
    }

    [Fact]
    public async Task Pages_of_snapshots_go_on_behind_the_last_and_never_into_another_aggregate()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        var other = TestStore.Aggregate("order", "o-0");
        foreach (var aggregate in (AggregateKey[])[Order, other])
        {
            await session.AppendAsync(TestStore.Draft(aggregate), default);
            for (var i = 0; i < 5; i++)
                await session.SnapshotAsync(aggregate, $"{aggregate.Id} {i}", default);
        }

        var comments = new List<string?>();
        byte[]? after = null;
        do
        {
            var page = session.GetSnapshots(Order, after, 2);
            comments.AddRange(page.Items.Select(item => item.Comment));
            after = page.Next;
        }
        while (after is not null);
        Assert.Equal(Enumerable.Range(0, 5).Select(i => $"o-1 {i}"), comments);
        var foreign = session.GetSnapshots(other, null, 1).Next!;
        Assert.Throws<RefusedException>(() => session.GetSnapshots(Order, foreign, 2));
    }

    [Fact]
    public async Task Reads_of_old_versions_answer_the_same_with_and_without_what_was_remembered()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        for (var i = 1; i <= 30; i++)
        {
            await session.AppendAsync(TestStore.Draft(Order, $$"""{"n":{{i}},"m{{i % 7}}":{{i}}}"""), default);
            if (i % 4 == 0)
                await session.SnapshotAsync(Order, null, default);
        }

        string[] States() => [.. Enumerable.Range(0, 31).Select(v => session.GetAggregate(Order, (ulong)v).StateAsJson())];
        var before = States();
        database.Engine.Commit(new Forget(), sync: true);
        Assert.Empty(session.GetSnapshots(Order, null, 10).Items);
        Assert.Equal(before, States());
    }

    [Fact]
    public async Task Snapshots_survive_a_recovery_and_a_changed_one_is_found()
    {
        using var store = new TestStore();
        await using (var database = store.Open())
        {
            var session = database.OpenSession();
            await session.AppendAsync(TestStore.Draft(Order), default);
            await session.SnapshotAsync(Order, "kept", default);
        }

        File.Delete(Path.Combine(store.Directory, "event_store", "CURRENT"));
        EventDbx.Recovery.StoreRecovery.AcceptLoss(store.Options());
        await using var recovered = store.Open();
        Assert.Equal("kept", Assert.Single(recovered.OpenSession().GetSnapshots(Order, null, 10).Items).Comment);
        recovered.OpenSession().VerifyAll(null, default);

        recovered.Engine.Commit(new Move(), sync: true);
        var found = Assert.Throws<RefusedException>(() => recovered.OpenSession().VerifyAll(null, default));
        Assert.Equal(RefusalCode.IntegrityViolation, found.Refusal.Code);
    }

    /// <summary>Deletes everything that is only remembered.</summary>
    sealed class Forget : IGroupPlanner
    {
        public void Plan(IStorageView view, WritePlan plan)
        {
            foreach (var (key, _) in view.Range(Family.Snapshots, Keyspace.FirstName, [], 1000, int.MaxValue))
                plan.Delete(Family.Snapshots, key);
            var log = LogTreeStore.Load(view);
            (plan.BaseLogSize, plan.LogSize) = (log.Size, log.Size);
        }

        void IGroupPlanner.Forget() { }
    }

    /// <summary>Puts a snapshot under a version it is not of.</summary>
    sealed class Move : IGroupPlanner
    {
        public void Plan(IStorageView view, WritePlan plan)
        {
            var (key, value) = view.Range(Family.Snapshots, Keyspace.FirstName, [], 1, int.MaxValue)[0];
            var body = Checked.Body(Family.Snapshots, key, value).ToArray();
            plan.Delete(Family.Snapshots, key);
            Checked.Put(plan, Family.Snapshots, Keyspace.Snapshot(Order, 0, 1), body);
            var log = LogTreeStore.Load(view);
            (plan.BaseLogSize, plan.LogSize) = (log.Size, log.Size);
        }

        void IGroupPlanner.Forget() { }
    }
}
