using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using EventDbx.Server.Configuration;
using EventDbx.Server.Tests.Rest;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Tests.Telemetry;

public sealed class OtlpTests
{
    const string Trace = "0af7651916cd43dd8448eb211c80319c";
    const string Caller = "b7ad6b7169203331";

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_collector_gets_the_spans_of_a_callers_trace_and_the_numbers_of_this_server_alone()
    {
        using var collector = new Collector();
        await using var other = MetricsTests.Quiet();
        await other.InitializeAsync();
        var server = With(collector.Endpoint, config => config with { TelemetryOtlpHeaders = "authorization=Basic abc", TelemetryServiceName = "orders" });
        await server.InitializeAsync();
        const string body = """{"aggregate_type":"t","aggregate_id":"1","event_type":"e","payload":{}}""";
        for (var i = 0; i < 7; i++)
            await other.AppendAsync("t", "1", "e", "{}");

        Assert.Equal(200, (await server.SendAsync("POST", "/v1/events", body, headers: ("traceparent", $"00-{Trace}-{Caller}-01"))).Status);
        Assert.Equal(404, (await server.GetAsync("/v1/aggregates/t/secret-name")).Status);
        // The stop sends what there is.
        await server.DisposeAsync();

        var request = Assert.Single(collector.Spans, span => span.Name == "POST /v1/events");
        Assert.Equal((Trace, Caller, 2UL, "EventDbx.Server"), (request.TraceId, request.ParentId, request.Kind, request.Scope));
        Assert.Equal(
            new() { ["http.request.method"] = "POST", ["http.route"] = "/v1/events", ["http.response.status_code"] = "200", ["dbx.surface"] = "rest", ["url.scheme"] = "http", ["network.protocol.version"] = "1.1" },
            new Dictionary<string, string>(request.Attributes));
        var commit = Assert.Single(collector.Spans, span => span.Name == "commit");
        Assert.Equal((Trace, request.Id, "EventDbx"), (commit.TraceId, commit.ParentId, commit.Scope));
        Assert.Equal(("1", "1"), (commit.Attributes["dbx.commit.operations"], commit.Attributes["dbx.commit.group.size"]));
        Assert.Contains("dbx.commit.waited_ms", commit.Attributes.Keys);
        var missed = Assert.Single(collector.Spans, span => span.Name == "GET /v1/aggregates/{type}/{id}");
        Assert.NotEqual(Trace, missed.TraceId);
        Assert.Equal(("", "404", "not_found", "not_found"), (missed.ParentId, missed.Attributes["http.response.status_code"], missed.Attributes["error.code"], missed.Attributes["error.type"]));
        Assert.DoesNotContain(collector.Spans.SelectMany(span => span.Attributes.Values), value => value.Contains("secret-name", StringComparison.Ordinal));
        Assert.Equal(2 + 1, collector.Spans.Count);

        Assert.Equal(1, collector.Points["dbx.appends{outcome=appended}"]);
        Assert.Equal(1, collector.Points["dbx.requests{method=POST,route=/v1/events,status=200,surface=rest}"]);
        Assert.Equal(1, collector.Points["dbx.request.duration{method=POST,route=/v1/events,surface=rest}"]);
        Assert.True(collector.Points.ContainsKey("process.cpu{}"));
        Assert.True(collector.Points.ContainsKey("dotnet.gc.pause.time{}"));
        Assert.DoesNotContain(collector.Points.Keys, key => key.StartsWith("dotnet.exceptions", StringComparison.Ordinal));
        Assert.Equal(("orders", "2.1.0-test"), (collector.Resource["service.name"], collector.Resource["service.version"]));
        Assert.Equal("Basic abc", collector.Authorizations["/v1/traces"]);
        Assert.Equal("Basic abc", collector.Authorizations["/v1/metrics"]);
    }

    [Fact]
    public async Task Of_requests_that_belong_to_no_trace_as_many_are_traced_as_the_settings_say_and_a_callers_choice_stands()
    {
        using var collector = new Collector();
        var server = With(collector.Endpoint, config => config with { TelemetrySamplePermille = 0 });
        await server.InitializeAsync();

        Assert.Equal(200, (await server.GetAsync("/health")).Status);
        Assert.Equal(200, (await server.SendAsync("GET", "/ready", headers: ("traceparent", $"00-{Trace}-{Caller}-01"))).Status);
        Assert.Equal(200, (await server.SendAsync("GET", "/v1/aggregates", headers: ("traceparent", $"00-{Trace}-{Caller}-00"))).Status);
        Assert.Equal(200, (await server.SendAsync("GET", "/v1/aggregates", headers: ("traceparent", "00-nonsense"))).Status);
        await server.DisposeAsync();

        Assert.Equal("GET /ready", Assert.Single(collector.Spans).Name);
    }

    [Theory, InlineData(OtlpKinds.Nobody), InlineData(OtlpKinds.Silent)]
    public async Task A_collector_that_takes_nothing_slows_no_request_and_no_stop_and_is_said_once_a_minute(OtlpKinds kind)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var endpoint = $"http://{listener.LocalEndpoint}";
        if (kind == OtlpKinds.Nobody)
            listener.Stop();
        var server = With(endpoint, config => config);
        await server.InitializeAsync();
        for (var i = 0; i < 3000; i++)
            Assert.Equal(200, (await server.GetAsync("/health")).Status);
        if (kind == OtlpKinds.Nobody)
        {
            using var late = new CancellationTokenSource(TimeSpan.FromMinutes(1));
            while (!Complaints(server).Any())
                await Task.Delay(20, late.Token);
        }

        // More than two seconds of it are the rest of the stop, and a machine that has others to serve.
        var started = Stopwatch.GetTimestamp();
        await server.DisposeAsync();
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(30));
        Assert.InRange(Complaints(server).Count(), 0, 1);
        Assert.All(Complaints(server), line => Assert.StartsWith($"The collector at {endpoint} takes no ", line.Message, StringComparison.Ordinal));
    }

    /// <summary>How a collector can fail.</summary>
    public enum OtlpKinds
    {
        Nobody,
        Silent,
    }

    [Fact]
    public async Task Without_a_collector_no_span_is_made()
    {
        await using var server = MetricsTests.Quiet();
        await server.InitializeAsync();
        Assert.False(server.Host.Telemetry.Spans.HasListeners());
        Assert.False(server.Host.Database.Activities.HasListeners());

        List<Activity> spans = [];
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source == server.Host.Telemetry.Spans || source == server.Host.Database.Activities,
            Sample = static (ref _) => ActivitySamplingResult.AllDataAndRecorded,
            ActivityStopped = spans.Add,
        };
        ActivitySource.AddActivityListener(listener);
        await server.AppendAsync("t", "1", "e", "{}");
        using var late = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (spans.Count < 2)
            await Task.Delay(5, late.Token);
        Assert.Equal(["commit", "POST /v1/events"], spans.Select(span => span.DisplayName));
    }

    [Theory]
    [InlineData("otlp_endpoint = \"collector:4317\"", "`telemetry.otlp_endpoint` must be the URL of a collector")]
    [InlineData("otlp_endpoint = \"http://me:secret@collector:4317\"", "`telemetry.otlp_endpoint` must be the URL of a collector without a user")]
    [InlineData("otlp_endpoint = \"ftp://collector\"", "`telemetry.otlp_endpoint` must be the URL of a collector")]
    [InlineData("otlp_protocol = \"http\"", "`telemetry.otlp_protocol` must be \"grpc\" or \"http/protobuf\"")]
    [InlineData("otlp_headers = \"Bearer quite-secret\"", "`telemetry.otlp_headers` must be headers as \"name=value\"")]
    [InlineData("otlp_headers = \"a b=quite-secret\"", "`telemetry.otlp_headers` must be headers as \"name=value\"")]
    [InlineData("sample_permille = 1001", "`telemetry.sample_permille` must be a whole number from 0 to 1000")]
    public void A_setting_that_no_collector_could_be_reached_with_is_refused_and_no_secret_quoted(string line, string message)
    {
        using var directory = new TemporaryDirectory();
        var path = directory.Write("config.toml", $"[telemetry]\n{line}\n");
        var refused = Assert.Throws<ConfigException>(() => ConfigFile.Load(path, directory.Path, null, TimeProvider.System));
        Assert.Contains(message, refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("quite-secret", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_settings_of_the_page_are_taken_and_headers_are_a_secret()
    {
        using var directory = new TemporaryDirectory();
        var path = directory.Write("config.toml", """
            [metrics]
            public = true

            [telemetry]
            otlp_endpoint = "https://collector.example:4318"
            otlp_protocol = "http/protobuf"
            otlp_headers = "authorization=Basic abc==,x-tenant=7"
            service_name = "orders"
            sample_permille = 25

            """);
        var config = ConfigFile.Load(path, directory.Path, null, TimeProvider.System).Config;
        Assert.Equal(
            (true, "https://collector.example:4318", "http/protobuf", "authorization=Basic abc==,x-tenant=7", "orders", 25),
            (config.MetricsPublic, config.TelemetryOtlpEndpoint, config.TelemetryOtlpProtocol, config.TelemetryOtlpHeaders, config.TelemetryServiceName, config.TelemetrySamplePermille));
        Assert.True(ConfigKeys.Named("telemetry.otlp_headers").Secret);
        Assert.Equal("https://collector.example:4318/v1/traces", Server.Telemetry.OtlpSettings.EndpointOf("https://collector.example:4318/", "http/protobuf", "traces").ToString());
        Assert.Equal("http://collector.example:4317/", Server.Telemetry.OtlpSettings.EndpointOf("http://collector.example:4317", "grpc", "traces").ToString());
    }

    static IEnumerable<LogLine> Complaints(RestServer server)
    {
        lock (server.Lines)
            return [.. server.Lines.Where(line => line is { Source: "telemetry", Level: LogLevel.Warning })];
    }

    static RestServer With(string endpoint, Func<ServerConfig, ServerConfig> change) => new()
    {
        ChangeOptions = options => options with
        {
            CheckpointInterval = null, TelemetryInterval = TimeSpan.FromSeconds(1),
            Config = change(options.Config with { TelemetryOtlpEndpoint = endpoint, TelemetryOtlpProtocol = "http/protobuf" }),
        },
    };
}
