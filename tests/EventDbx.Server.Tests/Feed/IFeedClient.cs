namespace EventDbx.Server.Tests.Feed;

/// <summary>A subscription to the feed over one surface, as a test drives it. A new surface is one more of these.</summary>
internal interface IFeedClient
{
    /// <summary>For messages.</summary>
    string Surface { get; }

    /// <summary>Every event from a cursor on, until the connection ends (then it ends, or throws) or the caller breaks off, which closes the connection.</summary>
    /// <param name="port">Of 127.0.0.1.</param>
    /// <param name="token">With <c>feed.read</c>.</param>
    /// <param name="after">The last <see cref="FedEvent.Cursor"/>; null: from the beginning.</param>
    IAsyncEnumerable<FedEvent> SubscribeAsync(int port, string token, string? after, CancellationToken cancellation);
}

/// <summary>An event as it came.</summary>
/// <param name="Cursor">To go on with.</param>
/// <param name="Position">In the log.</param>
/// <param name="Payload">As JSON.</param>
internal sealed record FedEvent(string Cursor, ulong Position, string Payload);
