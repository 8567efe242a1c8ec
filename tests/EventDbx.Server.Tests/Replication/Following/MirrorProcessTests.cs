using System.Globalization;
using System.Net;
using System.Text.Json;
using EventDbx.Cli.Output;
using EventDbx.Server.Tests.Feed;

namespace EventDbx.Server.Tests.Replication.Following;

/// <summary>A leader under writers and its mirror, each a process, killed, cut off and restarted; and the mirror promoted.</summary>
[CiTier("It kills processes again and again.")]
public sealed class MirrorProcessTests
{
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(TestTiers.Choose(3, 10, 20));

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public Task A_mirror_that_is_killed_cut_off_and_restarted_ends_with_the_log_of_its_leader_and_leads_when_it_is_promoted() => Seeded.RunAsync(async random =>
    {
        var (events, rounds) = (TestTiers.Choose(300, 10_000, 200_000), TestTiers.Choose(3, 12, 100));
        using CommandLine leading = new(), mirroring = new();
        await using var wire = new CutWire();
        await PairAsync(leading, mirroring, wire.Port);
        var leader = await ServerProcess.StartAsync(leading.Directory.Path);
        ServerProcess? mirror = null;
        try
        {
            wire.Target = await PeerPortAsync(leading);
            var token = await TokenAsync(leading);
            using var writers = new FeedWriters(leader.Port, token, events, random.Next());
            var written = writers.RunAsync(Cancellation);
            await UntilAsync(() => Task.FromResult(writers.Count >= Math.Min(100, events / 10)), "the writers to begin");
            await RunAsync(mirroring, "follow", "leader");

            for (var round = 0; round < rounds; round++)
            {
                mirror ??= await ServerProcess.StartAsync(mirroring.Directory.Path);
                var before = await SizeAsync(mirroring);
                switch (random.Next(TestTiers.Current == TestTier.Default ? 3 : 4))
                {
                    case 0:
                        await mirror.KillAsync();
                        mirror.Dispose();
                        mirror = null;
                        break;
                    case 1:
                        wire.CutAfter = random.Next(2, 20_000);
                        wire.Cut();
                        break;
                    case 2:
                        await RunAsync(mirroring, "stop");
                        mirror.Dispose();
                        mirror = null;
                        break;
                    default:
                        await leader.KillAsync();
                        leader.Dispose();
                        wire.Target = 0;
                        leader = await ServerProcess.StartAsync(leading.Directory.Path, leader.Port);
                        wire.Target = await PeerPortAsync(leading);
                        break;
                }

                mirror ??= await ServerProcess.StartAsync(mirroring.Directory.Path);
                if (!written.IsCompleted)
                    await UntilAsync(async () => await SizeAsync(mirroring) > before || written.IsCompleted, "the mirror to go on");
            }

            await written.WaitAsync(Patience, Cancellation);
            var (size, root) = await LogAsync(leading);
            await UntilAsync(async () => await SizeAsync(mirroring) == size, $"the mirror to have {size} entries");
            Assert.Equal((size, root), await LogAsync(mirroring));
            await VerifiedAsync(leading, root);
            await VerifiedAsync(mirroring, root);

            await LeadsAsync(leading, leader, mirroring, mirror!, size, root);
        }
        finally
        {
            leader.Dispose();
            mirror?.Dispose();
        }
    });

    static async Task LeadsAsync(CommandLine leading, ServerProcess leader, CommandLine mirroring, ServerProcess mirror, ulong size, string root)
    {
        var token = await TokenAsync(mirroring);
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new($"http://127.0.0.1:{mirror.Port}") };
        http.DefaultRequestHeaders.Authorization = new("Bearer", token);
        using (var refused = await AppendAsync(http))
            Assert.Contains("\"read_only\"", await refused.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);

        var promotion = JsonDocument.Parse(await RunAsync(mirroring, "promote", "--yes", "--comment", "a drill", "--json")).RootElement;
        Assert.Equal((2UL, size, root, "leader"), (promotion.GetProperty("epoch").GetUInt64(), promotion.GetProperty("kept").GetUInt64(), promotion.GetProperty("root").GetString(), promotion.GetProperty("followed").GetString()));
        Assert.EndsWith("/e2", promotion.GetProperty("origin").GetString(), StringComparison.Ordinal);
        Assert.DoesNotContain("mode", await File.ReadAllTextAsync(mirroring.ConfigPath, Cancellation), StringComparison.Ordinal);
        using (var taken = await AppendAsync(http))
            Assert.Equal(HttpStatusCode.OK, taken.StatusCode);
        Assert.Contains("/e2\n", await RunAsync(mirroring, "log", "checkpoint"), StringComparison.Ordinal);

        // What the old leader took behind that is in no history but its own, and its cursors are gone here.
        using var old = new HttpClient(new SocketsHttpHandler { UseProxy = false }) { BaseAddress = new($"http://127.0.0.1:{leader.Port}") };
        old.DefaultRequestHeaders.Authorization = new("Bearer", await TokenAsync(leading));
        using (var taken = await AppendAsync(old))
            Assert.Equal(HttpStatusCode.OK, taken.StatusCode);
        using var gone = await http.GetAsync(new Uri(FormattableString.Invariant($"/v1/events?after=1-{(await LogAsync(leading)).Size}"), UriKind.Relative), Cancellation);
        Assert.Equal(HttpStatusCode.Gone, gone.StatusCode);
        Assert.Contains("cursor_gone", await gone.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
        using var known = await http.GetAsync(new Uri(FormattableString.Invariant($"/v1/events?after=1-{size}"), UriKind.Relative), Cancellation);
        Assert.Equal(HttpStatusCode.OK, known.StatusCode);
        var twice = await mirroring.RunAsync("promote", "--yes");
        Assert.Equal(ExitCode.Failed, twice.Code);
        Assert.Contains("no mirror", twice.Error, StringComparison.Ordinal);
        await VerifiedAsync(mirroring, (await LogAsync(mirroring)).Root);
    }

    /// <summary>Each knows the other's key, and the mirror may pull.</summary>
    internal static async Task PairAsync(CommandLine leading, CommandLine mirroring, int port, string address = "127.0.0.1")
    {
        await RunAsync(leading, "remote", "allow", "mirror", "--both", "--public-key", (await RunAsync(mirroring, "remote", "key")).Trim());
        await RunAsync(mirroring, "remote", "add", "leader", address, "--port", port.ToString(CultureInfo.InvariantCulture), "--public-key", (await RunAsync(leading, "remote", "key")).Trim());
    }

    internal static async Task<string> RunAsync(CommandLine line, params string[] arguments)
    {
        var outcome = await line.RunAsync(arguments).WaitAsync(Patience, Cancellation);
        Assert.True(outcome.Code == ExitCode.Done, $"dbx {string.Join(' ', arguments)}: {outcome.Code}\n{outcome.Out}\n{outcome.Error}");
        return outcome.Out;
    }

    internal static async Task<string> TokenAsync(CommandLine line) =>
        JsonDocument.Parse(await RunAsync(line, "token", "generate", "--group", "g", "--user", "u", "--ttl", "0", "--json", "--root")).RootElement.GetProperty("token").GetString()!;

    internal static async Task UntilAsync(Func<Task<bool>> reached, string what)
    {
        using var late = new CancellationTokenSource(Patience);
        while (!await reached())
        {
            if (late.IsCancellationRequested)
                Assert.Fail($"Waited for {Patience.TotalSeconds:0} s for {what}.");
            await Task.Delay(50, Cancellation);
        }
    }

    internal static async Task<(ulong Size, string Root)> LogAsync(CommandLine line)
    {
        var status = await StatusAsync(line);
        return (status.GetProperty("log_size").GetUInt64(), status.GetProperty("log_root").GetString()!);
    }

    static async Task<ulong> SizeAsync(CommandLine line) => (await LogAsync(line)).Size;

    static async Task<JsonElement> StatusAsync(CommandLine line) => JsonDocument.Parse(await RunAsync(line, "status", "--json")).RootElement;

    static async Task<int> PeerPortAsync(CommandLine line) => (await StatusAsync(line)).GetProperty("addresses").EnumerateArray()
        .Select(static address => address.GetString()!).Where(static address => address.StartsWith("tcp://", StringComparison.Ordinal)).Select(static address => new Uri(address).Port).Single();

    static async Task VerifiedAsync(CommandLine line, string root) =>
        Assert.Equal(root, JsonDocument.Parse(await RunAsync(line, "verify", "--all", "--json")).RootElement.GetProperty("log_root").GetString());

    static Task<HttpResponseMessage> AppendAsync(HttpClient http) => http.PostAsync(
        new Uri("/v1/events", UriKind.Relative),
        new StringContent("""{"aggregate_type":"t","aggregate_id":"i","event_type":"e","payload":{"n":1}}""", System.Text.Encoding.UTF8, "application/json"), Cancellation);
}
