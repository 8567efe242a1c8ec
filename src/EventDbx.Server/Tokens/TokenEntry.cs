namespace EventDbx.Server.Tokens;

/// <summary>One token in memory: its record, and what has been found out about it, once for all its requests.</summary>
internal sealed class TokenEntry
{
    readonly long? _lifetime;
    Credential? _credential;
    long _expiresAt;
    long _storedExpiry;
    int _storing;

    /// <param name="record">The record.</param>
    /// <param name="keptUntil">Where a token that is kept alive has got to, as the store has it.</param>
    public TokenEntry(TokenRecord record, Timestamp? keptUntil)
    {
        Record = record;
        _lifetime = record.Limits.KeepAlive && record.Lifetime is > 0 and var lifetime ? lifetime : null;
        _expiresAt = Math.Max(record.ExpiresAt?.Ticks100ns ?? long.MaxValue, _lifetime is null ? long.MinValue : keptUntil?.Ticks100ns ?? long.MinValue);
        _storedExpiry = _expiresAt;
    }

    public TokenRecord Record { get; }

    /// <summary>Every use moves its end.</summary>
    public bool IsKeptAlive => _lifetime is not null;

    /// <summary>Null: never.</summary>
    public Timestamp? ExpiresAt => Volatile.Read(ref _expiresAt) is var ticks && ticks == long.MaxValue ? null : new Timestamp(ticks);

    public TokenStatus StatusAt(Timestamp now) => Record.Revoked ? TokenStatus.Revoked
        : now.Ticks100ns >= Volatile.Read(ref _expiresAt) ? TokenStatus.Expired : TokenStatus.Active;

    /// <summary>Whether it has been dead for so long that it need not be remembered.</summary>
    public bool IsForgottenAt(Timestamp now) =>
        (Record.RevokedAt is { } revoked && Record.Revoked && now.Ticks100ns - revoked.Ticks100ns > TokenBounds.DeadFor.Ticks)
        || (ExpiresAt is { } end && now.Ticks100ns - end.Ticks100ns > TokenBounds.DeadFor.Ticks);

    /// <summary>The same token with another record.</summary>
    public TokenEntry With(TokenRecord record) => new(record, IsKeptAlive ? ExpiresAt : null);

    /// <summary>The session of this token, or why there is none.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.Unauthenticated"/>.</exception>
    public Session Admit(ReadOnlySpan<byte> token, TokenSigner signer, Database database, TimeSpan skew, Timestamp now)
    {
        // Two callers may find out the same thing at once; it is the same thing.
        var credential = Volatile.Read(ref _credential);
        if (credential is null)
            Volatile.Write(ref _credential, credential = FindOut(token, signer, database));
        if (!credential.Genuine)
            throw Refused(credential.Refusal!);
        if (Record.Revoked)
            throw Refused("The token has been revoked.");
        if (!IsKeptAlive && now.Ticks100ns - skew.Ticks >= Math.Min(credential.ExpiresAt, _expiresAt))
            throw Refused("The token has expired.");
        if (IsKeptAlive && now.Ticks100ns - skew.Ticks >= Volatile.Read(ref _expiresAt))
            throw Refused("The token has expired: nobody used it for a whole lifetime.");
        if (now.Ticks100ns + skew.Ticks < credential.ValidFrom)
            throw Refused("The token is not valid yet: the clocks of this server and of the one that issued it are apart.");
        if (credential.Session is not { } session)
            throw Refused(credential.Refusal!);
        if (_lifetime is { } lifetime)
            Extend(now.Ticks100ns > Timestamp.MaxValue.Ticks100ns - lifetime ? Timestamp.MaxValue.Ticks100ns : now.Ticks100ns + lifetime);
        return session;
    }

    /// <summary>The end to be written down now; null when that can wait. Whoever gets one reports back with <see cref="EndStore"/>.</summary>
    /// <param name="flush">It cannot wait.</param>
    public Timestamp? BeginStore(bool flush = false)
    {
        if (_lifetime is not { } lifetime)
            return null;
        var pause = flush ? 1 : Math.Max(TokenBounds.KeepAliveWritePauseMin.Ticks, lifetime / TokenBounds.KeepAliveWritesPerLifetime);
        var end = Volatile.Read(ref _expiresAt);
        if (end - Volatile.Read(ref _storedExpiry) < pause || Interlocked.CompareExchange(ref _storing, 1, 0) != 0)
            return null;
        return new Timestamp(end);
    }

    /// <param name="stored">What is written down now; null when it could not be.</param>
    public void EndStore(Timestamp? stored)
    {
        if (stored is { } end)
            Volatile.Write(ref _storedExpiry, end.Ticks100ns);
        Volatile.Write(ref _storing, 0);
    }

    void Extend(long expiresAt)
    {
        var now = Volatile.Read(ref _expiresAt);
        while (expiresAt > now)
        {
            var found = Interlocked.CompareExchange(ref _expiresAt, expiresAt, now);
            if (found == now)
                return;
            now = found;
        }
    }

    Credential FindOut(ReadOnlySpan<byte> token, TokenSigner signer, Database database)
    {
        if (signer.Verify(token, out var claims) is { } why)
            return new() { Refusal = $"The token is not valid here: {why}" };
        if (!claims!.AgreeWith(Record))
            return new() { Refusal = $"The token is not valid here: what {LedgerJson.DocumentName} says of it is not what was signed." };
        var (session, refusal) = OpenSession(database);
        return new()
        {
            Genuine = true, Session = session, Refusal = refusal,
            ExpiresAt = claims.ExpiresAt is { } end ? end * TimeSpan.TicksPerSecond : long.MaxValue,
            ValidFrom = Math.Max(claims.IssuedAt, claims.NotBefore ?? 0) * TimeSpan.TicksPerSecond,
        };
    }

    (Session?, string? Refusal) OpenSession(Database database)
    {
        var grants = Grants.Everything;
        if (!Record.Root && !Grants.TryParse(Record.Actions, Record.Resources, out grants, out var refusal))
            return (null, $"The token is ours, and cannot be used here: {refusal.Message}");
        try
        {
            var allowance = Record.Limits.WriteEvents is { } limit ? new TokenAllowance(Record.Jti, limit) : (TokenAllowance?)null;
            return (database.OpenSession(new Actor(Record.Group, Record.User), grants, allowance), null);
        }
        catch (RefusedException refused)
        {
            return (null, $"The token is ours, and cannot be used here: {refused.Message}");
        }
    }

    static RefusedException Refused(string message) => new(RefusalCode.Unauthenticated, message);

    /// <summary>What the first request with a token finds out.</summary>
    sealed class Credential
    {
        /// <summary>Signed by us, and as the ledger says.</summary>
        public bool Genuine { get; init; }

        public Session? Session { get; init; }

        public string? Refusal { get; init; }

        /// <summary>Ticks, as signed.</summary>
        public long ExpiresAt { get; init; }

        public long ValidFrom { get; init; }
    }
}

/// <summary>All tokens at one moment; never changes.</summary>
internal sealed class Ledger
{
    readonly Dictionary<Integrity.Hash32, TokenEntry> _byHash;
    readonly Dictionary<Guid, TokenEntry> _byId;

    public Ledger(IReadOnlyList<TokenEntry> entries)
    {
        Entries = entries;
        _byHash = new(entries.Count);
        _byId = new(entries.Count);
        foreach (var entry in entries)
        {
            _byHash.Add(entry.Record.Sha256, entry);
            _byId.Add(entry.Record.Jti, entry);
        }
    }

    /// <summary>In the order of their issue.</summary>
    public IReadOnlyList<TokenEntry> Entries { get; }

    public TokenEntry? Find(Integrity.Hash32 sha256) => _byHash.GetValueOrDefault(sha256);

    public TokenEntry? Find(Guid jti) => _byId.GetValueOrDefault(jti);
}
