using EventDbx.Protocol;
using EventDbx.Server.Tests.Rest;
using Grpc.Core;

namespace EventDbx.Server.Tests.Grpc;

/// <summary>Appends as a stream: order, window, and what becomes of it when either side ends it.</summary>
public sealed class AppendStreamTests : IAsyncLifetime
{
    readonly Troubles _troubles = new();
    readonly RestServer _server;
    GrpcClient _client = null!;

    public AppendStreamTests() => _server = new(options => options with { WrapEngine = engine => new Troubled(engine, _troubles) });

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
    public async Task A_stream_answers_in_the_order_of_its_requests_and_a_refusal_ends_nothing()
    {
        const int count = 3_000;
        using var stream = _client.Events.AppendStream(_client.Headers, cancellationToken: Cancellation);
        var sending = Task.Run(async () =>
        {
            for (var i = 0; i < count; i++)
            {
                // Every tenth is refused; the others expect the version that those before them lead to.
                var append = GrpcClient.Append($"{i % 3}", i % 10 == 9 ? "{" : $$"""{"n":{{i}}}""");
                append.ExpectedVersion = (ulong)Enumerable.Range(0, i).Count(before => before % 3 == i % 3 && before % 10 != 9);
                await stream.RequestStream.WriteAsync(new() { Tag = (ulong)(i * 7), Append = append }, Cancellation);
            }

            await stream.RequestStream.CompleteAsync();
        }, Cancellation);
        var (answered, position) = (0, 0UL);
        await foreach (var answer in stream.ResponseStream.ReadAllAsync(Cancellation))
        {
            Assert.Equal((ulong)(answered * 7), answer.Tag);
            if (answered % 10 == 9)
            {
                Assert.Equal(("invalid_payload", false, (int)StatusCode.InvalidArgument), (answer.Error.Code, answer.Error.Retryable, answer.Error.Status));
            }
            else
            {
                Assert.True(answer.OutcomeCase == AppendStreamResponse.OutcomeOneofCase.Appended, answer.ToString());
                Assert.Equal($$"""{"n":{{answered}}}""", answer.Appended.Event.PayloadJson);
                Assert.True(answer.Appended.Event.Position > position);
                position = answer.Appended.Event.Position;
            }

            answered++;
        }

        await sending;
        Assert.Equal(count, answered);
        Assert.Equal(StatusCode.OK, stream.GetStatus().StatusCode);
    }

    [Fact]
    public async Task A_refusal_in_a_stream_says_what_a_call_would_have_said()
    {
        await Conformance.DeclaredSchemas.ApplyAsync(_server.Owner, """{"strict":{"events":{"e":{}},"column_types":{"n":"integer"}}}""");
        var id = new Guid("01890a5d-ac96-774b-bcce-b302099a8057");
        using var stream = _client.Events.AppendStream(_client.Headers, cancellationToken: Cancellation);
        var late = GrpcClient.Append("1", "{}");
        late.ExpectedVersion = 7;
        var broken = GrpcClient.Append("1", """{"n":"x"}""");
        broken.AggregateType = "strict";
        var conflict = await AskAsync(stream, late);
        Assert.Equal(("version_conflict", 0UL, (int)StatusCode.Aborted), (conflict.Error.Code, conflict.Error.ActualVersion, conflict.Error.Status));
        Assert.Equal(["n type"], (await AskAsync(stream, broken)).Error.Violations.Select(violation => $"{violation.Path} {violation.Rule}"));
        Assert.Equal("invalid_name", (await AskAsync(stream, new())).Error.Code);
        Assert.Equal("invalid_argument", (await AskAsync(stream, null)).Error.Code);
        Assert.False((await AskAsync(stream, GrpcClient.Append("1", "{}", id))).Appended.Known);
        Assert.True((await AskAsync(stream, GrpcClient.Append("1", "{}", id))).Appended.Known);
        Assert.Equal("idempotency_conflict", (await AskAsync(stream, GrpcClient.Append("1", "1", id))).Error.Code);
    }

    [Fact]
    public async Task A_stream_may_not_what_its_token_may_not()
    {
        using var client = GrpcClient.Of(_server, await _server.TokenForAsync("aggregate.append", "aggregate:t:mine"));
        using var stream = client.Events.AppendStream(client.Headers, cancellationToken: Cancellation);
        Assert.Equal("permission_denied", (await AskAsync(stream, GrpcClient.Append("yours", "{}"))).Error.Code);
        Assert.Equal(1UL, (await AskAsync(stream, GrpcClient.Append("mine", "{}"))).Appended.Event.Version);
    }

    [Fact]
    public async Task A_stream_is_not_read_further_while_so_much_is_under_way()
    {
        var release = _troubles.HoldCommits();
        using var stream = _client.Events.AppendStream(_client.Headers, cancellationToken: Cancellation);
        var filler = new string('x', 100_000);
        var sent = 0;
        var sending = Task.Run(async () =>
        {
            for (var i = 0; i < 400; i++)
            {
                await stream.RequestStream.WriteAsync(new() { Tag = (ulong)i, Append = GrpcClient.Append("1", $$"""{"n":{{i}},"filler":"{{filler}}"}""") }, Cancellation);
                Volatile.Write(ref sent, i + 1);
            }

            await stream.RequestStream.CompleteAsync();
        }, Cancellation);
        // It stands still: 40 MB would be sent otherwise, and some megabytes lie in the window and between the two.
        var before = -1;
        for (var still = 0; still < 10; still++)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Cancellation);
            var now = Volatile.Read(ref sent);
            // It has to have begun.
            (before, still) = (now, now == before && now > 0 ? still : 0);
        }

        Assert.InRange(before, 1, 200);
        Assert.False(sending.IsCompleted);
        release();
        var answered = 0UL;
        await foreach (var answer in stream.ResponseStream.ReadAllAsync(Cancellation))
        {
            Assert.Equal((answered, answered + 1), (answer.Tag, answer.Appended.Event.Version));
            answered++;
        }

        await sending;
        Assert.Equal(400UL, answered);
    }

    [Fact]
    public async Task What_was_taken_is_committed_when_the_client_cancels()
    {
        var (taken, release) = _troubles.HoldAppends();
        var stream = _client.Events.AppendStream(_client.Headers, cancellationToken: Cancellation);
        await stream.RequestStream.WriteAsync(new() { Append = GrpcClient.Append("1", "{}") }, Cancellation);
        await taken;
        stream.Dispose();
        release();
        await _server.Owner.WaitForFeedAsync(1, Cancellation).WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
        Assert.Equal(1UL, _server.Owner.GetAggregate(AggregateKey.Create("t", "1")).Version);
        // And the server is rid of it.
        Assert.Equal(2UL, (await _client.AppendAsync(GrpcClient.Append("1", "{}"))).Event.Version);
    }

    [Fact]
    public async Task A_token_that_is_revoked_ends_its_stream_within_a_second()
    {
        var token = await _server.TokenForAsync("aggregate.append");
        using var client = GrpcClient.Of(_server, token);
        using var stream = client.Events.AppendStream(client.Headers, cancellationToken: Cancellation);
        Assert.Equal(1UL, (await AskAsync(stream, GrpcClient.Append("1", "{}"))).Appended.Event.Version);
        await _server.Host.Tokens.RevokeAsync(_server.Owner, token, "left", Cancellation);
        var refused = await GrpcRefusal.OfAsync(() => stream.ResponseStream.MoveNext(Cancellation));
        Assert.Equal((StatusCode.Unauthenticated, "unauthenticated"), (refused.Status, refused.Code));
    }

    [Fact]
    public async Task A_server_that_stops_answers_what_is_under_way_and_then_says_so()
    {
        var release = _troubles.HoldCommits();
        using var stream = _client.Events.AppendStream(_client.Headers, cancellationToken: Cancellation);
        var bytes = 0L;
        for (var i = 0; i < 10; i++)
        {
            var request = new AppendStreamRequest { Tag = (ulong)i, Append = GrpcClient.Append("1", "{}") };
            bytes += (long)request.CalculateSize() * ServerLimits.AppendStreamCost;
            await stream.RequestStream.WriteAsync(request, Cancellation);
        }

        using var late = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        late.CancelAfter(TimeSpan.FromMinutes(1));
        while (_server.Host.AppendBytesHeld < bytes)
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, late.Token);
        var stopping = _server.Host.StopAsync(TimeSpan.FromSeconds(30));
        release();
        var answered = 0UL;
        var refused = await GrpcRefusal.OfAsync(async () =>
        {
            await foreach (var answer in stream.ResponseStream.ReadAllAsync(Cancellation))
            {
                Assert.Equal((answered, answered + 1), (answer.Tag, answer.Appended.Event.Version));
                answered++;
            }
        });
        Assert.Equal((10UL, StatusCode.Unavailable, "unavailable", true), (answered, refused.Status, refused.Code, refused.Retryable));
        await stopping;
    }

    static async Task<AppendStreamResponse> AskAsync(AsyncDuplexStreamingCall<AppendStreamRequest, AppendStreamResponse> stream, AppendEventRequest? append)
    {
        await stream.RequestStream.WriteAsync(append is null ? new() { Tag = 5 } : new() { Tag = 5, Append = append }, Cancellation);
        Assert.True(await stream.ResponseStream.MoveNext(Cancellation));
        Assert.Equal(5UL, stream.ResponseStream.Current.Tag);
        return stream.ResponseStream.Current;
    }
}
