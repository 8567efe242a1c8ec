namespace EventDbx;

/// <summary>Unsigned LEB128: seven bits a byte, lowest first, the top bit set on all but the last.</summary>
internal static class Varint
{
    /// <summary>Longest 32-bit value in bytes.</summary>
    public const int BytesMax = 5;

    /// <summary>Bytes of one value.</summary>
    public static int BytesOf(uint value) => value switch
    {
        < 1u << 7 => 1,
        < 1u << 14 => 2,
        < 1u << 21 => 3,
        < 1u << 28 => 4,
        _ => 5,
    };

    /// <summary>Writes a value and returns its bytes.</summary>
    public static int Write(Span<byte> target, uint value)
    {
        var at = 0;
        for (; value >= 0x80; value >>= 7)
            target[at++] = (byte)(value | 0x80);
        target[at++] = (byte)value;
        return at;
    }

    /// <summary>Reads a value and moves past it; false when it is cut off, above 32 bits, or longer than it need be.</summary>
    public static bool TryRead(scoped ref ReadOnlySpan<byte> source, out uint value)
    {
        value = 0;
        for (var i = 0; i < source.Length && i < BytesMax; i++)
        {
            var part = source[i];
            if (i == BytesMax - 1 && part > 0x0F)
                return false;
            value |= (uint)(part & 0x7F) << (7 * i);
            if (part >= 0x80)
                continue;
            source = source[(i + 1)..];
            return part != 0 || i == 0;
        }

        return false;
    }
}
