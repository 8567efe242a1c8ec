using EventDbx.Backups;
using EventDbx.Server.Backups;
using EventDbx.Server.Configuration;

namespace EventDbx.Cli;

/// <summary>A backup of the directory that is open here.</summary>
internal sealed partial class DirectStore
{
    public async Task BackUpAsync(BackupOrder order, ConfigFile? file, Stream output, IProgress<double?>? progress, CancellationToken cancellation)
    {
        var request = BackupScope.Of(order, database.Directory, file, database.Encrypted, Release.Version, database.Documents);
        using var staged = await session.BackUpAsync(request, cancellation).ConfigureAwait(false);
        var total = Math.Max(1, staged.BytesToWrite);
        var read = progress is null ? null : new Fraction(total, progress);
        await Task.Run(() => staged.Write(output, read, cancellation), CancellationToken.None).ConfigureAwait(false);
    }

    public string? NoteBackup(BackupManifest manifest, string? path) => BackupRecord.Write(database.Directory, manifest, path);

    sealed class Fraction(long total, IProgress<double?> progress) : IProgress<long>
    {
        public void Report(long value) => progress.Report((double)value / total);
    }
}
