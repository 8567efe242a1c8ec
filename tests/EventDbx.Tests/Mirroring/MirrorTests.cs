using EventDbx.Integrity;
using EventDbx.Mirroring;
using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Mirroring;

/// <summary>The same log at two places: everything that follows from it is the same, too.</summary>
[CiTier("It draws histories.")]
public sealed class MirrorTests
{
    [Theory]
    [InlineData(true, true)]
    [InlineData(false, false)]
    [InlineData(false, true)]
    public async Task A_mirror_is_its_leader_to_everybody_who_reads(bool leaderEncrypted, bool mirrorEncrypted)
    {
        await using var pair = Pair.Open(leaderEncrypted, mirrorEncrypted);
        await new LeaderScript(new(1)).RunAsync(pair.Leader, 150);

        await pair.Mirror.FollowAsync(pair.Leader, bytesMax: 3000);

        Following.AssertSame(pair.Leader, pair.Mirror);
        await pair.Mirror.OpenSession().VerifyAllAsync(null, TestContext.Current.CancellationToken);
        await pair.ReopenMirrorAsync(static options => options with { Follow = null });
        Assert.Equal(Following.Leader, pair.Mirror.Mirror.State?.Leader);
        Following.AssertSame(pair.Leader, pair.Mirror);
        Assert.Equal(pair.Leader.OpenSession().GetSchemas().Write(), await File.ReadAllBytesAsync(Path.Combine(pair.MirrorOptions.Directory, "schemas.json"), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Random_histories_in_random_pages_with_reopens_and_pages_that_come_twice_end_the_same() => await Effort.SeededAsync(async random =>
    {
        for (var round = 0; round < Effort.Choose(3, 25, 500); round++)
        {
            var (leaderEncrypted, mirrorEncrypted) = random.Next(3) switch { 0 => (false, false), 1 => (false, true), _ => (true, true) };
            await using var pair = Pair.Open(leaderEncrypted, mirrorEncrypted, options => options with { Durability = random.Next(2) == 0 ? Durability.Sync : Durability.Relaxed });
            var script = new LeaderScript(random);
            for (var part = 0; part < 4; part++)
            {
                await script.RunAsync(pair.Leader, random.Next(10, 60));
                if (pair.Mirror.Mirror.State is null)
                    await pair.Mirror.BeginAsync(pair.Leader);
                while (pair.Mirror.LogSize < pair.Leader.LogSize)
                {
                    var after = random.Next(3) == 0 ? (ulong)random.NextInt64((long)pair.Mirror.LogSize + 1) : pair.Mirror.LogSize;
                    // A page begins where a batch does: where a mirror has been at some time.
                    after = FirstOfItsBatch(pair.Leader, after);
                    var page = pair.Leader.ReadLog(after, random.Next(1, 5000));
                    var reached = Math.Max(pair.Mirror.LogSize, after + (ulong)page.Entries.Count);
                    await pair.Mirror.Mirror.ApplyAsync(page, default);
                    await pair.Mirror.OpenSession().WaitForFeedAsync(reached - 1, default).WaitAsync(TimeSpan.FromSeconds(30));
                    if (random.Next(6) == 0)
                        await pair.ReopenMirrorAsync();
                }

                Following.AssertSame(pair.Leader, pair.Mirror);
            }

            await pair.Mirror.OpenSession().VerifyAllAsync(null, default);
        }
    });

    static ulong FirstOfItsBatch(Database leader, ulong after)
    {
        while (after > 0)
        {
            using var view = leader.Engine.OpenView();
            var entry = EventDbx.Storage.Rows.EntryRow.TryRead(Checked.Get(view, Family.Log, Keyspace.Position(after))!.Value)!;
            if (entry.BatchIndex == entry.BatchCount)
                return after;
            after--;
        }

        return 0;
    }

    [Fact]
    public async Task Pages_are_bounded_by_bytes_hold_batches_whole_and_bring_each_key_once()
    {
        await using var pair = Pair.Open();
        var session = pair.Leader.OpenSession();
        for (var i = 0; i < 5; i++)
            await session.AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        await session.AppendBatchAsync([.. Enumerable.Range(0, 8).Select(i => TestStore.Draft(TestStore.Aggregate("order", $"b-{i % 2}")))], default);
        await session.AppendAsync(TestStore.Draft(TestStore.Aggregate("order", "b-1")), default);

        var one = pair.Leader.ReadLog(0, 1);
        var five = pair.Leader.ReadLog(0, pair.Leader.ReadLog(0, int.MaxValue).Entries.Take(6).Sum(static entry => entry.Row.Length));
        var batch = pair.Leader.ReadLog(5, 1);
        var rest = pair.Leader.ReadLog(13, int.MaxValue);

        Assert.Equal((1, 5, 8, 1), (one.Entries.Count, five.Entries.Count, batch.Entries.Count, rest.Entries.Count));
        Assert.Equal([32, 0, 0, 0, 0], five.Entries.Select(static entry => entry.AggregateKey.Length));
        Assert.Equal([32, 32, 0, 0, 0, 0, 0, 0], batch.Entries.Select(static entry => entry.AggregateKey.Length));
        Assert.Equal(batch.Entries[1].AggregateKey.ToArray(), rest.Entries[0].AggregateKey.ToArray());
        Assert.Equal((Hash32.Empty, five.Root), (one.RootBefore, batch.RootBefore));
        Assert.Equal((batch.Root, pair.Leader.LogRoot), (rest.RootBefore, rest.Root));
        Assert.Equal(five.Entries.Sum(static entry => entry.Row.Length), five.Bytes);
        var end = pair.Leader.ReadLog(14, 1);
        Assert.Equal((0, pair.Leader.LogRoot, 14UL), (end.Entries.Count, end.Root, end.End.Size));
        Assert.Equal(RefusalCode.Diverged, Assert.Throws<RefusedException>(() => pair.Leader.ReadLog(15, 1)).Refusal.Code);
    }

    [Fact]
    public async Task An_empty_store_takes_over_the_leaders_database_and_one_with_entries_of_its_own_is_told_how_to_begin()
    {
        await using var pair = Pair.Open();
        await pair.Leader.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        using var other = new TestStore();
        await using var own = other.Open();
        await own.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);

        var refused = await Following.RefusedAsync(() => own.BeginAsync(pair.Leader));
        await pair.Mirror.BeginAsync(pair.Leader);

        Assert.Equal(RefusalCode.InvalidArgument, refused.Code);
        Assert.Contains("an empty data directory", refused.Message, StringComparison.Ordinal);
        Assert.Null(own.Mirror.State);
        await own.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        Assert.Equal(pair.Leader.DatabaseId, pair.Mirror.DatabaseId);
        await pair.ReopenMirrorAsync();
        Assert.Equal((pair.Leader.DatabaseId, 0UL), (pair.Mirror.DatabaseId, pair.Mirror.LogSize));
    }

    [Fact]
    public async Task A_plain_store_is_no_mirror_of_an_encrypted_one()
    {
        await using var pair = Pair.Open(leaderEncrypted: true, mirrorEncrypted: false);
        await pair.Leader.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);

        var refused = await Following.RefusedAsync(() => pair.Mirror.BeginAsync(pair.Leader));

        Assert.Equal(RefusalCode.InvalidArgument, refused.Code);
        Assert.Contains("data key", refused.Message, StringComparison.Ordinal);
        Assert.Null(pair.Mirror.Mirror.State);
    }

    [Fact]
    public async Task The_data_keys_of_both_may_be_replaced_while_one_follows_the_other()
    {
        await using var pair = Pair.Open();
        var script = new LeaderScript(new(5));
        await script.RunAsync(pair.Leader, 60);
        await pair.Mirror.FollowAsync(pair.Leader, 2000);
        var size = pair.Mirror.LogSize;

        var (next, leaderNext) = (EventDbx.Encryption.DataKey.Generate(), EventDbx.Encryption.DataKey.Generate());
        Assert.True((await pair.Mirror.OpenSession().RotateKeyAsync(next, null, default)).Keys > 0);
        Assert.Equal((size, 2U), (pair.Mirror.LogSize, pair.Mirror.KeyGeneration));
        await pair.Leader.OpenSession().RotateKeyAsync(leaderNext, null, default);
        await script.RunAsync(pair.Leader, 60);
        await pair.Mirror.FollowAsync(pair.Leader, 2000);

        Following.AssertSame(pair.Leader, pair.Mirror);
        await pair.ReopenMirrorAsync(options => options with { Key = next });
        Following.AssertSame(pair.Leader, pair.Mirror);
        await pair.Mirror.OpenSession().VerifyAllAsync(null, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Who_waits_for_the_feed_of_a_mirror_is_woken_by_its_leaders_entries()
    {
        await using var pair = Pair.Open();
        await pair.Mirror.BeginAsync(pair.Leader);
        var waiting = pair.Mirror.OpenSession().WaitForFeedAsync(0, default);
        Assert.False(waiting.IsCompleted);

        await pair.Leader.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        await pair.Mirror.FollowAsync(pair.Leader);

        await waiting.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public async Task A_mirror_holds_its_leaders_checkpoints_against_its_log_and_hands_them_out_as_they_are()
    {
        await using var pair = Pair.Open();
        var session = pair.Leader.OpenSession();
        await session.AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        await pair.Mirror.FollowAsync(pair.Leader);
        var none = await Following.RefusedAsync(() => pair.Mirror.OpenSession().ReadCheckpointAsync(0, default));
        await session.AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);
        var note = await session.ReadCheckpointAsync(0, default);
        await session.AppendAsync(TestStore.Draft(TestStore.Aggregate()), default);

        await pair.Mirror.FollowAsync(pair.Leader);

        Assert.Equal(RefusalCode.Unavailable, none.Code);
        Assert.Contains("`berlin`", none.Message, StringComparison.Ordinal);
        var mirrored = pair.Mirror.OpenSession();
        Assert.Equal(note.ToString(), (await mirrored.ReadCheckpointAsync(2, default)).ToString());
        Assert.Equal(session.ReadLogKey(), mirrored.ReadLogKey());
        Assert.Equal(2UL, pair.Mirror.Mirror.State!.CheckpointSize);
        Assert.Equal(note.ToString(), (await mirrored.ProveEventAsync(TestStore.Aggregate(), 2, null, default)).Checkpoint.ToString());
        Assert.Equal(RefusalCode.Unavailable, (await Following.RefusedAsync(() => mirrored.ReadCheckpointAsync(3, default))).Code);
        Assert.Equal(0, pair.MirrorKey.Signed);
        await pair.ReopenMirrorAsync();
        Assert.Equal(note.ToString(), (await pair.Mirror.OpenSession().ReadCheckpointAsync(2, default)).ToString());
        // A mirror is a leader to a mirror of its own, with what its leader signed.
        Assert.Equal((pair.Leader.ReadLog(0, int.MaxValue).CheckpointKey, note.ToString()), (pair.Mirror.ReadLog(0, int.MaxValue).CheckpointKey, Encoding.UTF8.GetString(pair.Mirror.ReadLog(0, int.MaxValue).Checkpoint.Span)));
    }
}
