using EventDbx.Encryption;
using EventDbx.Integrity;
using EventDbx.Storage;
using EventDbx.Tests.Engine;
using EventDbx.Tests.Storage;
using EventDbx.Verification;

namespace EventDbx.Tests.Verification;

/// <summary>Verify of everything: beside writers, reporting, cancelled, and what only the whole shows.</summary>
public sealed class VerifyAllTests
{
    static EventDraft Draft(string id, int i) => TestStore.Draft(AggregateKey.Create("order", id), $$"""{"n":{{i}}}""");

    [Theory]
    [InlineData(Durability.Sync)]
    [InlineData(Durability.Relaxed)]
    public async Task It_passes_while_four_writers_append(Durability durability)
    {
        using var store = new TestStore();
        await using var database = Database.Open(store.Options() with { Durability = durability });
        var session = database.OpenSession();
        using var stop = new CancellationTokenSource();
        var writers = Enumerable.Range(0, 4).Select(writer => Task.Run(async () =>
        {
            for (var i = 0; !stop.IsCancellationRequested; i++)
            {
                await session.AppendBatchAsync([.. Enumerable.Range(0, 5).Select(k => Draft($"o-{(writer + i + k) % 9}", i) with { EventId = k == 2 ? Guid.NewGuid() : null })], default);
                if (i % 10 == 0)
                    await session.CreateAsync(AggregateKey.Create("made", $"{writer}-{i}"), null, default);
                if (i % 20 == 0)
                    await session.ArchiveAsync(AggregateKey.Create("made", $"{writer}-{i}"), null, default);
            }
        })).ToList();

        ulong last = 0;
        for (var i = 0; i < 10 || (last < 2000 && i < 500); i++)
        {
            var size = database.LogSize;
            var all = session.VerifyAll(null, default);
            Assert.InRange(all.LogSize, Math.Max(size, last), ulong.MaxValue);
            Assert.Equal(all.LogSize, all.Events + all.ControlEntries);
            last = all.LogSize;
            if (size > 20)
                Assert.True(session.Verify(AggregateKey.Create("order", $"o-{i % 3}"), (VerifyLevel)(i % 2), default).Version > 0);
        }

        await stop.CancelAsync();
        await Task.WhenAll(writers);
        var end = session.VerifyAll(null, default);
        await session.WaitForFeedAsync(end.LogSize - 1, default);
        Assert.Equal((end.LogSize, end.LogRoot), (database.LogSize, database.LogRoot));
    }

    [Fact]
    public async Task Progress_names_the_phases_in_order_and_reaches_the_end()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        for (var b = 0; b < 3; b++)
            await session.AppendBatchAsync([.. Enumerable.Range(0, 1000).Select(i => Draft($"o-{i % 7}", i))], default);
        var reports = new Reports();
        session.VerifyAll(reports, default);
        Assert.Equal([VerifyPhase.Files, VerifyPhase.Log, VerifyPhase.Aggregates], reports.Seen.Select(report => report.Phase).Distinct());
        foreach (var phase in (VerifyPhase[])[VerifyPhase.Log, VerifyPhase.Aggregates])
        {
            var done = reports.Seen.Where(report => report.Phase == phase).Select(report => report.Done).ToList();
            Assert.Equal(done.Order(), done);
            Assert.Equal(3000UL, done[^1]);
            Assert.InRange(done.Count, 3, 10);
        }
    }

    [Fact]
    public async Task It_can_be_cancelled_in_each_phase_and_while_it_waits_for_its_place()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        await session.AppendBatchAsync([.. Enumerable.Range(0, 1000).Select(i => Draft("o-1", i))], default);
        foreach (var phase in Enum.GetValues<VerifyPhase>())
        {
            using var cancelled = new CancellationTokenSource();
            Assert.ThrowsAny<OperationCanceledException>(() => session.VerifyAll(new Reports(report =>
            {
                if (report.Phase == phase)
                    cancelled.Cancel();
            }), cancelled.Token));
        }

        using var already = new CancellationTokenSource();
        await already.CancelAsync();
        Assert.ThrowsAny<OperationCanceledException>(() => session.VerifyAll(null, already.Token));
        Assert.ThrowsAny<OperationCanceledException>(() => session.Verify(AggregateKey.Create("order", "o-1"), VerifyLevel.Full, already.Token));
        Assert.ThrowsAny<OperationCanceledException>(() => session.Verify(AggregateKey.Create("order", "o-1"), VerifyLevel.Quick, already.Token));
        // Nobody kept a place.
        Assert.Equal(1000UL, session.VerifyAll(null, default).Events);
    }

    [Fact]
    public async Task A_database_without_a_directory_passes_without_a_watermark()
    {
        await using var database = Database.OpenOn(new MemoryEngine(), new() { Directory = "nowhere", Key = DataKey.Generate() });
        var session = database.OpenSession();
        await session.AppendAsync(Draft("o-1", 1), default);
        var all = session.VerifyAll(null, default);
        Assert.Equal((1UL, null, database.LogRoot), (all.LogSize, all.WatermarkSize, all.LogRoot));
    }

    [Fact]
    public async Task A_state_that_was_in_rows_passes_when_it_is_small_again_and_after_a_restore()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        var order = AggregateKey.Create("order", "o-1");
        await session.AppendAsync(TestStore.Draft(order, $$"""{"a":"{{new string('x', 5000)}}","":1,"é\n":null}"""), default);
        await session.AppendAsync(TestStore.Draft(order, """{"a":"small"}"""), default);
        Assert.Equal(2UL, session.Verify(order, VerifyLevel.Full, default).Version);
        await session.ArchiveAsync(order, null, default);
        Assert.Equal(2UL, session.Verify(order, VerifyLevel.Full, default).Version);
        await session.RestoreAsync(order, null, default);
        Assert.Equal(2UL, session.Verify(order, VerifyLevel.Full, default).Version);
        await session.ArchiveAsync(order, null, default);
        await session.RestoreAsync(order, null, default);
        await session.AppendAsync(TestStore.Draft(order, "null"), default);
        await session.AppendAsync(TestStore.Draft(order, "[1,2]"), default);
        Assert.Equal((1UL, 4UL), (session.VerifyAll(null, default).Aggregates, session.VerifyAll(null, default).Events));
    }

    [Fact]
    public async Task Control_entries_and_what_they_speak_of_are_held_against_each_other()
    {
        using var store = new TestStore();
        await using var database = store.Open(encrypted: false);
        var session = database.OpenSession();
        var (made, kept) = (AggregateKey.Create("order", "made"), AggregateKey.Create("order", "kept"));
        await session.CreateAsync(made, null, default);
        await session.AppendAsync(Draft("kept", 1), default);
        var (head, state) = (RawRows.Body(database, Family.Heads, kept.Row), RawRows.Body(database, Family.State, kept.Row));
        await session.ArchiveAsync(kept, null, default);
        var madeHead = RawRows.Body(database, Family.Heads, made.Row);
        var archive = RawRows.Body(database, Family.Archive, kept.Row);

        RawRows.Delete(database, Family.Heads, made.Row.ToArray());
        VerifyTests.Refused(() => session.VerifyAll(null, default), "order/made is missing: the entry `create` at position 1");
        RawRows.Write(database, plan => Checked.Put(plan, Family.Heads, made.Row, madeHead));

        RawRows.Write(database, plan =>
        {
            plan.Delete(Family.Archive, kept.Row);
            Checked.Put(plan, Family.Heads, kept.Row, head);
            Checked.Put(plan, Family.State, kept.Row, state);
        });
        VerifyTests.Refused(() => session.VerifyAll(null, default), "order/kept was archived at position 3");
        Assert.Equal(1UL, session.Verify(kept, VerifyLevel.Full, default).Version);
        RawRows.Write(database, plan =>
        {
            Checked.Put(plan, Family.Archive, kept.Row, archive);
            plan.Delete(Family.Heads, kept.Row);
            plan.Delete(Family.State, kept.Row);
        });
        Assert.Equal((2UL, 1UL), (session.VerifyAll(null, default).Aggregates, session.VerifyAll(null, default).Archived));
    }

    [Fact]
    public async Task A_full_verify_of_a_large_state_takes_time_in_proportion_to_its_events()
    {
        using var store = new TestStore();
        await using var database = store.Open(encrypted: false);
        var session = database.OpenSession();
        for (var b = 0; b < 3; b++)
            await session.AppendBatchAsync([.. Enumerable.Range(0, 1000).Select(i => TestStore.Draft(AggregateKey.Create("order", "wide"), $$"""{"f{{(b * 1000) + i}}":"{{new string('x', 200)}}"}"""))], default);
        var verified = session.Verify(AggregateKey.Create("order", "wide"), VerifyLevel.Full, default);
        Assert.Equal(3000UL, verified.EventsChecked);
        Assert.Equal(Hash32.HexLength, verified.MerkleRoot.ToString().Length);
    }

    [Fact]
    public async Task A_database_in_which_a_verify_found_something_is_not_well_until_one_finds_nothing()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        var (one, other) = (AggregateKey.Create("order", "o-1"), AggregateKey.Create("order", "o-2"));
        await session.AppendAsync(Draft("o-1", 1), default);
        await session.AppendAsync(Draft("o-2", 1), default);
        Assert.Null(database.Unhealthy);
        var state = RawRows.Body(database, Family.State, one.Row);
        RawRows.Change(database, Family.State, one.Row.ToArray(), body =>
        {
            body[^1] ^= 1;
            return body;
        });
        foreach (var all in (bool[])[false, true])
        {
            VerifyTests.Refused(() => _ = all ? session.VerifyAll(null, default).LogSize : session.Verify(one, VerifyLevel.Full, default).Version, "order/o-1");
            Assert.StartsWith("A verify has found that history was changed: The state of order/o-1", database.Unhealthy, StringComparison.Ordinal);
            // It goes on, and another aggregate that is well changes nothing of it.
            await session.AppendAsync(Draft("o-2", 2), default);
            _ = session.Verify(other, VerifyLevel.Full, default);
            Assert.NotNull(database.Unhealthy);
        }

        RawRows.Write(database, plan => Checked.Put(plan, Family.State, one.Row, state));
        _ = session.Verify(one, VerifyLevel.Full, default);
        Assert.NotNull(database.Unhealthy);
        _ = session.VerifyAll(null, default);
        Assert.Null(database.Unhealthy);
    }

    sealed class Reports(Action<VerifyProgress>? told = null) : IProgress<VerifyProgress>
    {
        public List<VerifyProgress> Seen { get; } = [];

        public void Report(VerifyProgress value)
        {
            Seen.Add(value);
            told?.Invoke(value);
        }
    }
}
