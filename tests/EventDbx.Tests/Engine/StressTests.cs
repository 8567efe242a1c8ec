using System.Collections.Concurrent;
using EventDbx.Integrity;
using EventDbx.Tests.Engine.Model;

namespace EventDbx.Tests.Engine;

/// <summary>Many threads at once, in no order a test could predict: afterwards the log alone must explain everything.</summary>
public sealed class StressTests(ITestOutputHelper output)
{
    static readonly AggregateKey[] Keys = [.. Enumerable.Range(0, 5).Select(i => AggregateKey.Create("stress", $"{i}"))];

    [Theory]
    [InlineData(true, Durability.Sync)]
    [InlineData(false, Durability.Relaxed)]
    public async Task The_log_replayed_by_hand_leads_to_every_state_and_every_answer(bool encrypted, Durability durability)
    {
        var seed = Effort.Seed;
        output.WriteLine($"EVENTDBX_TEST_SEED={seed}");
        using var store = new TestStore();
        var options = store.Options(encrypted) with { Durability = durability, HeadCacheEntries = 2, RelaxedInterval = TimeSpan.FromMilliseconds(1) };
        var answers = new ConcurrentBag<EventRecord>();
        await using (var database = Database.Open(options))
        {
            await Task.WhenAll(Enumerable.Range(0, 8).Select(thread => Task.Run(async () =>
            {
                var random = new Random(seed + thread);
                var session = database.OpenSession();
                for (var i = Effort.Choose(80, 1000, 10_000); i > 0; i--)
                    await DoAsync(session, random, answers);
            })));
            // The last entry of all: once the feed has it, it has everything.
            var last = (await database.OpenSession().AppendAsync(TestStore.Draft(AggregateKey.Create("stress", "last"), """{"f":1}"""), default)).Record;
            answers.Add(last);
            await database.OpenSession().WaitForFeedAsync(last.Position - 1, default).WaitAsync(TimeSpan.FromSeconds(30));
            AssertExplained(database, answers);
        }

        await using (var database = Database.Open(options))
            AssertExplained(database, answers);
    }

    static async Task DoAsync(Session session, Random random, ConcurrentBag<EventRecord> answers)
    {
        EventDraft Draft() => TestStore.Draft(
            Keys[random.Next(Keys.Length)],
            random.Next(8) == 0 ? $$"""{"big{{random.Next(3)}}":"{{new string('x', 3000)}}"}""" : $$"""{"f{{random.Next(6)}}":{{random.Next()}}}""")
            with { EventId = random.Next(4) == 0 ? Guid.NewGuid() : null, ExpectedVersion = random.Next(4) == 0 ? (ulong)random.Next(50) : null };
        var key = Keys[random.Next(Keys.Length)];
        try
        {
            switch (random.Next(12))
            {
                case 0:
                    await session.ArchiveAsync(key, null, default);
                    break;
                case 1 or 2:
                    await session.RestoreAsync(key, null, default);
                    break;
                case 3:
                    await session.CreateAsync(key, null, default);
                    break;
                case 4:
                    await session.RemoveAsync(key, default);
                    break;
                case 5 or 6:
                    foreach (var result in await session.AppendBatchAsync([.. Enumerable.Range(0, random.Next(2, 6)).Select(_ => Draft() with { ExpectedVersion = null })], default))
                        answers.Add(result.Record);
                    break;
                default:
                    answers.Add((await session.AppendAsync(Draft(), default)).Record);
                    break;
            }
        }
        catch (RefusedException refused)
        {
            Assert.Contains(refused.Refusal.Code, (RefusalCode[])
                [RefusalCode.Archived, RefusalCode.NotFound, RefusalCode.AlreadyExists, RefusalCode.NotEmpty, RefusalCode.VersionConflict]);
        }
    }

    static void AssertExplained(Database database, ConcurrentBag<EventRecord> answers)
    {
        var session = database.OpenSession();
        Dictionary<string, Replayed> replayed = [];
        Dictionary<ulong, string> events = [];
        var after = 0UL;
        while (session.ReadFeed(after, 500, includeControl: true) is { Items.Count: > 0 } page)
        {
            foreach (var item in page.Items)
            {
                Assert.Equal(++after, item.Position);
                if (item.Event is { } added)
                {
                    events.Add(item.Position, added.Text());
                    replayed.TryAdd($"stress/{added.Aggregate.Id}", new());
                    replayed[$"stress/{added.Aggregate.Id}"].Add(added);
                }
                else if (item.Control!.Kind == "remove")
                {
                    Assert.True(replayed.Remove(item.Control.Subject, out var removed) && removed.Leaves.Count == 0);
                }
                else if (item.Control.Kind == "create")
                {
                    replayed.Add(item.Control.Subject, new());
                }
                else
                {
                    Assert.NotEqual(item.Control.Kind == "archive", replayed[item.Control.Subject].Archived);
                    replayed[item.Control.Subject].Archived = item.Control.Kind == "archive";
                }
            }
        }

        Assert.Equal(database.LogSize, after);
        foreach (var answer in answers)
            Assert.Equal(events[answer.Position], answer.Text());
        Assert.Equal(events.Count, answers.Count);
        var listed = session.GetAggregates(new(), null, 0, 100).Items;
        Assert.Equal(replayed.Keys.Order(StringComparer.Ordinal), listed.Select(a => a.Aggregate.ToString()));
        foreach (var head in listed)
        {
            var (state, wanted) = (session.GetAggregate(head.Aggregate), replayed[head.Aggregate.ToString()]);
            Assert.Equal(((ulong)wanted.Leaves.Count, wanted.Archived, Naive.Root(wanted.Leaves)), (state.Version, state.Archived, state.MerkleRoot));
            Assert.Equal(wanted.State, state.StateAsJson(typed: true));
        }
    }

    /// <summary>One aggregate, folded by hand.</summary>
    sealed class Replayed
    {
        readonly SortedDictionary<string, string> _fields = new(StringComparer.Ordinal);

        public List<byte[]> Leaves { get; } = [];

        public bool Archived { get; set; }

        public string State => $"{{{string.Join(',', _fields.Select(f => $"\"{f.Key}\":{f.Value}"))}}}";

        public void Add(EventRecord added)
        {
            Assert.False(Archived);
            Assert.Equal((ulong)Leaves.Count + 1, added.Version);
            // Every payload here has one member.
            var text = Encoding.UTF8.GetString(added.Payload.Span);
            var colon = text.IndexOf(':', StringComparison.Ordinal);
            _fields[text[2..(colon - 1)]] = text[(colon + 1)..^1];
            var hash = new byte[Hash32.Length];
            added.Hash.Write(hash);
            Leaves.Add(hash);
        }
    }

    [Fact]
    public async Task Drafts_sealed_under_a_key_that_lost_the_race_are_sealed_again()
    {
        using var store = new TestStore();
        var steps = new EngineSteps();
        var key = TestStore.Aggregate();
        List<Task<AppendResult>> answers = [];
        await using (var database = Database.Open(store.Options() with { WrapEngine = steps.Over, HeadCacheEntries = 1 }))
        {
            var session = database.OpenSession();
            using (var held = steps.Commit.Hold())
            {
                answers.Add(session.AppendAsync(TestStore.Draft(TestStore.Aggregate("plug")), default));
                await held.Reached;
                for (var round = 0; round < 3; round++)
                {
                    answers.Add(session.AppendAsync(TestStore.Draft(key, $$"""{"n":{{round}}}"""), default));
                    // So many new aggregates that the keyring forgets the key it made for the first.
                    for (var n = 0; n < 1100; n++)
                        answers.Add(session.AppendAsync(TestStore.Draft(AggregateKey.Create("many", $"{round}-{n}")), default));
                }
            }

            await Task.WhenAll(answers);
        }

        await using (var database = store.Open())
        {
            var session = database.OpenSession();
            Assert.Equal(["0", "1", "2"], session.GetEvents(key, 1, 10).Items.Select(e => Encoding.UTF8.GetString(e.Payload.Span)[5..^1]));
            foreach (var answer in answers)
                Assert.Equal((await answer).Record.Text(), session.GetEvent((await answer).Record.Aggregate, (await answer).Record.Version).Text());
        }
    }

    [Fact]
    public async Task Closing_under_load_loses_no_answered_append_and_harms_no_reader()
    {
        for (var round = 0; round < Effort.Choose(3, 20, 100); round++)
        {
            using var store = new TestStore();
            var database = store.Open();
            var answered = new ConcurrentBag<EventRecord>();
            var first = new TaskCompletionSource();
            var writers = Enumerable.Range(0, 4).Select(writer => Task.Run(async () =>
            {
                await UntilClosedAsync(async () =>
                {
                    answered.Add((await database.OpenSession().AppendAsync(TestStore.Draft(Keys[writer]), default)).Record);
                    first.TrySetResult();
                });
            }));
            var readers = Enumerable.Range(0, 2).Select(reader => Task.Run(async () =>
            {
                await first.Task;
                await UntilClosedAsync(() =>
                {
                    var session = database.OpenSession();
                    foreach (var item in session.ReadFeed(0, 100, includeControl: true).Items)
                        Assert.Equal(item.Event!.Version, session.GetEvents(item.Event.Aggregate, item.Event.Version, 1).Items[0].Version);
                    return Task.CompletedTask;
                });
            }));
            Task[] all = [.. writers, .. readers];
            await first.Task;

            await database.DisposeAsync();

            await Task.WhenAll(all).WaitAsync(TimeSpan.FromSeconds(60));
            await using var again = store.Open();
            foreach (var record in answered)
                Assert.Equal(record.Text(), again.OpenSession().GetEvent(record.Aggregate, record.Version).Text());
        }
    }

    /// <summary>Again and again, until the answer is that the database is closed.</summary>
    static async Task UntilClosedAsync(Func<Task> act)
    {
        try
        {
            while (true)
                await act();
        }
        catch (ObjectDisposedException)
        {
        }
        catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.Unavailable)
        {
        }
    }

    [Fact]
    public async Task A_refused_batch_leaves_a_state_of_many_field_rows_as_it_was()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        var key = TestStore.Aggregate();
        string Fields(int from, int count, string value) => $"{{{string.Join(',', Enumerable.Range(from, count).Select(i => $"\"f{i:0000}\":{value}"))}}}";
        // More fields than the writer remembers.
        await session.AppendBatchAsync([.. Enumerable.Range(0, 5).Select(i => TestStore.Draft(key, Fields(i * 1000, 1000, "1")))], default);
        var before = session.GetAggregate(key).StateAsJson(typed: true);

        var refusal = await Answers.RefusalOf(session.AppendBatchAsync(
            [TestStore.Draft(key, Fields(500, 1000, "22")), TestStore.Draft(key, Fields(4900, 500, "333")), TestStore.Draft(key) with { ExpectedVersion = 1 }], default));

        Assert.Equal(7UL, refusal.ActualVersion);
        Assert.Equal(before, session.GetAggregate(key).StateAsJson(typed: true));
        await session.AppendAsync(TestStore.Draft(key, Fields(4999, 2, "4")), default);
        Assert.Equal(before.Replace("\"f4999\":1", "\"f4999\":4,\"f5000\":4", StringComparison.Ordinal), session.GetAggregate(key).StateAsJson(typed: true));
    }
}
