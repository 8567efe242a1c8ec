using System.Buffers.Binary;
using System.Security.Cryptography;

namespace EventDbx.Integrity;

/// <summary>A SHA-256 digest: 32 bytes, printed as 64 lower-case hex digits.</summary>
/// <param name="High">Bytes 0 to 15, big-endian.</param>
/// <param name="Low">Bytes 16 to 31, big-endian.</param>
public readonly record struct Hash32(UInt128 High, UInt128 Low)
{
    /// <summary>Length in bytes.</summary>
    public const int Length = 32;

    /// <summary>Length as text: two hex digits a byte.</summary>
    public const int HexLength = 64;

    /// <summary>SHA-256 of nothing: the root of a tree without leaves.</summary>
    public static Hash32 Empty { get; } = Of([]);

    /// <summary>SHA-256 of the content, in one shot.</summary>
    public static Hash32 Of(ReadOnlySpan<byte> content)
    {
        Span<byte> digest = stackalloc byte[Length];
        SHA256.HashData(content, digest);
        return Read(digest);
    }

    /// <summary>Takes the first 32 bytes of <paramref name="source"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There are fewer.</exception>
    public static Hash32 Read(ReadOnlySpan<byte> source) =>
        new(BinaryPrimitives.ReadUInt128BigEndian(source), BinaryPrimitives.ReadUInt128BigEndian(source[16..]));

    /// <summary>Reads exactly 64 lower-case hex digits. Nothing else has one spelling, so nothing else is accepted.</summary>
    public static bool TryParse(ReadOnlySpan<char> hex, out Hash32 hash)
    {
        hash = default;
        if (hex.Length != HexLength || hex.ContainsAnyInRange('A', 'F'))
            return false;
        Span<byte> bytes = stackalloc byte[Length];
        if (Convert.FromHexString(hex, bytes, out _, out _) != System.Buffers.OperationStatus.Done)
            return false;
        hash = Read(bytes);
        return true;
    }

    /// <summary>Writes the 32 bytes.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The target has fewer.</exception>
    public void Write(Span<byte> target)
    {
        BinaryPrimitives.WriteUInt128BigEndian(target, High);
        BinaryPrimitives.WriteUInt128BigEndian(target[16..], Low);
    }

    /// <summary>Writes the 64 hex digits as UTF-8; false when the target is too short.</summary>
    public bool TryFormat(Span<byte> utf8)
    {
        Span<byte> bytes = stackalloc byte[Length];
        Write(bytes);
        return Convert.TryToHexStringLower(bytes, utf8, out _);
    }

    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Length];
        Write(bytes);
        return Convert.ToHexStringLower(bytes);
    }
}
