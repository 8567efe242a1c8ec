using EventDbx.Schemas;
using EventDbx.Staging;

namespace EventDbx.Cli;

internal sealed partial class DirectStore
{
    public bool HasOtherWriters => false;

    public Task<IReadOnlyList<AggregateSchema>> GetSchemasAsync(CancellationToken cancellation) =>
        Task.FromResult<IReadOnlyList<AggregateSchema>>([.. Schemas.All]);

    public Task<AggregateSchema> GetSchemaAsync(string type, CancellationToken cancellation) => Task.FromResult(Schemas.Get(type));

    public Task<AggregateSchema?> ChangeSchemaAsync(string type, IReadOnlyList<SchemaEdit> edits, CancellationToken cancellation) =>
        session.ChangeSchemaAsync(type, edits, cancellation);

    public Task ValidateAsync(string type, string eventType, ReadOnlyMemory<byte> payload, CancellationToken cancellation)
    {
        _ = Schemas;
        return session.ValidateAgainstSchema(type, eventType, payload) is { } refusal ? throw new RefusedException(refusal) : Task.CompletedTask;
    }

    public Task<Snapshot> SnapshotAsync(AggregateKey aggregate, string? comment, CancellationToken cancellation) =>
        session.SnapshotAsync(aggregate, comment, cancellation);

    public Task<SnapshotPage> GetSnapshotsAsync(AggregateKey aggregate, byte[]? after, int take, CancellationToken cancellation) =>
        Task.FromResult(session.GetSnapshots(aggregate, after, take));

    public Task<StagedEvent> StageAsync(EventDraft draft, CancellationToken cancellation) => session.StageAsync(draft, cancellation);

    public Task<IReadOnlyList<StagedEvent>> GetStagedAsync(CancellationToken cancellation) => Task.FromResult(session.GetStaged());

    public Task<int> UnstageAsync(Guid? id, CancellationToken cancellation) => session.UnstageAsync(id, cancellation);

    public Task<IReadOnlyList<AppendResult>> CommitStagedAsync(CancellationToken cancellation) => session.CommitStagedAsync(cancellation);

    /// <summary>As the routes of a server: for root.</summary>
    SchemaBook Schemas
    {
        get
        {
            session.DemandRoot("see schemas as a whole");
            return session.GetSchemas();
        }
    }
}
