namespace EventDbx.Mirroring;

/// <summary>A store that is the mirror of another one's log: the same entries at the same positions, and no entry of its own.</summary>
/// <remarks>
/// That a store is a mirror stands in the store, whatever a configuration says: until it is promoted, all that would write history is refused
/// with <see cref="RefusalCode.ReadOnly"/>. What is this node's own (tokens, plugins, settings, its data key) works as ever, and makes no entry. Reached by
/// <c>Database.Mirror</c>, which every database has. Thread-safe; one of <see cref="BeginAsync"/>, <see cref="ApplyAsync"/> and <see cref="PromoteAsync"/> at a time.
/// <code>
/// DatabaseOptions.Follow   until it has begun, the database writes no history of its own: no wait for the leader, and nothing to throw away
/// BeginAsync               the leader is known and was compared: the row `mirror`, and in an empty store the leader's database id
/// ApplyAsync …             its log, page by page
/// PromoteAsync             the row is gone, and a new epoch begins
/// </code>
/// </remarks>
public interface IMirror
{
    /// <summary>Of whom it is the mirror, and how far it was compared; null: it has not begun to be one.</summary>
    MirrorState? State { get; }

    /// <summary>The leader's name while this database takes no writes of its own: a mirror's, or, until that has begun, that of <c>DatabaseOptions.Follow</c>. Null: it leads.</summary>
    string? Following { get; }

    /// <summary>
    /// Makes the store a mirror, durably, or changes of whom. Its log must be a beginning of the leader's: an empty one takes over the leader's database id (and its epochs as it comes to their entries), one that
    /// is not empty has it already.
    /// </summary>
    /// <exception cref="RefusedException">
    /// <see cref="RefusalCode.InvalidArgument"/>: it is of another database, or plain where the leader's is encrypted. <see cref="RefusalCode.Diverged"/>: the log is longer than the leader's, or its root
    /// is not <paramref name="rootAtSize"/>.
    /// </exception>
    /// <param name="leader">Name of the remote, and its public key: for people, and for the next start.</param>
    /// <param name="end">The leader's log.</param>
    /// <param name="rootAtSize">Root of the leader's log over as many entries as this store has: <see cref="LogPage.RootBefore"/> of a page behind them.</param>
    /// <param name="cancellation">Gives it up.</param>
    Task BeginAsync(MirrorLeader leader, LogEnd end, Hash32 rootAtSize, CancellationToken cancellation);

    /// <summary>Appends a page: all of it or, where it is refused, nothing of it; as durable when it returns as an append. A page, or the beginning of one, that is there already is compared by the log's root and left.</summary>
    /// <remarks>
    /// Before anything is written every leaf is computed from what the entry says, every event opened and held against its hash, its aggregate's root and its previous root, and
    /// the log's root held against <see cref="LogPage.Root"/>; the checkpoint against the root of this log at its size, and against the key that signed those of its epoch before it.
    /// A crash in between leaves whole batches, and the next page goes on there; and so does what only the writer can find (a state beyond its limits), which says that it has written what came before.
    /// </remarks>
    /// <exception cref="RefusedException">
    /// <see cref="RefusalCode.IntegrityViolation"/>: named by its position. <see cref="RefusalCode.Diverged"/>: the histories part.
    /// <see cref="RefusalCode.InvalidArgument"/>: it does not follow (a gap), or of another database.
    /// </exception>
    /// <returns>Entries that were new.</returns>
    Task<int> ApplyAsync(LogPage page, CancellationToken cancellation);

    /// <summary>Makes it a leader: a new epoch begins with a control entry <c>epoch</c> that names the old origin, size and root. From then on it writes and signs.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidArgument"/>: it is no mirror.</exception>
    Task<Promotion> PromoteAsync(Actor? actor, string? comment, CancellationToken cancellation);
}

/// <summary>Whom a mirror follows.</summary>
/// <param name="Name">Of the remote, as the configuration calls it.</param>
/// <param name="PublicKey">Its key, in standard base64.</param>
public sealed record MirrorLeader(string Name, string PublicKey);

/// <summary>What a mirror knows of its leader.</summary>
public sealed record MirrorState
{
    public required MirrorLeader Leader { get; init; }

    /// <summary>Entries of the leader's newest checkpoint that was verified against this log; 0 for none yet.</summary>
    public ulong CheckpointSize { get; init; }

    /// <summary>That checkpoint, as the leader signed it; empty for none yet.</summary>
    public ReadOnlyMemory<byte> Checkpoint { get; init; }

    /// <summary>The key that signed it, as a vkey: the first one of an epoch is taken on the session's word, and no other after it. Empty for none yet.</summary>
    public string CheckpointKey { get; init; } = "";
}

/// <summary>What a promotion came to.</summary>
/// <param name="Epoch">The epoch that began.</param>
/// <param name="Kept">Entries before its first one: what old and new history have in common.</param>
/// <param name="Root">Root of the log over them.</param>
/// <param name="Origin">How its checkpoints are called from now on.</param>
public sealed record Promotion(uint Epoch, ulong Kept, Hash32 Root, string Origin);
