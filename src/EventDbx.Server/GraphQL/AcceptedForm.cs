using Microsoft.Extensions.Primitives;
using Microsoft.Net.Http.Headers;

namespace EventDbx.Server.GraphQL;

/// <summary>In which form a client wants its answer: the one that it likes best of those there are, and JSON where it names none of them.</summary>
internal static class AcceptedForm
{
    public const string Json = Rest.Answer.Json;

    /// <summary>GraphQL over HTTP: the status tells whether the request ran.</summary>
    public const string ResponseJson = "application/graphql-response+json";

    /// <summary>GraphQL over server-sent events.</summary>
    public const string EventStream = "text/event-stream";

    public static string Of(StringValues accept)
    {
        if (!MediaTypeHeaderValue.TryParseList(accept, out var ranges))
            return Json;
        var (best, quality) = (Json, 0d);
        foreach (var range in ranges)
        {
            var form = Is(range, ResponseJson) ? ResponseJson : Is(range, EventStream) ? EventStream : Is(range, Json) ? Json : null;
            if (form is not null && (range.Quality ?? 1) > quality)
                (best, quality) = (form, range.Quality ?? 1);
        }

        return best;
    }

    static bool Is(MediaTypeHeaderValue range, string form) => range.MediaType.Equals(form, StringComparison.OrdinalIgnoreCase);
}
