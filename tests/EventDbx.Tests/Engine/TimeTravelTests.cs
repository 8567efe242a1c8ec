using EventDbx.Integrity;

namespace EventDbx.Tests.Engine;

/// <summary>States of the past: at a version, at a moment, with fold points and without.</summary>
public sealed class TimeTravelTests
{
    static readonly AggregateKey Order = TestStore.Aggregate();
    static readonly ulong[] Versions = [0, 1, 2, 999, 1000, 1001, 1500, 1999, 2000, 2001, 2349, 2350, 2351, ulong.MaxValue];

    const int Last = 2350;

    [Theory]
    [InlineData(false, true)]
    [InlineData(false, false)]
    [InlineData(true, true)]
    [InlineData(true, false)]
    public async Task A_state_at_any_version_is_the_same_with_fold_points_and_without(bool large, bool encrypted)
    {
        using var store = new TestStore();
        var steps = new EngineSteps();
        await using var database = Database.Open(store.Options(encrypted) with { WrapEngine = steps.Over });
        var session = database.OpenSession();
        var folded = FoldPointsOf(steps, 2);
        var roots = await FillAsync(session, large);
        await folded.WaitAsync(TimeSpan.FromSeconds(60));

        var with = Versions.Select(v => Text(session.GetAggregate(Order, v))).ToList();
        foreach (var version in Versions)
        {
            var state = session.GetAggregate(Order, version);
            var at = (int)Math.Min(version, Last);
            Assert.Equal((ulong)at, state.Version);
            Assert.Equal(at == 0 ? Hash32.Empty : roots[at - 1], state.MerkleRoot);
            Assert.Equal(Expected(at, large), state.StateAsJson(typed: true));
        }

        steps.Tamper((view, plan) =>
        {
            foreach (var row in FoldPointRows(view))
                plan.Delete(Family.Snapshots, row.Key);
        });
        Assert.Equal(with, Versions.Select(v => Text(session.GetAggregate(Order, v))));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_read_of_an_old_version_begins_at_the_nearest_fold_point(bool large)
    {
        using var store = new TestStore();
        var steps = new EngineSteps();
        await using var database = Database.Open(store.Options() with { WrapEngine = steps.Over });
        var session = database.OpenSession();
        var folded = FoldPointsOf(steps, 2);
        await FillAsync(session, large);
        await folded.WaitAsync(TimeSpan.FromSeconds(60));
        var (at1500, at1000) = (Text(session.GetAggregate(Order, 1500)), Text(session.GetAggregate(Order, 1000)));

        // Without version 900 nobody gets from 1 to 1,500; from 1,000 on everybody does.
        steps.Tamper((_, plan) => plan.Delete(Family.Index, Keyspace.Versioned(Order, 900)));

        Assert.Equal(at1500, Text(session.GetAggregate(Order, 1500)));
        Assert.Equal(at1000, Text(session.GetAggregate(Order, 1000)));
        Assert.Equal(RefusalCode.IntegrityViolation, Answers.RefusalOf(() => session.GetAggregate(Order, 950)).Code);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_batch_that_was_refused_beyond_a_fold_point_leaves_none(bool large)
    {
        using var store = new TestStore();
        var steps = new EngineSteps();
        await using var database = Database.Open(store.Options() with { WrapEngine = steps.Over });
        var session = database.OpenSession();
        await session.AppendBatchAsync([.. Enumerable.Range(1, 998).Select(n => Draft(n, large))], default);

        await Answers.RefusalOf(session.AppendBatchAsync(
            [.. Enumerable.Range(1, 4).Select(n => TestStore.Draft(Order, """{"wrong":1}""")), TestStore.Draft(Order) with { ExpectedVersion = 7 }], default));
        using (var view = steps.Inner.OpenView())
            Assert.Empty(FoldPointRows(view));
        var folded = FoldPointsOf(steps, 1);
        foreach (var n in (int[])[999, 1000, 1001])
            await session.AppendAsync(Draft(n, large), default);
        await folded.WaitAsync(TimeSpan.FromSeconds(60));

        Assert.Equal(Expected(1000, large), session.GetAggregate(Order, 1000).StateAsJson(typed: true));
        Assert.Equal(Expected(1001, large), session.GetAggregate(Order).StateAsJson(typed: true));
    }

    [Fact]
    public async Task A_fold_point_that_cannot_be_made_harms_nobody()
    {
        using var store = new TestStore();
        var steps = new EngineSteps();
        var database = Database.Open(store.Options(encrypted: false) with { WrapEngine = steps.Over });
        var session = database.OpenSession();
        var tried = new TaskCompletionSource();
        steps.View.Watch = () => tried.TrySetResult();
        steps.View.Failure = new StorageFailedException("a bad sector");

        await session.AppendBatchAsync([.. Enumerable.Range(1, 1000).Select(n => Draft(n, large: true))], default);
        await tried.Task.WaitAsync(TimeSpan.FromSeconds(30));
        steps.View.Failure = null;

        Assert.Equal(1001UL, (await session.AppendAsync(Draft(1001, large: true), default)).Record.Version);
        Assert.Null(database.Unhealthy);
        await database.DisposeAsync();
        await using var again = store.Open(encrypted: false);
        Assert.Equal(Expected(1000, large: true), again.OpenSession().GetAggregate(Order, 1000).StateAsJson(typed: true));
    }

    [Fact]
    public async Task A_state_at_a_moment_is_that_of_the_last_event_until_then()
    {
        using var store = new TestStore();
        var clock = new ManualClock();
        await using var database = Database.Open(store.Options() with { Clock = clock });
        var session = database.OpenSession();
        List<Timestamp> times = [];
        for (var n = 1; n <= 4; n++)
        {
            // Two events in one moment, then a gap.
            times.Add((await session.AppendAsync(Draft(n, large: false), default)).Record.CreatedAt);
            clock.Now += TimeSpan.FromTicks(n % 2 == 0 ? 10 : 0);
        }

        Assert.Equal(times[0], times[1]);
        Assert.Equal(0UL, session.GetAggregate(Order, Timestamp.MinValue).Version);
        Assert.Equal("{}", session.GetAggregate(Order, new Timestamp(times[0].Ticks100ns - 1)).StateAsJson());
        Assert.Equal(2UL, session.GetAggregate(Order, times[0]).Version);
        Assert.Equal(2UL, session.GetAggregate(Order, new Timestamp(times[2].Ticks100ns - 1)).Version);
        Assert.Equal(4UL, session.GetAggregate(Order, times[2]).Version);
        Assert.Equal(4UL, session.GetAggregate(Order, Timestamp.MaxValue).Version);
        Assert.Equal(times[0], session.GetAggregate(Order, times[0]).UpdatedAt);
    }

    [Fact]
    public async Task Time_never_goes_back_within_an_aggregate_whatever_the_clock_does()
    {
        using var store = new TestStore();
        var clock = new ManualClock();
        var start = clock.Stamp;
        await using (var database = Database.Open(store.Options() with { Clock = clock }))
        {
            var session = database.OpenSession();
            Assert.Equal(start, (await session.AppendAsync(TestStore.Draft(Order), default)).Record.CreatedAt);
            clock.Now -= TimeSpan.FromDays(1);
            Assert.Equal(start, (await session.AppendAsync(TestStore.Draft(Order), default)).Record.CreatedAt);
            Assert.Equal(clock.Stamp, (await session.AppendAsync(TestStore.Draft(TestStore.Aggregate("order", "o-2")), default)).Record.CreatedAt);
            await session.ArchiveAsync(Order, null, default);
            await session.RestoreAsync(Order, null, default);
        }

        await using (var database = Database.Open(store.Options() with { Clock = clock }))
        {
            var session = database.OpenSession();
            Assert.Equal(start, (await session.AppendAsync(TestStore.Draft(Order), default)).Record.CreatedAt);
            clock.Now += TimeSpan.FromDays(2);
            Assert.Equal(clock.Stamp, (await session.AppendAsync(TestStore.Draft(Order), default)).Record.CreatedAt);
            Assert.Equal(3UL, session.GetAggregate(Order, start).Version);
        }
    }

    [Fact]
    public async Task An_event_id_of_ours_is_a_version_7_UUID_of_the_moment()
    {
        using var store = new TestStore();
        var clock = new ManualClock { Now = new(2026, 1, 2, 3, 4, 5, 678, TimeSpan.Zero) };
        await using var database = Database.Open(store.Options() with { Clock = clock });
        var session = database.OpenSession();

        var ids = new HashSet<Guid>();
        for (var i = 0; i < 100; i++)
        {
            var id = (await session.AppendAsync(TestStore.Draft(Order), default)).Record.EventId;
            Assert.True(ids.Add(id));
            Assert.Equal(7, id.Version);
            Assert.InRange(id.Variant, 8, 11);
            Assert.Equal(clock.Now.ToUnixTimeMilliseconds(), Convert.ToInt64(id.ToString("N")[..12], 16));
        }
    }

    static EventDraft Draft(int n, bool large) => TestStore.Draft(
        Order, n == 1 && large ? $$"""{"big":"{{new string('x', 5000)}}","n":1}""" : $$"""{"n":{{n}},"k{{n % 7}}":{{n}}}""");

    static string Expected(int version, bool large)
    {
        var fields = new SortedDictionary<string, string>(StringComparer.Ordinal);
        for (var n = 1; n <= version; n++)
        {
            fields["n"] = $"{n}";
            if (n == 1 && large)
                fields["big"] = $"\"{new string('x', 5000)}\"";
            else
                fields[$"k{n % 7}"] = $"{n}";
        }

        return $"{{{string.Join(',', fields.Select(f => $"\"{f.Key}\":{f.Value}"))}}}";
    }

    /// <summary>Appends all versions and returns their roots.</summary>
    static async Task<List<Hash32>> FillAsync(Session session, bool large)
    {
        List<Hash32> roots = [];
        foreach (var batch in Enumerable.Range(1, Last).Chunk(470))
            roots.AddRange((await session.AppendBatchAsync([.. batch.Select(n => Draft(n, large))], default)).Select(r => r.Record.MerkleRoot));
        return roots;
    }

    /// <summary>Completes once so many fold points are written.</summary>
    static Task FoldPointsOf(EngineSteps steps, int count)
    {
        var written = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        steps.Committed.Watch = () =>
        {
            using var view = steps.Inner.OpenView();
            if (FoldPointRows(view).Count == count)
                written.TrySetResult();
        };
        return written.Task;
    }

    static IReadOnlyList<Row> FoldPointRows(IStorageView view) =>
        view.Range(Family.Snapshots, Keyspace.Prefix(Order), Keyspace.AfterAggregate(Order), 100, int.MaxValue);

    static string Text(AggregateState state) => $"{state.Version} {state.MerkleRoot} {state.UpdatedAt} {state.CreatedAt} {state.StateAsJson(typed: true)}";
}
