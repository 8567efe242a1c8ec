using EventDbx.Schemas;

namespace EventDbx.Cli.Commands.Schema;

/// <summary><c>dbx schema lock | unlock</c>: whether a type takes events, or a field values.</summary>
internal static class SchemaLock
{
    static readonly Option<string> Field = Options.Text("--field", "FIELD", "Only this field: events may not set it.");

    public static Verb Lock() => Create("lock", "Lock an aggregate type, which takes no events then, or one field of it.", locked: true);

    public static Verb Unlock() => Create("unlock", "Unlock an aggregate type, or one field of it.", locked: false);

    static Verb Create(string name, string description, bool locked) => new(name, description, Slot.AggregateType)
    {
        Examples =
        [
            new($"dbx schema {name} order", "The type."),
            new($"dbx schema {name} --aggregate order --field tenant", "A field."),
        ],
        Options = { Field, AccessToken.Option },
        Run = (call, cancellation) => SchemaCommand.ChangeAsync(
            call, [call.Get(Field) is { } field ? SchemaEdit.SetFieldLocked(field, locked) : SchemaEdit.SetLocked(locked)],
            schema => $"aggregate={schema.Aggregate}{(call.Get(Field) is { } field ? $" field={field}" : "")} {name}ed", cancellation),
    };
}

/// <summary><c>dbx schema hide | unhide</c>: what only root and the owner are shown.</summary>
internal static class SchemaHide
{
    static readonly Option<string> Field = Options.Text("--field", "FIELD", "Only this field of its states and events.");

    public static Verb Hide() => Create("hide", "Hide an aggregate type, or one field of it, from all tokens but root ones.", hidden: true);

    public static Verb Unhide() => Create("unhide", "Show an aggregate type, or one field of it, again.", hidden: false);

    static Verb Create(string name, string description, bool hidden) => new(name, description, Slot.AggregateType)
    {
        Examples =
        [
            new($"dbx schema {name} --aggregate order --field card", "A field."),
            new($"dbx schema {name} order", "The whole type."),
        ],
        Options = { Field, AccessToken.Option },
        Run = (call, cancellation) => SchemaCommand.ChangeAsync(
            call, [call.Get(Field)?.Trim() is { } field ? SchemaEdit.SetFieldHidden(field, hidden) : SchemaEdit.SetHidden(hidden)],
            schema => $"aggregate={schema.Aggregate}{(call.Get(Field)?.Trim() is { } field ? $" field={field}" : "")} {(hidden ? "hidden" : "shown")}",
            cancellation),
    };
}

/// <summary><c>dbx schema threshold</c>: how often a snapshot is taken by itself.</summary>
internal static class SchemaThreshold
{
    static readonly Slot Versions = new("--snapshot-threshold", "N", "A snapshot every so many versions.") { Optional = true };
    static readonly Option<bool> Clear = Options.Switch("--clear", "No automatic snapshots.");

    public static Verb Create() => new("threshold", "Set after how many versions a snapshot is taken by itself.", Slot.AggregateType, Versions)
    {
        Examples =
        [
            new("dbx schema threshold order 100", "At the versions 100, 200, 300, …"),
            new("dbx schema threshold order --clear", "No more."),
        ],
        Options = { Clear, AccessToken.Option },
        Check = call =>
        {
            if (call.Get(Clear) == (call.Find(Versions) is not null))
                throw new UsageException("Give N, or `--clear`.");
        },
        Run = (call, cancellation) => SchemaCommand.ChangeAsync(
            call, [SchemaEdit.SetSnapshotThreshold(VersionsOf(call))],
            schema => $"schema={schema.Aggregate} snapshot_threshold={SchemaCommand.Threshold(schema)}", cancellation),
    };

    static ulong? VersionsOf(Call call) => call.Find(Versions) is not { } text ? null
        : ulong.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var versions) ? versions
        : throw new UsageException($"N must be a whole number, 0 or more, not `{text}`.");
}

/// <summary><c>dbx schema drop</c>: a type without a schema.</summary>
internal static class SchemaDrop
{
    public static Verb Create() => new("drop", "Take a schema away: the type takes any events then, or none where restrict=strict.", Slot.AggregateType)
    {
        Examples = [new("dbx schema drop order", "What was appended stays."), new("dbx schema drop --aggregate order", "By name.")],
        Options = { AccessToken.Option },
        Run = (call, cancellation) =>
        {
            var type = SchemaCommand.TypeOf(call);
            return SchemaCommand.OnExistingAsync(
                call, type,
                async store =>
                {
                    await store.ChangeSchemaAsync(type, [SchemaEdit.Drop()], cancellation).ConfigureAwait(false);
                    await call.Shell.Out.WriteAsync(
                        call.Json ? new JsonText().BeginObject().Member("aggregate", type).Member("dropped", true).EndObject().ToString()
                        : PlainText.Line($"schema={type} dropped")).ConfigureAwait(false);
                    return ExitCode.Done;
                },
                cancellation);
        },
    };
}
