using EventDbx.Server.Tests.Rest;
using Grpc.Core;
using Grpc.Health.V1;
using static Grpc.Health.V1.HealthCheckResponse.Types;

namespace EventDbx.Server.Tests.Grpc;

/// <summary><c>grpc.health.v1</c>, asked by whoever balances load.</summary>
public sealed class GrpcHealthTests : IAsyncLifetime
{
    readonly Troubles _troubles = new();
    readonly RestServer _server;
    GrpcClient _client = null!;

    public GrpcHealthTests() => _server = new(options => options with { WrapEngine = engine => new Troubled(engine, _troubles) });

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    global::Grpc.Health.V1.Health.HealthClient Probe => new(_client.Channel);

    public async ValueTask InitializeAsync()
    {
        await _server.InitializeAsync();
        _client = new(_server.Host.Port, token: null);
    }

    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await _server.DisposeAsync();
    }

    [Theory]
    [InlineData("")]
    [InlineData("dbx.api.EventService")]
    [InlineData("eventdbx.api.EventService")]
    public async Task The_server_and_both_names_of_its_service_are_serving(string service) =>
        Assert.Equal(ServingStatus.Serving, (await Probe.CheckAsync(new() { Service = service }, cancellationToken: Cancellation)).Status);

    [Fact]
    public async Task Methods_are_bound_by_the_first_calls_however_many_come_at_once_and_not_by_a_start_or_by_others()
    {
        await _server.SendAsync("GET", "/v1/status");
        Assert.False(_server.Host.IsGrpcBound);

        var answers = await Task.WhenAll(Enumerable.Range(0, 32).Select(_ => Probe.CheckAsync(new(), cancellationToken: Cancellation).ResponseAsync));

        Assert.All(answers, answer => Assert.Equal(ServingStatus.Serving, answer.Status));
        Assert.True(_server.Host.IsGrpcBound);
    }

    [Fact]
    public async Task A_service_that_is_not_there_is_not_found_and_watched_it_is_unknown()
    {
        Assert.Equal((StatusCode.NotFound, "not_found"), await GrpcRefusal.OfAsync(Probe.CheckAsync(new() { Service = "nothing" }, cancellationToken: Cancellation)) is var refused ? (refused.Status, refused.Code) : default);
        using var watch = Probe.Watch(new() { Service = "nothing" }, cancellationToken: Cancellation);
        Assert.True(await watch.ResponseStream.MoveNext(Cancellation));
        Assert.Equal(ServingStatus.ServiceUnknown, watch.ResponseStream.Current.Status);
    }

    [Fact]
    public async Task Who_watches_is_told_of_a_change_and_of_the_end()
    {
        using var watch = Probe.Watch(new(), cancellationToken: Cancellation);
        Assert.True(await watch.ResponseStream.MoveNext(Cancellation));
        Assert.Equal(ServingStatus.Serving, watch.ResponseStream.Current.Status);
        _troubles.OnVerifyFiles = () => throw new RefusedException(RefusalCode.IntegrityViolation, "A file is not what was written.");
        await _server.SendAsync("POST", "/v1/verify");
        Assert.True(await watch.ResponseStream.MoveNext(Cancellation));
        Assert.Equal(ServingStatus.NotServing, watch.ResponseStream.Current.Status);
        _troubles.OnVerifyFiles = null;
        await _server.SendAsync("POST", "/v1/verify");
        Assert.True(await watch.ResponseStream.MoveNext(Cancellation));
        Assert.Equal(ServingStatus.Serving, watch.ResponseStream.Current.Status);
        var stopping = _server.Host.StopAsync(TimeSpan.FromSeconds(20));
        Assert.True(await watch.ResponseStream.MoveNext(Cancellation));
        Assert.Equal(ServingStatus.NotServing, watch.ResponseStream.Current.Status);
        Assert.Equal("unavailable", (await GrpcRefusal.OfAsync(() => watch.ResponseStream.MoveNext(Cancellation))).Code);
        await stopping;
    }
}
