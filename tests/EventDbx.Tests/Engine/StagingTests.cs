using System.Text;
using EventDbx.Access;
using EventDbx.Events;
using EventDbx.Schemas;

namespace EventDbx.Tests.Engine;

public sealed class StagingTests
{
    static readonly AggregateKey Order = TestStore.Aggregate();

    static EventDraft Patch(string patch) => new() { Aggregate = Order, EventType = "changed", Patch = Encoding.UTF8.GetBytes(patch) };

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_is_staged_waits_through_a_reopen_and_is_committed_in_one_batch(bool encrypted)
    {
        using var store = new TestStore();
        await using (var database = store.Open(encrypted))
        {
            var session = database.OpenSession(new Actor("ops", "kim"));
            await session.StageAsync(TestStore.Draft(Order, """{"list":[],"text":"a secret"}""") with { Note = "first" }, default);
            await session.StageAsync(Patch("""[{"op":"add","path":"/list/-","value":1}]"""), default);
            await session.StageAsync(Patch("""[{"op":"add","path":"/list/-","value":2}]"""), default);
            Assert.Equal(0UL, database.LogSize);
        }

        Assert.Equal(!encrypted, File.ReadAllText(Path.Combine(store.Directory, "staged_events.json")).Contains("secret", StringComparison.Ordinal));
        await using var again = store.Open(encrypted);
        var later = again.OpenSession(new Actor("cli", "jane"));
        Assert.Equal(3, later.GetStaged().Count);
        var committed = await later.CommitStagedAsync(default);

        Assert.Equal([1UL, 2UL, 3UL], committed.Select(result => result.Record.Version));
        Assert.All(committed, result => Assert.Equal(new Actor("ops", "kim"), result.Record.Actor));
        Assert.Contains("\"list\":[1,2]", later.GetAggregate(Order).StateAsJson(), StringComparison.Ordinal);
        Assert.Empty(later.GetStaged());
        Assert.Empty(await later.CommitStagedAsync(default));
        later.VerifyAll(null, default);
    }

    [Fact]
    public async Task A_commit_that_is_repeated_after_a_crash_appends_nothing_twice()
    {
        using var store = new TestStore();
        var path = Path.Combine(store.Directory, "staged_events.json");
        byte[] before;
        await using (var database = store.Open(encrypted: false))
        {
            var session = database.OpenSession();
            for (var i = 0; i < 5; i++)
                await session.StageAsync(TestStore.Draft(Order), default);
            before = File.ReadAllBytes(path);
            await session.CommitStagedAsync(default);
        }

        // As if the process had died between the commit and the clearing of the file. In an encrypted store the file that is put back
        // would be one that the store knows to be older; after such a death it does not.
        File.WriteAllBytes(path, before);
        await using var again = store.Open(encrypted: false);
        var results = await again.OpenSession().CommitStagedAsync(default);
        Assert.All(results, result => Assert.False(result.Appended));
        Assert.Equal(5UL, again.OpenSession().GetAggregate(Order).Version);
        Assert.Empty(again.OpenSession().GetStaged());
    }

    [Fact]
    public async Task What_could_not_be_committed_is_not_staged()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        await session.AppendAsync(TestStore.Draft(TestStore.Aggregate("order", "o-2")), default);
        await session.ArchiveAsync(TestStore.Aggregate("order", "o-2"), null, default);
        await session.StageAsync(TestStore.Draft(Order), default);
        async Task<RefusalCode> Refused(EventDraft draft) => (await Assert.ThrowsAsync<RefusedException>(() => session.StageAsync(draft, default))).Refusal.Code;

        Assert.Equal(RefusalCode.Archived, await Refused(TestStore.Draft(TestStore.Aggregate("order", "o-2"))));
        Assert.Equal(RefusalCode.InvalidPatch, await Refused(Patch("""[{"op":"replace","path":"/absent","value":1}]""")));
        Assert.Equal(RefusalCode.VersionConflict, await Refused(TestStore.Draft(Order) with { ExpectedVersion = 0 }));
        Assert.Equal(RefusalCode.InvalidPayload, await Refused(TestStore.Draft(Order, "{")));
        await session.StageAsync(TestStore.Draft(Order) with { ExpectedVersion = 1 }, default);

        Assert.Equal(2, session.GetStaged().Count);
        Assert.Equal(2UL, database.LogSize);
        session.VerifyAll(null, default);
    }

    [Fact]
    public async Task A_commit_that_is_refused_leaves_everything_staged_and_writes_nothing()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        await session.StageAsync(TestStore.Draft(Order), default);
        await session.StageAsync(TestStore.Draft(TestStore.Aggregate("order", "o-2")) with { ExpectedVersion = 0 }, default);
        await session.AppendAsync(TestStore.Draft(TestStore.Aggregate("order", "o-2")), default);
        var size = database.LogSize;

        var refused = await Assert.ThrowsAsync<RefusedException>(() => session.CommitStagedAsync(default));

        Assert.Equal((RefusalCode.VersionConflict, 1), (refused.Refusal.Code, refused.Refusal.Operation));
        Assert.Equal(size, database.LogSize);
        Assert.Equal(2, session.GetStaged().Count);
    }

    [Fact]
    public async Task Staged_events_are_taken_back_one_by_one_or_all()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        var ids = new List<Guid>();
        for (var i = 0; i < 4; i++)
            ids.Add((await session.StageAsync(TestStore.Draft(TestStore.Aggregate("order", $"o-{i}")), default)).Id);

        Assert.Equal(1, await session.UnstageAsync(ids[1], default));
        Assert.Equal([ids[0], ids[2], ids[3]], session.GetStaged().Select(staged => staged.Id));
        await Assert.ThrowsAsync<RefusedException>(() => session.UnstageAsync(ids[1], default));
        Assert.Equal(3, await session.UnstageAsync(null, default));
        Assert.Empty(session.GetStaged());
    }

    [Fact]
    public async Task Who_may_not_append_there_does_not_stage_there_and_sees_only_what_is_theirs()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        await database.OpenSession().StageAsync(TestStore.Draft(TestStore.Aggregate("invoice", "i-1")), default);
        Assert.True(Grants.TryParse(["aggregate.append"], ["aggregate:order"], out var orders, out _));
        var session = database.OpenSession(new Actor("ops", "kim"), orders, null);
        await session.StageAsync(TestStore.Draft(Order), default);

        await Assert.ThrowsAsync<RefusedException>(() => session.StageAsync(TestStore.Draft(TestStore.Aggregate("invoice", "i-2")), default));
        Assert.Equal(Order, Assert.Single(session.GetStaged()).Draft.Aggregate);
        Assert.Equal(1, await session.UnstageAsync(null, default));
        Assert.Equal(0UL, database.LogSize);
        Assert.Empty(await session.CommitStagedAsync(default));
        Assert.Single(database.OpenSession().GetStaged());
    }

    [Fact]
    public async Task Many_who_stage_at_once_lose_none_and_a_thousand_is_the_limit()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        await Task.WhenAll(Enumerable.Range(0, 40).Select(i => Task.Run(() => session.StageAsync(TestStore.Draft(TestStore.Aggregate("order", $"o-{i}")), default))));

        Assert.Equal(40, session.GetStaged().Count);
        Assert.Equal(40, (await session.CommitStagedAsync(default)).Count);
    }

    [Fact]
    public async Task An_id_that_is_staged_twice_is_staged_once_and_with_other_content_refused()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        var draft = TestStore.Draft(Order) with { EventId = Guid.CreateVersion7() };
        await session.StageAsync(draft, default);

        Assert.Equal(draft.EventId, (await session.StageAsync(draft, default)).Id);
        var refused = await Assert.ThrowsAsync<RefusedException>(() => session.StageAsync(draft with { Note = "another" }, default));

        Assert.Equal(RefusalCode.IdempotencyConflict, refused.Refusal.Code);
        await session.StageAsync(draft with { Aggregate = TestStore.Aggregate("order", "o-2") }, default);
        Assert.Equal(2, (await session.CommitStagedAsync(default)).Count);
        await session.StageAsync(draft, default);
        Assert.False(Assert.Single(await session.CommitStagedAsync(default)).Appended);
    }

    [Fact]
    public async Task A_patch_as_deep_as_one_may_be_is_staged_and_read_again()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        var deep = new string('[', Limits.PayloadDepthMax - 2) + new string(']', Limits.PayloadDepthMax - 2);
        await session.StageAsync(Patch($$"""[{"op":"add","path":"/deep","value":{{deep}}}]"""), default);
        await Assert.ThrowsAsync<RefusedException>(() => session.StageAsync(Patch($$"""[{"op":"add","path":"/deep","value":[{{deep}}]}]"""), default));

        Assert.Single(session.GetStaged());
        Assert.Single(await session.CommitStagedAsync(default));
    }

    [Fact]
    public async Task What_schemas_hide_is_hidden_while_it_is_staged()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var root = database.OpenSession();
        await root.ChangeSchemaAsync("order", [SchemaEdit.Create(["placed", "changed"], null), SchemaEdit.SetFieldHidden("card", true)], default);
        await root.ChangeSchemaAsync("secret", [SchemaEdit.Create(["placed"], null), SchemaEdit.SetHidden(true)], default);
        await root.StageAsync(TestStore.Draft(Order, """{"card":"4111","total":1}"""), default);
        await root.StageAsync(Patch("""[{"op":"add","path":"/card","value":"4222"},{"op":"add","path":"/total","value":2}]"""), default);
        await root.StageAsync(TestStore.Draft(Order, "7"), default);
        await root.StageAsync(TestStore.Draft(TestStore.Aggregate("secret", "s-1")), default);
        Assert.True(Grants.TryParse(["*"], [], out var all, out _));

        var seen = database.OpenSession(new Actor("ops", "kim"), all, null).GetStaged();

        Assert.Equal(
            ["""{"total":1}""", """[{"op":"add","path":"/total","value":2}]""", "7"],
            seen.Select(staged => Encoding.UTF8.GetString((staged.Draft.Patch ?? staged.Draft.Payload).Span)));
        Assert.Equal(4, root.GetStaged().Count);
        Assert.Equal(4, (await root.CommitStagedAsync(default)).Count);
        Assert.Contains("4222", root.GetAggregate(Order).StateAsJson(), StringComparison.Ordinal);
    }
}
