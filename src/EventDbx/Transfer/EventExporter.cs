using System.Buffers;
using System.Diagnostics;

namespace EventDbx.Transfer;

/// <summary>Exports events as NDJSON in the order of the log: records that <see cref="Importer"/> takes over with the same hashes and roots.</summary>
/// <remarks>
/// What is exported is a beginning of the log: every event up to a position, and none behind it. Control entries are no part of it: an
/// aggregate without events is not there afterwards, and none is archived.
/// </remarks>
/// <param name="source">Where they are.</param>
/// <param name="progress">Told after each page.</param>
public sealed class EventExporter(IExportSource source, IProgress<ExportProgress>? progress)
{
    /// <summary>Bytes gathered before they are written.</summary>
    const int PieceBytes = 64 * 1024;

    /// <summary>To a file, which gets its name once it is whole. Without events there is none.</summary>
    /// <param name="path">An absolute path.</param>
    /// <param name="type">Only events of aggregates of this type; null: all.</param>
    /// <param name="cancellation">Ends it between pages.</param>
    /// <exception cref="RefusedException">The source said no.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public async Task<ExportSummary> ToFileAsync(string path, string? type, CancellationToken cancellation)
    {
        ExportTarget.Whole(path);
        PendingFile? file = null;
        try
        {
            var summary = await ToLinesAsync(
                lines =>
                {
                    if (file is null)
                        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                    file ??= PendingFile.Create(path);
                    return file.Stream.WriteAsync(lines, cancellation);
                },
                type, cancellation).ConfigureAwait(false);
            if (file is null)
                return summary;
            var bytes = file.Finish();
            file.Rename();
            return summary with { Files = [new(path, bytes)] };
        }
        finally
        {
            file?.Dispose();
        }
    }

    /// <summary>To whoever takes them, some whole lines at a time.</summary>
    /// <param name="write">Gets UTF-8; the memory is its own until it has completed.</param>
    /// <param name="type">Only events of aggregates of this type; null: all.</param>
    /// <param name="cancellation">Ends it between pages.</param>
    /// <exception cref="RefusedException">The source said no.</exception>
    public async Task<ExportSummary> ToLinesAsync(Func<ReadOnlyMemory<byte>, ValueTask> write, string? type, CancellationToken cancellation)
    {
        var started = Stopwatch.GetTimestamp();
        var lines = new ArrayBufferWriter<byte>(2 * PieceBytes);
        var events = 0L;
        EventSlice? slice = null;
        do
        {
            slice = await source.ReadEventsAsync(type, slice?.Next, cancellation).ConfigureAwait(false);
            foreach (var record in slice.Items)
            {
                if (record.Salt.IsEmpty)
                    throw new RefusedException(RefusalCode.Internal, $"Version {record.Version} of {record.Aggregate} came without its salt; without it nobody could compute its hash again.");
                RecordJson.WriteRecord(lines, record, withSalt: true);
                lines.Write("\n"u8);
                if (lines.WrittenCount < PieceBytes)
                    continue;
                await write(lines.WrittenMemory).ConfigureAwait(false);
                lines.ResetWrittenCount();
            }

            events += slice.Items.Count;
            progress?.Report(new(ExportPhase.Events, events, slice.Fraction));
        }
        while (!slice.End);

        if (lines.WrittenCount > 0)
            await write(lines.WrittenMemory).ConfigureAwait(false);
        return new([], 0, events, Stopwatch.GetElapsedTime(started));
    }
}
