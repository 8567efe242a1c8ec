using System.Text;
using EventDbx.Schemas;

namespace EventDbx.Cli.Commands.Schema;

/// <summary><c>dbx schema …</c>: what events must be. Alone with a type it shows that type's schema.</summary>
internal static class SchemaCommand
{
    static readonly Slot Type = Slot.AggregateType with { Optional = true };

    public static Verb Create()
    {
        var schema = new Verb("schema", "Declare what the events of an aggregate type must be; show, change and compare schemas.", Type)
        {
            Remarks = ["A schema is in force for the next append, also in a server that runs, and every change of it stands in the log."],
            Examples =
            [
                new("dbx schema create order --events order-placed,order-paid", "Declare the events of a type."),
                new("dbx schema field set order total \"decimal(12,2)\"", "Declare a field."),
                new("dbx schema order", "Show a schema, as `dbx schema show order` does."),
                new("dbx schema apply schemas.json", "Schemas that are kept in version control."),
            ],
            Further = "",
            Check = RefuseFurther,
            Options = { AccessToken.Option },
            Run = RunAsync,
        };
        foreach (var command in (Command[])
        [
            SchemaCreate.Create(), SchemaEvents.Add(), SchemaEvents.Remove(), SchemaEvents.Annotate(), SchemaList.Create(), SchemaShow.Create(),
            SchemaHide.Hide(), SchemaHide.Unhide(), SchemaLock.Lock(), SchemaLock.Unlock(), SchemaThreshold.Create(), SchemaField.Create(),
            new Noun("event", "The fields of an event type.", SchemaEvents.Fields()), SchemaValidate.Create(), SchemaApply.Create(), SchemaApply.Diff(),
            SchemaDrop.Create(), SchemaJsonSchema.Create(),
        ])
            schema.Subcommands.Add(command);
        // The parser asks for one of the commands unless there is something to do without.
        schema.SetAction(static _ => { });
        return schema;
    }

    /// <summary>The type that the command line names.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidName"/>.</exception>
    public static string TypeOf(Call call) => AggregateKey.Create(call.Find(Type) ?? call[Slot.AggregateType], "any").Type;

    /// <summary>Runs on a store that is there: where there is none, there is no schema.</summary>
    public static Task<ExitCode> OnExistingAsync(Call call, string type, Func<IStore, Task<ExitCode>> act, CancellationToken cancellation) => Link.ToExistingAsync(
        call, act,
        () => throw new RefusedException(RefusalCode.NotFound, $"There is no schema of the aggregate type `{type}`: there is no store yet."),
        cancellation);

    /// <summary>Changes a schema that is there, and says what was changed, or shows the schema as JSON.</summary>
    public static Task<ExitCode> ChangeAsync(
        Call call, IReadOnlyList<SchemaEdit> edits, Func<AggregateSchema, string> text, CancellationToken cancellation)
    {
        var type = TypeOf(call);
        return OnExistingAsync(call, type, store => ChangeAsync(call, store, type, edits, text, cancellation), cancellation);
    }

    public static async Task<ExitCode> ChangeAsync(
        Call call, IStore store, string type, IReadOnlyList<SchemaEdit> edits, Func<AggregateSchema, string> text, CancellationToken cancellation)
    {
        var schema = (await store.ChangeSchemaAsync(type, edits, cancellation).ConfigureAwait(false))!;
        await call.Shell.Out.WriteAsync(call.Json ? Json(schema) : PlainText.Line(text(schema))).ConfigureAwait(false);
        return ExitCode.Done;
    }

    public static string Json(AggregateSchema schema) => new JsonText().Schema(schema).ToString();

    public static JsonText Schema(this JsonText json, AggregateSchema schema) => json.Value(Encoding.UTF8.GetBytes(SchemaJson.Text(schema)));

    /// <summary>As the published listing shows it.</summary>
    public static string Threshold(AggregateSchema schema) =>
        schema.SnapshotThreshold is { } threshold ? FormattableString.Invariant($"Some({threshold})") : "None";

    /// <summary>Names with commas between them, given once or several times.</summary>
    public static string[] Names(IEnumerable<string> given) => [.. given.SelectMany(names => names.Split(','))];

    static void RefuseFurther(Call call)
    {
        if (call.Further is [var further, ..])
        {
            var word = call.Find(Type) ?? further;
            throw new UsageException($"unknown command `schema {word}`{NearestName.Hint(word, Commands)}; known are {string.Join(", ", Commands)}.");
        }
    }

    static IEnumerable<string> Commands => CommandTree.Root.Subcommands.Single(command => command.Name == "schema").Subcommands.Select(command => command.Name);

    static async Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        if (call.Find(Type) is not null)
            return await SchemaShow.RunAsync(call, cancellation).ConfigureAwait(false);
        await call.Shell.Error.WriteAsync(Help.Of(CommandTree.Root.Subcommands.Single(command => command.Name == "schema"))).ConfigureAwait(false);
        return ExitCode.Usage;
    }
}
