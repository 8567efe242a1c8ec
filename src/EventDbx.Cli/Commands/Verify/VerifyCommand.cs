using System.Globalization;
using System.Text;
using EventDbx.Verification;

namespace EventDbx.Cli.Commands.Verify;

/// <summary><c>dbx verify --all</c>: computes everything there is again.</summary>
internal static class VerifyCommand
{
    static readonly Option<bool> All = Options.Switch("--all", "Everything there is.");
    static readonly Option<bool> Resume = Options.Switch("--resume", "Go on with one that was interrupted. Without it every verify begins anew.");
    static readonly Option<bool> WithoutKey = Options.Switch("--without-key", "Verify an encrypted store whose key is not at hand: all but what is sealed.");

    public static Verb Create() => new("verify", "Verify everything: files, log, every aggregate, and that none is missing.")
    {
        Remarks =
        [
            "Reads all of it and computes every hash, root and state again. Nothing is repaired: the first thing that is not what was " +
            "committed is named, with exit code 3. Keep the root that it prints elsewhere, and history can be held against it.",
            "`--resume` goes on with a verify that was interrupted: of aggregates that it had finished, and that were not changed since, " +
            "only heads and hashes are read again; the result says so.",
            "`--without-key` needs no key and opens the store for reading only; no server may have it open. Payloads, states, and what " +
            "only the hash of an event binds (its type, id, actor and note) stay unchecked.",
        ],
        Examples =
        [
            new("dbx verify --all", "With a bar on a terminal, and a summary."),
            new("dbx verify --all --resume", "Go on where an interrupted one was."),
            new("dbx verify --all --without-key", "Whoever keeps the disk checks it, and reads no payload."),
            new("dbx verify --all --json", "The summary as JSON."),
        ],
        Options = { All, Resume, WithoutKey, AccessToken.Option },
        Check = call =>
        {
            if (!call.Get(All))
                throw new UsageException("verify what? `dbx verify --all` verifies everything there is, `dbx aggregate verify TYPE ID` one aggregate.");
            if (call.Get(WithoutKey) && call.Get(Resume))
                throw new UsageException("`--without-key` cannot be resumed: it writes nothing, and so keeps no progress. Give one of the two.");
            if (call.Get(WithoutKey) && RemoteServer.IsMeant(call))
                throw new UsageException("`--without-key` reads the files of the store, so it is run where they are. Leave out `--server` and EVENTDBX_SERVER.");
            if (call.Get(WithoutKey) && call.Get(AccessToken.Option) is not null)
                throw new UsageException("`--without-key` reads the files of the store, where no token counts. Give one of the two.");
        },
        Run = (call, cancellation) => call.Get(WithoutKey) ? AuditAsync(call, cancellation) : VerifyAsync(call, cancellation),
    };

    static Task<ExitCode> VerifyAsync(Call call, CancellationToken cancellation) => Link.ToExistingAsync(
        call,
        async store =>
        {
            VerifyAllResult result;
            using (var bars = new Bars(call.Shell))
                result = await store.VerifyAllAsync(call.Get(Resume), bars, cancellation).ConfigureAwait(false);
            if (call.Get(Resume) && result.Resumed is null)
                await call.NoteAsync("There was no interrupted verify to go on with, or too much has changed since: everything was read.").ConfigureAwait(false);
            return await ShowAsync(call, result).ConfigureAwait(false);
        },
        absent: NoStore,
        cancellation);

    static async Task<ExitCode> AuditAsync(Call call, CancellationToken cancellation)
    {
        var file = call.LoadConfig();
        if (!Database.ExistsIn(file.Config.DataDir))
            return NoStore();
        var options = Link.OptionsWithoutKey(call, file);
        VerifyAllResult result;
        using (var bars = new Bars(call.Shell))
            result = await Task.Run(() => StoreAudit.Run(options, bars, cancellation), CancellationToken.None).ConfigureAwait(false);
        return await ShowAsync(call, result).ConfigureAwait(false);
    }

    static ExitCode NoStore() => throw new RefusedException(RefusalCode.NotFound, "There is no store yet, and so nothing to verify.");

    static async Task<ExitCode> ShowAsync(Call call, VerifyAllResult result)
    {
        await call.Shell.Out.WriteAsync(call.Json ? Json(result) : Text(result)).ConfigureAwait(false);
        return ExitCode.Done;
    }

    internal static string Text(VerifyAllResult result)
    {
        var text = new StringBuilder(FormattableString.Invariant(
            $"verified {result.Events:N0} events and {result.ControlEntries:N0} other entries in {result.Aggregates:N0} aggregates ({result.Archived:N0} archived) in {Rate.Of((long)result.Events, result.Elapsed.TotalSeconds, "events")}\n"));
        if (result.Resumed is { } earlier)
            text.Append(CultureInfo.InvariantCulture, $"of these, {earlier.Events:N0} events in {earlier.Aggregates:N0} aggregates were verified between {earlier.StartedAt} and {earlier.SavedAt}; now only their heads and hashes were\n");
        if (!result.PayloadsChecked)
            text.Append("not checked, for want of the key: payloads, states, and the types, ids, actors and notes of events\n");
        AppendCheckpoints(text, result);
        return text.Append(CultureInfo.InvariantCulture, $"log_size={result.LogSize} log_root={result.LogRoot}\n").ToString();
    }

    static void AppendCheckpoints(StringBuilder text, VerifyAllResult result)
    {
        if (result.Checkpoints + result.CheckpointsOfLostEntries == 0)
            return;
        var signatures = result.CheckpointSignaturesChecked ? "" : "; their signatures were not checked, for want of the signing key";
        text.Append(result.Checkpoints == 1 ? "1 checkpoint is a prefix of the log" : string.Create(CultureInfo.InvariantCulture, $"{result.Checkpoints:N0} checkpoints are prefixes of the log"));
        if (result.NewestCheckpoint is { } newest)
            text.Append(CultureInfo.InvariantCulture, $", the newest of {newest.Size:N0} entries as {newest.Origin}");
        text.Append(signatures).Append('\n');
        if (result.CheckpointsOfLostEntries > 0)
            text.Append(result.CheckpointsOfLostEntries == 1 ? "1 checkpoint of an earlier epoch is none: it speaks of entries that were lost\n" : string.Create(CultureInfo.InvariantCulture, $"{result.CheckpointsOfLostEntries:N0} checkpoints of earlier epochs are none: they speak of entries that were lost\n"));
    }

    internal static string Json(VerifyAllResult result)
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
            .Member("tiles", result.Tiles)
            .Member("payloads_checked", result.PayloadsChecked)
            .Member("checkpoints", result.Checkpoints)
            .Member("checkpoints_of_lost_entries", result.CheckpointsOfLostEntries)
            .Member("checkpoint_signatures_checked", result.CheckpointSignaturesChecked);
        if (result.NewestCheckpoint is { } newest)
            json.Name("newest_checkpoint").BeginObject().Member("origin", newest.Origin).Member("size", newest.Size).Member("root", newest.Root.ToString()).EndObject();
        if (result.WatermarkSize is { } size)
            json.Member("watermark_size", size);
        if (result.Resumed is { } earlier)
        {
            json.Name("resumed").BeginObject()
                .Member("started_at", earlier.StartedAt.ToString())
                .Member("saved_at", earlier.SavedAt.ToString())
                .Member("log_size", earlier.LogSize)
                .Member("log_root", earlier.LogRoot.ToString())
                .Member("aggregate_type", earlier.Last.Type)
                .Member("aggregate_id", earlier.Last.Id)
                .Member("aggregates", earlier.Aggregates)
                .Member("events", earlier.Events)
                .EndObject();
        }

        return json.Name("seconds").Value(Math.Round(result.Elapsed.TotalSeconds, 3)).EndObject().ToString();
    }

    /// <summary>A bar for each phase, one after the other; and once, that there is something to go on with.</summary>
    sealed class Bars(Shell shell) : IProgress<VerifyProgress>, IDisposable
    {
        Progress? _bar;
        VerifyPhase _phase;
        bool _told;

        public void Report(VerifyProgress value)
        {
            if (value.Interrupted is { } earlier && !_told)
            {
                _told = true;
                shell.Error.WriteLine(FormattableString.Invariant(
                    $"A verify that was begun at {earlier.StartedAt} was interrupted after {earlier.Events:N0} events. This one begins anew; `dbx verify --all --resume` would have gone on with it."));
            }

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
