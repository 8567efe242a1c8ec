using System.Globalization;
using System.Text;
using System.Text.Json;
using EventDbx.Cli.Output;

namespace EventDbx.Server.Tests.Replication.Transfer;

/// <summary>Servers in processes of their own, killed under a push or pull when some byte of it passes.</summary>
public sealed class TransferKillTests
{
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    [Fact]
    public Task Servers_that_are_killed_under_a_transfer_have_whole_batches_and_the_next_run_does_the_rest()
    {
        Assert.SkipWhen(TestTiers.Current == TestTier.Default, "Processes are started and killed again and again: in the CI tier.");
        return Seeded.RunAsync(KillAsync);
    }

    static async Task KillAsync(Random random)
    {
        var rounds = TestTiers.Choose(0, 6, 200);
        using CommandLine leader = new(), standby = new();
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(TestTiers.Choose(Patience, Patience, 20 * Patience));
        var port = FreePort.Take();
        var here = await ServerProcess.StartAsync(leader.Directory.Path);
        var there = await ServerProcess.StartAsync(standby.Directory.Path, peerPort: port);
        await using var proxy = new CuttingProxy(port);
        try
        {
            await TransferStage.IntroduceAsync(leader, "leader", standby, "standby", proxy.Port);
            var (total, kills) = (0, 0);
            for (var round = 0; round < rounds; round++)
            {
                var pull = random.Next(2) == 0;
                total += await ImportAsync(pull ? standby : leader, round, random.Next(1, 4) * 40);
                proxy.Reset((random.Next(8, 60), 0));
                var local = random.Next(2) == 0;
                var killed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                proxy.Instead = () =>
                {
                    (local ? here : there).Kill();
                    killed.TrySetResult();
                };
                var outcome = await leader.RunAsync(pull ? "pull" : "push", "standby", "--batch-size", "7").WaitAsync(patience.Token);
                proxy.Instead = null;
                if (proxy.HasCut)
                {
                    kills++;
                    await killed.Task.WaitAsync(patience.Token);
                    if (local)
                        here = await AgainAsync(here, leader, 0);
                    else
                        there = await AgainAsync(there, standby, port);
                }
                else
                {
                    Assert.Equal(ExitCode.Done, outcome.Code);
                }

                proxy.Reset(null);
                await TransferStage.DoneAsync(leader, pull ? "pull" : "push", "standby", "--batch-size", "7");
                // One that takes what the other has only: nothing is left either way.
                Assert.Equal("remote 'standby' is up to date\n", await TransferStage.DoneAsync(leader, "push", "standby"));
                Assert.Equal("local store already includes remote 'standby' changes\n", await TransferStage.DoneAsync(leader, "pull", "standby"));
            }

            Assert.True(kills >= rounds / 2, $"Only {kills} servers were killed.");
            foreach (var node in (CommandLine[])[leader, standby])
            {
                var verified = JsonDocument.Parse(await TransferStage.DoneAsync(node, "verify", "--all", "--json")).RootElement;
                Assert.Equal(total, verified.GetProperty("events").GetInt32());
            }
        }
        finally
        {
            here.Dispose();
            there.Dispose();
        }
    }

    static async Task<ServerProcess> AgainAsync(ServerProcess killed, CommandLine node, int peerPort)
    {
        await killed.WaitForExitAsync();
        killed.Dispose();
        return await ServerProcess.StartAsync(node.Directory.Path, peerPort: peerPort);
    }

    static async Task<int> ImportAsync(CommandLine node, int round, int events)
    {
        var lines = new StringBuilder();
        for (var n = 0; n < events; n++)
            lines.Append(CultureInfo.InvariantCulture, $"{{\"aggregate_type\":\"order\",\"aggregate_id\":\"o-{round}-{n % 9}\",\"event_type\":\"happened\",\"payload\":{{\"n\":{n}}}}}\n");
        await File.WriteAllTextAsync(node.Directory["part.ndjson"], lines.ToString(), TestContext.Current.CancellationToken);
        await TransferStage.DoneAsync(node, "import", node.Directory["part.ndjson"]);
        return events;
    }
}
