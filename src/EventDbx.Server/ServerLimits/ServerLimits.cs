namespace EventDbx.Server;

/// <summary>Every fixed bound of the server, each with its unit and its reason: here those of the host and its listeners, beside this file a file for each room. Those of the data stand in <see cref="Limits"/>.</summary>
public static partial class ServerLimits
{
    /// <summary>Bytes of method, target and version: both names at their limit, all of it percent-encoded, and a long <c>fields</c>.</summary>
    public const int RequestLineBytesMax = 16 * 1024;

    /// <summary>Bytes of all headers of a request: a token with hundreds of resources is one of them.</summary>
    public const int HeaderBytesMax = 64 * 1024;

    /// <summary>Headers of a request. Proxies add a dozen.</summary>
    public const int HeadersMax = 100;

    /// <summary>Requests under way at once on one connection of HTTP/2: 256 calls of a busy client (gRPC has one connection for all), and subscriptions beside them. Beyond it a client waits, or opens another connection. One whose answer nobody takes costs some 10 KB.</summary>
    public const int StreamsPerConnectionMax = 320;

    /// <summary>Bytes of the payload of a frame of HTTP/2 that we take: the least there is. Larger ones only make others wait behind them.</summary>
    public const int FrameBytesMax = 16 * 1024;

    /// <summary>Bytes of the table by which HTTP/2 shortens headers that were sent before, for each connection and direction: the default of the protocol. A token and a dozen names have room.</summary>
    public const int HeaderTableBytes = 4 * 1024;

    /// <summary>Bytes of one request's body that its client may send before any of them are read: a stream of events behind one commit, or 640 KB a second over 200 ms.</summary>
    public const int StreamWindowBytes = 128 * 1024;

    /// <summary>Bytes of bodies that one connection of HTTP/2 may have sent before any of them are read: two requests that wait do not stop the third for long. Bodies of REST are read as they come, within <see cref="BodyBytesMax"/>.</summary>
    public const int ConnectionWindowBytes = 256 * 1024;

    /// <summary>After that long without a byte a client of HTTP/2 is asked whether it is there: beneath the 130 s of <see cref="IdleTimeout"/>, above what a mobile radio sleeps.</summary>
    public static readonly TimeSpan PingDelay = TimeSpan.FromSeconds(60);

    /// <summary>How long it may take to say so. A pager at the end of `curl` keeps it from answering, and is no dead peer for minutes.</summary>
    public static readonly TimeSpan PingTimeout = TimeSpan.FromMinutes(5);

    /// <summary>How long the headers may take: who sends a byte a second gives a connection back within this.</summary>
    public static readonly TimeSpan HeadersTimeout = TimeSpan.FromSeconds(10);

    /// <summary>How long a connection may be idle between requests: longer than the usual 60 and 120 s of proxies in front.</summary>
    public static readonly TimeSpan IdleTimeout = TimeSpan.FromSeconds(130);

    /// <summary>Bytes of the path of a socket: what the operating system has room for, less the zero at the end.</summary>
    public static int SocketPathBytesMax => OperatingSystem.IsMacOS() ? 103 : 107;

    /// <summary>Between two checkpoints that nobody asks for, while the log grows: an event is in a signed one within about this.</summary>
    public static readonly TimeSpan CheckpointInterval = TimeSpan.FromSeconds(1);
}
