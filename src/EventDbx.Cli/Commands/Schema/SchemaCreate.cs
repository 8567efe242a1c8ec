using EventDbx.Schemas;

namespace EventDbx.Cli.Commands.Schema;

/// <summary><c>dbx schema create</c>: a new schema.</summary>
internal static class SchemaCreate
{
    static readonly Option<string[]> Events = SchemaEvents.EventsOption("The event types, with commas between them; may be given several times.");

    static readonly Option<ulong?> Threshold = Options.Version(
        "--snapshot-threshold", "A snapshot every so many versions (default: `snapshot_threshold` of the configuration; with `--server`: none).", aliases: "-s");

    public static Verb Create() => new("create", "Declare the event types of an aggregate type.", Slot.AggregateType)
    {
        Remarks = ["The events take any fields until `schema event fields` and `schema field` say more."],
        Examples =
        [
            new("dbx schema create patient --events patient-added,patient-updated --snapshot-threshold 100", "Two events, and a snapshot every 100 versions."),
            new("dbx schema create --aggregate order -e order-placed -e order-paid", "By name."),
        ],
        Options = { Events, Threshold, AccessToken.Option },
        Check = call =>
        {
            if (call.Get(Events) is not { Length: > 0 })
                throw new UsageException("`--events` is missing: a schema has at least one event type.");
        },
        Run = RunAsync,
    };

    static Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var type = SchemaCommand.TypeOf(call);
        var edit = SchemaEdit.Create(
            SchemaCommand.Names(call.Get(Events)!), call.Get(Threshold) ?? (RemoteServer.IsMeant(call) ? null : (ulong?)call.LoadConfig().Config.SnapshotThreshold));
        // Before the store is opened, or made: a slip leaves nothing behind.
        SchemaEdit.Apply(SchemaBook.Empty, type, [edit], default);
        return Link.ToAnyAsync(
            call,
            store => SchemaCommand.ChangeAsync(
                call, store, type, [edit],
                schema => $"schema={schema.Aggregate} events={schema.Events.Count} snapshot_threshold={SchemaCommand.Threshold(schema)}", cancellation),
            cancellation);
    }
}
