namespace EventDbx.Server.Tokens;

/// <summary>One token in memory: its record, and what has been found out about it, once for all its requests.</summary>
internal sealed class TokenEntry
{
    readonly long? _lifetime;
    Credential? _credential;
    Session? _session;
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

    /// <summary>The session of this token.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.Unauthenticated"/>: why there is none.</exception>
    public Session Admit(ReadOnlySpan<byte> token, TokenSigner signer, Database database, TimeSpan skew, Timestamp now)
    {
        // Two callers may find out the same thing at once; it is the same thing.
        var credential = Volatile.Read(ref _credential);
        if (credential is null || credential.Signer != signer)
            Volatile.Write(ref _credential, credential = FindOut(token, signer));
        if (credential.Refusal is { } refusal)
            throw Refused(refusal);
        if (Record.Revoked)
            throw Refused("The token has been revoked.");
        if (credential.Ends is { } ended && now.CompareTo(ended.Until) >= 0)
            throw Refused($"The token is not valid any more: the secret that signed it ({ended.KeyId}) was replaced, and counted until {ended.Until}. Get a new token.");
        var end = Volatile.Read(ref _expiresAt);
        if (now.Ticks100ns - skew.Ticks >= (IsKeptAlive ? end : Math.Min(end, credential.ExpiresAt)))
            throw Refused(IsKeptAlive ? "The token has expired: nobody used it for its whole lifetime." : "The token has expired.");
        if (now.Ticks100ns + skew.Ticks < credential.ValidFrom)
            throw Refused("The token is not valid yet: it was issued in the future, or for it. Is the clock right?");
        var session = Volatile.Read(ref _session);
        if (session is null)
            Volatile.Write(ref _session, session = OpenSession(database));
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

    Credential FindOut(ReadOnlySpan<byte> token, TokenSigner signer)
    {
        if (signer.Verify(token, out var claims) is { } why)
            return new() { Signer = signer, Refusal = $"The token is not valid here: {why}" };
        if (!claims!.AgreeWith(Record))
            return new() { Signer = signer, Refusal = $"The token is not valid here: what {LedgerJson.DocumentName} says of it is not what was signed." };
        return new()
        {
            Signer = signer,
            Ends = signer.SecretThatEnds(token),
            ExpiresAt = claims.ExpiresAt is { } end ? end * TimeSpan.TicksPerSecond : long.MaxValue,
            ValidFrom = Math.Max(Math.Max(claims.IssuedAt, claims.NotBefore ?? 0) * TimeSpan.TicksPerSecond, Record.NotBefore?.Ticks100ns ?? 0),
        };
    }

    Session OpenSession(Database database)
    {
        var grants = Grants.Everything;
        if (!Record.Root && !Grants.TryParse(Record.Actions, Record.Resources, out grants, out var refusal))
            throw Refused($"The token is ours, and cannot be used here: {refusal.Message}");
        try
        {
            return database.OpenSession(
                new(Record.Group, Record.User), grants, Record.Limits.WriteEvents is { } limit ? new TokenAllowance(Record.Jti, limit) : null);
        }
        catch (RefusedException refused)
        {
            throw Refused($"The token is ours, and cannot be used here: {refused.Message}");
        }
    }

    static RefusedException Refused(string message) => new(RefusalCode.Unauthenticated, message);

    /// <summary>What the first request with a token finds out: why it is not ours, or until when its signature says that it is good.</summary>
    sealed class Credential
    {
        /// <summary>By whose secrets. Those of another one have to find out anew.</summary>
        public required TokenSigner Signer { get; init; }

        /// <summary>The secret that signed it, where that is one that was replaced.</summary>
        public RetiredSecret? Ends { get; init; }

        public string? Refusal { get; init; }

        /// <summary>Ticks, as <see cref="ValidFrom"/>.</summary>
        public long ExpiresAt { get; init; }

        public long ValidFrom { get; init; }
    }
}
