using EventDbx.Server.Plugins;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Tests.Plugins;

/// <summary>Decision 35, its first half: a plugin that is down is waited for, and nothing counts against any event.</summary>
[CiTier("It delivers a day of events.")]
public sealed class PluginDownTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(16, 1)]
    [InlineData(1, 4)]
    public async Task A_plugin_that_is_down_for_a_day_costs_a_cursor_and_no_event(int batchMax, int concurrency)
    {
        await using var stand = new CourierStand(clock => new(clock) { BatchMax = batchMax, Concurrency = concurrency });
        await stand.FromStartAsync();
        var (began, isDown) = (stand.Clock.Now, true);
        stand.Plugin.Answer = _ => isDown ? ScriptedPlugin.Down() : null;
        await stand.AppendAsync("a b a c");
        var courier = stand.Start();
        await stand.UntilAsync(() => stand.Clock.Now - began > TimeSpan.FromHours(12));
        await stand.AppendAsync("a d b");
        await stand.UntilAsync(() => stand.Clock.Now - began > TimeSpan.FromDays(1));
        Assert.Equal(PluginState.Down, courier.Status!.State);
        Assert.Contains("connection refused", courier.Status.LastError, StringComparison.Ordinal);
        Assert.NotNull(courier.Status.NextAttemptAt);
        Assert.Equal((0UL, default), (stand.Queue.FindCursor("p"), stand.Queue.Count("p")));
        // About one probe a minute, of two events once one has failed three times.
        Assert.InRange(stand.Plugin.Attempts.Count, 1_440, 3_000);

        isDown = false;
        await stand.UntilAsync(() => stand.Plugin.Taken.Count == 7);
        await stand.IdleAsync();
        Assert.Equal(["a/1", "a/2", "a/3"], stand.Plugin.Names.Where(name => name[0] == 'a'));
        Assert.Equal(["b/1", "b/2"], stand.Plugin.Names.Where(name => name[0] == 'b'));
        Assert.Equal((7, 0), (courier.Figures.Taken, courier.Figures.Refused));
        Assert.Equal(default, stand.Queue.Count("p"));
        Assert.Equal(
            [LogLevel.Warning, LogLevel.Information],
            stand.Lines.Select(line => line.Level));
        Assert.StartsWith("plugin 'p' is down: connection refused.", stand.Lines[0].Message, StringComparison.Ordinal);
        Assert.StartsWith("plugin 'p' is back after 24 h; the log is ", stand.Lines[1].Message, StringComparison.Ordinal);
        Assert.Equal(PluginState.Running, courier.Status!.State);
    }

    [Fact]
    public async Task It_is_probed_after_a_second_then_two_and_so_on_up_to_a_minute()
    {
        await using var stand = new CourierStand();
        await stand.FromStartAsync();
        stand.Plugin.Answer = _ => stand.Plugin.Attempts.Count < 9 ? ScriptedPlugin.Down() : null;
        await stand.AppendAsync("a");
        stand.Start();
        await stand.UntilAsync(() => stand.Plugin.Taken.Count == 1);
        Assert.Equal([1.0, 2, 4, 8, 16, 32, 60, 60, 60], stand.Plugin.Attempts.Zip(stand.Plugin.Attempts.Skip(1), (one, next) => (next.At - one.At).TotalSeconds));
    }

    [Theory]
    [InlineData(100, 100)]
    [InlineData(4_000, 300)]
    [InlineData(0.1, 1)]
    public async Task It_is_left_alone_as_long_as_it_asks_to_be_up_to_five_minutes(double asked, double waited)
    {
        await using var stand = new CourierStand();
        await stand.FromStartAsync();
        stand.Plugin.Answer = _ => stand.Plugin.Attempts.Count == 0 ? ScriptedPlugin.Down("429", TimeSpan.FromSeconds(asked)) : null;
        await stand.AppendAsync("a");
        stand.Start();
        await stand.UntilAsync(() => stand.Plugin.Taken.Count == 1);
        Assert.Equal(waited, (stand.Plugin.Attempts[1].At - stand.Plugin.Attempts[0].At).TotalSeconds);
    }

    [Theory]
    [InlineData(1, 1, false)]
    [InlineData(16, 1, true)]
    [InlineData(1, 4, false)]
    public async Task Where_only_one_event_fails_it_is_that_event_that_is_refused(int batchMax, int concurrency, bool wholeBatches)
    {
        await using var stand = new CourierStand(clock => new(clock) { BatchMax = batchMax, Concurrency = concurrency, WholeBatches = wholeBatches });
        await stand.FromStartAsync();
        // A receiver that answers 500 to one event is no receiver that is down.
        stand.Plugin.Answer = record => record.Position == 40 ? ScriptedPlugin.Down("500: a bug of theirs") : null;
        await stand.AppendAsync(string.Join(' ', Enumerable.Range(0, 100).Select(i => $"a{i % 10}")));
        var courier = stand.Start();
        await stand.UntilAsync(() => stand.Plugin.Taken.Count >= 93);
        var appending = 0;
        // Its aggregate waits; as long as others are taken between its tries, they count.
        for (; stand.Queue.Count("p").Dead == 0 && appending < 20; appending++)
        {
            await stand.AppendAsync("other");
            var tried = courier.Figures.Down;
            await stand.UntilAsync(() => courier.Figures.Down > tried || stand.Queue.Count("p").Dead == 1);
        }

        var letter = Assert.Single(stand.Queue.GetDead("p", 0, 10));
        Assert.Equal((40UL, 3, "only this event fails: 500: a bug of theirs"), (letter.Position, letter.Attempts, letter.LastError));
        await stand.UntilAsync(() => stand.Plugin.Taken.Count == 99 + appending);
        Assert.Equal(99 + appending, stand.Plugin.Taken.Select(record => record.Position).Distinct().Count());
        foreach (var aggregate in stand.Plugin.Taken.GroupBy(record => record.Aggregate))
            Assert.Equal(aggregate.Select(record => record.Version).Order(), aggregate.Select(record => record.Version));
    }

    [Fact]
    public async Task An_event_of_another_aggregate_is_looked_for_behind_a_page_that_has_none_and_does_not_come_twice()
    {
        await using var stand = new CourierStand(clock => new(clock) { BatchMax = 64 });
        await stand.FromStartAsync();
        stand.Plugin.Answer = record => record.Position == 1 ? ScriptedPlugin.Down("500") : null;
        await stand.AppendAsync(string.Join(' ', Enumerable.Repeat("a", 1_300)) + " b b c");
        stand.Start();
        await stand.UntilAsync(() => stand.Plugin.Taken.Count == 3);
        Assert.Equal(["b/1", "b/2", "c/1"], stand.Plugin.Names);
        var row = Assert.Single(stand.Queue.GetWaiting("p", null, 10));
        Assert.Equal(("a", 1UL), (row.Aggregate.Id, row.Version));
        stand.Plugin.Answer = static _ => null;
        await stand.UntilAsync(() => stand.Plugin.Taken.Count == 1_303 && stand.Queue.Count("p").Waiting == 0);
        await stand.IdleAsync();
        Assert.Equal(1_303, stand.Plugin.Taken.Count);
    }

    [Fact]
    public async Task One_event_that_is_alone_waits_as_if_the_plugin_were_down_and_holds_no_other()
    {
        await using var stand = new CourierStand();
        await stand.FromStartAsync();
        var isRefusal = true;
        stand.Plugin.Answer = record => record.Aggregate.Id != "a" ? null : isRefusal ? ScriptedPlugin.Refused() : ScriptedPlugin.Down();
        await stand.AppendAsync("a");
        var courier = stand.Start();
        await stand.NowAsync(() => stand.Queue.Count("p").Waiting == 1);
        isRefusal = false;
        // Nothing tells whether it is the plugin: so nothing counts, however often it fails.
        await stand.UntilAsync(() => courier.Figures.Down == 20);
        Assert.Equal((1, 1), (courier.Figures.Refused, Assert.Single(stand.Queue.GetWaiting("p", null, 1)).Attempts));
        await stand.NowAsync(() => courier is { IsIdle: true, Status.State: PluginState.Down });
        // Another one comes: it does not wait for the next probe.
        var now = stand.Clock.Now;
        await stand.AppendAsync("b");
        await stand.NowAsync(() => stand.Plugin.Names is ["b/1"]);
        Assert.Equal(now, stand.Clock.Now);
        await stand.NowAsync(() => courier.Status is { State: PluginState.Running });
    }

    [Fact]
    public async Task Aggregates_that_wait_are_not_tried_while_the_plugin_is_down()
    {
        await using var stand = new CourierStand();
        await stand.FromStartAsync();
        var isDown = false;
        stand.Plugin.Answer = record => isDown ? ScriptedPlugin.Down() : record.Aggregate.Id == "a" ? ScriptedPlugin.Refused() : null;
        await stand.AppendAsync("a");
        var courier = stand.Start();
        await stand.NowAsync(() => stand.Queue.Count("p").Waiting == 1);
        isDown = true;
        await stand.AppendAsync("b c");
        // It knows before time goes by.
        await stand.NowAsync(() => courier.Figures.Down > 0);
        await stand.UntilAsync(() => courier.Figures.Down >= 30);
        Assert.DoesNotContain(stand.Plugin.Attempts, attempt => attempt.Record.Aggregate.Id == "a" && attempt.Failure is { IsRefusal: false });
        Assert.Equal(1, Assert.Single(stand.Queue.GetWaiting("p", null, 1)).Attempts);
        isDown = false;
        await stand.UntilAsync(() => stand.Queue.Count("p").Dead == 1);
        Assert.Equal(3, courier.Figures.Refused);
    }
}
