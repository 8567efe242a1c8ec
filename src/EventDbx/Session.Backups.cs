using EventDbx.Backups;

namespace EventDbx;

/// <summary>The verb that takes everything.</summary>
public sealed partial class Session
{
    /// <summary>
    /// Takes a backup: the store as it is at a moment of this call, with everything that was answered before, and the documents that belong to it. Writes go on.
    /// </summary>
    /// <param name="request">What goes into it.</param>
    /// <param name="cancellation">Gives it up.</param>
    /// <returns>What has to be written down, and disposed of afterwards.</returns>
    /// <exception cref="RefusedException">
    /// Not root; <see cref="RefusalCode.Overloaded"/>: another one is under way; <see cref="RefusalCode.Unavailable"/>: the writer has stopped;
    /// <see cref="RefusalCode.InvalidArgument"/>: the base is of another database.
    /// </exception>
    /// <exception cref="IOException">There is no room for it, or a file cannot be read.</exception>
    public Task<StagedBackup> BackUpAsync(BackupRequest request, CancellationToken cancellation)
    {
        DemandRoot("back the database up");
        return _database.BackUpAsync(request, cancellation);
    }
}
