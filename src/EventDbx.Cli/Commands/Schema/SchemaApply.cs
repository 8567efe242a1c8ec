using EventDbx.Schemas;

namespace EventDbx.Cli.Commands.Schema;

/// <summary><c>dbx schema apply | diff</c>: schemas as they stand in a file that is kept in version control.</summary>
internal static class SchemaApply
{
    static readonly Slot Source = new("--file", "FILE", "Aggregate types and their schemas as JSON; `-` is standard input.");
    static readonly Option<bool> Check = Options.Switch("--check", "Change nothing; the exit code is 3 when something would change.");
    static readonly Option<bool> Prune = Options.Switch("--prune", "Drop the schemas that are not in the file.");

    /// <summary>What becomes of one schema.</summary>
    sealed record Step(string Type, AggregateSchema? Before, AggregateSchema? After)
    {
        public string Word => Before is null ? "created" : After is null ? "dropped" : "changed";

        public IReadOnlyList<SchemaDifference> Differences => SchemaDiff.Between(Before, After);
    }

    public static Verb Create() => new("apply", "Make the schemas in force those of a file. Twice is once.", Source)
    {
        Remarks =
        [
            "The file is as `schemas.json` of the data directory; of a schema only `events` has to be there, and the times are not looked at. " +
            "`dbx schema json-schema` prints its JSON Schema. Each schema is changed as a whole or not at all.",
        ],
        Examples =
        [
            new("dbx schema apply schemas.json", "Says what was changed."),
            new("dbx schema apply schemas.json --check", "For a build: 0, nothing to do; 3, something would change."),
            new("dbx schema apply --file schemas.json --prune", "And no other schemas."),
        ],
        Options = { Check, Prune, AccessToken.Option },
        Check = NotTwiceFromInput,
        Run = (call, cancellation) => RunAsync(call, apply: !call.Get(Check), call.Get(Check) ? ExitCode.Difference : ExitCode.Done, cancellation),
    };

    public static Verb Diff() => new("diff", "Show what `schema apply` would change.", Source)
    {
        Examples =
        [
            new("dbx schema diff schemas.json", "By schema, with what stands there before and after."),
            new("dbx schema diff schemas.json --prune --json", "As JSON, with what would be dropped."),
        ],
        Options = { Prune, AccessToken.Option },
        Check = NotTwiceFromInput,
        Run = (call, cancellation) => RunAsync(call, apply: false, ExitCode.Done, cancellation),
    };

    static void NotTwiceFromInput(Call call)
    {
        if (call[Source] == "-")
            AccessToken.NotFromInputToo(call, "a file from `-`");
    }

    static async Task<ExitCode> RunAsync(Call call, bool apply, ExitCode changed, CancellationToken cancellation)
    {
        var content = await ReadAsync(call, cancellation).ConfigureAwait(false);
        // What made the file has failed, most likely; with --prune it would take every schema away.
        if (!content.Span.ContainsAnyExcept(" \t\r\n"u8))
            throw new RefusedException(RefusalCode.InvalidSchema, $"{(call[Source] == "-" ? "Standard input" : call[Source])} is empty; a file without schemas is {{}}.");
        var declared = SchemaJson.ReadDeclared(content.Span, Timestamp.From(call.Shell.Clock.GetUtcNow())).Values.ToList();
        return apply
            ? await Link.ToAnyAsync(call, store => OnAsync(store), cancellation).ConfigureAwait(false)
            : await Link.ToExistingAsync(call, OnAsync, () => Write(call, Steps([], declared, call.Get(Prune)), changed), cancellation).ConfigureAwait(false);

        async Task<ExitCode> OnAsync(IStore store)
        {
            var steps = Steps(await store.GetSchemasAsync(cancellation).ConfigureAwait(false), declared, call.Get(Prune));
            foreach (var step in apply ? steps : [])
            {
                var edit = step.After is { } after ? SchemaEdit.Replace(after) : SchemaEdit.Drop();
                await store.ChangeSchemaAsync(step.Type, [edit], cancellation).ConfigureAwait(false);
            }

            return Write(call, steps, changed);
        }
    }

    static List<Step> Steps(IReadOnlyList<AggregateSchema> inForce, IReadOnlyList<AggregateSchema> declared, bool prune)
    {
        List<Step> steps = [];
        foreach (var schema in declared)
        {
            var before = inForce.FirstOrDefault(other => other.Aggregate == schema.Aggregate);
            if (before is null || !before.SaysTheSameAs(schema))
                steps.Add(new(schema.Aggregate, before, schema));
        }

        if (prune)
            steps.AddRange(inForce.Where(schema => declared.All(other => other.Aggregate != schema.Aggregate)).Select(schema => new Step(schema.Aggregate, schema, null)));
        return steps;
    }

    static ExitCode Write(Call call, List<Step> steps, ExitCode changed)
    {
        var text = call.Shell.Out;
        if (call.Json)
        {
            text.Write(Json(steps));
        }
        else
        {
            if (steps.Count == 0)
                text.Write("no differences\n");
            foreach (var step in steps)
            {
                text.Write(PlainText.Line($"schema={step.Type} {step.Word}"));
                foreach (var difference in step.Differences)
                    text.Write(PlainText.Line($"  {difference.Path}: {difference.Before ?? "(none)"} -> {difference.After ?? "(none)"}"));
            }
        }

        return steps.Count == 0 ? ExitCode.Done : changed;
    }

    static string Json(List<Step> steps)
    {
        var json = new JsonText().BeginArray();
        foreach (var step in steps)
        {
            json.BeginObject().Member("aggregate", step.Type).Member("change", step.Word).Name("differences").BeginArray();
            foreach (var difference in step.Differences)
            {
                json.BeginObject().Member("path", difference.Path);
                Value(json.Name("before"), difference.Before);
                Value(json.Name("after"), difference.After).EndObject();
            }

            json.EndArray().EndObject();
        }

        return json.EndArray().ToString();
    }

    static JsonText Value(JsonText json, string? value) => value is null ? json.Value((string?)null) : json.Value(System.Text.Encoding.UTF8.GetBytes(value));

    static async Task<ReadOnlyMemory<byte>> ReadAsync(Call call, CancellationToken cancellation)
    {
        var source = call[Source];
        var path = call.Shell.Resolve(source);
        if (source != "-" && !File.Exists(path))
            throw new IOException(Directory.Exists(path) ? $"{source} is a directory, where a file is due." : $"There is no file {source}.");
        var input = source == "-" ? call.Shell.OpenIn() : File.OpenRead(path);
        await using (input.ConfigureAwait(false))
        {
            using var content = new MemoryStream();
            var piece = new byte[64 * 1024];
            for (int read; content.Length <= Limits.DocumentBytesMax && (read = await input.ReadAsync(piece, cancellation).ConfigureAwait(false)) > 0;)
                content.Write(piece, 0, read);
            return content.ToArray();
        }
    }
}
