using System.Buffers.Binary;
using Org.BouncyCastle.Crypto.Digests;

namespace EventDbx.Verifier.Hashing;

/// <summary>SHA-256, and the bytes that go into it: docs/integrity.md, section 1.</summary>
/// <remarks>
/// Managed code: that of the framework is the system's OpenSSL, and whoever checks a receipt may have none. One hash at a time per
/// thread.
/// </remarks>
internal static class Sha
{
    [ThreadStatic]
    static Sha256Digest? _digest;

    static Sha256Digest Hash => _digest ??= new Sha256Digest();

    public static Digest Of(ReadOnlySpan<byte> bytes)
    {
        Hash.BlockUpdate(bytes);
        return End();
    }

    /// <summary><c>SHA-256(01 ‖ left ‖ right)</c>.</summary>
    public static Digest Node(Digest left, Digest right)
    {
        Span<byte> node = stackalloc byte[1 + (2 * Digest.Length)];
        node[0] = 0x01;
        left.Write(node[1..]);
        right.Write(node[(1 + Digest.Length)..]);
        return Of(node);
    }

    /// <summary>Begins a leaf: <c>SHA-256(00 ‖ …</c>.</summary>
    public static void Begin() => Byte(0x00);

    public static void Byte(byte value) => Hash.Update(value);

    public static void Bytes(ReadOnlySpan<byte> bytes) => Hash.BlockUpdate(bytes);

    public static void U64(ulong value)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, value);
        Bytes(bytes);
    }

    /// <summary>A length in four bytes, and that many bytes.</summary>
    public static void Lp(ReadOnlySpan<byte> bytes)
    {
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(length, (uint)bytes.Length);
        Bytes(length);
        Bytes(bytes);
    }

    public static Digest End()
    {
        Span<byte> bytes = stackalloc byte[Digest.Length];
        Hash.DoFinal(bytes);
        return Digest.Read(bytes);
    }
}
