using EventDbx.Recovery;
using EventDbx.Tests.Crash;
using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Merging;

/// <summary>Archived aggregates, and what is known of an aggregate beside its events.</summary>
[CiTier("It merges, rebuilds and compares whole stores.")]
public sealed class MergeArchivedTests
{
    static readonly AggregateKey Order = TestStore.Aggregate();

    [Theory]
    [InlineData(true, 0)]
    [InlineData(false, 0)]
    [InlineData(true, 3000)]
    public async Task An_archived_aggregate_takes_what_is_merged_stays_archived_and_takes_nothing_else(bool encrypted, int filler)
    {
        await using var pair = new MergePair(toEncrypted: encrypted);
        await pair.FillAsync(Order, 5, filler);
        await pair.PushAsync(Order);
        await pair.To.ArchiveAsync(Order, "over", default);
        await pair.FillAsync(Order, 1004, filler / 10);

        Assert.Equal(1004, await pair.PushAsync(Order, batch: 400));

        Assert.True(pair.To.GetAggregate(Order).Archived);
        Assert.Equal("archived", (await Answers.RefusalOf(pair.To.AppendAsync(TestStore.Draft(Order), default))).Name);
        pair.AssertSame(Order);
        await pair.ReopenAsync();
        Assert.Equal(0, await pair.To.MergeAsync(pair.History(Order), default));
        await pair.FillAsync(Order, 1, filler);
        Assert.Equal(1, await pair.PushAsync(Order));
        pair.AssertSame(Order);
        await pair.To.RestoreAsync(Order, null, default);
        pair.AssertSame(Order);
        await pair.To.AppendAsync(TestStore.Draft(Order, """{"own":1}"""), default);
        pair.To.VerifyAll(null, default);
    }

    [Fact]
    public async Task A_refused_merge_leaves_an_archived_aggregate_as_it_was()
    {
        await using var pair = new MergePair();
        await pair.FillAsync(Order, 6);
        var all = pair.History(Order);
        await pair.To.MergeAsync([.. all.Take(3)], default);
        await pair.To.ArchiveAsync(Order, null, default);
        var state = pair.To.GetAggregate(Order).StateAsJson(typed: true);

        await pair.AssertRefusedAsync(RefusalCode.IntegrityViolation, () => pair.To.MergeAsync([all[3], all[4], all[5] with { Note = "changed" }], default), "version 6");
        await pair.AssertRefusedAsync(RefusalCode.VersionConflict, () => pair.To.MergeAsync([all[4]], default), "version 4");
        Assert.Equal(state, pair.To.GetAggregate(Order).StateAsJson(typed: true));
        pair.To.VerifyAll(null, default);

        // Refused, restored and merged at once: they share groups of the writer.
        for (var round = 0; round < 20; round++)
        {
            var refused = pair.To.MergeAsync([all[3], all[4] with { Note = "changed" }], default);
            var restored = pair.To.RestoreAsync(Order, null, default);
            var archived = pair.To.ArchiveAsync(Order, null, default);
            Assert.Equal(RefusalCode.IntegrityViolation, (await Answers.RefusalOf(refused)).Code);
            await restored;
            await archived;
        }

        Assert.Equal(3, await pair.To.MergeAsync(all, default));
        Assert.True(pair.To.GetAggregate(Order).Archived);
        pair.AssertSame(Order);
    }

    [Fact]
    public async Task Marks_archive_restore_and_create_once_with_entries_of_the_receiver()
    {
        await using var pair = new MergePair();
        var empty = TestStore.Aggregate("order", "empty");
        await pair.From.CreateAsync(empty, "to come", default);
        await pair.FillAsync(Order, 3);
        await pair.From.ArchiveAsync(Order, "over", default);
        await pair.PushAsync(Order);

        foreach (var expected in (bool[])[true, false])
        {
            Assert.Equal(expected, await pair.To.ApplyMarksAsync(pair.From.FindMarks(Order)!, default));
            Assert.Equal(expected, await pair.To.ApplyMarksAsync(pair.From.FindMarks(empty)!, default));
        }

        Assert.True(pair.To.GetAggregate(Order).Archived);
        Assert.Equal("to come", pair.To.FindMarks(empty)!.Comment);
        var controls = pair.To.ReadFeed(0, 10, includeControl: true).Items.Where(item => item.Control is not null).Select(item => item.Control!).ToList();
        Assert.Equal(["archive", "create"], controls.Select(control => control.Kind));
        Assert.All(controls, control => Assert.Equal(new Actor("replication", "east"), control.Actor));

        await pair.From.RestoreAsync(Order, null, default);
        await pair.From.ArchiveAsync(empty, null, default);
        Assert.True(await pair.To.ApplyMarksAsync(pair.From.FindMarks(Order)!, default));
        Assert.True(await pair.To.ApplyMarksAsync(pair.From.FindMarks(empty)!, default));
        Assert.Equal((false, true), (pair.To.GetAggregate(Order).Archived, pair.To.GetAggregate(empty).Archived));
        pair.To.VerifyAll(null, default);
    }

    [Fact]
    public async Task An_append_that_comes_between_keeps_marks_from_archiving_what_they_do_not_know()
    {
        var steps = new EngineSteps();
        await using var pair = new MergePair(receiver: options => options with { WrapEngine = steps.Over });
        await pair.FillAsync(Order, 3);
        await pair.From.ArchiveAsync(Order, null, default);
        await pair.PushAsync(Order);
        using var held = steps.Commit.Hold();
        var append = pair.To.AppendAsync(TestStore.Draft(Order), default);
        await held.Reached;

        var applying = pair.To.ApplyMarksAsync(pair.From.FindMarks(Order)!, default);
        held.Release();

        Assert.Equal(4UL, (await append.WaitAsync(TimeSpan.FromSeconds(60))).Record.Version);
        var refusal = await Answers.RefusalOf(applying);
        Assert.Equal((RefusalCode.VersionConflict, 4UL), (refusal.Code, refusal.ActualVersion));
        Assert.False(pair.To.GetAggregate(Order).Archived);
    }

    [Fact]
    public async Task Marks_of_another_version_are_refused()
    {
        await using var pair = new MergePair();
        await pair.FillAsync(Order, 3);
        await pair.From.ArchiveAsync(Order, null, default);
        var marks = pair.From.FindMarks(Order)!;

        await pair.AssertRefusedAsync(RefusalCode.VersionConflict, () => pair.To.ApplyMarksAsync(marks, default), "not here");
        await pair.To.MergeAsync([.. pair.History(Order).Take(2)], default);
        await pair.AssertRefusedAsync(RefusalCode.VersionConflict, () => pair.To.ApplyMarksAsync(marks, default), "at version 2");
        await pair.PushAsync(Order);
        await pair.AssertRefusedAsync(
            RefusalCode.InvalidArgument, () => pair.To.ApplyMarksAsync(marks with { Snapshots = [new(4, marks.Snapshots.Count == 0 ? default : marks.Snapshots[0].CreatedAt, null)] }, default), "version 4");
        await pair.AssertRefusedAsync(RefusalCode.LimitExceeded, () => pair.To.ApplyMarksAsync(marks with { Comment = new('x', 200) }, default));
        Assert.True(await pair.To.ApplyMarksAsync(marks, default));
        Assert.Null(pair.From.FindMarks(TestStore.Aggregate("order", "nobody")));
    }

    [Theory]
    [InlineData(true, 0)]
    [InlineData(false, 0)]
    [InlineData(true, 4000)]
    public async Task Snapshots_of_earlier_versions_are_taken_with_the_state_of_their_version(bool encrypted, int filler)
    {
        await using var pair = new MergePair(toEncrypted: encrypted);
        await pair.From.CreateAsync(Order, null, default);
        await pair.From.SnapshotAsync(Order, "nothing yet", default);
        await pair.FillAsync(Order, 3, filler);
        await pair.From.SnapshotAsync(Order, "at three", default);
        await pair.From.SnapshotAsync(Order, null, default);
        await pair.From.SnapshotAsync(Order, null, default);
        await pair.FillAsync(Order, 4, filler);
        await pair.From.SnapshotAsync(Order, "at seven", default);
        await pair.FillAsync(Order, 1, filler);
        await pair.PushAsync(Order);
        await pair.To.SnapshotAsync(Order, "my own", default);

        Assert.True(await pair.To.ApplyMarksAsync(pair.From.FindMarks(Order)!, default));
        Assert.False(await pair.To.ApplyMarksAsync(pair.From.FindMarks(Order)!, default));

        AssertSnapshots(pair.From, pair.To);
        pair.AssertSame(Order);
        // Of an archived one as well.
        await pair.From.ArchiveAsync(Order, null, default);
        await pair.From.SnapshotAsync(Order, "archived", default);
        await pair.To.ArchiveAsync(Order, null, default);
        Assert.True(await pair.To.ApplyMarksAsync(pair.From.FindMarks(Order)!, default));
        AssertSnapshots(pair.From, pair.To);
        pair.AssertSame(Order);
    }

    [Fact]
    public async Task Marks_that_are_applied_eight_times_at_once_give_every_snapshot_once()
    {
        await using var pair = new MergePair();
        await pair.FillAsync(Order, 2);
        for (var i = 0; i < 10; i++)
            await pair.From.SnapshotAsync(Order, i < 5 ? $"no. {i}" : null, default);
        await pair.PushAsync(Order);
        var marks = pair.From.FindMarks(Order)!;

        var all = Enumerable.Range(0, 8).Select(_ => Task.Run(() => pair.To.ApplyMarksAsync(marks, default))).ToArray();
        var changed = await Task.WhenAll(all).WaitAsync(TimeSpan.FromSeconds(60));

        Assert.Contains(true, changed);
        AssertSnapshots(pair.From, pair.To);
        Assert.False(await pair.To.ApplyMarksAsync(marks, default));
        // One more of the same is one more.
        await pair.From.SnapshotAsync(Order, null, default);
        Assert.True(await pair.To.ApplyMarksAsync(pair.From.FindMarks(Order)!, default));
        AssertSnapshots(pair.From, pair.To);
        pair.AssertSame(Order);
    }

    [Fact]
    public async Task Marks_whose_caller_gave_up_and_that_are_applied_anew_before_they_are_written_give_every_snapshot_once()
    {
        var steps = new EngineSteps();
        await using var pair = new MergePair(receiver: options => options with { WrapEngine = steps.Over });
        await pair.FillAsync(Order, 2);
        await pair.From.SnapshotAsync(Order, "first", default);
        await pair.From.SnapshotAsync(Order, "second", default);
        await pair.PushAsync(Order);
        var marks = pair.From.FindMarks(Order)!;
        using var gaveUp = new CancellationTokenSource();
        using var held = steps.Commit.Hold();
        var first = pair.To.ApplyMarksAsync(marks, gaveUp.Token);
        await held.Reached;
        await gaveUp.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first.WaitAsync(TimeSpan.FromSeconds(60)));

        // What the first has handed to the writer is not written yet: the second cannot see it.
        var second = pair.To.ApplyMarksAsync(marks, default);
        held.Release();

        Assert.True(await second.WaitAsync(TimeSpan.FromSeconds(60)));
        AssertSnapshots(pair.From, pair.To);
        pair.AssertSame(Order);
    }

    static void AssertSnapshots(Session from, Session to)
    {
        static List<(ulong, string?, string, string)> All(Session session) =>
        [
            .. session.GetSnapshots(Order, null, 100).Items.Where(snapshot => snapshot.Comment != "my own")
                .Select(snapshot => (snapshot.State.Version, snapshot.Comment, snapshot.State.StateAsJson(typed: true), snapshot.State.MerkleRoot.ToString())).Order(),
        ];
        Assert.Equal(All(from), All(to));
    }

    [Fact]
    public async Task The_first_event_of_one_that_was_created_here_may_have_happened_before_that()
    {
        await using var pair = new MergePair();
        await pair.FillAsync(Order, 2);
        await pair.To.CreateAsync(Order, null, default);

        Assert.Equal(2, await pair.PushAsync(Order));

        pair.AssertSame(Order);
        await pair.To.AppendAsync(TestStore.Draft(Order), default);
        pair.To.VerifyAll(null, default);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_log_with_merges_leads_to_the_same_store_when_it_is_rebuilt(bool encrypted)
    {
        await using var pair = new MergePair(toEncrypted: encrypted);
        var other = TestStore.Aggregate("order", "o-2");
        await pair.FillAsync(Order, 4);
        await pair.From.SnapshotAsync(Order, "at four", default);
        await pair.FillAsync(Order, 3);
        await pair.FillAsync(other, 3);
        await pair.PushAsync(Order);
        await pair.To.CreateAsync(other, null, default);
        await pair.PushAsync(other);
        await pair.To.ApplyMarksAsync(pair.From.FindMarks(Order)!, default);
        await pair.To.ArchiveAsync(Order, null, default);
        await pair.FillAsync(Order, 1003);
        await pair.PushAsync(Order);
        var size = pair.ToDatabase.LogSize;
        await pair.ToDatabase.DisposeAsync();
        using var image = DirectoryImage.Copy(pair.ToOptions.Directory);
        await pair.ReopenAsync();
        File.Delete(image.In("event_store/CURRENT"));

        var report = StoreRecovery.AcceptLoss(pair.ToOptions with { Directory = image.Path });

        Assert.Equal((size, null), (report.Kept, report.Stopped));
        await using var rebuilt = Database.Open(pair.ToOptions with { Directory = image.Path });
        var session = rebuilt.OpenSession();
        session.VerifyAll(null, default);
        AssertSnapshots(pair.To, session);
        foreach (var aggregate in (AggregateKey[])[Order, other])
        {
            var (was, now) = (pair.To.GetAggregate(aggregate), session.GetAggregate(aggregate));
            Assert.Equal((was.Version, was.MerkleRoot, was.Archived, was.StateAsJson()), (now.Version, now.MerkleRoot, now.Archived, now.StateAsJson()));
        }
    }
}
