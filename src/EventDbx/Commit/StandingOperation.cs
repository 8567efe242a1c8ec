using EventDbx.Mirroring;

namespace EventDbx.Commit;

/// <summary>The store begins or ends to be a mirror. Has its group to itself, so that it sees every row as it is.</summary>
internal abstract class StandingOperation : Operation
{
    public override int Bytes => 2048;
}

/// <summary>The store is a mirror from now on. No log entry; <see cref="Operation.Aggregate"/> plays no part.</summary>
internal sealed class MirrorOperation : StandingOperation
{
    public required MirrorRow Row { get; init; }

    /// <summary>Of the leader: an empty store takes it over.</summary>
    public required Guid DatabaseId { get; init; }

    /// <summary>Entries that were compared with the leader's.</summary>
    public required ulong Size { get; init; }
}

/// <summary>A new epoch begins, with a control entry, and the store leads. <see cref="Operation.Aggregate"/> plays no part.</summary>
internal sealed class EpochOperation : StandingOperation
{
    /// <summary>See <see cref="NewEpoch"/>.</summary>
    public required string Cause { get; init; }

    public string? Comment { get; init; }

    /// <summary>What checkpoints call the log in an epoch of this number.</summary>
    public required Func<uint, string> OriginOf { get; init; }

    /// <summary>What came of it.</summary>
    public Promotion? Result { get; set; }
}

/// <summary>A new epoch begins in a store that was restored from a backup, with a control entry. <see cref="Operation.Aggregate"/> plays no part.</summary>
internal sealed class RestoredOperation : StandingOperation
{
    /// <summary>The entry, but for what the writer knows: entries, root, checkpoint.</summary>
    public required NewEpoch Start { get; init; }
}

/// <summary>What a mirror knows of its leader has grown. No log entry; <see cref="Operation.Aggregate"/> plays no part.</summary>
internal sealed class MirrorNoteOperation : Operation
{
    public required MirrorRow Row { get; init; }

    public override int Bytes => 2048;
}
