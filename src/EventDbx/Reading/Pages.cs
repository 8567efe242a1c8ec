namespace EventDbx.Reading;

/// <summary>One page of aggregates in key order.</summary>
/// <param name="Items">With their states only where that was asked for.</param>
/// <param name="Next">Opaque; continues behind the last item. Null when there is no more.</param>
public sealed record AggregatePage(IReadOnlyList<AggregateState> Items, byte[]? Next);

/// <summary>One page of an aggregate's events in version order.</summary>
/// <param name="Items">The events.</param>
/// <param name="NextVersion">The version the next page begins at; null when there is no more.</param>
public sealed record EventPage(IReadOnlyList<EventRecord> Items, ulong? NextVersion);

/// <summary>What of the log a reader wants. Unset members let every event through.</summary>
public sealed record FeedFilter
{
    /// <summary>Only events of aggregates of this type.</summary>
    public string? AggregateType { get; init; }

    /// <summary>Only events of this type.</summary>
    public string? EventType { get; init; }

    /// <summary>Control entries as well; the other members do not concern them.</summary>
    public bool IncludeControl { get; init; }

    /// <summary>The salts of the hashes as well, with which another store can take the events over. Only for who is shown everything.</summary>
    public bool WithSalts { get; init; }
}

/// <summary>What of the control entries a reader wants. Unset members let every one through.</summary>
public sealed record AuditFilter
{
    /// <summary>Only these kinds; empty: all.</summary>
    public IReadOnlyList<string> Kinds { get; init; } = [];

    /// <summary>Only what was about this.</summary>
    public string? Subject { get; init; }

    /// <summary>Only what an actor of this group did.</summary>
    public string? Group { get; init; }

    /// <summary>Only what an actor of this name did.</summary>
    public string? User { get; init; }

    /// <summary>Not before.</summary>
    public Timestamp? Since { get; init; }

    /// <summary>Not after.</summary>
    public Timestamp? Until { get; init; }

    internal bool Wants(EntryRow entry) => (Kinds.Count == 0 || Kinds.Contains(entry.Type))
        && (Subject is null || entry.Subject == Subject)
        && (Group is null || entry.Actor?.Group == Group) && (User is null || entry.Actor?.User == User)
        && !(Since is { } since && entry.CreatedAt < since.Ticks100ns) && !(Until is { } until && entry.CreatedAt > until.Ticks100ns);
}

/// <summary>Control entries in log order.</summary>
/// <param name="Items">Those that were asked for.</param>
/// <param name="ReachedPosition">Everything up to here has been looked at: continue after it.</param>
/// <param name="End">Whether that was all there is by now.</param>
public sealed record AuditPage(IReadOnlyList<ControlRecord> Items, ulong ReachedPosition, bool End);

/// <summary>One entry of the log: an event or a control entry.</summary>
public sealed record FeedItem(ulong Position, EventRecord? Event, ControlRecord? Control);

/// <summary>Entries in log order.</summary>
/// <param name="Items">Rising positions; positions left out are entries that were not asked for, or that the caller may not read.</param>
/// <param name="ReachedPosition">Everything up to here has been read: continue after it.</param>
public sealed record FeedPage(IReadOnlyList<FeedItem> Items, ulong ReachedPosition);
