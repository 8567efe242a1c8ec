using System.Net;
using System.Net.Sockets;
using EventDbx.Server.Connections;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.Connections;

/// <summary>Crowds that HTTP/2 makes possible: many streams on a connection, of which none is taken, or none is meant.</summary>
[CiTier("It waits for limits of time, one after the other.")]
public sealed class Http2CrowdTests : IAsyncDisposable
{
    const int EventBytes = 65_000;

    readonly List<RawHttp2> _opened = [];
    RestServer? _server;

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    RestServer Server => _server!;

    public async ValueTask DisposeAsync()
    {
        foreach (var one in _opened)
            await one.DisposeAsync();
        if (_server is not null)
            await _server.DisposeAsync();
    }

    async Task StartAsync(int near, TimeSpan stall)
    {
        _server = new(static options => options)
        {
            ChangeOptions = options => options with { ConnectionLimits = new(near * 4, near, ServerLimits.FirstByteTimeout) { Stall = stall } },
        };
        await _server.InitializeAsync();
        // More than a stream holds of an answer that is not taken.
        for (var i = 0; i < 3; i++)
            await _server.AppendAsync("big", "b", "grew", $$"""{"text":"{{new string('x', EventBytes)}}"}""");
    }

    [Fact]
    public async Task Streams_that_nobody_takes_keep_nobody_out()
    {
        var (near, streams) = TestTiers.Choose((30, 10), (300, 100), (300, 100));
        await StartAsync(near, stall: TimeSpan.FromMilliseconds(500));
        for (var i = 0; i < near; i++)
        {
            var crowd = await OpenAsync(window: 0);
            // All of them on one, and one on each of the others.
            for (var one = 0; one < (i == near - 1 ? streams : 1); one++)
                await crowd.RequestAsync(1 + (2 * one), "GET", "/v1/aggregates/big/b/events", Server.Root);
            await crowd.HeadAsync(1);
        }

        // Each of them has proved to be somebody, and has requests under way. One who takes its answers comes, and stays.
        using var good = await ComeAsync();
        for (var i = 0; i < near - 1; i++)
            await AskAsync();
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(good));
    }

    [Fact]
    public async Task Strangers_keep_no_connection_by_not_taking_refusals()
    {
        await StartAsync(near: 20, stall: TimeSpan.FromHours(1));
        for (var i = 0; i < 20; i++)
        {
            var crowd = await OpenAsync(window: 0);
            for (var one = 0; one < 50; one++)
                await crowd.RequestAsync(1 + (2 * one), "GET", one % 2 == 0 ? "/health" : "/v1/aggregates", one % 4 == 1 ? "nonsense" : null);
            await crowd.HeadAsync(99);
        }

        for (var i = 0; i < 40; i++)
            await AskAsync();
    }

    [Fact]
    public async Task Who_only_pings_does_not_count_as_in_use()
    {
        await StartAsync(near: 3, stall: TimeSpan.FromHours(1));
        var pinging = await OpenAsync();
        try
        {
            for (var i = 0; i < 4; i++)
            {
                await pinging.SendAsync(Frame.Ping, 0, 0, new byte[8]);
                await pinging.UntilAsync(static frame => frame is { Type: Frame.Ping, Ends: true });
                await OpenAsync();
            }
        }
        catch (Exception closed) when (closed is IOException or Xunit.Sdk.XunitException)
        {
            // It has gone already.
        }

        await pinging.RestAsync().WaitAsync(TimeSpan.FromSeconds(60), Cancellation); // a hang detector
    }

    [Fact]
    public async Task Streams_that_are_reset_as_fast_as_they_are_opened_stop_nobody()
    {
        await StartAsync(near: 100, stall: TimeSpan.FromHours(1));
        using var over = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var reset = 0;
        var crowd = Enumerable.Range(0, 2).Select(_ => Task.Run(
            async () =>
            {
                while (!over.IsCancellationRequested)
                {
                    await using var raw = await RawHttp2.OpenAsync(Server);
                    // What it is told is read and dropped, so that nothing but the server's own bounds ends it.
                    var reading = raw.RestAsync();
                    try
                    {
                        for (var id = 1; id < 40_000 && !over.IsCancellationRequested && !reading.IsCompleted; id += 2)
                        {
                            await raw.RequestAsync(id, "GET", "/v1/aggregates/big/b/events", Server.Root);
                            await raw.ResetAsync(id);
                            Interlocked.Increment(ref reset);
                        }
                    }
                    catch (IOException)
                    {
                        // It was told to calm down.
                    }
                }
            },
            Cancellation)).ToArray();
        using var client = Server.ClientOf(HttpVersion.Version20);
        var enough = TestTiers.Choose(5_000, 100_000, 1_000_000);
        do
        {
            using var answer = await client.GetAsync(new Uri("/health", UriKind.Relative), Cancellation).WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }
        while (Volatile.Read(ref reset) < enough && !crowd.Any(static one => one.IsFaulted));
        await over.CancelAsync();
        await Task.WhenAll(crowd);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1_000)]
    public async Task Headers_without_end_are_cut_off(int bytes)
    {
        _server = new(static options => options, static limits => limits.RequestHeadersTimeout = TimeSpan.FromSeconds(1));
        await _server.InitializeAsync();
        var raw = await OpenAsync();
        var reading = raw.RestAsync();
        await raw.SendAsync(Frame.Headers, 0, 1, RawHttp2.Block((":method", "GET"), (":scheme", "http"), (":authority", "x"), (":path", "/health")));
        var sent = 0;
        try
        {
            for (; !reading.IsCompleted; sent++)
                await raw.SendAsync(Frame.Continuation, 0, 1, bytes == 0 ? [] : RawHttp2.Block(($"x-{sent}", new string('x', bytes))));
        }
        catch (IOException)
        {
            // Cut off.
        }

        Assert.DoesNotContain(await reading, static frame => frame.Type == Frame.Headers);
        if (bytes > 0)
            Assert.InRange(sent, 1, 5_000);
        Assert.Equal(200, (await Server.GetAsync("/health")).Status);
    }

    [Fact]
    public async Task A_client_whose_other_requests_get_on_is_not_cut_off_for_one_that_does_not()
    {
        await StartAsync(near: 3, stall: TimeSpan.FromMilliseconds(200));
        var both = await OpenAsync(window: 0);
        await both.RequestAsync(1, "GET", "/v1/aggregates/big/b/events", Server.Root);
        await both.HeadAsync(1);
        // A body that is on its way still: this one is under way, and waits for nothing of ours.
        await both.RequestAsync(3, "POST", "/v1/events", Server.Root, ends: false, ("content-type", "application/json"));
        for (var i = 0; i < 12; i++)
        {
            await OpenAsync();
            await Task.Delay(50, Cancellation); // Well beyond the time that a stalled one has.
        }

        await both.SendAsync(Frame.Data, 1, 3, """{"aggregate_type":"c","aggregate_id":"1","event_type":"e","payload":{}}"""u8.ToArray());
        Assert.Equal(200, (await both.HeadAsync(3)).Status);
        // Now nothing is under way but what is not taken.
        var cut = both.RestAsync();
        for (var i = 0; i < 200 && !cut.IsCompleted; i++)
        {
            await OpenAsync();
            await Task.Delay(50, Cancellation); // Its last answer was taken: the time of a stalled one begins with that.
        }

        await cut.WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
    }

    async Task<RawHttp2> OpenAsync(int window = 65_535)
    {
        var raw = await RawHttp2.OpenAsync(Server, window);
        _opened.Add(raw);
        return raw;
    }

    /// <summary>A newcomer by a connection of its own, which stays.</summary>
    async Task AskAsync()
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        late.CancelAfter(TimeSpan.FromSeconds(120)); // a hang detector
        while (true)
        {
            late.Token.ThrowIfCancellationRequested();
            try
            {
                var said = await Server.SayAsync("GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
                if (said.StartsWith("HTTP/1.1 200 ", StringComparison.Ordinal))
                    return;
                Assert.Equal("", said);
            }
            catch (Exception cut) when (cut is IOException or SocketException)
            {
                // Not let in yet.
            }
        }
    }

    /// <summary>A client whose one connection is there.</summary>
    async Task<HttpClient> ComeAsync()
    {
        await AskAsync();
        var client = Server.ClientOf(HttpVersion.Version20);
        while (true)
        {
            try
            {
                Assert.Equal(HttpStatusCode.OK, await StatusAsync(client));
                return client;
            }
            catch (HttpRequestException)
            {
                Cancellation.ThrowIfCancellationRequested();
            }
        }
    }

    static async Task<HttpStatusCode> StatusAsync(HttpClient client)
    {
        using var answer = await client.GetAsync(new Uri("/v1/aggregates", UriKind.Relative), Cancellation);
        return answer.StatusCode;
    }
}
