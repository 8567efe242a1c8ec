using System.Buffers.Binary;
using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using EventDbx.Protocol;
using EventDbx.Server.Grpc;
using EventDbx.Server.Tests.Rest;
using Google.Protobuf;
using Grpc.Core;

namespace EventDbx.Server.Tests.Grpc;

/// <summary>Messages that are too large, broken or compressed, and calls that take too long.</summary>
[CiTier("It waits until limits of time are reached.")]
public sealed class GrpcLimitTests : IAsyncLifetime
{
    readonly Troubles _troubles = new();
    readonly RestServer _server;
    readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false });
    GrpcClient _client = null!;

    public GrpcLimitTests() => _server = new(options => options with { WrapEngine = engine => new Troubled(engine, _troubles) });

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        await _server.InitializeAsync();
        _client = GrpcClient.Of(_server);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        _http.Dispose();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task A_message_as_large_as_a_request_may_be_is_taken_and_a_larger_one_is_not()
    {
        var batch = new AppendEventsRequest { Minimal = true };
        for (var i = 0; i < 16; i++)
            batch.Events.Add(GrpcClient.Append($"{i}", $"\"{new string('x', 1_000_000)}\""));
        Assert.Equal(16, (await _client.Events.AppendEventsAsync(batch, _client.Headers, cancellationToken: Cancellation)).Results.Count);
        batch.Events.Add(GrpcClient.Append("17", $"\"{new string('x', 1_000_000)}\""));
        var refused = await GrpcRefusal.OfAsync(_client.Events.AppendEventsAsync(batch, _client.Headers, cancellationToken: Cancellation));
        Assert.Equal((StatusCode.ResourceExhausted, "request_too_large"), (refused.Status, refused.Code));
        // The connection is as good as before, and what was counted has been given back.
        for (var i = 0; i < 20; i++)
            await _client.AppendAsync(GrpcClient.Append("1", $"\"{new string('x', 1_000_000)}\""));
    }

    [Fact]
    public async Task A_crowd_of_large_messages_is_bounded_and_told_to_come_back()
    {
        var release = _troubles.HoldCommits();
        // Each is counted four times: 512 MB are enough for eight of them.
        var large = new AppendEventsRequest { Minimal = true };
        for (var i = 0; i < 15; i++)
            large.Events.Add(GrpcClient.Append($"{i}", $"\"{new string('x', 1_000_000)}\""));
        var calls = Enumerable.Range(0, 12).Select(_ => _client.Events.AppendEventsAsync(large, _client.Headers, cancellationToken: Cancellation).ResponseAsync).ToList();
        var first = await Task.WhenAny(calls);
        var refused = await GrpcRefusal.OfAsync(() => first);
        Assert.Equal((StatusCode.Unavailable, "overloaded", true), (refused.Status, refused.Code, refused.Retryable));
        Assert.Equal(TimeSpan.FromSeconds(1), refused.RetryInfo!.RetryDelay.ToTimeSpan());
        release();
        foreach (var call in calls)
        {
            await call.ContinueWith(static _ => { }, Cancellation, TaskContinuationOptions.None, TaskScheduler.Default);
            if (call.IsFaulted)
                Assert.Equal("overloaded", (await GrpcRefusal.OfAsync(() => call)).Code);
        }

        Assert.Contains(calls, call => call.IsCompletedSuccessfully);
        await _client.AppendAsync(GrpcClient.Append("1", "{}"));
    }

    [Fact]
    public async Task Compressed_messages_are_taken_and_a_small_one_that_becomes_large_is_not()
    {
        byte[] Gzip(byte[] bytes)
        {
            using var output = new MemoryStream();
            using (var gzip = new GZipStream(output, CompressionLevel.SmallestSize))
                gzip.Write(bytes);
            return output.ToArray();
        }

        var message = GrpcClient.Append("1", """{"n":1}""").ToByteArray();
        Assert.Equal(StatusCode.OK, (await SendAsync(Gzip(message), compressed: true, "gzip")).Status);
        var bomb = Gzip(new byte[512 * 1024 * 1024]);
        Assert.InRange(bomb.Length, 1, 1024 * 1024);
        Assert.Equal((StatusCode.ResourceExhausted, "request_too_large"), await SendAsync(bomb, compressed: true, "gzip"));
        Assert.Equal((StatusCode.InvalidArgument, "invalid_argument"), await SendAsync(message, compressed: true, "gzip"));
        Assert.Equal((StatusCode.Unimplemented, "unsupported_media_type"), await SendAsync(message, compressed: true, "br"));
        Assert.Equal((StatusCode.InvalidArgument, "invalid_argument"), await SendAsync(message, compressed: true, null));
    }

    [Fact]
    public async Task What_is_no_message_is_refused_with_a_reason()
    {
        Assert.Equal((StatusCode.InvalidArgument, "invalid_argument"), await SendAsync([0x0a, 0xff], compressed: false, null));
        Assert.Equal((StatusCode.InvalidArgument, "invalid_argument"), await SendAsync(GrpcClient.Append("1", "{}").ToByteArray(), compressed: false, null, announced: 100_000));
        Assert.Equal((StatusCode.ResourceExhausted, "request_too_large"), await SendAsync([], compressed: false, null, announced: int.MaxValue));
        Assert.Equal((StatusCode.InvalidArgument, "invalid_argument"), await SendAsync([1, 2, 3], compressed: false, null, announced: 0));
        foreach (var method in new[] { "AppendEvent", "AppendStream" })
        {
            // A length of 4 GiB less one, and a flag that is neither.
            Assert.Equal((StatusCode.ResourceExhausted, "request_too_large"), await SendAsync([], compressed: false, null, announced: -1, method: method));
            Assert.Equal((StatusCode.InvalidArgument, "invalid_argument"), await SendAsync([0], compressed: false, null, method: method, flag: 2));
        }

        lock (_server.Lines)
            Assert.DoesNotContain(_server.Lines, line => line.Level >= Microsoft.Extensions.Logging.LogLevel.Error);
        Assert.Equal(404, (await _server.GetAsync("/v1/aggregates/t/1")).Status);
    }

    [Fact]
    public async Task What_is_open_to_everybody_takes_small_messages_only()
    {
        using var stranger = new GrpcClient(_server.Host.Port, token: null);
        var health = new global::Grpc.Health.V1.Health.HealthClient(stranger.Channel);
        Assert.Equal("not_found", (await GrpcRefusal.OfAsync(health.CheckAsync(new() { Service = new('x', 3_000) }, cancellationToken: Cancellation))).Code);
        var refused = await GrpcRefusal.OfAsync(health.CheckAsync(new() { Service = new('x', 100_000) }, cancellationToken: Cancellation));
        Assert.Equal((StatusCode.ResourceExhausted, "request_too_large"), (refused.Status, refused.Code));
        refused = await GrpcRefusal.OfAsync(async () =>
        {
            using var call = new global::Grpc.Reflection.V1.ServerReflection.ServerReflectionClient(stranger.Channel).ServerReflectionInfo(cancellationToken: Cancellation);
            await call.RequestStream.WriteAsync(new() { FileContainingSymbol = new('x', 20_000) }, Cancellation);
            await call.ResponseStream.MoveNext(Cancellation);
        });
        Assert.Equal((StatusCode.ResourceExhausted, "request_too_large"), (refused.Status, refused.Code));
    }

    [Theory]
    [InlineData("10S", StatusCode.OK, null)]
    [InlineData("99999999m", StatusCode.OK, null)]
    [InlineData("abc", StatusCode.InvalidArgument, "invalid_argument")]
    [InlineData("10", StatusCode.InvalidArgument, "invalid_argument")]
    [InlineData("S", StatusCode.InvalidArgument, "invalid_argument")]
    [InlineData("-1S", StatusCode.InvalidArgument, "invalid_argument")]
    [InlineData("123456789S", StatusCode.InvalidArgument, "invalid_argument")]
    [InlineData("0n", StatusCode.DeadlineExceeded, "request_timeout")]
    public async Task A_deadline_that_is_none_is_refused(string timeout, StatusCode status, string? code)
    {
        Assert.Equal((status, code), await SendAsync(GrpcClient.Append("1", "{}").ToByteArray(), compressed: false, null, timeout: timeout));
        Assert.Equal(status == StatusCode.OK ? 200 : 404, (await _server.GetAsync("/v1/aggregates/t/1")).Status);
    }

    [Fact]
    public async Task A_message_of_a_stream_has_its_time_from_its_first_byte_and_one_that_is_late_is_told_so()
    {
        // Its 60 s are over in 2.
        await using var server = new RestServer { ChangeOptions = static options => options with { Clock = new HastyClock(30) } };
        await server.InitializeAsync();
        using (var client = GrpcClient.Of(server))
        {
            using var stream = client.Events.AppendStream(client.Headers, cancellationToken: Cancellation);
            await stream.ResponseHeadersAsync;
            // It is silent for longer than a message may take, and that is no part of the message.
            await Task.Delay(TimeSpan.FromMilliseconds(2_200), TimeProvider.System, Cancellation);
            await stream.RequestStream.WriteAsync(new() { Tag = 2, Append = GrpcClient.Append("1", $"\"{new string('x', 200_000)}\"") }, Cancellation);
            Assert.True(await stream.ResponseStream.MoveNext(Cancellation));
            Assert.Equal(1UL, stream.ResponseStream.Current.Appended.Event.Version);
        }

        using var request = new HttpRequestMessage(HttpMethod.Post, $"http://127.0.0.1:{server.Host.Port}/dbx.api.EventService/AppendStream")
        {
            Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact, Content = new HalfOfMessage(),
        };
        request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {server.Root}");
        using var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
        await answer.Content.ReadAsByteArrayAsync(Cancellation);
        Assert.Equal((StatusCode.Unavailable, "request_timeout"), StatusOf(answer));
    }

    [Fact]
    public async Task A_deadline_ends_the_wait_and_not_the_append()
    {
        var id = new Guid("01890a5d-ac96-774b-bcce-b302099a8057");
        var (taken, release) = _troubles.HoldAppends();
        var ended = await Assert.ThrowsAsync<RpcException>(() => _client.AppendAsync(GrpcClient.Append("1", "{}", id), TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(4)));
        Assert.Equal(StatusCode.DeadlineExceeded, ended.StatusCode);
        await taken;
        release();
        var again = await _client.AppendAsync(GrpcClient.Append("1", "{}", id));
        Assert.Equal((true, 1UL), (again.Known, again.Event.Version));
        Assert.Equal(2UL, (await _client.AppendAsync(GrpcClient.Append("1", "{}"))).Event.Version);
    }

    [Fact]
    public async Task A_cancel_ends_the_wait_and_not_the_append()
    {
        var (taken, release) = _troubles.HoldAppends();
        using var cancelled = new CancellationTokenSource();
        var call = _client.Events.AppendEventAsync(GrpcClient.Append("1", "{}"), _client.Headers, cancellationToken: cancelled.Token);
        await taken;
        await cancelled.CancelAsync();
        Assert.Equal(StatusCode.Cancelled, (await Assert.ThrowsAsync<RpcException>(async () => await call)).StatusCode);
        release();
        await _server.Owner.WaitForFeedAsync(1, Cancellation).WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
        Assert.Equal(1UL, _server.Owner.GetAggregate(AggregateKey.Create("t", "1")).Version);
    }

    [Fact]
    public async Task A_writer_that_has_stopped_is_unavailable_for_good()
    {
        await _client.AppendAsync(GrpcClient.Append("1", "{}"));
        _troubles.OnCommit = () => throw new Storage.StorageFailedException("The disk is gone.");
        var refused = await GrpcRefusal.OfAsync(() => _client.AppendAsync(GrpcClient.Append("1", "{}")));
        Assert.Equal((StatusCode.Unavailable, "unavailable", false), (refused.Status, refused.Code, refused.Retryable));
        var health = new global::Grpc.Health.V1.Health.HealthClient(_client.Channel);
        Assert.Equal(global::Grpc.Health.V1.HealthCheckResponse.Types.ServingStatus.NotServing, (await health.CheckAsync(new(), cancellationToken: Cancellation)).Status);
        Assert.Equal(1UL, (await _client.Events.GetAggregateAsync(new() { AggregateType = "t", AggregateId = "1" }, _client.Headers, cancellationToken: Cancellation)).Aggregate.Version);
    }

    [Fact]
    public async Task A_fault_of_ours_is_internal_written_down_and_says_nothing()
    {
        _troubles.OnView = () => throw new InvalidOperationException("a secret of ours");
        var refused = await GrpcRefusal.OfAsync(_client.Events.GetAggregateAsync(new() { AggregateType = "t", AggregateId = "1" }, _client.Headers, cancellationToken: Cancellation));
        _troubles.OnView = null;
        Assert.Equal((StatusCode.Internal, "internal"), (refused.Status, refused.Code));
        Assert.DoesNotContain("secret", refused.Message, StringComparison.Ordinal);
        lock (_server.Lines)
            Assert.Contains(_server.Lines, line => line.Level == Microsoft.Extensions.Logging.LogLevel.Error && line.Message.Contains("a secret of ours", StringComparison.Ordinal));
    }

    /// <summary>One AppendEvent, byte by byte.</summary>
    async Task<(StatusCode Status, string? Code)> SendAsync(byte[] message, bool compressed, string? encoding, int? announced = null, string method = "AppendEvent", byte? flag = null, string? timeout = null)
    {
        var frame = new byte[5 + message.Length];
        frame[0] = flag ?? (compressed ? (byte)1 : (byte)0);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), announced ?? message.Length);
        message.CopyTo(frame, 5);
        using var request = new HttpRequestMessage(HttpMethod.Post, $"http://127.0.0.1:{_server.Host.Port}/eventdbx.api.EventService/{method}")
        {
            Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact, Content = new ByteArrayContent(frame),
        };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/grpc");
        request.Headers.TryAddWithoutValidation("TE", "trailers");
        request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {_server.Root}");
        if (encoding is not null)
            request.Headers.TryAddWithoutValidation("grpc-encoding", encoding);
        if (timeout is not null)
            request.Headers.TryAddWithoutValidation("grpc-timeout", timeout);
        using var answer = await _http.SendAsync(request, Cancellation);
        await answer.Content.ReadAsByteArrayAsync(Cancellation);
        return StatusOf(answer);
    }

    static (StatusCode Status, string? Code) StatusOf(HttpResponseMessage answer)
    {
        var trailers = answer.Headers.Contains("grpc-status") ? (HttpHeaders)answer.Headers : answer.TrailingHeaders;
        var status = (StatusCode)int.Parse(trailers.GetValues("grpc-status").Single(), System.Globalization.CultureInfo.InvariantCulture);
        return status == StatusCode.OK ? (status, null) : (status, Google.Rpc.Status.Parser.ParseFrom(
            Convert.FromBase64String(trailers.GetValues(GrpcRefusals.DetailsTrailer).Single())).Details[0].Unpack<Google.Rpc.ErrorInfo>().Reason);
    }

    /// <summary>The beginning of a message, and then nothing.</summary>
    sealed class HalfOfMessage : HttpContent
    {
        public HalfOfMessage() => Headers.ContentType = new("application/grpc");

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, Cancellation);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellation)
        {
            await stream.WriteAsync(new byte[] { 0, 0, 0, 1, 0, 10, 100 }, cancellation);
            await stream.FlushAsync(cancellation);
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellation);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
