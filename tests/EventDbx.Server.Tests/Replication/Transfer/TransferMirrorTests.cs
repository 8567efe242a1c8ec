using EventDbx.Server.Configuration;
using EventDbx.Server.Replication;
using EventDbx.Server.Replication.Transfer;

namespace EventDbx.Server.Tests.Replication.Transfer;

/// <summary>What a mirror pushes and pulls.</summary>
public sealed class TransferMirrorTests
{
    [Fact]
    public async Task A_mirror_pulls_nothing_into_its_log_and_asks_nobody_for_it()
    {
        using var directory = new TemporaryDirectory();
        await using var database = Database.Open(new() { Directory = directory["data"], Encrypted = false, Follow = "leader" });
        var config = new ServerConfig
        {
            DataDir = directory["data"],
            Remotes = System.Collections.Immutable.ImmutableSortedDictionary<string, RemoteConfig>.Empty.Add("east", new() { Endpoint = "tcp://192.0.2.1:6363", PublicKey = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo" }),
        };
        var (dialled, remote) = (0, new MemoryReplica().With("order", "o-1", 2));
        var desk = new TransferDesk(
            database, () => config,
            (_, _, _) =>
            {
                dialled++;
                return Task.FromResult<IReplica>(remote);
            },
            TimeProvider.System);

        var refused = await Assert.ThrowsAsync<RefusedException>(() => RunAsync(new() { Direction = TransferDirection.Pull, Remote = "east" }));
        Assert.Equal((RefusalCode.ReadOnly, 0), (refused.Refusal.Code, dialled));
        Assert.Contains("follows `leader`", refused.Message, StringComparison.Ordinal);

        // To look is no write, and what is here may be brought elsewhere.
        Assert.Equal(2UL, (await RunAsync(new() { Direction = TransferDirection.Pull, Remote = "east", DryRun = true })).Events!.Events);
        remote = new();
        Assert.True((await RunAsync(new() { Direction = TransferDirection.Push, Remote = "east" })).Events!.UpToDate);

        async Task<TransferReport> RunAsync(TransferRequest request)
        {
            TransferReport? report = null;
            await foreach (var step in desk.RunAsync(database.OpenSession(new("cli", "test")), request, TestContext.Current.CancellationToken))
                report = step as TransferReport ?? report;
            return report!;
        }
    }
}
