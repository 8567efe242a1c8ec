using System.Collections.Immutable;

namespace EventDbx.Schemas;

/// <summary>One event type of a schema.</summary>
/// <param name="Fields">The exact set of top-level fields of its payload; empty: any.</param>
/// <param name="Notes">What the event means, for people.</param>
public sealed record EventDefinition(ImmutableSortedSet<string> Fields, string? Notes)
{
    public static EventDefinition Any { get; } = new(ImmutableSortedSet.Create<string>(Utf8Order.Instance), null);
}

/// <summary>The schema of one aggregate type. Immutable: a change makes another one.</summary>
public sealed record AggregateSchema
{
    public required string Aggregate { get; init; }

    /// <summary>A snapshot every so many versions; null: none.</summary>
    public ulong? SnapshotThreshold { get; init; }

    /// <summary>Takes no events.</summary>
    public bool Locked { get; init; }

    /// <summary>Top-level fields that no event may set.</summary>
    public ImmutableSortedSet<string> FieldLocks { get; init; } = NoNames;

    /// <summary>Not shown by the surfaces.</summary>
    public bool Hidden { get; init; }

    /// <summary>Top-level fields that the surfaces leave out.</summary>
    public ImmutableSortedSet<string> HiddenFields { get; init; } = NoNames;

    public ImmutableSortedDictionary<string, Column> ColumnTypes { get; init; } = Column.NoColumns;

    public ImmutableSortedDictionary<string, EventDefinition> Events { get; init; } = ImmutableSortedDictionary.Create<string, EventDefinition>(Utf8Order.Instance);

    public Timestamp CreatedAt { get; init; }

    public Timestamp UpdatedAt { get; init; }

    public static ImmutableSortedSet<string> NoNames { get; } = ImmutableSortedSet.Create<string>(Utf8Order.Instance);
}
