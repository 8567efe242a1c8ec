using EventDbx.Access;
using EventDbx.Events;
using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Access;

/// <summary>Writes are spent in the commit of the event itself: exactly once each, and only by what is stored.</summary>
public sealed class WriteLimitTests
{
    static readonly Guid Token = Guid.Parse("45c3013e-9b95-4ed0-9af9-1a465f81d3cf");

    static Session Limited(Database database, ulong limit) =>
        database.OpenSession(new Actor("ops", "kim"), Grants.Everything, new TokenAllowance(Token, limit));

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Many_writers_with_one_token_append_exactly_as_many_events_as_it_may(bool encrypted)
    {
        using var store = new TestStore();
        await using var database = store.Open(encrypted);
        var session = Limited(database, 200);

        var appended = await Task.WhenAll(Enumerable.Range(0, 64).Select(writer => Task.Run(async () =>
        {
            var mine = 0;
            while (true)
            {
                try
                {
                    await session.AppendAsync(TestStore.Draft(TestStore.Aggregate("order", $"o-{writer % 7}")), default);
                    mine++;
                }
                catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.WriteLimitReached)
                {
                    return mine;
                }
            }
        })));

        Assert.Equal(200, appended.Sum());
        Assert.Equal(200UL, database.LogSize);
        Assert.Equal(200UL, database.FindTokenUse(Token).Spent);
    }

    [Fact]
    public async Task A_known_event_id_spends_nothing_and_is_answered_beyond_the_limit()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = Limited(database, 1);
        var draft = TestStore.Draft(TestStore.Aggregate()) with { EventId = Guid.CreateVersion7() };

        Assert.True((await session.AppendAsync(draft, default)).Appended);
        Assert.False((await session.AppendAsync(draft, default)).Appended);
        await Assert.ThrowsAsync<RefusedException>(() => session.AppendAsync(draft with { EventId = Guid.CreateVersion7() }, default));
        Assert.Equal(1UL, database.FindTokenUse(Token).Spent);
    }

    [Fact]
    public async Task A_batch_that_goes_beyond_the_limit_is_refused_whole_and_spends_nothing()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = Limited(database, 5);
        EventDraft[] Batch(int count) => [.. Enumerable.Range(0, count).Select(i => TestStore.Draft(TestStore.Aggregate("order", $"o-{i}")))];
        await session.AppendBatchAsync(Batch(3), default);

        var refused = await Assert.ThrowsAsync<RefusedException>(() => session.AppendBatchAsync(Batch(3), default));

        Assert.Equal(RefusalCode.WriteLimitReached, refused.Refusal.Code);
        Assert.Equal(2, refused.Refusal.Operation);
        Assert.Equal(3UL, database.FindTokenUse(Token).Spent);
        await session.AppendBatchAsync(Batch(2), default);
        Assert.Equal(5UL, database.FindTokenUse(Token).Spent);
    }

    [Fact]
    public async Task What_was_refused_for_another_reason_spends_nothing()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = Limited(database, 2);
        await Assert.ThrowsAsync<RefusedException>(() => session.AppendAsync(TestStore.Draft(TestStore.Aggregate()) with { ExpectedVersion = 9 }, default));

        Assert.Equal(0UL, database.FindTokenUse(Token).Spent);
    }

    [Fact]
    public async Task What_was_spent_and_how_long_it_lives_survives_a_reopen_and_a_verify()
    {
        using var store = new TestStore();
        var later = new Timestamp(17_358_000_000_000_000);
        await using (var database = store.Open())
        {
            await Limited(database, 9).AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
            await database.ExtendTokenAsync(Token, later);
            await database.ExtendTokenAsync(Token, new Timestamp(later.Ticks100ns - 1));
        }

        await using var again = store.Open();
        Assert.Equal(new TokenUse(1, later), again.FindTokenUse(Token));
        again.OpenSession().VerifyAll(null, default);
        await again.ForgetTokenAsync(Token);
        Assert.Equal(default, again.FindTokenUse(Token));
        again.OpenSession().VerifyAll(null, default);
    }

    [Fact]
    public async Task What_was_spent_survives_a_recovery()
    {
        using var store = new TestStore();
        await using (var database = store.Open())
            await Limited(database, 9).AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        File.Delete(Path.Combine(store.Directory, "event_store", "CURRENT"));
        Assert.Throws<StoreRefusedException>(() => store.Open());
        EventDbx.Recovery.StoreRecovery.AcceptLoss(store.Options());

        await using var recovered = store.Open();
        Assert.Equal(1UL, recovered.FindTokenUse(Token).Spent);
        recovered.OpenSession().VerifyAll(null, default);
    }

    [Fact]
    public async Task A_row_of_another_form_among_the_tokens_is_found()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        await Limited(database, 9).AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        database.Engine.Commit(new Foreign(), sync: true);

        var found = Assert.Throws<RefusedException>(() => database.OpenSession().VerifyAll(null, default));
        Assert.Equal(RefusalCode.IntegrityViolation, found.Refusal.Code);
        Assert.Contains("tokens", found.Message, StringComparison.Ordinal);
    }

    sealed class Foreign : EventDbx.Storage.IGroupPlanner
    {
        public void Plan(EventDbx.Storage.IStorageView view, EventDbx.Storage.WritePlan plan)
        {
            EventDbx.Storage.Checked.Put(plan, EventDbx.Storage.Family.Tokens, "zz"u8, new byte[16]);
            (plan.BaseLogSize, plan.LogSize) = (1, 1);
        }

        public void Forget() { }
    }
}
