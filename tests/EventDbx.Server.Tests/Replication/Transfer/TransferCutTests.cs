using System.Globalization;
using System.Text;
using EventDbx.Server.Configuration;
using EventDbx.Server.Replication;
using EventDbx.Server.Replication.Transfer;

namespace EventDbx.Server.Tests.Replication.Transfer;

/// <summary>The connection cut at random bytes, and at the edges of frames and one byte beside them.</summary>
public sealed class TransferCutTests
{
    const int Aggregates = 6;

    const int EventsEach = 5;

    const int Batch = 4;

    [Theory, InlineData(TransferDirection.Push), InlineData(TransferDirection.Pull)]
    public Task A_connection_that_is_cut_leaves_whole_batches_and_the_next_run_does_the_rest(TransferDirection direction) => Seeded.RunAsync(async random =>
    {
        using CommandLine line = new(), other = new();
        await using var node = await RunningServer.StartAsync(line);
        await using var peer = await RunningServer.StartAsync(other);
        await using var proxy = new CuttingProxy(peer.PeerPort);
        await TransferStage.IntroduceAsync(line, "node", other, "peer", proxy.Port);
        var desk = Desk(line, node.Database);
        var session = node.Database.OpenSession(new("cli", "test"));
        var request = new TransferRequest { Direction = direction, Remote = "peer", BatchSize = Batch };
        var (source, receiver) = direction == TransferDirection.Push ? (node.Database, peer.Database) : (peer.Database, node.Database);
        var cuts = TestTiers.Choose(20, 100, 2_000);
        var cut = 0;

        for (var round = 0; round < cuts; round++)
        {
            var before = await CountAsync(receiver);
            await AppendAsync(source, round);
            var all = Aggregates * EventsEach;
            // How many records a run has is known from the whole one before; the first is cut somewhere in its beginning.
            var records = Math.Max(proxy.Records.Count, 20);
            var record = random.Next(records);
            var behind = random.Next(3) switch
            {
                0 => 0,
                1 => random.Next(2) == 0 ? 1 : int.MaxValue,
                _ => random.Next(1, 600),
            };
            proxy.Reset((record, behind));

            var (report, failure) = await RunAsync(desk, session, request);
            if (failure is not null)
            {
                cut++;
                Assert.True(proxy.HasCut, failure.ToString());
                Assert.Equal(RefusalCode.Unavailable, Assert.IsType<RefusedException>(failure).Refusal.Code);
            }

            // Nothing half: batches are of one type, and whole.
            var through = await CountAsync(receiver) - before;
            Assert.True(through % Batch == 0 || through == all, $"{through} events are through, in batches of {Batch}.");
            Assert.InRange((ulong)through - (report?.Events?.Events ?? 0), 0UL, (ulong)Batch);

            proxy.Reset(null);
            var (rest, still) = await RunAsync(desk, session, request);
            Assert.Null(still);
            // Nothing twice: what the run before brought is not brought again.
            Assert.Equal((ulong)(all - through), rest!.Events!.Events);
            Assert.Equal(before + all, await CountAsync(receiver));
        }

        Assert.True(cut > cuts / 2, $"Only {cut} of {cuts} runs were cut.");
        Assert.Equal(await TransferStage.ContentOfAsync(source), await TransferStage.ContentOfAsync(receiver));
        Assert.StartsWith("verified ", await TransferStage.DoneAsync(line, "verify", "--all"), StringComparison.Ordinal);
        Assert.StartsWith("verified ", await TransferStage.DoneAsync(other, "verify", "--all"), StringComparison.Ordinal);
    });

    static TransferDesk Desk(CommandLine line, Database database)
    {
        var config = ConfigFile.Load(line.ConfigPath, line.DataDirectory, null, TimeProvider.System).Config;
        return new(database, () => config, TransferDesk.DialFrom(NodeIdentity.PathOf(config), TimeProvider.System), TimeProvider.System);
    }

    static async Task<(TransferReport? Report, Exception? Failure)> RunAsync(TransferDesk desk, Session session, TransferRequest request)
    {
        TransferReport? report = null;
        try
        {
            await foreach (var step in desk.RunAsync(session, request, TestContext.Current.CancellationToken))
                report = step switch { TransferReport whole => whole, TransferCutOff part => part.Done, _ => report };
            return (report, null);
        }
        catch (RefusedException failure)
        {
            return (report, failure);
        }
    }

    static async Task AppendAsync(Database database, int round)
    {
        var session = database.OpenSession(new("test", "writer"));
        for (var aggregate = 0; aggregate < Aggregates; aggregate++)
        {
            // Every second one goes on, the others are new.
            var id = aggregate % 2 == 0 ? $"o-{aggregate}" : string.Create(CultureInfo.InvariantCulture, $"o-{aggregate}-{round}");
            for (var n = 0; n < EventsEach; n++)
            {
                await session.AppendAsync(
                    new() { Aggregate = AggregateKey.Create("order", id), EventType = "happened", Payload = Encoding.UTF8.GetBytes($"{{\"n\":{n},\"text\":\"{new string('x', 200)}\"}}"), Note = "n" },
                    TestContext.Current.CancellationToken);
            }
        }
    }

    static async Task<int> CountAsync(Database database)
    {
        await using var replica = new LocalReplica(database, new("test", "test"));
        var (count, last) = (0UL, (AggregateKey?)null);
        while (true)
        {
            var page = await replica.ListPositionsAsync(ReplicaFilter.All, last, Limits.PageItemsMax, TestContext.Current.CancellationToken);
            count = page.Positions.Aggregate(count, static (sum, position) => sum + position.Version);
            if (!page.More)
                return (int)count;
            last = page.Positions[^1].Aggregate;
        }
    }
}
