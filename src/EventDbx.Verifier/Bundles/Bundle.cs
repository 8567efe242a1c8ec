namespace EventDbx.Verifier.Bundles;

/// <summary>Evidence: many events in one stream: docs/proofs.md, section 6.</summary>
/// <param name="trust">Whom the caller trusts.</param>
/// <param name="since">An older checkpoint that the caller kept, or null.</param>
/// <param name="report">What was found.</param>
internal sealed class Bundle(Trust trust, Checkpoint? since, Report report)
{
    internal static readonly Shape Line = new("aggregate", "record", "path", "control", "end", "error");
    static readonly Shape Error = new("code", "message");

    readonly Unnamed _unnamed = new();

    /// <summary>Aggregates of a log in memory at once; tests make it small.</summary>
    public int AggregatesInMemory { get; init; } = Limits.AggregatesInMemory;

    /// <summary>Told the bytes of the stream that were read.</summary>
    public Action<long>? Progress { get; init; }

    /// <summary>Reads and checks a bundle.</summary>
    /// <param name="stream">Read once, or several times when it can seek.</param>
    /// <exception cref="RefutedException">It does not hold.</exception>
    public void Check(Stream stream)
    {
        // Only what came before a bundle was cut off or gave up is said to hold.
        BundleBody? body = null;
        try
        {
            var lines = new LineReader(stream, Progress);
            var header = BundleHeader.Parse(Next(lines, "it is empty"), _unnamed);
            report.Checkpoint = header.Checkpoint;
            trust.Judge(header.Checkpoint, report);
            JudgeSince(header);
            body = header.OfLog ? new LogBody(header.Checkpoint, since, AggregatesInMemory, stream) : new AggregatesBody(header.Checkpoint);
            ReadBody(lines, body);
            while (body.NeedsAnotherPass())
            {
                lines = new LineReader(stream, Progress);
                Next(lines, "it changed");
                ReadBody(lines, body);
            }
        }
        catch (IncompleteException incomplete)
        {
            report.Misses(incomplete.Message);
        }

        body?.Say(report);
        report.ProvesCheckpoint();
        report.LeavesOpen(_unnamed);
    }

    void ReadBody(LineReader lines, BundleBody body)
    {
        while (true)
        {
            var line = JsonObject.Of(Next(lines, null), $"Line {lines.Number} of the bundle", Line, _unnamed);
            string[] kinds = ["aggregate", "record", "control", "end", "error"];
            var found = kinds.Where(line.Has).ToArray();
            if (found is not [var kind])
                throw new RefutedException($"Line {lines.Number} of the bundle is malformed: it has none, or more than one, of aggregate, record, control, end and error.");
            if (kind is "end" or "error")
            {
                if (kind == "end")
                    body.End(line, lines.Number, _unnamed);
                DemandNothingMore(lines);
                if (kind == "error")
                    throw GaveUp(line);
                return;
            }

            body.Take(kind, line, lines.Number, _unnamed);
        }
    }

    /// <summary>The next line, checked to be JSON.</summary>
    static ReadOnlyMemory<byte> Next(LineReader lines, string? why)
    {
        if (lines.Next() is not { } line)
            throw new IncompleteException($"the bundle has no end: {why ?? $"it was cut off behind line {lines.Number}"}.");
        try
        {
            return JsonText.Checked(line, $"Line {lines.Number} of the bundle");
        }
        catch (RefutedException) when (!lines.Terminated)
        {
            throw new IncompleteException($"the bundle was cut off within line {lines.Number}.");
        }
    }

    static void DemandNothingMore(LineReader lines)
    {
        if (lines.Next() is not null)
            throw new RefutedException($"Line {lines.Number} of the bundle is malformed: the line before it was to be the last one.");
    }

    IncompleteException GaveUp(JsonObject line)
    {
        var error = line.Object("error", Error, _unnamed);
        return new($"the maker of the bundle gave up: {Printable.Quoted(error.String("message"))} ({Printable.Of(error.String("code"))}).");
    }

    void JudgeSince(BundleHeader header)
    {
        if (header.Since is { } from && since is null)
        {
            report.Proves($"The log's first {Amount.Of(from.Size, "entry", "entries")} are those of a checkpoint with the root {from.Root}.");
            report.LeavesOpen("that such a checkpoint was given to anybody: whoever has it names it with --since.");
        }

        if (since is null)
            return;
        trust.JudgeLog(since, report);
        Documents.Consistency.DemandOneLog(since, header.Checkpoint);
        if (header.Since is { } named && named.Size == since.Size && named.Root != since.Root)
        {
            throw new RefutedException(
                $"The log showed two histories: the bundle builds on {Amount.Of(named.Size, "entry", "entries")} with the root {named.Root}, and the checkpoint that you kept has {since.Root}.");
        }

        // A bundle of the whole log shows it by itself.
        var shown = header.OfLog || since.Size == 0 || since.Size == header.Checkpoint.Size || (header.Since is { } same && same.Size == since.Size);
        if (!shown)
            report.Misses($"the bundle has no proof from the checkpoint that you kept ({Amount.Of(since.Size, "entry", "entries")}): ask for one made since that.");
        else if (!header.OfLog)
            Documents.Consistency.SayLog(since, header.Checkpoint, report);
    }
}
