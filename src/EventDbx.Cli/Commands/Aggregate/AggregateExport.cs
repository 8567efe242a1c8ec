using System.Globalization;
using System.Text;
using EventDbx.Transfer;

namespace EventDbx.Cli.Commands.Aggregate;

/// <summary><c>dbx aggregate export</c>: states as CSV or JSON, or the events themselves.</summary>
internal static class AggregateExport
{
    static readonly Slot Type = Slot.AggregateType with { Optional = true, Description = "Only aggregates of this type." };

    static readonly Option<bool> All = Options.Switch("--all", "Aggregates of every type.");
    static readonly Option<string> Output = Options.Text("--output", "PATH", "A file or a directory, see above; with `--events` and `--evidence` also `-`, standard output.");
    static readonly Option<string?> Format = Options.OneOf("--format", "csv or json (default: csv).", "csv", "json");
    static readonly Option<bool> Zip = Options.Switch("--zip", "All files in one ZIP archive.");
    static readonly Option<bool> Pretty = Options.Switch("--pretty", "JSON over many lines.");
    static readonly Option<bool> CsvSafe = Options.Switch("--csv-safe", "Put a `'` before each cell that a spreadsheet would take for a formula (`= + - @`, tab, CR).");
    static readonly Option<string> At = Options.Text("--at", "TIME", "As everything was at this moment, such as 2025-01-31T12:00:00Z, without aggregates that had no event yet.");
    static readonly Option<bool> Events = Options.Switch("--events", "The events instead, one record a line with its salt: `dbx import` of it into an empty store gives the same hashes.");

    static readonly Option<bool> Evidence = Options.Switch("--evidence", "Events with their proofs, for whoever checks them without us: of aggregates by name, of a type, of all, or of the whole log.");
    static readonly Option<bool> WholeLog = Options.Switch("--whole-log", "With `--evidence`: every entry of the log, so that nothing is left out.");
    static readonly Option<string> Since = Options.Text("--since", "SIZE|@FILE", "With `--evidence`: prove as well that it continues an older checkpoint, of so many entries or in FILE.");

    public static Verb Create() => new("export", "Export states as CSV or JSON, a file for each type; or all events; or evidence.", Type)
    {
        Further = "ID…",
        Remarks =
        [
            "One type goes to a file where PATH is one, or is not there and ends in `.csv` (`.json`); otherwise PATH is a directory, which gets " +
            "TYPE.csv for each type. With `--zip` PATH is the archive, or a directory that gets it. Files are for their owner only, and have " +
            "their name once they are whole; one that was there is replaced.",
            "A row is the id as `__aggregate_id` and the fields by name (a field of that very name gets a `_` behind it). CSV has a column for " +
            "each field that an aggregate of the type has. Archived aggregates are among them.",
            "With the server stopped everything is of one moment. With it running each aggregate is as it was when its page was read.",
            "Events come in the order of the log: all up to a place in it, none behind. They need `log.read`, and where schemas hide anything " +
            "a root token. What is no event stays behind: aggregates without events, and that one is archived.",
            "Evidence is one file for `dbx-verify bundle`, under a checkpoint that is signed now. TYPE and IDs name the aggregates, TYPE alone takes " +
            "all of that type, `--all` everything that may be read, `--whole-log` the log itself, which needs what `--events` needs.",
        ],
        Examples =
        [
            new("dbx aggregate export order --output orders.csv", "All orders as CSV."),
            new("dbx aggregate export --all --output out --format json --pretty", "A JSON file for each type."),
            new("dbx aggregate export --all --output then.zip --zip --at 2025-01-01T00:00:00Z", "Everything as it was at new year."),
            new("dbx aggregate export --events --output - | gzip > events.ndjson.gz", "Every event, for `dbx import`."),
            new("dbx aggregate export order o-1 o-2 --evidence --output evidence.ndjson", "Two aggregates, for an auditor."),
            new("dbx aggregate export --evidence --whole-log --since @then.checkpoint --output log.ndjson", "Everything, as a continuation of what was kept."),
            new("dbx aggregate export --aggregate order --output orders.csv", "By name."),
        ],
        Options = { All, Output, Format, Zip, Pretty, CsvSafe, At, Events, Evidence, WholeLog, Since, AccessToken.Option },
        Check = Check,
        Run = RunAsync,
    };

    static void Check(Call call)
    {
        var type = call.Find(Type);
        if (string.IsNullOrEmpty(call.Get(Output)))
            throw new UsageException($"where to? `{Output.Name} PATH` says it.");
        if (type is not null && call.Has(All))
            throw new UsageException($"`{type}` and `{All.Name}` exclude each other: one type, or every type.");
        foreach (var option in (Option[])[Format, Zip, Pretty, CsvSafe, At])
        {
            call.NotBoth(Events, option);
            call.NotBoth(Evidence, option);
        }

        call.NotBoth(Events, Evidence);
        if (AggregateEvidence.IsWanted(call, Evidence, WholeLog, Since))
        {
            if (type is null && !call.Get(All) && !call.Get(WholeLog))
                throw new UsageException($"evidence of what? A TYPE, with IDs or without, or `{All.Name}`, or `{WholeLog.Name}`.");
            if (call.Get(WholeLog) && (type is not null || call.Get(All)))
                throw new UsageException($"`{WholeLog.Name}` is everything; leave out {(type is null ? $"`{All.Name}`" : $"`{type}`")}.");
            return;
        }

        if (call.Get(Events))
            return;
        if (type is null && !call.Get(All))
            throw new UsageException($"export what? A TYPE, or `{All.Name}`, or `{Events.Name}`.");
        if (call.Get(Output) == "-")
            throw new UsageException($"`{Output.Name} -` is for `{Events.Name}`; states go to files.");
        if (call.Get(Pretty) && FormatOf(call) != ExportFormat.Json)
            throw new UsageException($"`{Pretty.Name}` is for `{Format.Name} json`.");
        if (call.Get(CsvSafe) && FormatOf(call) != ExportFormat.Csv)
            throw new UsageException($"`{CsvSafe.Name}` is for `{Format.Name} csv`.");
    }

    static Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        if (call.Get(Evidence))
            return AggregateEvidence.RunAsync(call, AggregateEvidence.RequestOf(call, call.Find(Type), call.Get(WholeLog), call.Get(Since)), call.Get(Output)!, cancellation);
        var at = call.TimeOf(At);
        return Link.ToExistingAsync(
            call,
            async store =>
            {
                ExportSummary summary;
                using (var bars = new Bars(call.Shell))
                    summary = await ExportAsync(call, store, at, bars, cancellation).ConfigureAwait(false);
                await WriteAsync(call, summary).ConfigureAwait(false);
                return ExitCode.Done;
            },
            absent: () =>
            {
                call.Shell.Out.Write(Said(call, new([], 0, 0, TimeSpan.Zero)));
                return ExitCode.Done;
            },
            cancellation);
    }

    static Task<ExportSummary> ExportAsync(Call call, IStore store, Timestamp? at, Bars bars, CancellationToken cancellation)
    {
        var (type, output) = (call.Find(Type), call.Get(Output)!);
        if (call.Get(Events))
        {
            var exporter = new EventExporter(store, bars);
            return output == "-"
                ? exporter.ToLinesAsync(lines => new(call.Shell.Out.WriteAsync(Encoding.UTF8.GetString(lines.Span))), type, cancellation)
                : exporter.ToFileAsync(call.Shell.Resolve(output), type, cancellation);
        }

        // A separator at the end says that it is a directory, so it must stay.
        var path = call.Shell.Resolve(output);
        return new Exporter(store, call.Shell.Clock, bars).RunAsync(
            new()
            {
                Type = type, At = at, Output = path, Format = FormatOf(call), Zip = call.Get(Zip), Pretty = call.Get(Pretty), CsvSafe = call.Get(CsvSafe),
            },
            cancellation);
    }

    static ExportFormat FormatOf(Call call) => call.Get(Format) == "json" ? ExportFormat.Json : ExportFormat.Csv;

    static Task WriteAsync(Call call, ExportSummary summary) =>
        // What was exported there is the result; what is said of it is not.
        call.Get(Output) == "-" ? call.NoteAsync(Said(call, summary).TrimEnd()) : call.Shell.Out.WriteAsync(Said(call, summary));

    static string Said(Call call, ExportSummary summary)
    {
        var events = call.Get(Events);
        if (call.Json)
            return Json(call, summary);
        if (summary.Rows == 0)
            return PlainText.Line($"no {(events ? "events" : "aggregates")} found{(call.Find(Type) is { } type ? $" for '{type}'" : "")}");
        var paths = summary.Files.Select(file => Shown(call, file.Path));
        if (call.Get(Zip))
            return string.Create(CultureInfo.InvariantCulture, $"Exported {summary.Types} aggregate type(s) to {paths.Single()} (zip archive)\n");
        return string.Concat(paths.Select(path => PlainText.Line($"wrote {path}"))) + (events
            ? string.Create(CultureInfo.InvariantCulture, $"Exported {summary.Rows} event(s)\n")
            : string.Create(CultureInfo.InvariantCulture, $"Exported {summary.Types} aggregate type(s) in {(FormatOf(call) == ExportFormat.Csv ? "CSV" : "JSON")} format\n"));
    }

    static string Json(Call call, ExportSummary summary)
    {
        var json = new JsonText().BeginObject().Name("files").BeginArray();
        foreach (var file in summary.Files)
            json.BeginObject().Member("path", Shown(call, file.Path)).Member("bytes", file.Bytes).EndObject();
        json.EndArray();
        if (!call.Get(Events))
            json.Member("types", summary.Types);
        return json.Member(call.Get(Events) ? "events" : "rows", summary.Rows)
            .Member("bytes", summary.Bytes)
            .Name("seconds").Value(Math.Round(summary.Elapsed.TotalSeconds, 3))
            .EndObject().ToString();
    }

    /// <summary>Relative where what was given is.</summary>
    static string Shown(Call call, string path) =>
        Path.IsPathRooted(call.Get(Output)!) ? path : Path.GetRelativePath(call.Shell.WorkingDirectory, path);

    /// <summary>A bar for each phase, one after the other.</summary>
    sealed class Bars(Shell shell) : IProgress<ExportProgress>, IDisposable
    {
        Progress? _bar;
        ExportPhase _phase;

        public void Report(ExportProgress value)
        {
            if (_bar is null || value.Phase != _phase)
            {
                _bar?.Dispose();
                (_phase, _bar) = (value.Phase, new Progress(shell, value.Phase switch
                {
                    ExportPhase.Survey => "aggregates looked at",
                    ExportPhase.Aggregates => "aggregates",
                    ExportPhase.Events => "events",
                }));
            }

            _bar.Report(value.Done, value.Fraction);
        }

        public void Dispose() => _bar?.Dispose();
    }
}
