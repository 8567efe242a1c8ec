namespace EventDbx.Merging;

/// <summary>Where the history of an aggregate stands.</summary>
/// <param name="Aggregate">Its name.</param>
/// <param name="Version">Of its newest event; 0: it has none.</param>
/// <param name="Root">Root of its tree over all of them.</param>
/// <param name="Archived">Whether it takes no appends.</param>
/// <param name="Snapshots">How many snapshots somebody took of it.</param>
public readonly record struct HistoryPosition(AggregateKey Aggregate, ulong Version, Hash32 Root, bool Archived, uint Snapshots);

/// <summary>A page of positions.</summary>
/// <param name="Positions">In key order.</param>
/// <param name="More">Whether there are some behind the last one.</param>
public sealed record HistoryPage(IReadOnlyList<HistoryPosition> Positions, bool More);

/// <summary>Which aggregates a merge is about.</summary>
public sealed record HistoryFilter
{
    /// <summary>These types; empty with empty <see cref="Aggregates"/>: all.</summary>
    public IReadOnlyList<string> Types { get; init; } = [];

    /// <summary>These aggregates. Of a type that has some here, only these, also where <see cref="Types"/> names it.</summary>
    public IReadOnlyList<AggregateKey> Aggregates { get; init; } = [];
}

/// <summary>What is known of an aggregate beside its events.</summary>
public sealed record HistoryMarks
{
    public required AggregateKey Aggregate { get; init; }

    /// <summary>Of its newest event when this was read.</summary>
    public required ulong Version { get; init; }

    public bool Archived { get; init; }

    /// <summary>Of one without events, why it was created; to apply, also why it is to be archived or restored. What is archived does not know why.</summary>
    public string? Comment { get; init; }

    /// <summary>Snapshots that somebody took, by version.</summary>
    public IReadOnlyList<HistorySnapshot> Snapshots { get; init; } = [];
}

/// <summary>A snapshot that somebody took. Its state follows from the events.</summary>
/// <param name="Version">The version whose state it keeps.</param>
/// <param name="CreatedAt">When it was taken in the database that this was read from.</param>
/// <param name="Comment">What was said then.</param>
public readonly record struct HistorySnapshot(ulong Version, Timestamp CreatedAt, string? Comment);
