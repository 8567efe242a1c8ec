using System.Text;
using EventDbx.Schemas;

namespace EventDbx.Cli.Commands.Schema;

/// <summary><c>dbx schema add | remove | annotate</c> and <c>dbx schema event fields</c>: the event types of a schema.</summary>
internal static class SchemaEvents
{
    static readonly Option<string[]> Added = EventsOption("More event types, with commas between them.");
    static readonly Option<string> Note = Options.Text("--note", "TEXT", "What the event means; up to 128 characters.");
    static readonly Option<bool> Clear = Options.Switch("--clear", "Forget what it means.");
    static readonly Option<string[]> AddFields = FieldsOption("--add", "Fields that the event has from now on, with commas between them.");
    static readonly Option<string[]> RemoveFields = FieldsOption("--remove", "Fields that it has no more; without any left it takes any.");

    public static Option<string[]> EventsOption(string description) => new("--events", "-e") { HelpName = "EVENT,…", Description = description };

    public static Verb Add() => new("add", "Add event types to a schema; those that are there stay as they are.", Slot.AggregateType)
    {
        Further = "EVENT…",
        Examples =
        [
            new("dbx schema add patient --events patient-moved,patient-left", "Two more events."),
            new("dbx schema add order order-shipped order-returned", "By position."),
        ],
        Options = { Added, AccessToken.Option },
        Check = call =>
        {
            if (AddedBy(call).Length == 0)
                throw new UsageException("EVENT is missing: give event types by position or as `--events a,b`.");
        },
        Run = (call, cancellation) => SchemaCommand.ChangeAsync(
            call, [SchemaEdit.AddEvents(AddedBy(call))],
            schema => $"schema={schema.Aggregate} added_events={string.Join(',', AddedBy(call))} total_events={schema.Events.Count}", cancellation),
    };

    public static Verb Remove() => new("remove", "Remove an event type from a schema. What was appended stays.", Slot.AggregateType, Slot.EventType)
    {
        Examples = [new("dbx schema remove order order-returned", "It is not taken any more."), new("dbx schema remove --aggregate order --event order-returned", "By name.")],
        Options = { AccessToken.Option },
        Run = (call, cancellation) => SchemaCommand.ChangeAsync(
            call, [SchemaEdit.RemoveEvent(call[Slot.EventType])],
            schema => $"schema={schema.Aggregate} removed_event={call[Slot.EventType]} remaining_events={schema.Events.Count}", cancellation),
    };

    public static Verb Annotate() => new("annotate", "Write down what an event type means.", Slot.AggregateType, Slot.EventType)
    {
        Examples =
        [
            new("dbx schema annotate order order-paid --note \"settled by card\"", "For whoever reads the schema."),
            new("dbx schema annotate order order-paid --clear", "Take it back."),
        ],
        Options = { Note, Clear, AccessToken.Option },
        Check = call =>
        {
            call.NotBoth(Note, Clear);
            if (!call.Has(Note) && !call.Get(Clear))
                throw new UsageException("Give `--note TEXT`, or `--clear`.");
        },
        Run = (call, cancellation) => SchemaCommand.ChangeAsync(
            call, [SchemaEdit.Annotate(call[Slot.EventType], call.Get(Note))],
            schema => $"aggregate={schema.Aggregate} event={call[Slot.EventType]} " + (call.Get(Note) is { } note ? $"note_set={Quoted(note)}" : "note_cleared"),
            cancellation),
    };

    public static Verb Fields() => new(
        "fields", "The exact set of fields of an event type: every one has to be there, and no other may.", Slot.AggregateType, Slot.EventType)
    {
        Remarks = ["Without fields an event takes any. Without options the fields are shown. An event type that is not there is added with its fields."],
        Examples =
        [
            new("dbx schema event fields order order-paid --add total,currency", "It has these two fields."),
            new("dbx schema event fields order order-paid --remove currency", "And now one."),
            new("dbx schema event fields order order-paid", "Which ones?"),
        ],
        Options = { AddFields, RemoveFields, AccessToken.Option },
        Run = FieldsAsync,
    };

    static Task<ExitCode> FieldsAsync(Call call, CancellationToken cancellation)
    {
        var eventType = call[Slot.EventType];
        List<SchemaEdit> edits = [];
        if (call.Has(AddFields))
            edits.Add(SchemaEdit.AddFields(eventType, SchemaCommand.Names(call.Get(AddFields)!)));
        if (call.Has(RemoveFields))
            edits.Add(SchemaEdit.RemoveFields(eventType, SchemaCommand.Names(call.Get(RemoveFields)!)));
        return edits.Count > 0
            ? SchemaCommand.ChangeAsync(call, edits, schema => Text(schema, eventType), cancellation)
            : SchemaShow.RunAsync(call, schema => Text(schema, eventType), cancellation);
    }

    static string Text(AggregateSchema schema, string eventType) => schema.Events.TryGetValue(eventType, out var definition)
        ? $"schema={schema.Aggregate} event={eventType} fields={(definition.Fields.IsEmpty ? "any" : string.Join(',', definition.Fields))}"
        : throw new RefusedException(
            RefusalCode.NotFound, $"The schema of `{schema.Aggregate}` has no event type `{eventType}`{NearestName.Hint(eventType, schema.Events.Keys)}.");

    static string[] AddedBy(Call call) => SchemaCommand.Names([.. call.Further, .. call.Get(Added) ?? []]);

    static string Quoted(string text) => new JsonText(pretty: false).Value(text).ToString().TrimEnd('\n');

    static Option<string[]> FieldsOption(string name, string description) => new(name) { HelpName = "FIELD,…", Description = description };
}
