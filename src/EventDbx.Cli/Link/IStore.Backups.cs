using EventDbx.Backups;
using EventDbx.Server.Configuration;

namespace EventDbx.Cli;

/// <summary>Backups.</summary>
internal partial interface IStore
{
    /// <summary>Takes a backup and writes its archive.</summary>
    /// <param name="order">What is asked for.</param>
    /// <param name="file">The configuration, where the store is open in this process; a server knows its own.</param>
    /// <param name="output">Where to. It is neither synced nor closed; what was written is an archive once this has returned.</param>
    /// <param name="progress">Told how much was read of it, from 0 to 1; null: something, of an unknown whole.</param>
    /// <param name="cancellation">Gives it up; nothing is left behind where the store is.</param>
    Task BackUpAsync(BackupOrder order, ConfigFile? file, Stream output, IProgress<double?>? progress, CancellationToken cancellation);

    /// <summary>Notes where the store is that a backup has come to its end. A server has done that itself, once all of it was handed out.</summary>
    /// <param name="manifest">What it says of itself.</param>
    /// <param name="path">The file, under its name; null: standard output.</param>
    /// <returns>Why it could not be noted; null: it is.</returns>
    string? NoteBackup(BackupManifest manifest, string? path);
}
