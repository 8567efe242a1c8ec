using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;

namespace EventDbx.Server.Tests.Feed;

/// <summary>Clients that subscribe and then take nothing.</summary>
[CiTier("It fills what readers do not take.")]
public sealed class SlowReaderTests
{
    const int Readers = 50, BatchEvents = 50;

    /// <summary>Of 1 MB each.</summary>
    static readonly int s_batches = TestTiers.Choose(10, 50, 50);

    /// <summary>In all far more than lies between a server and a client that does not read.</summary>
    const int EventBytes = 20_000;

    /// <summary>
    /// What the server may grow by: for each reader a page of <see cref="ServerLimits.FeedStreamBytes"/> as it was read and as it is
    /// written, what the transport holds, and garbage; besides what the events cost a store. Buffered, it would be 1 to 2.5 GB.
    /// </summary>
    const long GrowthMax = 200_000_000;

    /// <summary>
    /// What the server may grow by for each that reads nothing of a log of batches of 4 MB that is there: a page, a piece of an answer and what the transport
    /// holds are 0.3 MB; the rest is garbage of what its connection took before, which the collector keeps for a while.
    /// </summary>
    const long CrowdBytesMax = 2_000_000;

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(FeedClients.Surfaces), MemberType = typeof(FeedClients))]
    public async Task Fifty_that_read_nothing_while_others_append_megabytes_are_paused_in_bounded_memory_and_lose_nothing(string surface)
    {
        var client = FeedClients.Of(surface).Client;
        using var line = new CommandLine();
        var token = await TokenAsync(line);
        using var server = await ServerProcess.StartAsync(line.Directory.Path);
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);

        // As many without readers first, for a measure of how long it takes and of what it costs.
        await AppendAsync(http, server.Port, "alone", 1);
        var started = Stopwatch.GetTimestamp();
        await AppendAsync(http, server.Port, "alone", s_batches);
        var alone = Stopwatch.GetElapsedTime(started);

        var readers = new List<IAsyncEnumerator<FedEvent>>();
        try
        {
            for (var i = 0; i < Readers; i++)
            {
                var reader = client.SubscribeAsync(server.Port, token, null, Cancellation).GetAsyncEnumerator(Cancellation);
                Assert.True(await reader.MoveNextAsync());
                readers.Add(reader);
            }

            var before = server.WorkingSet;
            var most = 0L;
            started = Stopwatch.GetTimestamp();
            for (var i = 0; i < s_batches; i++)
            {
                await AppendAsync(http, server.Port, "pressed", 1);
                most = Math.Max(most, server.WorkingSet - before);
            }

            var pressed = Stopwatch.GetElapsedTime(started);
            TestContext.Current.TestOutputHelper?.WriteLine($"{surface}: {s_batches} MB took {alone.TotalMilliseconds:n0} ms alone, {pressed.TotalMilliseconds:n0} ms with {Readers} slow readers; the server grew by {most / 1_000_000} MB");
            Assert.True(most < GrowthMax, $"The server grew by {most} bytes.");
            // Appends wait for nobody who reads, for whom there is no end of waiting here; the rest is what a machine that does something else takes.
            Assert.True(pressed < (5 * alone) + TimeSpan.FromMinutes(1), $"{pressed} with readers, {alone} without");

            foreach (var reader in readers.Take(TestTiers.Choose(1, 10, Readers)))
            {
                var last = reader.Current.Position;
                for (var left = (((2 * s_batches) + 1) * BatchEvents) - 1; left > 0; left--)
                {
                    Assert.True(await reader.MoveNextAsync());
                    Assert.Equal(last + 1, reader.Current.Position);
                    last = reader.Current.Position;
                }
            }
        }
        finally
        {
            foreach (var reader in readers)
                await reader.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_hundred_that_read_nothing_of_what_is_there_cost_little_each()
    {
        const int Crowd = 100, SmallBytes = 4_000, Batches = 8, InBatch = 1_000;
        using var line = new CommandLine();
        var token = await TokenAsync(line);
        using var server = await ServerProcess.StartAsync(line.Directory.Path);
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token);
        await AppendAsync(http, server.Port, "small", Batches, SmallBytes, InBatch);
        // What the store itself keeps of it in its caches.
        await using (var first = FeedClients.Of("sse").Client.SubscribeAsync(server.Port, token, null, Cancellation).GetAsyncEnumerator(Cancellation))
        {
            for (var i = 0; i < Batches * InBatch; i++)
                Assert.True(await first.MoveNextAsync());
        }

        var before = server.WorkingSet;
        var sockets = new List<Socket>();
        try
        {
            for (var i = 0; i < Crowd; i++)
            {
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 32 * 1024 };
                sockets.Add(socket);
                await socket.ConnectAsync(IPAddress.Loopback, server.Port, Cancellation);
                await socket.SendAsync(Encoding.ASCII.GetBytes($"GET /v1/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nAuthorization: Bearer {token}\r\n\r\n"), Cancellation);
            }

            // Each has got so far as its connection holds, once the server has nothing more to do.
            await server.RestsAsync(Cancellation);
            var growth = server.WorkingSet - before;
            TestContext.Current.TestOutputHelper?.WriteLine($"{Crowd} readers: the server grew from {before / 1_000_000} by {growth / 1_000_000} MB");
            Assert.True(growth < Crowd * CrowdBytesMax, $"The server grew by {growth} bytes for {Crowd} readers.");
            Assert.All(sockets, socket => Assert.True(socket.Available > 0));
        }
        finally
        {
            sockets.ForEach(socket => socket.Dispose());
        }
    }

    static async Task AppendAsync(HttpClient http, int port, string type, int batches, int eventBytes = EventBytes, int batchEvents = BatchEvents)
    {
        var filler = new string('x', eventBytes);
        var events = string.Join(',', Enumerable.Range(0, batchEvents).Select(i => $$$"""{"aggregate_type":"{{{type}}}","aggregate_id":"a-{{{i}}}","event_type":"grew","payload":{"text":"{{{filler}}}"}}"""));
        for (var i = 0; i < batches; i++)
        {
            using var content = new StringContent($$"""{"events":[{{events}}]}""", Encoding.UTF8, "application/json");
            content.Headers.ContentType = new("application/json");
            using var request = new HttpRequestMessage(HttpMethod.Post, $"http://127.0.0.1:{port}/v1/events/batch") { Content = content };
            request.Headers.Add("Prefer", "return=minimal");
            using var response = await http.SendAsync(request, Cancellation);
            Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync(Cancellation));
        }
    }

    static async Task<string> TokenAsync(CommandLine line) => JsonNode.Parse((await line.RunAsync(
        "token", "generate", "--group", "slow", "--user", "reader", "--ttl", "0", "--json", "--root")).Out)!["token"]!.GetValue<string>();
}
