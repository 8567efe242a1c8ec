using EventDbx.Schemas;
using EventDbx.Staging;

namespace EventDbx.Cli;

/// <summary>Schemas, snapshots, and what is staged.</summary>
internal partial interface IStore
{
    /// <summary>Whether others may write while this command has the store: not in a directory that is open here.</summary>
    bool HasOtherWriters { get; }

    /// <summary>Every schema in force, by type. Root only, like everything about schemas here.</summary>
    Task<IReadOnlyList<AggregateSchema>> GetSchemasAsync(CancellationToken cancellation);

    Task<AggregateSchema> GetSchemaAsync(string type, CancellationToken cancellation);

    /// <summary>Changes a schema, all or nothing; null when it was dropped.</summary>
    Task<AggregateSchema?> ChangeSchemaAsync(string type, IReadOnlyList<SchemaEdit> edits, CancellationToken cancellation);

    /// <summary>Holds an event against its schema; what is wrong is refused as an append would be.</summary>
    Task ValidateAsync(string type, string eventType, ReadOnlyMemory<byte> payload, CancellationToken cancellation);

    Task<Snapshot> SnapshotAsync(AggregateKey aggregate, string? comment, CancellationToken cancellation);

    /// <summary>A page of snapshots, oldest first.</summary>
    Task<SnapshotPage> GetSnapshotsAsync(AggregateKey aggregate, byte[]? after, int take, CancellationToken cancellation);

    Task<StagedEvent> StageAsync(EventDraft draft, CancellationToken cancellation);

    Task<IReadOnlyList<StagedEvent>> GetStagedAsync(CancellationToken cancellation);

    /// <summary>Takes one back, or all; returns how many.</summary>
    Task<int> UnstageAsync(Guid? id, CancellationToken cancellation);

    Task<IReadOnlyList<AppendResult>> CommitStagedAsync(CancellationToken cancellation);
}
