using System.Net;
using System.Net.Sockets;
using EventDbx.Server.Configuration;

namespace EventDbx.Server.Plugins;

/// <summary>To which addresses events are never sent, and the connections of plugins, which are held against that.</summary>
/// <remarks>
/// Whoever may set a plugin up makes this machine connect; a machine of a cloud asks for its credentials at a link-local address. Private and loopback addresses are where plugins live,
/// and stay open (docs/decisions/0025). A name is looked up here and the very address that was found good is connected to, so an answer that changes in between changes nothing.
/// </remarks>
/// <param name="allowed">What <c>plugin_allowed_addresses</c> opens.</param>
internal sealed class AddressRules(ConfigList allowed)
{
    static readonly (IPNetwork Network, string What)[] Blocked =
    [
        (IPNetwork.Parse("169.254.0.0/16"), "link-local"),
        (IPNetwork.Parse("fe80::/10"), "link-local"),
        (IPNetwork.Parse("100.100.100.200/32"), "the metadata service of a cloud"),
        (IPNetwork.Parse("168.63.129.16/32"), "the metadata service of a cloud"),
        (IPNetwork.Parse("192.0.0.192/32"), "the metadata service of a cloud"),
        (IPNetwork.Parse("fd00:ec2::254/128"), "the metadata service of a cloud"),
        (IPNetwork.Parse("fd20:ce::254/128"), "the metadata service of a cloud"),
        (IPNetwork.Parse("0.0.0.0/8"), "unspecified"),
        (IPNetwork.Parse("::/128"), "unspecified"),
        (IPNetwork.Parse("224.0.0.0/4"), "multicast"),
        (IPNetwork.Parse("ff00::/8"), "multicast"),
        (IPNetwork.Parse("255.255.255.255/32"), "broadcast"),
    ];

    /// <summary>Where an IPv6 address holds one of IPv4, and from which byte on.</summary>
    static readonly (IPNetwork Network, int At)[] Holders =
    [
        (IPNetwork.Parse("::/96"), 12),
        (IPNetwork.Parse("::ffff:0:0/96"), 12),
        (IPNetwork.Parse("::ffff:0:0:0/96"), 12),
        (IPNetwork.Parse("64:ff9b::/96"), 12),
        (IPNetwork.Parse("2002::/16"), 2),
    ];

    static readonly IPNetwork Teredo = IPNetwork.Parse("2001::/32");

    readonly IPNetwork[] _allowed = [.. allowed.Select(Parse)];

    /// <summary>Those of the settings as they are now.</summary>
    public static AddressRules Of(PluginSurroundings surroundings) => new(surroundings.Settings().PluginAllowedAddresses);

    /// <summary>The setting, checked.</summary>
    public static ConfigList Checked(ConfigValue value)
    {
        const string what = "a list of IP addresses or networks, such as [\"169.254.10.1\", \"fe80::/10\"]";
        var texts = value.Texts(what);
        return texts.All(text => TryParse(text, out _)) ? texts : throw new ConfigValueException(what);
    }

    /// <summary>Why nothing is sent to an address, for the end of a sentence; null where something may be.</summary>
    public string? WhyBlocked(IPAddress address)
    {
        if (_allowed.Any(network => network.Contains(address)))
            return null;
        if (WhyListed(address) is { } why)
            return why;
        foreach (var held in HeldIn(address))
        {
            if (WhyListed(held) is { } whyHeld && !_allowed.Any(network => network.Contains(held)))
                return $"{whyHeld} ({held})";
        }

        return null;
    }

    /// <summary>An endpoint that names a blocked address is refused where it is configured; a name is, when it is reached.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidArgument"/>.</exception>
    public void Check(string host)
    {
        if (IPAddress.TryParse(host.Trim('[', ']'), out var address) && WhyBlocked(address) is { } why)
            throw new RefusedException(RefusalCode.InvalidArgument, Message(address, address.ToString(), why));
    }

    /// <summary>A connection to the first address of a host that takes one and is not blocked.</summary>
    /// <param name="host">A name or an address, with brackets or without.</param>
    /// <param name="port">1 to 65535.</param>
    /// <param name="resolve">Finds the addresses of a name.</param>
    /// <exception cref="AddressBlockedException">Every address of it is blocked.</exception>
    /// <exception cref="PluginDownException">It has none, or nobody is there.</exception>
    public async Task<Socket> ConnectAsync(string host, int port, Func<string, CancellationToken, Task<IPAddress[]>> resolve, CancellationToken cancellation)
    {
        host = host.Trim('[', ']');
        var found = IPAddress.TryParse(host, out var literal) ? [literal] : await ResolveAsync(host, resolve, cancellation).ConfigureAwait(false);
        string? blocked = null;
        SocketException? refused = null;
        foreach (var address in found)
        {
            if (WhyBlocked(address) is { } why)
            {
                blocked ??= Message(address, host, why);
                continue;
            }

            var socket = new Socket(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                await socket.ConnectAsync(new IPEndPoint(address, port), cancellation).ConfigureAwait(false);
                return socket;
            }
            catch (SocketException cause)
            {
                socket.Dispose();
                refused ??= cause;
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }

        throw refused is not null ? new PluginDownException(FormattableString.Invariant($"{host}:{port}: {refused.Message}"), refused)
            : blocked is not null ? new AddressBlockedException(blocked)
            : new PluginDownException($"{host} has no address.");
    }

    static async Task<IPAddress[]> ResolveAsync(string host, Func<string, CancellationToken, Task<IPAddress[]>> resolve, CancellationToken cancellation)
    {
        try
        {
            return await resolve(host, cancellation).ConfigureAwait(false);
        }
        catch (SocketException cause)
        {
            throw new PluginDownException($"{host}: {cause.Message}", cause);
        }
    }

    static string Message(IPAddress address, string host, string why)
    {
        var which = address.ToString() == host ? host : $"{host} is {address}, and {address}";
        return $"{which} is blocked: {why}. `plugin_allowed_addresses` in config.toml opens it.";
    }

    static string? WhyListed(IPAddress address)
    {
        foreach (var (network, what) in Blocked)
        {
            if (network.Contains(address))
                return what;
        }

        return null;
    }

    /// <summary>The addresses of IPv4 that one of IPv6 leads to: mapped, translated (NAT64), tunnelled (6to4, Teredo).</summary>
    static IEnumerable<IPAddress> HeldIn(IPAddress address)
    {
        if (address.AddressFamily != AddressFamily.InterNetworkV6)
            yield break;
        var bytes = address.GetAddressBytes();
        foreach (var (network, at) in Holders)
        {
            // Of ::/96 the unspecified and the loopback address are no IPv4.
            if (network.Contains(address) && !(at == 12 && bytes.AsSpan(0, 15).IndexOfAnyExcept((byte)0) < 0))
                yield return new(bytes.AsSpan(at, 4));
        }

        // RFC 8215: translators of one's own, whose addresses stand at the end, or (RFC 6052) behind 48 bits with an empty byte in the middle. The other place is empty then.
        if (bytes.AsSpan(0, 6).SequenceEqual((ReadOnlySpan<byte>)[0, 0x64, 0xff, 0x9b, 0, 1]))
        {
            if (bytes[12] != 0)
                yield return new(bytes.AsSpan(12, 4));
            if (bytes[6] != 0)
                yield return new([bytes[6], bytes[7], bytes[9], bytes[10]]);
        }

        if (Teredo.Contains(address))
        {
            yield return new(bytes.AsSpan(4, 4));
            yield return new([(byte)~bytes[12], (byte)~bytes[13], (byte)~bytes[14], (byte)~bytes[15]]);
        }
    }

    static IPNetwork Parse(string text) => TryParse(text, out var network) ? network : throw new ArgumentException("The setting is checked when it is read.", nameof(text));

    static bool TryParse(string text, out IPNetwork network)
    {
        if (!text.Contains('/', StringComparison.Ordinal) && IPAddress.TryParse(text, out var address))
        {
            network = new(address, address.AddressFamily == AddressFamily.InterNetwork ? 32 : 128);
            return true;
        }

        return IPNetwork.TryParse(text, out network);
    }
}

/// <summary>A plugin is, or leads, where nothing is sent to.</summary>
internal sealed class AddressBlockedException(string message) : Exception(message);
