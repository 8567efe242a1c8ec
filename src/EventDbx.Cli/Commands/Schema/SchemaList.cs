using EventDbx.Schemas;

namespace EventDbx.Cli.Commands.Schema;

/// <summary><c>dbx schema list</c>: every schema.</summary>
internal static class SchemaList
{
    public static Verb Create() => new("list", "List the schemas in force.")
    {
        Examples = [new("dbx schema list", "A line for each."), new("dbx schema list --json", "All of them, whole.")],
        Options = { AccessToken.Option },
        Run = (call, cancellation) => Link.ToExistingAsync(
            call,
            async store => await WriteAsync(call, await store.GetSchemasAsync(cancellation).ConfigureAwait(false)).ConfigureAwait(false),
            absent: () =>
            {
                if (call.Json)
                    call.Shell.Out.Write("[]\n");
                return ExitCode.Done;
            },
            cancellation),
    };

    static async Task<ExitCode> WriteAsync(Call call, IReadOnlyList<AggregateSchema> schemas)
    {
        if (call.Json)
        {
            var json = new JsonText().BeginArray();
            foreach (var schema in schemas)
                json.Schema(schema);
            await call.Shell.Out.WriteAsync(json.EndArray().ToString()).ConfigureAwait(false);
            return ExitCode.Done;
        }

        var table = new Table("schema", "events", "locked", "snapshot_threshold");
        foreach (var schema in schemas)
            table.Add(schema.Aggregate, $"{schema.Events.Count}", schema.Locked ? "true" : "false", SchemaCommand.Threshold(schema));
        await table.WriteAsync(call.Shell).ConfigureAwait(false);
        return ExitCode.Done;
    }
}

/// <summary><c>dbx schema show</c>: one schema, as JSON.</summary>
internal static class SchemaShow
{
    public static Verb Create() => new("show", "Show a schema.", Slot.AggregateType)
    {
        Examples = [new("dbx schema show order", "As JSON."), new("dbx schema show --aggregate list", "A type that is called like a command.")],
        Options = { AccessToken.Option },
        Run = RunAsync,
    };

    public static Task<ExitCode> RunAsync(Call call, CancellationToken cancellation) => RunAsync(call, text: null, cancellation);

    /// <param name="call">Names the type.</param>
    /// <param name="text">How it is shown other than as JSON; null: always as JSON.</param>
    public static Task<ExitCode> RunAsync(Call call, Func<AggregateSchema, string>? text, CancellationToken cancellation)
    {
        var type = SchemaCommand.TypeOf(call);
        return SchemaCommand.OnExistingAsync(
            call, type,
            async store =>
            {
                var schema = await store.GetSchemaAsync(type, cancellation).ConfigureAwait(false);
                await call.Shell.Out.WriteAsync(text is null || call.Json ? SchemaCommand.Json(schema) : text(schema) + "\n").ConfigureAwait(false);
                return ExitCode.Done;
            },
            cancellation);
    }
}

/// <summary><c>dbx schema json-schema</c>: for editors.</summary>
internal static class SchemaJsonSchema
{
    public static Verb Create() => new("json-schema", "Print the JSON Schema of a file of schemas, with which editors complete and check it.")
    {
        Examples = [new("dbx schema json-schema > schemas.schema.json", "Then `\"$schema\": \"./schemas.schema.json\"` in the file.")],
        Run = async (call, _) =>
        {
            await call.Shell.Out.WriteAsync(SchemaJson.Published.TrimEnd() + "\n").ConfigureAwait(false);
            return ExitCode.Done;
        },
    };
}
