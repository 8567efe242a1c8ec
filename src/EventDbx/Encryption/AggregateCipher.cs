using System.Security.Cryptography;

namespace EventDbx.Encryption;

/// <summary>The key of one aggregate at work: seals and opens its events, state and snapshots.</summary>
/// <remarks>
/// Thread-safe: request threads seal bodies while the writer seals state. Keys per purpose are derived when first used.
/// Nothing is allocated per call. A cipher that leaves a cache need not be disposed while others may still hold it:
/// the native handles free themselves, and the key goes with the object.
/// </remarks>
internal sealed class AggregateCipher : IDisposable
{
    /// <summary>Bytes of a field tag.</summary>
    public const int FieldTagBytes = 16;

    readonly Lock _deriving = new();
    readonly byte[] _key;
    readonly byte[] _wrapped;
    SealingKey? _body;
    SealingKey? _state;
    SealingKey? _snapshot;
    SealingKey? _delivery;
    byte[]? _field;
    byte[]? _request;
    bool _disposed;

    /// <param name="name">The aggregate; part of every context.</param>
    /// <param name="key">32 bytes; copied.</param>
    /// <param name="wrapped">The same key, wrapped, as it stands in the head row; copied.</param>
    public AggregateCipher(AggregateKey name, ReadOnlySpan<byte> key, ReadOnlySpan<byte> wrapped)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(key.Length, SubKey.Bytes);
        (Name, _key, _wrapped) = (name, key.ToArray(), wrapped.ToArray());
    }

    public AggregateKey Name { get; }

    /// <summary>The key as the head row keeps it: <see cref="DataKey.WrappedBytes"/> bytes.</summary>
    public ReadOnlyMemory<byte> Wrapped => _wrapped;

    /// <summary>The generation of the data key that wrapped it.</summary>
    public uint WrappedBy => SealedValue.EpochOf(_wrapped);

    /// <summary>The same key, wrapped with another data key.</summary>
    public AggregateCipher Rewrap(DataKey dataKey, NoncePool nonces)
    {
        Span<byte> wrapped = stackalloc byte[DataKey.WrappedBytes];
        dataKey.Wrap(Name, _key, wrapped, nonces);
        return new(Name, _key, wrapped);
    }

    /// <summary>The cipher of an aggregate whose key came from elsewhere, wrapped with a data key of this store.</summary>
    /// <param name="name">The aggregate.</param>
    /// <param name="key">32 bytes; copied.</param>
    /// <param name="dataKey">Wraps it.</param>
    /// <param name="nonces">Gives a nonce.</param>
    public static AggregateCipher Adopt(AggregateKey name, ReadOnlySpan<byte> key, DataKey dataKey, NoncePool nonces)
    {
        Span<byte> wrapped = stackalloc byte[DataKey.WrappedBytes];
        dataKey.Wrap(name, key, wrapped, nonces);
        return new(name, key, wrapped);
    }

    /// <summary>The key itself, for a mirror of the log: secret.</summary>
    public byte[] CopyKey() => [.. _key];

    /// <summary>Whether this is the key, however it is wrapped.</summary>
    public bool HasKey(ReadOnlySpan<byte> key) => CryptographicOperations.FixedTimeEquals(_key, key);

    /// <summary>Whether both have the same key, however it is wrapped: what one sealed the other opens.</summary>
    public bool HasKeyOf(AggregateCipher other) => ReferenceEquals(this, other) || CryptographicOperations.FixedTimeEquals(_key, other._key);

    /// <summary>A cipher with a new random key, for an aggregate's first event.</summary>
    public static AggregateCipher Create(AggregateKey name, DataKey dataKey, NoncePool nonces)
    {
        Span<byte> key = stackalloc byte[SubKey.Bytes];
        Span<byte> wrapped = stackalloc byte[DataKey.WrappedBytes];
        nonces.Take(key);
        dataKey.Wrap(name, key, wrapped, nonces);
        var cipher = new AggregateCipher(name, key, wrapped);
        CryptographicOperations.ZeroMemory(key);
        return cipher;
    }

    /// <summary>The cipher of a stored aggregate, or null when its wrapped key does not open here.</summary>
    public static AggregateCipher? Open(AggregateKey name, DataKey dataKey, ReadOnlySpan<byte> wrapped)
    {
        Span<byte> key = stackalloc byte[SubKey.Bytes];
        var cipher = dataKey.TryUnwrap(name, wrapped, key) ? new AggregateCipher(name, key, wrapped) : null;
        CryptographicOperations.ZeroMemory(key);
        return cipher;
    }

    /// <param name="purpose">Body, state, snapshot or delivery.</param>
    /// <param name="place">Where in the aggregate it belongs; see <see cref="Purpose"/>.</param>
    /// <param name="plaintext">Any length.</param>
    /// <param name="target">Exactly <see cref="SealedValue.OverheadBytes"/> more than the plaintext; must not overlap it.</param>
    /// <param name="nonces">Gives the nonce.</param>
    public void Seal(Purpose purpose, ReadOnlySpan<byte> place, ReadOnlySpan<byte> plaintext, Span<byte> target, NoncePool nonces) =>
        KeyOf(purpose).Seal(Name, place, plaintext, target, nonces);

    /// <summary>
    /// False when a single bit of the value, or its place, is not what was sealed; then the plaintext is nothing usable.
    /// The plaintext is exactly as long as the value without its overhead.
    /// </summary>
    public bool TryOpen(Purpose purpose, ReadOnlySpan<byte> place, ReadOnlySpan<byte> value, Span<byte> plaintext) =>
        KeyOf(purpose).TryOpen(Name, place, value, plaintext);

    /// <summary>
    /// A field's name as a state key shows it: the first 16 bytes of HMAC-SHA-256 under the key derived as <c>field</c>.
    /// Equal names have equal tags within the aggregate and unrelated ones elsewhere.
    /// </summary>
    public void FieldTag(ReadOnlySpan<byte> fieldName, Span<byte> tag16)
    {
        Span<byte> full = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(Volatile.Read(ref _field) ?? Derive(ref _field, "field"u8), fieldName, full);
        full[..FieldTagBytes].CopyTo(tag16);
    }

    /// <summary>
    /// A request's fingerprint as the store keeps it: HMAC-SHA-256 under the key derived as <c>request</c>. Without that key a
    /// payload that somebody guesses cannot be held against it.
    /// </summary>
    public Hash32 HideFingerprint(in Hash32 fingerprint)
    {
        Span<byte> plain = stackalloc byte[Hash32.Length];
        Span<byte> hidden = stackalloc byte[HMACSHA256.HashSizeInBytes];
        fingerprint.Write(plain);
        HMACSHA256.HashData(Volatile.Read(ref _request) ?? Derive(ref _request, "request"u8), plain, hidden);
        return Hash32.Read(hidden);
    }

    SealingKey KeyOf(Purpose purpose) => purpose switch
    {
        Purpose.Body => Volatile.Read(ref _body) ?? Derive(ref _body, purpose),
        Purpose.State => Volatile.Read(ref _state) ?? Derive(ref _state, purpose),
        Purpose.Snapshot => Volatile.Read(ref _snapshot) ?? Derive(ref _snapshot, purpose),
        Purpose.Delivery => Volatile.Read(ref _delivery) ?? Derive(ref _delivery, purpose),
        Purpose.Key => throw new ArgumentOutOfRangeException(nameof(purpose), "Aggregate keys are wrapped by the data key."),
        Purpose.Rotation => throw new ArgumentOutOfRangeException(nameof(purpose), "Data keys are sealed by data keys."),
        Purpose.Document => throw new ArgumentOutOfRangeException(nameof(purpose), "Documents are sealed by the data key."),
    };

    SealingKey Derive(ref SealingKey? slot, Purpose purpose)
    {
        lock (_deriving)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (slot is null)
                Volatile.Write(ref slot, new SealingKey(_key, purpose));
            return slot!;
        }
    }

    byte[] Derive(ref byte[]? slot, ReadOnlySpan<byte> name)
    {
        lock (_deriving)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (slot is null)
            {
                var key = new byte[SubKey.Bytes];
                SubKey.Derive(_key, name, key);
                Volatile.Write(ref slot, key);
            }

            return slot!;
        }
    }

    /// <summary>Wipes the keys. Every later use throws <see cref="ObjectDisposedException"/>; a call under way finishes.</summary>
    public void Dispose()
    {
        lock (_deriving)
        {
            _disposed = true;
            CryptographicOperations.ZeroMemory(_key);
            _body?.Dispose();
            _state?.Dispose();
            _snapshot?.Dispose();
            _delivery?.Dispose();
            Volatile.Write(ref _field, null);
            Volatile.Write(ref _request, null);
        }
    }

    /// <summary>Names the aggregate and nothing of the key.</summary>
    public override string ToString() => $"{nameof(AggregateCipher)} of {Name}";
}
