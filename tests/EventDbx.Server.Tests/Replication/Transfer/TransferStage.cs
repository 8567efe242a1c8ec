using System.Globalization;
using System.Text;
using EventDbx.Cli.Output;
using EventDbx.Integrity;
using EventDbx.Server.Replication;

namespace EventDbx.Server.Tests.Replication.Transfer;

/// <summary>Nodes with directories of their own, which know each other's keys, and what stands in them.</summary>
internal static class TransferStage
{
    /// <summary>The node's public key, which is made where it has none.</summary>
    public static async Task<string> KeyOfAsync(CommandLine node) => (await DoneAsync(node, "remote", "key")).Trim();

    /// <summary>Lets one node go to another one, as both have to say it.</summary>
    public static async Task IntroduceAsync(CommandLine node, string called, CommandLine to, string name, int port)
    {
        await DoneAsync(to, "remote", "allow", called, "--both", "--public-key", await KeyOfAsync(node), "--replace");
        await DoneAsync(node, "remote", "add", name, "127.0.0.1", "--port", port.ToString(CultureInfo.InvariantCulture), "--public-key", await KeyOfAsync(to), "--replace");
    }

    /// <summary>What a command says that is carried out.</summary>
    public static async Task<string> DoneAsync(CommandLine node, params string[] arguments)
    {
        var outcome = await node.RunAsync(arguments);
        Assert.True(outcome.Code == ExitCode.Done, $"{string.Join(' ', arguments)}: {outcome.Code}\n{outcome.Out}{outcome.Error}");
        return outcome.Out;
    }

    /// <summary>Everything that must be the same in two nodes: every event with all that identifies it, flags and snapshots.</summary>
    public static async Task<string> ContentOfAsync(Database database, bool withMarks = true)
    {
        await using var replica = new LocalReplica(database, new("test", "test"));
        var cancellation = TestContext.Current.CancellationToken;
        var text = new StringBuilder();
        AggregateKey? last = null;
        for (var more = true; more;)
        {
            var page = await replica.ListPositionsAsync(ReplicaFilter.All, last, Limits.PageItemsMax, cancellation);
            foreach (var position in page.Positions)
            {
                text.Append(CultureInfo.InvariantCulture, $"{position.Aggregate} {position.Version} {position.Root} {(position.Archived ? "archived" : "")}\n");
                for (ulong from = 0; from < position.Version;)
                {
                    foreach (var record in await replica.PullEventsAsync(position.Aggregate, from, Limits.PageItemsMax, cancellation))
                    {
                        text.Append(CultureInfo.InvariantCulture, $"  {record.Version} {record.EventType} {record.EventId} {record.CreatedAt} {record.Actor} {record.Note} {record.Hash} {record.MerkleRoot} {Encoding.UTF8.GetString(record.Payload.Span)}\n");
                        from = record.Version;
                    }
                }

                if (withMarks && await replica.FindMarksAsync(position.Aggregate, cancellation) is { } marks)
                    text.Append(CultureInfo.InvariantCulture, $"  {string.Join(' ', marks.Snapshots.Select(snapshot => $"@{snapshot.Version} {snapshot.Comment}"))}\n");
                last = position.Aggregate;
            }

            more = page.More;
        }

        return text.ToString();
    }
}
