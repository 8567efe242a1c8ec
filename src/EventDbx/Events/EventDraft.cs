namespace EventDbx.Events;

/// <summary>What a caller asks to append. Becomes an <see cref="EventRecord"/> when committed.</summary>
public sealed record EventDraft
{
    public required AggregateKey Aggregate { get; init; }

    /// <summary>1 to <see cref="Limits.TypeBytesMax"/> bytes of UTF-8.</summary>
    public required string EventType { get; init; }

    /// <summary>One JSON value in UTF-8, as the caller sent it. White space outside strings is not kept.</summary>
    public ReadOnlyMemory<byte> Payload { get; init; }

    /// <summary>
    /// Instead of a payload: an RFC 6902 patch with `add` and `replace`, evaluated against the state the append commits on. The event's
    /// payload then holds the whole top-level values that the patch touches.
    /// </summary>
    public ReadOnlyMemory<byte>? Patch { get; init; }

    /// <summary>An id the caller chose, so that the same append may be sent again: any RFC 9562 UUID but nil and max.</summary>
    public Guid? EventId { get; init; }

    /// <summary>Append only if the head is at this version; 0 means that the aggregate must not exist or be empty.</summary>
    public ulong? ExpectedVersion { get; init; }

    /// <summary>At most <see cref="Limits.NoteScalarsMax"/> Unicode scalar values.</summary>
    public string? Note { get; init; }

    /// <summary>Why any session would refuse it, whatever the store holds; null when it depends on the store.</summary>
    public Refusal? Check() =>
        Session.CheckMembers(this) ?? (Patch is { } patch
            ? AppendPatch.TryParse(patch.Span, Payload, out _, out var refusal) ? null : refusal
            : JsonPayload.TryParse(Payload.Span, out _, out refusal) ? null : refusal);
}

/// <summary>An event that was committed elsewhere or earlier, and keeps its identity: id, time, actor, note, salt.</summary>
public sealed record EventImport
{
    public required EventDraft Draft { get; init; }

    public required Timestamp CreatedAt { get; init; }

    public Actor? Actor { get; init; }

    /// <summary>The version it must get, when the record names one.</summary>
    public ulong? Version { get; init; }

    /// <summary>16 bytes. With it the event keeps its hash; without it a new salt is drawn and the hash is new.</summary>
    public ReadOnlyMemory<byte> Salt { get; init; }

    /// <summary>The hash it must get. Only checked together with <see cref="Salt"/>.</summary>
    public Hash32? Hash { get; init; }

    /// <summary>The aggregate's root it must lead to. Only checked together with <see cref="Salt"/>.</summary>
    public Hash32? MerkleRoot { get; init; }
}
