using System.Collections.Immutable;

namespace EventDbx.Schemas;

/// <summary>The schemas in force, each with the position of the log entry that made it so. Immutable.</summary>
internal sealed class SchemaSet
{
    readonly ImmutableDictionary<string, ulong> _revisions;

    SchemaSet(SchemaBook book, ImmutableDictionary<string, ulong> revisions) => (Book, _revisions) = (book, revisions);

    public static SchemaSet Empty { get; } = new(SchemaBook.Empty, ImmutableDictionary.Create<string, ulong>(StringComparer.Ordinal));

    public SchemaBook Book { get; }

    /// <summary>The schema of an aggregate type and its revision; null and 0 when it has none.</summary>
    public CompiledSchema? Find(string type, out ulong revision)
    {
        if (Book.Find(type) is { } schema)
        {
            revision = _revisions[type];
            return schema;
        }

        revision = 0;
        return null;
    }

    /// <summary>Whether any type has a schema that hides something.</summary>
    public bool IsEmpty => Book.Count == 0;

    /// <summary>Whether any type, or any field of one, is hidden.</summary>
    public bool HidesAnything => Book.All.Any(static schema => schema.Hidden || !schema.HiddenFields.IsEmpty);

    /// <summary>The set after a change; null takes the schema away.</summary>
    public SchemaSet With(string type, AggregateSchema? schema, ulong revision) => schema is null
        ? new(Book.Without(type), _revisions.Remove(type))
        : new(Book.With(schema), _revisions.SetItem(type, revision));

    /// <summary>All schemas of a store.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public static SchemaSet Load(IStorageView view)
    {
        var schemas = new List<AggregateSchema>();
        var revisions = Empty._revisions.ToBuilder();
        var rows = new RowCursor(view, Family.Meta, Keyspace.SchemaPrefix.ToArray(), Keyspace.AfterSchemas);
        for (; rows.Peek() is { } row; rows.Take())
        {
            var found = SchemaRow.TryRead(Checked.Body(Family.Meta, row.Key, row.Value)) ?? throw Violation.OfRow(Family.Meta, row.Key, "it cannot be read");
            var schema = Read(row.Key, found);
            if (!row.Key.AsSpan().SequenceEqual(Keyspace.SchemaRow(schema.Aggregate)))
                throw Violation.OfRow(Family.Meta, row.Key, "it is the schema of another type");
            schemas.Add(schema);
            revisions[schema.Aggregate] = found.Revision;
        }

        return schemas.Count == 0 ? Empty : new(SchemaBook.Of(schemas), revisions.ToImmutable());
    }

    /// <summary>It was checked before it was written: one that is not accepted was changed since.</summary>
    static AggregateSchema Read(byte[] key, SchemaRow row)
    {
        try
        {
            return SchemaJson.ReadSchema(row.Json.Span);
        }
        catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.InvalidSchema)
        {
            throw Violation.OfRow(Family.Meta, key, refused.Message.TrimEnd('.'));
        }
    }
}
