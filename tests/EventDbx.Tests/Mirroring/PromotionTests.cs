using System.Text.Json;
using EventDbx.Checkpoints;
using EventDbx.Mirroring;
using EventDbx.Tests.Engine;
using EventDbx.Tests.Verification;

namespace EventDbx.Tests.Mirroring;

/// <summary>A mirror becomes a leader, and what the old leader makes of that.</summary>
public sealed class PromotionTests
{
    static readonly Actor Operator = new("ops", "jo");

    [Fact]
    public async Task A_mirror_that_is_promoted_writes_and_signs_under_a_new_epoch_without_a_reopen()
    {
        await using var pair = Pair.Open();
        await pair.Leader.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        var note = await pair.Leader.OpenSession().ReadCheckpointAsync(0, default);
        await pair.Leader.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        await pair.Mirror.FollowAsync(pair.Leader);
        var (kept, root) = (pair.Mirror.LogSize, pair.Mirror.LogRoot);

        var promotion = await pair.Mirror.Mirror.PromoteAsync(Operator, "the leader is gone", default);

        var origin = $"eventdbx.local/{pair.Leader.DatabaseId:D}";
        Assert.Equal(new Promotion(2, kept, root, $"{origin}/e2"), promotion);
        Assert.Null(pair.Mirror.Mirror.State);
        Assert.Null(pair.Mirror.Mirror.Following);
        Assert.Equal((2U, kept + 1, $"{origin}/e2"), (pair.Mirror.Epoch, pair.Mirror.LogSize, pair.Mirror.LogOrigin));
        var session = pair.Mirror.OpenSession();
        var entry = session.ReadFeed(kept, 10, includeControl: true).Items[0].Control!;
        var body = JsonDocument.Parse(entry.Body).RootElement;
        Assert.Equal(("epoch", pair.Leader.DatabaseId.ToString(), Operator), (entry.Kind, entry.Subject, entry.Actor));
        Assert.Equal(
            (2U, "promotion", kept, root.ToString(), origin, "the leader is gone"),
            (body.GetProperty("epoch").GetUInt32(), body.GetProperty("cause").GetString(), body.GetProperty("kept").GetUInt64(), body.GetProperty("root").GetString(), body.GetProperty("origin").GetString(), body.GetProperty("comment").GetString()));
        Assert.Equal(
            (Following.Leader.Name, Following.Leader.PublicKey, 1UL, pair.LeaderKey.VerifierKey(origin)),
            (body.GetProperty("leader").GetProperty("name").GetString(), body.GetProperty("leader").GetProperty("public_key").GetString(), body.GetProperty("checkpoint").GetProperty("size").GetUInt64(), body.GetProperty("checkpoint_key").GetString()));

        Assert.Equal(3UL, (await session.AppendAsync(TestStore.Draft(TestStore.Aggregate()), default)).Record.Version);
        var signed = await session.ReadCheckpointAsync(pair.Mirror.LogSize, default);
        Assert.True(pair.MirrorKey.Verifies($"{origin}/e2", signed));
        Assert.True(Checkpoint.TryParse(signed.Text, out var checkpoint));
        Assert.Equal(new($"{origin}/e2", pair.Mirror.LogSize, pair.Mirror.LogRoot), checkpoint);
        Assert.Equal(pair.MirrorKey.VerifierKey($"{origin}/e2"), session.ReadLogKey());
        Assert.NotEqual(note.ToString(), signed.ToString());
        await session.VerifyAllAsync(null, TestContext.Current.CancellationToken);
        await pair.ReopenMirrorAsync(static options => options with { Follow = null });
        Assert.Equal((2U, 4UL), (pair.Mirror.Epoch, pair.Mirror.LogSize));
        await pair.Mirror.OpenSession().VerifyAllAsync(null, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task A_checkpoint_interval_signs_as_soon_as_a_mirror_leads_and_not_before()
    {
        await using var pair = Pair.Open(ofMirror: static options => options with { CheckpointInterval = TimeSpan.FromMilliseconds(1) });
        await pair.Leader.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        await pair.Mirror.FollowAsync(pair.Leader);

        await pair.Mirror.Mirror.PromoteAsync(Operator, null, default);

        await pair.Mirror.WaitForCheckpointAsync(1, TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(2UL, pair.Mirror.FindCheckpoint()!.Value.Checkpoint.Size);
        Assert.Equal(1, pair.MirrorKey.Signed);
    }

    [Theory]
    [InlineData(true, true)]
    [InlineData(false, true)]
    [InlineData(false, false)]
    public async Task A_request_that_the_old_leader_has_answered_is_answered_by_the_promoted_mirror_with_its_original(bool leaderEncrypted, bool mirrorEncrypted)
    {
        await using var pair = Pair.Open(leaderEncrypted, mirrorEncrypted);
        var append = TestStore.Draft(TestStore.Aggregate()) with { EventId = Guid.CreateVersion7(), Note = "n" };
        var patch = append with { EventId = Guid.CreateVersion7(), Payload = default, Patch = """[{"op":"add","path":"/a","value":1}]"""u8.ToArray() };
        var unnamed = TestStore.Draft(TestStore.Aggregate());
        List<EventRecord> originals = [];
        foreach (var draft in (EventDraft[])[append, patch, unnamed])
            originals.Add((await pair.Leader.OpenSession().AppendAsync(draft, default)).Record);
        await pair.Mirror.FollowAsync(pair.Leader);
        await pair.Mirror.Mirror.PromoteAsync(Operator, null, default);
        var session = pair.Mirror.OpenSession();

        // An id that the leader made is one that this store makes, for it is the same database.
        EventDraft[] repeated = [append, patch, unnamed with { EventId = originals[2].EventId }];
        foreach (var (draft, original) in repeated.Zip(originals))
        {
            var again = await session.AppendAsync(draft, default);
            Assert.Equal((false, original.Hash, original.Version), (again.Appended, again.Record.Hash, again.Record.Version));
            var other = draft.Patch is null ? draft with { Payload = """{"other":1}"""u8.ToArray() } : draft with { Patch = """[{"op":"add","path":"/a","value":2}]"""u8.ToArray() };
            Assert.Equal(RefusalCode.IdempotencyConflict, (await Following.RefusedAsync(() => session.AppendAsync(other, default))).Code);
        }
    }

    [Fact]
    public async Task A_former_leader_that_is_behind_follows_the_promoted_one_and_one_with_entries_of_its_own_has_parted()
    {
        await using var pair = Pair.Open();
        var script = new LeaderScript(new(3));
        await script.RunAsync(pair.Leader, 40);
        await pair.Leader.OpenSession().ReadCheckpointAsync(0, default);
        await pair.Mirror.FollowAsync(pair.Leader);
        await pair.Mirror.Mirror.PromoteAsync(Operator, null, default);
        await script.RunAsync(pair.Mirror, 40);
        await pair.Mirror.OpenSession().ReadCheckpointAsync(0, default);

        using var image = Crash.DirectoryImage.Copy(pair.LeaderOptions.Directory);
        await pair.Leader.FollowAsync(pair.Mirror, 2000);

        Following.AssertSame(pair.Mirror, pair.Leader);
        Assert.Equal((2U, Following.Leader), (pair.Leader.Epoch, pair.Leader.Mirror.State?.Leader));
        Assert.Equal((await pair.Mirror.ReadCheckpointAsync(0, false, default)).ToString(), (await pair.Leader.ReadCheckpointAsync(0, false, default)).ToString());
        await pair.Leader.OpenSession().VerifyAllAsync(null, TestContext.Current.CancellationToken);

        await using var parted = Database.Open(pair.LeaderOptions with { Directory = image.Path });
        await parted.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate("its", "own")), default);
        var refused = await Following.RefusedAsync(() => parted.BeginAsync(pair.Mirror));
        Assert.Equal(RefusalCode.Diverged, refused.Code);
        Assert.Contains("The histories have parted", refused.Message, StringComparison.Ordinal);
        Assert.Null(parted.Mirror.State);

        // And back again: the former leader is promoted in its turn.
        Assert.Equal(3U, (await pair.Leader.Mirror.PromoteAsync(Operator, null, default)).Epoch);
        await pair.Leader.OpenSession().VerifyAllAsync(null, TestContext.Current.CancellationToken);
        await pair.Mirror.FollowAsync(pair.Leader);
        Following.AssertSame(pair.Leader, pair.Mirror);
    }

    [Fact]
    public async Task The_number_of_an_epoch_is_above_all_that_the_leader_was_seen_in()
    {
        await using var pair = Pair.Open();
        await pair.Leader.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        await pair.Mirror.FollowAsync(pair.Leader);
        await pair.Mirror.Mirror.PromoteAsync(Operator, null, default);
        using var store = new TestStore();
        await using var third = Database.Open(store.Options());
        await third.BeginAsync(pair.Mirror);
        await third.Mirror.ApplyAsync(pair.Mirror.ReadLog(0, 1), default);
        Assert.Equal(1U, third.Epoch);

        var promotion = await third.Mirror.PromoteAsync(Operator, null, default);

        Assert.Equal((3U, 1UL), (promotion.Epoch, promotion.Kept));
        await third.OpenSession().VerifyAllAsync(null, TestContext.Current.CancellationToken);
        Assert.Equal(RefusalCode.Diverged, (await Following.RefusedAsync(() => third.BeginAsync(pair.Mirror))).Code);
    }

    [Fact]
    public async Task Who_leads_is_not_promoted_and_who_has_not_begun_to_follow_is_not_either()
    {
        await using var pair = Pair.Open();

        var leads = await Following.RefusedAsync(() => pair.Leader.Mirror.PromoteAsync(Operator, null, default));
        var waits = await Following.RefusedAsync(() => pair.Mirror.Mirror.PromoteAsync(Operator, null, default));
        await pair.Mirror.BeginAsync(pair.Leader);
        var note = await Following.RefusedAsync(() => pair.Mirror.Mirror.PromoteAsync(Operator, new string('x', Limits.NoteScalarsMax + 1), default));

        Assert.Equal((RefusalCode.InvalidArgument, RefusalCode.InvalidArgument, RefusalCode.LimitExceeded), (leads.Code, waits.Code, note.Code));
        Assert.Contains("leads already", leads.Message, StringComparison.Ordinal);
        Assert.Contains("`berlin`", waits.Message, StringComparison.Ordinal);
        Assert.Equal(1U, (await pair.Mirror.Mirror.PromoteAsync(null, null, default)).Epoch - 1);
    }

    public static TheoryData<string> Tampering => ["drop the row", "a leader with the row", "epoch up", "epoch down", "unreadable", "the kept of the entry"];

    [Theory]
    [MemberData(nameof(Tampering))]
    public async Task A_row_that_says_something_else_of_mirror_or_epoch_is_found(string how)
    {
        await using var pair = Pair.Open(ofMirror: static options => options with { Check = EventDbx.Recovery.StoreCheck.InProcess });
        await pair.Leader.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        await pair.Mirror.FollowAsync(pair.Leader);
        await pair.Mirror.Mirror.PromoteAsync(Operator, null, default);
        await pair.Mirror.BeginAsync(pair.Mirror);
        await pair.Mirror.OpenSession().VerifyAllAsync(null, TestContext.Current.CancellationToken);
        byte[] Store(Func<EventDbx.Storage.Rows.StoreRow, EventDbx.Storage.Rows.StoreRow> change) => change(EventDbx.Storage.Rows.StoreRow.TryRead(RawRows.Body(pair.Mirror, Family.Meta, Keyspace.StoreRow))!).Write();
        switch (how)
        {
            case "drop the row":
                RawRows.Delete(pair.Mirror, Family.Meta, Keyspace.MirrorRow.ToArray());
                break;
            case "a leader with the row":
                RawRows.Change(pair.Mirror, Family.Meta, Keyspace.StoreRow.ToArray(), _ => Store(static row => row with { Mirror = false }));
                break;
            case "epoch up":
                RawRows.Change(pair.Mirror, Family.Meta, Keyspace.StoreRow.ToArray(), _ => Store(static row => row with { Epoch = row.Epoch + 1 }));
                break;
            case "epoch down":
                RawRows.Change(pair.Mirror, Family.Meta, Keyspace.StoreRow.ToArray(), _ => Store(static row => row with { Epoch = row.Epoch - 1 }));
                break;
            case "unreadable":
                RawRows.Change(pair.Mirror, Family.Meta, Keyspace.MirrorRow.ToArray(), static body => body[..^1]);
                break;
            default:
                RawRows.Change(pair.Mirror, Family.Log, Keyspace.Position(2), static body => Encoding.UTF8.GetBytes("").Concat(body).Select((b, i) => i == body.AsSpan().IndexOf("\"kept\":1"u8) + 7 ? (byte)'0' : b).ToArray());
                break;
        }

        var found = await Following.RefusedAsync(() => pair.Mirror.OpenSession().VerifyAllAsync(null, default));

        Assert.Equal(RefusalCode.IntegrityViolation, found.Code);
    }
}
