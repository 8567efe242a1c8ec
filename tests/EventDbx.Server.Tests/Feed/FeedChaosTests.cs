using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace EventDbx.Server.Tests.Feed;

/// <summary>Subscribers that come and go over every surface, while eight writers append and the server is killed under all of them.</summary>
[CiTier("It kills processes again and again.")]
public sealed class FeedChaosTests
{
    const int Subscribers = 3;

    static readonly TimeSpan Patience = TimeSpan.FromMinutes(TestTiers.Choose(5, 12, 240));

    [Theory]
    [MemberData(nameof(FeedClients.Surfaces), MemberType = typeof(FeedClients))]
    public Task Every_subscriber_has_every_event_once_in_order_and_batches_whole_however_often_it_drops_out_and_the_server_is_killed(string surface) => Seeded.RunAsync(async random =>
    {
        var (client, ciEvents) = FeedClients.Of(surface);
        var events = TestTiers.Choose(2_000, ciEvents, 10 * ciEvents);
        var kills = TestTiers.Choose(1, ci: 6, demand: 60);
        using var line = new CommandLine();
        var writing = await TokenAsync(line, "aggregate.append");
        var reading = await TokenAsync(line, "feed.read");
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);
        patience.CancelAfter(Patience);

        var server = await ServerProcess.StartAsync(line.Directory.Path);
        try
        {
            var port = server.Port;
            using var writers = new FeedWriters(port, writing, events, random.Next());
            var last = new TaskCompletionSource<ulong>(TaskCreationOptions.RunContinuationsAsynchronously);
            var subscribers = Enumerable.Range(0, Subscribers).Select(_ => new ChaosSubscriber(client, port, reading, random.Next(), events / 4)).ToArray();
            var written = writers.RunAsync(patience.Token);
            var read = Task.WhenAll(subscribers.Select(subscriber => Task.Run(() => subscriber.RunAsync(last.Task, patience.Token), patience.Token)));
            for (var kill = 1; kill <= kills; kill++)
            {
                await ReachAsync(() => writers.Count, events * kill / (kills + 1), written, read, patience.Token);
                await server.KillAsync();
                server.Dispose();
                server = await ServerProcess.StartAsync(line.Directory.Path, port);
            }

            await written;
            last.SetResult(writers.Acknowledged.Keys.Max());
            try
            {
                await read;
            }
            catch (OperationCanceledException late)
            {
                throw new TimeoutException(string.Join('\n', subscribers.Select(one => $"reached {one.Reached} of {last.Task.Result}, last ended by {one.LastEnd}")), late);
            }

            Check(await PagesAsync(port, reading, patience.Token), writers, subscribers, events);
        }
        finally
        {
            server.Dispose();
        }
    });

    static void Check(List<FedEvent> pages, FeedWriters writers, ChaosSubscriber[] subscribers, int events)
    {
        Assert.Equal(events, pages.Count);
        Assert.Equal(events, writers.Count);
        Assert.All(pages, fed => Assert.Equal(writers.Acknowledged[fed.Position], fed.Payload));
        var placeOf = pages.Select((fed, place) => (fed.Position, place)).ToDictionary(one => one.Position, one => one.place);
        foreach (var (first, count) in writers.Batches)
            Assert.Equal(placeOf[first] + count - 1, placeOf[first + (ulong)count - 1]);
        foreach (var subscriber in subscribers)
        {
            // Once each, in the order of the log, and nothing else: the pages, however many connections it took.
            Assert.Equal(pages, subscriber.Chain);
            foreach (var (after, fed) in subscriber.Sessions)
            {
                var from = pages.FindIndex(one => one.Position > after);
                Assert.Equal(pages.Skip(from < 0 ? pages.Count : from).Take(fed.Count), fed);
            }
        }

        Assert.All(subscribers, subscriber => Assert.True(subscriber.Sessions.Count > 3, "nobody dropped out"));
        TestContext.Current.TestOutputHelper?.WriteLine(
            $"{events} events, {writers.Batches.Count} batches, {writers.Lost} answers lost; connections: {string.Join(", ", subscribers.Select(one => one.Sessions.Count))}");
    }

    /// <summary>The same by pages.</summary>
    static async Task<List<FedEvent>> PagesAsync(int port, string token, CancellationToken cancellation)
    {
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        var found = new List<FedEvent>();
        for (var (after, end) = ("0", false); !end;)
        {
            var page = await http.GetFromJsonAsync<JsonElement>($"http://127.0.0.1:{port}/v1/events?after={after}", cancellation);
            found.AddRange(page.GetProperty("items").EnumerateArray().Select(item => new FedEvent(
                item.GetProperty("cursor").GetString()!, item.GetProperty("event").GetProperty("position").GetUInt64(), item.GetProperty("event").GetProperty("payload").GetRawText())));
            (after, end) = (page.GetProperty("cursor").GetString()!, page.GetProperty("end").GetBoolean());
        }

        return found;
    }

    /// <summary>Waits until so many were acknowledged; fails when writers or readers do.</summary>
    static async Task ReachAsync(Func<int> count, int wanted, Task written, Task read, CancellationToken cancellation)
    {
        while (count() < wanted)
        {
            if (written.IsFaulted)
                await written;
            if (read.IsFaulted)
                await read;
            await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System, cancellation);
        }
    }

    static async Task<string> TokenAsync(CommandLine line, string action) => JsonNode.Parse((await line.RunAsync(
        "token", "generate", "--group", "chaos", "--user", action, "--ttl", "0", "--json", "--action", action)).Out)!["token"]!.GetValue<string>();
}
