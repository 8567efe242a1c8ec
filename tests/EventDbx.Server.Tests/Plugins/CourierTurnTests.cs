using EventDbx.Server.Plugins;

namespace EventDbx.Server.Tests.Plugins;

/// <summary>What a courier's work costs others: commits, replays, stops, tests of plugins that hang.</summary>
public sealed class CourierTurnTests
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    static async Task UntilAsync(Func<bool> isSo)
    {
        using var late = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!isSo())
            await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, late.Token);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task A_plugin_that_is_moved_back_loses_nothing_wherever_the_power_fails(int commits)
    {
        await using var stand = new CourierStand();
        await stand.FromStartAsync();
        await stand.AppendAsync("a b a");
        stand.Plugin.Answer = record => record is { Aggregate.Id: "a" } ? ScriptedPlugin.Refused() : null;
        stand.Start();
        await stand.NowAsync(() => stand.Queue.Count("p").Waiting == 1);
        await stand.StopAsync();
        using var book = new PluginBook(stand.Surroundings);
        await book.SetAsync(stand.Owner, "p", PluginJson.ReadUpsert("""{"config":{"type":"log"}}"""u8.ToArray(), allowProcess: false), Cancellation);
        var control = new PluginControl(stand.Surroundings, book, null, _ => stand.Plugin, new BusyQueue(stand.Queue) { EndsAfter = commits });
        try
        {
            await control.EnableAsync(stand.Owner, "p", new(0), Cancellation);
            Assert.Equal((0UL, 0L), (stand.Queue.FindCursor("p"), stand.Queue.Count("p").Waiting));
        }
        catch (IOException)
        {
            Assert.InRange(commits, 0, 1);
        }

        stand.Plugin = new(stand.Clock);
        stand.Start();
        await stand.UntilAsync(() => stand.Queue.Count("p").Waiting == 0 && stand.Courier!.Status?.Reached == stand.Database.LogSize);
        Assert.Equal(["a/1", "a/2"], stand.Plugin.Names.Where(name => name[0] == 'a').Distinct());
        if (commits > 0)
            Assert.Contains("b/1", stand.Plugin.Names);
    }

    [Fact]
    public async Task A_writer_that_is_busy_is_asked_again_and_nothing_is_handed_over_twice()
    {
        await using var stand = new CourierStand(clock => new(clock) { BatchMax = 16 });
        await stand.FromStartAsync();
        await stand.AppendAsync(string.Join(' ', Enumerable.Range(0, 2_000).Select(i => $"a{i}")));
        var queue = new BusyQueue(stand.Queue) { IsBusy = number => number % 3 != 0 };
        stand.Queue = queue;
        stand.Start();
        await UntilAsync(() =>
        {
            // While a commit is waited for it is not idle, and the clock goes on all the same.
            if (stand.Clock.Left is { } left)
                stand.Clock.Advance(left);
            return queue.FindCursor("p") == 2_000;
        });
        Assert.Equal(2_000, stand.Plugin.Taken.Count);
        Assert.InRange(queue.Refused, 2, 100);
        Assert.False(stand.Plugin.IsDisposed);
        Assert.Empty(stand.Lines);
    }

    [Fact]
    public async Task A_writer_that_stays_busy_keeps_no_courier_from_stopping()
    {
        await using var stand = new CourierStand();
        await stand.FromStartAsync();
        await stand.AppendAsync("a");
        stand.Queue = new BusyQueue(stand.Queue) { IsBusy = static _ => true };
        var courier = stand.Start();
        await UntilAsync(() => stand.Plugin.Taken.Count == 1);
        await courier.StopAsync(TimeSpan.FromMilliseconds(50));
        Assert.True(stand.Plugin.IsDisposed);
        Assert.Equal(0UL, stand.Queue.FindCursor("p"));
    }

    [Fact]
    public async Task A_cursor_that_moves_by_little_is_kept_four_times_a_second_and_by_a_window_at_once()
    {
        await using var stand = new CourierStand(clock => new(clock) { BatchMax = 64 });
        await stand.FromStartAsync();
        var queue = new BusyQueue(stand.Queue);
        stand.Queue = queue;
        stand.Start();
        for (var i = 0; i < 100; i++)
        {
            await stand.AppendAsync("a b");
            await stand.IdleAsync();
            // What a crash would send again is never more than the window.
            Assert.InRange(stand.Plugin.Taken.Count - (int)stand.Queue.FindCursor("p")!, 0, ServerLimits.PluginPageEvents);
        }

        Assert.InRange(queue.Saves, 1, 2);
        await stand.UntilAsync(() => stand.Queue.FindCursor("p") == 200);
        Assert.InRange(queue.Saves, 2, 3);
        await stand.AppendAsync(string.Join(' ', Enumerable.Repeat("a b c d", 500)));
        await stand.IdleAsync();
        Assert.InRange(2_200 - (long)stand.Queue.FindCursor("p")!, 0, ServerLimits.PluginPageEvents);
    }

    [Fact]
    public async Task Replays_that_follow_each_other_do_not_keep_the_feed_from_going_on()
    {
        await using var stand = new CourierStand(clock => new(clock) { BatchMax = 256 });
        await stand.FromStartAsync();
        await stand.AppendAsync("a a a");
        var courier = stand.Start();
        await stand.IdleAsync();
        var records = stand.Owner.GetEvents(AggregateKey.Create("order", "a"), 1, 3).Items;
        using var enough = new CancellationTokenSource();
        var pages = 0;
        stand.Plugin.Pause = cancellation => Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System, cancellation);
        async Task ReplayAsync()
        {
            while (!enough.IsCancellationRequested)
            {
                await courier.DoAsync(ending => courier.ReplayAsync(records, ending), Cancellation);
                Interlocked.Increment(ref pages);
            }
        }

        Task[] replays = [Task.Run(ReplayAsync, Cancellation), Task.Run(ReplayAsync, Cancellation), Task.Run(ReplayAsync, Cancellation)];
        await UntilAsync(() => Volatile.Read(ref pages) > 20);
        await stand.AppendAsync("live");
        var before = Volatile.Read(ref pages);
        await UntilAsync(() => stand.Plugin.Names.Contains("live/1"));
        var atLive = Volatile.Read(ref pages);
        await enough.CancelAsync();
        await Task.WhenAll(replays);
        Assert.InRange(atLive - before, 0, 20);
    }

    [Fact]
    public async Task A_second_replay_to_a_plugin_is_refused_while_one_is_under_way()
    {
        await using var stand = new CourierStand();
        using var book = new PluginBook(stand.Surroundings);
        await stand.AppendAsync("a b");
        var control = new PluginControl(stand.Surroundings, book, null, _ => stand.Plugin);
        await control.SetAsync(stand.Owner, "p", PluginJson.ReadUpsert("""{"config":{"type":"log"}}"""u8.ToArray(), allowProcess: false), Cancellation);
        await using (var first = control.ReplayAsync(stand.Owner, "p", "order", null, Cancellation).GetAsyncEnumerator(Cancellation))
        {
            Assert.True(await first.MoveNextAsync());
            var second = await Assert.ThrowsAsync<RefusedException>(async () => await control.ReplayAsync(stand.Owner, "p", "order", null, Cancellation).ToListAsync(Cancellation));
            Assert.Equal(RefusalCode.Overloaded, second.Refusal.Code);
            Assert.Contains("Another replay", second.Message, StringComparison.Ordinal);
        }

        Assert.Equal(2, (await control.ReplayAsync(stand.Owner, "p", "order", null, Cancellation).ToListAsync(Cancellation)).Count);
    }

    /// <summary>A plugin that hangs for as long as it is let.</summary>
    static TaskCompletionSource Hang(ScriptedPlugin plugin)
    {
        var hangs = new TaskCompletionSource();
        plugin.Pause = async cancellation =>
        {
            hangs.TrySetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellation);
        };
        return hangs;
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_test_ends_when_whoever_asked_is_gone_whether_or_not_a_server_runs(bool enabled)
    {
        await using var stand = new CourierStand();
        using var book = new PluginBook(stand.Surroundings);
        await using var dispatcher = new Dispatcher(stand.Surroundings, book, stand.Queue, _ => stand.Plugin);
        foreach (var running in (Dispatcher?[])[null, dispatcher])
        {
            stand.Plugin = new(stand.Clock);
            var control = new PluginControl(stand.Surroundings, book, running, _ => stand.Plugin);
            await control.SetAsync(stand.Owner, "p", PluginJson.ReadUpsert(System.Text.Encoding.UTF8.GetBytes($$$"""{"enabled":{{{(enabled ? "true" : "false")}}},"config":{"type":"log"} }"""), allowProcess: false), Cancellation);
            var hangs = Hang(stand.Plugin);
            using var asked = new CancellationTokenSource();
            var test = Task.Run(async () => await control.TestAsync(stand.Owner, "p", asked.Token).ToListAsync(CancellationToken.None), Cancellation);
            await hangs.Task.WaitAsync(Cancellation);
            await asked.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => test.WaitAsync(TimeSpan.FromMinutes(1), Cancellation));
            if (running is null || !enabled)
                Assert.True(stand.Plugin.IsDisposed);
        }
    }

    [Fact]
    public async Task Others_are_changed_and_all_is_stopped_while_a_plugin_that_hangs_is_tested()
    {
        await using var stand = new CourierStand();
        using var book = new PluginBook(stand.Surroundings);
        var other = new ScriptedPlugin(stand.Clock);
        await using var dispatcher = new Dispatcher(stand.Surroundings, book, stand.Queue, plugin => plugin.Name == "p" ? stand.Plugin : other);
        var control = new PluginControl(stand.Surroundings, book, dispatcher, plugin => plugin.Name == "p" ? stand.Plugin : other);
        await control.SetAsync(stand.Owner, "p", PluginJson.ReadUpsert("""{"enabled":false,"config":{"type":"log"}}"""u8.ToArray(), allowProcess: false), Cancellation);
        await control.SetAsync(stand.Owner, "q", PluginJson.ReadUpsert("""{"config":{"type":"log"}}"""u8.ToArray(), allowProcess: false), Cancellation);
        var hangs = Hang(stand.Plugin);
        var test = Task.Run(async () => await control.TestAsync(stand.Owner, "p", Cancellation).ToListAsync(Cancellation), Cancellation);
        await hangs.Task.WaitAsync(Cancellation);
        await control.DisableAsync(stand.Owner, "q", Cancellation).WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
        Assert.False(test.IsCompleted);
        await dispatcher.StopAsync(TimeSpan.FromMilliseconds(50)).WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
        Assert.Contains("stopped or changed", Assert.Single(await test).Failure, StringComparison.Ordinal);
        Assert.True(stand.Plugin.IsDisposed);
    }
}
