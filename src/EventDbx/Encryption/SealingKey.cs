using System.Security.Cryptography;

namespace EventDbx.Encryption;

/// <summary>One AES-256-GCM key for one purpose, usable from many threads.</summary>
/// <remarks>
/// AesGcm keeps native state and is not thread-safe. One instance under a lock: a pool would multiply the native memory
/// of every cached aggregate for the rare case that two threads seal for the same one in the same microsecond.
/// </remarks>
internal sealed class SealingKey : IDisposable
{
    readonly Lock _gate = new();
    readonly Purpose _purpose;
    readonly AesGcm _aes;
    readonly uint _epoch;

    /// <param name="owner">32 bytes: the data key or an aggregate key, from which this one is derived.</param>
    /// <param name="purpose">Enters the derivation and every context.</param>
    /// <param name="epoch">Which key of its owner it is; enters every value and context.</param>
    public SealingKey(ReadOnlySpan<byte> owner, Purpose purpose, uint epoch = SealedValue.FirstEpoch)
    {
        (_purpose, _epoch) = (purpose, epoch);
        Span<byte> key = stackalloc byte[SubKey.Bytes];
        SubKey.Derive(owner, Purposes.NameOf(purpose), key);
        _aes = new AesGcm(key, SealedValue.TagBytes);
        CryptographicOperations.ZeroMemory(key);
    }

    /// <summary>Seals into a target of <see cref="SealedValue.OverheadBytes"/> more than the plaintext, not overlapping it.</summary>
    public void Seal(
        AggregateKey aggregate, ReadOnlySpan<byte> place, ReadOnlySpan<byte> plaintext, Span<byte> target, NoncePool nonces)
    {
        if (target.Length != plaintext.Length + SealedValue.OverheadBytes)
            throw new ArgumentException("A sealed value is longer than its plaintext by exactly the overhead.", nameof(target));
        Span<byte> nonce = stackalloc byte[SealedValue.NonceBytes];
        nonces.Take(nonce);
        lock (_gate)
            SealedValue.Seal(_aes, new(_purpose, aggregate, place, _epoch), plaintext, target, nonce);
    }

    /// <summary>
    /// False when the value was not sealed with this key, for this aggregate, in this place; then the plaintext is nothing
    /// usable. The plaintext is exactly as long as the value without its overhead.
    /// </summary>
    public bool TryOpen(AggregateKey aggregate, ReadOnlySpan<byte> place, ReadOnlySpan<byte> value, Span<byte> plaintext)
    {
        if (!SealedValue.HasForm(value, _epoch))
            return false;
        if (plaintext.Length != value.Length - SealedValue.OverheadBytes)
            throw new ArgumentException("A sealed value is longer than its plaintext by exactly the overhead.", nameof(plaintext));
        lock (_gate)
            return SealedValue.TryOpen(_aes, new(_purpose, aggregate, place, _epoch), value, plaintext);
    }

    public void Dispose()
    {
        lock (_gate)
            _aes.Dispose();
    }
}
