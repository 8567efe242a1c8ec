using System.Diagnostics;
using System.Diagnostics.Metrics;
using EventDbx.Server.Configuration;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace EventDbx.Server.Telemetry;

/// <summary>Sends metrics and traces to a collector by OTLP. There is none of it where no collector is configured.</summary>
/// <remarks>
/// Requests never wait for it: spans go in a bounded queue, which drops what a collector that is down or slow does not take, and both are sent
/// by threads of their own. What is not taken is said once a minute. The providers of OpenTelemetry listen by name, process-wide; so what is
/// another server's is left out by object. Its <c>OTEL_EXPORTER_OTLP_*</c> variables have no effect: settings stand in one table.
/// </remarks>
internal sealed class OtlpExport : IAsyncDisposable
{
    /// <summary>Spans that wait for the collector; beyond it they are dropped. Some 2 KB each.</summary>
    const int SpansMax = 2048;

    const int SpansOfBatch = 512;

    /// <summary>How long one export may take.</summary>
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(5);

    /// <summary>Between two batches of spans.</summary>
    static readonly TimeSpan SpanInterval = TimeSpan.FromSeconds(1);

    /// <summary>Between two lines about a collector that takes nothing.</summary>
    static readonly TimeSpan ComplainInterval = TimeSpan.FromMinutes(1);

    readonly ServerOptions _options;
    readonly MeterProvider _metrics;
    readonly TracerProvider _traces;
    readonly Lock _gate = new();
    long? _complainedAt;
    int _failures;

    OtlpExport(ServerOptions options, string endpoint, IReadOnlyList<Meter> meters, IReadOnlyList<ActivitySource> sources)
    {
        _options = options;
        var config = options.Config;
        var resource = ResourceBuilder.CreateDefault().AddService(config.TelemetryServiceName, serviceVersion: options.Version);
        var metrics = new Metrics(Options(config, endpoint, "metrics"), Failed);
        var metricsBuilder = Sdk.CreateMeterProviderBuilder().SetResourceBuilder(resource).AddMeter("System.Runtime");
        foreach (var meter in meters)
            metricsBuilder.AddMeter(meter.Name);
        _metrics = metricsBuilder
            .AddView(instrument => MetricsListener.IsShown(instrument, meters) ? null : MetricStreamConfiguration.Drop)
            .AddReader(new PeriodicExportingMetricReader(metrics, (int)options.TelemetryInterval.TotalMilliseconds, (int)Patience.TotalMilliseconds))
            .Build();
        var spans = new Traces(Options(config, endpoint, "traces"), Failed);
        var tracesBuilder = Sdk.CreateTracerProviderBuilder().SetResourceBuilder(resource)
            .SetSampler(new ParentBasedSampler(new TraceIdRatioBasedSampler(config.TelemetrySamplePermille / 1000.0)));
        foreach (var source in sources)
            tracesBuilder.AddSource(source.Name);
        _traces = tracesBuilder.AddProcessor(new OwnSpans(spans, sources)).Build();
    }

    /// <summary>Null where no collector is configured.</summary>
    public static OtlpExport? Start(ServerOptions options, IReadOnlyList<Meter> meters, IReadOnlyList<ActivitySource> sources) =>
        options.Config.TelemetryOtlpEndpoint is { } endpoint ? new(options, endpoint, meters, sources) : null;

    /// <summary>Sends what is left, for two seconds at most.</summary>
    public async ValueTask DisposeAsync()
    {
        var patience = (int)ServerLimits.TelemetryFlush.TotalMilliseconds;
        var ending = Task.WhenAll(
            Task.Run(() =>
            {
                _traces.Shutdown(patience);
                _traces.Dispose();
            }),
            Task.Run(() =>
            {
                _metrics.Shutdown(patience);
                _metrics.Dispose();
            }));
        // A thread that hangs on a collector hangs alone.
        await Task.WhenAny(ending, Task.Delay(ServerLimits.TelemetryFlush, _options.Clock)).ConfigureAwait(false);
    }

    static OtlpExporterOptions Options(ServerConfig config, string endpoint, string signal) => new()
    {
        Endpoint = OtlpSettings.EndpointOf(endpoint, config.TelemetryOtlpProtocol, signal),
        Protocol = config.TelemetryOtlpProtocol == OtlpSettings.Grpc ? OtlpExportProtocol.Grpc : OtlpExportProtocol.HttpProtobuf,
        Headers = config.TelemetryOtlpHeaders ?? "",
        TimeoutMilliseconds = (int)Patience.TotalMilliseconds,
    };

    void Failed(string signal)
    {
        int failures;
        lock (_gate)
        {
            _failures++;
            if (_complainedAt is { } at && _options.Clock.GetElapsedTime(at) < ComplainInterval)
                return;
            (failures, _failures, _complainedAt) = (_failures, 0, _options.Clock.GetTimestamp());
        }

        _options.Log?.Invoke(new(
            Timestamp.From(_options.Clock.GetUtcNow()), LogLevel.Warning, "telemetry",
            FormattableString.Invariant($"The collector at {_options.Config.TelemetryOtlpEndpoint} takes no {signal} ({failures} times since this was said last). What it does not take is dropped; nothing else waits for it.")));
    }

    sealed class Traces(OtlpExporterOptions options, Action<string> failed) : OtlpTraceExporter(options)
    {
        public override ExportResult Export(in Batch<Activity> activityBatch)
        {
            var result = base.Export(activityBatch);
            if (result == ExportResult.Failure)
                failed("traces");
            return result;
        }
    }

    sealed class Metrics(OtlpExporterOptions options, Action<string> failed) : OtlpMetricExporter(options)
    {
        public override ExportResult Export(in Batch<Metric> metrics)
        {
            var result = base.Export(metrics);
            if (result == ExportResult.Failure)
                failed("metrics");
            return result;
        }
    }

    /// <summary>Spans of one server, in batches.</summary>
    sealed class OwnSpans(BaseExporter<Activity> exporter, IReadOnlyList<ActivitySource> sources)
        : BatchActivityExportProcessor(exporter, SpansMax, (int)SpanInterval.TotalMilliseconds, (int)Patience.TotalMilliseconds, SpansOfBatch)
    {
        public override void OnEnd(Activity data)
        {
            for (var i = 0; i < sources.Count; i++)
            {
                if (!ReferenceEquals(sources[i], data.Source))
                    continue;
                base.OnEnd(data);
                return;
            }
        }
    }
}
