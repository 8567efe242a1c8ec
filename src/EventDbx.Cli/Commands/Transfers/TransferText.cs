using System.Globalization;
using System.Text;
using EventDbx.Server.Replication.Transfer;

namespace EventDbx.Cli.Commands.Transfers;

/// <summary>Reports of push and pull as <c>dbx</c> prints them: the published lines, with what was done, not with what was meant to be.</summary>
internal static class TransferText
{
    public static string Of(TransferReport report)
    {
        var events = report.Events is null ? "" : Events(report, report.Events);
        var schemas = report.Schemas is null ? "" : Schemas(report, report.Schemas);
        // In the order in which it was done.
        return report.Direction == TransferDirection.Push ? schemas + events : events + schemas;
    }

    public static string Json(TransferReport report)
    {
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        TransferJson.Write(output, report);
        return new JsonText().Value(output.WrittenMemory).ToString();
    }

    static string Events(TransferReport report, EventsReport events)
    {
        var push = report.Direction == TransferDirection.Push;
        if (events.UpToDate)
            return PlainText.Line(push ? $"remote '{report.Remote}' is up to date" : $"local store already includes remote '{report.Remote}' changes");
        var text = new StringBuilder(PlainText.Line(string.Create(CultureInfo.InvariantCulture, $"{(report.DryRun, push) switch
        {
            (true, true) => $"Push to remote '{report.Remote}' (dry run)",
            (true, false) => $"Pull from remote '{report.Remote}' (dry run)",
            (false, true) => $"Pushed {events.Events} event(s) to '{report.Remote}'",
            (false, false) => $"Pulled {events.Events} event(s) from '{report.Remote}'",
        }}")));
        Line($"  {events.Events} event(s) across {events.Types.Count} aggregate(s)");
        foreach (var (type, count) in events.Types)
            Line($"    {type}: {count} event(s)");
        if (events.Marked > 0)
            Line($"  {events.Marked} aggregate(s) {(report.DryRun ? "to be " : "")}created, archived, restored or given snapshots");

        return text.ToString();

        void Line(FormattableString line) => text.Append(PlainText.Line(line.ToString(CultureInfo.InvariantCulture)));
    }

    static string Schemas(TransferReport report, SchemasReport schemas)
    {
        var push = report.Direction == TransferDirection.Push;
        if (schemas.Changes.Count == 0)
        {
            return PlainText.Line((push, schemas.Kept) switch
            {
                (true, 0) => $"Remote '{report.Remote}' schema store already matches local",
                (false, 0) => $"Schema store already matches remote '{report.Remote}'",
                (true, _) => $"Remote '{report.Remote}' schema store already includes local ({schemas.Kept} only there; --replace would remove them)",
                (false, _) => $"Schema store already includes remote '{report.Remote}' ({schemas.Kept} only here; --replace would remove them)",
            });
        }

        var text = new StringBuilder(PlainText.Line((report.DryRun, push) switch
        {
            (true, true) => $"Schema push to '{report.Remote}' (dry run)",
            (true, false) => $"Schema pull from '{report.Remote}' (dry run)",
            (false, true) => $"Pushed schema changes to '{report.Remote}'",
            (false, false) => $"Pulled schema changes from '{report.Remote}'",
        }));
        text.Append(CultureInfo.InvariantCulture, $"  {schemas.Changes.Count} aggregate change(s)\n");
        foreach (var change in schemas.Changes)
        {
            text.Append(PlainText.Line(change.Kind switch
            {
                SchemaChangeKind.Added => $"    + {change.Aggregate} ({change.Events} event(s))",
                SchemaChangeKind.Removed => $"    - {change.Aggregate} ({change.Events} event(s))",
                SchemaChangeKind.Updated => $"    ~ {change.Aggregate}",
            }));
            foreach (var detail in change.Details)
                text.Append(PlainText.Line($"      {detail}"));
        }

        return text.ToString();
    }
}
