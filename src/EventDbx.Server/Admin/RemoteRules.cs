using System.Buffers;
using System.Net;
using System.Net.Sockets;
using EventDbx.Server.Configuration;
using EventDbx.Server.Replication;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Admin;

/// <summary>What a remote may be: <c>tcp://HOST:PORT</c> and the base64 of an Ed25519 public key.</summary>
internal static class RemoteRules
{
    /// <summary>Where replication listens unless told otherwise.</summary>
    const int DefaultPort = 6363;

    /// <summary>Bytes of a host name, as DNS has it.</summary>
    const int HostBytesMax = 253;

    /// <summary>The remote as it is kept.</summary>
    /// <exception cref="RefusedException">Something in it is out of form.</exception>
    public static RemoteConfig Checked(string? endpoint, string? publicKey)
    {
        if (string.IsNullOrWhiteSpace(endpoint))
            throw Refused("remote endpoint cannot be empty");
        var kept = EndpointOf(endpoint.Trim());
        _ = PeerKey.Parse(publicKey ?? "");
        // As it was typed, with its padding or without.
        return new() { Endpoint = kept, PublicKey = publicKey!.Trim() };
    }

    /// <summary>A name that a table of the configuration can have.</summary>
    /// <exception cref="RefusedException">It has none.</exception>
    public static string CheckedName(string name)
    {
        if (string.IsNullOrWhiteSpace(name))
            throw Refused("remote name cannot be empty");
        if (Names.Check("The name of a remote", name.Trim(), Limits.TypeBytesMax) is { } refusal)
            throw new RefusedException(refusal);
        return name.Trim();
    }

    /// <summary>The refusal of a name that no remote has.</summary>
    public static RefusedException Absent(string name) => new(RefusalCode.NotFound, $"no remote named '{Rest.Shown.Of(name)}' is configured.");

    /// <summary>What the log keeps of a change; keys are public.</summary>
    public static byte[] BodyOf(RemoteConfig? before, RemoteConfig? after) => BodyOf(before, after, failed: false);

    /// <summary>What takes the entry before it back: the change did not come to pass.</summary>
    public static byte[] FailureOf(RemoteConfig? before, RemoteConfig? after) => BodyOf(before, after, failed: true);

    static byte[] BodyOf(RemoteConfig? before, RemoteConfig? after, bool failed)
    {
        var output = new ArrayBufferWriter<byte>();
        var members = new JsonMembers(output);
        var action = (before?.Mode, after?.Mode) switch
        {
            (_, null) => "removed",
            (null, _) => "added",
            (RemoteMode.OnDemand, RemoteMode.Follow) => "followed",
            (RemoteMode.Follow, RemoteMode.OnDemand) => "follow_ended",
            _ => "replaced",
        };
        members.Text("action"u8, failed ? "failed" : action);
        if (failed)
            members.Text("not"u8, action);
        if ((after ?? before) is { } shown)
        {
            members.Text("endpoint"u8, shown.Endpoint);
            members.Text("public_key"u8, shown.PublicKey);
        }

        members.End();
        return output.WrittenSpan.ToArray();
    }

    static string EndpointOf(string text)
    {
        var rest = text;
        if (text.IndexOf("://", StringComparison.Ordinal) is var at and >= 0)
        {
            if (text[..at] != "tcp")
                throw Refused($"remote endpoint scheme must be 'tcp', found '{Rest.Shown.Of(text[..at])}'");
            rest = text[(at + 3)..];
        }

        var (host, port) = PlaceOf(rest);
        return FormattableString.Invariant($"tcp://{host}:{port}");
    }

    /// <summary>Host, of IPv6 with its brackets, and port of <c>HOST:PORT</c>.</summary>
    /// <exception cref="RefusedException">It is none.</exception>
    internal static (string Host, int Port) PlaceOf(string text) => text.StartsWith('[') ? OfIPv6(text) : OfName(text);

    static (string Host, int Port) OfIPv6(string text)
    {
        var end = text.IndexOf(']', StringComparison.Ordinal);
        if (end < 0 || !IPAddress.TryParse(text[1..end], out var address) || address.AddressFamily != AddressFamily.InterNetworkV6)
            throw Refused("remote endpoint has invalid IPv6 host");
        var rest = text[(end + 1)..];
        if (rest.Length > 0 && rest[0] != ':')
            throw Refused("remote endpoint IPv6 port must follow ']'");
        return ($"[{address}]", rest.Length == 0 ? DefaultPort : PortOf(rest[1..]));
    }

    static (string Host, int Port) OfName(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        var host = colon < 0 ? text : text[..colon];
        if (host.Length == 0)
            throw Refused("remote endpoint host cannot be empty");
        if (host.Length > HostBytesMax || Uri.CheckHostName(host) is not (UriHostNameType.Dns or UriHostNameType.IPv4))
            throw Refused($"remote endpoint host '{Rest.Shown.Of(host)}' is neither a name nor an address; IPv6 addresses stand in brackets");
        return (host, colon < 0 ? DefaultPort : PortOf(text[(colon + 1)..]));
    }

    static int PortOf(string text)
    {
        if (text.Length == 0)
            throw Refused("remote endpoint port cannot be empty");
        if (!int.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var port) || port > ushort.MaxValue)
            throw Refused($"remote endpoint port is invalid: '{Rest.Shown.Of(text)}' is not a number from 1 to 65535");
        return port > 0 ? port : throw Refused("remote endpoint port must be greater than zero");
    }

    static RefusedException Refused(string message) => new(RefusalCode.InvalidArgument, $"{message}.");
}
