using EventDbx.Backups;
using EventDbx.Server.Configuration;

namespace EventDbx.Cli;

/// <summary>A backup that the server takes, as it comes.</summary>
internal sealed partial class ServerStore
{
    public async Task BackUpAsync(BackupOrder order, ConfigFile? file, Stream output, IProgress<double?>? progress, CancellationToken cancellation)
    {
        using var body = await server.OpenAsync("/admin/backup", order.Write(), cancellation).ConfigureAwait(false);
        var buffer = new byte[128 * 1024];
        while (await body.ReadAsync(buffer, cancellation).ConfigureAwait(false) is > 0 and var read)
        {
            await output.WriteAsync(buffer.AsMemory(0, read), cancellation).ConfigureAwait(false);
            progress?.Report(null);
        }
    }

    public string? NoteBackup(BackupManifest manifest, string? path) => null;
}
