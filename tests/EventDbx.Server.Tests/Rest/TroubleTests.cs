using EventDbx.Storage;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Tests.Rest;

/// <summary>What a caller is told when the store is full, broken, or at a fault of ours.</summary>
public sealed class TroubleTests : IAsyncLifetime
{
    readonly Troubles _troubles = new();
    readonly RestServer _server;

    public TroubleTests() => _server = new(options => options with { WrapEngine = engine => new Troubled(engine, _troubles) });

    public ValueTask InitializeAsync() => _server.InitializeAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    Task<Reply> AppendAsync(string payload) => _server.PostAsync("/v1/events", $$"""{"aggregate_type":"t","aggregate_id":"1","event_type":"e","payload":{{payload}}}""");

    [Fact]
    public async Task A_full_queue_is_503_and_says_when_to_come_back()
    {
        var release = _troubles.HoldCommits();
        var large = $"\"{new string('x', 1_000_000)}\"";
        var appends = Enumerable.Range(0, 80).Select(_ => AppendAsync(large)).ToList();
        Reply refused;
        do
        {
            var first = await Task.WhenAny(appends).WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
            appends.Remove(first);
            refused = await first;
            Assert.Equal((503, "overloaded", "1"), (refused.Status, refused.Code, refused["Retry-After"]));
            Assert.True(refused.Json.GetProperty("retryable").GetBoolean());
        }
        while (appends.Count > 78);
        release();
        Assert.All(await Task.WhenAll(appends), reply => Assert.True(reply.Status is 200 or 503, reply.Body));
        Assert.Equal(200, (await AppendAsync("1")).Status);
    }

    [Fact]
    public async Task A_writer_that_has_stopped_is_503_everywhere_but_in_reads_and_health()
    {
        Assert.Equal(200, (await AppendAsync("1")).Status);
        Assert.Equal(200, (await _server.GetAsync("/ready")).Status);
        _troubles.OnCommit = () => throw new StorageFailedException("The disk is gone.");
        var failed = await AppendAsync("2");
        Assert.Equal((503, "unavailable"), (failed.Status, failed.Code));
        Assert.False(failed.Json.GetProperty("retryable").GetBoolean());
        // It is written down once everybody who waited has been answered.
        for (var told = false; !told; await Task.Delay(10, TestContext.Current.CancellationToken))
        {
            lock (_server.Lines)
                told = _server.Lines.Exists(line => line.Level == LogLevel.Critical);
        }

        lock (_server.Lines)
            Assert.Contains("The disk is gone.", Assert.Single(_server.Lines, line => line.Level == LogLevel.Critical).Message, StringComparison.Ordinal);
        var ready = await _server.GetAsync("/ready", token: null);
        Assert.Equal((503, "unavailable"), (ready.Status, ready.Code));
        Assert.DoesNotContain("disk", ready.Body, StringComparison.Ordinal);
        Assert.Equal(200, (await _server.GetAsync("/health", token: null)).Status);
        Assert.Equal(1, (await _server.GetAsync("/v1/aggregates/t/1")).Json.GetProperty("version").GetInt32());
        Assert.NotNull(ServerStatus.Read((await _server.GetAsync("/admin/status")).Json).Unhealthy);
    }

    [Fact]
    public async Task A_fault_of_ours_is_500_without_details_and_is_written_down()
    {
        Assert.Equal(200, (await AppendAsync("1")).Status);
        _troubles.OnView = () => throw new InvalidOperationException("the inside of things");
        var reply = await _server.GetAsync("/v1/aggregates/t/1");
        _troubles.OnView = null;
        Assert.Equal((500, "internal"), (reply.Status, reply.Code));
        Assert.DoesNotContain("inside", reply.Body, StringComparison.Ordinal);
        lock (_server.Lines)
        {
            var line = Assert.Single(_server.Lines, line => line.Level == LogLevel.Error);
            Assert.IsType<InvalidOperationException>(line.Failure);
        }

        Assert.Equal(200, (await _server.GetAsync("/v1/aggregates/t/1")).Status);
    }

    [Fact]
    public async Task A_verify_that_finds_something_ends_with_the_error_and_the_server_is_not_ready_until_one_finds_nothing()
    {
        Assert.Equal(200, (await AppendAsync("1")).Status);
        Assert.Equal(200, (await _server.GetAsync("/ready")).Status);
        _troubles.OnVerifyFiles = () => throw new RefusedException(RefusalCode.IntegrityViolation, "A file is not what was written.");
        var reply = await _server.SendAsync("POST", "/v1/verify");
        var last = reply.Body.TrimEnd('\n').Split('\n')[^1];
        Assert.Equal((200, """{"error":{"code":"integrity_violation","message":"A file is not what was written.","retryable":false}}"""), (reply.Status, last));
        Assert.Equal(503, (await _server.GetAsync("/ready")).Status);
        Assert.Equal("A verify has found that history was changed: A file is not what was written.", _server.Host.Status().Unhealthy);
        Assert.Equal(200, (await AppendAsync("2")).Status);

        _troubles.OnVerifyFiles = null;
        Assert.Equal(200, (await _server.SendAsync("POST", "/v1/verify")).Status);
        Assert.Equal((200, null), ((await _server.GetAsync("/ready")).Status, _server.Host.Status().Unhealthy));
    }
}
