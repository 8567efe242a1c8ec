using EventDbx.Checkpoints;
using EventDbx.Documents;

namespace EventDbx.Verification;

/// <summary>What a verify of everything reads, and what it knows of it from elsewhere.</summary>
internal sealed record VerifySource
{
    public required IStorageEngine Engine { get; init; }

    /// <summary>As it was opened: the rows of the store must say the same.</summary>
    public required StoreIdentity Identity { get; init; }

    public required bool Encrypted { get; init; }

    /// <summary>Null where the store is encrypted and its key is not at hand.</summary>
    public required Keyring? Keyring { get; init; }

    /// <summary>Null for a database without a directory.</summary>
    public required Func<WatermarkSlot?>? ReadWatermark { get; init; }

    public required TimeProvider Clock { get; init; }

    /// <summary>Where progress is kept; null: nowhere, so that nothing is written.</summary>
    public IDocuments? Documents { get; init; }

    /// <summary>How much verifies have found so far: while this one runs, nothing may be added, or its progress is not kept. Null: not known.</summary>
    public Func<ulong>? Findings { get; init; }

    /// <summary>The key that checkpoints are signed with; null: their signatures are not checked. May refuse.</summary>
    public Func<ICheckpointSigner>? Signer { get; init; }

    /// <summary>Whether a note has a good signature of a vkey; null: what a mirror's leader signed is held against the log alone.</summary>
    public Func<string, SignedNote, bool>? NoteVerifier { get; init; }

    /// <summary>Aggregates remembered at once.</summary>
    public int AggregatesMax { get; init; } = Limits.VerifyAggregatesMax;

    /// <summary>How often progress is kept. What a kill costs.</summary>
    public TimeSpan SaveInterval { get; init; } = TimeSpan.FromSeconds(10);
}
