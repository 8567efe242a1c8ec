using EventDbx.Server.Telemetry;
using Microsoft.Net.Http.Headers;

namespace EventDbx.Server.Rest;

/// <summary><c>/metrics</c>, for Prometheus.</summary>
internal static class MetricsRoutes
{
    public static async Task ReadAsync(RestCall call)
    {
        var format = FormatOf(call.Http.Request.Headers.Accept);
        using var answer = new Answer(call.Http) { ContentType = MetricsText.TypeOf(format) };
        call.Http.Response.Headers.CacheControl = "no-store";
        call.Host.Telemetry.Write(answer.Output, format);
        await answer.EndAsync().ConfigureAwait(false);
    }

    /// <summary>OpenMetrics for who asks for it and does not like the text form better; the text form for everybody else.</summary>
    internal static MetricsFormat FormatOf(IList<string> accept)
    {
        if (!MediaTypeHeaderValue.TryParseList(accept, out var types))
            return MetricsFormat.Text;
        var (open, text) = (0.0, 0.0);
        foreach (var type in types)
        {
            var quality = type.Quality ?? 1;
            if (type.MediaType.Equals("application/openmetrics-text", StringComparison.OrdinalIgnoreCase) && Speaks(type))
                open = Math.Max(open, quality);
            else if (type.MediaType.Equals("text/plain", StringComparison.OrdinalIgnoreCase))
                text = Math.Max(text, quality);
        }

        return open > 0 && open >= text ? MetricsFormat.OpenMetrics : MetricsFormat.Text;
    }

    /// <summary>Version 1.0.0, or any.</summary>
    static bool Speaks(MediaTypeHeaderValue type)
    {
        foreach (var parameter in type.Parameters)
        {
            if (parameter.Name.Equals("version", StringComparison.OrdinalIgnoreCase))
                return parameter.GetUnescapedValue() is { Value: "1.0.0" };
        }

        return true;
    }
}
