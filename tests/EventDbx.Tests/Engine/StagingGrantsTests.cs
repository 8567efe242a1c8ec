using EventDbx.Access;
using EventDbx.Events;
using EventDbx.Schemas;

namespace EventDbx.Tests.Engine;

/// <summary>Many stage at once who may do different things: none is in the way of another, and none learns of another.</summary>
public sealed class StagingGrantsTests
{
    static readonly AggregateKey Alpha = TestStore.Aggregate("alpha", "1");
    static readonly AggregateKey Beta = TestStore.Aggregate("beta", "1");

    static Column Integer => Column.OfType("integer")!;

    static Session Open(Database database, string user, string resource, TokenAllowance? allowance = null)
    {
        Assert.True(Grants.TryParse(["aggregate.append"], [resource], out var grants, out var refusal), refusal.Message);
        return database.OpenSession(new Actor("ops", user), grants, allowance);
    }

    static async Task<Refusal> RefusalOf(Func<Task> act) => (await Assert.ThrowsAsync<RefusedException>(act)).Refusal;

    [Fact]
    public async Task Each_commits_what_it_may_append_to_and_the_rest_stays_staged()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var (root, a, b) = (database.OpenSession(), Open(database, "a", "aggregate:alpha"), Open(database, "b", "aggregate:beta"));
        await a.StageAsync(TestStore.Draft(Alpha, """{"n":1}"""), default);
        await b.StageAsync(TestStore.Draft(Beta, """{"n":2}"""), default);
        await root.StageAsync(TestStore.Draft(Alpha, """{"n":3}"""), default);
        await root.StageAsync(TestStore.Draft(TestStore.Aggregate("gamma", "1")), default);

        Assert.Equal([1UL, 2UL], (await a.CommitStagedAsync(default)).Select(result => result.Record.Version));
        Assert.Equal([Beta, TestStore.Aggregate("gamma", "1")], root.GetStaged().Select(staged => staged.Draft.Aggregate));
        Assert.Equal(new Actor("ops", "b"), Assert.Single(await b.CommitStagedAsync(default)).Record.Actor);
        Assert.Single(await root.CommitStagedAsync(default));
        Assert.Empty(root.GetStaged());
        root.VerifyAll(null, default);
    }

    [Fact]
    public async Task A_staged_event_that_can_no_longer_be_committed_is_in_the_way_of_its_own_aggregate_alone()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var (root, a, b) = (database.OpenSession(), Open(database, "a", "aggregate:alpha"), Open(database, "b", "aggregate:beta"));
        var first = await a.StageAsync(TestStore.Draft(Alpha) with { ExpectedVersion = 0 }, default);
        await root.AppendAsync(TestStore.Draft(Alpha), default);

        await b.StageAsync(TestStore.Draft(Beta), default);
        Assert.Single(await b.CommitStagedAsync(default));
        var staging = await RefusalOf(() => a.StageAsync(TestStore.Draft(Alpha), default));
        var committing = await RefusalOf(() => a.CommitStagedAsync(default));

        Assert.All([staging, committing], refusal => Assert.Contains($"staged event {EventIds.Format(first.Id)}", refusal.Message, StringComparison.Ordinal));
        Assert.Equal((RefusalCode.VersionConflict, null), (staging.Code, staging.Operation));
        Assert.Equal((RefusalCode.VersionConflict, 0), (committing.Code, committing.Operation));
        Assert.Contains("earlier", staging.Message, StringComparison.Ordinal);
        Assert.Equal(1, await a.UnstageAsync(first.Id, default));
        await a.StageAsync(TestStore.Draft(Alpha), default);
        Assert.Single(await a.CommitStagedAsync(default));
    }

    [Fact]
    public async Task What_is_hidden_is_in_nobodys_way_and_quoted_to_nobody()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var (root, b, everywhere) = (database.OpenSession(), Open(database, "b", "aggregate:beta"), Open(database, "e", "*"));
        var payroll = TestStore.Aggregate("payroll", "alice");
        var own = await everywhere.StageAsync(TestStore.Draft(payroll, """{"bonus":1}"""), default);
        await root.StageAsync(TestStore.Draft(payroll, """{"salary":"123456 dollars"}"""), default);
        var hidden = await root.StageAsync(TestStore.Draft(payroll, """{"salary":"123456 dollars"}"""), default);
        await root.ChangeSchemaAsync("payroll", [SchemaEdit.Create(["placed"], null), SchemaEdit.SetColumn("salary", Integer), SchemaEdit.SetHidden(true)], default);

        await b.StageAsync(TestStore.Draft(Beta), default);
        Assert.Single(await b.CommitStagedAsync(default));
        // Its own is shown to who staged it, also where the type is hidden by now; what others staged there is not.
        Assert.Equal(own.Id, Assert.Single(everywhere.GetStaged()).Id);
        var refused = await RefusalOf(() => everywhere.StageAsync(TestStore.Draft(payroll, """{"bonus":2}"""), default));
        Assert.DoesNotContain("dollars", refused.Message, StringComparison.Ordinal);
        Assert.Equal("A staged event that this token may not see is in the way. Whoever staged it, or a root token, can take it back.", refused.Message);
        Assert.Equal(RefusalCode.NotFound, (await RefusalOf(() => everywhere.UnstageAsync(hidden.Id, default))).Code);
        Assert.Equal(1, await everywhere.UnstageAsync(null, default));
        Assert.Equal(2, root.GetStaged().Count);
        Assert.Empty(await everywhere.CommitStagedAsync(default));
        Assert.Contains("dollars", (await RefusalOf(() => root.CommitStagedAsync(default))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Only_ones_own_staged_events_count_against_ones_write_limit()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var root = database.OpenSession();
        for (var i = 0; i < 3; i++)
            await root.StageAsync(TestStore.Draft(Alpha), default);
        var session = Open(database, "a", "*", new TokenAllowance(Guid.NewGuid(), 2));

        await session.StageAsync(TestStore.Draft(Alpha), default);
        await session.StageAsync(TestStore.Draft(Beta), default);
        Assert.Equal(RefusalCode.WriteLimitReached, (await RefusalOf(() => session.StageAsync(TestStore.Draft(Alpha), default))).Code);
        Assert.Equal(RefusalCode.WriteLimitReached, (await RefusalOf(() => session.StageAsync(TestStore.Draft(TestStore.Aggregate("gamma", "1")), default))).Code);
        Assert.Equal(5, root.GetStaged().Count);
    }
}
