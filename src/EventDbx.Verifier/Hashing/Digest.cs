using System.Buffers.Binary;

namespace EventDbx.Verifier.Hashing;

/// <summary>The 32 bytes of a SHA-256, as a value.</summary>
internal readonly record struct Digest(ulong A, ulong B, ulong C, ulong D)
{
    public const int Length = 32;

    /// <summary>SHA-256 of nothing: the root of a tree without leaves.</summary>
    public static Digest OfNothing { get; } = Sha.Of([]);

    /// <summary>Takes exactly 32 bytes.</summary>
    public static Digest Read(ReadOnlySpan<byte> bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(bytes.Length, Length);
        return new(
            BinaryPrimitives.ReadUInt64BigEndian(bytes), BinaryPrimitives.ReadUInt64BigEndian(bytes[8..]),
            BinaryPrimitives.ReadUInt64BigEndian(bytes[16..]), BinaryPrimitives.ReadUInt64BigEndian(bytes[24..]));
    }

    /// <summary>64 lower-case hex digits and nothing else.</summary>
    public static bool TryParseHex(ReadOnlySpan<byte> text, out Digest digest)
    {
        digest = default;
        Span<byte> bytes = stackalloc byte[Length];
        if (!Text.TryHex(text, bytes))
            return false;
        digest = Read(bytes);
        return true;
    }

    public void Write(Span<byte> target)
    {
        BinaryPrimitives.WriteUInt64BigEndian(target, A);
        BinaryPrimitives.WriteUInt64BigEndian(target[8..], B);
        BinaryPrimitives.WriteUInt64BigEndian(target[16..], C);
        BinaryPrimitives.WriteUInt64BigEndian(target[24..], D);
    }

    /// <summary>Hex, as everywhere in the documents.</summary>
    public override string ToString()
    {
        Span<byte> bytes = stackalloc byte[Length];
        Write(bytes);
        return Convert.ToHexStringLower(bytes);
    }
}
