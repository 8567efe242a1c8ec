using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.GraphQL;

/// <summary>GraphQL over WebSockets, by the protocol <c>graphql-transport-ws</c>.</summary>
public sealed class SocketTests : IAsyncLifetime
{
    const string Subscription = "subscription($after: String) { events(after: $after) { cursor position event { aggregate_id payload } } }";

    readonly RestServer _server = new();

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    Uri Address => new($"ws://127.0.0.1:{_server.Host.Port}/graphql");

    public ValueTask InitializeAsync() => _server.InitializeAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task A_subscription_brings_what_is_there_then_what_comes_and_goes_on_from_its_cursor()
    {
        for (var i = 0; i < 3; i++)
            await _server.AppendAsync("fed", $"{i}", "e", $$$"""{"n":1.50,"i":{{{i}}}}""");
        await using var socket = await TransportSocket.ConnectAsync(Address, _server.Root, Cancellation);
        await socket.SubscribeAsync("a", Subscription, null, Cancellation);
        var cursors = new List<string>();
        for (var i = 0; i < 3; i++)
        {
            var item = await NextAsync(socket, "a");
            Assert.Equal($$$$"""{"aggregate_id":"{{{{i}}}}","payload":{"n":1.50,"i":{{{{i}}}}}}""", item.GetProperty("event").GetRawText());
            cursors.Add(item.GetProperty("cursor").GetString()!);
        }

        await _server.AppendAsync("fed", "3", "e", "{}");
        Assert.Equal("3", (await NextAsync(socket, "a")).GetProperty("event").GetProperty("aggregate_id").GetString());

        await socket.SendAsync("""{"id":"a","type":"complete"}""", Cancellation);
        await UntilAsync(() => _server.Host.Subscriptions.Open == 0);
        await socket.SubscribeAsync("a", Subscription, $$"""{"after":"{{cursors[1]}}"}""", Cancellation);
        Assert.Equal("2", (await NextAsync(socket, "a")).GetProperty("event").GetProperty("aggregate_id").GetString());
        // Beside it, queries and mutations.
        await socket.SubscribeAsync("b", "mutation { appendEvent(input: { aggregate_type: \"fed\", aggregate_id: \"4\", event_type: \"e\", payload: 7 }) { version } }", null, Cancellation);
        var seen = new List<string>();
        while (seen.Count < 4)
            seen.Add(Shape((await socket.ReceiveAsync(Cancellation))!.Value));
        Assert.Equal(["complete b", "next a", "next a", "next b"], seen.Order(StringComparer.Ordinal));
    }

    static string Shape(JsonElement message) => $"{message.GetProperty("type").GetString()} {message.GetProperty("id").GetString()}";

    [Fact]
    public async Task What_is_not_asked_for_does_not_come()
    {
        await _server.AppendAsync("fed", "1", "wanted", "{}");
        await _server.AppendAsync("other", "2", "wanted", "{}");
        await _server.AppendAsync("fed", "3", "unwanted", "{}");
        await _server.AppendAsync("fed", "4", "wanted", "{}");
        await using var socket = await TransportSocket.ConnectAsync(Address, _server.Root, Cancellation);
        await socket.SubscribeAsync("a", "subscription { events(after: \"0\", type: \"fed\", event_type: \"wanted\") { event { aggregate_id } } }", null, Cancellation);
        Assert.Equal("1", (await NextAsync(socket, "a")).GetProperty("event").GetProperty("aggregate_id").GetString());
        Assert.Equal("4", (await NextAsync(socket, "a")).GetProperty("event").GetProperty("aggregate_id").GetString());
    }

    [Theory]
    [InlineData("""{"type":"subscribe","id":"1","payload":{"query":"{ __typename }"}}""", 4401)]
    [InlineData("""{"type":"connection_init"}""", 4403)]
    [InlineData("""{"type":"connection_init","payload":{"authorization":"Bearer nonsense"}}""", 4403)]
    [InlineData("""{"type":"connection_init","payload":{"authorization":7}}""", 4403)]
    [InlineData("""{"type":"connection_init","payload":7}""", 4400)]
    [InlineData("""{"type":"start","id":"1"}""", 4400)]
    [InlineData("""{"id":"1"}""", 4400)]
    [InlineData("""{"type":"ping","more":1}""", 4400)]
    [InlineData("[]", 4400)]
    [InlineData("{", 4400)]
    [InlineData("", 4400)]
    public async Task Who_does_not_keep_to_the_protocol_is_sent_away_with_its_code(string first, int code)
    {
        await using var socket = await TransportSocket.OpenAsync(Address, null, Cancellation);
        await socket.SendAsync(first, Cancellation);
        Assert.Null(await socket.ReceiveAsync(Cancellation));
        Assert.Equal(code, socket.Closed.Code);
    }

    [Theory]
    [InlineData("""{"type":"connection_init"}""", 4429)]
    [InlineData("""{"type":"subscribe","id":"1","payload":{"query":"subscription { events { cursor } }"}}""", 4409)]
    [InlineData("""{"type":"subscribe","payload":{"query":"{ __typename }"}}""", 4400)]
    [InlineData("""{"type":"subscribe","id":"2"}""", 4400)]
    [InlineData("""{"type":"subscribe","id":"2","payload":{"query":"{ __typename }","more":1}}""", 4400)]
    public async Task The_same_holds_later(string later, int code)
    {
        await using var socket = await TransportSocket.ConnectAsync(Address, _server.Root, Cancellation);
        await socket.SubscribeAsync("1", "subscription { events { cursor } }", null, Cancellation);
        await socket.SendAsync("""{"type":"ping"}""", Cancellation);
        Assert.Equal("pong", (await socket.ReceiveAsync(Cancellation))!.Value.GetProperty("type").GetString());
        await socket.SendAsync(later, Cancellation);
        Assert.Null(await socket.ReceiveAsync(Cancellation));
        Assert.Equal(code, socket.Closed.Code);
    }

    [Fact]
    public async Task Who_says_nothing_at_first_is_sent_away_and_so_is_a_message_without_end()
    {
        await using var impatient = new RestServer { ChangeOptions = static options => options with { Clock = new Hasty() } };
        await impatient.InitializeAsync();
        await using var silent = await TransportSocket.OpenAsync(new($"ws://127.0.0.1:{impatient.Host.Port}/graphql"), null, Cancellation);
        Assert.Null(await silent.ReceiveAsync(Cancellation));
        Assert.Equal(4408, silent.Closed.Code);

        await using var endless = await TransportSocket.ConnectAsync(Address, _server.Root, Cancellation);
        for (var sent = 0; sent <= ServerLimits.GraphQLMessageBytesMax; sent += 64 * 1024)
            await endless.SendAsync(new byte[64 * 1024], WebSocketMessageType.Text, false, Cancellation);
        Assert.Null(await endless.ReceiveAsync(Cancellation));
        Assert.Equal(1009, endless.Closed.Code);

        await using var binary = await TransportSocket.ConnectAsync(Address, _server.Root, Cancellation);
        await binary.SendAsync(new byte[4], WebSocketMessageType.Binary, true, Cancellation);
        Assert.Null(await binary.ReceiveAsync(Cancellation));
        Assert.Equal(4400, binary.Closed.Code);
    }

    /// <summary>Its timers are due at once.</summary>
    sealed class Hasty : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            base.CreateTimer(callback, state, dueTime == ServerLimits.GraphQLInitTimeout ? TimeSpan.FromMilliseconds(1) : dueTime, period);
    }

    [Fact]
    public async Task A_token_in_the_header_will_do_and_a_bad_one_there_is_refused_before_the_upgrade()
    {
        await using var socket = await TransportSocket.OpenAsync(Address, _server.Root, Cancellation);
        await socket.SendAsync("""{"type":"connection_init","payload":{"client":"mine"}}""", Cancellation);
        Assert.Equal("connection_ack", (await socket.ReceiveAsync(Cancellation))!.Value.GetProperty("type").GetString());
        await socket.SubscribeAsync("1", "{ __typename }", null, Cancellation);
        Assert.Equal("""{"id":"1","type":"next","payload":{"data":{"__typename":"Query"}}}""", (await socket.ReceiveAsync(Cancellation))!.Value.GetRawText());
        Assert.Equal("""{"id":"1","type":"complete"}""", (await socket.ReceiveAsync(Cancellation))!.Value.GetRawText());

        Assert.Contains("401", (await Assert.ThrowsAsync<WebSocketException>(() => TransportSocket.OpenAsync(Address, "nonsense", Cancellation))).Message, StringComparison.Ordinal);
        Assert.Contains("400", (await Assert.ThrowsAsync<WebSocketException>(() => TransportSocket.OpenAsync(Address, null, Cancellation, "graphql-ws"))).Message, StringComparison.Ordinal);
        Assert.Contains("404", (await Assert.ThrowsAsync<WebSocketException>(() => TransportSocket.OpenAsync(new(Address, "/v1/graphql"), null, Cancellation))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("{ nothing }", "invalid_argument")]
    [InlineData("subscription { events(after: \"never\") { cursor } }", "invalid_argument")]
    [InlineData("subscription { events(after: \"999999\") { cursor } }", "invalid_argument")]
    [InlineData("subscription { a: events { cursor } b: events { cursor } }", "invalid_argument")]
    [InlineData("subscription { events @skip(if: true) { cursor } }", "invalid_argument")]
    public async Task What_cannot_run_is_an_error_and_the_connection_stays(string query, string code)
    {
        await using var socket = await TransportSocket.ConnectAsync(Address, _server.Root, Cancellation);
        await socket.SubscribeAsync("1", query, null, Cancellation);
        var error = (await socket.ReceiveAsync(Cancellation))!.Value;
        Assert.Equal("error 1", Shape(error));
        Assert.Equal(code, error.GetProperty("payload")[0].GetProperty("extensions").GetProperty("code").GetString());
        await socket.SubscribeAsync("1", "{ __typename }", null, Cancellation);
        Assert.Equal("next 1", Shape((await socket.ReceiveAsync(Cancellation))!.Value));
        Assert.Equal(0, _server.Host.Subscriptions.Open);
    }

    [Fact]
    public async Task Only_so_many_operations_are_under_way_on_one_connection()
    {
        await using var socket = await TransportSocket.ConnectAsync(Address, _server.Root, Cancellation);
        for (var i = 0; i < ServerLimits.GraphQLSocketOperationsMax; i++)
            await socket.SubscribeAsync($"{i}", "subscription { events { cursor } }", null, Cancellation);
        await socket.SubscribeAsync("more", "{ __typename }", null, Cancellation);
        var refused = (await socket.ReceiveAsync(Cancellation))!.Value;
        Assert.Equal("error more", Shape(refused));
        Assert.Equal("overloaded", refused.GetProperty("payload")[0].GetProperty("extensions").GetProperty("code").GetString());
        await socket.SendAsync("""{"id":"7","type":"complete"}""", Cancellation);
        await UntilAsync(() => _server.Host.Subscriptions.Open < ServerLimits.GraphQLSocketOperationsMax);
    }

    [Fact]
    public async Task What_the_client_completes_keeps_its_place_until_it_has_ended()
    {
        const int Max = ServerLimits.GraphQLSocketOperationsMax;
        await FillAsync(_server, 20);
        await using var socket = await TransportSocket.ConnectAsync(Address, _server.Root, Cancellation);
        var next = 0;
        for (var round = 0; round < 3; round++)
        {
            // Nothing of it is read, so each waits with an item but the one that is being sent.
            var first = next;
            for (var i = 0; i < Max - 1; i++)
                await socket.SubscribeAsync($"{next++}", Subscription, null, Cancellation);
            await UntilAsync(() => _server.Host.Subscriptions.Open >= Max - 1);
            for (var id = first; id < next; id++)
                await socket.SendAsync($$"""{"id":"{{id}}","type":"complete"}""", Cancellation);
            await UntilAsync(() => _server.Host.Subscriptions.Open <= 1);
        }

        // The one whose item is on its way has its place still.
        for (var i = 0; i < Max; i++)
            await socket.SubscribeAsync($"{next++}", Subscription, null, Cancellation);
        await UntilAsync(() => _server.Host.Subscriptions.Open == Max);
        // Once it is read it has ended, and the last one begins in its place.
        while (Shape((await socket.ReceiveAsync(Cancellation))!.Value) != $"next {next - 1}")
            Assert.True(_server.Host.Subscriptions.Open <= Max);
    }

    [Fact]
    public async Task Answers_that_nobody_takes_end_their_socket_and_a_subscription_waits()
    {
        await using var server = new RestServer { ChangeOptions = static options => options with { Clock = new HastyClock(10) } };
        await server.InitializeAsync();
        await FillAsync(server, 20);
        var address = new Uri($"ws://127.0.0.1:{server.Host.Port}/graphql");
        await using var paused = await TransportSocket.ConnectAsync(address, server.Root, Cancellation);
        await paused.SubscribeAsync("1", Subscription, null, Cancellation);
        await UntilAsync(() => server.Host.Subscriptions.Open == 1);

        await using var socket = await TransportSocket.ConnectAsync(address, server.Root, Cancellation);
        var query = "{" + string.Concat(Enumerable.Range(0, 20).Select(i => $" a{i}: aggregateEvents(aggregate_type: \"fed\", aggregate_id: \"{i}\") {{ payload }}")) + "}";
        for (var i = 0; i < 3; i++)
            await socket.SubscribeAsync($"{i}", query, null, Cancellation);
        await UntilAsync(() => server.Host.GraphQL.Gathered > 5_000_000);
        await UntilAsync(() => server.Host.GraphQL.Gathered < 5_000_000);
        await Assert.ThrowsAnyAsync<WebSocketException>(async () =>
        {
            while (await socket.ReceiveAsync(Cancellation) is not null)
            {
            }

            Assert.Equal(1013, socket.Closed.Code);
            throw new WebSocketException("closed with its reason");
        });

        Assert.Equal(1, server.Host.Subscriptions.Open);
        for (var i = 0; i < 20; i++)
            await NextAsync(paused, "1");
        // Who takes what comes has as many as he likes.
        for (var i = 0; i < 3; i++)
            await paused.SubscribeAsync($"a{i}", query, null, Cancellation);
        var completed = 0;
        while (completed < 3)
            completed += (await paused.ReceiveAsync(Cancellation))!.Value.GetProperty("type").GetString() == "complete" ? 1 : 0;
    }

    static async Task FillAsync(RestServer server, int events)
    {
        var filler = new string('x', 500_000);
        for (var i = 0; i < events; i++)
            await server.AppendAsync("fed", $"{i}", "e", $"\"{filler}\"");
    }

    [Fact]
    public async Task Who_may_not_read_the_feed_is_told_so()
    {
        var token = await _server.TokenForAsync("aggregate.read", "aggregate:mine:*");
        await using var socket = await TransportSocket.ConnectAsync(Address, token, Cancellation);
        await socket.SubscribeAsync("1", Subscription, null, Cancellation);
        var error = (await socket.ReceiveAsync(Cancellation))!.Value;
        Assert.Equal("permission_denied", error.GetProperty("payload")[0].GetProperty("extensions").GetProperty("code").GetString());
    }

    [Fact]
    public async Task A_token_that_is_revoked_ends_its_sockets_within_a_second()
    {
        var token = await _server.TokenForAsync("*.*");
        await using var socket = await TransportSocket.ConnectAsync(Address, token, Cancellation);
        await using var other = await TransportSocket.ConnectAsync(Address, _server.Root, Cancellation);
        await socket.SubscribeAsync("1", "subscription { events { cursor } }", null, Cancellation);
        await UntilAsync(() => _server.Host.Subscriptions.Open == 1);
        await _server.Host.Tokens.RevokeAsync(_server.Owner, token, null, Cancellation);
        while (await socket.ReceiveAsync(Cancellation) is { } message)
            Assert.Equal("error 1", Shape(message));
        Assert.Equal(4403, socket.Closed.Code);
        await UntilAsync(() => _server.Host.Subscriptions.Open == 0);
        await other.SendAsync("""{"type":"ping"}""", Cancellation);
        Assert.Equal("pong", (await other.ReceiveAsync(Cancellation))!.Value.GetProperty("type").GetString());
    }

    [Fact]
    public async Task A_stop_ends_them_and_waits_for_none()
    {
        await using var socket = await TransportSocket.ConnectAsync(Address, _server.Root, Cancellation);
        await socket.SubscribeAsync("1", "subscription { events { cursor } }", null, Cancellation);
        await UntilAsync(() => _server.Host.Subscriptions.Open == 1);
        var stopping = _server.Host.StopAsync(TimeSpan.FromMinutes(2));
        while (await socket.ReceiveAsync(Cancellation) is { } message)
            Assert.Equal("unavailable", message.GetProperty("payload")[0].GetProperty("extensions").GetProperty("code").GetString());
        Assert.Equal(1001, socket.Closed.Code);
        await stopping.WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
    }

    [Fact]
    public async Task One_who_reads_nothing_is_paused_and_costs_little()
    {
        const int Events = 60, EventBytes = 500_000;
        var filler = new string('x', EventBytes);
        for (var i = 0; i < Events; i++)
            await _server.AppendAsync("slow", "1", "e", $$"""{"n":"{{i}}{{filler}}"}""");
        await using var socket = await TransportSocket.ConnectAsync(Address, _server.Root, Cancellation);
        GC.Collect();
        var before = GC.GetTotalMemory(forceFullCollection: true);
        await socket.SubscribeAsync("1", Subscription, null, Cancellation);
        await UntilAsync(() => _server.Host.Subscriptions.Open == 1);
        // The others go on meanwhile.
        for (var i = 0; i < 20; i++)
            await _server.AppendAsync("quick", "1", "e", "{}");

        Assert.True(GC.GetTotalMemory(forceFullCollection: true) - before < Events * EventBytes / 2);
        for (var i = 0; i < Events; i++)
            Assert.StartsWith($"{{\"n\":\"{i}x", (await NextAsync(socket, "1")).GetProperty("event").GetProperty("payload").GetRawText(), StringComparison.Ordinal);
    }

    static async Task<JsonElement> NextAsync(TransportSocket socket, string id)
    {
        var message = (await socket.ReceiveAsync(Cancellation))!.Value;
        Assert.Equal($"next {id}", Shape(message));
        return message.GetProperty("payload").GetProperty("data").GetProperty("events");
    }

    static async Task UntilAsync(Func<bool> holds)
    {
        using var late = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        late.CancelAfter(TimeSpan.FromSeconds(30));
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (!holds())
            await timer.WaitForNextTickAsync(late.Token);
    }
}
