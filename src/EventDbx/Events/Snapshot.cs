namespace EventDbx.Events;

/// <summary>The state of an aggregate that was kept at one version.</summary>
/// <param name="State">The aggregate as it was then; whether it was archived plays no part.</param>
/// <param name="CreatedAt">When it was taken; of an automatic one, when its event was committed.</param>
/// <param name="Comment">What was said when it was taken.</param>
/// <param name="Automatic">Whether a schema asked for it.</param>
public sealed record Snapshot(AggregateState State, Timestamp CreatedAt, string? Comment, bool Automatic);

/// <summary>A page of the snapshots of one aggregate, oldest first.</summary>
/// <param name="Items">The snapshots.</param>
/// <param name="Next">Opaque; continues behind the last item. Null when there is no more.</param>
public sealed record SnapshotPage(IReadOnlyList<Snapshot> Items, byte[]? Next);
