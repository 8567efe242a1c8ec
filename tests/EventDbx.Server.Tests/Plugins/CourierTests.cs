using EventDbx.Delivery;
using EventDbx.Server.Plugins;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Tests.Plugins;

/// <summary>The walk of a courier: what is handed over, in which order, and what is kept of it.</summary>
public sealed class CourierTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(16, 1)]
    [InlineData(1, 4)]
    [InlineData(8, 4)]
    public async Task Every_event_arrives_once_those_of_an_aggregate_in_the_order_of_versions(int batchMax, int concurrency)
    {
        await using var stand = new CourierStand(clock => new(clock) { BatchMax = batchMax, Concurrency = concurrency });
        await stand.FromStartAsync();
        var ids = string.Join(' ', Enumerable.Range(0, 1_500).Select(i => $"a{i * i % 37}"));
        await stand.AppendAsync(ids);
        stand.Start();
        await stand.AppendAsync("late later late");
        await stand.IdleAsync();

        Assert.Equal(1_503, stand.Plugin.Taken.Count);
        Assert.Equal(1_503, stand.Plugin.Taken.Select(record => record.EventId).Distinct().Count());
        foreach (var aggregate in stand.Plugin.Taken.GroupBy(record => record.Aggregate))
            Assert.Equal(Enumerable.Range(1, aggregate.Count()).Select(version => (ulong)version), aggregate.Select(record => record.Version));
        if (concurrency == 1)
            Assert.Equal(stand.Plugin.Taken.Select(record => record.Position).Order(), stand.Plugin.Taken.Select(record => record.Position));
        Assert.InRange(stand.Plugin.MostAtOnce, 1, concurrency);
        await stand.StopAsync();
        Assert.Equal(stand.Database.LogSize, stand.Queue.FindCursor("p"));
        Assert.True(stand.Plugin.IsDisposed);
    }

    [Fact]
    public async Task Lanes_hand_over_at_once_what_is_of_different_aggregates()
    {
        var together = new TaskCompletionSource();
        await using var stand = new CourierStand(clock => new(clock) { Concurrency = 3 });
        var arrived = 0;
        stand.Plugin.Pause = async cancellation =>
        {
            if (Interlocked.Increment(ref arrived) == 3)
                together.SetResult();
            await together.Task.WaitAsync(cancellation);
        };
        await stand.FromStartAsync();
        await stand.AppendAsync("a b c");
        stand.Start();
        await stand.IdleAsync();
        Assert.Equal(3, stand.Plugin.MostAtOnce);
    }

    [Fact]
    public async Task A_plugin_without_a_cursor_begins_behind_the_last_event()
    {
        await using var stand = new CourierStand();
        await stand.AppendAsync("a b");
        stand.Start();
        await stand.NowAsync(() => stand.Queue.FindCursor("p") == 2);
        await stand.AppendAsync("a");
        await stand.IdleAsync();
        Assert.Equal(["a/2"], stand.Plugin.Names);
    }

    [Fact]
    public async Task It_goes_on_where_it_stopped_with_what_was_appended_meanwhile()
    {
        await using var stand = new CourierStand();
        await stand.FromStartAsync();
        await stand.AppendAsync("a b");
        stand.Start();
        await stand.IdleAsync();
        await stand.StopAsync();
        await stand.AppendAsync("a c");
        Assert.Equal(["a/1", "b/1"], stand.Plugin.Names);
        stand.Start();
        await stand.IdleAsync();
        Assert.Equal(["a/1", "b/1", "a/2", "c/1"], stand.Plugin.Names);
    }

    [Fact]
    public async Task What_its_filters_leave_out_is_not_handed_over_and_moves_the_cursor_all_the_same()
    {
        await using var stand = new CourierStand();
        stand.Definition = stand.Definition with { Types = ["order", "bill"], Events = ["made"] };
        await stand.FromStartAsync();
        await stand.AppendAsync("a");
        await stand.AppendAsync("x", type: "person");
        await stand.AppendAsync("b", eventType: "unmade");
        await stand.AppendAsync("c", type: "bill");
        stand.Start();
        await stand.IdleAsync();
        Assert.Equal(["a/1", "c/1"], stand.Plugin.Names);
        await stand.AppendAsync("y y y", type: "person");
        // Nothing is handed over, so the cursor is kept by time.
        await stand.UntilAsync(() => stand.Queue.FindCursor("p") == stand.Database.LogSize);
        Assert.Equal(2, stand.Plugin.Attempts.Count);
    }

    [Fact]
    public async Task Control_entries_are_not_handed_over_and_move_the_cursor()
    {
        await using var stand = new CourierStand();
        await stand.FromStartAsync();
        stand.Start();
        await stand.Owner.CreateAsync(AggregateKey.Create("order", "empty"), null, TestContext.Current.CancellationToken);
        await stand.UntilAsync(() => stand.Queue.FindCursor("p") == 1);
        Assert.Empty(stand.Plugin.Attempts);
    }

    [Fact]
    public async Task The_cursor_that_is_kept_never_passes_what_is_not_known_to_have_arrived()
    {
        await using var stand = new CourierStand();
        await stand.FromStartAsync();
        await stand.AppendAsync("a b c d");
        stand.Plugin.Unsettled = 3;
        stand.Start();
        await stand.NowAsync(() => stand.Plugin.Taken.Count == 4 && stand.Queue.FindCursor("p") == 2);
        // Known at last; the courier looks again by itself.
        stand.Plugin.Unsettled = null;
        await stand.UntilAsync(() => stand.Queue.FindCursor("p") == 4);
        await stand.StopAsync();
        Assert.Equal(4, stand.Plugin.Attempts.Count);
    }

    [Fact]
    public async Task After_a_crash_no_more_than_the_window_goes_again_and_nothing_is_missing()
    {
        await using var stand = new CourierStand(clock => new(clock) { BatchMax = 16 });
        await stand.FromStartAsync();
        await stand.AppendAsync(string.Join(' ', Enumerable.Range(0, 4_000).Select(i => $"a{i % 90}")));
        var kept = stand.Queue;
        var crashing = new CrashingQueue(kept);
        stand.Queue = crashing;
        stand.Plugin.Pause = _ =>
        {
            // In the middle of the fifth page, with the commit of the one before under way.
            if (stand.Plugin.Attempts.Count >= 4 * ServerLimits.PluginPageEvents + 300)
                crashing.Crash();
            return Task.CompletedTask;
        };
        stand.Start();
        await stand.NowAsync(() => crashing.IsDown && stand.Plugin.Attempts.Count > 4 * ServerLimits.PluginPageEvents + 300);
        await stand.StopAsync();
        var before = stand.Plugin.Taken.Count;

        (stand.Queue, stand.Plugin.Pause) = (kept, _ => Task.CompletedTask);
        stand.Start();
        await stand.IdleAsync();
        Assert.Equal(4_000, stand.Plugin.Taken.Select(record => record.Position).Distinct().Count());
        Assert.InRange(stand.Plugin.Taken.Count - 4_000, 1, ServerLimits.PluginWindowEvents);
        Assert.Equal(stand.Plugin.Taken.Skip(before).Select(record => record.Position).Order(), stand.Plugin.Taken.Skip(before).Select(record => record.Position));
    }

    [Fact]
    public async Task A_fault_of_ours_ends_nothing_and_is_told_once()
    {
        await using var stand = new CourierStand();
        await stand.FromStartAsync();
        await stand.AppendAsync("a b");
        var faults = 0;
        stand.Plugin.Fault = () => ++faults <= 3 ? new InvalidOperationException("a bug") : null;
        var courier = stand.Start();
        await stand.NowAsync(() => courier.Status is { State: PluginState.Down, LastError: "it stands still: a bug" });
        await stand.UntilAsync(() => stand.Plugin.Taken.Count == 2);
        Assert.Equal(["a/1", "b/1"], stand.Plugin.Names);
        Assert.Single(stand.Lines, line => line.Level == LogLevel.Error && line.Message.Contains("a bug", StringComparison.Ordinal));
        await stand.NowAsync(() => courier.Status is { State: PluginState.Running });
    }

    [Fact]
    public async Task A_cursor_beyond_a_log_that_lost_its_end_goes_on_behind_the_end()
    {
        await using var stand = new CourierStand();
        stand.Queue = new CrashingQueue(stand.Queue) { Cursor = 1_000 };
        await stand.AppendAsync("a b");
        stand.Start();
        await stand.NowAsync(() => stand.Courier!.Status is { Reached: 2 });
        await stand.AppendAsync("c");
        await stand.NowAsync(() => stand.Plugin.Taken.Count == 1);
        Assert.Equal(["c/1"], stand.Plugin.Names);
        Assert.Single(stand.Lines, line => line.Level == LogLevel.Warning && line.Message.Contains("1000", StringComparison.Ordinal));
    }

    [Fact]
    public async Task No_new_events_are_taken_up_while_too_much_is_dead_and_none_is_passed_over()
    {
        await using var stand = new CourierStand();
        await stand.FromStartAsync();
        await stand.AppendAsync("a b");
        var full = new CrashingQueue(stand.Queue) { Dead = Limits.DeliveryDeadMax };
        stand.Queue = full;
        var courier = stand.Start();
        await stand.NowAsync(() => courier is { IsIdle: true, Status: { LastError: { } error, Reached: 0 } } && error.StartsWith("it stands still", StringComparison.Ordinal));
        Assert.Empty(stand.Plugin.Attempts);
        Assert.Single(stand.Lines, line => line.Level == LogLevel.Error);

        full.Dead = 0;
        // Whatever somebody asks of it wakes it.
        await courier.DoAsync(() => courier.ClearAsync([]), TestContext.Current.CancellationToken);
        await stand.IdleAsync();
        Assert.Equal(["a/1", "b/1"], stand.Plugin.Names);
    }

    [Fact]
    public async Task A_stop_waits_for_what_is_under_way_and_keeps_it()
    {
        await using var stand = new CourierStand();
        await stand.FromStartAsync();
        await stand.AppendAsync("a b c");
        var (entered, leave) = (new TaskCompletionSource(), new TaskCompletionSource());
        stand.Plugin.Pause = async _ =>
        {
            entered.TrySetResult();
            await leave.Task;
        };
        stand.Start();
        await entered.Task;
        var stopped = stand.StopAsync();
        Assert.False(stopped.IsCompleted);
        leave.SetResult();
        await stopped;
        Assert.Equal(["a/1"], stand.Plugin.Names);
        Assert.Equal(1UL, stand.Queue.FindCursor("p"));
    }

    [Fact]
    public async Task A_stop_abandons_at_its_deadline_what_does_not_end_and_it_goes_again()
    {
        await using var stand = new CourierStand();
        await stand.FromStartAsync();
        await stand.AppendAsync("a");
        var entered = new TaskCompletionSource();
        stand.Plugin.Pause = async cancellation =>
        {
            entered.TrySetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellation);
        };
        var courier = stand.Start();
        await entered.Task;
        await courier.StopAsync(TimeSpan.FromMilliseconds(20));
        await stand.StopAsync();
        Assert.Equal(0UL, stand.Queue.FindCursor("p"));
        stand.Plugin.Pause = _ => Task.CompletedTask;
        stand.Start();
        await stand.IdleAsync();
        Assert.Equal(["a/1"], stand.Plugin.Names);
    }
}
