using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace EventDbx.Server.Connections;

/// <summary>What HTTP/2 has and HTTP/1.1 has not: a request can be refused without a word about its connection.</summary>
internal static class Http2Stream
{
    /// <summary>REFUSED_STREAM of RFC 9113, 7: nothing of the request was done, and its client may send it again by itself.</summary>
    const int Refused = 0x7;

    /// <summary>Refuses a request of which nothing was done; false where it came over HTTP/1.1 and has to be answered.</summary>
    public static bool TryRefuse(HttpContext http)
    {
        if (http.Features.Get<IHttpResetFeature>() is not { } stream)
            return false;
        stream.Reset(Refused);
        return true;
    }
}
