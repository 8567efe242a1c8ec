using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Telemetry;

/// <summary>A request that has been answered.</summary>
/// <param name="Surface">That answered.</param>
/// <param name="Method">Of HTTP; for gRPC the kind of call.</param>
/// <param name="Route">The template, or the method of a gRPC service: never a name that a client chose. Null where there is none.</param>
/// <param name="Status">The status of HTTP, or the code of gRPC.</param>
/// <param name="Took">From its first byte to its last.</param>
internal readonly record struct RequestEnd(Surface Surface, string Method, string? Route, string Status, TimeSpan Took);

/// <summary>Every request of every surface, once it has ended.</summary>
internal sealed class RequestLog(ServerOptions options)
{
    /// <summary>Called once for each, on the thread that answered it.</summary>
    public void Ended(in RequestEnd request)
    {
        if (options.Log is not { } log || options.LogFrom > LogLevel.Debug)
            return;
        log(new(
            Timestamp.From(options.Clock.GetUtcNow()), LogLevel.Debug, Surfaces.NameOf(request.Surface),
            FormattableString.Invariant($"{request.Method} {request.Route ?? "(no route)"} {request.Status} {request.Took.TotalMilliseconds:0.0} ms")));
    }
}
