using System.Net;
using EventDbx.Server.Admin;
using EventDbx.Server.Tokens;
using Microsoft.AspNetCore.Http;

namespace EventDbx.Server.Rest;

/// <summary>By what a request to the Admin API is to be let in: the master key, a root token, or the owner's socket.</summary>
/// <remarks>
/// <code>
/// socket        the owner, or a token                                             never the key
/// its own port  the key                                                           serves /admin/* and /health alone
/// main port     a root token; X-Admin-Key, and a Bearer that is no token, are     the key opens it where admin.port is 0
///               the key
/// </code>
/// </remarks>
internal static class AdminEntry
{
    const string Header = "X-Admin-Key";
    const string Scheme = "Bearer ";

    /// <summary>Seconds until an address that sent too many wrong keys may send another one.</summary>
    public static string RetryAfter { get; } = ServerLimits.AdminFailurePause.TotalSeconds.ToString("0", System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Whether the listener of the Admin API has such a path at all.</summary>
    public static bool Serves(string[] segments) => segments[0] == "admin" || segments is ["health"];

    /// <summary>What is to be the master key, be it empty; null where the request is not let in by it.</summary>
    public static string? KeyOf(HttpContext http, Door door, AdminSurface admin)
    {
        if (door == Door.Socket)
            return null;
        var headers = http.Request.Headers;
        // Sent twice, it is none: whoever put one in front must not choose which counts.
        var given = headers[Header];
        if (given.Count > 1)
            return "";
        if (given is [{ } key] && !string.IsNullOrWhiteSpace(key))
            return key;
        var bearer = headers.Authorization is [{ } text] && text.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) ? text[Scheme.Length..].Trim() : null;
        if (door == Door.Admin)
            return bearer ?? "";
        return bearer is { Length: > 0 } && !TokenSigner.HasForm(Encoding.UTF8.GetBytes(bearer)) && admin.KeyOpens(door) ? bearer : null;
    }

    /// <summary>From where, for the log: <c>socket</c>, <c>rest 192.0.2.1</c>, <c>grpc 192.0.2.1</c>, <c>admin 192.0.2.1</c>.</summary>
    public static string OriginOf(Door door, IPAddress? address, string surface = "rest") => door switch
    {
        Door.Socket => "socket",
        Door.Admin => $"admin {Shown(address)}",
        Door.Main => $"{surface} {Shown(address)}",
        Door.Grpc => $"grpc {Shown(address)}",
        Door.Peers => $"replication {Shown(address)}",
    };

    /// <summary>An address as log and audit have it.</summary>
    internal static string Shown(IPAddress? address) => address is null ? "unknown" : (address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address).ToString();
}
