using System.Text.Json.Nodes;
using EventDbx.Cli.Output;

namespace EventDbx.Server.Tests.Crash;

/// <summary>kill -9 of the server under its clients.</summary>
[CiTier("It kills processes again and again.")]
public sealed class ServerKillTests
{
    const int Writers = 16, LimitedWriters = 64, Limit = 200;

    [Fact]
    public Task Kill_9_under_rest_writers_loses_nothing_and_doubles_nothing_and_a_write_limit_and_every_checkpoint_hold() => Seeded.RunAsync(async random =>
    {
        using var line = new CommandLine();
        await line.RunAsync("config", "--encryption", "off");
        var root = await TokenAsync(line, "--root");
        var limited = await TokenAsync(line, "--action", "aggregate.append", "--limit", $"{Limit}");
        var kills = TestTiers.Choose(5, ci: 50, demand: 500);

        var server = await ServerProcess.StartAsync(line.Directory.Path);
        using var writers = new RestWriters(server.Port, root, Writers, random.Next());
        using var bounded = new RestWriters(server.Port, limited, LimitedWriters, random.Next());
        using var watch = new CheckpointWatch(server.Port, root);
        using var stop = new CancellationTokenSource();
        try
        {
            var watching = watch.RunAsync(stop.Token);
            var (writing, spending) = (writers.RunAsync("open", limited: false, stop.Token), bounded.RunAsync("bounded", limited: true, stop.Token));
            for (var kill = 0; kill < kills; kill++)
            {
                // Most of the limit is spent while servers die, the last of it, by all at once, afterwards.
                bounded.Permit(Limit / (kills + 1));
                await ReachAsync(writers, writers.Acknowledged.Count + random.Next(1, 120), writing, spending);
                await server.KillAsync();
                var port = server.Port;
                server.Dispose();
                server = await ServerProcess.StartAsync(line.Directory.Path, port);
            }

            bounded.Permit(Limit + LimitedWriters);
            await spending;
            await stop.CancelAsync();
            await writing;
            await watching;
            var checkpoints = await watch.CheckAsync();
            Assert.True(checkpoints > kills, $"{checkpoints} checkpoints were seen in {kills} kills");
            TestContext.Current.TestOutputHelper?.WriteLine($"{checkpoints} checkpoints: no two of one size differ, and each is the beginning of every later one");
        }
        finally
        {
            await stop.CancelAsync();
            server.Dispose();
        }

        await CheckAsync(line, writers, bounded);
    });

    static async Task CheckAsync(CommandLine line, RestWriters writers, RestWriters bounded)
    {
        await using (var database = Database.Open(new() { Directory = line.DataDirectory, Encrypted = false }))
        {
            var session = database.OpenSession();
            var (found, limited) = (new Dictionary<Guid, (string, string, ulong)>(), 0);
            foreach (var aggregate in session.GetAggregates(new(), null, 0, 1000).Items)
            {
                ulong? next = 1;
                for (var version = 1UL; next is { } from;)
                {
                    var page = session.GetEvents(aggregate.Aggregate, from, 1000);
                    foreach (var record in page.Items)
                    {
                        Assert.Equal(version++, record.Version);
                        Assert.True(found.TryAdd(record.EventId, (record.Aggregate.Type, record.Aggregate.Id, record.Version)), $"{record.EventId} stands twice");
                        limited += record.Aggregate.Type == "bounded" ? 1 : 0;
                    }

                    next = page.NextVersion;
                }
            }

            foreach (var (id, where) in writers.Acknowledged.Concat(bounded.Acknowledged))
                Assert.Equal(where, found.GetValueOrDefault(id));
            // Every append was asked for until it was answered; so what is there was answered, too.
            Assert.Equal(writers.Acknowledged.Count + bounded.Acknowledged.Count, found.Count);
            Assert.Equal(Limit, limited);
            session.VerifyAll(null, TestContext.Current.CancellationToken);
            TestContext.Current.TestOutputHelper?.WriteLine($"{found.Count} events; {writers.Repeats + bounded.Repeats} of them were asked for again after their answer was lost");
        }

        Assert.Equal(ExitCode.Done, (await line.RunAsync("verify", "--all")).Code);
    }

    /// <summary>Waits until so many appends were acknowledged; fails when the writers do.</summary>
    static async Task ReachAsync(RestWriters writers, int acknowledged, Task writing, Task spending)
    {
        while (writers.Acknowledged.Count < acknowledged)
        {
            if (writing.IsCompleted)
                await writing;
            if (spending.IsFaulted)
                await spending;
            await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System, TestContext.Current.CancellationToken);
        }
    }

    static async Task<string> TokenAsync(CommandLine line, params string[] rights) => JsonNode.Parse((await line.RunAsync(
        ["token", "generate", "--group", "writers", "--user", "w", "--ttl", "0", "--json", .. rights])).Out)!["token"]!.GetValue<string>();
}
