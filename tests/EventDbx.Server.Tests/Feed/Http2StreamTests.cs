using System.Net;
using EventDbx.Server.Tests.Connections;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.Feed;

/// <summary>The feed as server-sent events over HTTP/2.</summary>
[CiTier("It fills what readers do not take.")]
public sealed class Http2StreamTests
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_stream_is_told_what_comes_beats_where_nothing_does_and_resumes()
    {
        await using var server = new RestServer(static options => options) { ChangeOptions = options => options with { Clock = new HastyClock(50) } };
        await server.InitializeAsync();
        string last;
        await using (var stream = await EventStream.OpenAsync(server.Host.Port, server.Root, "", Cancellation, version: HttpVersion.Version20))
        {
            Assert.Equal((HttpStatusCode.OK, HttpVersion.Version20), (stream.Response.StatusCode, stream.Response.Version));
            await using var told = stream.ReadAsync(Cancellation).GetAsyncEnumerator(Cancellation);
            Assert.True(await told.MoveNextAsync());
            Assert.Equal(1000, told.Current.Retry);
            var appended = await server.AppendAsync("order", "o-1", "placed", "{}");
            last = await NextAsync(told, "event");
            Assert.Equal($"1-{appended.Json.GetProperty("position").GetUInt64()}", last);
            Assert.Equal(last, await NextAsync(told, "heartbeat"));
        }

        await server.AppendAsync("order", "o-2", "placed", "{}");
        await using var resumed = await EventStream.OpenAsync(server.Host.Port, server.Root, "", Cancellation, last, HttpVersion.Version20);
        await using var rest = resumed.ReadAsync(Cancellation).GetAsyncEnumerator(Cancellation);
        await NextAsync(rest, "event");
        Assert.Equal("o-2", rest.Current.Json.GetProperty("event").GetProperty("aggregate_id").GetString());
    }

    [Theory]
    [InlineData(0, "its own window")]
    [InlineData(1_000_000, "that of the connection")]
    public async Task Who_takes_nothing_of_a_stream_is_not_cut_off_for_it_nor_is_what_else_goes_over_its_connection(int window, string waitsFor)
    {
        const int Events = 8, EventBytes = 65_000;
        await using var server = new RestServer(static options => options, static limits => limits.MinResponseDataRate = new(100_000_000, TimeSpan.FromMilliseconds(1_100)));
        await server.InitializeAsync();
        for (var i = 0; i < Events; i++)
            await server.AppendAsync("big", "b", "grew", $$"""{"text":"{{new string('x', EventBytes)}}"}""");
        await using var raw = await RawHttp2.OpenAsync(server, window);
        await raw.RequestAsync(1, "GET", "/v1/events", server.Root, true, ("accept", "text/event-stream"));
        await raw.HeadAsync(1);

        // Far beyond what its rate would give it: Kestrel looks once a second, so that there is nothing to wait for but time.
        await Task.Delay(TimeSpan.FromSeconds(4), Cancellation);
        Assert.Equal(1, server.Host.Subscriptions.Open);
        var seen = 0;
        await raw.RequestAsync(3, "HEAD", "/v1/events", server.Root);
        Assert.Equal(200, (await raw.UntilAsync(frame => Count(frame) && frame is { Type: Frame.Headers, Stream: 3 })).Status);

        // It goes on where it stood.
        await raw.AllowAsync(0, 10_000_000);
        await raw.AllowAsync(1, 10_000_000);
        await raw.UntilAsync(frame => Count(frame) && seen >= Events * EventBytes);

        bool Count(Frame frame)
        {
            Assert.False(frame.Type is Frame.Reset or Frame.GoAway, waitsFor);
            seen += frame is { Type: Frame.Data, Stream: 1 } ? frame.Payload.Length : 0;
            return true;
        }
    }

    static async Task<string> NextAsync(IAsyncEnumerator<Told> told, string name)
    {
        do
            Assert.True(await told.MoveNextAsync());
        while (told.Current.Name != name);
        return told.Current.Id!;
    }
}
