using EventDbx.Checkpoints;

namespace EventDbx;

/// <summary>The verbs that give proofs to those outside.</summary>
public sealed partial class Session
{
    /// <summary>For what shows only sizes and hashes of the log: log.read is enough, on whatever resources.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.PermissionDenied"/>.</exception>
    public void DemandLogProofs()
    {
        if (!Grants.AllowsLogProofs)
            throw new RefusedException(RefusalCode.PermissionDenied, "This token does not allow log.read. Use one that has been given it, on whatever resources.");
    }

    /// <summary>See <see cref="Database.ReadCheckpointAsync"/>; what it returns is kept for good.</summary>
    public Task<SignedNote> ReadCheckpointAsync(ulong atLeast, CancellationToken cancellation)
    {
        DemandLogProofs();
        return _database.ReadCheckpointAsync(atLeast, handOut: true, cancellation);
    }

    /// <summary>The public key that checkpoints are signed with, as a vkey.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.Unavailable"/>: there is none.</exception>
    public string ReadLogKey()
    {
        DemandLogProofs();
        return _database.ReadLogKey();
    }
}
