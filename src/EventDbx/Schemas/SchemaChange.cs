using System.Collections.Immutable;

namespace EventDbx.Schemas;

/// <summary>Every change of a schema, as a function from one schema to the next: all of it, or a refusal and nothing.</summary>
/// <remarks>
/// A change that changes nothing returns the schema it was given; any other sets <see cref="AggregateSchema.UpdatedAt"/>.
/// What comes out can be enforced. Refusals are <see cref="RefusalCode.InvalidSchema"/> unless said otherwise.
/// </remarks>
public static class SchemaChange
{
    /// <summary>A new schema whose events take any fields.</summary>
    /// <exception cref="RefusedException">Also <see cref="RefusalCode.AlreadyExists"/>.</exception>
    public static AggregateSchema Create(SchemaBook book, string aggregate, IEnumerable<string> events, ulong? snapshotThreshold, Timestamp now)
    {
        if (book.Find(aggregate) is not null)
        {
            throw new RefusedException(RefusalCode.AlreadyExists,
                $"There is a schema of the aggregate type `{SchemaRefusal.Shown(aggregate)}` already; change that one.");
        }

        AggregateSchema schema = new() { Aggregate = aggregate, SnapshotThreshold = snapshotThreshold, CreatedAt = now, UpdatedAt = now };
        return Verified(schema with { Events = With(schema.Events, events) });
    }

    /// <summary>Adds event types; those that are there stay as they are.</summary>
    public static AggregateSchema AddEvents(AggregateSchema schema, IEnumerable<string> events, Timestamp now) =>
        Changed(schema, schema with { Events = With(schema.Events, events) }, now);

    /// <exception cref="RefusedException"><see cref="RefusalCode.SchemaViolation"/>: no such event type, or it is the last.</exception>
    public static AggregateSchema RemoveEvent(AggregateSchema schema, string eventType, Timestamp now)
    {
        Defined(schema, eventType);
        return schema.Events.Count > 1
            ? Changed(schema, schema with { Events = schema.Events.Remove(eventType) }, now)
            : throw new RefusedException(RefusalCode.SchemaViolation,
                $"`{SchemaRefusal.Shown(eventType)}` is the last event type of `{schema.Aggregate}`, and a schema defines at least one; add another first.");
    }

    /// <summary>Sets what an event means, or with null forgets it.</summary>
    /// <exception cref="RefusedException">Also <see cref="RefusalCode.SchemaViolation"/>: no such event type.</exception>
    public static AggregateSchema Annotate(AggregateSchema schema, string eventType, string? notes, Timestamp now) =>
        Changed(schema, schema with { Events = schema.Events.SetItem(eventType, Defined(schema, eventType) with { Notes = notes }) }, now);

    /// <summary>A snapshot every so many versions; null: none.</summary>
    public static AggregateSchema SetSnapshotThreshold(AggregateSchema schema, ulong? threshold, Timestamp now) =>
        Changed(schema, schema with { SnapshotThreshold = threshold }, now);

    /// <summary>Whether the type takes events.</summary>
    public static AggregateSchema SetLocked(AggregateSchema schema, bool locked, Timestamp now) =>
        Changed(schema, schema with { Locked = locked }, now);

    /// <summary>Whether events may set a field.</summary>
    public static AggregateSchema SetFieldLocked(AggregateSchema schema, string field, bool locked, Timestamp now) =>
        Changed(schema, schema with { FieldLocks = With(schema.FieldLocks, NotBlank(schema, field), locked) }, now);

    /// <summary>Whether the surfaces show the type.</summary>
    public static AggregateSchema SetHidden(AggregateSchema schema, bool hidden, Timestamp now) =>
        Changed(schema, schema with { Hidden = hidden }, now);

    /// <summary>Whether the surfaces leave a field out.</summary>
    public static AggregateSchema SetFieldHidden(AggregateSchema schema, string field, bool hidden, Timestamp now) =>
        Changed(schema, schema with { HiddenFields = With(schema.HiddenFields, NotBlank(schema, field), hidden) }, now);

    /// <summary>Sets the type of a field, and drops the rules it had.</summary>
    /// <param name="type">Its own rules, if it has any, are not taken.</param>
    public static AggregateSchema SetColumn(AggregateSchema schema, string field, Column type, Timestamp now) =>
        Changed(schema, schema with { ColumnTypes = schema.ColumnTypes.SetItem(NotBlank(schema, field), type.Bare) }, now);

    /// <summary>A field without a type may hold anything; removing one that is not there changes nothing.</summary>
    public static AggregateSchema RemoveColumn(AggregateSchema schema, string field, Timestamp now) =>
        Changed(schema, schema with { ColumnTypes = schema.ColumnTypes.Remove(NotBlank(schema, field)) }, now);

    /// <summary>Replaces the rules of a field.</summary>
    /// <param name="rules">Only its rules are taken, not its type (<see cref="SchemaJson.ReadRules"/>).</param>
    /// <param name="keepProperties">The nested columns stay; those of <paramref name="rules"/> are not looked at.</param>
    public static AggregateSchema SetRules(AggregateSchema schema, string field, Column rules, bool keepProperties, Timestamp now) =>
        Changed(schema, schema with { ColumnTypes = schema.ColumnTypes.SetItem(field, Typed(schema, field).Under(rules, keepProperties)) }, now);

    /// <summary>Drops the rules of a field, nested columns included.</summary>
    public static AggregateSchema ClearRules(AggregateSchema schema, string field, Timestamp now) =>
        Changed(schema, schema with { ColumnTypes = schema.ColumnTypes.SetItem(field, Typed(schema, field).Bare) }, now);

    /// <summary>Adds fields to an event's exact set, and the event type when it is not there; no fields: only that.</summary>
    public static AggregateSchema AddFields(AggregateSchema schema, string eventType, IEnumerable<string> fields, Timestamp now)
    {
        var definition = schema.Events.GetValueOrDefault(eventType, EventDefinition.Any);
        var added = definition.Fields;
        foreach (var field in fields)
            added = added.Add(NotBlank(schema, field));
        return Changed(schema, schema with { Events = schema.Events.SetItem(eventType, definition with { Fields = added }) }, now);
    }

    /// <summary>Removes fields from an event's exact set. Fields and event types that are not there are passed over; without fields any are taken.</summary>
    public static AggregateSchema RemoveFields(AggregateSchema schema, string eventType, IEnumerable<string> fields, Timestamp now) =>
        schema.Events.TryGetValue(eventType, out var definition)
            ? Changed(schema, schema with { Events = schema.Events.SetItem(eventType, definition with { Fields = definition.Fields.Except(fields) }) }, now)
            : schema;

    /// <summary>The schema as it was declared, of the same type; it stays as old as it was.</summary>
    public static AggregateSchema Replace(AggregateSchema schema, AggregateSchema declared, Timestamp now) => schema.Aggregate == declared.Aggregate
        ? Changed(schema, declared with { CreatedAt = schema.CreatedAt, UpdatedAt = schema.UpdatedAt }, now)
        : throw SchemaRefusal.At(PathOf(schema), $"it would be replaced by a schema of `{SchemaRefusal.Shown(declared.Aggregate)}`; a schema stays that of its type.");

    static AggregateSchema Changed(AggregateSchema before, AggregateSchema after, Timestamp now) =>
        after.SaysTheSameAs(before) ? before : Verified(after with { UpdatedAt = now });

    static AggregateSchema Verified(AggregateSchema schema)
    {
        SchemaCheck.Verify(schema, PathOf(schema));
        return schema;
    }

    static ImmutableSortedDictionary<string, EventDefinition> With(ImmutableSortedDictionary<string, EventDefinition> events, IEnumerable<string> names)
    {
        foreach (var name in names)
        {
            if (!events.ContainsKey(name))
                events = events.Add(name, EventDefinition.Any);
        }

        return events;
    }

    static ImmutableSortedSet<string> With(ImmutableSortedSet<string> fields, string field, bool there) =>
        there ? fields.Add(field) : fields.Remove(field);

    // Said here as well, because a change that takes a blank name away changes nothing and would pass.
    static string NotBlank(AggregateSchema schema, string field) => string.IsNullOrWhiteSpace(field)
        ? throw SchemaRefusal.At(PathOf(schema), "a field name is blank.")
        : field;

    static Column Typed(AggregateSchema schema, string field) => schema.ColumnTypes.TryGetValue(field, out var column)
        ? column
        : throw SchemaRefusal.At(PathOf(schema),
            $"the field `{SchemaRefusal.Shown(field)}` has no type, and so no rules{NearestName.Hint(field, schema.ColumnTypes.Keys)}; set its type first.");

    static EventDefinition Defined(AggregateSchema schema, string eventType) => schema.Events.TryGetValue(eventType, out var definition)
        ? definition
        : throw new RefusedException(RefusalCode.SchemaViolation,
            $"The event type `{SchemaRefusal.Shown(eventType)}` is not defined for the aggregate type `{schema.Aggregate}`{NearestName.Hint(eventType, schema.Events.Keys)}.");

    static string PathOf(AggregateSchema schema) => SchemaRefusal.Below("$", schema.Aggregate);
}
