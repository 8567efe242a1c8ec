namespace EventDbx.Server;

public static partial class ServerLimits
{
    /// <summary>Appends of one gRPC stream that are read and not answered yet: twice what a fast client keeps under way. Beyond it the stream is not read, and its client waits.</summary>
    public const int AppendStreamWindow = 512;

    /// <summary>Bytes of those: what a client that takes no answers costs. One append always fits.</summary>
    public const int AppendStreamWindowBytes = 4 * 1024 * 1024;

    /// <summary>How many times its bytes an append of a stream is counted while it is under way: once sealed, once as the answer.</summary>
    public const int AppendStreamCost = 2;

    /// <summary>Bytes that the appends of all streams together hold at once, as they are counted, apart from <see cref="BodyBytesMax"/>: streams take nothing from other requests. Beyond it they wait, and are not read.</summary>
    public const long AppendStreamsBytesMax = BodyBytesMax / 4;

    /// <summary>Bytes of a message to a gRPC method that is open to everybody: a name, or a question to reflection.</summary>
    public const int OpenMessageBytesMax = 4 * 1024;

    /// <summary>Bytes of the message of a gRPC status. It stands twice in the trailers, and some clients take 8 KiB of those in all.</summary>
    public const int GrpcMessageBytesMax = 1024;

    /// <summary>Bytes of violations of a schema in the details of a gRPC status, for the same reason; REST and streams have all of them.</summary>
    public const int GrpcViolationsBytesMax = 2048;

    /// <summary>Clients that watch the health of the server over gRPC at once: they need no token.</summary>
    public const int HealthWatchesMax = 1_000;

    /// <summary>How often health is looked at for them.</summary>
    public static readonly TimeSpan HealthWatchInterval = TimeSpan.FromSeconds(1);
}
