namespace EventDbx.Server.Replication.Transfer;

/// <summary>One thing that a transfer tells on its way.</summary>
public abstract record TransferStep;

/// <summary>What it is doing.</summary>
public enum TransferPhase
{
    /// <summary>Positions of both sides; the count is aggregates.</summary>
    Compare,

    /// <summary>Events on their way; the count is events.</summary>
    Events,

    /// <summary>Archive flags, snapshots, aggregates without events; the count is aggregates.</summary>
    Marks,

    /// <summary>Schemas.</summary>
    Schemas,
}

/// <summary>How far it is.</summary>
/// <param name="Phase">With what.</param>
/// <param name="Done">So many.</param>
/// <param name="Total">Of so many; null where nobody knows yet.</param>
public sealed record TransferProgress(TransferPhase Phase, ulong Done, ulong? Total) : TransferStep
{
    /// <summary>What was done so far, for whoever hears nothing more; null: nothing was changed yet.</summary>
    public TransferReport? SoFar { get; init; }
}

/// <summary>What a transfer has done; of a dry run, what it would do.</summary>
/// <remarks>It is the last step of a transfer that came to its end.</remarks>
public sealed record TransferReport : TransferStep
{
    public required TransferDirection Direction { get; init; }

    public required string Remote { get; init; }

    public required bool DryRun { get; init; }

    /// <summary>Null where none were asked for, or it did not come to them.</summary>
    public EventsReport? Events { get; init; }

    /// <summary>The same.</summary>
    public SchemasReport? Schemas { get; init; }
}

/// <summary>What a transfer had done that then failed, or was cancelled: the last step before that, where anything was done.</summary>
public sealed record TransferCutOff(TransferReport Done) : TransferStep;

/// <summary>Events that were new to the receiver.</summary>
public sealed record EventsReport
{
    /// <summary>Whether the receiver had everything, so that there was nothing to do.</summary>
    public required bool UpToDate { get; init; }

    /// <summary>By aggregate type, in the order of its bytes; types without an event are left out.</summary>
    public required IReadOnlyList<TypeCount> Types { get; init; }

    /// <summary>Aggregates that were archived, restored, made without an event, or got a snapshot.</summary>
    public required ulong Marked { get; init; }

    /// <summary>All of them.</summary>
    public ulong Events => Types.Aggregate(0UL, static (sum, type) => sum + type.Events);
}

/// <param name="Type">Of aggregates.</param>
/// <param name="Events">Of all aggregates of that type.</param>
public readonly record struct TypeCount(string Type, ulong Events);

/// <summary>Schemas that differed.</summary>
/// <param name="Changes">Those that were, or would be, added or updated, by name; then those taken away.</param>
/// <param name="Kept">Schemas that the receiver alone has, and keeps.</param>
public sealed record SchemasReport(IReadOnlyList<SchemaChangeReport> Changes, int Kept);

public enum SchemaChangeKind
{
    Added,
    Updated,
    Removed,
}

/// <summary>What becomes of one schema at the receiver.</summary>
/// <param name="Aggregate">The type that it is for.</param>
/// <param name="Kind">What.</param>
/// <param name="Events">Event types that it has, or had.</param>
/// <param name="Details">Of an update: each difference as a line.</param>
public sealed record SchemaChangeReport(string Aggregate, SchemaChangeKind Kind, int Events, IReadOnlyList<string> Details);
