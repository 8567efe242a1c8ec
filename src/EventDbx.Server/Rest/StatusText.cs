using System.Globalization;

namespace EventDbx.Server.Rest;

/// <summary>Statuses as text, made once: each request has one.</summary>
internal static class StatusText
{
    static readonly string[] Texts = [.. Enumerable.Range(0, 600).Select(status => status.ToString(CultureInfo.InvariantCulture))];

    public static string Of(int status) => status >= 0 && status < Texts.Length ? Texts[status] : status.ToString(CultureInfo.InvariantCulture);
}
