namespace EventDbx.Server.Tests.Feed;

/// <summary>Every surface with a subscription. A new one is one more line.</summary>
public static class FeedClients
{
    /// <summary>And how many events CI sends through it.</summary>
    static readonly (IFeedClient Client, int CiEvents)[] s_all =
    [
        (new SseFeedClient(), 100_000),
        (new Grpc.GrpcFeedClient(), 100_000),
    ];

    public static TheoryData<string> Surfaces => [.. s_all.Select(one => one.Client.Surface)];

    internal static (IFeedClient Client, int CiEvents) Of(string surface) => s_all.Single(one => one.Client.Surface == surface);
}
