namespace EventDbx.Tests.Engine;

/// <summary>Writers that want the same version, and writers that want the same event.</summary>
public sealed class ConcurrencyTests
{
    static readonly AggregateKey Order = TestStore.Aggregate();

    [Fact]
    public async Task Of_64_writers_that_expect_the_same_version_one_wins_and_the_others_learn_the_actual_one()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();

        for (var version = 0UL; version < 8; version++)
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 64).Select(writer => Task.Run(() =>
                TryAsync(session, TestStore.Draft(Order, $$"""{"writer":{{writer}}}""") with { ExpectedVersion = version }))));

            var winner = Assert.Single(answers, a => a.Record is not null).Record!;
            Assert.Equal(version + 1, winner.Version);
            var refusals = answers.Where(a => a.Record is null).Select(a => a.Refusal).ToList();
            Assert.All(refusals, refusal => Assert.Equal((RefusalCode.VersionConflict, version + 1), (refusal.Code, refusal.ActualVersion!.Value)));
            Assert.Equal(winner.Text(), session.GetEvent(Order, version + 1).Text());
        }

        Assert.Equal(8UL, database.LogSize);
    }

    [Fact]
    public async Task Every_version_has_one_winner_when_64_writers_race_through_all_of_them()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();

        var wins = await Task.WhenAll(Enumerable.Range(0, 64).Select(_ => Task.Run(async () =>
        {
            List<ulong> won = [];
            for (var expected = 0UL; expected < 20;)
            {
                var answer = await TryAsync(session, TestStore.Draft(Order) with { ExpectedVersion = expected });
                if (answer.Record is { } record)
                    won.Add(record.Version);
                Assert.True(answer.Record is not null || answer.Refusal.ActualVersion > expected, "the actual version is never the expected one");
                expected = answer.Record?.Version ?? answer.Refusal.ActualVersion!.Value;
            }

            return won;
        })));

        Assert.Equal(Enumerable.Range(1, 20).Select(v => (ulong)v), wins.SelectMany(w => w).Order());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task One_event_id_from_16_writers_is_one_event_and_16_equal_answers(bool inOneGroup)
    {
        using var store = new TestStore();
        var steps = new EngineSteps();
        await using var database = Database.Open(store.Options() with { WrapEngine = steps.Over, GroupCommits = inOneGroup ? 2048 : 1 });
        var session = database.OpenSession(new Actor("clerks", "jane"));
        var draft = TestStore.Draft(Order) with { EventId = Guid.NewGuid(), Note = "once" };
        List<Task<AppendResult>> answers = [];
        using (var held = steps.Commit.Hold())
        {
            var plug = session.AppendAsync(TestStore.Draft(TestStore.Aggregate("plug")), default);
            await held.Reached;
            for (var i = 0; i < 16; i++)
                answers.Add(session.AppendAsync(draft, default));
            held.Release();
            await plug;
        }

        var results = await Task.WhenAll(answers);

        Assert.Single(results, r => r.Appended);
        Assert.Single(results.Select(r => r.Record.Text()).Distinct());
        Assert.Equal(2UL, database.LogSize);
        Assert.Equal(inOneGroup ? 2UL : 17UL, database.Commits.Groups);
    }

    [Fact]
    public async Task One_event_id_from_16_threads_is_one_event_and_16_equal_answers()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        var draft = TestStore.Draft(Order) with { EventId = Guid.NewGuid() };
        using var together = new Barrier(16);

        var results = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Task.Factory.StartNew(
            () =>
            {
                together.SignalAndWait();
                return session.AppendAsync(draft, default);
            },
            TaskCreationOptions.LongRunning).Unwrap()));

        Assert.Single(results.Select(r => r.Record.Text()).Distinct());
        Assert.Equal(1UL, database.LogSize);
    }

    [Fact]
    public async Task Sessions_on_many_threads_read_a_consistent_history_while_others_write_it()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var writer = database.OpenSession();
        await writer.AppendAsync(TestStore.Draft(Order, """{"n":1}"""), default);
        using var done = new CancellationTokenSource();

        var readers = Enumerable.Range(0, 2).Select(_ => Task.Run(() =>
        {
            var session = database.OpenSession();
            var seen = 0UL;
            while (!done.IsCancellationRequested)
            {
                var state = session.GetAggregate(Order);
                Assert.True(state.Version >= seen, "a version once seen does not go away");
                seen = state.Version;
                Assert.Equal($$"""{"n":{{state.Version}}}""", state.StateAsJson(typed: true));
                Assert.Equal(state.MerkleRoot, session.GetEvent(Order, state.Version).MerkleRoot);
                var page = session.ReadFeed(0, 1000, includeControl: true);
                Assert.Equal(page.Items.Count, (int)page.ReachedPosition);
            }
        })).ToList();
        for (var n = 2; n <= 60; n++)
        {
            var answer = await writer.AppendAsync(TestStore.Draft(Order, $$"""{"n":{{n}}}"""), default);
            Assert.Equal(answer.Record.Version, writer.GetAggregate(Order).Version);
        }

        await done.CancelAsync();
        await Task.WhenAll(readers);
    }

    static async Task<(EventRecord? Record, Refusal Refusal)> TryAsync(Session session, EventDraft draft)
    {
        try
        {
            return ((await session.AppendAsync(draft, default)).Record, default);
        }
        catch (RefusedException refused)
        {
            return (null, refused.Refusal);
        }
    }
}
