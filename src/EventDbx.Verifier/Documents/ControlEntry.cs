namespace EventDbx.Verifier.Documents;

/// <summary>An entry of the log that is no event, with its salt.</summary>
internal sealed record ControlEntry
{
    static readonly Shape Members = new("kind", "subject", "created_at", "issued_by", "body", "salt", "hash", "position");

    ControlEntry(JsonObject entry, Unnamed? unnamed)
    {
        var (kind, subject) = (entry.Utf8("kind"), entry.Utf8("subject"));
        if (!Text.TryTime(entry.Utf8("created_at").Span, out var time))
            throw entry.Wrong("created_at", "a time such as 2025-01-31T23:59:59.123Z, with 0, 3, 6 or 7 digits, as few as say it");
        var actor = Actor.Of(entry, unnamed);
        var body = JsonText.Minified(entry.Raw("body"));
        var salt = Salts.Of(entry);
        Hash = entry.Hash("hash");
        Position = entry.Number("position");
        Sha.Begin();
        Sha.Byte(0x02);
        Sha.Lp(kind.Span);
        Sha.Lp(subject.Span);
        Sha.U64(unchecked((ulong)time));
        Actor.Hash(actor);
        Sha.Lp(body.Span);
        Sha.Bytes(salt);
        LeafHash = Sha.End();
    }

    public Digest Hash { get; }

    public ulong Position { get; }

    /// <summary>The leaf hash that its content has: docs/integrity.md, section 1.</summary>
    public Digest LeafHash { get; }

    /// <exception cref="RefutedException">It is none.</exception>
    public static ControlEntry Read(JsonObject holder, Unnamed? unnamed) => new(holder.Object("control", Members, unnamed), unnamed);
}
