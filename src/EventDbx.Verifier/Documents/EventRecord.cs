namespace EventDbx.Verifier.Documents;

/// <summary>Who did something.</summary>
internal sealed record Actor(ReadOnlyMemory<byte> Group, ReadOnlyMemory<byte> User)
{
    static readonly Shape Members = new("group", "user");

    /// <summary>Null where the JSON is null.</summary>
    public static Actor? Of(JsonObject holder, Unnamed? unnamed)
    {
        if (holder.IsNull("issued_by"))
            return null;
        var actor = holder.Object("issued_by", Members, unnamed);
        return new(actor.Utf8("group"), actor.Utf8("user"));
    }

    public override string ToString() => Printable.Quoted($"{Text.Utf8.GetString(Group.Span)}/{Text.Utf8.GetString(User.Span)}");

    /// <summary><c>opt(lp(group) lp(user))</c>.</summary>
    public static void Hash(Actor? actor)
    {
        Sha.Byte(actor is null ? (byte)0 : (byte)1);
        if (actor is null)
            return;
        Sha.Lp(actor.Group.Span);
        Sha.Lp(actor.User.Span);
    }
}

/// <summary>An event as reads show it, with its salt.</summary>
internal sealed record EventRecord
{
    public static readonly Shape Members = new(
        "aggregate_type", "aggregate_id", "event_type", "payload", "metadata", "version", "hash", "merkle_root", "position");

    static readonly Shape MetadataMembers = new("event_id", "created_at", "issued_by", "note", "salt");

    EventRecord(JsonObject record, string what, Unnamed? unnamed)
    {
        Type = record.Utf8("aggregate_type");
        Id = record.Utf8("aggregate_id");
        EventType = record.Utf8("event_type");
        Payload = JsonText.Minified(record.Raw("payload"));
        var metadata = record.Object("metadata", MetadataMembers, unnamed);
        EventIdText = metadata.String("event_id");
        EventId = new byte[16];
        if (!Text.TryUuid(metadata.Utf8("event_id").Span, EventId))
            throw metadata.Wrong("event_id", "a UUID in lower case");
        CreatedAtText = metadata.String("created_at");
        if (!Text.TryTime(metadata.Utf8("created_at").Span, out var time))
            throw metadata.Wrong("created_at", "a time such as 2025-01-31T23:59:59.123Z, with 0, 3, 6 or 7 digits, as few as say it");
        CreatedAt = time;
        IssuedBy = Actor.Of(metadata, unnamed);
        if (metadata.Has("note"))
            Note = metadata.Utf8("note");
        Salt = Salts.Of(metadata);
        Version = record.Number("version");
        if (Version == 0)
            throw new RefutedException($"{what} is malformed: `version` is 0; the first event of an aggregate is version 1.");
        Hash = record.Hash("hash");
        MerkleRoot = record.Hash("merkle_root");
        Position = record.Number("position");
        if (Position == 0)
            throw new RefutedException($"{what} is malformed: `position` is 0; the first entry of a log stands at 1.");
    }

    public ReadOnlyMemory<byte> Type { get; }

    public ReadOnlyMemory<byte> Id { get; }

    public ReadOnlyMemory<byte> EventType { get; }

    /// <summary>JSON without white space outside strings, otherwise to the byte as it stood there.</summary>
    public ReadOnlyMemory<byte> Payload { get; }

    public byte[] EventId { get; }

    public string EventIdText { get; }

    /// <summary>100 ns since 1970.</summary>
    public long CreatedAt { get; }

    public string CreatedAtText { get; }

    public Actor? IssuedBy { get; }

    /// <summary>Null where there is none; an empty one is one.</summary>
    public ReadOnlyMemory<byte>? Note { get; }

    public byte[] Salt { get; }

    public ulong Version { get; }

    public Digest Hash { get; }

    public Digest MerkleRoot { get; }

    /// <summary>From 1.</summary>
    public ulong Position { get; }

    /// <summary>For sentences: <c>version 3 of "order" "o-1"</c>.</summary>
    public string Named => $"version {Version} of {Printable.Quoted(Type)} {Printable.Quoted(Id)}";

    /// <exception cref="RefutedException">It is none.</exception>
    public static EventRecord Read(JsonObject holder, string what, Unnamed? unnamed) =>
        new(holder.Object("record", Members, unnamed, what), what, unnamed);

    /// <summary>The leaf hash that its content has: docs/integrity.md, section 1.</summary>
    /// <param name="prevRoot">Root of the aggregate before it.</param>
    public Digest LeafHash(Digest prevRoot)
    {
        Span<byte> root = stackalloc byte[Digest.Length];
        prevRoot.Write(root);
        Sha.Begin();
        Sha.Byte(0x01);
        Sha.Lp(Type.Span);
        Sha.Lp(Id.Span);
        Sha.U64(Version);
        Sha.Lp(EventType.Span);
        Sha.Bytes(EventId);
        Sha.U64(unchecked((ulong)CreatedAt));
        Actor.Hash(IssuedBy);
        Sha.Byte(Note is null ? (byte)0 : (byte)1);
        if (Note is { } note)
            Sha.Lp(note.Span);
        Sha.Bytes(root);
        Sha.Lp(Payload.Span);
        Sha.Bytes(Salt);
        return Sha.End();
    }
}

/// <summary>The salt of a leaf.</summary>
internal static class Salts
{
    public static byte[] Of(JsonObject holder)
    {
        var salt = new byte[16];
        return Text.TrySalt(holder.Utf8("salt").Span, salt) ? salt : throw holder.Wrong("salt", "16 bytes in base64url without padding");
    }
}
