using System.Collections.Concurrent;

namespace EventDbx.Encryption;

/// <summary>The aggregates' ciphers of one open store, in memory; in a plain store every answer is null.</summary>
/// <remarks>
/// Request threads seal before the writer has seen the head, so a new aggregate's first drafts need a key that does not
/// exist yet: the first to ask makes a candidate, and whoever is committed first gives the aggregate its key. A draft sealed
/// under a candidate that lost is sealed again by the writer. A candidate may also be wrapped with a data key that was replaced
/// before it was committed: the writer wraps it again (<see cref="WithCurrent"/>).
/// </remarks>
internal sealed class Keyring(DataKeys? keys, NoncePool nonces, int capacity)
{
    readonly ConcurrentDictionary<AggregateKey, AggregateCipher> _ciphers = new();
    int _count;

    public bool Encrypted => keys is not null;

    /// <summary>The data keys; null in a plain store.</summary>
    public DataKeys? Keys => keys;

    /// <summary>Whether a store of this row was made with these keys, or, without encryption, with none.</summary>
    public bool Made(StoreRow store) => keys is null ? store.KeyCheck.IsEmpty : keys.Made(store);

    /// <summary>The cipher of a stored aggregate.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>: the wrapped key does not open.</exception>
    public AggregateCipher? Open(AggregateKey aggregate, ReadOnlyMemory<byte> wrapped)
    {
        if (keys is null)
            return wrapped.IsEmpty ? null : throw Violation.Of($"{aggregate} has a key in a store without encryption.");
        if (_ciphers.TryGetValue(aggregate, out var cipher) && cipher.Wrapped.Span.SequenceEqual(wrapped.Span))
            return cipher;
        cipher = Unwrap(aggregate, wrapped);
        Remember(aggregate, cipher);
        return cipher;
    }

    /// <summary>
    /// The cipher of a stored aggregate, for a walk over all of them: it is not remembered, so that those in use stay.
    /// </summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>: the wrapped key does not open.</exception>
    public AggregateCipher? OpenOnce(AggregateKey aggregate, ReadOnlyMemory<byte> wrapped)
    {
        if (keys is null || (_ciphers.TryGetValue(aggregate, out var cipher) && cipher.Wrapped.Span.SequenceEqual(wrapped.Span)))
            return Open(aggregate, wrapped);
        return Unwrap(aggregate, wrapped);
    }

    AggregateCipher Unwrap(AggregateKey aggregate, ReadOnlyMemory<byte> wrapped) =>
        keys!.Find(SealedValue.EpochOf(wrapped.Span)) is { } key && AggregateCipher.Open(aggregate, key, wrapped.Span) is { } cipher
            ? cipher
            : throw Unopened(aggregate);

    /// <summary>The same cipher, wrapped with the newest data key; itself where it is. For the writer: what is committed from now on.</summary>
    public AggregateCipher? WithCurrent(AggregateCipher? cipher)
    {
        if (cipher is null || keys is null || cipher.WrappedBy == keys.Current.Generation)
            return cipher;
        cipher = cipher.Rewrap(keys.Current, nonces);
        Remember(cipher.Name, cipher);
        return cipher;
    }

    /// <summary>The same for a walk over all of them: it is not remembered, for the aggregate may be another one by now.</summary>
    public AggregateCipher Rewrapped(AggregateCipher cipher) =>
        cipher.WrappedBy == keys!.Current.Generation ? cipher : cipher.Rewrap(keys.Current, nonces);

    static RefusedException Unopened(AggregateKey aggregate) =>
        Violation.Of($"The key of {aggregate} does not open: it was changed, or belongs to another aggregate.");

    /// <summary>The cipher to seal an append with: the known one, or what <paramref name="findWrapped"/> finds, or a candidate.</summary>
    /// <param name="aggregate">The aggregate.</param>
    /// <param name="findWrapped">Reads the wrapped key from the head; empty when there is no such aggregate.</param>
    public AggregateCipher? ForAppend(AggregateKey aggregate, Func<AggregateKey, ReadOnlyMemory<byte>> findWrapped)
    {
        if (keys is null)
            return null;
        if (_ciphers.TryGetValue(aggregate, out var cipher))
            return cipher;
        var wrapped = findWrapped(aggregate);
        if (!wrapped.IsEmpty)
            return Open(aggregate, wrapped);
        if (_count < capacity)
        {
            var candidate = AggregateCipher.Create(aggregate, keys.Current, nonces);
            cipher = _ciphers.GetOrAdd(aggregate, candidate);
            if (ReferenceEquals(cipher, candidate))
                Interlocked.Increment(ref _count);
            return cipher;
        }

        Trim();
        return ForAppend(aggregate, findWrapped);
    }

    void Remember(AggregateKey aggregate, AggregateCipher cipher)
    {
        if (_count >= capacity)
            Trim();
        if (_ciphers.TryAdd(aggregate, cipher))
            Interlocked.Increment(ref _count);
        else
            _ciphers[aggregate] = cipher;
    }

    /// <summary>Full: start over. Ciphers in use live on; the others are made again from their heads when needed.</summary>
    void Trim()
    {
        _ciphers.Clear();
        Interlocked.Exchange(ref _count, 0);
    }
}
