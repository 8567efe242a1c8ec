namespace EventDbx.Server;

public static partial class ServerLimits
{
    /// <summary>TCP connections at once, waiting ones included: a descriptor and some 13 KB each, 45 KB with TLS (measured). Beyond it the one that has waited longest is closed.</summary>
    public const int ConnectionsMax = 10_000;

    /// <summary>TCP connections at once from one address: a proxy, or an office behind one address, has hundreds, and nobody needs more than a fraction of all.</summary>
    public const int ConnectionsPerAddressMax = 2_500;

    /// <summary>What one address may have of all: the n-th part at most, whatever the system allows in all. Four of them shut a port, not one.</summary>
    public const int ConnectionsAddressPart = 4;

    /// <summary>TCP connections that are taken even where the system lets this process have few descriptors.</summary>
    public const int ConnectionsLeast = 64;

    /// <summary>Connections at once by the socket in the file system: commands of one owner. Counted apart, so that no crowd outside keeps the owner out.</summary>
    public const int SocketConnectionsMax = 500;

    /// <summary>Connections that were closed for others and hand their last answer over still, at once, by one kind of door. Beyond it the longest at it is cut off.</summary>
    public const int LeavingMax = 256;

    /// <summary>How long an answer may get no further before its connection is the first to go in a crowd: some 32 KB have to be taken in that time. One of an AppendStream, on which other streams may wait, ends its stream.</summary>
    public static readonly TimeSpan AnswerStallTimeout = TimeSpan.FromSeconds(20);

    /// <summary>Descriptors that TCP connections leave to the rest: the store's files (1,000 at most), the connections of the socket and of the Admin API, those that leave, log and runtime.</summary>
    public const int DescriptorsKept = 1_000 + SocketConnectionsMax + AdminConnectionsMax + LeavingMax + 256;

    /// <summary>How long a connection may say nothing at first. Clients open one to use it; between requests <see cref="IdleTimeout"/> holds.</summary>
    public static readonly TimeSpan FirstByteTimeout = TimeSpan.FromSeconds(30);

    /// <summary>How long a connection of HTTP/2 that was asked to end may keep still, with nothing under way, before it is ended: some round trips of a slow line.</summary>
    public static readonly TimeSpan QuietBeforeEnd = TimeSpan.FromSeconds(1);

    /// <summary>How long a connection of HTTP/2 that the server ends may say nothing before it is closed: its client reads its last answer still, and says so a few times a second.</summary>
    public static readonly TimeSpan LingerQuiet = TimeSpan.FromSeconds(1);

    /// <summary>Bytes that it may say meanwhile: 13 tell of what was taken. Who sends more was not reading.</summary>
    public const int LingerBytes = 16 * 1024;

    /// <summary>How long it may take in all: short of the deadline of a stop.</summary>
    public static readonly TimeSpan LingerTimeout = TimeSpan.FromSeconds(8);
}
