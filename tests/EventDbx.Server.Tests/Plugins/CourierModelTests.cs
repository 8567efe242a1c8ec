using CsCheck;
using EventDbx.Server.Plugins;

namespace EventDbx.Server.Tests.Plugins;

/// <summary>A plugin that refuses, goes down, loses its connection and is killed at random, with its server: what it got in the end, against what was appended.</summary>
public sealed class CourierModelTests
{
    /// <summary>What happens next.</summary>
    enum Step
    {
        Append,
        AppendMuch,
        GoDown,
        ComeBack,
        RefuseOne,
        RefuseNone,
        FailOne,
        Stop,
        Crash,
        TimePasses,
    }

    /// <summary>As often as it stands here.</summary>
    static readonly Gen<Step> s_steps = Of(
        Step.Append, Step.Append, Step.Append, Step.Append, Step.AppendMuch, Step.GoDown, Step.ComeBack, Step.ComeBack, Step.RefuseOne, Step.RefuseNone,
        Step.FailOne, Step.Stop, Step.Crash, Step.TimePasses, Step.TimePasses);

    static readonly Gen<(Step[] Steps, int BatchMax, int Concurrency, bool WholeBatches, int MaxAttempts, int Seed)> s_lives =
        Gen.Select(s_steps.Array[4, 40], Of(1, 3, 16), Of(1, 3), Gen.Bool, Of(1, 2, 50), Gen.Int);

    static Gen<T> Of<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(at => values[at]);

    [Fact]
    public Task Whatever_happens_every_event_is_taken_or_dead_in_order_and_only_a_crash_or_a_stop_sends_any_twice() =>
        s_lives.SampleAsync(LiveAsync, iter: TestTiers.Choose(10, 150, 5_000), threads: 1);

    static async Task LiveAsync((Step[] Steps, int BatchMax, int Concurrency, bool WholeBatches, int MaxAttempts, int Seed) life)
    {
        var random = new Random(life.Seed);
        await using var stand = new CourierStand(clock => new(clock) { BatchMax = life.BatchMax, Concurrency = life.Concurrency, WholeBatches = life.WholeBatches });
        stand.Config = stand.Config with { PluginMaxAttempts = life.MaxAttempts };
        stand.Chance = random.NextDouble();
        var kept = stand.Queue;
        await stand.FromStartAsync();
        var (isDown, refused, failing, breaks) = (false, -1, -1, 0);
        stand.Plugin.Answer = record => isDown ? ScriptedPlugin.Down()
            : (int)record.Position % 13 == refused ? ScriptedPlugin.Refused()
            : (int)record.Position % 29 == failing ? ScriptedPlugin.Down("500")
            : null;
        stand.Start();
        foreach (var step in life.Steps)
        {
            switch (step)
            {
                case Step.Append:
                    await stand.AppendAsync(Aggregates(random, random.Next(1, 6)));
                    break;
                case Step.AppendMuch:
                    await stand.AppendAsync(Aggregates(random, random.Next(300, 900)));
                    break;
                case Step.GoDown:
                    isDown = true;
                    break;
                case Step.ComeBack:
                    isDown = false;
                    break;
                case Step.RefuseOne:
                    refused = random.Next(13);
                    break;
                case Step.RefuseNone:
                    (refused, failing) = (-1, -1);
                    break;
                case Step.FailOne:
                    failing = random.Next(29);
                    break;
                case Step.Stop:
                    // What lanes have done beyond the first that is open goes again.
                    breaks++;
                    await stand.StopAsync();
                    stand.Start();
                    break;
                case Step.Crash:
                    breaks++;
                    await CrashAsync(stand, kept, random);
                    break;
                case Step.TimePasses:
                    stand.Clock.Advance(TimeSpan.FromSeconds(random.Next(1, 400)));
                    await Task.Yield();
                    break;
            }
        }

        (isDown, refused, failing) = (false, -1, -1);
        await stand.UntilAsync(() => kept.Count("p").Waiting == 0 && stand.Courier is { IsIdle: true, Status: { } status } && status.Reached == stand.Database.LogSize);
        await stand.StopAsync();
        Check(stand, breaks);
    }

    static async Task CrashAsync(CourierStand stand, EventDbx.Delivery.IDeliveryQueue kept, Random random)
    {
        // Everything that was kept up to a moment of its own is there; nothing that comes later is.
        await stand.StopAsync();
        var queue = new CrashingQueue(kept);
        stand.Queue = queue;
        stand.Start();
        for (var turns = random.Next(0, 30); turns > 0; turns--)
            await Task.Yield();
        queue.Crash();
        await stand.StopAsync();
        stand.Queue = kept;
        stand.Start();
    }

    static string Aggregates(Random random, int count) => string.Join(' ', Enumerable.Range(0, count).Select(_ => $"a{random.Next(12)}"));

    static void Check(CourierStand stand, int breaks)
    {
        var all = stand.Owner.ReadFeed(0, 1_000, includeControl: false).Items.Select(item => item.Event!).ToList();
        while ((ulong)all.Count < stand.Database.LogSize)
            all.AddRange(stand.Owner.ReadFeed(all[^1].Position, 1_000, includeControl: false).Items.Select(item => item.Event!));
        var dead = stand.Queue.GetDead("p", 0, 10_000).Select(letter => letter.Position).ToHashSet();
        var taken = stand.Plugin.Taken;
        var got = taken.Select(record => record.Position).ToHashSet();
        Assert.DoesNotContain(all, record => !got.Contains(record.Position) && !dead.Contains(record.Position));
        foreach (var aggregate in taken.GroupBy(record => record.Aggregate))
        {
            // The first time that each one comes, it comes in order: what goes again after a crash begins further back, and is in order as well.
            var seen = new HashSet<ulong>();
            var first = aggregate.Select(record => record.Version).Where(seen.Add).ToList();
            Assert.Equal(first.Order(), first);
        }

        Assert.InRange(taken.Count - got.Count, 0, breaks * ServerLimits.PluginWindowEvents);
    }
}
