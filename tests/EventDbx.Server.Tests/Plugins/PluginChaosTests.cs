using System.Diagnostics;
using System.Text.Json.Nodes;
using EventDbx.Server.Tests.Feed;

namespace EventDbx.Server.Tests.Plugins;

/// <summary>Plugins of every kind that close, hang, refuse to answer, vanish and come back, while eight writers append and the server is killed under all of them.</summary>
[CiTier("It kills processes again and again.")]
public sealed class PluginChaosTests
{
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(TestTiers.Choose(5, 12, 240));

    [Fact]
    public Task Every_event_arrives_at_every_plugin_in_order_whatever_its_receiver_does_and_however_often_the_server_is_killed() => Seeded.RunAsync(async random =>
    {
        await Prerequisite.RequireAsync("python3");
        var events = TestTiers.Choose(2_000, 100_000, 1_000_000);
        var kills = TestTiers.Choose(1, ci: 6, demand: 60);
        using var line = new CommandLine();
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(Patience);
        await using var http = new ChaosHttpReceiver(random.Next());
        await using var tcp = new ChaosTcpReceiver(random.Next());
        await using var grpc = new ChaosGrpcReceiver(random.Next());
        await using var program = new ChaosProgram(line.Directory["program.txt"], random.Next());
        await using var log = new ChaosLog(line.Directory[".eventdbx/logs/eventdbx.log"], random.Next());
        ChaosReceiver[] receivers = [http, tcp, grpc, program, log];
        foreach (var receiver in receivers)
        {
            await receiver.StartAsync();
            receiver.FailsOneIn = events / TestTiers.Choose(4, 12, 100);
            // A program that ends is away for twice as long each time.
            receiver.FailuresMax = TestTiers.Choose(1, receiver is ChaosProgram ? 3 : 12, receiver is ChaosProgram ? 30 : 100);
            receiver.Hangs = TestTiers.Current != TestTier.Default;
        }

        await SetUpAsync("config", "http", "hook", $"http://127.0.0.1:{http.Port}/events");
        await SetUpAsync("config", "tcp", "pipe", "127.0.0.1", $"{tcp.Port}");
        await SetUpAsync("config", "grpc", "copy", $"grpc://127.0.0.1:{grpc.Port}");
        await SetUpAsync("config", "log", "trail", "--level", "info", "--template", ChaosLog.Template);
        await SetUpAsync("install", "chaos", "1.0.0", "--source", ChaosProgram.Source);
        await SetUpAsync(["config", "process", "program", "chaos", "1.0.0", .. program.Arguments.SelectMany(argument => new[] { "--arg", argument })]);
        var writing = JsonNode.Parse((await line.RunAsync("token", "generate", "--group", "chaos", "--user", "writer", "--ttl", "0", "--json", "--action", "aggregate.append")).Out)!["token"]!.GetValue<string>();

        var server = await ServerProcess.StartAsync(line.Directory.Path);
        var began = Stopwatch.GetTimestamp();
        try
        {
            using var writers = new FeedWriters(server.Port, writing, events, random.Next()) { NumberedTypes = true };
            var written = writers.RunAsync(patience.Token);
            // Each of them vanishes once in six kills: beside the server, or while that is gone, too.
            var away = new ChaosReceiver[kills];
            for (var turn = 0; turn < kills; turn += receivers.Length)
            {
                random.Shuffle(receivers);
                receivers.AsSpan(0, Math.Min(receivers.Length, kills - turn)).CopyTo(away.AsSpan(turn));
            }

            for (var kill = 1; kill <= kills; kill++)
            {
                var due = events * (long)kill / (kills + 1);
                // While much is appended, or while the slowest of them is behind.
                Func<bool> reached = random.Next(2) == 0 ? () => writers.Count >= due : () => receivers.All(receiver => receiver.Count >= due);
                await ReachAsync(reached, written);
                var beside = random.Next(2) == 0;
                if (beside)
                    await RestartAsync(away[kill - 1]);
                await server.KillAsync();
                server.Dispose();
                if (!beside)
                    await RestartAsync(away[kill - 1]);
                server = await ServerProcess.StartAsync(line.Directory.Path, server.Port);
            }

            await ReachAsync(() => written.IsCompleted, written);
            await written;
            var all = Stopwatch.GetElapsedTime(began);
            // They fail to the end, and then no more: what is under way arrives.
            await ReachAsync(() => receivers.All(receiver => receiver.Count > events * 9L / 10), written);
            foreach (var receiver in receivers)
                receiver.FailsOneIn = 0;
            await ReachAsync(() => receivers.All(receiver => receiver.Count == events), written);
            var versions = http.Got.DistinctBy(one => one.Number).ToDictionary(one => one.Number, one => (one.Aggregate, one.Version));
            foreach (var receiver in receivers)
            {
                Check(receiver, versions, events, kills);
                TestContext.Current.TestOutputHelper?.WriteLine($"All were seen {Stopwatch.GetElapsedTime(began, receiver.NewestAt).TotalSeconds:0.0} s after the start, written after {all.TotalSeconds:0.0} s.");
            }

            var queue = JsonNode.Parse((await line.RunAsync("queue", "--json")).Out)!;
            Assert.Equal((0, 0), (queue["pending"]!.GetValue<int>(), queue["dead"]!.GetValue<int>()));
        }
        finally
        {
            server.Dispose();
        }

        async Task SetUpAsync(params string[] arguments)
        {
            var outcome = await line.RunAsync(["plugin", .. arguments]);
            Assert.True((int)outcome.Code == 0, $"{string.Join(' ', arguments)}: {outcome.Out}{outcome.Error}");
        }

        Task RestartAsync(ChaosReceiver receiver) => receiver.RestartAsync(TimeSpan.FromMilliseconds(random.Next(50, 400)));

        async Task ReachAsync(Func<bool> reached, Task written)
        {
            while (!reached())
            {
                if (written.IsFaulted)
                    await written;
                if (patience.IsCancellationRequested)
                {
                    var plugins = await line.RunAsync("plugin", "list", "--json");
                    Assert.Fail($"Of {events} events there arrived {string.Join(", ", receivers.Select(receiver => $"{receiver.Count} at {receiver.GetType().Name}"))}. {plugins.Out}{plugins.Error}");
                }

                await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System, TestContext.Current.CancellationToken);
            }
        }
    });

    static void Check(ChaosReceiver receiver, Dictionary<int, (string Aggregate, ulong Version)> versions, int events, int kills)
    {
        var got = receiver.Got;
        var name = receiver.GetType().Name;
        Assert.Equal((name, events), (name, got.Select(one => one.Number).Distinct().Count()));
        Dictionary<string, ulong> newest = [];
        foreach (var (aggregate, version, number) in got)
        {
            var sent = versions[number];
            // A log does not know of versions.
            Assert.Equal((name, sent.Aggregate, sent.Version), (name, aggregate, receiver is ChaosLog ? sent.Version : version));
            var before = newest.GetValueOrDefault(aggregate);
            Assert.True(sent.Version <= before + 1, $"{name} got version {sent.Version} of {aggregate} after {before}");
            newest[aggregate] = Math.Max(before, sent.Version);
        }

        // After each kill what was not yet kept, and what a connection had that broke; after each break what it had.
        Assert.InRange(got.Count - events, 0, kills * ServerLimits.PluginWindowEvents + (kills + receiver.Breaks) * receiver.Window);
        TestContext.Current.TestOutputHelper?.WriteLine($"{name}: {events} events, {got.Count - events} again, {receiver.Breaks} breaks, {kills} kills");
    }
}
