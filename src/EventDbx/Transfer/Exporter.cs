using System.Buffers;
using System.Diagnostics;

namespace EventDbx.Transfer;

/// <summary>Exports states as CSV or JSON, a file for each aggregate type.</summary>
/// <remarks>
/// Two walks over the aggregates: one to see which types and, for CSV, which fields there are; one to write them. What is in
/// memory is a page and the names of the columns, however many aggregates there are. Where the source is of one moment, so is
/// the export. Where it is not, each aggregate is as it was when its page was read, and fields that turn up between the walks make
/// the second begin anew, so that none is left out. A field called as the column of the id is renamed:
/// <see cref="ExportColumns.NameOf"/>.
/// </remarks>
/// <param name="source">Where the states are.</param>
/// <param name="clock">For the times in an archive.</param>
/// <param name="progress">Told after each page.</param>
public sealed class Exporter(IExportSource source, TimeProvider clock, IProgress<ExportProgress>? progress)
{
    /// <summary>Bytes gathered before they are written.</summary>
    const int PieceBytes = 64 * 1024;

    readonly ArrayBufferWriter<byte> _piece = new(2 * PieceBytes);

    /// <exception cref="RefusedException">The source said no, or the fields are too many, or turn up too fast.</exception>
    /// <exception cref="IOException">The target is of the wrong kind, or cannot be written. No file has got its name.</exception>
    public async Task<ExportSummary> RunAsync(ExportRequest request, CancellationToken cancellation)
    {
        var started = Stopwatch.GetTimestamp();
        using var reading = source.ReadStates(request.At);
        var types = await SurveyAsync(reading, request, cancellation).ConfigureAwait(false);
        if (types.Count == 0)
            return new([], 0, 0, Stopwatch.GetElapsedTime(started));
        var names = ExportNames.Of([.. types.Select(static type => type.Type)]);
        var target = ExportTarget.Choose(request, names);
        for (var attempt = 1; ; attempt++)
        {
            using var sink = ExportSink.Open(target, request.Format, names, clock);
            var rows = await WriteAsync(reading, request, types, sink, cancellation).ConfigureAwait(false);
            if (!types.Exists(static type => type.Grown))
                return new(sink.Complete(), types.Count, rows, Stopwatch.GetElapsedTime(started));
            if (attempt == Limits.ExportAttemptsMax)
            {
                throw new RefusedException(
                    RefusalCode.Unavailable, $"New fields turned up during each of {attempt} attempts, and a table must know its columns first. Export as JSON, or while fewer new fields are written.");
            }

            types.ForEach(static type => type.Grown = false);
            CheckColumns(types);
        }
    }

    /// <summary>The first walk: types in order, each with its aggregates counted and its columns, if it needs them.</summary>
    async Task<List<ExportColumns>> SurveyAsync(IStateReading reading, ExportRequest request, CancellationToken cancellation)
    {
        var types = new List<ExportColumns>();
        var (done, withState) = (0L, request.Format == ExportFormat.Csv);
        for (byte[]? after = null; ;)
        {
            var page = await reading.ReadAsync(request.Type, after, withState, cancellation).ConfigureAwait(false);
            foreach (var item in page.Items)
            {
                if (types is not [.., var last] || last.Type != item.Aggregate.Type)
                    types.Add(last = new(item.Aggregate.Type));
                last.Rows++;
                foreach (var field in StateText.Fields(item.Fields.Span))
                    last.Add(field.Name);
            }

            CheckColumns(types);
            done += page.Items.Count;
            progress?.Report(new(ExportPhase.Survey, done, null));
            if ((after = page.Next) is null)
                return types;
        }
    }

    async Task<long> WriteAsync(
        IStateReading reading, ExportRequest request, List<ExportColumns> types, ExportSink sink, CancellationToken cancellation)
    {
        var (done, whole) = (0L, (double)types.Sum(static type => type.Rows));
        for (var i = 0; i < types.Count; i++)
        {
            IExportRows rows = request.Format == ExportFormat.Csv ? new CsvRows(types[i], request.CsvSafe) : new JsonRows(request.Pretty);
            var output = sink.Begin(i);
            rows.Begin(_piece);
            byte[]? after = null;
            do
            {
                var page = await reading.ReadAsync(types[i].Type, after, withState: true, cancellation).ConfigureAwait(false);
                foreach (var item in page.Items)
                {
                    rows.Row(_piece, item);
                    if (_piece.WrittenCount >= PieceBytes)
                        Write(output);
                }

                done += page.Items.Count;
                progress?.Report(new(ExportPhase.Aggregates, done, Math.Min(1, done / whole)));
                after = page.Next;
            }
            while (after is not null);

            rows.End(_piece);
            Write(output);
            sink.End();
        }

        return done;
    }

    void Write(Stream output)
    {
        output.Write(_piece.WrittenSpan);
        _piece.ResetWrittenCount();
    }

    static void CheckColumns(List<ExportColumns> types)
    {
        if (types.Sum(static type => type.Bytes) > Limits.ExportColumnsBytesMax)
        {
            throw new RefusedException(
                RefusalCode.LimitExceeded, $"The aggregates have more fields than a table can have columns: their names alone take more than {Limits.ExportColumnsBytesMax} bytes. Export as JSON, which needs no columns.");
        }
    }
}
