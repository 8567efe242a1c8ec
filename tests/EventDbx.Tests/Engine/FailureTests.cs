namespace EventDbx.Tests.Engine;

/// <summary>A disk that fails: nobody is told a lie, nothing is tried twice, and what was acknowledged is there afterwards.</summary>
public sealed class FailureTests
{
    static readonly AggregateKey Order = TestStore.Aggregate();
    static readonly StorageFailedException DiskFull = new("no space left on device");

    public enum At
    {
        BeforeTheWrite,
        BeforeTheSync,
        AfterTheSync,
    }

    [Theory]
    [InlineData(At.BeforeTheWrite)]
    [InlineData(At.BeforeTheSync)]
    [InlineData(At.AfterTheSync)]
    public async Task A_commit_that_fails_is_nobodys_success_and_stops_the_writer_for_good(At at)
    {
        using var store = new TestStore();
        var steps = new EngineSteps { SplitsCommits = true };
        string acknowledged;
        await using (var database = Database.Open(store.Options() with { WrapEngine = steps.Over }))
        {
            var session = database.OpenSession();
            acknowledged = (await session.AppendAsync(TestStore.Draft(Order), default)).Record.Text();
            Assert.Null(database.Unhealthy);
            List<Task> calls = [session.WaitForFeedAsync(1, default)];
            using (var held = steps.Commit.Hold())
            {
                calls.Add(session.AppendAsync(TestStore.Draft(Order), default));
                await held.Reached;
                calls.Add(session.AppendBatchAsync([TestStore.Draft(Order), TestStore.Draft(Order)], default));
                calls.Add(session.CreateAsync(TestStore.Aggregate("order", "other"), null, default));
                Fails(steps, at);
            }

            await AssertStoppedAsync(database, calls, steps);
            Assert.Equal(1UL, database.LogSize);
            Assert.Equal(acknowledged, session.GetEvent(Order, 1).Text());
            Assert.Single(session.ReadFeed(0, 10, includeControl: true).Items);
        }

        var (commits, syncs) = (steps.Commit.Arrivals, steps.Sync.Arrivals);
        await using (var database = store.Open())
        {
            var session = database.OpenSession();
            Assert.Equal(acknowledged, session.GetEvent(Order, 1).Text());
            // The group in flight is there whole or not at all; nothing of what waited behind it.
            Assert.InRange(database.LogSize, 1UL, at == At.BeforeTheWrite ? 1UL : 2UL);
            Assert.Equal(database.LogSize, session.GetAggregate(Order).Version);
            Assert.Equal(database.LogSize + 1, (await session.AppendAsync(TestStore.Draft(Order), default)).Record.Position);
        }

        Assert.Equal((commits, syncs), (steps.Commit.Arrivals, steps.Sync.Arrivals));
    }

    [Fact]
    public async Task A_relaxed_sync_that_fails_stops_the_writer_and_is_never_tried_again()
    {
        using var store = new TestStore();
        var steps = new EngineSteps();
        var options = store.Options() with { WrapEngine = steps.Over, Durability = Durability.Relaxed, RelaxedInterval = TimeSpan.FromMilliseconds(1) };
        string synced;
        await using (var database = Database.Open(options))
        {
            var session = database.OpenSession();
            synced = (await session.AppendAsync(TestStore.Draft(Order), default)).Record.Text();
            await session.WaitForFeedAsync(0, default).WaitAsync(TimeSpan.FromSeconds(30));
            steps.Sync.Failure = DiskFull;

            await session.AppendAsync(TestStore.Draft(Order), default);

            await AssertStoppedAsync(database, [session.WaitForFeedAsync(1, default)], steps);
            Assert.Equal(1UL, database.LogSize);
            Assert.Single(session.ReadFeed(0, 10, includeControl: true).Items);
            Assert.Equal(2, steps.Sync.Arrivals);
        }

        Assert.Equal(2, steps.Sync.Arrivals);
        await using (var database = store.Open())
        {
            Assert.InRange(database.LogSize, 1UL, 2UL);
            Assert.Equal(synced, database.OpenSession().GetEvent(Order, 1).Text());
        }
    }

    static async Task AssertStoppedAsync(Database database, IEnumerable<Task> calls, EngineSteps steps)
    {
        foreach (var call in calls)
        {
            var refusal = await Answers.RefusalOf(call);
            Assert.Equal("unavailable", refusal.Name);
            Assert.False(refusal.Retryable);
            Assert.Contains(DiskFull.Message, refusal.Message, StringComparison.Ordinal);
        }

        var session = database.OpenSession();
        var (commits, syncs) = (steps.Commit.Arrivals, steps.Sync.Arrivals);
        Assert.Equal(RefusalCode.Unavailable, (await Answers.RefusalOf(session.AppendAsync(TestStore.Draft(Order), default))).Code);
        Assert.Equal(RefusalCode.Unavailable, (await Answers.RefusalOf(session.ArchiveAsync(Order, null, default))).Code);
        Assert.Equal(RefusalCode.Unavailable, (await Answers.RefusalOf(session.WaitForFeedAsync(database.LogSize, default))).Code);
        Assert.Contains(DiskFull.Message, database.Unhealthy, StringComparison.Ordinal);
        Assert.Equal((commits, syncs), (steps.Commit.Arrivals, steps.Sync.Arrivals));
    }

    static void Fails(EngineSteps steps, At at) =>
        (at switch { At.BeforeTheWrite => steps.Commit, At.BeforeTheSync => steps.Sync, At.AfterTheSync => steps.Committed }).Failure = DiskFull;

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_watermark_that_cannot_be_written_fails_no_commit_but_health_says_so_until_it_can(bool gone)
    {
        using var store = new TestStore();
        var (path, aside) = (Path.Combine(store.Directory, "watermark"), Path.Combine(store.Directory, "aside"));
        await using (var database = store.Open())
        {
            var session = database.OpenSession();
            File.Move(path, aside);
            if (!gone)
                Directory.CreateDirectory(path);

            Assert.Equal(1UL, (await session.AppendAsync(TestStore.Draft(Order), default)).Record.Position);
            await session.WaitForFeedAsync(0, default);
            Assert.StartsWith("The watermark cannot be written", database.Unhealthy, StringComparison.Ordinal);
            Assert.Equal(1UL, database.LogSize);

            if (!gone)
                Directory.Delete(path);
            File.Move(aside, path);
            await session.AppendAsync(TestStore.Draft(Order), default);
            Assert.Null(database.Unhealthy);
        }

        await using (var database = store.Open())
            Assert.Equal(2UL, database.LogSize);
    }

    [Fact]
    public async Task A_close_that_cannot_leave_its_seal_lets_go_of_the_directory_and_the_next_open_checks()
    {
        using var store = new TestStore();
        var (path, aside) = (Path.Combine(store.Directory, "watermark"), Path.Combine(store.Directory, "aside"));
        await using (var database = store.Open())
        {
            File.Move(path, aside);
            Directory.CreateDirectory(path);
            await database.OpenSession().AppendAsync(TestStore.Draft(Order), default);
        }

        Directory.Delete(path);
        File.Move(aside, path);
        List<string> progress = [];
        await using var again = Database.Open(store.Options() with { Progress = progress.Add });
        Assert.Equal(1UL, again.LogSize);
        Assert.Contains(progress, line => line.Contains("checking", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_full_queue_tells_the_next_caller_to_come_back_and_takes_him_when_it_has_room()
    {
        using var store = new TestStore();
        var steps = new EngineSteps();
        await using var database = Database.Open(store.Options(encrypted: false) with { WrapEngine = steps.Over });
        var session = database.OpenSession();
        var payload = Encoding.UTF8.GetBytes($"\"{new string('x', 1_000_000)}\"");
        List<Task<AppendResult>> taken = [];
        using (var held = steps.Commit.Hold())
        {
            taken.Add(session.AppendAsync(TestStore.Draft(Order), default));
            await held.Reached;
            Task<AppendResult> next;
            while (!(next = session.AppendAsync(TestStore.Draft(Order) with { Payload = payload }, default)).IsFaulted)
                taken.Add(next);

            var refusal = await Answers.RefusalOf(next);
            Assert.Equal(("overloaded", true), (refusal.Name, refusal.Retryable));
            // The sealed bodies, 64 MiB together.
            Assert.Equal(Limits.QueueBytesMax / 1_000_531, taken.Count - 1);
            Assert.Equal(RefusalCode.Overloaded, (await Answers.RefusalOf(session.AppendBatchAsync([TestStore.Draft(Order) with { Payload = payload }], default))).Code);
        }

        await Task.WhenAll(taken);
        Assert.True((await session.AppendAsync(TestStore.Draft(Order) with { Payload = payload }, default)).Appended);
        Assert.Equal((ulong)taken.Count + 1, database.LogSize);
        Assert.Null(database.Unhealthy);
    }
}
