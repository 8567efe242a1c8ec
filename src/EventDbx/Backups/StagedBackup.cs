namespace EventDbx.Backups;

/// <summary>A backup that is taken, and only has to be written down: from here on nothing that happens to the database changes it.</summary>
/// <remarks>Until it is disposed of its files keep their space on disk, even where the database replaces them.</remarks>
public sealed class StagedBackup : IDisposable
{
    readonly BackupStage _stage;
    readonly IDisposable _turn;

    internal StagedBackup(BackupStage stage, BackupManifest manifest, IDisposable turn) => (_stage, Manifest, _turn) = (stage, manifest, turn);

    public BackupManifest Manifest { get; }

    /// <summary>Whether a directory of a data directory is what a killed backup has left behind, by its name.</summary>
    public static bool IsLeftBehind(string name) => BackupStage.IsStage(name);

    /// <summary>Bytes that are read for it: those of its files that no base has.</summary>
    public long BytesToWrite
    {
        get
        {
            var bytes = 0L;
            foreach (var file in Manifest.Files)
                bytes += file.InBase ? 0 : file.Size;
            return bytes;
        }
    }

    /// <summary>Writes the archive: a tar in Zstd, docs/backups.md. It may be written more than once.</summary>
    /// <param name="output">Where to. It is not closed, nor synced. What was written is an archive once this has returned, and not before.</param>
    /// <param name="progress">Told how many of <see cref="BytesToWrite"/> are done.</param>
    /// <param name="cancellation">Ends it between buffers.</param>
    /// <exception cref="IOException">The output cannot be written, or a file not be read.</exception>
    public void Write(Stream output, IProgress<long>? progress, CancellationToken cancellation)
    {
        using var writer = new BackupWriter(output, Manifest);
        var done = 0L;
        while (writer.Due is { } file)
        {
            using (var content = _stage.Open(file))
            {
                using var counted = progress is null ? null : new CountedReading(content, done, progress);
                writer.Add((Stream?)counted ?? content, cancellation);
            }

            done += file.Size;
            progress?.Report(done);
        }

        writer.Finish();
    }

    /// <summary>Removes what was set aside; the next one may begin.</summary>
    public void Dispose()
    {
        _stage.Dispose();
        _turn.Dispose();
    }
}
