namespace EventDbx.Tests.Engine;

/// <summary>An event id makes an append repeatable for ever; nothing else about the request is looked at before it.</summary>
public sealed class IdempotencyTests
{
    static readonly AggregateKey Order = TestStore.Aggregate();

    static EventDraft Draft => TestStore.Draft(Order, """{ "total": 1.50 }""") with
    {
        EventId = Guid.Parse("01890a5d-ac96-774b-bcce-b302099a8057"), Note = "by phone",
    };

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_repeated_append_gets_the_original_answer_after_the_version_moved_on_after_archive_and_after_a_reopen(bool encrypted)
    {
        using var store = new TestStore();
        string original;
        await using (var database = store.Open(encrypted))
        {
            var session = database.OpenSession(new Actor("clerks", "jane"));
            var first = await session.AppendAsync(Draft, default);
            original = first.Record.Text();
            Assert.True(first.Appended);
            for (var i = 0; i < 3; i++)
                await session.AppendAsync(TestStore.Draft(Order, $$"""{"i":{{i}}}"""), default);
            await AssertOriginalAsync(database, original);
            await session.ArchiveAsync(Order, null, default);
            await AssertOriginalAsync(database, original);
        }

        await using (var database = store.Open(encrypted))
        {
            await AssertOriginalAsync(database, original);
            await database.OpenSession().RestoreAsync(Order, null, default);
            await AssertOriginalAsync(database, original);
            Assert.Equal(6UL, database.LogSize);
        }
    }

    static async Task AssertOriginalAsync(Database database, string original)
    {
        var size = database.LogSize;

        // Another actor, other white space, an expected version that is long gone: still the same request.
        foreach (var repeat in (EventDraft[])[Draft, Draft with { ExpectedVersion = 77 }, Draft with { Payload = """{"total":1.50}"""u8.ToArray() }])
        {
            var answer = await database.OpenSession().AppendAsync(repeat, default);
            Assert.False(answer.Appended);
            Assert.Equal(original, answer.Record.Text());
        }

        Assert.Equal(size, database.LogSize);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_id_that_the_store_has_made_is_known_when_it_is_sent_again(bool encrypted)
    {
        using var store = new TestStore();
        var ids = new List<Guid>();
        await using (var database = store.Open(encrypted))
        {
            var session = database.OpenSession();
            for (var i = 0; i < 20; i++)
                ids.Add((await session.AppendAsync(TestStore.Draft(Order, $$"""{"i":{{i}}}"""), default)).Record.EventId);
        }

        await using var again = store.Open(encrypted);
        var later = again.OpenSession();
        for (var i = 0; i < 20; i++)
        {
            var known = await later.AppendAsync(TestStore.Draft(Order, $$"""{"i":{{i}}}""") with { EventId = ids[i] }, default);
            Assert.Equal((false, (ulong)i + 1), (known.Appended, known.Record.Version));
            var refusal = await Answers.RefusalOf(later.AppendAsync(TestStore.Draft(Order, $$"""{"i":{{i + 1}}}""") with { EventId = ids[i] }, default));
            Assert.Equal("idempotency_conflict", refusal.Name);
        }

        // For another aggregate it is an id like any other, and so is one that only looks alike.
        Assert.True((await later.AppendAsync(TestStore.Draft(TestStore.Aggregate("order", "o-2")) with { EventId = ids[0] }, default)).Appended);
        Assert.True((await later.AppendAsync(TestStore.Draft(Order) with { EventId = Guid.CreateVersion7() }, default)).Appended);
        Assert.Equal(22UL, again.LogSize);
        later.VerifyAll(null, default);
    }

    [Fact]
    public async Task An_id_of_the_stores_own_form_that_it_has_never_given_is_refused_and_another_stores_is_taken()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        await session.AppendAsync(TestStore.Draft(Order), default);
        var now = Timestamp.From(DateTimeOffset.UtcNow);
        var own = database.MadeIds.New(Order, now, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        var foreign = new StoreMadeIds(Guid.NewGuid()).New(Order, now, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);

        var refusal = await Answers.RefusalOf(session.AppendAsync(TestStore.Draft(Order) with { EventId = own }, default));

        Assert.Equal("idempotency_conflict", refusal.Name);
        Assert.Contains("makes itself", refusal.Message, StringComparison.Ordinal);
        Assert.Equal((7, 0b10), (own.Version, own.Variant >> 2));
        Assert.True((await session.AppendAsync(TestStore.Draft(Order) with { EventId = foreign }, default)).Appended);
        // Staged ids are the store's too, and are rows of the index.
        await session.StageAsync(TestStore.Draft(Order), default);
        Assert.True(Assert.Single(await session.CommitStagedAsync(default)).Appended);
    }

    [Fact]
    public async Task A_known_id_with_another_payload_type_or_note_is_an_idempotency_conflict()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        await session.AppendAsync(Draft, default);
        EventDraft[] others =
        [
            Draft with { Payload = """{"total":1.5}"""u8.ToArray() }, Draft with { EventType = "shipped" },
            Draft with { Note = "By phone" }, Draft with { Note = null }, Draft with { Note = "" },
        ];

        foreach (var other in others)
        {
            var refusal = await Answers.RefusalOf(session.AppendAsync(other with { ExpectedVersion = 5 }, default));
            Assert.Equal("idempotency_conflict", refusal.Name);
            Assert.Contains("version 1", refusal.Message, StringComparison.Ordinal);
            Assert.False(refusal.Retryable);
        }

        await session.ArchiveAsync(Order, null, default);
        Assert.Equal("idempotency_conflict", (await Answers.RefusalOf(session.AppendAsync(others[0], default))).Name);
        Assert.Equal(2UL, database.LogSize);
    }

    [Fact]
    public async Task Event_ids_belong_to_their_aggregate()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();

        var here = await session.AppendAsync(Draft, default);
        var there = await session.AppendAsync(Draft with { Aggregate = TestStore.Aggregate("order", "o-10"), Note = "another" }, default);

        Assert.True(here.Appended && there.Appended);
        Assert.Equal(here.Record.EventId, there.Record.EventId);
        Assert.Equal(2UL, database.LogSize);
    }

    [Fact]
    public async Task Known_ids_in_a_batch_return_their_originals_and_the_rest_is_appended()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        var original = (await session.AppendAsync(Draft, default)).Record.Text();
        var other = TestStore.Aggregate("order", "o-2");

        var results = await session.AppendBatchAsync(
            [TestStore.Draft(Order), Draft with { ExpectedVersion = 99 }, TestStore.Draft(other), TestStore.Draft(Order)], default);

        Assert.Equal([true, false, true, true], results.Select(r => r.Appended));
        Assert.Equal(original, results[1].Record.Text());
        Assert.Equal([2UL, 1UL, 1UL, 3UL], results.Select(r => r.Record.Version));
        Assert.Equal([2UL, 3UL, 4UL], results.Where(r => r.Appended).Select(r => r.Record.Position));
        Assert.Equal([(0, 0), (1, 3), (2, 3), (3, 3)], Places(database));
    }

    [Fact]
    public async Task A_batch_in_which_one_event_is_new_is_no_batch_in_the_log()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        await session.AppendAsync(Draft, default);

        await session.AppendBatchAsync([Draft, TestStore.Draft(Order)], default);

        Assert.Equal([(0, 0), (0, 0)], Places(database));
    }

    [Fact]
    public async Task A_batch_of_known_ids_only_writes_nothing()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        EventDraft[] drafts = [.. Enumerable.Range(0, 5).Select(i => TestStore.Draft(Order, $"{i}") with { EventId = Guid.NewGuid() })];
        var first = await session.AppendBatchAsync(drafts, default);

        var again = await session.AppendBatchAsync([.. drafts.Reverse()], default);

        Assert.Equal(first.Select(r => r.Record.Text()).Reverse(), again.Select(r => r.Record.Text()));
        Assert.DoesNotContain(again, r => r.Appended);
        Assert.Equal(5UL, database.LogSize);
    }

    [Fact]
    public async Task The_same_id_twice_in_one_batch_is_refused_even_with_the_same_content_and_even_when_it_is_known()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();

        foreach (var size in (ulong[])[0, 1])
        {
            var refusal = await Answers.RefusalOf(session.AppendBatchAsync([Draft, TestStore.Draft(Order), Draft], default));
            Assert.Equal("invalid_argument", refusal.Name);
            Assert.Contains("twice", refusal.Message, StringComparison.Ordinal);
            Assert.Equal(size, database.LogSize);
            await session.AppendAsync(Draft, default);
        }

        // In two aggregates it is two ids.
        await session.AppendBatchAsync([Draft, Draft with { Aggregate = TestStore.Aggregate("order", "o-2") }], default);
        Assert.Equal(2UL, database.LogSize);
    }

    [Fact]
    public async Task An_empty_batch_is_answered_with_nothing_and_writes_nothing()
    {
        using var store = new TestStore();
        await using var database = store.Open();

        Assert.Empty(await database.OpenSession().AppendBatchAsync([], default));
        Assert.Empty(await database.OpenSession().ImportAsync([], default));
        Assert.Equal((0UL, 0UL), (database.LogSize, database.Commits.Groups));
    }

    [Fact]
    public async Task An_id_of_a_refused_batch_is_free()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        var refusal = await Answers.RefusalOf(session.AppendBatchAsync([Draft, TestStore.Draft(Order) with { ExpectedVersion = 0 }], default));
        Assert.Equal(RefusalCode.VersionConflict, refusal.Code);
        Assert.StartsWith("Operation 2 of 2 was refused", refusal.Message, StringComparison.Ordinal);

        var answer = await session.AppendAsync(Draft with { Note = "now something else" }, default);

        Assert.True(answer.Appended);
        Assert.Equal(1UL, answer.Record.Version);
    }

    /// <summary>Place in its batch of each entry, as the log rows have it.</summary>
    static List<(int Index, int Count)> Places(Database database)
    {
        using var view = database.Engine.OpenView();
        return [.. view.Range(Family.Log, Keyspace.Position(1), [], 1000, int.MaxValue)
            .Select(row => EventDbx.Storage.Rows.EntryRow.TryRead(Checked.Body(Family.Log, row.Key, row.Value))!)
            .Select(entry => ((int)entry.BatchIndex, (int)entry.BatchCount))];
    }
}
