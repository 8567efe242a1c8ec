using EventDbx.Access;
using EventDbx.Integrity;
using EventDbx.Tests.Crash;
using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Merging;

/// <summary>Histories of another database are taken over as they are, once.</summary>
public sealed class MergeTests
{
    static readonly AggregateKey Order = TestStore.Aggregate();

    [Theory]
    [InlineData(true, true)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public async Task An_aggregate_is_taken_over_with_its_hashes_ids_times_actors_and_notes(bool fromEncrypted, bool toEncrypted)
    {
        await using var pair = new MergePair(fromEncrypted, toEncrypted);
        await pair.FillAsync(Order, 40);
        await pair.ToDatabase.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate("other", "o-1")), default);

        Assert.Equal(40, await pair.PushAsync(Order, batch: 13));

        pair.AssertSame(Order);
        await pair.FillAsync(Order, 5);
        Assert.Equal(5, await pair.PushAsync(Order));
        pair.AssertSame(Order);
        await pair.ReopenAsync();
        pair.AssertSame(Order);
    }

    [Fact]
    public async Task A_batch_that_is_sent_twice_is_applied_once()
    {
        await using var pair = new MergePair();
        await pair.FillAsync(Order, 20);
        var all = pair.History(Order);

        Assert.Equal(10, await pair.To.MergeAsync([.. all.Take(10)], default));
        var end = pair.To.FindLogEnd();
        Assert.Equal(0, await pair.To.MergeAsync([.. all.Take(10)], default));
        Assert.Equal(0, await pair.To.MergeAsync([.. all.Skip(3).Take(4)], default));
        Assert.Equal(end, pair.To.FindLogEnd());
        Assert.Equal(5, await pair.To.MergeAsync([.. all.Skip(5).Take(10)], default));
        Assert.Equal(5, await pair.To.MergeAsync(all, default));

        pair.AssertSame(Order);
    }

    [Fact]
    public async Task The_same_batch_from_two_at_once_is_applied_once()
    {
        await using var pair = new MergePair();
        await pair.FillAsync(Order, 200);
        var all = pair.History(Order);

        var counts = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() => pair.To.MergeAsync(all, default)))).WaitAsync(TimeSpan.FromSeconds(60));

        Assert.Equal(200, counts.Sum());
        Assert.Equal(200UL, pair.ToDatabase.LogSize);
        pair.AssertSame(Order);
    }

    [Fact]
    public async Task In_relaxed_mode_too_a_merge_is_answered_only_after_the_sync()
    {
        var steps = new EngineSteps();
        await using var pair = new MergePair(receiver: options => options with { Durability = Durability.Relaxed, RelaxedInterval = TimeSpan.FromMilliseconds(1), WrapEngine = steps.Over });
        await pair.FillAsync(Order, 3);
        using var held = steps.Sync.Hold();

        var merging = pair.To.MergeAsync(pair.History(Order), default);
        await held.Reached.WaitAsync(TimeSpan.FromSeconds(60));
        Assert.Equal(3UL, pair.To.GetAggregate(Order).Version);
        var again = pair.To.MergeAsync(pair.History(Order), default);
        Assert.False(merging.IsCompleted || again.IsCompleted);

        held.Release();
        Assert.Equal((3, 0), (await merging.WaitAsync(TimeSpan.FromSeconds(60)), await again.WaitAsync(TimeSpan.FromSeconds(60))));
        Assert.Equal(3UL, pair.ToDatabase.LogSize);
    }

    [Fact]
    public async Task A_batch_is_a_batch_in_the_feed_and_stands_there_in_its_own_names()
    {
        await using var pair = new MergePair();
        await pair.FillAsync(Order, 5);

        await pair.PushAsync(Order);

        var items = pair.To.ReadFeed(0, 2, includeControl: true).Items;
        Assert.Equal(5, items.Count);
        Assert.All(items, item => Assert.Equal(new Actor("clerks", "jane"), item.Event!.Actor));
    }

    [Fact]
    public async Task Payloads_at_their_limit_and_a_batch_at_its_limit_are_taken_and_one_byte_more_is_not()
    {
        await using var pair = new MergePair();
        for (var i = 0; i < 17; i++)
            await pair.From.AppendAsync(TestStore.Draft(Order, $"\"{new string('x', Limits.PayloadBytesMax - 2)}\""), default);
        var page = pair.History(Order);
        Assert.Equal(4, page.Count);
        List<EventRecord> all = [.. page];
        while (all.Count < 17)
            all.AddRange(pair.History(Order, (ulong)all.Count));

        await pair.AssertRefusedAsync(RefusalCode.LimitExceeded, () => pair.To.MergeAsync(all, default), "at most 16777216");
        Assert.Equal(16, await pair.To.MergeAsync([.. all.Take(16)], default));
        Assert.Equal(1, await pair.To.MergeAsync([all[16]], default));

        pair.AssertSame(Order);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(999)]
    [InlineData(1000)]
    public async Task An_aggregate_of_ten_thousand_events_moves_in_batches_of_any_size(int batch)
    {
        Assert.SkipUnless(batch > 1 || TestKit.TestTiers.Current != TestKit.TestTier.Default, "One by one is for the CI tier.");
        await using var pair = new MergePair();
        var events = batch == 1 ? 2_000 : 10_000;
        for (var left = events; left > 0; left -= 1000)
            await pair.From.AppendBatchAsync([.. Enumerable.Range(0, 1000).Select(i => TestStore.Draft(Order, $$"""{"f{{i % 50}}":{{left + i}}}"""))], default);

        Assert.Equal(events, await pair.PushAsync(Order, batch));

        pair.AssertSame(Order);
    }

    [Fact]
    public async Task Schemas_are_not_asked_and_their_snapshots_are_taken()
    {
        await using var pair = new MergePair(receiver: options => options with { Restriction = Restriction.Strict });
        await pair.FillAsync(Order, 9);
        await pair.To.MergeSchemasAsync("""{"order":{"aggregate":"order","snapshot_threshold":4,"locked":true,"field_locks":["n"],"hidden":true,"hidden_fields":["n"],"column_types":{},"events":{"other":{"fields":[]}},"created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}}"""u8.ToArray(), replace: false, default);

        Assert.Equal(9, await pair.PushAsync(Order));
        // Also of a type that has none, where every type needs one.
        var unknown = TestStore.Aggregate("unknown", "u-1");
        await pair.FillAsync(unknown, 1);
        Assert.Equal(1, await pair.PushAsync(unknown));

        pair.AssertSame(Order, unknown);
        Assert.Equal([4UL, 8UL], pair.To.GetSnapshots(Order, null, 10).Items.Select(snapshot => snapshot.State.Version));
        Assert.Equal("schema_violation", (await Answers.RefusalOf(pair.To.AppendAsync(TestStore.Draft(unknown), default))).Name);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_append_that_is_sent_again_to_the_receiver_gets_its_original_there(bool encrypted)
    {
        await using var pair = new MergePair(toEncrypted: encrypted);
        var chosen = TestStore.Draft(Order, """{"a":1}""") with { EventId = Guid.NewGuid(), Note = "by phone" };
        await pair.From.AppendAsync(chosen, default);
        var made = (await pair.From.AppendAsync(TestStore.Draft(Order, """{"b":2}"""), default)).Record.EventId;
        await pair.PushAsync(Order);
        await pair.ReopenAsync();

        foreach (var again in (EventDraft[])[chosen, TestStore.Draft(Order, """{"b":2}""") with { EventId = made }])
        {
            Assert.False((await pair.To.AppendAsync(again, default)).Appended);
            Assert.Equal("idempotency_conflict", (await Answers.RefusalOf(pair.To.AppendAsync(again with { Note = "another" }, default))).Name);
        }

        Assert.Equal(2UL, pair.ToDatabase.LogSize);
    }

    [Theory]
    [InlineData(true, 0)]
    [InlineData(false, 0)]
    [InlineData(true, 5000)]
    public async Task A_patch_that_is_sent_again_to_the_receiver_gets_its_original_there_and_another_is_a_conflict(bool encrypted, int filler)
    {
        await using var pair = new MergePair(toEncrypted: encrypted);
        var start = TestStore.Draft(Order, $$"""{"list":[1],"filler":"{{new string('x', filler)}}"}""");
        await pair.From.AppendAsync(start, default);
        var patch = Patch("""[{"op":"add","path":"/list/-","value":2},{"op":"add","path":"/new","value":{"a":1}}]""") with { EventId = Guid.NewGuid(), Note = "by phone" };
        var first = Patch("""[{"op":"add","path":"/x","value":true}]""") with { EventId = Guid.NewGuid(), Aggregate = TestStore.Aggregate("order", "o-2") };
        var original = (await pair.From.AppendAsync(patch, default)).Record;
        await pair.From.AppendAsync(first, default);
        await pair.From.AppendAsync(TestStore.Draft(Order, """{"list":[]}"""), default);
        await pair.PushAsync(Order);
        await pair.PushAsync(first.Aggregate);
        await pair.To.ArchiveAsync(Order, null, default);
        var size = pair.ToDatabase.LogSize;

        Assert.Equal((false, original.Hash), await AnswerAsync(patch));
        Assert.False((await AnswerAsync(first)).Appended);
        Assert.Equal([false, false], (await pair.To.AppendBatchAsync([patch, first], default)).Select(result => result.Appended));
        EventDraft[] others =
        [
            patch with { Note = null }, patch with { EventType = "other" },
            Patch("""[{"op":"add","path":"/list/-","value":3},{"op":"add","path":"/new","value":{"a":1}}]""") with { EventId = patch.EventId, Note = patch.Note },
            Patch("""[{"op":"replace","path":"/absent","value":3}]""") with { EventId = patch.EventId, Note = patch.Note },
        ];
        foreach (var other in others)
        {
            Assert.Equal("idempotency_conflict", (await Answers.RefusalOf(AnswerAsync(other))).Name);
            Assert.Equal(1, (await Answers.RefusalOf(pair.To.AppendBatchAsync([first, other], default))).Operation);
        }

        Assert.Equal(size, pair.ToDatabase.LogSize);

        async Task<(bool Appended, Hash32 Hash)> AnswerAsync(EventDraft draft)
        {
            var answer = await pair.To.AppendAsync(draft, default);
            return (answer.Appended, answer.Record.Hash);
        }

        static EventDraft Patch(string patch) => new() { Aggregate = Order, EventType = "changed", Patch = Encoding.UTF8.GetBytes(patch) };
    }

    [Fact]
    public async Task What_a_store_has_lost_comes_home_with_the_ids_that_it_made()
    {
        await using var pair = new MergePair();
        using var earlier = new TestStore();
        await pair.FillAsync(Order, 3);
        // The same database as it was before it made two more: a restored copy.
        await pair.PushAsync(Order);
        await pair.ToDatabase.DisposeAsync();
        using var image = DirectoryImage.Copy(pair.ToOptions.Directory);
        await pair.ReopenAsync();
        var (more, _) = ((await pair.To.AppendAsync(TestStore.Draft(Order, "4"), default)).Record, await pair.To.AppendAsync(TestStore.Draft(Order, "5"), default));
        Assert.True(pair.ToDatabase.MadeIds.Made(Order, more.EventId));
        await using var restored = Database.Open(pair.ToOptions with { Directory = image.Path });
        var session = restored.OpenSession();

        Assert.Equal(2, await session.MergeAsync(pair.To.GetHistory(Order, 3, 0), default));
        Assert.Equal(0, await session.MergeAsync(pair.To.GetHistory(Order, 0, 0), default));

        session.VerifyAll(null, default);
        Assert.Equal(pair.To.GetAggregate(Order).MerkleRoot, session.GetAggregate(Order).MerkleRoot);
        Assert.False((await session.AppendAsync(TestStore.Draft(Order, "4") with { EventId = more.EventId }, default)).Appended);
    }

    [Fact]
    public async Task Who_is_not_root_merges_nothing_and_sees_nothing_of_it()
    {
        await using var pair = new MergePair();
        await pair.FillAsync(Order, 1);
        Assert.True(Grants.TryParse(["*"], [], out var grants, out _));
        var session = pair.ToDatabase.OpenSession(new Actor("a", "b"), grants, null);
        var history = pair.History(Order);

        await pair.AssertRefusedAsync(RefusalCode.PermissionDenied, () => session.MergeAsync(history, default), "root");
        await pair.AssertRefusedAsync(RefusalCode.PermissionDenied, () => session.ApplyMarksAsync(new() { Aggregate = Order, Version = 0 }, default));
        Action[] others =
        [
            () => session.FindLogEnd(), () => session.GetPositions(new(), null, 1), () => session.FindRoots([]), () => session.GetHistory(Order, 0, 1), () => session.FindMarks(Order),
            () => session.MergeSchemasAsync("{}"u8.ToArray(), false, default),
        ];
        Assert.All(others, call => Assert.Equal(RefusalCode.PermissionDenied, Answers.RefusalOf(call).Code));
        Assert.Equal(1, await pair.To.MergeAsync(history, default));
    }
}
