using System.Net;
using System.Text;
using EventDbx.Server.Tests.Connections;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Tests.Rest;

/// <summary>A server to which requests are sent over HTTP/2.</summary>
public sealed class Http2RestServer : RestServer
{
    public Http2RestServer() => Version = HttpVersion.Version20;
}

/// <summary>What holds over HTTP/1.1 holds over HTTP/2.</summary>
public sealed class NamesOverHttp2Tests(Http2RestServer server) : NameTests(server), IClassFixture<Http2RestServer>;

/// <inheritdoc cref="NamesOverHttp2Tests"/>
public sealed class ConditionsOverHttp2Tests(Http2RestServer server) : ConditionTests(server), IClassFixture<Http2RestServer>;

/// <inheritdoc cref="NamesOverHttp2Tests"/>
public sealed class ReadsOverHttp2Tests(Http2RestServer server) : ReadTests(server), IClassFixture<Http2RestServer>;

/// <inheritdoc cref="NamesOverHttp2Tests"/>
public sealed class BadRequestsOverHttp2Tests(Http2RestServer server) : BadRequestTests(server), IClassFixture<Http2RestServer>;

/// <summary>Where HTTP/2 differs: what ends a request does not end its connection.</summary>
public sealed class Http2Tests(RestServer server) : IClassFixture<RestServer>
{
    const string Event = """{"aggregate_type":"h2","aggregate_id":"1","event_type":"e","payload":{}}""";

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("/v1/events", "root", 413, true)]
    [InlineData("/v1/events", "root", 413, false)]
    [InlineData("/v1/events", "nonsense", 401, false)]
    [InlineData("/v1/nothing", "root", 404, false)]
    [InlineData("/health", null, 405, false)]
    public async Task A_refusal_that_leaves_the_body_unread_ends_the_request_and_not_the_connection(string path, string? token, int status, bool announced)
    {
        await using var raw = await RawHttp2.OpenAsync(server);
        await raw.RequestAsync(
            1, "POST", path, token == "root" ? server.Root : token, ends: false, [("content-type", "application/json"), .. announced ? [("content-length", "100000000")] : ((string, string)[])[]]);
        var piece = new byte[16 * 1024];
        piece.AsSpan().Fill((byte)' ');
        // As much as it may send unasked.
        for (var sent = 0; sent < 64 * 1024; sent += piece.Length)
            await raw.SendAsync(Frame.Data, 0, 1, piece);
        if (status == 413 && !announced)
        {
            // Up to the limit, as it is let.
            var (given, left) = (ServerLimits.StreamWindowBytes - (64 * 1024), ServerLimits.ConnectionWindowBytes - (64 * 1024));
            Frame? head = null;
            while (head is null)
            {
                for (; given >= piece.Length && left >= piece.Length; given -= piece.Length, left -= piece.Length)
                    await raw.SendAsync(Frame.Data, 0, 1, piece);
                var frame = await raw.UntilAsync(static frame => frame.Type is Frame.Headers or Frame.WindowUpdate);
                if (frame.Type == Frame.Headers)
                    head = frame;
                else if (frame.Stream == 1)
                    given += (int)frame.Error;
                else
                    left += (int)frame.Error;
            }

            Assert.Equal(status, head.Status);
        }
        else
        {
            Assert.Equal(status, (await raw.HeadAsync(1)).Status);
        }

        // NO_ERROR: the answer is whole, and the rest of the body is not wanted.
        Assert.Equal(0u, (await raw.UntilAsync(static frame => frame.Type == Frame.Reset && frame.Stream == 1)).Error);
        await raw.RequestAsync(3, "GET", "/v1/aggregates", server.Root);
        Assert.Equal(200, (await raw.HeadAsync(3)).Status);
        // A slow request says how busy the machine was, and nothing about the server.
        lock (server.Lines)
            Assert.DoesNotContain(server.Lines, static line => line.Level >= LogLevel.Warning && !line.Message.StartsWith("slow request", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_short_body_that_is_refused_is_let_come_and_its_sender_is_not_told_to_stop()
    {
        await using var raw = await RawHttp2.OpenAsync(server);
        await raw.RequestAsync(1, "POST", "/v1/events", "nonsense", ends: false, ("content-type", "application/json"), ("content-length", "2"));
        // The answer waits for it: a request that came later is answered before.
        await raw.RequestAsync(3, "GET", "/health");
        Assert.Equal(3, (await raw.UntilAsync(static frame => frame.Type == Frame.Headers)).Stream);
        await raw.SendAsync(Frame.Data, 1, 1, "{}"u8.ToArray());
        Assert.Equal(401, (await raw.HeadAsync(1)).Status);
        await raw.RequestAsync(5, "GET", "/health");
        await raw.UntilAsync(static frame =>
        {
            Assert.NotEqual(Frame.Reset, frame.Type);
            return frame is { Type: Frame.Headers, Stream: 5 };
        });
    }

    [Fact]
    public async Task A_short_body_that_never_comes_is_answered_all_the_same()
    {
        await using var raw = await RawHttp2.OpenAsync(server);
        await raw.RequestAsync(1, "POST", "/v1/events", "nonsense", ends: false, ("content-type", "application/json"), ("content-length", "2"));
        Assert.Equal(401, (await raw.HeadAsync(1)).Status);
        Assert.Equal(0u, (await raw.UntilAsync(static frame => frame.Type == Frame.Reset && frame.Stream == 1)).Error);
    }

    [Fact]
    public async Task HEAD_says_what_GET_would_and_nothing_more()
    {
        await server.PostAsync("/v1/events", Event);
        using var client = server.ClientOf(HttpVersion.Version20);
        using var get = await client.GetAsync(new Uri("/v1/aggregates/h2/1", UriKind.Relative), Cancellation);
        using var head = await client.SendAsync(new(HttpMethod.Head, "/v1/aggregates/h2/1") { Version = HttpVersion.Version20 }, Cancellation);
        Assert.Equal((HttpStatusCode.OK, get.Content.Headers.ContentLength), (head.StatusCode, head.Content.Headers.ContentLength));
        Assert.Empty(await head.Content.ReadAsByteArrayAsync(Cancellation));
        using var again = new HttpRequestMessage(HttpMethod.Get, "/v1/aggregates/h2/1") { Version = HttpVersion.Version20 };
        again.Headers.IfNoneMatch.Add(get.Headers.ETag!);
        using var unchanged = await client.SendAsync(again, Cancellation);
        Assert.Equal((HttpStatusCode.NotModified, 0), (unchanged.StatusCode, (await unchanged.Content.ReadAsByteArrayAsync(Cancellation)).Length));
    }

    [Fact]
    public async Task A_body_is_called_for_once_it_is_wanted()
    {
        using var client = server.ClientOf(HttpVersion.Version20);
        client.DefaultRequestHeaders.ExpectContinue = true;
        using var body = new StringContent(Event, Encoding.UTF8, "application/json");
        using var taken = await client.PostAsync(new Uri("/v1/events", UriKind.Relative), body, Cancellation);
        Assert.Equal(HttpStatusCode.OK, taken.StatusCode);
    }

    [Fact]
    public async Task Trailers_change_nothing()
    {
        await using var raw = await RawHttp2.OpenAsync(server);
        await raw.RequestAsync(1, "POST", "/v1/events", server.Root, ends: false, ("content-type", "application/json"));
        await raw.SendAsync(Frame.Data, 0, 1, Encoding.UTF8.GetBytes(Event));
        await raw.SendAsync(Frame.Headers, 5, 1, RawHttp2.Block(("authorization", "Bearer nonsense"), ("if-match", "\"99\"")));
        Assert.Equal(200, (await raw.HeadAsync(1)).Status);
    }

    [Fact]
    public async Task A_request_without_authority_is_refused_or_answered_and_its_connection_stays()
    {
        await using var raw = await RawHttp2.OpenAsync(server);
        await raw.SendAsync(Frame.Headers, 5, 1, RawHttp2.Block((":method", "GET"), (":scheme", "http"), (":path", "/health")));
        await raw.UntilAsync(static frame => frame.Stream == 1 && frame.Type is Frame.Headers or Frame.Reset);
        await raw.SendAsync(Frame.Headers, 5, 3, RawHttp2.Block((":method", "GET"), (":scheme", "http"), (":path", "/health"), ("host", "localhost")));
        Assert.Equal(200, (await raw.HeadAsync(3)).Status);
    }

    [Fact]
    public async Task A_body_that_comes_slowly_does_not_end_the_other_requests_of_its_connection()
    {
        // Far below what a connection of HTTP/1.1 has to send in that time.
        await using var slow = new RestServer(static options => options, static limits => limits.MinRequestBodyDataRate = new(10_000, TimeSpan.FromSeconds(1.1)));
        await slow.InitializeAsync();
        await using var raw = await RawHttp2.OpenAsync(slow);
        await raw.RequestAsync(1, "POST", "/v1/events", slow.Root, ends: false, ("content-type", "application/json"));
        var text = Encoding.UTF8.GetBytes(Event);
        await raw.SendAsync(Frame.Data, 0, 1, text[..10]);
        await Task.Delay(TimeSpan.FromSeconds(3), Cancellation); // The rate is a matter of real time.
        await raw.SendAsync(Frame.Data, 1, 1, text[10..]);
        Assert.Equal(200, (await raw.HeadAsync(1)).Status);
    }
}
