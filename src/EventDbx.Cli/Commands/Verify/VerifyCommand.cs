using EventDbx.Verification;

namespace EventDbx.Cli.Commands.Verify;

/// <summary><c>dbx verify --all</c>: computes everything there is again.</summary>
internal static class VerifyCommand
{
    static readonly Option<bool> All = Options.Switch("--all", "Everything there is.");

    public static Verb Create() => new("verify", "Verify everything: files, log, every aggregate, and that none is missing.")
    {
        Remarks =
        [
            "Reads all of it and computes every hash, root and state again. Nothing is repaired: the first thing that is not what was " +
            "committed is named, with exit code 3. Keep the root that it prints elsewhere, and history can be held against it.",
        ],
        Examples =
        [
            new("dbx verify --all", "With a bar on a terminal, and a summary."),
            new("dbx verify --all --json", "The summary as JSON."),
        ],
        Options = { All, AccessToken.Option },
        Check = call =>
        {
            if (!call.Get(All))
                throw new UsageException("verify what? `dbx verify --all` verifies everything there is, `dbx aggregate verify TYPE ID` one aggregate.");
        },
        Run = RunAsync,
    };

    static Task<ExitCode> RunAsync(Call call, CancellationToken cancellation) => Link.ToExistingAsync(
        call,
        async store =>
        {
            VerifyAllResult result;
            using (var bars = new Bars(call.Shell))
                result = await store.VerifyAllAsync(bars, cancellation).ConfigureAwait(false);
            await call.Shell.Out.WriteAsync(call.Json ? Json(result) : Text(result)).ConfigureAwait(false);
            return ExitCode.Done;
        },
        absent: () => throw new RefusedException(RefusalCode.NotFound, "There is no store yet, and so nothing to verify."),
        cancellation);

    static string Text(VerifyAllResult result) => FormattableString.Invariant(
        $"verified {result.Events:N0} events and {result.ControlEntries:N0} other entries in {result.Aggregates:N0} aggregates ({result.Archived:N0} archived) in {Rate.Of((long)result.Events, result.Elapsed.TotalSeconds, "events")}\nlog_size={result.LogSize} log_root={result.LogRoot}\n");

    static string Json(VerifyAllResult result)
    {
        var json = new JsonText().BeginObject()
            .Member("log_size", result.LogSize)
            .Member("log_root", result.LogRoot.ToString())
            .Member("events", result.Events)
            .Member("control_entries", result.ControlEntries)
            .Member("aggregates", result.Aggregates)
            .Member("archived", result.Archived)
            .Member("client_ids", result.ClientIds)
            .Member("fold_points", result.FoldPoints)
            .Member("snapshots", result.Snapshots)
            .Member("tiles", result.Tiles);
        if (result.WatermarkSize is { } size)
            json.Member("watermark_size", size);
        return json.Name("seconds").Value(Math.Round(result.Elapsed.TotalSeconds, 3)).EndObject().ToString();
    }

    /// <summary>A bar for each phase, one after the other.</summary>
    sealed class Bars(Shell shell) : IProgress<VerifyProgress>, IDisposable
    {
        Progress? _bar;
        VerifyPhase _phase;

        public void Report(VerifyProgress value)
        {
            if (_bar is null || value.Phase != _phase)
            {
                _bar?.Dispose();
                (_phase, _bar) = (value.Phase, new Progress(shell, value.Phase switch
                {
                    VerifyPhase.Files => "files",
                    VerifyPhase.Log => "entries of the log",
                    VerifyPhase.Aggregates => "events of aggregates",
                }));
            }

            _bar.Report((long)value.Done, value.Total == 0 ? null : (double)value.Done / value.Total);
        }

        public void Dispose() => _bar?.Dispose();
    }
}
