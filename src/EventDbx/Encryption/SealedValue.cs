using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;

namespace EventDbx.Encryption;

/// <summary>The bytes of a sealed value, and the context it is bound to.</summary>
/// <remarks>
/// <code>
/// sealed   alg u8 | then, for alg 1:  epoch u32be | nonce[12] | ciphertext | tag[16]     AES-256-GCM
///                        for alg 0:  plaintext                                          a store without encryption
/// context  lp(purpose) lp(type) lp(id) lp(place) u32be(epoch)        lp(x) = u32be length | x
/// </code>
/// The context is associated data: it is not stored, and a value opens only where it was sealed. The epoch counts the
/// keys of one owner: it is the generation of the data key for what that seals, and 1 for everything under an aggregate key. Nonces are random: at most 2^32 values under one key
/// (NIST SP 800-38D, 8.3), which is 2^32 events of one aggregate, or 2^32 aggregates under one data key.
/// Source: docs/integrity.md, "Sealed values".
/// </remarks>
internal static class SealedValue
{
    /// <summary>First byte of a value that is not encrypted.</summary>
    public const byte PlainAlgorithm = 0;

    /// <summary>First byte of a value sealed with AES-256-GCM.</summary>
    public const byte GcmAlgorithm = 1;

    /// <summary>The epoch of the first key of an owner.</summary>
    public const uint FirstEpoch = 1;

    public const int NonceBytes = 12;

    public const int TagBytes = 16;

    /// <summary>Bytes a sealed value has more than its plaintext.</summary>
    public const int OverheadBytes = HeaderBytes + NonceBytes + TagBytes;

    const int HeaderBytes = 1 + sizeof(uint);
    const int StackBytesMax = 1024;

    /// <summary>
    /// Seals under a key that the caller holds alone for the time of the call. The target has exactly
    /// <see cref="OverheadBytes"/> more than the plaintext and does not overlap it.
    /// </summary>
    public static void Seal(
        AesGcm key, in Context context, ReadOnlySpan<byte> plaintext, Span<byte> target, ReadOnlySpan<byte> nonce)
    {
        target[0] = GcmAlgorithm;
        BinaryPrimitives.WriteUInt32BigEndian(target[1..], context.Epoch);
        nonce.CopyTo(target[HeaderBytes..]);
        var ciphertext = target.Slice(HeaderBytes + NonceBytes, plaintext.Length);
        var tag = target[^TagBytes..];

        byte[]? rented = null;
        Span<byte> bound = context.Bytes <= StackBytesMax
            ? stackalloc byte[StackBytesMax]
            : rented = ArrayPool<byte>.Shared.Rent(context.Bytes);
        key.Encrypt(nonce, plaintext, ciphertext, tag, context.Write(bound));
        if (rented is not null)
            ArrayPool<byte>.Shared.Return(rented);
    }

    /// <summary>
    /// False when any byte of the value or of its context is not what it was sealed with; the plaintext is zeroes then.
    /// The value has the form, of this epoch; the plaintext has exactly <see cref="OverheadBytes"/> less.
    /// </summary>
    public static bool TryOpen(AesGcm key, in Context context, ReadOnlySpan<byte> value, Span<byte> plaintext)
    {
        var nonce = value.Slice(HeaderBytes, NonceBytes);
        var ciphertext = value[(HeaderBytes + NonceBytes)..^TagBytes];

        byte[]? rented = null;
        Span<byte> bound = context.Bytes <= StackBytesMax
            ? stackalloc byte[StackBytesMax]
            : rented = ArrayPool<byte>.Shared.Rent(context.Bytes);
        try
        {
            key.Decrypt(nonce, ciphertext, value[^TagBytes..], plaintext, context.Write(bound));
            return true;
        }
        catch (AuthenticationTagMismatchException)
        {
            return false;
        }
        finally
        {
            if (rented is not null)
                ArrayPool<byte>.Shared.Return(rented);
        }
    }

    /// <summary>Whether the value has the form this version seals: long enough, its algorithm, an epoch.</summary>
    public static bool HasForm(ReadOnlySpan<byte> value) =>
        value.Length >= OverheadBytes && value[0] == GcmAlgorithm && EpochOf(value) >= FirstEpoch;

    /// <summary>Whether the value has that form, and is of this epoch.</summary>
    public static bool HasForm(ReadOnlySpan<byte> value, uint epoch) => HasForm(value) && EpochOf(value) == epoch;

    /// <summary>Which key of its owner sealed a value; 0 where it is too short to say.</summary>
    public static uint EpochOf(ReadOnlySpan<byte> value) => value.Length < HeaderBytes ? 0 : BinaryPrimitives.ReadUInt32BigEndian(value[1..]);

    /// <summary>Where a value belongs: the parts of its associated data.</summary>
    public readonly ref struct Context(Purpose purpose, AggregateKey aggregate, ReadOnlySpan<byte> place, uint epoch)
    {
        readonly ReadOnlySpan<byte> _purpose = Purposes.NameOf(purpose);
        readonly ReadOnlySpan<byte> _type = aggregate.TypeUtf8;
        readonly ReadOnlySpan<byte> _id = aggregate.IdUtf8;
        readonly ReadOnlySpan<byte> _place = place;

        public uint Epoch => epoch;

        public int Bytes => (5 * sizeof(uint)) + _purpose.Length + _type.Length + _id.Length + _place.Length;

        /// <summary>Writes the context and returns the part of the target it took.</summary>
        public ReadOnlySpan<byte> Write(Span<byte> target)
        {
            var at = Add(target, 0, _purpose);
            at = Add(target, at, _type);
            at = Add(target, at, _id);
            at = Add(target, at, _place);
            BinaryPrimitives.WriteUInt32BigEndian(target[at..], epoch);
            return target[..(at + sizeof(uint))];
        }

        static int Add(Span<byte> target, int at, ReadOnlySpan<byte> part)
        {
            BinaryPrimitives.WriteInt32BigEndian(target[at..], part.Length);
            part.CopyTo(target[(at + sizeof(int))..]);
            return at + sizeof(int) + part.Length;
        }
    }
}
