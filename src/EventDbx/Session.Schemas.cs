using EventDbx.Access;
using EventDbx.Schemas;

namespace EventDbx;

/// <summary>The verbs of schemas.</summary>
public sealed partial class Session
{
    /// <summary>Every schema in force. Whoever may read anything may know what it has to look like.</summary>
    public SchemaBook GetSchemas()
    {
        Demand(AccessAction.AggregateRead);
        return _database.Schemas.Book;
    }

    /// <summary>Changes the schema of a type: in force for the next append, and an entry of the log. Root only.</summary>
    /// <param name="type">The aggregate type.</param>
    /// <param name="change">From the schemas in force to this type's next one; null takes it away. Called again only when nothing was written.</param>
    /// <returns>The schema in force now; null when there is none.</returns>
    /// <exception cref="RefusedException">Nothing was written.</exception>
    public async Task<AggregateSchema?> ChangeSchemaAsync(string type, Func<SchemaBook, AggregateSchema?> change, CancellationToken cancellation)
    {
        DemandRoot("change schemas");
        _database.DemandLeads();
        if (Names.Check("aggregate_type", type, Limits.TypeBytesMax) is { } refusal)
            throw new RefusedException(refusal);
        return await _database.ChangeSchemaAsync(Actor, _origin, type, change, cancellation).ConfigureAwait(false);
    }

    /// <summary>Makes changes of the schema of a type, one after the other and all or nothing, from what is in force then. Root only.</summary>
    /// <returns>The schema in force now; null when it was dropped.</returns>
    /// <exception cref="RefusedException">Nothing was written.</exception>
    public Task<AggregateSchema?> ChangeSchemaAsync(string type, IReadOnlyList<SchemaEdit> edits, CancellationToken cancellation) =>
        ChangeSchemaAsync(type, book => SchemaEdit.Apply(book, type, edits, Timestamp.From(_database.Clock.GetUtcNow())), cancellation);

    /// <summary>Holds an event against its schema without appending it; in every mode. Null when it passes, or there is no schema.</summary>
    public Refusal? ValidateAgainstSchema(string type, string eventType, ReadOnlyMemory<byte> payload)
    {
        Demand(AccessAction.AggregateRead);
        if (!AggregateKey.TryCreate(type, "any", out var aggregate, out var refusal))
            return refusal;
        if (!JsonPayload.TryParse(payload.Span, out var parsed, out var unfit))
            return unfit;
        return SchemaEnforcement.Check(_database.Schemas.Book.Find(type), Restriction.Default, aggregate, eventType, parsed, isRecord: false);
    }
}
