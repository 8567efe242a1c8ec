using System.Globalization;
using EventDbx.Recovery;

namespace EventDbx.Cli.Commands.Recover;

/// <summary><c>dbx recover</c>: what is left of a store that does not open, and how to go on with it.</summary>
internal static class RecoverCommand
{
    static readonly Option<bool> AcceptLoss = Options.Switch("--accept-loss", "Go on with what is left. The rest is given up, for good.");

    static readonly Option<string> AcceptDocument = Options.Text("--accept-document", "NAME", "Go on with an older document that was put back, or without one that is gone.");

    public static Verb Create() => new("recover", "Look at a store that does not open, and go on with what is left of it.")
    {
        Remarks =
        [
            "Without options it looks, changes nothing, and says which entries can be believed: from the first one on, without a gap. " +
            "For that it builds a new store on trial and deletes it again, which takes as much room as the store. " +
            "Exit code 0: the store is sound; 4: it is not.",
            "A backup is the better way back. With `--accept-loss` a new store is built from what is left; it takes the place of the " +
            "damaged one, which stays beside it, and says in its log what was lost.",
            "`--accept-document tokens.json` is for an encrypted store that refuses a document beside it, because it is older than the newest one, or gone. " +
            "Revoked tokens in an older one stay revoked. An entry of the log says that it was accepted.",
        ],
        Examples =
        [
            new("dbx recover", "What is wrong, and what is left?"),
            new("dbx recover --accept-loss", "Go on with it."),
            new("dbx recover --accept-document tokens.json", "An older tokens.json was put back on purpose."),
        ],
        Options = { AcceptLoss, AcceptDocument },
        Check = call => call.NotBoth(AcceptLoss, AcceptDocument),
        Run = RunAsync,
    };

    static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var file = call.LoadConfig();
        var directory = file.Config.DataDir;
        if (!Database.ExistsIn(directory))
            throw new StoreRefusedException($"There is no store in {directory}, and nothing that is left of one.");
        var options = await Link.OptionsAsync(call, file, cancellation).ConfigureAwait(false);
        using var keys = new KeysInHand(options);
        if (call.Get(AcceptDocument) is { } name)
            return await AcceptDocumentAsync(call, options, name).ConfigureAwait(false);
        var accept = call.Get(AcceptLoss);
        var report = accept ? StoreRecovery.AcceptLoss(options) : StoreRecovery.Inspect(options);
        await call.Shell.Out.WriteAsync(call.Json ? Json(report) : Text(report, directory)).ConfigureAwait(false);
        if (report.LeftOut > 0)
            await call.NoteAsync(FormattableString.Invariant($"{report.LeftOut} rows beside the log cannot be read: what tokens had spent, or how far plugins were.")).ConfigureAwait(false);
        if (report.Restarted.Count > 0)
            await call.NoteAsync($"These plugins get the log again from its beginning: {string.Join(", ", report.Restarted)}.").ConfigureAwait(false);
        if (report.Damage is null || report.MovedTo is not null)
            return ExitCode.Done;
        await call.NoteAsync("Restore a backup, or run `dbx recover --accept-loss` to go on with what is left.").ConfigureAwait(false);
        return ExitCode.Refused;
    }

    static async Task<ExitCode> AcceptDocumentAsync(Call call, DatabaseOptions options, string name)
    {
        var database = Database.Open(options);
        await using (database.ConfigureAwait(false))
            await database.OpenSession(new("cli", Environment.UserName)).From("directory").AcceptDocumentAsync(name).ConfigureAwait(false);
        await call.Shell.Out.WriteAsync(call.Json
            ? new JsonText().BeginObject().Member("accepted", name).EndObject().ToString()
            : $"accepted {name} as it is\n").ConfigureAwait(false);
        return ExitCode.Done;
    }

    static string Text(RecoveryReport report, string directory) => report.Damage is null
        ? $"The store in {directory} is sound: there is nothing to recover.\n"
        : FormattableString.Invariant($"""
            damage    {report.Damage}
            kept      {report.Kept:N0} entries, from the first one on
            lost      {Lost(report)}
            {(report.Stopped is null ? "" : $"ends at   {report.Stopped}\n")}{(report.MovedTo is null ? "" : $"moved to  {report.MovedTo}\n")}
            """).ReplaceLineEndings("\n").TrimEnd('\n') + "\n";

    static string Lost(RecoveryReport report) =>
        report.HistoryChanged is { } changed ? $"not known, for HISTORY WAS CHANGED: {changed}"
        : report.Lost is { } lost ? string.Create(CultureInfo.InvariantCulture, $"{lost:N0} of {report.Expected:N0} that were synced")
        : "not known: the watermark does not say how many there were";

    static string Json(RecoveryReport report)
    {
        var json = new JsonText().BeginObject()
            .Member("damage", report.Damage)
            .Member("kept", report.Kept)
            .Name("expected");
        Value(report.Expected);
        json.Name("lost");
        Value(report.Lost);
        return json.Member("history_changed", report.HistoryChanged).Member("stopped", report.Stopped).Member("moved_to", report.MovedTo).EndObject().ToString();

        void Value(ulong? number) => _ = number is { } known ? json.Value(known) : json.Value((string?)null);
    }
}
