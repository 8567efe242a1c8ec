using EventDbx.Server.Telemetry;
using EventDbx.Server.Tests.Rest;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Tests.Telemetry;

public sealed class RequestLogTests
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Each_request_is_a_line_at_debug_that_no_name_can_forge()
    {
        await using var server = MetricsTests.Quiet();
        await server.InitializeAsync();
        var token = await server.IssueAsync(new() { Group = "night shift", User = "kim \"root=1", Actions = ["*.*"], Resources = ["*"], TtlSeconds = 0 });
        await server.SendAsync("GET", "/v1/aggregates/t/1?at=2030", token: null);
        await server.SendAsync("GET", "/v1/aggregates/made%20up/x%3Dy", token: token, headers: ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
        await server.SendAsync("GET", "/nothing%20status=200", token: null);

        var lines = await LinesAsync(server, 3);

        Assert.Matches(@"^request method=GET route=/v1/aggregates/\{type\}/\{id\} status=401 took_ms=[0-9.]+ code=unauthenticated bytes=[0-9]+ peer=127\.0\.0\.1:[0-9]+$", lines[0].Message);
        Assert.Matches(
            """^request method=GET route=/v1/aggregates/\{type\}/\{id\} status=404 took_ms=[0-9.]+ code=not_found bytes=[0-9]+ group="night shift" user="kim \\"root=1" peer=127\.0\.0\.1:[0-9]+ trace=0af7651916cd43dd8448eb211c80319c$""",
            lines[1].Message);
        Assert.Matches(@"^request method=GET route=none status=4[0-9]{2} ", lines[2].Message);
        Assert.DoesNotContain(lines, line => line.Message.Contains("made", StringComparison.Ordinal) || line.Message.Contains("nothing", StringComparison.Ordinal));
        // What is written has one line, whatever a name has.
        Assert.Single(Server.Logs.LogText.Of(lines[1]).TrimEnd('\n').Split('\n'));
        Assert.Equal(["rest", "rest", "server"], lines.Select(line => line.Source));
    }

    [Fact]
    public async Task Above_debug_no_request_is_a_line()
    {
        await using var server = new RestServer { ChangeOptions = static options => options with { LogFrom = LogLevel.Information, CheckpointInterval = null } };
        await server.InitializeAsync();
        Assert.Equal(200, (await server.GetAsync("/health")).Status);
        await server.Host.DisposeAsync();
        lock (server.Lines)
            Assert.DoesNotContain(server.Lines, line => line.Message.StartsWith("request ", StringComparison.Ordinal));
        await server.StartAsync();
    }

    [Fact]
    public void Slow_requests_are_warned_about_ten_times_a_minute_and_then_counted_and_what_takes_long_by_nature_is_not()
    {
        var clock = new WindowClock();
        using var log = new Recorded(clock, slowMs: 100);
        for (var i = 0; i < 25; i++)
            log.Ended(milliseconds: 100);
        log.Ended(milliseconds: 99);
        log.Ended(milliseconds: 60_000, takesLong: true);
        log.Ended(milliseconds: 60_000, surface: Surface.Grpc, method: "duplex_stream");

        Assert.Equal(10, log.Warnings.Count);
        Assert.StartsWith("slow request method=GET route=/v1/aggregates status=200 took_ms=100.0", log.Warnings[0].Message, StringComparison.Ordinal);
        clock.EndWindow();
        Assert.Equal("15 more slow requests in this minute have no line of their own.", log.Warnings[10].Message);
        log.Ended(milliseconds: 101);
        Assert.Equal(12, log.Warnings.Count);
        clock.EndWindow();
        Assert.Equal(12, log.Warnings.Count);
    }

    [Fact]
    public void A_threshold_of_zero_warns_about_nothing()
    {
        using var log = new Recorded(new WindowClock(), slowMs: 0);
        log.Ended(milliseconds: 3_600_000);
        Assert.Empty(log.Warnings);
    }

    [Fact]
    public async Task Exports_and_verifies_are_no_slow_requests_and_a_slow_append_is_one()
    {
        await using var server = new RestServer { ChangeOptions = static options => options with { CheckpointInterval = null, Config = options.Config with { SlowRequestMs = 1 }, Clock = new HurriedClock() } };
        await server.InitializeAsync();
        await server.AppendAsync("t", "1", "e", "{}");
        Assert.Equal(200, (await server.SendAsync("POST", "/v1/verify")).Status);
        Assert.Equal(200, (await server.PostAsync("/v1/evidence", """{"aggregates":[{"aggregate_type":"t","aggregate_id":"1"}]}""")).Status);
        await LinesAsync(server, 3);

        var page = await MetricsTests.PageAsync(server);
        Assert.Equal(1, page["""dbx_requests_total{surface="rest",method="POST",route="/v1/verify",status="200"}"""]);
        Assert.Null(page["""dbx_request_duration_seconds_count{surface="rest",method="POST",route="/v1/verify"}"""]);
        Assert.Equal(1, page["""dbx_request_duration_seconds_count{surface="rest",method="POST",route="/v1/events"}"""]);
        Assert.Equal(1, page["""dbx_requests_slow_total{surface="rest"}"""]);
        lock (server.Lines)
        {
            Assert.StartsWith("slow request method=POST route=/v1/events status=200 ", Assert.Single(server.Lines, line => line.Message.StartsWith("slow", StringComparison.Ordinal) && line.Source == "rest").Message, StringComparison.Ordinal);
        }
    }

    static async Task<List<LogLine>> LinesAsync(RestServer server, int count)
    {
        var started = System.Diagnostics.Stopwatch.GetTimestamp();
        while (true)
        {
            Assert.True(System.Diagnostics.Stopwatch.GetElapsedTime(started) < TimeSpan.FromMinutes(1), $"{count} requests are not in the log");
            lock (server.Lines)
            {
                var lines = server.Lines.Where(line => line is { Level: LogLevel.Debug } && line.Message.StartsWith("request ", StringComparison.Ordinal)).ToList();
                if (lines.Count >= count)
                    return lines;
            }

            await Task.Delay(5, Cancellation);
        }
    }

    /// <summary>A log of requests by itself.</summary>
    sealed class Recorded : IDisposable
    {
        readonly System.Diagnostics.Metrics.Meter _meter = new("test");
        readonly System.Diagnostics.ActivitySource _spans = new("test");
        readonly RequestLog _log;

        public Recorded(TimeProvider clock, int slowMs) => _log = new(
            new()
            {
                Config = new() { DataDir = "/", SlowRequestMs = slowMs }, Database = new() { Directory = "/" }, Auth = RestServer.Auth, Version = "test", Clock = clock,
                Log = line => Warnings.Add(line),
            },
            _meter, _spans);

        public List<LogLine> Warnings { get; } = [];

        public void Ended(double milliseconds, bool takesLong = false, Surface surface = Surface.Rest, string method = "GET") =>
            _log.Ended(new(surface, method, "/v1/aggregates", "200", TimeSpan.FromMilliseconds(milliseconds)) { TakesLong = takesLong });

        public void Dispose()
        {
            _log.Dispose();
            _meter.Dispose();
            _spans.Dispose();
        }
    }

    /// <summary>A clock whose one timer ends when a test says so.</summary>
    sealed class WindowClock : TimeProvider
    {
        Action? _end;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            _end = () => callback(state);
            return new Timer();
        }

        public void EndWindow() => _end?.Invoke();

        sealed class Timer : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => default;
        }
    }

    /// <summary>A clock on which everything takes a hundred times as long.</summary>
    sealed class HurriedClock : TimeProvider
    {
        public override long GetTimestamp() => System.GetTimestamp() * 100;
    }
}
