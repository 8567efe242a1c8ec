using EventDbx.Server.Configuration;
using Microsoft.AspNetCore.Http;

namespace EventDbx.Server.Rest;

/// <summary>One request on its way through its route: who asks, for what, with what.</summary>
internal sealed class RestCall(HttpContext http, ServerHost host, ServerOptions options, RestRoute route, string[] segments)
{
    Session? _session;

    public HttpContext Http => http;

    public ServerHost Host => host;

    public ServerConfig Config => options.Config;

    public TimeProvider Clock => options.Clock;

    public RestRoute Route => route;

    /// <summary>What the caller may do.</summary>
    public Session Session
    {
        get => _session ?? throw new InvalidOperationException($"{route.Template} is open and has no session.");
        set => _session = value;
    }

    public required QueryParameters Query { get; init; }

    /// <summary>Empty where there is none. Given back when the route has answered.</summary>
    public ReadOnlyMemory<byte> Body { get; set; }

    public CancellationToken Cancellation => http.RequestAborted;

    /// <summary>The aggregate that the path names.</summary>
    /// <exception cref="RefusedException">It is no name.</exception>
    public AggregateKey Aggregate => AggregateKey.Create(Segment(2, "The aggregate type in the path"), Segment(3, "The aggregate id in the path"));

    /// <summary>The segments of the path from one on, as they were sent.</summary>
    public ReadOnlySpan<string> Tail(int from) => segments.AsSpan(from);

    /// <summary>A segment of the path, decoded.</summary>
    public string Segment(int at, string what) => RequestTarget.Decode(segments[at], what);
}
