using System.Globalization;
using System.Text;
using EventDbx.Checkpoints;
using EventDbx.Storage;
using EventDbx.Transfer;

namespace EventDbx.Cli.Commands.Aggregate;

/// <summary><c>dbx aggregate export --evidence</c>: a bundle for whoever checks it without us.</summary>
internal static class AggregateEvidence
{
    /// <summary>Whether evidence is asked for; refuses what goes with it alone.</summary>
    public static bool IsWanted(Call call, Option<bool> evidence, params IReadOnlyList<Option> its)
    {
        if (call.Get(evidence))
            return true;
        if (call.Further is [var id, ..])
            throw new UsageException($"unexpected `{id}`: aggregates are named for `{evidence.Name}` only.");
        if (its.FirstOrDefault(call.Has) is { } alone)
            throw new UsageException($"`{alone.Name}` goes with `{evidence.Name}`.");
        return false;
    }

    /// <summary>What the command line asks for.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidName"/>.</exception>
    public static EvidenceRequest RequestOf(Call call, string? type, bool wholeLog, string? since) => new()
    {
        Aggregates = call.Further.Count == 0 ? null : [.. call.Further.Select(id => AggregateKey.Create(type, id))],
        Filter = new() { Type = call.Further.Count == 0 ? type : null },
        WholeLog = wholeLog,
        Since = since is null ? null : SizeOf(call, since),
    };

    /// <param name="call">The command.</param>
    /// <param name="request">Of what.</param>
    /// <param name="output">A file, or <c>-</c>.</param>
    /// <param name="cancellation">Ends it.</param>
    public static Task<ExitCode> RunAsync(Call call, EvidenceRequest request, string output, CancellationToken cancellation) => Link.ToExistingAsync(
        call,
        async store =>
        {
            using var reading = await store.OpenEvidenceAsync(request, cancellation).ConfigureAwait(false);
            ExportSummary summary;
            using (var bar = new Bar(call.Shell))
                summary = output == "-" ? await ToOutAsync(call, reading, bar, cancellation).ConfigureAwait(false)
                    : await EvidenceExport.ToFileAsync(call.Shell.Resolve(output), reading, bar, cancellation).ConfigureAwait(false);
            var said = Said(call, summary, output);
            await (output == "-" ? call.NoteAsync(said.TrimEnd()) : call.Shell.Out.WriteAsync(said)).ConfigureAwait(false);
            return ExitCode.Done;
        },
        absent: () => throw new RefusedException(RefusalCode.NotFound, "There is no log to prove anything of: there is no store yet."),
        cancellation);

    static async Task<ExportSummary> ToOutAsync(Call call, IEvidenceReading reading, Bar bar, CancellationToken cancellation)
    {
        try
        {
            return await EvidenceExport.ToLinesAsync(
                lines => new(call.Shell.Out.WriteAsync(Encoding.UTF8.GetString(lines.Span))), reading, bar, cancellation).ConfigureAwait(false);
        }
        catch (RefusedException refused)
        {
            // Whoever reads along has the lines before it, and must not take them for all.
            var line = new System.Buffers.ArrayBufferWriter<byte>();
            EvidenceExport.WriteError(line, refused.Refusal);
            await call.Shell.Out.WriteAsync(Encoding.UTF8.GetString(line.WrittenSpan)).ConfigureAwait(false);
            throw;
        }
    }

    static ulong SizeOf(Call call, string since)
    {
        if (!since.StartsWith('@'))
        {
            return ulong.TryParse(since, NumberStyles.None, CultureInfo.InvariantCulture, out var size) && size > 0
                ? size
                : throw new UsageException($"`--since` is the size of a checkpoint, or `@FILE` with one, not `{since}`.");
        }

        var path = call.Shell.Resolve(since[1..]);
        var content = DurableFile.Read(path, SignedNote.BytesMax) ?? throw new UsageException($"`--since`: there is no file {path}.");
        return SignedNote.TryParse(content, out var note) && Checkpoint.TryParse(note.Text, out var checkpoint)
            ? checkpoint.Size
            : throw new UsageException($"`--since`: {path} is no checkpoint, as `dbx log checkpoint` prints it.");
    }

    static string Said(Call call, ExportSummary summary, string output)
    {
        if (call.Json)
        {
            var json = new JsonText().BeginObject().Name("files").BeginArray();
            foreach (var file in summary.Files)
                json.BeginObject().Member("path", output).Member("bytes", file.Bytes).EndObject();
            return json.EndArray().Member("events", summary.Rows).Name("seconds").Value(Math.Round(summary.Elapsed.TotalSeconds, 3)).EndObject().ToString();
        }

        return (output == "-" ? "" : $"wrote {output}\n")
            + string.Create(CultureInfo.InvariantCulture, $"Evidence of {summary.Rows} event(s); `dbx-verify bundle` checks it\n");
    }

    sealed class Bar(Shell shell) : IProgress<ExportProgress>, IDisposable
    {
        readonly Progress _bar = new(shell, "events");

        public void Report(ExportProgress value) => _bar.Report(value.Done, value.Fraction);

        public void Dispose() => _bar.Dispose();
    }
}
