using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace EventDbx.Verifier;

/// <summary>Texts that have one spelling each: hex, base64, numbers, times, UUIDs. Another spelling is not that text.</summary>
internal static class Text
{
    public static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Lower-case hex of exactly as many bytes as the target has.</summary>
    public static bool TryHex(ReadOnlySpan<byte> text, Span<byte> target)
    {
        if (text.Length != 2 * target.Length)
            return false;
        for (var i = 0; i < target.Length; i++)
        {
            var (high, low) = (HexValue(text[2 * i]), HexValue(text[(2 * i) + 1]));
            if (high < 0 || low < 0)
                return false;
            target[i] = (byte)((high << 4) | low);
        }

        return true;
    }

    /// <summary>RFC 4648 section 4, padded, without white space, unused bits zero.</summary>
    public static bool TryBase64(ReadOnlySpan<char> text, out byte[] bytes)
    {
        bytes = [];
        if (text.Length % 4 != 0 || text.Length > Limits.NoteBytesMax)
            return false;
        var buffer = new byte[text.Length / 4 * 3];
        if (!Convert.TryFromBase64Chars(text, buffer, out var length) || !text.SequenceEqual(Convert.ToBase64String(buffer, 0, length)))
            return false;
        bytes = buffer[..length];
        return true;
    }

    /// <summary>16 bytes as RFC 4648 section 5 without padding: 22 characters, the unused bits zero.</summary>
    public static bool TrySalt(ReadOnlySpan<byte> text, Span<byte> salt)
    {
        Span<byte> again = stackalloc byte[22];
        return text.Length == 22
            && Base64Url.DecodeFromUtf8(text, salt, out var read, out var written) == System.Buffers.OperationStatus.Done
            && read == 22 && written == 16
            && Base64Url.EncodeToUtf8(salt, again) == 22 && text.SequenceEqual(again);
    }

    /// <summary>Digits without a leading zero, up to 2^64 − 1.</summary>
    public static bool TryNumber(ReadOnlySpan<byte> text, out ulong number)
    {
        number = 0;
        if (text.Length is 0 or > 20 || (text[0] == (byte)'0' && text.Length > 1))
            return false;
        foreach (var digit in text)
        {
            if (digit is < (byte)'0' or > (byte)'9')
                return false;
            var next = ((UInt128)number * 10) + (uint)(digit - '0');
            if (next > ulong.MaxValue)
                return false;
            number = (ulong)next;
        }

        return true;
    }

    /// <summary>The same for characters.</summary>
    public static bool TryNumber(ReadOnlySpan<char> text, out ulong number)
    {
        number = 0;
        Span<byte> bytes = stackalloc byte[20];
        return text.Length <= bytes.Length && System.Text.Ascii.IsValid(text)
            && TryNumber(bytes[..System.Text.Encoding.ASCII.GetBytes(text, bytes)], out number);
    }

    /// <summary>A lower-case UUID as its 16 bytes, in the order of the text.</summary>
    public static bool TryUuid(ReadOnlySpan<byte> text, Span<byte> bytes)
    {
        if (text.Length != 36 || text[8] != '-' || text[13] != '-' || text[18] != '-' || text[23] != '-')
            return false;
        return TryHex(text[..8], bytes[..4]) && TryHex(text[9..13], bytes[4..6]) && TryHex(text[14..18], bytes[6..8])
            && TryHex(text[19..23], bytes[8..10]) && TryHex(text[24..], bytes[10..16]);
    }

    /// <summary>RFC 3339 with <c>T</c>, <c>Z</c> and 0, 3, 6 or 7 fraction digits, the fewest that lose nothing: 100 ns since 1970.</summary>
    public static bool TryTime(ReadOnlySpan<byte> text, out long ticks)
    {
        ticks = 0;
        if (text.Length is not (20 or 24 or 27 or 28) || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':'
            || text[16] != ':' || text[^1] != 'Z' || (text.Length > 20 && text[19] != '.')
            || !TryDigits(text[..4], out var year) || !TryDigits(text[5..7], out var month) || !TryDigits(text[8..10], out var day)
            || !TryDigits(text[11..13], out var hour) || !TryDigits(text[14..16], out var minute) || !TryDigits(text[17..19], out var second))
            return false;
        var fraction = 0;
        if (text.Length > 20 && !TryDigits(text[20..^1], out fraction))
            return false;
        if (year == 0 || month is 0 or > 12 || day == 0 || day > DateTime.DaysInMonth(year, month) || hour > 23 || minute > 59 || second > 59)
            return false;
        // Fewer digits would do: then this is not how the time is written.
        if ((text.Length == 28 && fraction % 10 == 0) || (text.Length is 24 or 27 && fraction % 1000 == 0))
            return false;
        var digits = text.Length > 20 ? text.Length - 21 : 7;
        for (; digits < 7; digits++)
            fraction *= 10;
        ticks = new DateTime(year, month, day, hour, minute, second, DateTimeKind.Utc).Ticks + fraction - DateTime.UnixEpoch.Ticks;
        return true;
    }

    /// <summary>Seconds since 1970 for people; the number itself where no calendar reaches.</summary>
    public static string Seconds(ulong seconds) => seconds <= 253_402_300_799
        ? DateTime.UnixEpoch.AddSeconds(seconds).ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture)
        : string.Create(CultureInfo.InvariantCulture, $"second {seconds}");

    /// <summary>The value of a hex digit, or −1.</summary>
    static int HexValue(byte digit) => digit switch
    {
        >= (byte)'0' and <= (byte)'9' => digit - '0',
        >= (byte)'a' and <= (byte)'f' => digit - 'a' + 10,
        _ => -1,
    };

    static bool TryDigits(ReadOnlySpan<byte> text, out int value)
    {
        value = 0;
        foreach (var digit in text)
        {
            if (digit is < (byte)'0' or > (byte)'9')
                return false;
            value = (value * 10) + (digit - '0');
        }

        return true;
    }
}
