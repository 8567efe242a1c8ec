namespace EventDbx.Checkpoints;

/// <summary>A tree as somebody may have noted it.</summary>
/// <param name="Size">Leaves: entries of a log, or versions of an aggregate.</param>
/// <param name="Root">Its root.</param>
public readonly record struct TreePoint(ulong Size, Hash32 Root);

/// <summary>One event with everything that an outsider needs to check it. Source: docs/proofs.md, section 2.</summary>
/// <param name="Record">Whole, with its salt.</param>
/// <param name="PreviousRoot">The aggregate's root before it, part of its hash.</param>
/// <param name="Aggregate">A tree of the aggregate that has it.</param>
/// <param name="AggregatePath">Siblings from the event upward in that tree.</param>
/// <param name="LogPath">Siblings from the event upward in the tree of the checkpoint.</param>
/// <param name="Checkpoint">Covers its position.</param>
public sealed record EventReceipt(
    EventRecord Record, Hash32 PreviousRoot, TreePoint Aggregate, IReadOnlyList<Hash32> AggregatePath, IReadOnlyList<Hash32> LogPath, SignedNote Checkpoint);

/// <summary>That an aggregate at one version is the beginning of the same at another. Source: docs/proofs.md, section 3.</summary>
/// <param name="Aggregate">Which.</param>
/// <param name="From">The earlier version and root.</param>
/// <param name="To">The later ones.</param>
/// <param name="Path">An RFC 6962 consistency proof.</param>
public sealed record AggregateConsistency(AggregateKey Aggregate, TreePoint From, TreePoint To, IReadOnlyList<Hash32> Path);

/// <summary>That the log at one size is the beginning of the same at another. Source: docs/proofs.md, section 4.</summary>
/// <param name="Origin">Which log.</param>
/// <param name="From">The earlier size and root.</param>
/// <param name="To">The later ones.</param>
/// <param name="Path">An RFC 6962 consistency proof.</param>
public sealed record LogConsistency(string Origin, TreePoint From, TreePoint To, IReadOnlyList<Hash32> Path);
