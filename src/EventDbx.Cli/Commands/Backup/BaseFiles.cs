using EventDbx.Backups;
using EventDbx.Server.Backups;

namespace EventDbx.Cli.Commands.Backup;

/// <summary>Finds the backups that an incremental one refers to: among those that were named, or beside it under the name that its manifest has.</summary>
/// <param name="beside">The directory of the archive.</param>
/// <param name="named">Files that were named.</param>
/// <param name="passphrase">Of those that are encrypted.</param>
internal sealed class BaseFiles(string beside, IReadOnlyList<string> named, string? passphrase)
{
    /// <summary>Opens one; null where it is not at hand.</summary>
    /// <exception cref="RefusedException">One that was named is none, or does not open.</exception>
    public Stream? Find(BackupBase wanted)
    {
        foreach (var path in named)
        {
            if (IsIt(path, wanted))
                return Open(path);
        }

        var expected = Path.Combine(beside, wanted.File);
        return File.Exists(expected) && IsIt(expected, wanted) ? Open(expected) : null;
    }

    bool IsIt(string path, BackupBase wanted)
    {
        using var archive = Open(path);
        return BackupReader.ReadManifest(archive, CancellationToken.None).Manifest.BackupId == wanted.BackupId;
    }

    Stream Open(string path) => BackupFiles.Open(path, () => passphrase);
}
