namespace EventDbx.Server;

public static partial class ServerLimits
{
    /// <summary>Subscriptions to the feed at once, over every surface: each holds a page of <see cref="FeedStreamBytes"/> at most.</summary>
    public const int SubscriptionsMax = 1_000;

    /// <summary>Events that a subscription reads ahead of its client: some milliseconds of a fast one.</summary>
    public const int FeedStreamItems = 256;

    /// <summary>Bytes that a subscription reads ahead of its client: what a slow one costs. One piece of an answer, so that little is kept while it is not taken. Batches are read in parts; one event goes beyond it.</summary>
    public const int FeedStreamBytes = AnswerPieceBytes;

    /// <summary>How long a subscription may say nothing: shorter than the 30 s after which proxies give up a silent answer.</summary>
    public static readonly TimeSpan HeartbeatInterval = TimeSpan.FromSeconds(10);

    /// <summary>How long a client of a stream that broke is asked to wait before it comes again: a restart takes about as long.</summary>
    public static readonly TimeSpan StreamRetry = TimeSpan.FromSeconds(1);

    /// <summary>How long the last words of a stream may take to be handed over. Who takes nothing is cut off.</summary>
    public static readonly TimeSpan LastWordsTimeout = TimeSpan.FromSeconds(1);
}
