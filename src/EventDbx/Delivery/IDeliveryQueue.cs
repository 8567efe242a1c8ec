namespace EventDbx.Delivery;

/// <summary>What each plugin has yet to take: a cursor into the log, the aggregates that wait for another try, the dead letters.</summary>
/// <remarks>
/// No event is copied: what waits is named by its place in the log. One writer a plugin; readers are many. Thread-safe.
/// These rows are no part of the log (docs/storage-format.md, family <c>plugins</c>): they say what somebody else has taken.
/// </remarks>
public interface IDeliveryQueue
{
    /// <summary>Up to which position every event was taken, waits or is dead; null: nothing was ever kept of this plugin.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    ulong? FindCursor(string plugin);

    /// <summary>Makes all of a change durable, or nothing. With relaxed durability a cursor that only moved forward is so with the store's next sync.</summary>
    /// <remarks>
    /// The first change of a plugin has a cursor. An aggregate or position is named once in a change. Errors that are too long are cut; those of
    /// an aggregate that is gone are not kept in an encrypted store, for they are sealed with its key.
    /// </remarks>
    /// <exception cref="RefusedException">
    /// <see cref="RefusalCode.LimitExceeded"/>: more than <see cref="Limits.DeliveryChangesMax"/> rows at once; or more would wait, or be dead, than
    /// <see cref="Limits.DeliveryWaitingMax"/> and <see cref="Limits.DeliveryDeadMax"/> allow: then nothing new is to be taken up for the plugin until there is room.
    /// <see cref="RefusalCode.InvalidArgument"/>: a position beyond the synced log, or something else that only a defect brings.
    /// <see cref="RefusalCode.NotFound"/>: no cursor, and nothing is kept of the plugin (it may have been forgotten meanwhile).
    /// <see cref="RefusalCode.Overloaded"/>, <see cref="RefusalCode.Unavailable"/>, <see cref="RefusalCode.IntegrityViolation"/>: as for an append.
    /// </exception>
    Task SaveAsync(string plugin, DeliveryChange change);

    /// <summary>Forgets all that is kept of a plugin, in as many commits as it takes; the cursor goes with the last. No other change of it may run.</summary>
    Task ForgetAsync(string plugin);

    /// <summary>How much waits, and how much is dead.</summary>
    DeliveryCounts Count(string plugin);

    /// <summary>Aggregates that wait, in the order of their names, after one; at most <paramref name="take"/>.</summary>
    IReadOnlyList<WaitingAggregate> GetWaiting(string plugin, AggregateKey? after, int take);

    /// <summary>Dead letters in the order of their positions, after one; at most <paramref name="take"/>.</summary>
    IReadOnlyList<DeadLetter> GetDead(string plugin, ulong after, int take);

    /// <summary>Every plugin of which something is kept, in the order of names.</summary>
    IReadOnlyList<string> GetPlugins();
}

/// <summary>How much of a plugin's events was not taken at the first try.</summary>
/// <param name="Waiting">Aggregates that wait.</param>
/// <param name="Dead">Events that are given up.</param>
public readonly record struct DeliveryCounts(long Waiting, long Dead);

/// <summary>What a plugin did with some events, to be kept in one commit.</summary>
public sealed record DeliveryChange
{
    /// <summary>The new cursor; null: as it is.</summary>
    public ulong? Cursor { get; init; }

    /// <summary>Aggregates that wait from now on, or wait otherwise than before.</summary>
    public IReadOnlyList<WaitingAggregate> Waiting { get; init; } = [];

    /// <summary>Aggregates that wait no more.</summary>
    public IReadOnlyList<AggregateKey> Released { get; init; } = [];

    /// <summary>Events that are given up.</summary>
    public IReadOnlyList<DeadLetter> Dead { get; init; } = [];

    /// <summary>Positions of dead letters that are dead no more: delivered after all, or cleared.</summary>
    public IReadOnlyList<ulong> Cleared { get; init; } = [];
}

/// <summary>An aggregate of which a plugin refused an event: that one and the later ones wait, the others go on.</summary>
public sealed record WaitingAggregate
{
    public required AggregateKey Aggregate { get; init; }

    /// <summary>The event that was refused; everything of the aggregate from here on has yet to be taken.</summary>
    public required ulong Version { get; init; }

    /// <summary>Its place in the log.</summary>
    public required ulong Position { get; init; }

    public required Guid EventId { get; init; }

    public required string EventType { get; init; }

    /// <summary>How often it was refused.</summary>
    public required int Attempts { get; init; }

    /// <summary>When it is tried again.</summary>
    public required Timestamp NextAttemptAt { get; init; }

    /// <summary>What the plugin said last; at most <see cref="Limits.DeliveryErrorCharactersMax"/>, without secrets of ours.</summary>
    public required string LastError { get; init; }

    /// <summary>Whether it is given up and holds its aggregate all the same, until somebody decides.</summary>
    public bool Held { get; init; }
}

/// <summary>An event that a plugin has refused for good.</summary>
public sealed record DeadLetter
{
    public required ulong Position { get; init; }

    public required AggregateKey Aggregate { get; init; }

    public required ulong Version { get; init; }

    public required Guid EventId { get; init; }

    public required string EventType { get; init; }

    public required int Attempts { get; init; }

    /// <summary>As in <see cref="WaitingAggregate.LastError"/>.</summary>
    public required string LastError { get; init; }

    /// <summary>When it was given up.</summary>
    public required Timestamp At { get; init; }
}
