using System.Buffers;
using System.Diagnostics;

namespace EventDbx.Transfer;

/// <summary>A bundle of evidence into a file, or into whatever takes its lines.</summary>
public static class EvidenceExport
{
    /// <summary>To a file, which gets its name once it is whole.</summary>
    /// <param name="path">An absolute path.</param>
    /// <param name="reading">The bundle, from its beginning.</param>
    /// <param name="progress">Told after each page.</param>
    /// <param name="cancellation">Ends it between pages.</param>
    /// <exception cref="RefusedException">The reading said no.</exception>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public static async Task<ExportSummary> ToFileAsync(string path, IEvidenceReading reading, IProgress<ExportProgress>? progress, CancellationToken cancellation)
    {
        ExportTarget.Whole(path);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using var file = PendingFile.Create(path);
        var summary = await ToLinesAsync(lines => file.Stream.WriteAsync(lines, cancellation), reading, progress, cancellation).ConfigureAwait(false);
        var bytes = file.Finish();
        file.Rename();
        return summary with { Files = [new(path, bytes)] };
    }

    /// <summary>To whoever takes them, some whole lines at a time.</summary>
    /// <param name="write">Gets UTF-8; the memory is its own until it has completed.</param>
    /// <param name="reading">The bundle, from its beginning.</param>
    /// <param name="progress">Told after each page.</param>
    /// <param name="cancellation">Ends it between pages.</param>
    public static async Task<ExportSummary> ToLinesAsync(
        Func<ReadOnlyMemory<byte>, ValueTask> write, IEvidenceReading reading, IProgress<ExportProgress>? progress, CancellationToken cancellation)
    {
        var started = Stopwatch.GetTimestamp();
        var lines = new ArrayBufferWriter<byte>();
        while (await reading.ReadAsync(lines, cancellation).ConfigureAwait(false))
        {
            await write(lines.WrittenMemory).ConfigureAwait(false);
            lines.ResetWrittenCount();
            progress?.Report(new(ExportPhase.Events, (long)reading.Events, reading.Fraction));
        }

        return new([], 0, (long)reading.Events, Stopwatch.GetElapsedTime(started));
    }

    /// <summary>The last line of a bundle that could not be made whole: whoever reads it learns why.</summary>
    public static void WriteError(IBufferWriter<byte> output, Refusal why)
    {
        output.Write("{\"error\":{\"code\":"u8);
        RecordJson.WriteText(output, why.Name);
        output.Write(",\"message\":"u8);
        RecordJson.WriteText(output, why.Message);
        output.Write("}}\n"u8);
    }
}
