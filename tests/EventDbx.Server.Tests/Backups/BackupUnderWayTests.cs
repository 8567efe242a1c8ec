using System.Diagnostics;
using System.Text.Json.Nodes;
using EventDbx.Cli.Output;
using EventDbx.Server.Tests.Crash;

namespace EventDbx.Server.Tests.Backups;

/// <summary>Backups of a server of its own process: under writers, and with one of both ends killed.</summary>
[CiTier("It kills processes again and again.")]
public sealed class BackupUnderWayTests : IDisposable
{
    const int Writers = 16;

    readonly CommandLine _line = new();

    public void Dispose() => _line.Dispose();

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    string Archive => _line.Directory["out/b.tar.zst"];

    [Fact]
    public Task What_was_answered_before_a_backup_began_is_in_it_restored_elsewhere_it_is_a_beginning_of_the_log() => Seeded.RunAsync(async random =>
    {
        var token = JsonNode.Parse((await SucceedAsync(_line, "token", "generate", "--group", "writers", "--user", "w", "--ttl", "0", "--json", "--root")).Out)!["token"]!.GetValue<string>();
        using var server = await ServerProcess.StartAsync(_line.Directory.Path);
        using var writers = new RestWriters(server.Port, token, Writers, random.Next());
        using var stop = new CancellationTokenSource();
        var writing = writers.RunAsync("order", limited: false, stop.Token);
        List<Dictionary<(string Type, string Id), ulong>> answered = [];
        for (var round = 0; round < TestTiers.Choose(1, ci: 5, demand: 20); round++)
        {
            var until = writers.Acknowledged.Count + random.Next(50, 400);
            while (writers.Acknowledged.Count < until && !writing.IsCompleted)
                await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System, Cancellation);
            answered.Add(writers.Acknowledged.Values.GroupBy(static one => (one.Item1, one.Item2)).ToDictionary(static group => group.Key, static group => group.Max(static one => one.Item3)));
            await SucceedAsync(_line, "backup", "--output", $"b-{round}");
        }

        await stop.CancelAsync();
        await writing;
        await SucceedAsync(_line, "backup", "--output", "last");
        for (var round = 0; round < answered.Count; round++)
        {
            using var there = new CommandLine();
            var restored = JsonNode.Parse((await SucceedAsync(there, "restore", "--input", _line.Directory[$"b-{round}"], "--data-dir", there.Directory["data"], "--json")).Out)!;
            await SucceedAsync(there, "verify", "--all");
            foreach (var ((type, id), version) in answered[round])
            {
                var events = JsonNode.Parse((await SucceedAsync(there, "aggregate", "replay", type, id, "--skip", $"{version - 1}", "--take", "1", "--json")).Out)!.AsArray();
                Assert.True(events.Count == 1, $"{type} {id}: version {version} was answered before backup {round} began, and is not in it");
            }

            // As far as it goes, the log is that which the server had in the end.
            var of = restored["kept"]!.GetValue<ulong>();
            using var beginning = new CommandLine();
            var cut = JsonNode.Parse((await SucceedAsync(
                beginning, "restore", "--input", _line.Directory["last"], "--data-dir", beginning.Directory["data"], "--to-position", $"{of}", "--dry-run", "--json")).Out)!;
            Assert.Equal(restored["root"]!.GetValue<string>(), cut["root"]!.GetValue<string>());
        }
    });

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public Task A_server_or_a_client_that_is_killed_leaves_no_archive_that_is_none_and_the_next_backup_is_made(bool killServer) => Seeded.RunAsync(async random =>
    {
        var lines = string.Concat(Enumerable.Range(0, 2000).Select(static n => $$$"""{"aggregate_type":"order","aggregate_id":"k-{{{n % 50}}}","event_type":"made","payload":{"n":{{{n}}},"text":"{{{new string('x', 200)}}}"}}""" + "\n"));
        _line.Directory.Write("events.ndjson", lines);
        await SucceedAsync(_line, "import", "events.ndjson");
        var server = await ServerProcess.StartAsync(_line.Directory.Path);
        var met = 0;
        try
        {
            for (var left = TestTiers.Choose(1, ci: 6, demand: 60); left > 0; left--)
            {
                var start = new ProcessStartInfo(CommandLine.Program, ["backup", "--output", Archive, "--force"])
                {
                    Environment = { ["HOME"] = _line.Directory.Path }, RedirectStandardOutput = true, RedirectStandardError = true,
                };
                using (var client = Process.Start(start)!)
                {
                    while (!client.HasExited && Directory.GetDirectories(_line.DataDirectory, "event_store.stage-*").Length == 0)
                        await Task.Yield();
                    met += Directory.GetDirectories(_line.DataDirectory, "event_store.stage-*").Length;
                    await Task.Delay(TimeSpan.FromMilliseconds(60 * random.NextDouble()), TimeProvider.System, Cancellation);
                    if (killServer)
                    {
                        await server.KillAsync();
                        server.Dispose();
                    }
                    else
                    {
                        client.Kill();
                    }

                    await client.WaitForExitAsync(Cancellation);
                    // A client that lives tells one from the other, and clears up.
                    Assert.True(client.ExitCode == 0 || !File.Exists(Archive) || !killServer, await client.StandardError.ReadToEndAsync(Cancellation));
                    if (killServer && Directory.Exists(_line.Directory["out"]))
                        Assert.DoesNotContain(Directory.GetFiles(_line.Directory["out"]), static file => file.EndsWith(".tmp", StringComparison.Ordinal));
                }

                if (File.Exists(Archive))
                    await SucceedAsync(_line, "backup", "verify", Archive);
                File.Delete(Archive);
                if (killServer)
                    server = await ServerProcess.StartAsync(_line.Directory.Path);
                await SucceedAsync(_line, "backup", "--output", "next", "--force");
                await SucceedAsync(_line, "backup", "verify", "next");
            }

            // One may be over before it is seen; of several one is not.
            Assert.True(met > 0 || TestTiers.Current == TestTier.Default, "No kill met a backup under way.");
        }
        finally
        {
            server.Dispose();
        }
    });

    static async Task<Outcome> SucceedAsync(CommandLine line, params string[] arguments)
    {
        var outcome = await line.RunAsync(arguments);
        Assert.True(outcome.Code == ExitCode.Done, $"{string.Join(' ', arguments)}: {outcome.Code} {outcome.Error}");
        return outcome;
    }
}
