using EventDbx.Checkpoints;

namespace EventDbx;

/// <summary>Checkpoints: what the log says about itself to those outside.</summary>
public sealed partial class Database
{
    readonly CheckpointIssuer _checkpoints;

    /// <summary>Full tiles of the log that proofs have read.</summary>
    internal TileCache Tiles { get; } = new();

    /// <summary>The newest checkpoint that covers so much of the log: at once if it is signed already, else it is signed now.</summary>
    /// <param name="atLeast">Entries to be covered; waits for a log that is not so long yet. 0: whatever is the newest.</param>
    /// <param name="handOut">Whether somebody outside gets to see it: then it is kept for good, and stored so before this completes.</param>
    /// <param name="cancellation">Ends the wait; what is being signed is signed all the same.</param>
    /// <exception cref="RefusedException">
    /// <see cref="RefusalCode.NotFound"/>: the log is empty. <see cref="RefusalCode.Unavailable"/>: there is no key to sign with, or the writer has
    /// stopped. <see cref="RefusalCode.IntegrityViolation"/>: the log does not continue what was signed before, and nothing is signed any more.
    /// </exception>
    public Task<SignedNote> ReadCheckpointAsync(ulong atLeast, bool handOut, CancellationToken cancellation) =>
        _checkpoints.ReadAsync(atLeast, handOut, cancellation);

    /// <summary>Completes once the newest checkpoint is of more entries than this; at once if it is. Signs nothing itself.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.Unavailable"/>: the database was closed.</exception>
    public Task WaitForCheckpointAsync(ulong beyond, CancellationToken cancellation) => _checkpoints.WaitBeyondAsync(beyond, cancellation);

    /// <summary>The cosignatures under a checkpoint are stored beside its own signature. The text stays as it is.</summary>
    /// <param name="withMore">A checkpoint of this epoch that was handed out, with signatures of others. Whether they are good was checked before.</param>
    /// <exception cref="RefusedException">
    /// <see cref="RefusalCode.NotFound"/>: no such checkpoint is kept. <see cref="RefusalCode.IntegrityViolation"/>: the one of this size says something else.
    /// </exception>
    public Task StoreCosignaturesAsync(SignedNote withMore) => _checkpoints.StoreCosignaturesAsync(withMore);

    /// <summary>The newest checkpoint of this epoch as it is stored, and when it was signed; null when there is none, and in a mirror. Signs nothing, hands nothing out.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>: its row cannot be read.</exception>
    public (SignedNote Note, Checkpoint Checkpoint, Timestamp SignedAt)? FindCheckpoint() =>
        Following is null && _checkpoints.Newest is { } row ? (row.Note, row.Checkpoint, new Timestamp(row.SignedAt)) : null;

    /// <summary>The public key that checkpoints of this epoch are signed with, as a vkey.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.Unavailable"/>: there is none, or it is not the one that has signed.</exception>
    public string ReadLogKey() => ReadLogKey(LogOrigin);

    /// <summary>The same under the name that a checkpoint has.</summary>
    internal string ReadLogKey(string origin) => _checkpoints.ReadKey(origin);

    static OriginNames OriginsOf(DatabaseOptions options, StoreIdentity identity, IStorageView view)
    {
        var wanted = OriginOf(options, identity.DatabaseId, identity.Epoch);
        try
        {
            return CheckpointRow.Newest(view, identity.Epoch)?.Checkpoint.Origin is { } signed && signed != wanted ? new(signed, wanted) : new(wanted, null);
        }
        catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.IntegrityViolation)
        {
            // The first signing finds it too, and then none is signed any more; what is not about checkpoints goes on.
            return new(wanted, null);
        }
    }

    static void RefuseBadCheckpointOptions(DatabaseOptions options)
    {
        if (options.LogOrigin is { } origin && (!SignedNote.IsKeyName(origin) || Encoding.UTF8.GetByteCount(origin) > Limits.LogOriginBytesMax))
            throw new ArgumentException($"`{origin}` cannot be the name of a log: it has 1 to {Limits.LogOriginBytesMax} bytes without white space or a plus.", nameof(options));
        if (options.LogOrigin is { } first && Checkpoint.EpochIn(first) > 1)
            throw new ArgumentException($"`{first}` cannot be the name of a log: it ends as the name of epoch {Checkpoint.EpochIn(first)} of one does. Leave the end away: it is appended from the second epoch on.", nameof(options));
        if (options.CheckpointInterval is { } interval)
            ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(interval, TimeSpan.Zero, nameof(options.CheckpointInterval));
    }
}
