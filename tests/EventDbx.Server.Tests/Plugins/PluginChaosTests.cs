using System.Text.Json.Nodes;
using EventDbx.Server.Tests.Feed;

namespace EventDbx.Server.Tests.Plugins;

/// <summary>Receivers that close, answer 500, vanish and come back, while eight writers append and the server is killed under all of them.</summary>
public sealed class PluginChaosTests
{
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(4);

    [Fact]
    public Task Every_event_arrives_at_every_plugin_in_order_whatever_its_receiver_does_and_however_often_the_server_is_killed() => Seeded.RunAsync(async random =>
    {
        var events = TestTiers.Choose(2_000, 100_000, 1_000_000);
        var kills = TestTiers.Choose(1, ci: 6, demand: 60);
        using var line = new CommandLine();
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(TestTiers.Choose(Patience, Patience, 20 * Patience));
        await using var http = new ChaosHttpReceiver(random.Next());
        await using var tcp = new ChaosTcpReceiver(random.Next());
        ChaosReceiver[] receivers = [http, tcp];
        foreach (var receiver in receivers)
        {
            receiver.Start();
            receiver.FailsOneIn = events / TestTiers.Choose(2, 12, 100);
            receiver.Hangs = TestTiers.Current != TestTier.Default;
        }

        Assert.Equal(0, (int)(await line.RunAsync("plugin", "config", "http", "hook", $"http://127.0.0.1:{http.Port}/events")).Code);
        Assert.Equal(0, (int)(await line.RunAsync("plugin", "config", "tcp", "pipe", "127.0.0.1", $"{tcp.Port}")).Code);
        var writing = JsonNode.Parse((await line.RunAsync("token", "generate", "--group", "chaos", "--user", "writer", "--ttl", "0", "--json", "--action", "aggregate.append")).Out)!["token"]!.GetValue<string>();

        var server = await ServerProcess.StartAsync(line.Directory.Path);
        try
        {
            using var writers = new FeedWriters(server.Port, writing, events, random.Next());
            var written = writers.RunAsync(patience.Token);
            for (var kill = 1; kill <= kills; kill++)
            {
                await ReachAsync(() => writers.Count >= events * kill / (kills + 1), written, patience.Token);
                await server.KillAsync();
                server.Dispose();
                if (kill % 2 == 1)
                    await receivers[random.Next(receivers.Length)].RestartAsync(TimeSpan.FromMilliseconds(random.Next(50, 400)));
                server = await ServerProcess.StartAsync(line.Directory.Path, server.Port);
            }

            await written;
            // They fail to the end, and then no more: what is under way arrives.
            await ReachAsync(() => receivers.All(receiver => receiver.Count > events * 9 / 10), written, patience.Token);
            foreach (var receiver in receivers)
                receiver.FailsOneIn = 0;
            await ReachAsync(() => receivers.All(receiver => receiver.Count == events), written, patience.Token);
            foreach (var receiver in receivers)
                Check(receiver, events, kills);
            var queue = JsonNode.Parse((await line.RunAsync("queue", "--json")).Out)!;
            Assert.Equal((0, 0), (queue["pending"]!.GetValue<int>(), queue["dead"]!.GetValue<int>()));
        }
        finally
        {
            server.Dispose();
        }
    });

    static void Check(ChaosReceiver receiver, int events, int kills)
    {
        var got = receiver.Got;
        Assert.Equal(events, got.Select(one => one.Number).Distinct().Count());
        foreach (var aggregate in got.GroupBy(one => one.Aggregate))
        {
            var seen = new HashSet<ulong>();
            var first = aggregate.Select(one => one.Version).Where(seen.Add).ToList();
            Assert.Equal(Enumerable.Range(1, first.Count).Select(version => (ulong)version), first);
        }

        // After each kill what was not yet kept, and what a connection had that broke; after each break what it had.
        var window = receiver is ChaosTcpReceiver ? ServerLimits.PluginUnsettledEvents : ServerLimits.PluginRequestsMax;
        Assert.InRange(got.Count - events, 0, kills * ServerLimits.PluginWindowEvents + (kills + receiver.Breaks) * window);
        TestContext.Current.TestOutputHelper?.WriteLine($"{receiver.GetType().Name}: {events} events, {got.Count - events} again, {receiver.Breaks} breaks, {kills} kills");
    }

    static async Task ReachAsync(Func<bool> reached, Task written, CancellationToken cancellation)
    {
        while (!reached())
        {
            if (written.IsFaulted)
                await written;
            await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System, cancellation);
        }
    }
}
