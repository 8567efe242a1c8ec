using EventDbx.Mirroring;
using EventDbx.Server.Configuration;
using EventDbx.Server.Replication;
using EventDbx.Server.Replication.Following;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Tests.Replication.Following;

/// <summary>The follower against leaders that are well, lost, slow, restarted, changed and lying.</summary>
public sealed class FollowerTests
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_mirror_takes_over_everything_there_is_and_what_comes_later()
    {
        await using var stand = new FollowerStand();
        stand.Leading.Append("a", "b", "c", "d", "e");
        stand.Follower.Start();
        await stand.HasAllAsync();
        stand.Leading.Append("f");
        await stand.HasAllAsync();

        Assert.Equal(stand.Leading.Root, stand.Log.Root);
        Assert.Equal(stand.Leading.DatabaseId, stand.Log.DatabaseId);
        Assert.Equal(1, stand.Mirror.Begun);
        Assert.Equal((6UL, 6UL, 0UL), (stand.Follower.Status!.Position, stand.Follower.Status.LeaderEnd, stand.Follower.Status.LagEntries));
        Assert.Null(stand.Follower.Trouble);
    }

    [Fact]
    public async Task Nobody_is_followed_where_the_settings_and_the_store_name_nobody()
    {
        await using var stand = new FollowerStand(followed: false);
        stand.Follower.Start();
        Assert.Null(stand.Follower.Status);
        Assert.Equal(0, stand.Leader.Dialled);
    }

    [Fact]
    public async Task A_mirror_whose_settings_name_nobody_stays_as_it_is_until_they_do()
    {
        await using var stand = new FollowerStand(followed: false);
        stand.Mirror.State = new() { Leader = new(FollowerStand.Name, FollowerStand.Remote(RemoteMode.Follow).PublicKey) };
        stand.Leading.Append("a");
        stand.Follower.Start();
        await stand.IsAsync(FollowCondition.Idle);
        Assert.Equal(0UL, stand.Log.Size);
        Assert.Null(stand.Follower.Trouble);

        await stand.KeepAsync(FollowerStand.Name);
        stand.Clock.Advance(await stand.PauseAsync());
        await stand.HasAllAsync();
    }

    [Fact]
    public async Task A_leader_that_is_lost_is_dialled_again_after_pauses_that_double_up_to_a_minute()
    {
        await using var stand = new FollowerStand();
        stand.Leader.Unreachable = new ReplicaLostException("Nobody listens.");
        stand.Follower.Start();
        foreach (var seconds in new[] { 1, 2, 4, 8, 16, 32, 60, 60 })
        {
            Assert.Equal(TimeSpan.FromSeconds(seconds), await stand.PauseAsync());
            Assert.Equal(FollowCondition.Lost, stand.Follower.Status!.Condition);
            var dialled = stand.Leader.Dialled;
            stand.Clock.Advance(TimeSpan.FromSeconds(seconds));
            await FollowerStand.UntilAsync(() => stand.Leader.Dialled > dialled, () => "It should have dialled again.");
        }

        // It is back, and lost again: the pauses begin anew.
        var pause = await stand.PauseAsync();
        stand.Leader.Unreachable = null;
        stand.Leading.Append("a");
        stand.Clock.Advance(pause);
        await stand.HasAllAsync();
        stand.Leader.Unreachable = new IOException("Gone.");
        stand.Leader.Cut();
        await stand.IsAsync(FollowCondition.Lost);
        Assert.Equal(TimeSpan.FromSeconds(1), await stand.PauseAsync());
        Assert.Null(stand.Follower.Trouble);
        Assert.Equal(0, stand.Follower.Reconnects);
    }

    [Fact]
    public async Task A_session_that_is_cut_goes_on_where_it_stopped()
    {
        await using var stand = new FollowerStand();
        stand.Leading.Append("a", "b", "c");
        stand.Follower.Start();
        await stand.HasAllAsync();
        stand.Leader.Cut();
        await stand.IsAsync(FollowCondition.Lost);
        stand.Leading.Append("d", "e", "f");
        stand.Clock.Advance(await stand.PauseAsync());
        await stand.HasAllAsync();

        Assert.Equal(stand.Leading.Root, stand.Log.Root);
        Assert.Equal((1, 1L), (stand.Mirror.Begun, stand.Follower.Reconnects));
    }

    [Fact]
    public async Task A_leader_that_does_not_answer_is_lost_when_its_time_is_over()
    {
        await using var stand = new FollowerStand();
        stand.Leading.Append("a");
        stand.Follower.Start();
        await stand.HasAllAsync();
        stand.Leader.Slow = token => Task.Delay(Timeout.Infinite, token);
        stand.Leading.Append("b");
        await FollowerStand.UntilAsync(() => stand.Log.Size == 2, () => "The page that was asked for before should come.");
        await stand.PauseAsync();
        stand.Clock.Advance(ServerLimits.ReplicaLogWaitMax + ServerLimits.FollowerAnswerWithin - TimeSpan.FromMilliseconds(1));
        Assert.NotEqual(FollowCondition.Lost, stand.Follower.Status!.Condition);
        stand.Clock.Advance(TimeSpan.FromMilliseconds(1));
        await stand.IsAsync(FollowCondition.Lost);
        Assert.Contains("45 seconds", stand.Follower.Status!.Problem, StringComparison.Ordinal);
        Assert.Equal(TimeSpan.FromSeconds(45), stand.Follower.Status.SinceContact);
    }

    [Fact]
    public async Task A_leader_that_refuses_this_node_is_tried_again()
    {
        await using var stand = new FollowerStand();
        stand.Leading.Append("a");
        stand.Leader.Unreachable = new RefusedException(RefusalCode.PermissionDenied, "This node may not pull.");
        stand.Follower.Start();
        await stand.IsAsync(FollowCondition.Refused);
        Assert.Null(stand.Follower.Trouble);
        stand.Leader.Unreachable = null;
        stand.Clock.Advance(await stand.PauseAsync());
        await stand.HasAllAsync();
    }

    [Fact]
    public async Task A_page_that_is_not_what_its_root_says_ends_it_for_good()
    {
        await using var stand = new FollowerStand();
        stand.Leading.Append("a", "b");
        stand.Follower.Start();
        await stand.HasAllAsync();
        stand.Leader.Lie = static page => page.Entries.Count == 0 ? page : page with { Entries = [new(Encoding("x"), default)] };
        stand.Leading.Append("c");
        await stand.IsAsync(FollowCondition.Stopped);

        Assert.Contains("Position 3", stand.Follower.Trouble, StringComparison.Ordinal);
        Assert.Null(stand.Clock.Left);
        Assert.Equal(1, stand.Leader.Dialled);
    }

    [Fact]
    public async Task An_answer_to_another_question_ends_it_for_good()
    {
        await using var stand = new FollowerStand();
        stand.Leader.PageEntries = 1;
        stand.Leading.Append("a", "b", "c");
        stand.Leader.Lie = page => page.After == 2 ? stand.Leading.Page(1, 1) : page;
        stand.Follower.Start();
        await stand.IsAsync(FollowCondition.Stopped);
        Assert.Equal(2UL, stand.Log.Size);
        Assert.Contains("position 2", stand.Follower.Trouble, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(3, "part within their first 2 entries")]
    [InlineData(1, "has 2 entries, and that of 'standby' only 1")]
    public async Task A_log_that_is_no_beginning_of_the_leaders_is_left_as_it_is(int leaders, string said)
    {
        await using var stand = new FollowerStand();
        stand.Log.DatabaseId = stand.Leading.DatabaseId;
        stand.Log.Append("a", "b");
        stand.Leading.Append([.. Enumerable.Range(0, leaders).Select(static i => $"other {i}")]);
        var before = stand.Log.Root;
        stand.Follower.Start();
        await stand.IsAsync(FollowCondition.Diverged);

        Assert.Contains(said, stand.Follower.Trouble, StringComparison.Ordinal);
        Assert.Equal((before, 0), (stand.Log.Root, stand.Mirror.Begun));
        Assert.Contains(stand.Lines, static line => line.Level == LogLevel.Error);
    }

    [Fact]
    public async Task A_store_of_another_database_is_left_as_it_is()
    {
        await using var stand = new FollowerStand();
        stand.Log.Append("mine");
        stand.Leading.Append("a", "b");
        stand.Follower.Start();
        await stand.IsAsync(FollowCondition.Stopped);
        Assert.Contains("a history of its own (1 entries", stand.Follower.Trouble, StringComparison.Ordinal);
        Assert.Equal((1UL, 0), (stand.Log.Size, stand.Mirror.Begun));
    }

    [Fact]
    public async Task A_leader_whose_past_has_changed_is_followed_no_more()
    {
        await using var stand = new FollowerStand();
        stand.Leading.Append("a", "b");
        stand.Follower.Start();
        await stand.HasAllAsync();
        stand.Leader.Lie = static page => page with { RootBefore = Integrity.Hash32.Empty };
        stand.Leading.Append("c");
        await stand.IsAsync(FollowCondition.Diverged);
        Assert.Equal(2UL, stand.Log.Size);
    }

    [Fact]
    public async Task The_log_has_a_line_for_each_condition_and_none_for_a_page()
    {
        await using var stand = new FollowerStand();
        stand.Leader.PageEntries = 1;
        stand.Leading.Append([.. Enumerable.Range(0, 50).Select(static i => $"{i}")]);
        stand.Follower.Start();
        await stand.HasAllAsync();
        for (var i = 0; i < 20; i++)
        {
            stand.Leading.Append("x", "y");
            await stand.HasAllAsync();
        }

        Assert.Equal(
            ["follows 'standby' from position 0 on; the leader is at 50", "has caught up with 'standby' at position 50"], stand.Lines.Select(static line => line.Message));
        stand.Leader.Unreachable = new ReplicaLostException("Nobody listens.");
        stand.Leader.Cut();
        for (var i = 0; i < 3; i++)
        {
            var dialled = stand.Leader.Dialled;
            stand.Clock.Advance(await stand.PauseAsync());
            await FollowerStand.UntilAsync(() => stand.Leader.Dialled > dialled, () => "It should have dialled again.");
        }

        Assert.Equal(3, stand.Lines.Count);
        Assert.StartsWith("'standby' is lost, and tried again: ", stand.Lines[2].Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_more_than_one_page_is_asked_for_while_another_is_applied()
    {
        await using var stand = new FollowerStand();
        stand.Leading.Append("a", "b", "c", "d", "e", "f", "g", "h");
        var pulled = 0;
        stand.Leader.Lie = page =>
        {
            Interlocked.Increment(ref pulled);
            return page;
        };
        TaskCompletionSource reached = new(), go = new();
        stand.Mirror.BeforeApply = _ =>
        {
            reached.TrySetResult();
            return go.Task;
        };
        stand.Follower.Start();
        await reached.Task.WaitAsync(TimeSpan.FromSeconds(30), Cancellation);
        await FollowerStand.UntilAsync(() => Volatile.Read(ref pulled) == 2, () => $"The next page should be asked for meanwhile; {pulled} were.");
        Assert.Equal(0UL, stand.Log.Size);
        go.SetResult();
        await stand.HasAllAsync();
    }

    [Fact]
    public async Task A_promotion_ends_it_and_lets_nobody_be_followed_first()
    {
        await using var stand = new FollowerStand();
        stand.Leading.Append("a");
        stand.Follower.Start();
        await stand.HasAllAsync();
        var wasMirror = false;
        var promotion = await stand.Follower.PromoteAsync(
            null, null,
            () =>
            {
                wasMirror = stand.Mirror.State is not null;
                return stand.KeepAsync(null);
            },
            Cancellation);

        Assert.True(wasMirror);
        Assert.Equal(1UL, promotion.Kept);
        Assert.Null(stand.Follower.Status);
        stand.Leading.Append("b");
        Assert.Equal(1UL, stand.Log.Size);
        var refused = await Assert.ThrowsAsync<RefusedException>(() => stand.Follower.PromoteAsync(null, null, () => stand.KeepAsync(null), Cancellation));
        Assert.Equal(RefusalCode.InvalidArgument, refused.Refusal.Code);
        Assert.Contains("no mirror", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_promotion_whose_settings_cannot_be_kept_leaves_the_mirror_following()
    {
        await using var stand = new FollowerStand();
        stand.Follower.Start();
        await stand.IsAsync(FollowCondition.CaughtUp);
        await Assert.ThrowsAsync<RefusedException>(() => stand.Follower.PromoteAsync(
            null, null, static () => throw new RefusedException(RefusalCode.Unavailable, "The file is read-only."), Cancellation));
        Assert.NotNull(stand.Mirror.State);
        stand.Leading.Append("a");
        await stand.HasAllAsync();
    }

    [Fact]
    public async Task A_remote_that_cannot_be_followed_leaves_the_one_that_is()
    {
        await using var stand = new FollowerStand();
        stand.Leading.Append("a");
        stand.Follower.Start();
        await stand.HasAllAsync();
        stand.Config = stand.Config with { Remotes = stand.Config.Remotes.Add("other", FollowerStand.Remote(RemoteMode.OnDemand)) };
        var kept = false;
        stand.Leader.Unreachable = new ReplicaLostException("Nobody listens.");
        await Assert.ThrowsAsync<ReplicaLostException>(() => stand.Follower.FollowAsync("other", Keep, Cancellation));
        stand.Leader.Unreachable = null;
        var absent = await Assert.ThrowsAsync<RefusedException>(() => stand.Follower.FollowAsync("nobody", Keep, Cancellation));
        Assert.Equal(RefusalCode.NotFound, absent.Refusal.Code);
        Assert.False(kept);
        stand.Leading.Append("b");
        await FollowerStand.UntilAsync(
            () =>
            {
                if (stand.Follower.Status?.Condition == FollowCondition.Lost && stand.Clock.Left is { } left)
                    stand.Clock.Advance(left);
                return stand.Log.Size == 2;
            },
            () => $"It should follow on, and is {stand.Follower.Status}.");

        await stand.Follower.FollowAsync("other", Keep, Cancellation);
        await stand.IsAsync(FollowCondition.CaughtUp);
        Assert.Equal(("other", "other"), (stand.Follower.Status!.Remote, stand.Mirror.State!.Leader.Name));

        Task Keep()
        {
            kept = true;
            return stand.KeepAsync("other");
        }
    }

    [Fact]
    public async Task Whoever_watches_is_told_until_it_has_caught_up()
    {
        await using var stand = new FollowerStand(followed: false);
        stand.Leading.Append("a", "b", "c", "d", "e");
        await stand.Follower.FollowAsync(FollowerStand.Name, () => stand.KeepAsync(FollowerStand.Name), Cancellation);
        List<FollowerStatus> told = [];
        await foreach (var status in stand.Follower.WatchAsync(Cancellation))
            told.Add(status);

        Assert.Equal((5UL, FollowCondition.CaughtUp), (told[^1].Position, told[^1].Condition));
        Assert.All(told.SkipLast(1), static status => Assert.NotEqual(FollowCondition.CaughtUp, status.Condition));
    }

    [Fact]
    public async Task A_stop_lets_the_page_finish_that_is_being_applied()
    {
        await using var stand = new FollowerStand();
        stand.Leading.Append("a", "b", "c", "d");
        TaskCompletionSource reached = new(), go = new();
        stand.Mirror.BeforeApply = _ =>
        {
            reached.TrySetResult();
            return go.Task;
        };
        stand.Follower.Start();
        await reached.Task.WaitAsync(TimeSpan.FromSeconds(30), Cancellation);
        var stopping = stand.Follower.StopAsync(TimeSpan.FromSeconds(30));
        Assert.False(stopping.IsCompleted);
        go.SetResult();
        await stopping.WaitAsync(TimeSpan.FromSeconds(30), Cancellation);
        Assert.Equal(2UL, stand.Log.Size);
        Assert.Null(stand.Clock.Left);
    }

    [Fact]
    public void A_status_is_read_as_it_was_written()
    {
        FollowerStatus[] all =
        [
            new() { Remote = "a", Condition = FollowCondition.Connecting, Position = 0 },
            new() { Remote = "b", Condition = FollowCondition.Lost, Position = 5, LeaderEnd = 9, SinceContact = TimeSpan.FromSeconds(3), Problem = "Why \"so\"." },
        ];
        foreach (var status in all)
        {
            var output = new System.Buffers.ArrayBufferWriter<byte>();
            status.Write(output);
            using var json = System.Text.Json.JsonDocument.Parse(output.WrittenMemory);
            Assert.Equal(status, FollowerStatus.Read(json.RootElement));
        }
    }

    static ReadOnlyMemory<byte> Encoding(string text) => System.Text.Encoding.UTF8.GetBytes(text);
}
