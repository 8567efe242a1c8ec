using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.GraphQL;

/// <summary>GraphQL over server-sent events, a request for each operation.</summary>
public sealed class EventStreamTests : IAsyncLifetime
{
    readonly RestServer _server = new();
    readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false });

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => _server.InitializeAsync();

    public async ValueTask DisposeAsync()
    {
        _http.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task A_query_is_one_result_and_its_end()
    {
        var reply = await _server.QueryAsync("{ __typename }", headers: ("Accept", "text/event-stream"));
        Assert.Equal((200, "text/event-stream", "no-store"), (reply.Status, reply["Content-Type"], reply["Cache-Control"]));
        Assert.Equal("event: next\ndata: {\"data\":{\"__typename\":\"Query\"}}\n\nevent: complete\ndata:\n\n", reply.Body);
        var refused = await _server.QueryAsync("{", headers: ("Accept", "text/event-stream"));
        Assert.StartsWith("event: next\ndata: {\"errors\":[{\"message\":", refused.Body, StringComparison.Ordinal);
        Assert.EndsWith("\n\nevent: complete\ndata:\n\n", refused.Body, StringComparison.Ordinal);
        Assert.Equal(401, (await _server.QueryAsync("{ __typename }", token: null, headers: ("Accept", "text/event-stream"))).Status);
    }

    [Fact]
    public async Task A_subscription_brings_what_is_there_and_what_comes_until_the_token_is_revoked()
    {
        await _server.AppendAsync("fed", "1", "e", """{"line":"a\nb"}""");
        var token = await _server.TokenForAsync("*.*");
        using var response = await SubscribeAsync(token, "subscription { events { cursor event { aggregate_id payload } } }");
        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation));

        Assert.Equal("""{"aggregate_id":"1","payload":{"line":"a\nb"}}""", (await NextAsync(lines)).GetProperty("data").GetProperty("events").GetProperty("event").GetRawText());
        await _server.AppendAsync("fed", "2", "e", "{}");
        Assert.Equal("2", (await NextAsync(lines)).GetProperty("data").GetProperty("events").GetProperty("event").GetProperty("aggregate_id").GetString());

        await _server.Host.Tokens.RevokeAsync(_server.Owner, token, null, Cancellation);
        Assert.Equal("unauthenticated", (await NextAsync(lines)).GetProperty("errors")[0].GetProperty("extensions").GetProperty("code").GetString());
        Assert.Equal("event: complete\ndata:\n\n", await lines.ReadToEndAsync(Cancellation));
    }

    [Theory]
    [InlineData("1.1")]
    [InlineData("2.0")]
    public async Task A_subscription_that_nobody_reads_ends_with_its_token_and_with_the_server(string version)
    {
        await FillAsync(_server, 20);
        using var http = _server.ClientOf(new(version));
        var token = await _server.TokenForAsync("*.*");
        using var unread = await http.SendAsync(Asking(token, new(version)), HttpCompletionOption.ResponseHeadersRead, Cancellation);
        await WithinAsync(() => _server.Host.Subscriptions.Open == 1);
        await _server.Host.Tokens.RevokeAsync(_server.Owner, token, null, Cancellation);
        await WithinAsync(() => _server.Host.Subscriptions.Open == 0);

        using var again = await http.SendAsync(Asking(_server.Root, new(version)), HttpCompletionOption.ResponseHeadersRead, Cancellation);
        await WithinAsync(() => _server.Host.Subscriptions.Open == 1);
        var stopping = _server.Host.StopAsync(TimeSpan.FromMinutes(5));
        await WithinAsync(() => _server.Host.Subscriptions.Open == 0);
        await stopping.WaitAsync(TimeSpan.FromSeconds(30), Cancellation);
    }

    [Fact]
    public async Task Who_takes_nothing_of_a_subscription_is_not_cut_off_for_it_as_others_are()
    {
        await using var server = new RestServer(static options => options, static limits => limits.MinResponseDataRate = new(100_000_000, TimeSpan.FromMilliseconds(1_100)));
        await server.InitializeAsync();
        await FillAsync(server, 20);
        using var http = server.ClientOf(new(1, 1));
        using var unread = await http.SendAsync(Asking(server.Root, new(1, 1)), HttpCompletionOption.ResponseHeadersRead, Cancellation);
        await WithinAsync(() => server.Host.Subscriptions.Open == 1);
        var open = server.Host.Status().Connections;
        // An answer of the same size is cut.
        var query = "{" + string.Concat(Enumerable.Range(0, 20).Select(i => $" a{i}: aggregateEvents(aggregate_type: \"fed\", aggregate_id: \"{i}\") {{ payload }}")) + "}";
        using var answer = await http.SendAsync(Asking(server.Root, new(1, 1), query, "application/json"), HttpCompletionOption.ResponseHeadersRead, Cancellation);
        await WithinAsync(() => server.Host.Status().Connections > open);
        await WithinAsync(() => server.Host.Status().Connections == open);

        using var lines = new StreamReader(await unread.Content.ReadAsStreamAsync(Cancellation));
        for (var i = 0; i < 20; i++)
            Assert.Equal($"{i}", (await NextAsync(lines)).GetProperty("data").GetProperty("events").GetProperty("event").GetProperty("aggregate_id").GetString());
    }

    static HttpRequestMessage Asking(string token, Version version, string query = "subscription { events { event { aggregate_id payload } } }", string accept = "text/event-stream") => new(HttpMethod.Post, "/graphql")
    {
        Version = version, VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        Content = new StringContent(GraphQLCalls.Body(query), Encoding.UTF8, "application/json"),
        Headers = { { "Authorization", $"Bearer {token}" }, { "Accept", accept } },
    };

    /// <summary>More than fits between a server and a client that reads nothing.</summary>
    static async Task FillAsync(RestServer server, int events)
    {
        var filler = new string('x', 500_000);
        for (var i = 0; i < events; i++)
            await server.AppendAsync("fed", $"{i}", "e", $"\"{filler}\"");
    }

    static async Task WithinAsync(Func<bool> holds)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        late.CancelAfter(TimeSpan.FromMinutes(1));
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        while (!holds())
            await timer.WaitForNextTickAsync(late.Token);
    }

    [Fact]
    public async Task A_heartbeat_is_an_item_only_where_it_was_asked_for()
    {
        await using var server = new RestServer { ChangeOptions = static options => options with { Clock = new Quick() } };
        await server.InitializeAsync();
        await server.AppendAsync("other", "1", "e", "{}");
        using var asked = await SubscribeAsync(server.Root, "subscription { events(type: \"none\", heartbeat: true) { cursor position event { version } } }", server.Host.Port);
        using var lines = new StreamReader(await asked.Content.ReadAsStreamAsync(Cancellation));
        var item = (await NextAsync(lines)).GetProperty("data").GetProperty("events");
        Assert.Equal($$"""{"cursor":"1-{{server.Host.Database.LogSize}}","position":{{server.Host.Database.LogSize}},"event":null}""", item.GetRawText());

        using var quiet = await SubscribeAsync(server.Root, "subscription { events(type: \"none\") { cursor } }", server.Host.Port);
        using var comments = new StreamReader(await quiet.Content.ReadAsStreamAsync(Cancellation));
        for (var i = 0; i < 3; i++)
            Assert.Equal((":", ""), (await comments.ReadLineAsync(Cancellation), await comments.ReadLineAsync(Cancellation)));
    }

    /// <summary>Heartbeats are due a thousand times as often.</summary>
    sealed class Quick : TimeProvider
    {
        readonly long _from = System.GetTimestamp();

        public override long GetTimestamp() => _from + ((base.GetTimestamp() - _from) * 1000);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            base.CreateTimer(callback, state, dueTime > TimeSpan.Zero && dueTime <= ServerLimits.HeartbeatInterval && period == Timeout.InfiniteTimeSpan ? dueTime / 1000 : dueTime, period);
    }

    async Task<HttpResponseMessage> SubscribeAsync(string token, string query, int? port = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"http://127.0.0.1:{port ?? _server.Host.Port}/graphql") { Content = new StringContent(GraphQLCalls.Body(query), Encoding.UTF8, "application/json") };
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        request.Headers.Accept.ParseAdd("text/event-stream");
        var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.ToString());
        return response;
    }

    static async Task<JsonElement> NextAsync(StreamReader lines)
    {
        while (true)
        {
            var line = await lines.ReadLineAsync(Cancellation);
            Assert.NotNull(line);
            if (line.StartsWith("data: ", StringComparison.Ordinal))
            {
                Assert.Equal("", await lines.ReadLineAsync(Cancellation));
                return JsonDocument.Parse(line[6..]).RootElement;
            }
        }
    }
}
