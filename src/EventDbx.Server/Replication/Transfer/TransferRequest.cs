namespace EventDbx.Server.Replication.Transfer;

/// <summary>Which way events go.</summary>
public enum TransferDirection
{
    /// <summary>From here to the remote.</summary>
    Push,

    /// <summary>From the remote to here.</summary>
    Pull,
}

/// <summary>What one push or pull is asked to do.</summary>
public sealed record TransferRequest
{
    /// <summary>Events of one batch, unless the request says otherwise.</summary>
    public const ulong BatchSizeDefault = 500;

    public required TransferDirection Direction { get; init; }

    /// <summary>Name of the remote, as the configuration has it.</summary>
    public required string Remote { get; init; }

    /// <summary>Compare, tell, and change nothing.</summary>
    public bool DryRun { get; init; }

    /// <summary>Schemas, too.</summary>
    public bool Schemas { get; init; }

    /// <summary>Schemas, and no events.</summary>
    public bool SchemasOnly { get; init; }

    /// <summary>The receiver ends with the sender's schemas and no others.</summary>
    public bool ReplaceSchemas { get; init; }

    /// <summary>Events of one batch at most: 0 counts as 1, and what is more than <see cref="Limits.BatchEventsMax"/> as that.</summary>
    public ulong BatchSize { get; init; } = BatchSizeDefault;

    /// <summary>Which aggregates.</summary>
    public ReplicaFilter Filter { get; init; } = ReplicaFilter.All;

    /// <summary>Why this cannot be asked; null where it can.</summary>
    public string? Problem =>
        SchemasOnly && (Filter.Types.Count > 0 || Filter.Aggregates.Count > 0) ? "--schema-only cannot be combined with aggregate filters"
        : ReplaceSchemas && !Schemas && !SchemasOnly ? "--replace is about schemas, and needs --schema or --schema-only"
        : null;

    /// <summary>Whether schemas go, too or alone.</summary>
    internal bool WithSchemas => Schemas || SchemasOnly;

    internal int BatchEvents => (int)Math.Clamp(BatchSize, 1, Limits.BatchEventsMax);
}
