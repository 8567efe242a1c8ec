using EventDbx.Recovery;
using EventDbx.Server.Configuration;

namespace EventDbx.Cli.Commands.Doctor;

/// <summary><c>dbx doctor --rebuild</c>: every index anew, from the log.</summary>
internal static class DoctorRebuild
{
    public static readonly Option<bool> Rebuild = Options.Switch("--rebuild", "Make every index of the store anew, from its log. The server must be stopped.");

    public static readonly Option<bool> KeepOld = Options.Switch("--keep-old", "With `--rebuild`: keep the old store beside the new one.");

    public static IReadOnlyList<string> Remarks { get; } =
    [
        "`--rebuild` is for a store whose log is whole and whose indexes are not, as `dbx verify --all` tells. It makes a new store beside the old one from every entry of the log, verifies it whole, and exchanges the two in " +
        "one step: entries, root, epoch and database id stay, and so does what the log does not say (documents, queues of plugins, checkpoints). It needs as much free space as the store has. " +
        "Where the log itself is damaged nothing is changed (exit code 4): restore a backup, or see `dbx recover`.",
    ];

    public static void Check(Call call)
    {
        if (call.Has(KeepOld) && !call.Get(Rebuild))
            throw new UsageException("`--keep-old` goes with `--rebuild`.");
    }

    public static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var file = call.LoadConfig();
        if (!Database.ExistsIn(file.Config.DataDir))
            throw new StoreRefusedException($"There is no store in {file.Config.DataDir}, and so nothing to rebuild.");
        var options = await Link.OptionsAsync(call, file, cancellation).ConfigureAwait(false);
        using var keys = new KeysInHand(options);
        RebuildReport report;
        using (var bar = new StepProgress(call.Shell))
            report = await RunAsync(call, options, bar, cancellation).ConfigureAwait(false);
        await call.Shell.Out.WriteAsync(call.Json ? Json(report) : Text(report, file)).ConfigureAwait(false);
        if (report.LeftOut > 0)
            await call.NoteAsync(FormattableString.Invariant($"{report.LeftOut} rows beside the log could not be read and are gone: what tokens had spent, or how far plugins were.")).ConfigureAwait(false);
        if (report.Restarted.Count > 0)
            await call.NoteAsync($"These plugins get the log again from its beginning: {string.Join(", ", report.Restarted)}.").ConfigureAwait(false);
        return ExitCode.Done;
    }

    static async Task<RebuildReport> RunAsync(Call call, DatabaseOptions options, StepProgress bar, CancellationToken cancellation)
    {
        try
        {
            return await IndexRebuild.RunAsync(options, call.Get(KeepOld), bar, cancellation).ConfigureAwait(false);
        }
        catch (StoreRefusedException refused) when (refused.InUse)
        {
            throw new StoreRefusedException($"{refused.Message} A rebuild has the directory to itself: stop the server (`dbx stop`), then ask again.", refused) { InUse = true };
        }
    }

    static string Text(RebuildReport report, ConfigFile file) => FormattableString.Invariant($"""
        rebuilt   {report.LogSize:N0} entries of {file.Config.DataDir}
        database  {report.DatabaseId}, epoch {report.Epoch}
        root      {report.LogRoot}
        old       {report.KeptOld ?? "deleted: the new store has opened"}

        """).ReplaceLineEndings("\n");

    static string Json(RebuildReport report)
    {
        var json = new JsonText().BeginObject()
        .Member("database_id", report.DatabaseId.ToString()).Member("epoch", (ulong)report.Epoch).Member("log_size", report.LogSize).Member("log_root", report.LogRoot.ToString())
        .Member("left_out", report.LeftOut).Name("restarted_plugins").BeginArray();
        foreach (var plugin in report.Restarted)
            json.Value(plugin);
        return json.EndArray().Member("kept_old", report.KeptOld).EndObject().ToString();
    }
}
