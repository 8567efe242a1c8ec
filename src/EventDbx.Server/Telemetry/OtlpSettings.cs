using EventDbx.Server.Configuration;

namespace EventDbx.Server.Telemetry;

/// <summary>Checks of the settings <c>telemetry.*</c>.</summary>
internal static class OtlpSettings
{
    /// <summary>The protocol names of OpenTelemetry.</summary>
    public const string Grpc = "grpc";

    public const string Http = "http/protobuf";

    public static string CheckedEndpoint(ConfigValue value)
    {
        const string what = "the URL of a collector without a user or a query, such as \"http://localhost:4317\" (gRPC) or \"https://collector.example:4318\" (HTTP)";
        var text = value.Text(what);
        return Uri.TryCreate(text, UriKind.Absolute, out var url) && (url.Scheme == Uri.UriSchemeHttp || url.Scheme == Uri.UriSchemeHttps)
            && url.UserInfo.Length == 0 && url.Query.Length == 0 && url.Fragment.Length == 0
            ? text
            : throw new ConfigValueException(what);
    }

    /// <summary><c>name=value</c>, several with commas.</summary>
    public static string CheckedHeaders(ConfigValue value)
    {
        const string what = "headers as \"name=value\", several with commas; names of letters, digits, `-` and `_`, values of visible ASCII";
        var text = value.Text(what);
        foreach (var header in text.Split(','))
        {
            var at = header.IndexOf('=', StringComparison.Ordinal);
            if (at <= 0 || !header[..at].Trim().All(static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_') || header[..at].Trim().Length == 0
                || !header[(at + 1)..].All(static c => c is >= ' ' and <= '~'))
                throw new ConfigValueException(what);
        }

        return text;
    }

    /// <summary>Where a kind of data goes: over HTTP each has a path of its own.</summary>
    /// <param name="endpoint">As it is configured.</param>
    /// <param name="protocol">One of the two.</param>
    /// <param name="signal"><c>traces</c> or <c>metrics</c>.</param>
    public static Uri EndpointOf(string endpoint, string protocol, string signal) =>
        protocol == Grpc ? new(endpoint) : new($"{endpoint.TrimEnd('/')}/v1/{signal}");
}
