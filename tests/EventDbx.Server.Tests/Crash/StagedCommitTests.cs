using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using EventDbx.Cli.Output;
using EventDbx.Staging;

namespace EventDbx.Server.Tests.Crash;

/// <summary>kill -9 of the server while it commits what is staged, and while it writes schemas.</summary>
[CiTier("It kills processes again and again.")]
public sealed class StagedCommitTests
{
    const int Events = 1000, Aggregates = 100;

    [Fact]
    public Task A_staged_commit_is_one_batch_all_or_nothing_and_exactly_once_however_often_the_server_is_killed() => Seeded.RunAsync(async random =>
    {
        using var line = new CommandLine();
        await line.RunAsync("config", "--encryption", "off");
        var token = await TokenAsync(line);
        var (kills, before, cut, whole) = (TestTiers.Choose(5, ci: 50, demand: 300), 0, 0, 0);
        // About when it commits on this machine: later when the last kill came too early, earlier when it came too late.
        var about = 250;
        for (var round = 1; round <= kills; round++)
        {
            await StageAsync(line, round);
            using (var server = await ServerProcess.StartAsync(line.Directory.Path))
            {
                var bytes = LogBytes(line);
                var answer = AskAsync(HttpMethod.Post, server.Port, token, "/v1/staged/commit", null);
                if (round % 2 == 0)
                    await Task.Delay(TimeSpan.FromMilliseconds(Math.Max(0, about + random.Next(-40, 40))), TimeProvider.System, TestContext.Current.CancellationToken);
                else
                    await WrittenAsync(line, bytes, answer);
                await server.KillAsync();
                await ((Task)answer).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            await using var database = Database.Open(new() { Directory = line.DataDirectory, Encrypted = false });
            var session = database.OpenSession();
            var (found, staged) = (Count(session), session.GetStaged().Count);
            Assert.True(found == (round - 1) * Events || found == round * Events, $"{found} events in round {round}: half a batch");
            // What is on the list may have been committed; what is not committed is on the list.
            Assert.True(found == round * Events ? staged is 0 or Events : staged == Events, $"{found} committed, and {staged} staged");
            if (round % 2 == 0)
                about += found < round * Events ? 60 : staged == 0 ? -60 : 0;
            (before, cut, whole) = (before + (found < round * Events ? 1 : 0), cut + (found == round * Events && staged > 0 ? 1 : 0), whole + (staged == 0 ? 1 : 0));

            var results = await session.CommitStagedAsync(TestContext.Current.CancellationToken);
            Assert.All(results, result => Assert.Equal(found < round * Events, result.Appended));
            Assert.Equal(round * Events, Count(session));
            Assert.Empty(session.GetStaged());
            Assert.Empty(await session.CommitStagedAsync(TestContext.Current.CancellationToken));
            if (round == kills)
                session.VerifyAll(null, TestContext.Current.CancellationToken);
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"killed {before} times before the commit, {cut} times between it and the list, {whole} times after");
    });

    [Fact]
    public Task A_kill_during_a_change_of_a_schema_leaves_the_old_one_or_the_new_one() => Seeded.RunAsync(async random =>
    {
        using var line = new CommandLine();
        await line.RunAsync("config", "--encryption", "off");
        await line.RunAsync("schema", "create", "order", "--events", "event-0");
        var token = await TokenAsync(line);
        var acknowledged = 0;
        for (var kill = TestTiers.Choose(3, ci: 30, demand: 200); kill > 0; kill--)
        {
            using (var server = await ServerProcess.StartAsync(line.Directory.Path))
            {
                var changing = Task.Run(async () =>
                {
                    while (true)
                    {
                        await AskAsync(HttpMethod.Patch, server.Port, token, "/admin/schemas/order", $$"""{"change":"add_events","events":["event-{{acknowledged + 1}}"]}""");
                        acknowledged++;
                    }
                }, TestContext.Current.CancellationToken);
                // The first answer, however busy the machine is; then a moment drawn at random.
                for (var before = acknowledged; Volatile.Read(ref acknowledged) == before && !changing.IsCompleted;)
                    await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, TestContext.Current.CancellationToken);
                await Task.Delay(TimeSpan.FromMilliseconds(random.Next(1, 200)), TimeProvider.System, TestContext.Current.CancellationToken);
                await server.KillAsync();
                await ((Task)changing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }

            await using var database = Database.Open(new() { Directory = line.DataDirectory, Encrypted = false });
            var session = database.OpenSession();
            var events = session.GetSchemas().Get("order").Events.Count - 1;
            Assert.InRange(events, acknowledged, acknowledged + 1);
            acknowledged = events;
            session.VerifyAll(null, TestContext.Current.CancellationToken);
            // The file that people read is that of the store again.
            Assert.Contains($"\"event-{events}\"", await File.ReadAllTextAsync(Path.Combine(line.DataDirectory, "schemas.json"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
        }

        Assert.True(acknowledged > 0, "no change was ever made");
    });

    /// <summary>Waits until the batch is on its way into the engine's log: what is left then is the sync, and the list.</summary>
    static async Task WrittenAsync(CommandLine line, long before, Task answer)
    {
        while (LogBytes(line) < before + (Events * 100) && !answer.IsCompleted)
            await Task.Yield();
    }

    static long LogBytes(CommandLine line) =>
        new DirectoryInfo(Path.Combine(line.DataDirectory, "event_store")).EnumerateFiles("*.log").Sum(file => file.Length);

    /// <summary>Puts the list where the server reads it: what staging each by itself would leave there.</summary>
    static Task StageAsync(CommandLine line, int round) => File.WriteAllBytesAsync(
        Path.Combine(line.DataDirectory, "staged_events.json"),
        StagedJson.WriteAll(
        [
            .. Enumerable.Range(0, Events).Select(n => new StagedEvent(
                new()
                {
                    Aggregate = AggregateKey.Create("order", $"o-{n % Aggregates}"), EventType = "staged", EventId = Guid.CreateVersion7(),
                    Payload = System.Text.Encoding.UTF8.GetBytes($$"""{"round":{{round}},"n":{{n}}}"""),
                },
                new("ops", "kim"))),
        ]),
        TestContext.Current.CancellationToken);

    static int Count(Session session) => session.GetAggregates(new(), null, 0, 1000).Items.Sum(item => (int)item.Version);

    static async Task AskAsync(HttpMethod method, int port, string token, string target, string? body)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        using var request = new HttpRequestMessage(method, $"http://127.0.0.1:{port}{target}");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        if (body is not null)
            request.Content = new StringContent(body, System.Text.Encoding.UTF8, "application/json");
        using var answer = await http.SendAsync(request, TestContext.Current.CancellationToken);
        answer.EnsureSuccessStatusCode();
    }

    static async Task<string> TokenAsync(CommandLine line)
    {
        var issued = await line.RunAsync("token", "generate", "--group", "ops", "--user", "kim", "--root", "--ttl", "0", "--json");
        Assert.Equal(ExitCode.Done, issued.Code);
        return JsonNode.Parse(issued.Out)!["token"]!.GetValue<string>();
    }
}
