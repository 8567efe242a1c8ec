using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Globalization;
using EventDbx.Server.Logs;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Telemetry;

/// <summary>Every request of every surface: counted, traced where somebody traces, a line at debug, and a warning where it was slow.</summary>
internal sealed class RequestLog : IDisposable
{
    static readonly double[] Durations = [.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10];

    readonly ServerOptions _options;
    readonly ActivitySource _spans;
    readonly Counter<long> _requests;
    readonly Counter<long> _refused;
    readonly Counter<long> _slow;
    readonly Histogram<double> _durations;
    readonly TimeSpan? _slowFrom;
    readonly LogAllowance _warnings;
    int _underWay;

    public RequestLog(ServerOptions options, Meter meter, ActivitySource spans)
    {
        (_options, _spans) = (options, spans);
        _slowFrom = options.Config.SlowRequestMs == 0 ? null : TimeSpan.FromMilliseconds(options.Config.SlowRequestMs);
        _warnings = new(ServerLimits.SlowRequestLinesMax, ServerLimits.SlowRequestWindow, options.Clock, more => Log(
            LogLevel.Warning, "requests", string.Create(CultureInfo.InvariantCulture, $"{more} more slow requests in this minute have no line of their own.")));
        _requests = meter.CreateCounter<long>("dbx.requests", "{request}", "Requests that have ended, by surface, method, route and status (gRPC: its code). Route none: there is no such route.");
        _refused = meter.CreateCounter<long>("dbx.requests.refused", "{request}", "Requests that were answered with a refusal, by surface and code.");
        _slow = meter.CreateCounter<long>("dbx.requests.slow", "{request}", "Requests that took longer than log.slow_request_ms, by surface.");
        _durations = meter.CreateHistogram(
            "dbx.request.duration", "s", "From the first byte of a request to the last of its answer, by surface, method and route. What takes long by nature (subscriptions, exports, verifies) is not in it.", null,
            new InstrumentAdvice<double> { HistogramBucketBoundaries = Durations });
        meter.CreateObservableGauge("dbx.requests.under_way", () => Volatile.Read(ref _underWay), "{request}", "Requests under way.");
    }

    /// <summary>Called once for each, before anything else is done for it; <see cref="Ended"/> is told of it.</summary>
    public RequestStart Begin(HttpContext http)
    {
        Interlocked.Increment(ref _underWay);
        var span = _spans.HasListeners() ? BeginSpan(http) : null;
        return new(_options.Clock.GetTimestamp(), span);
    }

    /// <summary>Called once for each, on the thread that answered it.</summary>
    public void Ended(in RequestEnd request)
    {
        var surface = Surfaces.NameOf(request.Surface);
        var (method, route) = (request.Surface == Surface.Grpc ? request.Method : Known(request.Method), request.Route ?? "none");
        _requests.Add(1, new TagList { { "surface", surface }, { "method", method }, { "route", route }, { "status", request.Status } });
        // A stream lasts as long as its client wants it to.
        var takesLong = request.TakesLong || (request.Surface == Surface.Grpc && request.Method.EndsWith("_stream", StringComparison.Ordinal));
        if (!takesLong)
            _durations.Record(request.Took.TotalSeconds, new("surface", surface), new("method", method), new("route", route));
        if (request.Code is { } code)
            _refused.Add(1, new("surface", surface), new("code", Refusal.NameOf(code)));
        if (request.Start?.Span is { } span)
            EndSpan(span, request, surface, method);
        if (!takesLong && request.Took >= _slowFrom)
        {
            _slow.Add(1, new KeyValuePair<string, object?>("surface", surface));
            if (_warnings.TryTake())
                Log(LogLevel.Warning, surface, "slow " + LineOf(request, method));
        }

        if (_options.Log is not null && _options.LogFrom <= LogLevel.Debug)
            Log(LogLevel.Debug, surface, LineOf(request, method));
        // Last: whoever finds that nothing is under way finds everything counted.
        if (request.Start is not null)
            Interlocked.Decrement(ref _underWay);
    }

    public void Dispose() => _warnings.Dispose();

    /// <summary>A child of the trace that the request belongs to, where it says so.</summary>
    Activity? BeginSpan(HttpContext http)
    {
        // The framework has an activity of its own, which nobody gets to see: it must not be the parent.
        Activity.Current = null;
        var span = _spans.StartActivity(Known(http.Request.Method), ActivityKind.Server, TraceOf(http));
        if (span is null)
            return null;
        span.SetTag("http.request.method", Known(http.Request.Method));
        span.SetTag("url.scheme", http.Request.Scheme);
        span.SetTag("network.protocol.version", http.Request.Protocol.StartsWith("HTTP/", StringComparison.Ordinal) ? http.Request.Protocol[5..] : null);
        return span;
    }

    static void EndSpan(Activity span, in RequestEnd request, string surface, string method)
    {
        if (span.IsAllDataRequested)
        {
            span.DisplayName = request.Route is { } route ? $"{method} {route}" : method;
            span.SetTag("http.route", request.Route);
            span.SetTag("dbx.surface", surface);
            if (request.Surface == Surface.Grpc)
                span.SetTag("rpc.response.status_code", request.Status);
            else if (int.TryParse(request.Status, NumberStyles.None, CultureInfo.InvariantCulture, out var status))
                span.SetTag("http.response.status_code", status);
            if (request.Code is { } code)
            {
                span.SetTag("error.type", Refusal.NameOf(code));
                span.SetTag("error.code", Refusal.NameOf(code));
            }

            // What the caller did wrong is no failure of the server's span.
            if (request.Code is RefusalCode.Internal or RefusalCode.IntegrityViolation or RefusalCode.Unavailable || request.Status is ['5', _, _] or "INTERNAL" or "UNAVAILABLE" or "DATA_LOSS" or "UNKNOWN")
                span.SetStatus(ActivityStatusCode.Error);
        }

        span.Dispose();
    }

    /// <summary>What the header <c>traceparent</c> says; nothing where it says nothing that can be read.</summary>
    static ActivityContext TraceOf(HttpContext http) =>
        http.Request.Headers.TraceParent is [{ } parent] && ActivityContext.TryParse(parent, http.Request.Headers.TraceState, isRemote: true, out var context) ? context : default;

    /// <summary>A method that HTTP knows, or <c>other</c>: a client may send any word.</summary>
    static string Known(string method) => method switch
    {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        "CONNECT" => "CONNECT",
        _ => "other",
    };

    static string LineOf(in RequestEnd request, string method)
    {
        var line = new StringBuilder(160);
        line.Append(CultureInfo.InvariantCulture, $"request method={method} route={LogText.Value(request.Route ?? "none")} status={request.Status} took_ms={request.Took.TotalMilliseconds:0.0}");
        if (request.Code is { } code)
            line.Append(" code=").Append(Refusal.NameOf(code));
        if (request.Http?.Response.ContentLength is { } bytes)
            line.Append(CultureInfo.InvariantCulture, $" bytes={bytes}");
        if (request.Actor is { } actor)
            line.Append(" group=").Append(LogText.Value(actor.Group)).Append(" user=").Append(LogText.Value(actor.User));
        if (request.Http is { } http)
        {
            line.Append(" peer=").Append(http.Connection.RemoteIpAddress is { } address ? new System.Net.IPEndPoint(address, http.Connection.RemotePort).ToString() : "socket");
            var trace = request.Start?.Span?.Context ?? TraceOf(http);
            if (trace.TraceId != default)
                line.Append(" trace=").Append(trace.TraceId.ToHexString());
        }

        return line.ToString();
    }

    void Log(LogLevel level, string source, string message) =>
        _options.Log?.Invoke(new(Timestamp.From(_options.Clock.GetUtcNow()), level, source, message));
}
