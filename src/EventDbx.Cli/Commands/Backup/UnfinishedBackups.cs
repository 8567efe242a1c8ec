using EventDbx.Backups;
using EventDbx.Server.Backups;
using EventDbx.Storage;

namespace EventDbx.Cli.Commands.Backup;

/// <summary>What backups that were killed left in the place where the next one goes: keys may be in it, and nobody else looks for it.</summary>
internal static class UnfinishedBackups
{
    /// <summary>One that is younger may be another command's, between its last byte and its name.</summary>
    static readonly TimeSpan AgeMin = TimeSpan.FromMinutes(10);

    /// <summary>Deletes them, as far as it may: those of the same name, and those of other names that begin as a backup does. None that is being written.</summary>
    /// <param name="path">The archive to be made.</param>
    /// <param name="clock">Tells their age.</param>
    public static void Remove(string path, TimeProvider clock)
    {
        var before = clock.GetUtcNow().UtcDateTime - AgeMin;
        foreach (var left in Directory.EnumerateFiles(System.IO.Path.GetDirectoryName(path)!, "*.tmp"))
        {
            try
            {
                if (PendingFile.NameOf(left) is { } name && File.GetLastWriteTimeUtc(left) < before && !BackupFiles.IsSpecial(left) && IsLeft(left, ofSameName: name == path))
                    File.Delete(left);
            }
            catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
            {
                // It is being written, or another user's.
            }
        }
    }

    static bool IsLeft(string temporary, bool ofSameName)
    {
        // Who writes one holds it.
        using var file = new FileStream(temporary, FileMode.Open, FileAccess.Read, FileShare.None);
        if (ofSameName || BackupFiles.IsEncrypted(file))
            return true;
        try
        {
            _ = BackupReader.ReadManifest(file, CancellationToken.None);
            return true;
        }
        catch (RefusedException)
        {
            return false;
        }
    }
}
