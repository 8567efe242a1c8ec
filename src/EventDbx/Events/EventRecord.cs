namespace EventDbx.Events;

/// <summary>One committed event.</summary>
public sealed record EventRecord
{
    public required AggregateKey Aggregate { get; init; }

    public required string EventType { get; init; }

    /// <summary>JSON in UTF-8 as stored: minified, member order and number literals as sent.</summary>
    public required ReadOnlyMemory<byte> Payload { get; init; }

    public required Guid EventId { get; init; }

    public required Timestamp CreatedAt { get; init; }

    public Actor? Actor { get; init; }

    public string? Note { get; init; }

    /// <summary>1 for the aggregate's first event, then without gaps.</summary>
    public required ulong Version { get; init; }

    /// <summary>The leaf hash: docs/integrity.md, section 1.</summary>
    public required Hash32 Hash { get; init; }

    /// <summary>The aggregate's RFC 6962 root over versions 1 to this one.</summary>
    public required Hash32 MerkleRoot { get; init; }

    /// <summary>Place in the log of the whole database: 1, 2, 3 … shared with control entries.</summary>
    public required ulong Position { get; init; }

    /// <summary>The salt of the hash, 16 bytes: with it and the record anyone can compute the hash. Not shown by reads.</summary>
    internal ReadOnlyMemory<byte> Salt { get; init; }

    /// <summary>The aggregate's root before this event, part of its hash. Not shown by reads; all zero where a wire did not carry it.</summary>
    internal Hash32 PreviousRoot { get; init; }
}

/// <summary>The answer to one append.</summary>
/// <param name="Record">The event: new, or the original of a repeated event id.</param>
/// <param name="Appended">False when the event id was known and nothing was written.</param>
public readonly record struct AppendResult(EventRecord Record, bool Appended);

/// <summary>An entry of the log that is no event: something was done to an aggregate or to the database.</summary>
public sealed record ControlRecord
{
    /// <summary>What was done: <c>create</c>, <c>remove</c>, <c>archive</c>, <c>restore</c>, <c>accepted_loss</c> …</summary>
    public required string Kind { get; init; }

    /// <summary>To what: <c>type/id</c> for aggregates, percent-encoded where a part holds <c>/</c> or <c>%</c>.</summary>
    public required string Subject { get; init; }

    public required Timestamp CreatedAt { get; init; }

    public Actor? Actor { get; init; }

    /// <summary>Details as a JSON object.</summary>
    public required ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>
    /// From where it was made: <c>directory</c>, <c>socket</c>, <c>rest ADDRESS</c>, <c>graphql ADDRESS</c>, <c>grpc ADDRESS</c>, <c>admin ADDRESS</c> or <c>server</c>; null where nobody said so.
    /// It is the last member of <see cref="Body"/>.
    /// </summary>
    public string? From => Commit.ControlOrigin.In(Body.Span);

    public required Hash32 Hash { get; init; }

    public required ulong Position { get; init; }

    /// <summary>The salt of the hash, 16 bytes. Not shown by reads.</summary>
    internal ReadOnlyMemory<byte> Salt { get; init; }
}
