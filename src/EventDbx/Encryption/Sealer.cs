namespace EventDbx.Encryption;

/// <summary>Seals and opens for stores with and without encryption alike: a null cipher means alg 0 and the plaintext.</summary>
/// <remarks>
/// Plaintext where a cipher is given, or ciphertext where none is, never opens: whoever could replace a sealed value with
/// a plain one would otherwise write history without the key.
/// </remarks>
internal static class Sealer
{
    const int PlainOverheadBytes = 1;

    /// <summary>Bytes of a value once sealed.</summary>
    public static int SealedBytes(AggregateCipher? cipher, int plainBytes) => plainBytes + Overhead(cipher);

    /// <summary>Bytes of plaintext in a sealed value; 0 for a value too short to be one (it will not open).</summary>
    public static int OpenedBytes(AggregateCipher? cipher, int sealedBytes) => Math.Max(0, sealedBytes - Overhead(cipher));

    /// <summary>Seals into a target of exactly <see cref="SealedBytes"/> bytes that does not overlap the plaintext.</summary>
    public static void Seal(
        AggregateCipher? cipher, Purpose purpose, ReadOnlySpan<byte> place, ReadOnlySpan<byte> plaintext, Span<byte> target, NoncePool nonces)
    {
        if (cipher is not null)
        {
            cipher.Seal(purpose, place, plaintext, target, nonces);
            return;
        }

        if (target.Length != plaintext.Length + PlainOverheadBytes)
            throw new ArgumentException("A plain value is longer than its content by exactly one byte.", nameof(target));
        target[0] = SealedValue.PlainAlgorithm;
        plaintext.CopyTo(target[PlainOverheadBytes..]);
    }

    /// <summary>
    /// False when the value is not what was sealed in this place, in this kind of store; then the plaintext is nothing usable.
    /// The plaintext has exactly <see cref="OpenedBytes"/> bytes.
    /// </summary>
    public static bool TryOpen(
        AggregateCipher? cipher, Purpose purpose, ReadOnlySpan<byte> place, ReadOnlySpan<byte> value, Span<byte> plaintext)
    {
        if (cipher is not null)
            return cipher.TryOpen(purpose, place, value, plaintext);
        if (value.IsEmpty || value[0] != SealedValue.PlainAlgorithm)
            return false;
        if (plaintext.Length != value.Length - PlainOverheadBytes)
            throw new ArgumentException("A plain value is longer than its content by exactly one byte.", nameof(plaintext));
        value[PlainOverheadBytes..].CopyTo(plaintext);
        return true;
    }

    static int Overhead(AggregateCipher? cipher) => cipher is null ? PlainOverheadBytes : SealedValue.OverheadBytes;
}
