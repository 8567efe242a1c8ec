using EventDbx.Server.Configuration;
using EventDbx.Server.Tokens;
using Microsoft.AspNetCore.Http;

namespace EventDbx.Server.Rest;

/// <summary>One request on its way through its route: who asks, for what, with what.</summary>
internal sealed class RestCall(HttpContext http, ServerHost host, ServerOptions options, RestRoute route, string[] segments) : IAsyncDisposable
{
    Session? _session;
    TokenWatch? _watch;

    public HttpContext Http => http;

    public ServerHost Host => host;

    public ServerConfig Config => options.Config;

    public TimeProvider Clock => options.Clock;

    /// <summary>How long a backup waits for whoever takes it.</summary>
    public TimeSpan BackupPatience => options.BackupPatience;

    /// <summary>Of the product.</summary>
    public string Version => options.Version;

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

    public CancellationToken Cancellation => _watch?.Ended ?? http.RequestAborted;

    /// <summary>Why the answer has to end: the caller's token is not good any more. Null while it is, and where nobody watches.</summary>
    public RefusedException? Withdrawn => _watch?.Refused;

    /// <summary>For what may take longer than a moment: from now on <see cref="Cancellation"/> ends within a second after the token does.</summary>
    public void WatchToken()
    {
        if (RestSurface.TokenOf(http.Request.Headers.Authorization) is { } token)
            _watch ??= new(() => host.Tokens.Authenticate(token), options.Clock, http.RequestAborted);
    }

    public ValueTask DisposeAsync() => _watch?.DisposeAsync() ?? default;

    /// <summary>The aggregate that the path names.</summary>
    /// <exception cref="RefusedException">It is no name.</exception>
    public AggregateKey Aggregate => AggregateKey.Create(Segment(2, "The aggregate type in the path"), Segment(3, "The aggregate id in the path"));

    /// <summary>The segments of the path from one on, as they were sent.</summary>
    public ReadOnlySpan<string> Tail(int from) => segments.AsSpan(from);

    /// <summary>A segment of the path, decoded.</summary>
    public string Segment(int at, string what) => RequestTarget.Decode(segments[at], what);
}
