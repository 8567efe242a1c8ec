namespace EventDbx.Reading;

/// <summary>One page of aggregates in key order.</summary>
/// <param name="Items">Without their states.</param>
/// <param name="Next">Opaque; continues behind the last item. Null when there is no more.</param>
public sealed record AggregatePage(IReadOnlyList<AggregateState> Items, byte[]? Next);

/// <summary>One page of an aggregate's events in version order.</summary>
/// <param name="Items">The events.</param>
/// <param name="NextVersion">The version the next page begins at; null when there is no more.</param>
public sealed record EventPage(IReadOnlyList<EventRecord> Items, ulong? NextVersion);

/// <summary>One entry of the log: an event or a control entry.</summary>
public sealed record FeedItem(ulong Position, EventRecord? Event, ControlRecord? Control);

/// <summary>Entries in log order.</summary>
/// <param name="Items">Rising positions; positions left out are control entries that were not asked for.</param>
/// <param name="ReachedPosition">Everything up to here has been read: continue after it.</param>
public sealed record FeedPage(IReadOnlyList<FeedItem> Items, ulong ReachedPosition);
