using EventDbx.Access;
using EventDbx.Checkpoints;
using EventDbx.Commit;
using EventDbx.Integrity;
using EventDbx.Mirroring;
using EventDbx.Recovery;
using EventDbx.Storage.Rows;
using EventDbx.Tests.Crash;
using EventDbx.Tests.Engine;
using EventDbx.Tests.Verification;

namespace EventDbx.Tests.Mirroring;

/// <summary>A leader whose hashes all fit, and that has committed what no leader commits; and what is said of epochs and checkpoints.</summary>
public sealed class LyingLeaderTests
{
    public static TheoryData<string, string, string> Entries => new()
    {
        { ControlKinds.Import, "db", "{\"lines\":1},{\"injected\":1}" },
        { ControlKinds.Import, "db", "[1]" },
        { ControlKinds.Import, "db", "{\n}" },
        { ControlKinds.Import, "d\nb", "{}" },
        { "snapshot", "order/o-1", "{\"version\":999}" },
        { "snapshot", "order/o-1", "{\"version\":0}" },
        { "snapshot", "order/o-1", "{}" },
        { "epoch", "db", "{\"epoch\":4000000000,\"kept\":2}" },
    };

    [Theory]
    [MemberData(nameof(Entries))]
    public async Task An_entry_that_no_leader_commits_is_refused_by_its_position_and_nothing_of_its_page_is_written(string kind, string subject, string body)
    {
        await using var pair = Pair.Open();
        for (var i = 0; i < 2; i++)
            await pair.Leader.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        await pair.Leader.Loop.CommitAsync(new(new ControlOperation { Aggregate = ControlOperation.AboutTheDatabase, Kind = kind, Subject = subject, Body = Encoding.UTF8.GetBytes(body) }));
        await pair.Mirror.BeginAsync(pair.Leader);

        var refused = await Following.RefusedAsync(() => pair.Mirror.Mirror.ApplyAsync(pair.Leader.ReadLog(0, int.MaxValue), default));

        Assert.Equal((RefusalCode.IntegrityViolation, 0UL), (refused.Code, pair.Mirror.LogSize));
        Assert.StartsWith("Entry 3 of the leader's log is refused:", refused.Message, StringComparison.Ordinal);
        Assert.Null(pair.Mirror.Unhealthy);
    }

    [Fact]
    public void Members_of_an_entry_are_held_to_the_rules_of_an_append()
    {
        EntryRow Event(string type = "placed", string? note = null, Actor? actor = null, Guid? id = null) => new()
        {
            Aggregate = TestStore.Aggregate(), Version = 1, Type = type, Note = note, Actor = actor, EventId = id ?? Guid.CreateVersion7(),
        };

        foreach (var good in (EntryRow[])[Event(), Event("bezahlt-ß\u0085"), Event(note: ""), Event(note: new string('é', Limits.NoteScalarsMax)), Event(actor: new("g", "u"))])
            Assert.Null(EntryMembers.ProblemOf(good));
        foreach (var bad in (EntryRow[])
        [
            Event(""), Event("a\nb"), Event(".."), Event(note: new string('x', Limits.NoteScalarsMax + 1)), Event(actor: new("", "u")), Event(actor: new("g", "")),
            Event(actor: new("g", new string('u', 5000))), Event(id: Guid.AllBitsSet), Event(id: Guid.Empty),
        ])
            Assert.NotNull(EntryMembers.ProblemOf(bad));
    }

    [Fact]
    public async Task An_epoch_that_nobody_can_have_come_to_is_not_taken_for_one_and_a_promotion_stays_possible()
    {
        await using var pair = Pair.Open();
        await pair.Leader.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        var page = pair.Leader.ReadLog(0, int.MaxValue);

        var refused = await Following.RefusedAsync(() => pair.Mirror.Mirror.BeginAsync(Following.Leader, page.End with { Epoch = uint.MaxValue }, page.RootBefore, default));
        await pair.Mirror.BeginAsync(pair.Leader);
        await Following.RefusedAsync(() => pair.Mirror.Mirror.ApplyAsync(page with { End = page.End with { Epoch = uint.MaxValue, Size = page.End.Size + 1 } }, default));

        Assert.Equal(RefusalCode.InvalidArgument, refused.Code);
        Assert.Equal(2U, (await pair.Mirror.Mirror.PromoteAsync(null, null, default)).Epoch);
        Assert.Null(pair.Mirror.Unhealthy);
    }

    [Fact]
    public async Task A_page_names_the_epoch_that_its_log_is_in_where_it_is_synced_and_not_the_one_behind_that()
    {
        await using var pair = Pair.Open();
        await pair.Leader.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        await pair.Mirror.FollowAsync(pair.Leader);
        await pair.Mirror.Mirror.PromoteAsync(null, null, default);
        using var store = new TestStore();
        await using var relaxed = Database.Open(store.Options() with { Durability = Durability.Relaxed, RelaxedInterval = TimeSpan.FromHours(1) });
        await relaxed.BeginAsync(pair.Mirror);

        await relaxed.Mirror.ApplyAsync(pair.Mirror.ReadLog(0, int.MaxValue), default);

        Assert.Equal((2U, 0UL), (relaxed.Epoch, relaxed.LogSize));
        var end = relaxed.ReadLog(0, int.MaxValue).End;
        Assert.Equal((1U, 0UL), (end.Epoch, end.Size));
        // What is not synced was not compared: of a mirror it is its leader's, and the next page is held against it.
        await relaxed.Mirror.BeginAsync(new("another", "key"), pair.Mirror.ReadLog(0, 1).End, Hash32.Empty, default);
        Assert.Equal("another", relaxed.Mirror.State!.Leader.Name);
        Assert.Equal(RefusalCode.Unavailable, (await Following.RefusedAsync(() => relaxed.Mirror.BeginAsync(new("third", "key"), pair.Mirror.ReadLog(0, 1).End, Hash32.Of("x"u8), default))).Code);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_checkpoint_of_the_leader_that_is_not_true_any_more_is_found_by_a_verify(bool byTheLeader)
    {
        await using var pair = Pair.Open();
        await pair.Leader.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        await pair.Leader.OpenSession().ReadCheckpointAsync(0, default);
        await pair.Mirror.FollowAsync(pair.Leader);
        await pair.Mirror.OpenSession().VerifyAllAsync(null, TestContext.Current.CancellationToken);
        var checkpoint = new Checkpoint(pair.Leader.LogOrigin, 1, byTheLeader ? Hash32.Of("another"u8) : pair.Leader.LogRoot);
        var signature = (byTheLeader ? pair.LeaderKey : pair.MirrorKey).Sign(checkpoint.Origin, checkpoint.Text());
        RawRows.Change(pair.Mirror, Family.Meta, Keyspace.MirrorRow.ToArray(), body => (MirrorRow.TryRead(body)! with { Checkpoint = checkpoint, Note = SignedNote.Of(checkpoint.Text(), [signature]) }).Write());

        var found = await Following.RefusedAsync(() => pair.Mirror.OpenSession().VerifyAllAsync(null, default));

        Assert.Equal(RefusalCode.IntegrityViolation, found.Code);
        Assert.Contains(byTheLeader ? "the leader has signed" : "not signed with the key", found.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_checkpoint_that_goes_to_mirrors_is_kept_for_good_and_one_a_minute_is()
    {
        using var store = new TestStore();
        var (clock, signer) = (new ManualClock(), new FakeSigner());
        await using var leader = Database.Open(store.Options() with { Signer = () => signer, Clock = clock });
        async Task<ulong> SentAsync(TimeSpan later)
        {
            clock.Now += later;
            await leader.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
            await leader.ReadCheckpointAsync(leader.LogSize, handOut: false, default);
            var sent = leader.ReadLog(0, int.MaxValue).Checkpoint;
            await leader.Loop.DrainAsync();
            Assert.True(MirrorRow.TryReadCheckpoint(sent.Span, out _, out var checkpoint));
            using var view = leader.Engine.OpenView();
            Assert.NotEqual(CheckpointRow.RowFlags.None, CheckpointRow.Find(view, 1, checkpoint.Size)!.Flags);
            return checkpoint.Size;
        }

        // The first of the hour; it again, for a minute; then the next one, which is kept from then on.
        List<ulong> sent = [];
        foreach (var seconds in (int[])[0, 1, 70, 1])
            sent.Add(await SentAsync(TimeSpan.FromSeconds(seconds)));
        Assert.Equal([1UL, 1UL, 1UL, 3UL], sent);
    }

    [Fact]
    public async Task A_mirror_that_is_recovered_begins_an_epoch_above_those_its_leader_was_seen_in()
    {
        await using var pair = Pair.Open();
        await pair.Leader.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        await pair.Mirror.FollowAsync(pair.Leader);
        await pair.Mirror.Mirror.PromoteAsync(null, null, default);
        using var store = new TestStore();
        await using var behind = Database.Open(store.Options());
        await behind.BeginAsync(pair.Mirror);
        await behind.Mirror.ApplyAsync(pair.Mirror.ReadLog(0, 1), default);
        using var image = DirectoryImage.Copy(store.Directory);
        File.Delete(image.In("watermark"));
        var options = store.Options() with { Directory = image.Path };

        StoreRecovery.AcceptLoss(options);

        await using var recovered = Database.Open(options);
        Assert.Equal((3U, 2UL), (recovered.Epoch, recovered.LogSize));
        await recovered.OpenSession().VerifyAllAsync(null, TestContext.Current.CancellationToken);
    }
}
