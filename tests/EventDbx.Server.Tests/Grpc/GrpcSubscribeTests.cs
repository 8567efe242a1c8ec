using EventDbx.Protocol;
using EventDbx.Server.Tests.Rest;
using Grpc.Core;

namespace EventDbx.Server.Tests.Grpc;

/// <summary>The feed over gRPC. What a subscription is, its own tests say; here is how it looks.</summary>
public sealed class GrpcSubscribeTests : IAsyncLifetime
{
    readonly RestServer _server = new();
    GrpcClient _client = null!;

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await _server.InitializeAsync();
        _client = GrpcClient.Of(_server);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task A_subscription_has_what_there_is_and_then_what_comes_and_resumes_at_any_item()
    {
        for (var i = 0; i < 5; i++)
            await _server.AppendAsync("t", $"{i}", "e", $"{i}");
        var seen = new List<SubscribeResponse>();
        using (var call = _client.Events.Subscribe(new(), _client.Headers, cancellationToken: Cancellation))
        {
            while (seen.Count < 5)
                seen.Add(await NextAsync(call));
            Assert.True(seen[^1].End);
            await _server.AppendAsync("t", "5", "e", "5");
            seen.Add(await NextAsync(call));
        }

        Assert.Equal(["0", "1", "2", "3", "4", "5"], seen.Select(item => item.Event.PayloadJson));
        Assert.All(seen, item => Assert.Equal((item.Event.Position, $"1-{item.Position}"), (item.Position, item.Cursor)));
        Assert.Equal(seen[2].Event, (await _client.Events.GetEventAsync(new() { AggregateType = "t", AggregateId = "2", Version = 1 }, _client.Headers, cancellationToken: Cancellation)).Event);
        using var again = _client.Events.Subscribe(new() { After = seen[2].Cursor }, _client.Headers, cancellationToken: Cancellation);
        Assert.Equal("3", (await NextAsync(again)).Event.PayloadJson);
        using var bare = _client.Events.Subscribe(new() { After = $"{seen[4].Position}" }, _client.Headers, cancellationToken: Cancellation);
        Assert.Equal("5", (await NextAsync(bare)).Event.PayloadJson);
    }

    [Fact]
    public async Task A_subscription_to_an_empty_feed_is_open_at_once()
    {
        using var call = _client.Events.Subscribe(new(), _client.Headers, cancellationToken: Cancellation);
        await call.ResponseHeadersAsync.WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
        await _server.AppendAsync("t", "1", "e", "1");
        Assert.Equal("1", (await NextAsync(call)).Event.PayloadJson);
    }

    [Fact]
    public async Task Filters_leave_out_and_control_entries_come_to_who_may_see_them()
    {
        await _server.AppendAsync("t", "1", "e", "1");
        await _server.AppendAsync("u", "1", "f", "2");
        await _client.Events.ArchiveAggregateAsync(new() { AggregateType = "t", AggregateId = "1" }, _client.Headers, cancellationToken: Cancellation);
        await _server.AppendAsync("t", "2", "f", "3");
        using (var types = _client.Events.Subscribe(new() { AggregateType = "t" }, _client.Headers, cancellationToken: Cancellation))
            Assert.Equal(["1", "3"], [(await NextAsync(types)).Event.PayloadJson, (await NextAsync(types)).Event.PayloadJson]);
        using (var events = _client.Events.Subscribe(new() { EventType = "f" }, _client.Headers, cancellationToken: Cancellation))
            Assert.Equal(["2", "3"], [(await NextAsync(events)).Event.PayloadJson, (await NextAsync(events)).Event.PayloadJson]);
        using (var all = _client.Events.Subscribe(new() { AggregateType = "t", IncludeControl = true }, _client.Headers, cancellationToken: Cancellation))
        {
            Assert.Equal("token_issue", (await NextAsync(all)).Control.Kind);
            Assert.Equal("1", (await NextAsync(all)).Event.PayloadJson);
            var archived = (await NextAsync(all)).Control;
            Assert.Equal(("archive", "t/1", "root"), (archived.Kind, archived.Subject, archived.IssuedBy.User));
            Assert.Equal("3", (await NextAsync(all)).Event.PayloadJson);
        }

        using var reader = GrpcClient.Of(_server, await _server.TokenForAsync("feed.read"));
        var refused = await RefusedAsync(reader, new() { IncludeControl = true });
        Assert.Equal((StatusCode.PermissionDenied, "permission_denied"), (refused.Status, refused.Code));
        using var allowed = reader.Events.Subscribe(new(), reader.Headers, cancellationToken: Cancellation);
        Assert.Equal("1", (await NextAsync(allowed)).Event.PayloadJson);
    }

    [Theory]
    [InlineData("1-99", StatusCode.InvalidArgument, "invalid_argument")]
    [InlineData("nonsense", StatusCode.InvalidArgument, "invalid_argument")]
    [InlineData("7-1", StatusCode.OutOfRange, "cursor_gone")]
    public async Task A_cursor_that_leads_nowhere_is_refused(string after, StatusCode status, string code)
    {
        var refused = await RefusedAsync(_client, new() { After = after });
        Assert.Equal((status, code), (refused.Status, refused.Code));
    }

    [Fact]
    public async Task A_subscription_ends_with_its_token_and_with_the_server()
    {
        var token = await _server.TokenForAsync("feed.read");
        using var client = GrpcClient.Of(_server, token);
        using var theirs = client.Events.Subscribe(new(), client.Headers, cancellationToken: Cancellation);
        using var ours = _client.Events.Subscribe(new(), _client.Headers, cancellationToken: Cancellation);
        await theirs.ResponseHeadersAsync;
        await ours.ResponseHeadersAsync;
        await _server.Host.Tokens.RevokeAsync(_server.Owner, token, "left", Cancellation);
        var refused = await GrpcRefusal.OfAsync(() => theirs.ResponseStream.MoveNext(Cancellation));
        Assert.Equal((StatusCode.Unauthenticated, "unauthenticated"), (refused.Status, refused.Code));
        var next = ours.ResponseStream.MoveNext(Cancellation);
        await _server.Host.StopAsync(TimeSpan.FromSeconds(20));
        refused = await GrpcRefusal.OfAsync(() => next);
        Assert.Equal((StatusCode.Unavailable, "unavailable", true), (refused.Status, refused.Code, refused.Retryable));
    }

    [Fact]
    public async Task Who_takes_nothing_keeps_no_subscription_longer_than_its_token_and_no_server_from_stopping()
    {
        for (var i = 0; i < 20; i++)
            await _server.AppendAsync("t", $"{i}", "e", $"\"{new string('x', 500_000)}\"");
        var token = await _server.TokenForAsync("feed.read");
        using var client = GrpcClient.Of(_server, token);
        using var theirs = client.Events.Subscribe(new(), client.Headers, cancellationToken: Cancellation);
        using var ours = _client.Events.Subscribe(new(), _client.Headers, cancellationToken: Cancellation);
        await theirs.ResponseHeadersAsync;
        await ours.ResponseHeadersAsync;
        await Task.Delay(TimeSpan.FromMilliseconds(500), TimeProvider.System, Cancellation);
        Assert.Equal(2, _server.Host.Subscriptions.Open);
        await _server.Host.Tokens.RevokeAsync(_server.Owner, token, "left", Cancellation);
        using var soon = new CancellationTokenSource(TimeSpan.FromMinutes(1), TimeProvider.System);
        while (_server.Host.Subscriptions.Open > 1)
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, soon.Token);
        await _server.Host.StopAsync(TimeSpan.FromMinutes(2)).WaitAsync(TimeSpan.FromMinutes(1), TimeProvider.System, Cancellation);
        lock (_server.Lines)
            Assert.DoesNotContain(_server.Lines, line => line.Level >= Microsoft.Extensions.Logging.LogLevel.Error);
    }

    [Fact]
    public async Task A_subscription_that_does_not_come_about_is_not_counted()
    {
        var request = new Server.Feed.FeedRequest { Session = _server.Owner, LookAtToken = static () => { }, After = null, Filter = new() };
        await Assert.ThrowsAsync<InvalidTimeZoneException>(() => Server.Feed.FeedSubscription.OpenAsync(_server.Host, request, new BrokenClock(), Cancellation));
        Assert.Equal(0, _server.Host.Subscriptions.Open);
    }

    sealed class BrokenClock : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => throw new InvalidTimeZoneException();
    }

    [Fact]
    public async Task Who_breaks_off_leaves_nothing_behind()
    {
        for (var i = 0; i < 20; i++)
        {
            using var call = _client.Events.Subscribe(new(), _client.Headers, cancellationToken: Cancellation);
            await call.ResponseHeadersAsync;
        }

        while (_server.Host.Subscriptions.Open > 0)
            await Task.Delay(TimeSpan.FromMilliseconds(10), TimeProvider.System, Cancellation);
        lock (_server.Lines)
            Assert.DoesNotContain(_server.Lines, line => line.Level > Microsoft.Extensions.Logging.LogLevel.Information);
    }

    static async Task<SubscribeResponse> NextAsync(AsyncServerStreamingCall<SubscribeResponse> call)
    {
        Assert.True(await call.ResponseStream.MoveNext(Cancellation));
        return call.ResponseStream.Current;
    }

    static Task<GrpcRefusal> RefusedAsync(GrpcClient client, SubscribeRequest request) => GrpcRefusal.OfAsync(async () =>
    {
        using var call = client.Events.Subscribe(request, client.Headers, cancellationToken: Cancellation);
        await call.ResponseStream.MoveNext(Cancellation);
    });
}
