namespace EventDbx.Server.Connections;

/// <summary>How many connections one door takes, and how long it waits for their first byte.</summary>
/// <param name="Max">At once, in all.</param>
/// <param name="PerAddress">At once, from one <see cref="ClientAddress"/>.</param>
/// <param name="FirstByte">Whoever has not sent one by then is closed.</param>
internal sealed record ConnectionLimits(int Max, int PerAddress, TimeSpan FirstByte)
{
    /// <summary>Whoever takes nothing of an answer for that long may be closed for others; and whoever is closed may take the rest of one for that long.</summary>
    public TimeSpan Stall { get; init; } = ServerLimits.AnswerStallTimeout;

    /// <summary>Of the TCP ports, within what the operating system lets this process have open.</summary>
    /// <param name="descriptors">How many it may have open; null where that is not known.</param>
    public static ConnectionLimits OfPorts(long? descriptors)
    {
        var most = Math.Clamp((descriptors ?? long.MaxValue) - ServerLimits.DescriptorsKept, ServerLimits.ConnectionsLeast, ServerLimits.ConnectionsMax);
        return new((int)most, Math.Min(ServerLimits.ConnectionsPerAddressMax, (int)most / ServerLimits.ConnectionsAddressPart), ServerLimits.FirstByteTimeout);
    }

    /// <summary>Of the listener of the Admin API, where it has one of its own.</summary>
    public static ConnectionLimits OfAdmin { get; } = new(
        ServerLimits.AdminConnectionsMax, ServerLimits.AdminConnectionsMax / ServerLimits.ConnectionsAddressPart, ServerLimits.FirstByteTimeout);

    /// <summary>Of the port of replication, where sessions are never closed for strangers.</summary>
    public static ConnectionLimits OfPeers { get; } = new(ServerLimits.SessionConnectionsMax, ServerLimits.SessionConnectionsPerAddressMax, ServerLimits.SessionHandshakeTimeout);

    /// <summary>Of the socket in the file system: one owner, one count.</summary>
    public static ConnectionLimits OfSocket { get; } = new(ServerLimits.SocketConnectionsMax, ServerLimits.SocketConnectionsMax, ServerLimits.FirstByteTimeout);
}
