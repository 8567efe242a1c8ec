namespace EventDbx.Schemas;

/// <summary>
/// A change of one schema as a value. It is sent to where the schemas are and applied there, to what is in force then: of changes
/// that many make at once none is lost, which a schema sent as a whole would lose.
/// </summary>
/// <remarks>What each does stands at the function of <see cref="SchemaChange"/> of that name; its JSON is <see cref="SchemaEditJson"/>'s.</remarks>
public sealed record SchemaEdit
{
    internal SchemaEdit(SchemaEditKind kind) => Kind = kind;

    internal SchemaEditKind Kind { get; }

    /// <summary>Event types, or fields.</summary>
    internal IReadOnlyList<string> Names { get; init; } = [];

    internal string Event { get; init; } = "";

    internal string Field { get; init; } = "";

    internal string? Notes { get; init; }

    internal ulong? SnapshotThreshold { get; init; }

    /// <summary>Whether it is to be locked, or hidden.</summary>
    internal bool Truth { get; init; }

    /// <summary>A type, or rules under any type.</summary>
    internal Column? Column { get; init; }

    /// <summary>Of rules: whether they say anything about nested columns, which stay otherwise.</summary>
    internal bool HasProperties { get; init; }

    internal AggregateSchema? Schema { get; init; }

    public static SchemaEdit Create(IReadOnlyList<string> events, ulong? snapshotThreshold) =>
        new(SchemaEditKind.Create) { Names = events, SnapshotThreshold = snapshotThreshold };

    /// <summary>The schema as it was declared, whether there is one or not.</summary>
    public static SchemaEdit Replace(AggregateSchema declared) => new(SchemaEditKind.Replace) { Schema = declared };

    /// <summary>Takes the schema away.</summary>
    public static SchemaEdit Drop() => new(SchemaEditKind.Drop);

    public static SchemaEdit AddEvents(IReadOnlyList<string> events) => new(SchemaEditKind.AddEvents) { Names = events };

    public static SchemaEdit RemoveEvent(string eventType) => new(SchemaEditKind.RemoveEvent) { Event = eventType };

    public static SchemaEdit Annotate(string eventType, string? notes) => new(SchemaEditKind.Annotate) { Event = eventType, Notes = notes };

    public static SchemaEdit SetSnapshotThreshold(ulong? threshold) => new(SchemaEditKind.SetSnapshotThreshold) { SnapshotThreshold = threshold };

    public static SchemaEdit SetLocked(bool locked) => new(SchemaEditKind.SetLocked) { Truth = locked };

    public static SchemaEdit SetFieldLocked(string field, bool locked) => new(SchemaEditKind.SetFieldLocked) { Field = field, Truth = locked };

    public static SchemaEdit SetHidden(bool hidden) => new(SchemaEditKind.SetHidden) { Truth = hidden };

    public static SchemaEdit SetFieldHidden(string field, bool hidden) => new(SchemaEditKind.SetFieldHidden) { Field = field, Truth = hidden };

    public static SchemaEdit SetColumn(string field, Column type) => new(SchemaEditKind.SetColumn) { Field = field, Column = type };

    public static SchemaEdit RemoveColumn(string field) => new(SchemaEditKind.RemoveColumn) { Field = field };

    /// <param name="field">Which.</param>
    /// <param name="rules">From <see cref="SchemaJson.ReadRules"/>.</param>
    /// <param name="hasProperties">The same.</param>
    public static SchemaEdit SetRules(string field, Column rules, bool hasProperties) =>
        new(SchemaEditKind.SetRules) { Field = field, Column = rules, HasProperties = hasProperties };

    public static SchemaEdit ClearRules(string field) => new(SchemaEditKind.ClearRules) { Field = field };

    public static SchemaEdit AddFields(string eventType, IReadOnlyList<string> fields) =>
        new(SchemaEditKind.AddFields) { Event = eventType, Names = fields };

    public static SchemaEdit RemoveFields(string eventType, IReadOnlyList<string> fields) =>
        new(SchemaEditKind.RemoveFields) { Event = eventType, Names = fields };

    /// <summary>Applies changes one after the other, all or nothing.</summary>
    /// <param name="book">The schemas in force.</param>
    /// <param name="type">The aggregate type whose schema is changed.</param>
    /// <param name="edits">None: nothing changes, and there has to be a schema.</param>
    /// <param name="now">When.</param>
    /// <returns>The schema then; null when it was dropped.</returns>
    /// <exception cref="RefusedException">One does not apply.</exception>
    public static AggregateSchema? Apply(SchemaBook book, string type, IReadOnlyList<SchemaEdit> edits, Timestamp now)
    {
        if (edits.Count == 0)
            return book.Get(type);
        var schema = book.Find(type)?.Schema;
        foreach (var edit in edits)
        {
            schema = edit.Kind switch
            {
                // Whether there is one is asked of what the changes before this one left.
                SchemaEditKind.Create => SchemaChange.Create(
                    schema is null ? SchemaBook.Empty : SchemaBook.Empty.With(schema), type, edit.Names, edit.SnapshotThreshold, now),
                SchemaEditKind.Replace => schema is null
                    ? edit.Schema! with { CreatedAt = now, UpdatedAt = now }
                    : SchemaChange.Replace(schema, edit.Schema!, now),
                _ => edit.Applied(schema ?? book.Without(type).Get(type), now),
            };
        }

        return schema;
    }

    AggregateSchema? Applied(AggregateSchema schema, Timestamp now) => Kind switch
    {
        SchemaEditKind.Drop => null,
        SchemaEditKind.AddEvents => SchemaChange.AddEvents(schema, Names, now),
        SchemaEditKind.RemoveEvent => SchemaChange.RemoveEvent(schema, Event, now),
        SchemaEditKind.Annotate => SchemaChange.Annotate(schema, Event, Notes, now),
        SchemaEditKind.SetSnapshotThreshold => SchemaChange.SetSnapshotThreshold(schema, SnapshotThreshold, now),
        SchemaEditKind.SetLocked => SchemaChange.SetLocked(schema, Truth, now),
        SchemaEditKind.SetFieldLocked => SchemaChange.SetFieldLocked(schema, Field, Truth, now),
        SchemaEditKind.SetHidden => SchemaChange.SetHidden(schema, Truth, now),
        SchemaEditKind.SetFieldHidden => SchemaChange.SetFieldHidden(schema, Field, Truth, now),
        SchemaEditKind.SetColumn => SchemaChange.SetColumn(schema, Field, Column!, now),
        SchemaEditKind.RemoveColumn => SchemaChange.RemoveColumn(schema, Field, now),
        SchemaEditKind.SetRules => SchemaChange.SetRules(schema, Field, Column!, keepProperties: !HasProperties, now),
        SchemaEditKind.ClearRules => SchemaChange.ClearRules(schema, Field, now),
        SchemaEditKind.AddFields => SchemaChange.AddFields(schema, Event, Names, now),
        SchemaEditKind.RemoveFields => SchemaChange.RemoveFields(schema, Event, Names, now),
        _ => throw new InvalidOperationException($"{Kind} is not a change of a schema that is there."),
    };
}

/// <summary>Every change there is: the functions of <see cref="SchemaChange"/>, and taking a schema away.</summary>
internal enum SchemaEditKind
{
    Create,
    Replace,
    Drop,
    AddEvents,
    RemoveEvent,
    Annotate,
    SetSnapshotThreshold,
    SetLocked,
    SetFieldLocked,
    SetHidden,
    SetFieldHidden,
    SetColumn,
    RemoveColumn,
    SetRules,
    ClearRules,
    AddFields,
    RemoveFields,
}
