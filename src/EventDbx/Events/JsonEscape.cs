using System.Buffers;
using System.Text;

namespace EventDbx.Events;

/// <summary>Strings between their bytes and their JSON form, both UTF-8.</summary>
internal static class JsonEscape
{
    /// <summary>What ends a run of plain bytes inside a JSON string: quote, backslash, control characters.</summary>
    public static readonly SearchValues<byte> Special =
        SearchValues.Create([(byte)'"', (byte)'\\', .. Enumerable.Range(0, 0x20).Select(value => (byte)value)]);

    /// <summary>Undoes the escapes of a string that has been checked, and returns the bytes written.</summary>
    /// <param name="raw">What stands between the quotes; well-formed, with whole surrogate pairs.</param>
    /// <param name="target">At least as long as <paramref name="raw"/>: no escape is shorter than what it stands for.</param>
    public static int Unescape(ReadOnlySpan<byte> raw, Span<byte> target)
    {
        var written = 0;
        while (!raw.IsEmpty)
        {
            var plain = raw.IndexOf((byte)'\\');
            if (plain < 0)
                plain = raw.Length;
            raw[..plain].CopyTo(target[written..]);
            written += plain;
            raw = raw[plain..];
            if (raw.IsEmpty)
                break;

            if (raw[1] == (byte)'u')
            {
                written += UnescapeUnicode(ref raw, target[written..]);
                continue;
            }

            target[written++] = raw[1] switch
            {
                (byte)'b' => (byte)'\b',
                (byte)'f' => (byte)'\f',
                (byte)'n' => (byte)'\n',
                (byte)'r' => (byte)'\r',
                (byte)'t' => (byte)'\t',
                var itself => itself,
            };
            raw = raw[2..];
        }

        return written;
    }

    /// <summary>Reads <c>\uXXXX</c> at the start of the text.</summary>
    public static bool TryReadUnit(ReadOnlySpan<byte> text, out char unit)
    {
        unit = default;
        if (text.Length < 6 || text[0] != (byte)'\\' || text[1] != (byte)'u')
            return false;
        for (var i = 2; i < 6; i++)
        {
            var digit = HexValue(text[i]);
            if (digit < 0)
                return false;
            unit = (char)((unit << 4) | digit);
        }

        return true;
    }

    /// <summary>Writes a string in quotes, escaping only what JSON requires: quote, backslash, control characters.</summary>
    public static void WriteString(IBufferWriter<byte> output, ReadOnlySpan<byte> utf8)
    {
        output.Write("\""u8);
        for (var plain = utf8.IndexOfAny(Special); plain >= 0; plain = utf8.IndexOfAny(Special))
        {
            output.Write(utf8[..plain]);
            WriteEscape(output, utf8[plain]);
            utf8 = utf8[(plain + 1)..];
        }

        output.Write(utf8);
        output.Write("\""u8);
    }

    static void WriteEscape(IBufferWriter<byte> output, byte special)
    {
        switch (special)
        {
            case (byte)'"': output.Write("\\\""u8); break;
            case (byte)'\\': output.Write("\\\\"u8); break;
            case (byte)'\b': output.Write("\\b"u8); break;
            case (byte)'\f': output.Write("\\f"u8); break;
            case (byte)'\n': output.Write("\\n"u8); break;
            case (byte)'\r': output.Write("\\r"u8); break;
            case (byte)'\t': output.Write("\\t"u8); break;
            default:
                var digits = "0123456789abcdef"u8;
                output.Write([(byte)'\\', (byte)'u', (byte)'0', (byte)'0', digits[special >> 4], digits[special & 0xF]]);
                break;
        }
    }

    static int UnescapeUnicode(ref ReadOnlySpan<byte> raw, Span<byte> target)
    {
        TryReadUnit(raw, out var unit);
        raw = raw[6..];
        if (!char.IsHighSurrogate(unit))
            return new Rune(unit).EncodeToUtf8(target);
        TryReadUnit(raw, out var low);
        raw = raw[6..];
        return new Rune(unit, low).EncodeToUtf8(target);
    }

    static int HexValue(byte digit) => digit switch
    {
        >= (byte)'0' and <= (byte)'9' => digit - '0',
        >= (byte)'a' and <= (byte)'f' => digit - 'a' + 10,
        >= (byte)'A' and <= (byte)'F' => digit - 'A' + 10,
        _ => -1,
    };
}
