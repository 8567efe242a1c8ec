using EventDbx.Server.Plugins;

namespace EventDbx.Server.Tests.Plugins;

/// <summary>Decision 35, "only this event fails": an event that no plugin can take, told from a plugin that fails now and then.</summary>
[CiTier("It delivers thousands of events to plugins that fail.")]
public sealed class PluginSuspectTests
{
    /// <summary>It takes a while until a receiver that died of an event is up again; nothing is taken meanwhile.</summary>
    static Func<EventRecord, DeliveryFailure?> DyingOf(CourierStand stand, string poison, double seconds)
    {
        var downUntil = DateTimeOffset.MinValue;
        return record =>
        {
            var now = stand.Clock.GetUtcNow();
            if (now < downUntil)
                return ScriptedPlugin.Down("connection refused");
            if (record.Aggregate.Id != poison)
                return null;
            downUntil = now + TimeSpan.FromSeconds(seconds);
            return ScriptedPlugin.Down("the connection ended");
        };
    }

    [Theory]
    [InlineData(0.5, 1, 1)]
    [InlineData(20, 1, 1)]
    [InlineData(0.5, 16, 1)]
    [InlineData(20, 1, 4)]
    public async Task An_event_that_its_receiver_dies_of_holds_only_its_aggregate(double seconds, int batchMax, int concurrency)
    {
        await using var stand = new CourierStand(clock => new(clock) { BatchMax = batchMax, Concurrency = concurrency });
        await stand.FromStartAsync();
        await stand.AppendAsync("a poison b c poison d");
        stand.Plugin.Answer = DyingOf(stand, "poison", seconds);
        var began = stand.Clock.Now;
        var courier = stand.Start();
        await stand.UntilAsync(() => stand.Plugin.Names.Order().SequenceEqual(["a/1", "b/1", "c/1", "d/1"]) && courier.Status?.Reached == 6);
        Assert.InRange(stand.Clock.Now - began, TimeSpan.Zero, TimeSpan.FromMinutes(5));
        var row = Assert.Single(stand.Queue.GetWaiting("p", null, 10));
        // Too few others are there to say that it is the event: nothing counts, and nothing is dead.
        Assert.Equal(("poison", 1UL, 0, 0L), (row.Aggregate.Id, row.Version, row.Attempts, stand.Queue.Count("p").Dead));
    }

    [Fact]
    public async Task It_is_dead_once_enough_others_were_taken_between_its_tries_and_its_aggregate_goes_on()
    {
        await using var stand = new CourierStand();
        await stand.FromStartAsync();
        await stand.AppendAsync("a poison b c d");
        var dies = DyingOf(stand, "poison", 0.5);
        stand.Plugin.Answer = record => record is { Aggregate.Id: "poison", Version: > 1 } ? null : dies(record);
        var courier = stand.Start();
        for (var i = 0; stand.Queue.Count("p").Dead == 0 && i < 40; i++)
        {
            await stand.AppendAsync($"e{i} f{i} g{i}");
            var attempts = stand.Plugin.Attempts.Count(attempt => attempt.Record is { Aggregate.Id: "poison" });
            await stand.UntilAsync(() => stand.Queue.Count("p").Dead == 1 || (courier.Status?.Reached == stand.Database.LogSize
                && stand.Plugin.Attempts.Count(attempt => attempt.Record is { Aggregate.Id: "poison" }) > attempts));
        }

        var letter = Assert.Single(stand.Queue.GetDead("p", 0, 10));
        Assert.Equal(("poison", 3, "only this event fails: the connection ended"), (letter.Aggregate.Id, letter.Attempts, letter.LastError));
        await stand.AppendAsync("poison");
        await stand.UntilAsync(() => stand.Plugin.Names.Contains("poison/2") && stand.Queue.Count("p").Waiting == 0);
        await stand.UntilAsync(() => stand.Plugin.Taken.Count == (int)stand.Database.LogSize - 1);
    }

    [Theory]
    [InlineData(20, 1)]
    [InlineData(50, 8)]
    [InlineData(80, 8)]
    [InlineData(90, 1)]
    public async Task A_plugin_that_fails_at_random_gets_everything_and_nothing_is_dead(int percent, int concurrency)
    {
        await using var stand = new CourierStand(clock => new(clock) { Concurrency = concurrency }) { Config = new() { DataDir = "/nowhere", PluginMaxAttempts = 4 } };
        await stand.FromStartAsync();
        var random = new Random(3);
        await stand.AppendAsync(string.Join(' ', Enumerable.Range(0, 120).Select(i => $"a{i % 100}")));
        stand.Plugin.Answer = _ => random.Next(100) < percent ? ScriptedPlugin.Down("503") : null;
        stand.Start();
        await stand.UntilAsync(() => stand.Courier!.Status?.Reached == 120 && stand.Queue.Count("p").Waiting == 0 && stand.Plugin.Taken.Count >= 120);
        Assert.Equal(0, stand.Queue.Count("p").Dead);
        Assert.Equal(120, stand.Plugin.Taken.Select(record => record.Position).Distinct().Count());
        foreach (var aggregate in stand.Plugin.Taken.GroupBy(record => record.Aggregate))
            Assert.Equal(aggregate.Select(record => record.Version).Order(), aggregate.Select(record => record.Version));
    }

    [Fact]
    public async Task Several_events_that_cannot_be_taken_do_not_shield_each_other()
    {
        await using var stand = new CourierStand();
        await stand.FromStartAsync();
        await stand.AppendAsync("x y z a b");
        stand.Plugin.Answer = record => record.Aggregate.Id is "x" or "y" or "z" ? ScriptedPlugin.Down("500") : null;
        stand.Start();
        await stand.UntilAsync(() => stand.Plugin.Names is ["a/1", "b/1"] && stand.Queue.Count("p").Waiting == 3);
        for (var i = 0; stand.Queue.Count("p").Dead < 3 && i < 60; i++)
        {
            await stand.AppendAsync(string.Join(' ', Enumerable.Range(0, 6).Select(one => $"g{i}-{one}")));
            var failed = stand.Figures.Down;
            await stand.UntilAsync(() => stand.Queue.Count("p").Dead == 3 || (stand.Figures.Down > failed && stand.Courier!.Status?.Reached == stand.Database.LogSize));
        }

        Assert.Equal([1UL, 2UL, 3UL], stand.Queue.GetDead("p", 0, 10).Select(letter => letter.Position));
    }
}
