using System.Collections.Immutable;

namespace EventDbx.Schemas;

/// <summary>One event type of a schema. Equal by content.</summary>
public sealed record EventDefinition
{
    /// <summary>Any fields, no note.</summary>
    public static EventDefinition Any { get; } = new();

    /// <summary>The exact set of top-level fields of its payload; empty: any.</summary>
    public ImmutableSortedSet<string> Fields
    {
        get;
        init => field = Utf8Order.Sorted(value);
    } = Utf8Order.NoNames;

    /// <summary>What the event means, for people.</summary>
    public string? Notes { get; init; }

    public bool Equals(EventDefinition? other) =>
        other is not null && Notes == other.Notes && Fields.SequenceEqual(other.Fields, StringComparer.Ordinal);

    public override int GetHashCode() => HashCode.Combine(Notes, Fields.Count);
}

/// <summary>The schema of one aggregate type. Immutable: a change (<see cref="SchemaChange"/>) makes another one. Equal by content.</summary>
/// <remarks>Whether it is one that can be enforced is <see cref="CompiledSchema.Of"/>'s to say.</remarks>
public sealed record AggregateSchema
{
    /// <summary>The aggregate type.</summary>
    public required string Aggregate { get; init; }

    /// <summary>A snapshot every so many versions; null or 0: none.</summary>
    public ulong? SnapshotThreshold { get; init; }

    /// <summary>Takes no events.</summary>
    public bool Locked { get; init; }

    /// <summary>Top-level fields that no event may set.</summary>
    public ImmutableSortedSet<string> FieldLocks
    {
        get;
        init => field = Utf8Order.Sorted(value);
    } = Utf8Order.NoNames;

    /// <summary>Not shown by the surfaces.</summary>
    public bool Hidden { get; init; }

    /// <summary>Top-level fields that the surfaces leave out.</summary>
    public ImmutableSortedSet<string> HiddenFields
    {
        get;
        init => field = Utf8Order.Sorted(value);
    } = Utf8Order.NoNames;

    /// <summary>The columns of the payload's members. A member without a column may hold anything.</summary>
    public ImmutableSortedDictionary<string, Column> ColumnTypes
    {
        get;
        init => field = Utf8Order.Sorted(value);
    } = Column.None;

    /// <summary>The event types, and no others.</summary>
    public ImmutableSortedDictionary<string, EventDefinition> Events
    {
        get;
        init => field = Utf8Order.Sorted(value);
    } = ImmutableSortedDictionary.Create<string, EventDefinition>(Utf8Order.Instance);

    public Timestamp CreatedAt { get; init; }

    public Timestamp UpdatedAt { get; init; }

    public bool Equals(AggregateSchema? other) =>
        other is not null && CreatedAt == other.CreatedAt && UpdatedAt == other.UpdatedAt && SaysTheSameAs(other);

    public override int GetHashCode() => HashCode.Combine(Aggregate, UpdatedAt, Events.Count, ColumnTypes.Count);

    /// <summary>Equal but for the times.</summary>
    public bool SaysTheSameAs(AggregateSchema other) =>
        Aggregate == other.Aggregate && SnapshotThreshold == other.SnapshotThreshold && Locked == other.Locked && Hidden == other.Hidden
        && FieldLocks.SequenceEqual(other.FieldLocks, StringComparer.Ordinal)
        && HiddenFields.SequenceEqual(other.HiddenFields, StringComparer.Ordinal)
        && Utf8Order.Same(ColumnTypes, other.ColumnTypes)
        && Utf8Order.Same(Events, other.Events);
}
