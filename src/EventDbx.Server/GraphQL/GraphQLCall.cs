using EventDbx.Reading;
using EventDbx.Server.Configuration;
using EventDbx.Server.Feed;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.GraphQL;

/// <summary>One operation under way: who asks, what it has gathered so far, and when it has to end. The resolvers see nothing else of the server.</summary>
internal sealed class GraphQLCall(ServerHost host, ServerConfig config, TimeProvider clock, Session session, Action? lookAtToken, CancellationToken cancellation)
    : Dictionary<string, object?>, IAsyncDisposable
{
    TokenWatch? _watch;
    long _gathered;

    public Session Session => session;

    public ServerConfig Config => config;

    /// <summary>Throws the refusal of a token that is not good any more; null for the owner, who has none.</summary>
    public Action? LookAtToken => lookAtToken;

    /// <summary>Of the request, and, once <see cref="WatchToken"/> was called, of the token.</summary>
    public CancellationToken Cancellation => _watch?.Ended ?? cancellation;

    /// <summary>Why it has to end: the token is not good any more.</summary>
    public RefusedException? Withdrawn => _watch?.Refused;

    /// <summary>What a subscription asks for, once its field was resolved for the first time; no item is there yet then.</summary>
    public SubscriptionStart? Start { get; set; }

    /// <summary>The entry that a subscription shows now; null while it is opened.</summary>
    public FedItem? Item { get; set; }

    /// <summary>For what may take longer than a moment.</summary>
    public void WatchToken()
    {
        if (lookAtToken is not null)
            _watch ??= new(lookAtToken, clock, cancellation);
    }

    /// <summary>To be called before anything large is read: whether there is room for more.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.LimitExceeded"/>, <see cref="RefusalCode.Overloaded"/>.</exception>
    public void DemandRoom()
    {
        if (_gathered > ServerLimits.GraphQLAnswerBytesMax)
            throw new RefusedException(RefusalCode.LimitExceeded, $"The payloads and states of this answer have more than {ServerLimits.GraphQLAnswerBytesMax} bytes. Ask for less at once, and go on by cursor.");
        if (host.GraphQL.Gathered > ServerLimits.GraphQLGatheredBytesMax)
            throw new RefusedException(RefusalCode.Overloaded, "Too many large answers are under way at once. Ask again in a moment.");
    }

    /// <summary>What was read.</summary>
    public void Gather(long bytes)
    {
        _gathered += bytes;
        host.GraphQL.Gather(bytes);
    }

    public void Gather(IReadOnlyList<EventRecord> records)
    {
        var bytes = 0L;
        foreach (var record in records)
            bytes += record.Payload.Length;
        Gather(bytes);
    }

    /// <summary>An item of a subscription has been sent, and what it held is gone.</summary>
    public void Release()
    {
        host.GraphQL.Gather(-_gathered);
        _gathered = 0;
    }

    public ValueTask DisposeAsync()
    {
        Release();
        return _watch?.DisposeAsync() ?? default;
    }
}

/// <summary>What a subscription asks for.</summary>
/// <param name="After">A cursor; null: the beginning.</param>
/// <param name="Filter">Which events.</param>
/// <param name="Heartbeats">Whether they come as items.</param>
internal sealed record SubscriptionStart(string? After, FeedFilter Filter, bool Heartbeats);

/// <summary>An item of a subscription.</summary>
/// <param name="Cursor">Everything up to here has been shown.</param>
/// <param name="Event">Null: a heartbeat.</param>
internal sealed record FedItem(FeedCursor Cursor, EventRecord? Event);
