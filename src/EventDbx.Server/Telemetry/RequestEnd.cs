using System.Diagnostics;
using Microsoft.AspNetCore.Http;

namespace EventDbx.Server.Telemetry;

/// <summary>A request that is under way.</summary>
/// <param name="At">When its first byte was looked at: a timestamp of the server's clock.</param>
/// <param name="Span">What is traced of it; null where nobody traces it.</param>
internal readonly record struct RequestStart(long At, Activity? Span);

/// <summary>A request that has been answered.</summary>
/// <param name="Surface">That answered.</param>
/// <param name="Method">Of HTTP; for gRPC the kind of call.</param>
/// <param name="Route">The template, or the method of a gRPC service: never a name that a client chose. Null where there is none.</param>
/// <param name="Status">The status of HTTP, or the code of gRPC.</param>
/// <param name="Took">From its first byte to its last.</param>
internal readonly record struct RequestEnd(Surface Surface, string Method, string? Route, string Status, TimeSpan Took)
{
    /// <summary>What <see cref="RequestLog.Begin"/> gave; null where it was not asked.</summary>
    public RequestStart? Start { get; init; }

    /// <summary>The code of the refusal that was the answer.</summary>
    public RefusalCode? Code { get; init; }

    /// <summary>Who it was, where that was found out.</summary>
    public Actor? Actor { get; init; }

    /// <summary>Where the peer, the length of the answer and the trace are found for the log.</summary>
    public HttpContext? Http { get; init; }

    /// <summary>Long by nature: a subscription, an export, a verify. It is counted, and says nothing about how fast answers are.</summary>
    public bool TakesLong { get; init; }
}
