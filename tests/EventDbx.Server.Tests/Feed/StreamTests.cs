using System.Diagnostics;
using System.Net;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.Feed;

/// <summary>The feed as server-sent events.</summary>
public sealed class StreamTests : IAsyncLifetime
{
    readonly RestServer _server = new();

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => _server.InitializeAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    Task<EventStream> OpenAsync(string query = "", string? last = null, string? token = null) => EventStream.OpenAsync(_server.Host.Port, token ?? _server.Root, query, Cancellation, last);

    [Fact]
    public async Task An_empty_feed_answers_at_once_and_tells_of_what_comes()
    {
        await using var stream = await OpenAsync();
        Assert.Equal(HttpStatusCode.OK, stream.Response.StatusCode);
        Assert.Equal("text/event-stream", stream.Response.Content.Headers.ContentType!.ToString());
        Assert.Equal("no-store", stream.Response.Headers.CacheControl!.ToString());
        Assert.Equal("no", Assert.Single(stream.Response.Headers.GetValues("X-Accel-Buffering")));
        await using var told = stream.ReadAsync(Cancellation).GetAsyncEnumerator(Cancellation);
        Assert.True(await told.MoveNextAsync());
        Assert.Equal(new(null, "", "", 1000), told.Current);

        for (var i = 1; i <= 3; i++)
        {
            var appended = await _server.AppendAsync("order", "o-1", "placed", $$"""{"n":{{i}}}""");
            Assert.True(await told.MoveNextAsync());
            var position = appended.Json.GetProperty("position").GetUInt64();
            Assert.Equal(new($"1-{position}", "event", $$"""{"cursor":"1-{{position}}","event":{{appended.Body}}}""", null), told.Current);
        }
    }

    [Fact]
    public async Task It_has_the_items_of_the_pages_with_filters_and_control_entries_alike()
    {
        await _server.AppendAsync("order", "o-1", "placed", """{"text":"two\r\nlines\u2028 and\n\nmore","id":": 1"}""");
        Assert.Equal(200, (await _server.PostAsync("/v1/events", "{\"aggregate_type\":\"order\",\"aggregate_id\":\"o-2\",\"event_type\":\"placed\",\"payload\":{ \"spread\" :\r\n\n\"over lines\" }}")).Status);
        await _server.AppendAsync("item", "i-1", "placed", "{}");
        await _server.AppendAsync("order", "o-1", "paid", "{}");
        await _server.SendAsync("POST", "/v1/aggregates/item/i-1/archive");
        foreach (var query in (string[])["", "?type=order", "?event_type=placed", "?type=order&event_type=paid", "?include=control", "?include=control,salt&type=item", "?after=3"])
        {
            var page = (await _server.GetAsync($"/v1/events{query}")).Json.GetProperty("items").EnumerateArray().ToArray();
            Assert.NotEmpty(page);
            await using var stream = await OpenAsync(query);
            var told = await stream.ReadAsync(Cancellation).Where(told => told.Data.Length > 0).Take(page.Length).ToListAsync(Cancellation);
            Assert.Equal(page.Select(item => item.GetRawText()), told.Select(told => told.Data));
            Assert.Equal(page.Select(item => item.GetProperty("cursor").GetString()), told.Select(told => told.Id));
            Assert.Equal(page.Select(item => item.TryGetProperty("control", out _) ? "control" : "event"), told.Select(told => told.Name));
        }
    }

    [Theory]
    [InlineData("text/event-stream", true)]
    [InlineData("Text/Event-Stream; charset=utf-8", true)]
    [InlineData("text/event-stream, */*", true)]
    [InlineData("text/event-stream;q=0.9, application/json;q=0.5", true)]
    [InlineData("application/json, text/event-stream", false)]
    [InlineData("application/json, text/event-stream;q=0.9", false)]
    [InlineData("text/event-stream;q=0", false)]
    [InlineData("*/*", false)]
    [InlineData("text/*", false)]
    [InlineData("nonsense//", false)]
    public async Task A_stream_is_for_who_names_it_and_prefers_it(string accept, bool stream)
    {
        var reply = await _server.SendAsync("HEAD", "/v1/events", headers: ("Accept", accept));
        Assert.Equal((200, stream ? "text/event-stream" : "application/json"), (reply.Status, reply["Content-Type"]));
    }

    [Theory]
    [InlineData("", "1-4")]
    [InlineData("?after=4", null)]
    [InlineData("?after=1-4", null)]
    [InlineData("?after=2", "1-4")]
    [InlineData("?after=4", "4")]
    public async Task It_resumes_behind_the_last_event_that_the_client_has(string query, string? last)
    {
        for (var i = 0; i < 6; i++)
            await _server.AppendAsync("order", $"o-{i}", "placed", "{}");
        await using var stream = await OpenAsync(query, last);
        var first = await stream.ReadAsync(Cancellation).FirstAsync(told => told.Id is not null, Cancellation);
        Assert.Equal("1-5", first.Id);
    }

    [Theory]
    [InlineData("?after=4", "1-3", 400, "invalid_argument", "Last-Event-ID is 1-3 and `after` is 1-4")]
    [InlineData("", "nonsense", 400, "invalid_argument", "Last-Event-ID is \"nonsense\"")]
    [InlineData("?after=nonsense", null, 400, "invalid_argument", "`after` is \"nonsense\"")]
    [InlineData("", "1-999", 400, "invalid_argument", "is 1-999, and the log ends at")]
    [InlineData("?take=3", null, 400, "invalid_argument", "`take` is \"3\"")]
    [InlineData("?include=everything", null, 400, "invalid_argument", "`include`")]
    [InlineData("?tipe=order", null, 400, "unknown_member", "`type`?")]
    [InlineData("", "2-1", 410, "cursor_gone", "The cursor 2-1")]
    [InlineData("?after=1", "0-1", 410, "cursor_gone", "The cursor 0-1")]
    public async Task What_cannot_be_streamed_is_refused_before_the_stream_begins(string query, string? last, int status, string code, string says)
    {
        for (var i = 0; i < 6; i++)
            await _server.AppendAsync("order", $"o-{i}", "placed", "{}");
        await using var stream = await OpenAsync(query, last);
        var reply = await Reply.OfAsync(stream.Response);
        Assert.Equal((status, code), (reply.Status, reply.Code));
        Assert.Contains(says, reply.Json.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal(0, _server.Host.Subscriptions.Open);
    }

    [Fact]
    public async Task A_page_heeds_no_last_event_id_and_says_so()
    {
        var reply = await _server.SendAsync("GET", "/v1/events", headers: ("Last-Event-ID", "1-1"));
        Assert.Equal((400, "invalid_argument"), (reply.Status, reply.Code));
        Assert.Contains("`after`", reply.Json.GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal(400, (await _server.SendAsync("GET", "/v1/events", headers: [("Accept", "text/event-stream"), ("Last-Event-ID", "1-1"), ("Last-Event-ID", "1-2")])).Status);
    }

    [Fact]
    public async Task Who_may_not_read_the_feed_is_refused_and_who_may_read_a_part_of_it_gets_that_part()
    {
        await _server.AppendAsync("order", "o-1", "placed", "{}");
        await _server.AppendAsync("item", "i-1", "placed", "{}");
        var part = await _server.TokenForAsync("feed.read", "aggregate:item:*");
        await using (var stream = await OpenAsync(token: await _server.TokenForAsync("aggregate.append")))
            Assert.Equal("permission_denied", (await Reply.OfAsync(stream.Response)).Code);
        await using (var stream = await OpenAsync("?include=control", token: part))
            Assert.Equal("permission_denied", (await Reply.OfAsync(stream.Response)).Code);
        await using (var stream = await OpenAsync(token: part))
            Assert.Contains("\"i-1\"", (await stream.ReadAsync(Cancellation).FirstAsync(told => told.Id is not null, Cancellation)).Data, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_token_that_is_revoked_ends_its_stream_within_a_second_with_the_reason()
    {
        var token = await _server.TokenForAsync("feed.read");
        await using var stream = await OpenAsync(token: token);
        await using var told = stream.ReadAsync(Cancellation).GetAsyncEnumerator(Cancellation);
        await told.MoveNextAsync();
        var started = Stopwatch.GetTimestamp();
        await _server.Host.Tokens.RevokeAsync(_server.Owner, token, "left", Cancellation);
        Assert.True(await told.MoveNextAsync());
        Assert.Equal(("error", null), (told.Current.Name, told.Current.Id));
        Assert.Equal("unauthenticated", told.Current.Json.GetProperty("code").GetString());
        Assert.False(await told.MoveNextAsync());
        // The bound of the code is a second (TokenBounds.WatchInterval); a machine with much else to do takes longer.
        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(45));
        await NoneIsLeftAsync();
    }

    [Fact]
    public async Task A_stop_ends_every_stream_with_a_refusal_that_says_to_come_again_and_waits_for_none()
    {
        await using var stream = await OpenAsync();
        await using var told = stream.ReadAsync(Cancellation).GetAsyncEnumerator(Cancellation);
        await told.MoveNextAsync();
        var started = Stopwatch.GetTimestamp();
        var stopped = _server.Host.StopAsync(TimeSpan.FromSeconds(60));
        Assert.True(await told.MoveNextAsync());
        Assert.Equal(("error", "unavailable", true), (told.Current.Name, told.Current.Json.GetProperty("code").GetString(), told.Current.Json.GetProperty("retryable").GetBoolean()));
        Assert.False(await told.MoveNextAsync());
        await stopped;
        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(45));
    }

    [CiTier("It waits for limits of time, one after the other.")]
    [Fact]
    public async Task There_are_so_many_subscriptions_at_most_and_who_goes_makes_room()
    {
        await using (await OpenAsync())
        {
            for (var i = 1; i < ServerLimits.SubscriptionsMax; i++)
                _server.Host.Subscriptions.Enter();
            await using var refused = await OpenAsync();
            Assert.Equal((503, "overloaded"), ((int)refused.Response.StatusCode, (await Reply.OfAsync(refused.Response)).Code));
        }

        while (_server.Host.Subscriptions.Open == ServerLimits.SubscriptionsMax)
            await Task.Delay(5, Cancellation);
        await using (var stream = await OpenAsync())
            Assert.Equal(HttpStatusCode.OK, stream.Response.StatusCode);
        for (var i = 1; i < ServerLimits.SubscriptionsMax; i++)
            _server.Host.Subscriptions.Leave();
        await NoneIsLeftAsync();
    }

    [Fact]
    public async Task A_heartbeat_moves_the_cursor_over_what_is_filtered_away()
    {
        await using var server = new RestServer(static options => options) { ChangeOptions = options => options with { Clock = new HastyClock(50) } };
        await server.InitializeAsync();
        await using var stream = await EventStream.OpenAsync(server.Host.Port, server.Root, "?type=none", Cancellation);
        await using var told = stream.ReadAsync(Cancellation).GetAsyncEnumerator(Cancellation);
        await told.MoveNextAsync();
        await server.AppendAsync("order", "o-1", "placed", "{}");
        for (var end = $"1-{server.Host.Database.LogSize}"; told.Current.Id != end;)
        {
            Assert.True(await told.MoveNextAsync());
            Assert.Equal("heartbeat", told.Current.Name);
            Assert.Equal($$"""{"cursor":"{{told.Current.Id}}"}""", told.Current.Data);
        }
    }

    [Fact]
    public async Task A_database_that_is_closed_under_a_stream_ends_it_with_the_reason()
    {
        await _server.AppendAsync("order", "o-1", "placed", "{}");
        await using var stream = await OpenAsync();
        await using var told = stream.ReadAsync(Cancellation).GetAsyncEnumerator(Cancellation);
        while (told.Current?.Id is null)
            Assert.True(await told.MoveNextAsync());
        // Whoever embeds the server may do that.
        await _server.Host.Database.DisposeAsync();
        Assert.True(await told.MoveNextAsync());
        Assert.Equal("error", told.Current.Name);
        Assert.False(await told.MoveNextAsync());
    }

    [Fact]
    public async Task Who_takes_nothing_of_a_stream_is_not_cut_off_for_it_as_others_are()
    {
        const int Events = 160;
        await using var server = new RestServer(static options => options, static limits => limits.MinResponseDataRate = new(100_000_000, TimeSpan.FromMilliseconds(1_100)));
        await server.InitializeAsync();
        var filler = new string('x', 65_000);
        for (var i = 0; i < Events; i++)
            await server.AppendAsync("big", "b", "grew", $$"""{"text":"{{filler}}"}""");
        using var page = await AskAsync(string.Concat(Enumerable.Repeat("GET /v1/events?take=50 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\n\r\n", 4)));
        using var stream = await AskAsync("GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer TOKEN\r\nAccept: text/event-stream\r\n\r\n");
        while (server.Host.Subscriptions.Open == 0)
            await Task.Delay(5, Cancellation);
        var open = server.Host.Status().Connections;
        while (server.Host.Status().Connections == open)
            await Task.Delay(20, Cancellation);

        // The page was cut; the stream goes on where it stood.
        Assert.Equal(1, server.Host.Subscriptions.Open);
        var (seen, last) = (0L, "");
        var piece = new byte[64 * 1024];
        while (!last.Contains($"\nid: 1-{server.Host.Database.LogSize}\n", StringComparison.Ordinal))
        {
            var read = await stream.ReceiveAsync(piece, Cancellation);
            Assert.True(read > 0, $"cut off after {seen} bytes");
            seen += read;
            last = last[Math.Max(0, last.Length - 100)..] + System.Text.Encoding.UTF8.GetString(piece, 0, read);
        }

        Assert.True(seen > Events * 65_000L);

        async Task<System.Net.Sockets.Socket> AskAsync(string request)
        {
            var socket = new System.Net.Sockets.Socket(System.Net.Sockets.SocketType.Stream, System.Net.Sockets.ProtocolType.Tcp) { ReceiveBufferSize = 32 * 1024 };
            await socket.ConnectAsync(IPAddress.Loopback, server.Host.Port, Cancellation);
            await socket.SendAsync(System.Text.Encoding.ASCII.GetBytes(request.Replace("TOKEN", server.Root, StringComparison.Ordinal)), Cancellation);
            return socket;
        }
    }

    async Task NoneIsLeftAsync()
    {
        while (_server.Host.Subscriptions.Open > 0)
            await Task.Delay(5, Cancellation);
    }
}
