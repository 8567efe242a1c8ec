using EventDbx.Checkpoints;

namespace EventDbx.Verification;

/// <summary>How deep a verify of one aggregate looks.</summary>
public enum VerifyLevel
{
    /// <summary>The head against its newest event and its state: enough to see that they belong together.</summary>
    Quick,

    /// <summary>Every row of the aggregate, and everything in its head, computed again from its events.</summary>
    Full,
}

/// <summary>An aggregate that is what was committed.</summary>
public sealed record VerifyResult
{
    public required AggregateKey Aggregate { get; init; }

    public required VerifyLevel Level { get; init; }

    /// <summary>0 for an aggregate that was created and has no events yet.</summary>
    public required ulong Version { get; init; }

    /// <summary>Root over versions 1 to <see cref="Version"/>, computed here.</summary>
    public required Hash32 MerkleRoot { get; init; }

    public required bool Archived { get; init; }

    /// <summary>Events that were opened and hashed again: all of them, or, quick, the newest.</summary>
    public ulong EventsChecked { get; init; }

    /// <summary>Remembered states of older versions that equal the fold of the events up to them.</summary>
    public ulong FoldPointsChecked { get; init; }

    /// <summary>Event ids of clients whose row leads to their event.</summary>
    public ulong ClientIdsChecked { get; init; }
}

/// <summary>What a verify of everything is at.</summary>
public enum VerifyPhase
{
    /// <summary>The files of the engine, against the checksums they were written with.</summary>
    Files,

    /// <summary>The log in its own order; counted in entries.</summary>
    Log,

    /// <summary>Every aggregate in key order; counted in events.</summary>
    Aggregates,
}

/// <summary>How far it is.</summary>
/// <param name="Phase">One after the other.</param>
/// <param name="Done">Of <paramref name="Total"/>.</param>
/// <param name="Total">0 where it is not known beforehand.</param>
public readonly record struct VerifyProgress(VerifyPhase Phase, ulong Done, ulong Total)
{
    /// <summary>An earlier verify that was interrupted, and that this one, which was not asked to, does not go on with; null mostly.</summary>
    public EarlierVerify? Interrupted { get; init; }
}

/// <summary>A verify of everything that was interrupted: what it had verified by then.</summary>
public sealed record EarlierVerify
{
    /// <summary>When it began; of one that was resumed before, the first part of it.</summary>
    public required Timestamp StartedAt { get; init; }

    /// <summary>When it last noted how far it was.</summary>
    public required Timestamp SavedAt { get; init; }

    /// <summary>Entries of the log that it saw.</summary>
    public required ulong LogSize { get; init; }

    public required Hash32 LogRoot { get; init; }

    /// <summary>The last aggregate that it had finished, in key order.</summary>
    public required AggregateKey Last { get; init; }

    /// <summary>Aggregates that it had finished; or, in the result of the verify that went on with it, those of them that were not read again in full.</summary>
    public required ulong Aggregates { get; init; }

    /// <summary>Their events.</summary>
    public required ulong Events { get; init; }
}

/// <summary>A store in which every row is what was committed, and none is missing or too many.</summary>
public sealed record VerifyAllResult
{
    /// <summary>Entries of the log that were verified: all there were when it began.</summary>
    public required ulong LogSize { get; init; }

    /// <summary>Root of the log tree over them, computed here. Hold it against a root that was kept elsewhere.</summary>
    public required Hash32 LogRoot { get; init; }

    public required ulong Events { get; init; }

    public required ulong ControlEntries { get; init; }

    /// <summary>Aggregates, archived ones included.</summary>
    public required ulong Aggregates { get; init; }

    public required ulong Archived { get; init; }

    /// <summary>Event ids of clients; of a verify that was resumed, those that were read now. So are the next two.</summary>
    public required ulong ClientIds { get; init; }

    public required ulong FoldPoints { get; init; }

    public required ulong Snapshots { get; init; }

    /// <summary>Tiles of the log tree.</summary>
    public required ulong Tiles { get; init; }

    /// <summary>Log size in the watermark whose root was found again; null for a database without a directory.</summary>
    public ulong? WatermarkSize { get; init; }

    /// <summary>Checkpoints that the log has signed and that are kept, of all epochs: those that are prefixes of the log.</summary>
    public ulong Checkpoints { get; init; }

    /// <summary>And those of earlier epochs that are none: they speak of entries that were lost, as an accepted loss in the log says.</summary>
    public ulong CheckpointsOfLostEntries { get; init; }

    /// <summary>Whether all of them were found to be signed with the log's key; false where it was not at hand, or there are none.</summary>
    public bool CheckpointSignaturesChecked { get; init; }

    /// <summary>The newest of this epoch; null when there is none.</summary>
    public Checkpoint? NewestCheckpoint { get; init; }

    /// <summary>False: the store is encrypted and was verified without its key. What is sealed was not opened.</summary>
    public bool PayloadsChecked { get; init; } = true;

    /// <summary>The interrupted verify that this one went on with: what it had verified was not read again in full. Null: everything was read now.</summary>
    public EarlierVerify? Resumed { get; init; }

    public required TimeSpan Elapsed { get; init; }
}
