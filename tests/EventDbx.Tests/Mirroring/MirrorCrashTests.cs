using EventDbx.Mirroring;
using EventDbx.Tests.Crash;
using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Mirroring;

/// <summary>A mirror that is killed anywhere is a mirror that goes on, or a leader; its log is a beginning of its leader's, in whole batches.</summary>
[CiTier("It kills processes again and again.")]
public sealed class MirrorCrashTests
{
    /// <summary>A kill on either side of the commit, and so before the watermark of that commit.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_kill_about_the_commit_that_makes_a_store_a_mirror_leaves_an_empty_store_or_a_mirror(bool committed)
    {
        var steps = new EngineSteps();
        await using var pair = Pair.Open(ofMirror: options => options with { WrapEngine = steps.Over });
        await new LeaderScript(new(1)).RunAsync(pair.Leader, 20);

        using var image = await KilledAsync(pair, committed ? steps.Committed : steps.Commit, () => pair.Mirror.BeginAsync(pair.Leader));

        await using var survivor = Database.Open(pair.MirrorOptions with { Directory = image.Path, WrapEngine = null });
        Assert.Equal((committed, 0UL), (survivor.Mirror.State is not null, survivor.LogSize));
        Assert.Equal(committed, survivor.DatabaseId == pair.Leader.DatabaseId);
        await survivor.FollowAsync(pair.Leader, 500);
        Following.AssertSame(pair.Leader, survivor);
        using var again = DirectoryImage.Copy(image.Path);
        await using var second = Database.Open(pair.MirrorOptions with { Directory = again.Path, WrapEngine = null });
        Following.AssertSame(pair.Leader, second);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_kill_about_the_first_page_leaves_all_of_a_batch_or_nothing(bool committed)
    {
        var steps = new EngineSteps();
        await using var pair = Pair.Open(ofMirror: options => options with { WrapEngine = steps.Over });
        await pair.Leader.OpenSession().AppendBatchAsync([.. Enumerable.Range(0, 5).Select(_ => TestStore.Draft(TestStore.Aggregate()))], default);
        await pair.Mirror.BeginAsync(pair.Leader);

        using var image = await KilledAsync(pair, committed ? steps.Committed : steps.Commit, () => pair.Mirror.Mirror.ApplyAsync(pair.Leader.ReadLog(0, int.MaxValue), default));

        await using var survivor = Database.Open(pair.MirrorOptions with { Directory = image.Path, WrapEngine = null });
        Assert.Equal(committed ? 5UL : 0UL, survivor.LogSize);
        await survivor.FollowAsync(pair.Leader);
        Following.AssertSame(pair.Leader, survivor);
    }

    [Theory]
    [InlineData(false, 20)]
    [InlineData(true, 20)]
    [InlineData(false, 0)]
    [InlineData(true, 0)]
    public async Task A_kill_about_a_promotion_leaves_a_mirror_or_a_leader_and_never_neither(bool committed, int written)
    {
        var steps = new EngineSteps();
        await using var pair = Pair.Open(ofMirror: options => options with { WrapEngine = steps.Over });
        await new LeaderScript(new(2)).RunAsync(pair.Leader, written);
        await pair.Mirror.FollowAsync(pair.Leader);

        using var image = await KilledAsync(pair, committed ? steps.Committed : steps.Commit, () => pair.Mirror.Mirror.PromoteAsync(null, null, default));

        await using var survivor = Database.Open(pair.MirrorOptions with { Directory = image.Path, WrapEngine = null, Follow = null });
        Assert.Equal((committed ? 2U : 1U, !committed, pair.Leader.LogSize + (committed ? 1UL : 0)), (survivor.Epoch, survivor.Mirror.State is not null, survivor.LogSize));
        await survivor.OpenSession().VerifyAllAsync(null, TestContext.Current.CancellationToken);
        if (!committed)
            Assert.Equal(2U, (await survivor.Mirror.PromoteAsync(null, null, default)).Epoch);
        await survivor.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate("after", "all")), default);
        await survivor.OpenSession().VerifyAllAsync(null, TestContext.Current.CancellationToken);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_kill_about_a_page_that_enters_an_epoch_leaves_a_mirror_in_the_one_or_the_other(bool committed)
    {
        await using var pair = Pair.Open();
        await new LeaderScript(new(3)).RunAsync(pair.Leader, 20);
        await pair.Mirror.FollowAsync(pair.Leader);
        await pair.Mirror.Mirror.PromoteAsync(null, null, default);
        await pair.Mirror.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate("after", "all")), default);
        var steps = new EngineSteps();
        using var store = new TestStore();
        var options = store.Options() with { WrapEngine = steps.Over };
        await using var follower = Database.Open(options);
        await follower.BeginAsync(pair.Mirror);
        await follower.Mirror.ApplyAsync(pair.Leader.ReadLog(0, int.MaxValue) with { End = pair.Mirror.ReadLog(0, 1).End }, default);
        Assert.Equal(1U, follower.Epoch);

        DirectoryImage image;
        using (var held = (committed ? steps.Committed : steps.Commit).Hold())
        {
            var act = Task.Run(() => follower.Mirror.ApplyAsync(pair.Mirror.ReadLog(follower.LogSize, int.MaxValue), default), TestContext.Current.CancellationToken);
            await held.Reached;
            image = DirectoryImage.Copy(store.Directory);
            held.Release();
            await act;
        }

        using (image)
        {
            await using var survivor = Database.Open(options with { Directory = image.Path, WrapEngine = null });
            Assert.Equal(committed ? 2U : 1U, survivor.Epoch);
            await survivor.FollowAsync(pair.Mirror);
            Following.AssertSame(pair.Mirror, survivor);
            await survivor.OpenSession().VerifyAllAsync(null, TestContext.Current.CancellationToken);
        }
    }

    [Fact]
    public async Task A_mirror_that_is_recovered_leads_in_an_epoch_of_its_own_and_its_leader_does_not_take_it_back()
    {
        await using var pair = Pair.Open();
        await new LeaderScript(new(4)).RunAsync(pair.Leader, 40);
        await pair.Mirror.FollowAsync(pair.Leader);
        using var image = DirectoryImage.Copy(pair.MirrorOptions.Directory);
        File.Delete(image.In("watermark"));
        var options = pair.MirrorOptions with { Directory = image.Path, Follow = null };
        Assert.Throws<StoreRefusedException>(() => Database.Open(options));

        var report = EventDbx.Recovery.StoreRecovery.AcceptLoss(options);

        Assert.Equal(pair.Leader.LogSize, report.Kept);
        await using (var recovered = Database.Open(options))
        {
            Assert.Equal((2U, null, pair.Leader.LogSize + 1), (recovered.Epoch, recovered.Mirror.State, recovered.LogSize));
            await recovered.OpenSession().VerifyAllAsync(null, TestContext.Current.CancellationToken);
        }

        await using var again = Database.Open(options with { Follow = "berlin" });
        Assert.Equal(RefusalCode.Diverged, (await Following.RefusedAsync(() => again.Mirror.BeginAsync(Following.Leader, pair.Leader.ReadLog(0, 1).End, default, default))).Code);
        Assert.Equal(RefusalCode.ReadOnly, (await Following.RefusedAsync(() => again.OpenSession().AppendAsync(TestStore.Draft(TestStore.Aggregate()), default))).Code);
    }

    [Fact]
    public async Task A_write_ahead_log_that_is_cut_anywhere_leaves_whole_batches_and_the_mirror_goes_on() => await Effort.SeededAsync(async random =>
    {
        await using var pair = Pair.Open();
        await new LeaderScript(random).RunAsync(pair.Leader, 80);
        await pair.Mirror.BeginAsync(pair.Leader);
        var watermark = await File.ReadAllBytesAsync(Path.Combine(pair.MirrorOptions.Directory, "watermark"));
        await pair.Mirror.FollowAsync(pair.Leader, 1500);
        var wal = Directory.EnumerateFiles(Path.Combine(pair.MirrorOptions.Directory, "event_store"), "*.log").Max(StringComparer.Ordinal)!;
        var bytes = new FileInfo(wal).Length;
        var ends = WholeBatches(pair.Leader);
        var seen = new HashSet<ulong>();
        for (var i = 0; i < Effort.Choose(12, 60, 1000); i++)
        {
            using var image = DirectoryImage.Copy(pair.MirrorOptions.Directory);
            using (var file = File.OpenHandle(image.In(Path.Combine("event_store", Path.GetFileName(wal))), access: FileAccess.ReadWrite))
                RandomAccess.SetLength(file, random.NextInt64(bytes / 10, bytes));
            await File.WriteAllBytesAsync(image.In("watermark"), watermark);

            await using var survivor = Database.Open(pair.MirrorOptions with { Directory = image.Path });
            Assert.Contains(survivor.LogSize, ends);
            seen.Add(survivor.LogSize);
            await survivor.FollowAsync(pair.Leader, random.Next(1, 4000));
            Following.AssertSame(pair.Leader, survivor);
        }

        Assert.True(seen.Count > 4);
    });

    static HashSet<ulong> WholeBatches(Database leader)
    {
        var ends = new HashSet<ulong> { 0 };
        for (ulong after = 0; leader.ReadLog(after, 1) is { Entries.Count: > 0 } page;)
            ends.Add(after += (ulong)page.Entries.Count);
        return ends;
    }

    /// <summary>The directory as a kill at that step would leave it.</summary>
    static async Task<DirectoryImage> KilledAsync(Pair pair, Step step, Func<Task> act)
    {
        using var held = step.Hold();
        var acting = Task.Run(act, TestContext.Current.CancellationToken);
        await held.Reached;
        var image = DirectoryImage.Copy(pair.MirrorOptions.Directory);
        held.Release();
        await acting;
        return image;
    }
}
