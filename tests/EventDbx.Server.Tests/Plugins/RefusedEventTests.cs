using EventDbx.Delivery;
using EventDbx.Server.Plugins;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Tests.Plugins;

/// <summary>Decision 35, its second half: an event that a plugin refuses holds its own aggregate, and nothing else.</summary>
public sealed class RefusedEventTests
{
    static Func<EventRecord, DeliveryFailure?> Refusing(string id, ulong version) =>
        record => record.Aggregate.Id == id && record.Version == version ? ScriptedPlugin.Refused() : null;

    [Fact]
    public async Task An_event_that_is_refused_holds_only_its_own_aggregate_which_catches_up_in_order()
    {
        await using var stand = new CourierStand();
        stand.Config = stand.Config with { PluginMaxAttempts = 100 };
        await stand.FromStartAsync();
        stand.Plugin.Answer = Refusing("a", 2);
        await stand.AppendAsync("a b a a c b");
        stand.Start();
        await stand.IdleAsync();
        Assert.Equal(["a/1", "b/1", "c/1", "b/2"], stand.Plugin.Names);
        await stand.AppendAsync("a c a");
        await stand.NowAsync(() => stand.Plugin.Names.Count == 5);
        await stand.UntilAsync(() => stand.Plugin.Attempts.Count(attempt => attempt.Failure is not null) == 5);
        var waiting = Assert.Single(stand.Queue.GetWaiting("p", null, 10));
        Assert.Equal(("a", 2UL, 3UL, false, "422: no"), (waiting.Aggregate.Id, waiting.Version, waiting.Position, waiting.Held, waiting.LastError));
        Assert.All(stand.Plugin.Attempts.Where(attempt => attempt.Failure is not null), attempt => Assert.Equal(2UL, attempt.Record.Version));

        stand.Plugin.Answer = static _ => null;
        await stand.UntilAsync(() => stand.Queue.Count("p").Waiting == 0);
        Assert.Equal(["a/1", "b/1", "c/1", "b/2", "c/2", "a/2", "a/3", "a/4", "a/5"], stand.Plugin.Names);
        await stand.AppendAsync("a");
        await stand.IdleAsync();
        Assert.Equal("a/6", stand.Plugin.Names[^1]);
        Assert.Equal(0, stand.Queue.Count("p").Dead);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(10)]
    public async Task An_event_is_dead_after_exactly_so_many_attempts_and_its_aggregate_goes_on(int attempts)
    {
        await using var stand = new CourierStand();
        stand.Config = stand.Config with { PluginMaxAttempts = attempts };
        await stand.FromStartAsync();
        stand.Plugin.Answer = Refusing("a", 2);
        await stand.AppendAsync("a a b a");
        var courier = stand.Start();
        await stand.UntilAsync(() => stand.Queue.Count("p") is { Dead: 1, Waiting: 0 } && stand.Plugin.Taken.Count == 3);
        Assert.Equal(attempts, stand.Plugin.Attempts.Count(attempt => attempt.Failure is not null));
        Assert.Equal(["a/1", "a/3", "b/1"], stand.Plugin.Names.Order(StringComparer.Ordinal));
        var dead = Assert.Single(stand.Queue.GetDead("p", 0, 10));
        Assert.Equal(("a", 2UL, 2UL, attempts, "422: no", "made"), (dead.Aggregate.Id, dead.Version, dead.Position, dead.Attempts, dead.LastError, dead.EventType));

        var line = Assert.Single(stand.Lines, line => line.Level == LogLevel.Error);
        Assert.Equal("plugins", line.Source);
        Assert.Equal(
            $"dead letter: plugin 'p' has refused made, version 2 of order::a, event {dead.EventId}, {attempts} times, and it is given up: 422: no. `dbx queue retry --event-id {dead.EventId}` tries it again.",
            line.Message);
        // It is not tried again, and the aggregate is free.
        await stand.AppendAsync("a");
        await stand.IdleAsync();
        stand.Clock.Advance(TimeSpan.FromHours(1));
        await stand.AppendAsync("b");
        await stand.IdleAsync();
        Assert.Equal(attempts, stand.Plugin.Attempts.Count(attempt => attempt.Failure is not null));
        Assert.Equal((5, attempts, 0), (courier.Figures.Taken, courier.Figures.Refused, courier.Figures.Down));
    }

    [Theory]
    [InlineData(0.0, 0.8)]
    [InlineData(0.5, 1.0)]
    [InlineData(0.999_999, 1.2)]
    public async Task Tries_are_a_second_apart_then_two_and_so_on_up_to_five_minutes_scattered_by_a_fifth(double chance, double factor)
    {
        await using var stand = new CourierStand { Chance = chance };
        stand.Config = stand.Config with { PluginMaxAttempts = 12 };
        await stand.FromStartAsync();
        stand.Plugin.Answer = Refusing("a", 1);
        await stand.AppendAsync("a");
        stand.Start();
        await stand.UntilAsync(() => stand.Queue.Count("p").Dead == 1);
        var pauses = stand.Plugin.Attempts.Zip(stand.Plugin.Attempts.Skip(1), (one, next) => (next.At - one.At).TotalSeconds / factor).ToArray();
        double[] wanted = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300];
        Assert.Equal(wanted.Length, pauses.Length);
        Assert.All(wanted.Zip(pauses), pair => Assert.InRange(pair.Second, pair.First * 0.999, pair.First * 1.001 + 0.01));
    }

    [Fact]
    public async Task A_plugin_that_asks_for_more_time_gets_it_up_to_five_minutes()
    {
        await using var stand = new CourierStand();
        await stand.FromStartAsync();
        stand.Plugin.Answer = record => stand.Plugin.Attempts.Count switch
        {
            0 => new(IsRefusal: true, "later", TimeSpan.FromSeconds(90)),
            1 => new(IsRefusal: true, "much later", TimeSpan.FromDays(1)),
            _ => null,
        };
        await stand.AppendAsync("a");
        stand.Start();
        await stand.UntilAsync(() => stand.Plugin.Taken.Count == 1);
        Assert.Equal([90.0, 300.0], stand.Plugin.Attempts.Zip(stand.Plugin.Attempts.Skip(1), (one, next) => (next.At - one.At).TotalSeconds));
    }

    [Fact]
    public async Task Attempts_are_counted_through_a_restart()
    {
        await using var stand = new CourierStand();
        await stand.FromStartAsync();
        stand.Plugin.Answer = Refusing("a", 1);
        await stand.AppendAsync("a a");
        stand.Start();
        await stand.UntilAsync(() => stand.Queue.GetWaiting("p", null, 1) is [{ Attempts: 2 }]);
        await stand.StopAsync();
        stand.Start();
        await stand.UntilAsync(() => stand.Queue.Count("p").Dead == 1);
        Assert.Equal(3, stand.Plugin.Attempts.Count(attempt => attempt.Failure is not null));
        await stand.UntilAsync(() => stand.Plugin.Names is ["a/2"]);
    }

    [Fact]
    public async Task A_batch_that_is_refused_as_a_whole_is_halved_until_it_is_known_which_event_it_is()
    {
        await using var stand = new CourierStand(clock => new(clock) { BatchMax = 64, WholeBatches = true });
        stand.Config = stand.Config with { PluginMaxAttempts = 1 };
        await stand.FromStartAsync();
        stand.Plugin.Answer = record => record.Position is 200 or 201 or 300 ? ScriptedPlugin.Refused() : null;
        await stand.AppendAsync(string.Join(' ', Enumerable.Range(0, 400).Select(i => $"a{i % 50}")));
        stand.Start();
        await stand.NowAsync(() => stand.Plugin.Taken.Count == 397 && stand.Queue.Count("p").Waiting == 0);
        Assert.Equal([200UL, 201UL, 300UL], stand.Queue.GetDead("p", 0, 10).Select(letter => letter.Position));
        foreach (var aggregate in stand.Plugin.Taken.GroupBy(record => record.Aggregate))
            Assert.Equal(aggregate.Select(record => record.Version).Order(), aggregate.Select(record => record.Version));
    }

    [Fact]
    public async Task With_hold_on_dead_the_aggregate_waits_until_somebody_retries_or_clears()
    {
        await using var stand = new CourierStand();
        stand.Definition = stand.Definition with { HoldOnDead = true };
        await stand.FromStartAsync();
        stand.Plugin.Answer = record => record.Aggregate.Id is "a" or "b" && record.Version == 1 ? ScriptedPlugin.Refused() : null;
        await stand.AppendAsync("a b c a b");
        var courier = stand.Start();
        await stand.UntilAsync(() => stand.Queue.Count("p") is { Dead: 2, Waiting: 2 });
        Assert.Equal(["c/1"], stand.Plugin.Names);
        Assert.All(stand.Queue.GetWaiting("p", null, 10), row => Assert.True(row.Held));
        stand.Clock.Advance(TimeSpan.FromDays(1));
        await stand.AppendAsync("c");
        await stand.IdleAsync();
        Assert.Equal(6, stand.Plugin.Attempts.Count(attempt => attempt.Failure is not null));

        stand.Plugin.Answer = static _ => null;
        var dead = stand.Queue.GetDead("p", 0, 10);
        var cancellation = TestContext.Current.CancellationToken;
        Assert.Equal((null, false), await courier.DoAsync(() => courier.RetryAsync(dead[0]), cancellation));
        Assert.Equal(1, await courier.DoAsync(() => courier.ClearAsync([dead[1]]), cancellation));
        await stand.UntilAsync(() => stand.Queue.Count("p") is { Dead: 0, Waiting: 0 } && stand.Plugin.Taken.Count == 5);
        // What was retried came, what was cleared did not, and both go on.
        Assert.Equal(["a/1", "a/2"], stand.Plugin.Names.Where(name => name[0] == 'a'));
        Assert.Equal(["b/2"], stand.Plugin.Names.Where(name => name[0] == 'b'));
    }

    [Fact]
    public async Task A_retry_that_fails_leaves_the_event_dead_and_one_that_is_taken_does_not()
    {
        await using var stand = new CourierStand();
        stand.Config = stand.Config with { PluginMaxAttempts = 1 };
        await stand.FromStartAsync();
        stand.Plugin.Answer = Refusing("a", 1);
        await stand.AppendAsync("a");
        var courier = stand.Start();
        await stand.NowAsync(() => stand.Queue.Count("p").Dead == 1);
        var letter = Assert.Single(stand.Queue.GetDead("p", 0, 10));
        var refused = await courier.DoAsync(() => courier.RetryAsync(letter), TestContext.Current.CancellationToken);
        Assert.Equal((true, "422: no", false), (refused.Failure!.IsRefusal, refused.Failure.Reason, refused.Gone));
        Assert.Equal(1, stand.Queue.Count("p").Dead);
        stand.Plugin.Answer = static _ => null;
        Assert.Equal((null, false), await courier.DoAsync(() => courier.RetryAsync(letter), TestContext.Current.CancellationToken));
        Assert.Equal(0, stand.Queue.Count("p").Dead);
        Assert.Equal(["a/1"], stand.Plugin.Names);
    }

    [Fact]
    public async Task What_waits_of_an_aggregate_that_is_gone_is_dropped()
    {
        await using var stand = new CourierStand();
        await stand.FromStartAsync();
        await stand.AppendAsync("a b");
        // An aggregate of version 0 is the only one that can be removed; what names it came from before a loss.
        var gone = AggregateKey.Create("order", "gone");
        await stand.Queue.SaveAsync("p", new()
        {
            Waiting = [new() { Aggregate = gone, Version = 1, Position = 1, EventId = Guid.Empty, EventType = "made", Attempts = 1, NextAttemptAt = default, LastError = "no" }],
            Dead = [new() { Aggregate = gone, Version = 1, Position = 1, EventId = Guid.Empty, EventType = "made", Attempts = 1, At = default, LastError = "no" }],
        });
        var courier = stand.Start();
        await stand.UntilAsync(() => stand.Queue.Count("p").Waiting == 0);
        Assert.Contains(stand.Lines, line => line.Message.Contains("order::gone is gone", StringComparison.Ordinal));
        var retried = await courier.DoAsync(() => courier.RetryAsync(stand.Queue.GetDead("p", 0, 1)[0]), TestContext.Current.CancellationToken);
        Assert.Equal((null, true), retried);
        Assert.Equal(0, stand.Queue.Count("p").Dead);
        await stand.IdleAsync();
        Assert.Equal(["a/1", "b/1"], stand.Plugin.Names);
    }

    [Fact]
    public async Task An_aggregate_that_catches_up_with_much_does_not_keep_the_feed_from_going_on()
    {
        await using var stand = new CourierStand(clock => new(clock) { BatchMax = 16 });
        stand.Config = stand.Config with { PluginMaxAttempts = 100 };
        await stand.FromStartAsync();
        stand.Plugin.Answer = Refusing("a", 1);
        await stand.AppendAsync(string.Join(' ', Enumerable.Repeat("a", 2_000)));
        stand.Start();
        await stand.IdleAsync();
        var appended = false;
        stand.Plugin.Answer = record =>
        {
            if (record.Version == 5 && !appended)
            {
                appended = true;
                stand.Owner.AppendAsync(new() { Aggregate = AggregateKey.Create("order", "b"), EventType = "made", Payload = "{}"u8.ToArray() }, TestContext.Current.CancellationToken).GetAwaiter().GetResult();
            }

            return null;
        };
        await stand.UntilAsync(() => stand.Queue.Count("p").Waiting == 0 && stand.Plugin.Taken.Count == 2_001);
        Assert.InRange(stand.Plugin.Names.ToList().IndexOf("b/1"), 5, 5 + 2 * ServerLimits.PluginCatchUpEvents);
        Assert.Equal(Enumerable.Range(1, 2_000).Select(i => $"a/{i}"), stand.Plugin.Names.Where(name => name[0] == 'a'));
    }
}
