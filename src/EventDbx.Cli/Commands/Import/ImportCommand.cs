using EventDbx.Transfer;

namespace EventDbx.Cli.Commands.Import;

/// <summary><c>dbx import</c>: takes up a file of append requests or records, one a line.</summary>
internal static class ImportCommand
{
    static readonly Slot Source = new("--file", "FILE", "NDJSON: one JSON object a line. `-` reads standard input.");

    public static Verb Create() => new("import", "Import a file of append requests or records, one a line.", Source)
    {
        Remarks =
        [
            "A line is an append request (`aggregate_type`, `aggregate_id`, `event_type`, `payload`, and if need be `note`, `event_id`, " +
            "`expected_version`), or a record as `aggregate replay` prints it, on one line: a record keeps its id, time and actor.",
            "A line without an id gets one from what it says, so that a second run adds nothing: an import that was interrupted is " +
            "simply run again. A line that is refused ends it; what stands before that line is stored.",
        ],
        Examples =
        [
            new("dbx import orders.ndjson", "All of a file."),
            new("zcat orders.ndjson.gz | dbx import -", "From standard input."),
            new("dbx import --file orders.ndjson --json", "By name, with the summary as JSON."),
        ],
        Options = { AccessToken.Option },
        Check = call =>
        {
            if (call[Source] == "-")
                AccessToken.NotFromInputToo(call, "the import");
        },
        Run = RunAsync,
    };

    static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var input = Open(call, call[Source]);
        await using (input.ConfigureAwait(false))
        {
            if (input is { CanSeek: true, Length: 0 })
            {
                await call.NoteAsync($"{call[Source]} is empty: there is nothing to import.").ConfigureAwait(false);
                await WriteAsync(call, new(0, 0, 0, 0, 0, TimeSpan.Zero)).ConfigureAwait(false);
                return ExitCode.Done;
            }

            return await Link.ToAnyAsync(
                call,
                async store =>
                {
                    await WriteAsync(call, await ImportAsync(call, store, input, cancellation).ConfigureAwait(false)).ConfigureAwait(false);
                    return ExitCode.Done;
                },
                cancellation).ConfigureAwait(false);
        }
    }

    /// <exception cref="IOException">There is no such file, or it is none.</exception>
    static Stream Open(Call call, string source)
    {
        if (source == "-")
            return call.Shell.OpenIn();
        var path = call.Shell.Resolve(source);
        if (Directory.Exists(path))
            throw new IOException($"{source} is a directory; import takes a file with one JSON object a line.");
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        }
        catch (Exception missing) when (missing is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new IOException($"There is no file {source}.");
        }
    }

    static async Task<ImportSummary> ImportAsync(Call call, IStore store, Stream input, CancellationToken cancellation)
    {
        using var progress = new Progress(call.Shell, "events");
        double? whole = input.CanSeek ? input.Length : null;
        var seen = new Seen(report => progress.Report(report.Lines, report.Bytes / whole));
        try
        {
            return await new Importer(store, seen).RunAsync(input, cancellation).ConfigureAwait(false);
        }
        catch (ImportRefusedException refused)
        {
            throw new RefusedException(refused.Refusal with
            {
                Message = $"{(call[Source] == "-" ? "Standard input" : call[Source])}, line {refused.Line:N0}: {refused.Refusal.Message} "
                    + Stored(refused.Stored) + " Mend the line and import again: what is stored is not stored twice.",
            });
        }
        catch (OperationCanceledException)
        {
            progress.Dispose();
            await call.NoteAsync($"{Stored(seen.Last)} Import again to go on: what is stored is not stored twice.").ConfigureAwait(false);
            throw;
        }
    }

    static string Stored(in ImportProgress stored) => stored.Lines == 0
        ? "Nothing was stored."
        : FormattableString.Invariant(
            $"Stored so far: {stored.Lines:N0} line{(stored.Lines == 1 ? "" : "s")}; {stored.Appended:N0} appended, {stored.Known:N0} known.");

    static Task WriteAsync(Call call, ImportSummary summary)
    {
        var seconds = summary.Elapsed.TotalSeconds;
        if (call.Json)
        {
            return call.Shell.Out.WriteAsync(new JsonText().BeginObject()
                .Member("lines", summary.Lines)
                .Member("appended", summary.Appended)
                .Member("known", summary.Known)
                .Member("new_hashes", summary.NewHashes)
                .Member("aggregates", summary.Aggregates)
                .Name("seconds").Value(Math.Round(seconds, 3))
                .EndObject().ToString());
        }

        var hashes = summary.NewHashes > 0 ? FormattableString.Invariant($"; {summary.NewHashes:N0} records came without their salt and have a new hash") : "";
        return call.Shell.Out.WriteLineAsync(FormattableString.Invariant(
            $"imported {summary.Lines:N0} lines: {summary.Appended:N0} events appended, {summary.Known:N0} known, {summary.Aggregates:N0} aggregates in {Rate.Of(summary.Lines, seconds, "events")}{hashes}"));
    }

    /// <summary>Passes reports on where they are made: the framework's own posts them to another thread.</summary>
    sealed class Seen(Action<ImportProgress> show) : IProgress<ImportProgress>
    {
        public ImportProgress Last { get; private set; }

        public void Report(ImportProgress value)
        {
            Last = value;
            show(value);
        }
    }
}
