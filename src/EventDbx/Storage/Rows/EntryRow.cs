namespace EventDbx.Storage.Rows;

/// <summary>A row of family <c>log</c>: one event or one control entry. The leaf hash of a control entry, and of an event
/// once its body is opened, can be computed from this row alone.</summary>
/// <remarks>
/// <code>
/// event    format u8 = 1 | flags u8 | type u16+ | id u16+ | version u64 | event type u16+ | event id [16] |
///          created_at i64 | {actor: group u16+ user u16+} | {note u16+} | {batch: i u16, n u16} | schema revision u64 |
///          prev_root [32] | root [32] | {patch: request fingerprint [32]} | {wrapped aggregate key u16+} |
///          sealed body u32+  (or leaf hash [32] when erased)
/// control  format u8 = 1 | flags u8 | kind u16+ | subject u16+ | created_at i64 | {actor} | {batch} |
///          {wrapped aggregate key u16+} | salt [16] | JSON body u32+
/// </code>
/// {…} only where its flag is set; "u16+" is a length and that many bytes. The wrapped key stands in the first entry of
/// an aggregate, so that everything, keys included, can be rebuilt from the log.
/// Source: docs/storage-format.md. Held by a golden file.
/// </remarks>
internal sealed class EntryRow
{
    public const byte Format = 1;

    [Flags]
    public enum RowFlags : byte
    {
        None = 0,
        Control = 1,
        ClientId = 2,
        Erased = 4,
        Actor = 8,
        Note = 16,
        Key = 32,
        Batch = 64,

        /// <summary>Asked for by a patch under an id that the client chose: its fingerprint cannot be computed from the payload.</summary>
        Patch = 128,
    }

    public RowFlags Flags { get; init; }

    public bool IsControl => (Flags & RowFlags.Control) != 0;

    /// <summary>Null for control entries.</summary>
    public AggregateKey? Aggregate { get; init; }

    public ulong Version { get; init; }

    /// <summary>Event type, or the kind of a control entry.</summary>
    public string Type { get; init; } = "";

    public string Subject { get; init; } = "";

    public Guid EventId { get; init; }

    public long CreatedAt { get; init; }

    public Actor? Actor { get; init; }

    public string? Note { get; init; }

    /// <summary>Place in its batch, 1-based; 0 of 0 outside a batch.</summary>
    public ushort BatchIndex { get; init; }

    public ushort BatchCount { get; init; }

    public ulong SchemaRevision { get; init; }

    public Hash32 PreviousRoot { get; init; }

    public Hash32 Root { get; init; }

    /// <summary>Fingerprint of the request, where <see cref="RowFlags.Patch"/> is set.</summary>
    public Hash32 PatchFingerprint { get; init; }

    /// <summary>The aggregate's wrapped key, in the aggregate's first entry of an encrypted store.</summary>
    public ReadOnlyMemory<byte> WrappedKey { get; init; }

    /// <summary>Sealed {salt [16], payload} of an event; leaf hash of an erased one; JSON body of a control entry.</summary>
    public ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>Salt of a control entry; an event's is inside its sealed body.</summary>
    public ReadOnlyMemory<byte> Salt { get; init; }

    public int EncodedBytes
    {
        get
        {
            var bytes = 2 + 8 + 4 + Body.Length;
            if (Actor is not null)
                bytes += 4 + Actor.GroupUtf8.Length + Actor.UserUtf8.Length;
            if ((Flags & RowFlags.Batch) != 0)
                bytes += 4;
            if ((Flags & RowFlags.Key) != 0)
                bytes += 2 + WrappedKey.Length;
            if (IsControl)
                return bytes + 2 + Encoding.UTF8.GetByteCount(Type) + 2 + Encoding.UTF8.GetByteCount(Subject) + 16;
            if (Note is not null)
                bytes += 2 + Encoding.UTF8.GetByteCount(Note);
            if ((Flags & RowFlags.Patch) != 0)
                bytes += Hash32.Length;
            return bytes + 2 + Aggregate!.TypeUtf8.Length + 2 + Aggregate.IdUtf8.Length + 8 + 2 + Encoding.UTF8.GetByteCount(Type) + 16 + 8 + 64;
        }
    }

    public void Write(Span<byte> target)
    {
        var row = new RowWriter(target);
        row.U8(Format);
        row.U8((byte)Flags);
        if (IsControl)
        {
            row.Short(Type);
            row.Short(Subject);
            row.I64(CreatedAt);
            WriteShared(ref row);
            row.Bytes(Salt.Span);
        }
        else
        {
            row.Short(Aggregate!.TypeUtf8);
            row.Short(Aggregate.IdUtf8);
            row.U64(Version);
            row.Short(Type);
            row.Id(EventId);
            row.I64(CreatedAt);
            WriteShared(ref row);
        }

        row.Long(Body.Span);
        row.Done();
    }

    void WriteShared(ref RowWriter row)
    {
        if (Actor is not null)
        {
            row.Short(Actor.GroupUtf8);
            row.Short(Actor.UserUtf8);
        }

        if (Note is not null)
            row.Short(Note);
        if ((Flags & RowFlags.Batch) != 0)
        {
            row.U16(BatchIndex);
            row.U16(BatchCount);
        }

        if (!IsControl)
        {
            row.U64(SchemaRevision);
            row.Hash(PreviousRoot);
            row.Hash(Root);
        }

        if ((Flags & RowFlags.Patch) != 0)
            row.Hash(PatchFingerprint);

        if ((Flags & RowFlags.Key) != 0)
            row.Short(WrappedKey.Span);
    }

    /// <summary>Flags that an event, or a control entry, may have. Erased rows come with a later format.</summary>
    const RowFlags EventFlags = RowFlags.ClientId | RowFlags.Actor | RowFlags.Note | RowFlags.Key | RowFlags.Batch | RowFlags.Patch;
    const RowFlags ControlFlags = RowFlags.Control | RowFlags.Actor | RowFlags.Key | RowFlags.Batch;

    /// <summary>Whether a row is that of a control entry, or none at all: what tells without reading the rest of it.</summary>
    public static bool MayBeControl(ReadOnlySpan<byte> row) => row.Length < 2 || ((RowFlags)row[1] & RowFlags.Control) != 0;

    /// <summary>Reads a row; null when the bytes are not one.</summary>
    /// <param name="bytes">The body of the row.</param>
    /// <param name="expected">The aggregate it is likely to be of: saves making its name again.</param>
    public static EntryRow? TryRead(ReadOnlyMemory<byte> bytes, AggregateKey? expected = null)
    {
        var row = new RowReader(bytes);
        if (row.U8() != Format)
            return null;
        var flags = (RowFlags)row.U8();
        var control = (flags & RowFlags.Control) != 0;
        if ((flags & ~(control ? ControlFlags : EventFlags)) != 0)
            return null;
        AggregateKey? aggregate = null;
        string type, subject = "";
        ulong version = 0, revision = 0;
        Guid id = default;
        if (control)
        {
            (type, subject) = (row.Text(), row.Text());
        }
        else
        {
            aggregate = ReadAggregate(ref row, expected);
            version = row.U64();
            type = row.Text();
            id = row.Id();
            if (!row.Ok || aggregate is null || version == 0)
                return null;
        }

        var createdAt = row.I64();
        var actor = (flags & RowFlags.Actor) != 0 ? new Actor(row.Text(), row.Text()) : null;
        var note = (flags & RowFlags.Note) != 0 ? row.Text() : null;
        var (i, n) = (flags & RowFlags.Batch) != 0 ? (row.U16(), row.U16()) : ((ushort)0, (ushort)0);
        Hash32 previous = default, root = default;
        if (!control)
            (revision, previous, root) = (row.U64(), row.Hash(), row.Hash());
        var fingerprint = (flags & RowFlags.Patch) != 0 ? row.Hash() : default;
        var key = (flags & RowFlags.Key) != 0 ? row.Short() : default;
        var salt = control ? row.Bytes(16) : default;
        var body = row.Long();
        if (!row.Finished || !Timestamp.IsInRange(createdAt) || Encoding.UTF8.GetByteCount(type) > Limits.TypeBytesMax)
            return null;
        if ((flags & RowFlags.Batch) != 0 && (i == 0 || i > n || n < 2 || n > Limits.BatchEventsMax))
            return null;
        if ((flags & (RowFlags.Patch | RowFlags.ClientId)) == RowFlags.Patch)
            return null;
        return new()
        {
            PatchFingerprint = fingerprint,
            Flags = flags, Aggregate = aggregate, Version = version, Type = type, Subject = subject, EventId = id,
            CreatedAt = createdAt, Actor = actor, Note = note, BatchIndex = i, BatchCount = n, SchemaRevision = revision,
            PreviousRoot = previous, Root = root, WrappedKey = key, Salt = salt, Body = body,
        };
    }

    /// <summary>The same entry with its aggregate's key wrapped otherwise, or, where that is empty, without it. Its leaf stays: no hash binds how a key is wrapped.</summary>
    public EntryRow WithKey(ReadOnlyMemory<byte> wrapped) => With(wrapped, Body, PatchFingerprint);

    /// <summary>The same entry as another store keeps it: its aggregate's key, what is sealed under it, and what is hidden with it. Its leaf stays: it is of what is inside.</summary>
    public EntryRow With(ReadOnlyMemory<byte> wrapped, ReadOnlyMemory<byte> body, in Hash32 patchFingerprint) => new()
    {
        Flags = wrapped.IsEmpty ? Flags & ~RowFlags.Key : Flags | RowFlags.Key, Aggregate = Aggregate, Version = Version, Type = Type, Subject = Subject, EventId = EventId, CreatedAt = CreatedAt, Actor = Actor,
        Note = Note, BatchIndex = BatchIndex, BatchCount = BatchCount, SchemaRevision = SchemaRevision, PreviousRoot = PreviousRoot, Root = Root,
        PatchFingerprint = patchFingerprint, WrappedKey = wrapped, Salt = Salt, Body = body,
    };

    /// <summary>What makes another request with its event id the same request, as it is kept in family <c>ids</c>.</summary>
    /// <param name="payload">The opened payload; plays no part where a patch asked for the event.</param>
    /// <param name="cipher">Of its aggregate; null in a plain store.</param>
    public Hash32 StoredFingerprintOf(ReadOnlySpan<byte> payload, AggregateCipher? cipher)
    {
        if ((Flags & RowFlags.Patch) != 0)
            return PatchFingerprint;
        var fingerprint = PayloadFingerprintOf(payload);
        return cipher is null ? fingerprint : cipher.HideFingerprint(fingerprint);
    }

    /// <summary>The fingerprint of the request that brought this payload.</summary>
    public Hash32 PayloadFingerprintOf(ReadOnlySpan<byte> payload)
    {
        Span<byte> type = stackalloc byte[Limits.TypeBytesMax];
        return RequestFingerprint.Of(RequestFingerprint.Payload, type[..Encoding.UTF8.GetBytes(Type, type)], payload, Note);
    }

    static AggregateKey? ReadAggregate(ref RowReader row, AggregateKey? expected)
    {
        var type = row.Short().Span;
        var id = row.Short().Span;
        if (expected is not null && type.SequenceEqual(expected.TypeUtf8) && id.SequenceEqual(expected.IdUtf8))
            return expected;
        return row.Ok && System.Text.Unicode.Utf8.IsValid(type) && System.Text.Unicode.Utf8.IsValid(id)
            && AggregateKey.TryCreate(Encoding.UTF8.GetString(type), Encoding.UTF8.GetString(id), out var aggregate, out _) ? aggregate : null;
    }

    /// <summary>The leaf hash of a control entry, or of an event whose body has been opened into salt and payload.</summary>
    public Hash32 Leaf(ReadOnlySpan<byte> salt, ReadOnlySpan<byte> payload) => IsControl
        ? EntryHash.OfControl(Encoding.UTF8.GetBytes(Type), Encoding.UTF8.GetBytes(Subject), CreatedAt, Actor, Body.Span, Salt.Span)
        : EventLeaf(salt, payload);

    Hash32 EventLeaf(ReadOnlySpan<byte> salt, ReadOnlySpan<byte> payload)
    {
        Span<byte> type = stackalloc byte[Limits.TypeBytesMax];
        type = type[..Encoding.UTF8.GetBytes(Type, type)];
        return EntryHash.OfEvent(Aggregate!, Version, type, EventId, CreatedAt, Actor, Note, PreviousRoot, payload, salt);
    }
}
