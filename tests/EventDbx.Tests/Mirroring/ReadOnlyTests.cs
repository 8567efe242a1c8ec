using System.Reflection;
using EventDbx.Access;
using EventDbx.Encryption;
using EventDbx.Merging;
using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Mirroring;

/// <summary>A mirror has no history of its own: whatever would write some is refused, and what is this node's own works without an entry.</summary>
public sealed class ReadOnlyTests
{
    static readonly AggregateKey Order = TestStore.Aggregate();

    /// <summary>Every verb of a session that writes history.</summary>
    static readonly Dictionary<string, Func<Session, Task>> Writes = new()
    {
        [nameof(Session.AppendAsync)] = static session => session.AppendAsync(TestStore.Draft(Order), default),
        [nameof(Session.AppendBatchAsync)] = static session => session.AppendBatchAsync([TestStore.Draft(Order)], default),
        [nameof(Session.ImportAsync)] = static session => session.ImportAsync([], default),
        [nameof(Session.NoteImportAsync)] = static session => session.NoteImportAsync(1, 1, 0, default),
        [nameof(Session.CreateAsync)] = static session => session.CreateAsync(TestStore.Aggregate("order", "new"), null, default),
        [nameof(Session.RemoveAsync)] = static session => session.RemoveAsync(TestStore.Aggregate("order", "empty"), default),
        [nameof(Session.ArchiveAsync)] = static session => session.ArchiveAsync(Order, null, default),
        [nameof(Session.RestoreAsync)] = static session => session.RestoreAsync(Order, null, default),
        [nameof(Session.SnapshotAsync)] = static session => session.SnapshotAsync(Order, null, default),
        [nameof(Session.StageAsync)] = static session => session.StageAsync(TestStore.Draft(Order), default),
        [nameof(Session.CommitStagedAsync)] = static session => session.CommitStagedAsync(default),
        [nameof(Session.ChangeSchemaAsync)] = static session => session.ChangeSchemaAsync("order", [EventDbx.Schemas.SchemaEdit.Create(["placed"], null)], default),
        [nameof(Session.MergeAsync)] = static session => session.MergeAsync([], default),
        [nameof(Session.ApplyMarksAsync)] = static session => session.ApplyMarksAsync(new() { Aggregate = Order, Version = 1, Archived = true, Snapshots = [] }, default),
        [nameof(Session.MergeSchemasAsync)] = static session => session.MergeSchemasAsync("{}"u8.ToArray(), false, default),
    };

    /// <summary>What is this node's own.</summary>
    static readonly Dictionary<string, Func<Session, Task>> Own = new()
    {
        [nameof(Session.NoteTokenAsync)] = static session => session.NoteTokenAsync(TokenChange.Revoke, Guid.CreateVersion7(), "{}"u8.ToArray(), default),
        [nameof(Session.NoteKeyAsync)] = static session => session.NoteKeyAsync("auth.secret", "{}"u8.ToArray(), default),
        [nameof(Session.NoteChangeAsync)] = static session => session.NoteChangeAsync(SettingChange.Remote, "berlin", "{}"u8.ToArray(), default),
        [nameof(Session.RotateKeyAsync)] = static session => session.RotateKeyAsync(DataKey.Generate(), null, default),
        [nameof(Session.UnstageAsync)] = static session => session.UnstageAsync(null, default),
        [nameof(Session.VerifyAllAsync)] = static session => session.VerifyAllAsync(null, default),
        [nameof(Session.VerifyAsync)] = static session => session.VerifyAsync(Order, EventDbx.Verification.VerifyLevel.Full, default),
        [nameof(Session.ProveAggregateAsync)] = static session => session.ProveAggregateAsync(Order, 1, null, default),
        [nameof(Session.WaitForFeedAsync)] = static session => session.WaitForFeedAsync(0, default),
    };

    /// <summary>Asked for elsewhere: of a document there has to be an older one, of proofs a checkpoint.</summary>
    static readonly string[] Elsewhere = [nameof(Session.AcceptDocumentAsync), nameof(Session.BackUpAsync), nameof(Session.ReadCheckpointAsync), nameof(Session.ProveEventAsync), nameof(Session.OpenEvidenceAsync)];

    [Fact]
    public void Every_verb_that_may_write_stands_in_one_of_these_lists() => Assert.Equal(
        typeof(Session).GetMethods(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly)
            .Where(static method => typeof(Task).IsAssignableFrom(method.ReturnType)).Select(static method => method.Name).Distinct().Order(),
        Writes.Keys.Concat(Own.Keys).Concat(Elsewhere).Order());

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Every_verb_that_writes_history_is_refused_by_a_mirror_and_by_one_that_has_not_begun_to_be_one(bool begun)
    {
        await using var pair = Pair.Open();
        if (begun)
            await FollowedAsync(pair);
        var (size, root) = (pair.Mirror.LogSize, pair.Mirror.LogRoot);

        foreach (var (verb, write) in Writes)
        {
            var refused = await Following.RefusedAsync(() => write(pair.Mirror.OpenSession()));
            Assert.Equal((verb, RefusalCode.ReadOnly), (verb, refused.Code));
            Assert.Contains("follows `berlin`", refused.Message, StringComparison.Ordinal);
            Assert.Contains("dbx promote", refused.Message, StringComparison.Ordinal);
        }

        Assert.Equal((size, root), (pair.Mirror.LogSize, pair.Mirror.LogRoot));
        Assert.True(Grants.TryParse(["aggregate.read"], [], out var reads, out _));
        Assert.Equal(RefusalCode.PermissionDenied, (await Following.RefusedAsync(() =>
            pair.Mirror.OpenSession(new("a", "b"), reads, null).AppendAsync(TestStore.Draft(Order), default))).Code);
    }

    [Fact]
    public async Task What_is_this_nodes_own_works_on_a_mirror_and_makes_no_entry()
    {
        await using var pair = Pair.Open();
        await FollowedAsync(pair);
        var (size, root) = (pair.Mirror.LogSize, pair.Mirror.LogRoot);

        foreach (var (_, act) in Own)
            await act(pair.Mirror.OpenSession());
        var token = Guid.CreateVersion7();
        await pair.Mirror.OpenSession().NoteTokenAsync(TokenChange.Revoke, token, "{}"u8.ToArray(), default);

        Assert.True(pair.Mirror.FindTokenUse(token).Dead);
        Assert.Equal((size, root), (pair.Mirror.LogSize, pair.Mirror.LogRoot));
        Assert.Equal(2U, pair.Mirror.KeyGeneration);
        Assert.Null(pair.Mirror.Unhealthy);
    }

    [Fact]
    public async Task A_leader_that_is_to_follow_writes_again_once_it_is_not_to_any_more()
    {
        using var store = new TestStore();
        await using (var database = store.Open())
            await database.OpenSession().AppendAsync(TestStore.Draft(Order), default);
        await using (var waiting = Database.Open(store.Options() with { Follow = "berlin" }))
        {
            Assert.Equal(("berlin", null), (waiting.Mirror.Following, waiting.Mirror.State));
            Assert.Equal(RefusalCode.ReadOnly, (await Following.RefusedAsync(() => waiting.OpenSession().AppendAsync(TestStore.Draft(Order), default))).Code);
        }

        await using var leader = store.Open();
        Assert.Equal(2UL, (await leader.OpenSession().AppendAsync(TestStore.Draft(Order), default)).Record.Version);
    }

    [Fact]
    public async Task An_append_that_waits_for_the_writer_when_the_store_becomes_a_mirror_is_refused()
    {
        var steps = new EngineSteps();
        await using var pair = Pair.Open(ofMirror: options => options with { Follow = null, WrapEngine = steps.Over });
        Task begin, append;
        using (var held = steps.Commit.Hold())
        {
            begin = pair.Mirror.BeginAsync(pair.Leader);
            await held.Reached;
            append = pair.Mirror.OpenSession().AppendAsync(TestStore.Draft(Order), default);
        }

        await begin;
        Assert.Equal(RefusalCode.ReadOnly, (await Following.RefusedAsync(() => append)).Code);
        Assert.Equal(0UL, pair.Mirror.LogSize);
    }

    static async Task FollowedAsync(Pair pair)
    {
        await pair.Leader.OpenSession().AppendAsync(TestStore.Draft(Order), default);
        await pair.Leader.OpenSession().CreateAsync(TestStore.Aggregate("order", "empty"), null, default);
        await pair.Mirror.FollowAsync(pair.Leader);
    }
}
