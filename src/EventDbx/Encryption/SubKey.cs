using System.Security.Cryptography;

namespace EventDbx.Encryption;

/// <summary>Keys derived from a key: HKDF-Expand (RFC 5869) with SHA-256 and <c>"eventdbx/1/" ‖ name</c> as info.</summary>
/// <remarks>Expand alone, because what it expands is a uniformly random key already (RFC 5869, 3.3).</remarks>
internal static class SubKey
{
    /// <summary>Bytes of every key here: the data key, an aggregate key, a derived key.</summary>
    public const int Bytes = 32;

    const int NameBytesMax = 16;

    /// <param name="key">32 random bytes.</param>
    /// <param name="name">At most 16 bytes of UTF-8.</param>
    /// <param name="target">32 bytes. Wipe them after use.</param>
    public static void Derive(ReadOnlySpan<byte> key, ReadOnlySpan<byte> name, Span<byte> target)
    {
        var prefix = "eventdbx/1/"u8;
        Span<byte> info = stackalloc byte[prefix.Length + NameBytesMax];
        prefix.CopyTo(info);
        name.CopyTo(info[prefix.Length..]);
        HKDF.Expand(HashAlgorithmName.SHA256, key, target, info[..(prefix.Length + name.Length)]);
    }
}
