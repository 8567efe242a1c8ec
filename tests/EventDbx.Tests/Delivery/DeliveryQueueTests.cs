using EventDbx.Delivery;
using EventDbx.Encryption;
using EventDbx.Events;
using EventDbx.Storage;
using EventDbx.Tests.Engine;
using EventDbx.Tests.Storage;
using EventDbx.Tests.Verification;

namespace EventDbx.Tests.Delivery;

/// <summary>What a store keeps of its plugins.</summary>
public sealed class DeliveryQueueTests : IDisposable
{
    readonly TestStore _store = new();
    readonly Random _random = new(7);

    public void Dispose() => _store.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public Task Random_changes_leave_what_a_dictionary_has(bool encrypted) => Effort.SeededAsync(async random =>
    {
        var model = new DeliveryModel();
        // Names that begin alike, and one that sorts before and behind the others by its bytes.
        string[] names = ["a", "a1", "a\u00e4", "audit", "\u00fcber"];
        var aggregates = Enumerable.Range(0, 12).Select(n => TestStore.Aggregate(n % 2 == 0 ? "order" : "órder", $"o-{n}")).ToList();
        for (var opened = 0; opened < 4; opened++)
        {
            await using var database = _store.Open(encrypted);
            if (opened == 0)
                await database.OpenSession().AppendBatchAsync([.. aggregates.Concat(aggregates).Select(aggregate => TestStore.Draft(aggregate))], default);
            Assert.Equal(model.ToString(), DeliveryModel.Tell(database.Deliveries));
            for (var i = 0; i < Effort.Choose(60, 300, 1000); i++)
            {
                var name = names[random.Next(names.Length)];
                if (random.Next(15) == 0)
                {
                    await database.Deliveries.ForgetAsync(name);
                    model.Forget(name);
                    continue;
                }

                var change = model.Draw(random, name, aggregates, database.LogSize);
                await database.Deliveries.SaveAsync(name, change);
                model.Apply(name, change);
                if (random.Next(20) == 0)
                    Assert.Equal(model.ToString(), DeliveryModel.Tell(database.Deliveries));
            }

            Assert.Equal(model.ToString(), DeliveryModel.Tell(database.Deliveries));
            database.OpenSession().VerifyAll(null, default);
        }
    });

    [Fact]
    public async Task What_is_saved_at_the_same_time_is_counted_once_each()
    {
        var steps = new EngineSteps { PlansTwice = true };
        await using var database = Database.Open(_store.Options() with { WrapEngine = steps.Over });
        var session = database.OpenSession();
        var aggregates = Enumerable.Range(0, 40).Select(n => TestStore.Aggregate(id: $"o-{n}")).ToList();
        await session.AppendBatchAsync([.. aggregates.Select(aggregate => TestStore.Draft(aggregate))], default);
        await database.Deliveries.SaveAsync("audit", new() { Cursor = 0 });
        var made = TestStore.Aggregate(id: "made");
        await session.CreateAsync(made, null, default);

        // All of it waits behind one commit, and is then one group, or as few as it can be.
        var held = steps.Commit.Hold();
        var work = new List<Task> { session.AppendAsync(TestStore.Draft(aggregates[0]), default) };
        work.Add(database.Deliveries.SaveAsync("audit", new() { Waiting = [DeliveryModel.Waiting(_random, made, 1)] }));
        work.Add(session.RemoveAsync(made, default));
        for (var round = 0; round < 3; round++)
        {
            foreach (var aggregate in aggregates)
            {
                work.Add(database.Deliveries.SaveAsync("audit", new() { Waiting = [DeliveryModel.Waiting(_random, aggregate, 2)], Dead = [DeliveryModel.Dead(_random, aggregate, 7)] }));
                work.Add(session.AppendAsync(TestStore.Draft(aggregate), default));
            }
        }

        work.Add(database.Deliveries.SaveAsync("audit", new() { Released = [aggregates[3], aggregates[4]], Cursor = 40 }));
        held.Release();
        await Task.WhenAll(work);

        Assert.Equal(new(38, 1), database.Deliveries.Count("audit"));
        Assert.Equal(40UL, database.Deliveries.FindCursor("audit"));
        Assert.DoesNotContain(made, database.Deliveries.GetWaiting("audit", null, 100).Select(entry => entry.Aggregate));
        session.VerifyAll(null, default);
    }

    [Fact]
    public async Task A_cursor_goes_to_the_end_of_the_log_and_not_beyond()
    {
        await using var database = _store.Open();
        await database.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        Assert.Null(database.Deliveries.FindCursor("audit"));

        await database.Deliveries.SaveAsync("audit", new() { Cursor = 1 });
        await RefusedAsync(RefusalCode.InvalidArgument, "position 2", () => database.Deliveries.SaveAsync("audit", new() { Cursor = 2 }));

        Assert.Equal(1UL, database.Deliveries.FindCursor("audit"));
        await database.Deliveries.SaveAsync("audit", new() { Cursor = 0 });
        Assert.Equal(0UL, database.Deliveries.FindCursor("audit"));
    }

    [Fact]
    public async Task What_only_a_defect_can_bring_is_not_kept()
    {
        await using var database = _store.Open();
        var aggregate = TestStore.Aggregate();
        await database.OpenSession().AppendAsync(TestStore.Draft(aggregate), default);
        var waiting = DeliveryModel.Waiting(_random, aggregate, 1);
        var dead = DeliveryModel.Dead(_random, aggregate, 1);

        await RefusedAsync(RefusalCode.NotFound, "where it begins", () => database.Deliveries.SaveAsync("audit", new() { Waiting = [waiting] }));
        await database.Deliveries.SaveAsync("audit", new() { Cursor = 1, Waiting = [waiting], Dead = [dead] });
        foreach (var (change, what) in ((DeliveryChange, string)[])
        [
            (new() { Waiting = [waiting with { Position = 2 }] }, "position 2"),
            (new() { Waiting = [waiting with { Position = 0 }] }, "position 0"),
            (new() { Waiting = [waiting with { Version = 0 }] }, "version 0"),
            (new() { Waiting = [waiting with { Attempts = -1 }] }, "-1 attempts"),
            (new() { Waiting = [waiting], Released = [aggregate] }, "twice"),
            (new() { Dead = [dead with { Position = 9 }] }, "position 9"),
            (new() { Dead = [dead], Cleared = [1] }, "twice"),
        ])
            await RefusedAsync(RefusalCode.InvalidArgument, what, () => database.Deliveries.SaveAsync("audit", change));
        await RefusedAsync(RefusalCode.InvalidName, "control character", () => database.Deliveries.SaveAsync("a\0b", new() { Cursor = 1 }));
        await RefusedAsync(RefusalCode.InvalidName, "empty", () => database.Deliveries.ForgetAsync(""));
        await RefusedAsync(RefusalCode.LimitExceeded, "at once", () => database.Deliveries.SaveAsync("audit", new() { Cleared = [.. Enumerable.Range(1, Limits.DeliveryChangesMax + 1).Select(n => (ulong)n)] }));

        Assert.Equal(new(1, 1), database.Deliveries.Count("audit"));
        Assert.Equal(waiting, Assert.Single(database.Deliveries.GetWaiting("audit", null, 9)));
    }

    [Fact]
    public async Task A_plugin_that_is_forgotten_leaves_nothing_and_takes_nothing_of_its_neighbours()
    {
        await using var database = _store.Open(encrypted: false);
        var aggregates = Enumerable.Range(0, Limits.DeliveryChangesMax).Select(n => TestStore.Aggregate(id: $"o-{n:d4}")).ToList();
        await database.OpenSession().AppendBatchAsync([.. aggregates.Select(aggregate => TestStore.Draft(aggregate))], default);
        foreach (var name in (string[])["a", "ab", "b"])
        {
            await database.Deliveries.SaveAsync(name, new() { Cursor = 5, Waiting = [.. aggregates.Select(aggregate => DeliveryModel.Waiting(_random, aggregate, 1))] });
            await database.Deliveries.SaveAsync(name, new() { Dead = [.. aggregates.Take(7).Select((aggregate, i) => DeliveryModel.Dead(_random, aggregate, (ulong)i + 1))] });
        }

        // More rows than one commit deletes.
        await database.Deliveries.ForgetAsync("ab");
        await database.Deliveries.ForgetAsync("nobody");

        Assert.Equal(["a", "b"], database.Deliveries.GetPlugins());
        Assert.Null(database.Deliveries.FindCursor("ab"));
        Assert.Empty(database.Deliveries.GetWaiting("ab", null, 10));
        Assert.Empty(database.Deliveries.GetDead("ab", 0, 10));
        Assert.All((string[])["a", "b"], name => Assert.Equal(new(aggregates.Count, 7), database.Deliveries.Count(name)));
        await RefusedAsync(RefusalCode.NotFound, "where it begins", () => database.Deliveries.SaveAsync("ab", new() { Released = [aggregates[0]] }));
        database.OpenSession().VerifyAll(null, default);
    }

    [Fact]
    public async Task As_many_wait_and_are_dead_as_may_and_no_more()
    {
        // In memory: it is the count that is looked at.
        await using var database = Database.OpenOn(new MemoryEngine(), new() { Directory = "", Encrypted = false });
        var most = Math.Max(Limits.DeliveryWaitingMax, Limits.DeliveryDeadMax);
        var aggregate = TestStore.Aggregate();
        for (var i = 0; i <= most; i += 1000)
            await database.OpenSession().AppendBatchAsync([.. Enumerable.Range(0, 1000).Select(_ => TestStore.Draft(aggregate, "{}"))], default);
        var (waiting, dead) = (DeliveryModel.Waiting(_random, aggregate, 1) with { LastError = "" }, DeliveryModel.Dead(_random, aggregate, 1) with { LastError = "" });
        await database.Deliveries.SaveAsync("audit", new() { Cursor = 0 });
        for (var i = 0; i < Limits.DeliveryWaitingMax; i += 1000)
            await database.Deliveries.SaveAsync("audit", new() { Waiting = [.. Enumerable.Range(i, 1000).Select(n => waiting with { Aggregate = TestStore.Aggregate(id: $"o-{n}") })] });
        for (var i = 0; i < Limits.DeliveryDeadMax; i += 1000)
            await database.Deliveries.SaveAsync("audit", new() { Dead = [.. Enumerable.Range(i + 1, 1000).Select(n => dead with { Position = (ulong)n })] });

        await RefusedAsync(RefusalCode.LimitExceeded, "10000 aggregates wait", () => database.Deliveries.SaveAsync("audit", new() { Cursor = 1, Waiting = [waiting with { Aggregate = TestStore.Aggregate(id: "more") }] }));
        await RefusedAsync(RefusalCode.LimitExceeded, "100000 dead letters", () => database.Deliveries.SaveAsync("audit", new() { Cursor = 1, Dead = [dead with { Position = (ulong)Limits.DeliveryDeadMax + 1 }] }));

        Assert.Equal((0UL, new DeliveryCounts(Limits.DeliveryWaitingMax, Limits.DeliveryDeadMax)), (database.Deliveries.FindCursor("audit"), database.Deliveries.Count("audit")));
        // What takes the place of another is no more than there was.
        await database.Deliveries.SaveAsync("audit", new() { Waiting = [waiting with { Aggregate = TestStore.Aggregate(id: "more") }], Released = [TestStore.Aggregate(id: "o-7")], Dead = [dead with { Position = 3 }] });
        await database.Deliveries.SaveAsync("audit", new() { Cleared = [4], Dead = [dead with { Position = (ulong)Limits.DeliveryDeadMax + 1 }] });
        Assert.Equal(new(Limits.DeliveryWaitingMax, Limits.DeliveryDeadMax), database.Deliveries.Count("audit"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_a_plugin_said_is_sealed_where_events_are(bool encrypted)
    {
        const string said = "no such customer: jane@example.org";
        var aggregate = TestStore.Aggregate();
        await using var database = _store.Open(encrypted);
        await database.OpenSession().AppendAsync(TestStore.Draft(aggregate), default);
        await database.Deliveries.SaveAsync("audit", new()
        {
            Cursor = 1,
            Waiting = [DeliveryModel.Waiting(_random, aggregate, 1) with { LastError = said }],
            Dead = [DeliveryModel.Dead(_random, aggregate, 1) with { LastError = said }],
        });

        var rows = RawRows.All(database.Engine, Family.Plugins).Where(row => row.Key.Length > 8).ToList();
        Assert.Equal(2, rows.Count(row => Encoding.Latin1.GetString(row.Value).Contains("jane", StringComparison.Ordinal) != encrypted));
        if (encrypted)
            await database.OpenSession().RotateKeyAsync(DataKey.Generate(), null, default);
        // Archived, it keeps its key.
        await database.OpenSession().ArchiveAsync(aggregate, null, default);
        Assert.Equal(said, Assert.Single(database.Deliveries.GetWaiting("audit", null, 9)).LastError);
        Assert.Equal(said, Assert.Single(database.Deliveries.GetDead("audit", 0, 9)).LastError);
    }

    [Fact]
    public async Task What_a_plugin_said_is_cut_and_not_refused()
    {
        var aggregate = TestStore.Aggregate();
        await using var database = _store.Open();
        await database.OpenSession().AppendAsync(TestStore.Draft(aggregate), default);
        var whole = new string('x', Limits.DeliveryErrorCharactersMax);
        // A character of two halves just where it is cut, and an aggregate that has no key.
        var long_ = whole[..^2] + "🚲" + whole;
        await database.Deliveries.SaveAsync("audit", new()
        {
            Cursor = 1,
            Waiting = [DeliveryModel.Waiting(_random, aggregate, 1) with { LastError = long_ }, DeliveryModel.Waiting(_random, TestStore.Aggregate(id: "unknown"), 1)],
            Dead = [DeliveryModel.Dead(_random, aggregate, 1) with { LastError = whole }],
        });

        Assert.Equal([whole[..^2] + "…", ""], database.Deliveries.GetWaiting("audit", null, 9).Select(entry => entry.LastError));
        Assert.Equal(whole, Assert.Single(database.Deliveries.GetDead("audit", 0, 9)).LastError);
    }

    [Fact]
    public async Task Removing_an_aggregate_drops_what_waits_for_it_with_every_plugin()
    {
        var (made, other) = (TestStore.Aggregate(id: "made"), TestStore.Aggregate(id: "other"));
        await using (var database = _store.Open())
        {
            await database.OpenSession().CreateAsync(made, null, default);
            await database.OpenSession().CreateAsync(other, null, default);
            foreach (var name in (string[])["a", "b", "c"])
            {
                await database.Deliveries.SaveAsync(name, new()
                {
                    Cursor = 1, Waiting = name == "c" ? [DeliveryModel.Waiting(_random, other, 1)] : [DeliveryModel.Waiting(_random, made, 1), DeliveryModel.Waiting(_random, other, 1)],
                });
            }

            // An aggregate that cannot be removed keeps what waits for it.
            await database.OpenSession().AppendAsync(TestStore.Draft(other), default);
            await Assert.ThrowsAsync<RefusedException>(() => database.OpenSession().RemoveAsync(other, default));
            await database.OpenSession().RemoveAsync(made, default);
        }

        await using var again = _store.Open();
        Assert.All((string[])["a", "b", "c"], name =>
        {
            Assert.Equal(new(1, 0), again.Deliveries.Count(name));
            Assert.Equal(other, Assert.Single(again.Deliveries.GetWaiting(name, null, 9)).Aggregate);
        });
        again.OpenSession().VerifyAll(null, default);
    }

    [Fact]
    public async Task A_relaxed_store_syncs_what_was_decided_at_once_and_a_cursor_with_its_events()
    {
        await using var database = Database.Open(_store.Options() with { Durability = Durability.Relaxed, RelaxedInterval = TimeSpan.FromHours(1) });
        await database.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        var before = database.Commits.Syncs;
        await database.Deliveries.SaveAsync("audit", new() { Cursor = 0, Dead = [] });
        Assert.Equal(before + 1, database.Commits.Syncs);
        Assert.Equal(1UL, database.LogSize);
        await database.Deliveries.SaveAsync("audit", new() { Cursor = 1 });
        Assert.Equal(before + 1, database.Commits.Syncs);
        await database.Deliveries.SaveAsync("audit", new() { Dead = [DeliveryModel.Dead(_random, TestStore.Aggregate(), 1)] });
        Assert.Equal(before + 2, database.Commits.Syncs);
    }

    static async Task RefusedAsync(RefusalCode code, string what, Func<Task> act)
    {
        var refused = await Assert.ThrowsAsync<RefusedException>(act);
        Assert.Equal(code, refused.Refusal.Code);
        Assert.Contains(what, refused.Message, StringComparison.Ordinal);
    }
}
