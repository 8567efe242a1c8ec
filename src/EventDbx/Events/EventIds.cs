using System.Buffers.Binary;

namespace EventDbx.Events;

/// <summary>Event ids: UUID v7 when we make them, any RFC 9562 UUID but nil and max when a client does.</summary>
public static class EventIds
{
    /// <summary>Length as text.</summary>
    public const int TextLength = 36;

    /// <summary>Random bytes that <see cref="New"/> takes.</summary>
    public const int RandomBytes = 10;

    /// <summary>A UUID v7: 48 bits of Unix milliseconds, version, 12 random bits, variant, 62 random bits.</summary>
    /// <param name="time">A clock before 1970 counts as 1970: the field is unsigned.</param>
    /// <param name="random10">Exactly 10 bytes from a good source; 6 of their bits are not used.</param>
    /// <remarks>Source: RFC 9562 §5.7.</remarks>
    public static Guid New(Timestamp time, ReadOnlySpan<byte> random10)
    {
        ArgumentOutOfRangeException.ThrowIfNotEqual(random10.Length, RandomBytes, nameof(random10));
        var milliseconds = (ulong)Math.Max(0, time.Ticks100ns / TimeSpan.TicksPerMillisecond);
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, milliseconds << 16);
        random10.CopyTo(bytes[6..]);
        bytes[6] = (byte)(0x70 | (bytes[6] & 0x0F));
        bytes[8] = (byte)(0x80 | (bytes[8] & 0x3F));
        return new Guid(bytes, bigEndian: true);
    }

    /// <summary>
    /// Reads 8-4-4-4-12 hex digits of either case. Every version and variant is taken: an id is compared, not understood.
    /// </summary>
    /// <param name="text">The text, nothing before or after it.</param>
    /// <param name="id">The id, or nil.</param>
    /// <param name="refusal">Why not, with <see cref="RefusalCode.InvalidArgument"/>.</param>
    public static bool TryParse(ReadOnlySpan<char> text, out Guid id, out Refusal refusal)
    {
        refusal = default;

        // The form is checked first: Guid takes white space around it and signs within it.
        if (!HasForm(text) || !Guid.TryParseExact(text, "D", out id))
        {
            id = default;
            refusal = new(
                RefusalCode.InvalidArgument,
                "event_id is not a UUID; the form is 01890a5d-ac96-774b-bcce-b302099a8057: 8-4-4-4-12 hex digits, no braces.");
            return false;
        }

        if (id != Guid.Empty && id != Guid.AllBitsSet)
            return true;

        var name = id == Guid.Empty ? "nil" : "max";
        refusal = new(RefusalCode.InvalidArgument, $"event_id is the {name} UUID, which names no event; send another or none.");
        id = default;
        return false;
    }

    /// <summary>36 characters, lower-case.</summary>
    public static string Format(Guid id) => id.ToString("D");

    /// <summary>The same as UTF-8; false when the target is shorter than <see cref="TextLength"/>.</summary>
    public static bool TryFormat(Guid id, Span<byte> utf8) => id.TryFormat(utf8, out _, "D");

    static bool HasForm(ReadOnlySpan<char> text)
    {
        if (text.Length != TextLength)
            return false;
        for (var i = 0; i < text.Length; i++)
        {
            if (i is 8 or 13 or 18 or 23 ? text[i] != '-' : !char.IsAsciiHexDigit(text[i]))
                return false;
        }

        return true;
    }
}
