using System.Globalization;
using System.Text;

namespace EventDbx.Server.Tests.Replication.Following;

/// <summary>Push, pull and follow between two hosts whose wire loses every twentieth packet and parts for ten seconds.</summary>
public sealed class LossyNetworkTests
{
    const int LossPercent = 5;

    static readonly TimeSpan Parted = TimeSpan.FromSeconds(10);

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Push_pull_and_follow_survive_lost_packets_and_a_partition_of_ten_seconds()
    {
        Assert.SkipWhen(TestTiers.Current == TestTier.Default, "Of the CI tier: it takes half a minute, and makes network namespaces.");
        var events = TestTiers.Choose(0, 20_000, 200_000);
        await using var hosts = await TwoHosts.RequireAsync(LossPercent);
        using CommandLine leading = new(), pushing = new(), pulling = new(), mirroring = new();
        await AllowAsync(leading, pushing, "pusher", "--push");
        await AllowAsync(leading, pulling, "puller", "--pull");
        await AllowAsync(leading, mirroring, "mirror", "--pull");
        // As an operator writes it who starts the server alone.
        await File.AppendAllTextAsync(mirroring.ConfigPath, "mode = \"follow\"\n", Cancellation);
        await ImportAsync(pushing, "pushed", events);

        using var leader = await hosts.StartAsync(leading.Directory.Path, second: false, $"{TwoHosts.FirstAddress}:6363");
        using var mirror = await hosts.StartAsync(mirroring.Directory.Path, second: true, "127.0.0.1:0");
        using (await hosts.StartAsync(pushing.Directory.Path, second: true, "127.0.0.1:0"))
            await BesideAPartitionAsync(hosts, () => UntilDoneAsync(pushing, "push", "leader"));
        await EqualAsync(pushing, leading, "pushed");

        using (await hosts.StartAsync(pulling.Directory.Path, second: true, "127.0.0.1:0"))
            await BesideAPartitionAsync(hosts, () => UntilDoneAsync(pulling, "pull", "leader"));
        await EqualAsync(pulling, leading, "pushed");

        await BesideAPartitionAsync(hosts, () => ImportAsync(leading, "later", events / 10));
        var (size, root) = await MirrorProcessTests.LogAsync(leading);
        await MirrorProcessTests.UntilAsync(async () => (await MirrorProcessTests.LogAsync(mirroring)).Size == size, $"the mirror to have {size} entries");
        Assert.Equal(root, (await MirrorProcessTests.LogAsync(mirroring)).Root);
        foreach (var line in new[] { leading, mirroring })
            await MirrorProcessTests.RunAsync(line, "verify", "--all");
    }

    static async Task AllowAsync(CommandLine leading, CommandLine other, string name, string right)
    {
        await MirrorProcessTests.RunAsync(leading, "remote", "allow", name, right, "--public-key", (await MirrorProcessTests.RunAsync(other, "remote", "key")).Trim());
        await MirrorProcessTests.RunAsync(other, "remote", "add", "leader", TwoHosts.FirstAddress, "--public-key", (await MirrorProcessTests.RunAsync(leading, "remote", "key")).Trim());
    }

    /// <summary>Does it, and meanwhile the hosts are parted for a while.</summary>
    static async Task BesideAPartitionAsync(TwoHosts hosts, Func<Task> act)
    {
        var doing = act();
        await Task.WhenAny(doing, Task.Delay(TimeSpan.FromMilliseconds(500), Cancellation));
        await hosts.PartAsync();
        // This is no wait for something: it is how long they are apart.
        await Task.Delay(Parted, Cancellation);
        await hosts.HealAsync();
        await doing;
    }

    /// <summary>A run that was cut off is finished by the next.</summary>
    static async Task UntilDoneAsync(CommandLine line, params string[] arguments)
    {
        for (var tries = 1; ; tries++)
        {
            var outcome = await line.RunAsync(arguments);
            if (outcome.Code == EventDbx.Cli.Output.ExitCode.Done)
                return;
            Assert.True(tries < 5, $"dbx {string.Join(' ', arguments)}, {tries} times: {outcome.Error}");
        }
    }

    static async Task ImportAsync(CommandLine line, string type, int events)
    {
        var text = new StringBuilder();
        for (var i = 0; i < events; i++)
            text.Append(CultureInfo.InvariantCulture, $$$"""{"aggregate_type":"{{{type}}}","aggregate_id":"a-{{{i / 50}}}","event_type":"e","payload":{"n":{{{i}}}}}""").Append('\n');
        var file = line.Directory[$"{type}.ndjson"];
        await File.WriteAllTextAsync(file, text.ToString(), Cancellation);
        await MirrorProcessTests.RunAsync(line, "import", file);
    }

    static async Task EqualAsync(CommandLine one, CommandLine other, string type) => Assert.Equal(
        await MirrorProcessTests.RunAsync(one, "aggregate", "list", "--type", type, "--json", "--take", "50"),
        await MirrorProcessTests.RunAsync(other, "aggregate", "list", "--type", type, "--json", "--take", "50"));
}
