using System.Globalization;
using EventDbx.Cli.Commands.Transfers;
using EventDbx.Server.Replication;
using EventDbx.Server.Replication.Transfer;

namespace EventDbx.Server.Tests.Replication.Transfer;

/// <summary>What a push or pull does with two databases, whatever they are.</summary>
public sealed class PushPullTests
{
    [Fact]
    public async Task A_push_brings_what_the_remote_lacks_and_nothing_twice()
    {
        var (here, there) = (new MemoryReplica().With("order", "o-1", 3).With("order", "o-2", 1).With("patient", "p-1", 8), new MemoryReplica());

        var first = await RunAsync(Push, here, there);
        here.With("order", "o-1", 1).With("invoice", "i-1", 2);
        var second = await RunAsync(Push, here, there);
        var third = await RunAsync(Push, here, there);

        Assert.Equal(here.Content, there.Content);
        Assert.Equal("Pushed 12 event(s) to 'east'\n  12 event(s) across 2 aggregate(s)\n    order: 4 event(s)\n    patient: 8 event(s)\n", TransferText.Of(first));
        Assert.Equal("Pushed 3 event(s) to 'east'\n  3 event(s) across 2 aggregate(s)\n    invoice: 2 event(s)\n    order: 1 event(s)\n", TransferText.Of(second));
        Assert.Equal("remote 'east' is up to date\n", TransferText.Of(third));
    }

    [Fact]
    public async Task A_pull_fetches_what_is_not_here_and_leaves_what_is_only_here_or_further_here()
    {
        var there = new MemoryReplica().With("order", "o-1", 3).With("patient", "p-1", 8);
        var here = new MemoryReplica();
        await RunAsync(Pull, here, there);
        here.With("order", "o-1", 2).With("mine", "m-1", 1);
        there.With("patient", "p-1", 1);

        var report = await RunAsync(Pull, here, there);

        Assert.Equal("Pulled 1 event(s) from 'east'\n  1 event(s) across 1 aggregate(s)\n    patient: 1 event(s)\n", TransferText.Of(report));
        Assert.Equal("local store already includes remote 'east' changes\n", TransferText.Of(await RunAsync(Pull, here, there)));
        Assert.Equal(15, here.Events);
        Assert.Equal(12, there.Events);
    }

    [Theory, InlineData(TransferDirection.Push, "Push to remote 'east' (dry run)"), InlineData(TransferDirection.Pull, "Pull from remote 'east' (dry run)")]
    public async Task A_dry_run_tells_and_changes_nothing(TransferDirection direction, string header)
    {
        var (source, receiver) = (new MemoryReplica().With("order", "o-1", 4).With("patient", "p-1", 8).With("empty", "e-1", 0), new MemoryReplica());
        var (here, there) = direction == TransferDirection.Push ? (source, receiver) : (receiver, source);

        var report = await RunAsync(new() { Direction = direction, Remote = "east", DryRun = true }, here, there);

        Assert.Equal(
            $"{header}\n  12 event(s) across 2 aggregate(s)\n    order: 4 event(s)\n    patient: 8 event(s)\n  1 aggregate(s) to be created, archived, restored or given snapshots\n",
            TransferText.Of(report));
        Assert.Equal("", receiver.Content);
    }

    [Fact]
    public async Task A_push_onto_what_is_not_here_is_refused_before_anything_is_sent()
    {
        var here = new MemoryReplica().With("a", "first", 1).With("order", "o-1", 3);
        var there = new MemoryReplica().With("order", "o-9", 2);
        var before = there.Content;

        var refused = await RefusedAsync(Push, here, there);

        Assert.Equal(RefusalCode.VersionConflict, refused.Code);
        Assert.Equal("remote 'east' contains aggregate order::o-9 that does not exist locally; aborting push", refused.Message);
        Assert.Equal(before, there.Content);
        Assert.Equal(2, there.Events);
    }

    [Fact]
    public async Task An_aggregate_without_events_that_only_the_remote_has_stands_in_no_ones_way()
    {
        var (here, there) = (new MemoryReplica().With("order", "o-1", 3), new MemoryReplica().With("order", "o-9", 0));

        Assert.Equal(3UL, (await RunAsync(Push, here, there)).Events!.Events);
    }

    [Fact]
    public async Task A_push_onto_a_remote_that_is_ahead_is_refused_before_anything_is_sent()
    {
        var (here, there) = (new MemoryReplica().With("order", "o-1", 3), new MemoryReplica());
        await RunAsync(Push, here, there);
        there.With("order", "o-1", 2);
        here.With("a", "first", 1);

        var refused = await RefusedAsync(Push, here, there);

        Assert.Equal(("remote 'east' is ahead for aggregate order::o-1 (remote version 5, local version 3)", 5UL), (refused.Message, refused.ActualVersion));
        Assert.Equal(5, there.Events);
    }

    /// <summary>At equal versions, and with either side ahead.</summary>
    [Theory]
    [InlineData(TransferDirection.Push, 3, 3, 3), InlineData(TransferDirection.Push, 5, 3, 3)]
    [InlineData(TransferDirection.Pull, 3, 3, 3), InlineData(TransferDirection.Pull, 5, 3, 3), InlineData(TransferDirection.Pull, 3, 5, 3)]
    public async Task Another_history_is_found_before_anything_is_sent(TransferDirection direction, int here, int there, int at)
    {
        var local = new MemoryReplica().With("a", "first", direction == TransferDirection.Push ? 4 : 0).With("order", "o-1", here);
        var remote = new MemoryReplica().With("a", "first", direction == TransferDirection.Pull ? 4 : 0).With("order", "o-1", there, "another");
        var before = (local.Content, remote.Content);

        var refused = await RefusedAsync(new() { Direction = direction, Remote = "east" }, local, remote);

        Assert.Equal(RefusalCode.Diverged, refused.Code);
        var (remoteRoot, localRoot) = (await RootOf(remote, at), await RootOf(local, at));
        Assert.StartsWith(
            string.Create(CultureInfo.InvariantCulture, $"remote 'east' has another history of aggregate order::o-1 (root at version {at}: remote {remoteRoot}, local {localRoot}); aborting {(direction == TransferDirection.Push ? "push" : "pull")}."),
            refused.Message, StringComparison.Ordinal);
        Assert.EndsWith("Meanwhile `--aggregate` and `--aggregate-id` that name others take those over.", refused.Message, StringComparison.Ordinal);
        Assert.Equal(before, (local.Content, remote.Content));
    }

    [Fact]
    public async Task Of_several_reasons_the_one_of_the_first_aggregate_is_told()
    {
        // The root of b-1 has to be asked for; that c-1 is ahead is seen at once.
        var here = new MemoryReplica().With("b", "b-1", 3).With("c", "c-1", 1);
        var there = new MemoryReplica().With("b", "b-1", 2, "another").With("c", "c-1", 2);

        var refused = await RefusedAsync(Push, here, there);

        Assert.Equal(RefusalCode.Diverged, refused.Code);
        Assert.Contains("b::b-1", refused.Message, StringComparison.Ordinal);
    }

    [Theory, InlineData(0UL, 1), InlineData(1UL, 1), InlineData(4UL, 4), InlineData(500UL, 19), InlineData(100_000UL, 19)]
    public async Task A_batch_has_as_many_events_as_it_may_of_as_many_aggregates_as_fit_and_of_one_type(ulong asked, int largest)
    {
        var (here, there) = (new MemoryReplica { PageMax = 2 }.With("order", "o-1", 7).With("order", "o-2", 5).With("order", "o-3", 1).With("order", "o-4", 6).With("patient", "p-1", 3), new MemoryReplica());

        var report = await RunAsync(Push with { BatchSize = asked }, here, there);

        Assert.Equal(here.Content, there.Content);
        Assert.Equal(22UL, report.Events!.Events);
        Assert.Equal(largest, there.Batches.Max());
        if (largest == 19)
            Assert.Equal([19, 3], there.Batches);
    }

    [Fact]
    public async Task Archive_flags_snapshots_and_aggregates_without_events_go_over_when_their_events_have()
    {
        var here = new MemoryReplica().With("order", "o-1", 2).With("order", "o-2", 2).With("order", "o-3", 0).With("order", "o-4", 1);
        var there = new MemoryReplica();
        here.Mark("order", "o-1", archived: true);
        here.Mark("order", "o-2", archived: false, new SnapshotMark(1, new(7), "before the audit"));

        var report = await RunAsync(Push, here, there);

        Assert.Equal(here.Content, there.Content);
        Assert.Equal(3UL, report.Events!.Marked);
        Assert.EndsWith("  3 aggregate(s) created, archived, restored or given snapshots\n", TransferText.Of(report), StringComparison.Ordinal);
        Assert.Equal("remote 'east' is up to date\n", TransferText.Of(await RunAsync(Push, here, there)));
    }

    [Fact]
    public async Task A_flag_alone_goes_over_too_and_back()
    {
        var (here, there) = (new MemoryReplica().With("order", "o-1", 2), new MemoryReplica());
        await RunAsync(Push, here, there);
        here.Mark("order", "o-1", archived: true);

        var archived = await RunAsync(Push, here, there);
        here.Mark("order", "o-1", archived: false);
        await RunAsync(Push, here, there);

        Assert.Equal("Pushed 0 event(s) to 'east'\n  0 event(s) across 0 aggregate(s)\n  1 aggregate(s) created, archived, restored or given snapshots\n", TransferText.Of(archived));
        Assert.Equal(here.Content, there.Content);
    }

    [Fact]
    public async Task A_filter_takes_types_and_of_a_type_with_ids_those_alone()
    {
        var (here, there) = (new MemoryReplica().With("order", "o-1", 1).With("order", "o-2", 1).With("patient", "p-1", 1).With("invoice", "i-1", 1), new MemoryReplica().With("alien", "x", 5));

        await RunAsync(Push with { Filter = new() { Types = ["order", "patient"], Aggregates = [AggregateKey.Create("order", "o-2")] } }, here, there);

        Assert.Equal(7, there.Events);
        Assert.Contains("order/o-2", there.Content, StringComparison.Ordinal);
        Assert.Contains("patient/p-1", there.Content, StringComparison.Ordinal);
    }

    /// <summary>Each request of both sides in turn, before it is carried out and after it: what was through is told and stays, and the next run does the rest.</summary>
    [Theory, InlineData(TransferDirection.Push), InlineData(TransferDirection.Pull)]
    public async Task Cut_off_anywhere_it_is_finished_by_the_next_run(TransferDirection direction)
    {
        var request = new TransferRequest { Direction = direction, Remote = "east", BatchSize = 3 };
        var whole = Source();
        var cuts = 0;
        for (var at = 1; ; at++)
        {
            foreach (var after in (bool[])[false, true])
            {
                var (source, receiver) = (Source(), new MemoryReplica { PageMax = 3 });
                var (here, there) = direction == TransferDirection.Push ? (source, receiver) : (receiver, source);
                var count = 0;
                Action<string> cut = _ =>
                {
                    if (++count == at)
                        throw new ReplicaLostException("the connection is lost");
                };
                if (after)
                    there.After = cut;
                else
                    there.Before = cut;
                var run = new PushPull(request, here, there, TimeProvider.System, static _ => { });
                var lost = await Record.ExceptionAsync(() => run.RunAsync(TestContext.Current.CancellationToken));
                (there.Before, there.After) = (null, null);
                if (lost is null)
                {
                    Assert.True(cuts > 14, "The run asks so few things that hardly anything was cut.");
                    return;
                }

                cuts++;
                Assert.Equal(RefusalCode.Unavailable, Assert.IsType<RefusedException>(lost).Refusal.Code);
                Assert.EndsWith("the connection is lost", lost.Message, StringComparison.Ordinal);
                // Answered or not: never more is told than is there; at most one batch was through and not answered.
                var told = (int)(run.Report.Events?.Events ?? 0);
                Assert.InRange(receiver.Events - (run.HasChanged ? told : 0), 0, 3);

                var rest = await RunAsync(request, here, there);
                Assert.Equal(whole.Content, receiver.Content);
                // Each event is counted by one of the two runs, but for those of a batch whose answer was lost.
                Assert.InRange((run.HasChanged ? told : 0) + (int)rest.Events!.Events, 17 - 3, 17);
                Assert.True((await RunAsync(request, here, there)).Events!.UpToDate);
            }
        }

        static MemoryReplica Source()
        {
            var source = new MemoryReplica { PageMax = 2 }.With("order", "o-1", 5).With("order", "o-2", 2).With("order", "o-3", 1).With("patient", "p-1", 9).With("patient", "p-2", 0);
            source.Mark("order", "o-2", archived: true);
            return source;
        }
    }

    [Fact]
    public async Task What_another_run_has_brought_meanwhile_is_not_counted()
    {
        var (here, there) = (new MemoryReplica().With("order", "o-1", 6), new MemoryReplica());
        var other = false;
        there.Before = what =>
        {
            if (what != "apply" || other)
                return;
            other = true;
            there.Before = null;
            // Not over this session: by another one.
            there.Take(AggregateKey.Create("order", "o-1"), here, 4);
        };

        var report = await RunAsync(Push with { BatchSize = 3 }, here, there);

        Assert.Equal(2UL, report.Events!.Events);
        Assert.Equal(here.Content, there.Content);
    }

    [Fact]
    public async Task A_cancelled_run_leaves_whole_batches_and_says_how_far_it_was()
    {
        var (here, there) = (new MemoryReplica().With("order", "o-1", 30), new MemoryReplica());
        using var cancelled = new CancellationTokenSource();
        there.Before = what =>
        {
            if (what == "apply" && there.Batches.Count == 2)
                cancelled.Cancel();
        };
        var run = new PushPull(Push with { BatchSize = 5 }, here, there, TimeProvider.System, static _ => { });

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => run.RunAsync(cancelled.Token));

        // The batch that was under way when it was cancelled is through, and counted.
        Assert.Equal((15, 15UL), (there.Events, run.Report.Events!.Events));
    }

    [Theory]
    [InlineData("out of order", "lists order::o-1 out of order"), InlineData("no end", "lists no aggregate, and says that there are more"), InlineData("foreign", "lists other::x, which was not asked for")]
    [InlineData("roots", "answers 0 roots where it was asked for 1"), InlineData("nothing", "has version 2 of order::o-1, and sent nothing behind version 0"), InlineData("gap", "sent version 2 of order::o-1 where version 1 was due"), InlineData("alien", "sent an event of alien::a where one of order::o-1 was due")]
    [InlineData("more", "took 7 events of 6")]
    public async Task A_remote_that_says_what_cannot_be_is_named(string lie, string said)
    {
        var honest = new MemoryReplica().With("order", "o-1", 2).With("order", "o-2", 2);
        var lying = new LyingReplica(honest, lie);
        var here = new MemoryReplica();
        if (lie is "roots")
            here.With("order", "o-1", 1);
        if (lie is "more")
            here.With("order", "o-1", 2).With("order", "o-2", 2).With("order", "o-3", 2);

        var request = (lie == "more" ? Push : Pull) with { Filter = new() { Types = ["order"] } };
        var run = new PushPull(request, here, lying, TimeProvider.System, static _ => { });
        var refused = (await Assert.ThrowsAsync<RefusedException>(() => run.RunAsync(TestContext.Current.CancellationToken))).Refusal;

        Assert.Contains($"remote east {said}", refused.Message, StringComparison.Ordinal);
        Assert.False(refused.Retryable);
        Assert.False(run.HasChanged);
    }

    [Fact]
    public async Task More_that_differs_than_is_kept_in_mind_goes_over_all_the_same()
    {
        var (here, there) = (new MemoryReplica(), new MemoryReplica());
        var count = ServerLimits.TransferPlanMax + 10;
        for (var i = 0; i < count; i++)
            here.With("order", i.ToString("x8", CultureInfo.InvariantCulture), 1);

        var report = await RunAsync(Push, here, there);

        Assert.Equal((ulong)count, report.Events!.Events);
        Assert.Equal(count, there.Events);
    }

    [Fact]
    public async Task A_remote_that_names_another_type_with_every_aggregate_and_never_ends_is_refused()
    {
        var endless = new EndlessReplica(static at => new(AggregateKey.Create($"t{at:x8}", "a"), 1, default, false, 0));

        var refused = await RefusedAsync(Pull, new MemoryReplica(), endless);

        Assert.Equal(RefusalCode.LimitExceeded, refused.Code);
        Assert.StartsWith("Aggregates of more than 16384 types differ between remote 'east' and this database; aborting pull. ", refused.Message, StringComparison.Ordinal);
        Assert.InRange(endless.Listed, ServerLimits.TransferTypesMax, ServerLimits.TransferTypesMax + (3 * Limits.PageItemsMax));
    }

    [Fact]
    public async Task As_many_types_as_are_counted_go_over()
    {
        var types = new EndlessReplica(static at => new(AggregateKey.Create($"t{at:x8}", "a"), 1, default, false, 0), ServerLimits.TransferTypesMax);

        var report = await RunAsync(Pull with { DryRun = true }, new MemoryReplica(), types);

        Assert.Equal((ServerLimits.TransferTypesMax, (ulong)ServerLimits.TransferTypesMax), (report.Events!.Types.Count, report.Events.Events));
    }

    [Theory, InlineData(100_000, 100_000), InlineData(100_001, 100_000)]
    public async Task A_list_without_end_is_compared_up_to_a_ceiling(int listed, int most)
    {
        // Nothing of it differs in what is counted by type: only the number of aggregates says that it does not end.
        var remote = new EndlessReplica(static at => new(AggregateKey.Create("order", at.ToString("x8", CultureInfo.InvariantCulture)), 0, default, false, 0), listed);
        var comparison = new Comparison(Pull, Side.Remote(remote, "east"), Side.Local(new MemoryReplica()), static _ => { }, (ulong)most);

        var compared = comparison.RunAsync(after: null, toEnd: true, TestContext.Current.CancellationToken);

        if (listed <= most)
            Assert.Equal((ulong)listed, (await compared).Marks);
        else
            Assert.StartsWith("More than 100000 aggregates are compared between remote 'east'", (await Assert.ThrowsAsync<RefusedException>(() => compared)).Refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_remote_with_more_events_than_a_log_has_room_for_is_named()
    {
        var remote = new EndlessReplica(static at => new(AggregateKey.Create("order", $"o-{at}"), ulong.MaxValue / 3, default, false, 0), 3);

        var refused = await RefusedAsync(Pull, new MemoryReplica(), remote);

        Assert.Contains("remote east lists order::o-1 at version 6148914691236517205, with which it would have more events than a log has room for", refused.Message, StringComparison.Ordinal);
    }

    static readonly TransferRequest Push = new() { Direction = TransferDirection.Push, Remote = "east" };

    static readonly TransferRequest Pull = new() { Direction = TransferDirection.Pull, Remote = "east" };

    internal static async Task<TransferReport> RunAsync(TransferRequest request, IReplica here, IReplica there)
    {
        var run = new PushPull(request, here, there, TimeProvider.System, static _ => { });
        await run.RunAsync(TestContext.Current.CancellationToken);
        return run.Report;
    }

    static async Task<Refusal> RefusedAsync(TransferRequest request, IReplica here, IReplica there)
    {
        var run = new PushPull(request, here, there, TimeProvider.System, static _ => { });
        var refused = await Assert.ThrowsAsync<RefusedException>(() => run.RunAsync(TestContext.Current.CancellationToken));
        Assert.False(run.HasChanged);
        return refused.Refusal;
    }

    static async Task<string> RootOf(MemoryReplica replica, int version) =>
        (await replica.FindRootsAsync([(AggregateKey.Create("order", "o-1"), (ulong)version)], TestContext.Current.CancellationToken))[0]!.Value.ToString();
}
