namespace EventDbx.Server;

public static partial class ServerLimits
{
    /// <summary>Bytes that request bodies, and what becomes of them, may hold at once over all connections: what a crowd of large requests may cost.</summary>
    public const long BodyBytesMax = 512L * 1024 * 1024;

    /// <summary>How many times its bytes a body is counted: it is parsed, minified and sealed besides.</summary>
    public const int BodyCost = 4;

    /// <summary>Bytes up to which a body lies in pooled memory. Larger ones are rare, and a pool would keep their memory for good.</summary>
    public const int BodyPooledBytesMax = 1024 * 1024;

    /// <summary>How long a body may take: the largest at 280 KB a second. Meanwhile its token may have been revoked, and is looked at again.</summary>
    public static readonly TimeSpan BodyTimeout = TimeSpan.FromSeconds(60);

    /// <summary>Bytes of a body that is refused unread which HTTP/2 lets come all the same, and drops: one or two frames, which most clients send before they look for an answer.</summary>
    public const int BodyPassedOverBytes = 16 * 1024;

    /// <summary>How long those may take: a round trip of the slowest line.</summary>
    public static readonly TimeSpan BodyPassedOverWithin = TimeSpan.FromSeconds(1);

    /// <summary>Bytes of a body for which memory is taken before any of them came. More is taken as it comes.</summary>
    public const int BodyFirstBytes = 16 * 1024;

    /// <summary>Bytes of an answer that are gathered before they are sent: up to this many, the answer says its length.</summary>
    public const int AnswerPieceBytes = 64 * 1024;

    /// <summary>Levels of a request: that of a payload, and the request, list and record around it.</summary>
    public const int RequestDepthMax = Limits.PayloadDepthMax + 4;

    /// <summary>Characters of an <c>Idempotency-Key</c>: room for a URL or two UUIDs.</summary>
    public const int IdempotencyKeyMax = 256;

    /// <summary>How long an answer may be kept by whoever asked, where it can never change: a tile of a log, a year.</summary>
    public static readonly TimeSpan ImmutableFor = TimeSpan.FromDays(365);

    /// <summary>Between two lines that tell how far a verify is.</summary>
    public static readonly TimeSpan ProgressInterval = TimeSpan.FromMilliseconds(100);

    /// <summary>Bytes of an answer that a command gathers in memory: a state, or a page, at its limit has a fraction of it. Exports and streams are read as they come.</summary>
    public const int AnswerBytesMax = 128 * 1024 * 1024;

    /// <summary>Bytes of a line of an answer that is read line by line.</summary>
    public const int AnswerLineBytesMax = 16 * 1024 * 1024;
}
