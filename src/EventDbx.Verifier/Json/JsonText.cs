using System.Buffers;
using System.Text.Unicode;

namespace EventDbx.Verifier.Json;

/// <summary>The grammar of RFC 8259 over bytes, and nothing beyond it. A text is checked whole before anything is read from it.</summary>
internal static class JsonText
{
    static readonly SearchValues<byte> EndsPlainText =
        SearchValues.Create([(byte)'"', (byte)'\\', .. Enumerable.Range(0, 0x20).Select(value => (byte)value)]);

    static readonly SearchValues<byte> NotWhite = SearchValues.Create([.. Enumerable.Range(0, 256)
        .Select(value => (byte)value).Where(value => value is not ((byte)' ' or (byte)'\t' or (byte)'\n' or (byte)'\r'))]);

    /// <summary>The value in the text, without the white space around it.</summary>
    /// <exception cref="RefutedException">It is no JSON text: not UTF-8, another grammar, half a surrogate pair, nested too deeply.</exception>
    public static ReadOnlyMemory<byte> Checked(ReadOnlyMemory<byte> text, string what)
    {
        var utf8 = text.Span;
        if (utf8.StartsWith("\uFEFF"u8))
            throw Malformed(what, 0, "it begins with a byte order mark");
        if (!Utf8.IsValid(utf8))
            throw new RefutedException($"{what} is malformed: it is not UTF-8.");
        var begin = White(utf8, 0);
        var end = Value(utf8, begin, 0, what);
        if (White(utf8, end) is var rest && rest != utf8.Length)
            throw Malformed(what, rest, "something stands behind its JSON value");
        return text[begin..end];
    }

    /// <summary>The index behind the white space.</summary>
    public static int White(ReadOnlySpan<byte> text, int at) =>
        text[at..].IndexOfAny(NotWhite) is var length and >= 0 ? at + length : text.Length;

    /// <summary>The index behind the value that begins here.</summary>
    public static int Value(ReadOnlySpan<byte> text, int at, int depth, string what)
    {
        if (at == text.Length)
            throw Malformed(what, at, "it ends where a value belongs");
        return text[at] switch
        {
            (byte)'{' => Object(text, at, depth + 1, what),
            (byte)'[' => Array(text, at, depth + 1, what),
            (byte)'"' => String(text, at, what),
            (byte)'t' => Word(text, at, "true"u8, what),
            (byte)'f' => Word(text, at, "false"u8, what),
            (byte)'n' => Word(text, at, "null"u8, what),
            _ => Number(text, at, what),
        };
    }

    /// <summary>The index behind the string whose quote stands here.</summary>
    public static int String(ReadOnlySpan<byte> text, int at, string what)
    {
        if (at == text.Length || text[at] != (byte)'"')
            throw Malformed(what, at, "a string belongs here");
        at++;
        while (true)
        {
            var plain = text[at..].IndexOfAny(EndsPlainText);
            if (plain < 0)
                throw Malformed(what, text.Length, "it ends within a string");
            at += plain;
            if (text[at] == (byte)'"')
                return at + 1;
            if (text[at] != (byte)'\\')
                throw Malformed(what, at, "a control character stands within a string");
            at = Escape(text, at, what);
        }
    }

    /// <summary>Four hex digits of <c>\uXXXX</c>, or −1.</summary>
    public static int Unit(ReadOnlySpan<byte> text, int at)
    {
        if (text.Length - at < 6 || text[at] != (byte)'\\' || text[at + 1] != (byte)'u')
            return -1;
        var unit = 0;
        for (var i = at + 2; i < at + 6; i++)
        {
            var digit = text[i] is >= (byte)'0' and <= (byte)'9' ? text[i] - '0' : (text[i] | 0x20) is >= 'a' and <= 'f' and var letter ? letter - 'a' + 10 : -1;
            if (digit < 0)
                return -1;
            unit = (unit << 4) | digit;
        }

        return unit;
    }

    /// <summary>A checked value without the white space outside its strings, and otherwise to the byte.</summary>
    public static ReadOnlyMemory<byte> Minified(ReadOnlyMemory<byte> value)
    {
        var text = value.Span;
        var copy = ArrayPool<byte>.Shared.Rent(text.Length);
        var length = 0;
        for (var at = White(text, 0); at < text.Length; at = White(text, at))
        {
            var end = text[at] == (byte)'"' ? String(text, at, "") : at + 1;
            text[at..end].CopyTo(copy.AsSpan(length));
            length += end - at;
            at = end;
        }

        ReadOnlyMemory<byte> minified = length == text.Length ? value : copy.AsSpan(0, length).ToArray();
        ArrayPool<byte>.Shared.Return(copy);
        return minified;
    }

    /// <summary>What a checked string stands for, as UTF-8.</summary>
    /// <param name="quoted">With its quotes.</param>
    public static ReadOnlyMemory<byte> Unescaped(ReadOnlyMemory<byte> quoted)
    {
        var raw = quoted[1..^1];
        var text = raw.Span;
        if (!text.Contains((byte)'\\'))
            return raw;
        var target = new byte[text.Length];
        var (at, length) = (0, 0);
        while (at < text.Length)
        {
            if (text[at] != (byte)'\\')
            {
                target[length++] = text[at++];
                continue;
            }

            if (text[at + 1] != (byte)'u')
            {
                target[length++] = (char)text[at + 1] switch { 'b' => 8, 'f' => 12, 'n' => 10, 'r' => 13, 't' => 9, var itself => (byte)itself };
                at += 2;
                continue;
            }

            var unit = (char)Unit(text, at);
            at += 6;
            var rune = char.IsHighSurrogate(unit) ? new System.Text.Rune(unit, (char)Unit(text, at)) : new System.Text.Rune(unit);
            at += char.IsHighSurrogate(unit) ? 6 : 0;
            length += rune.EncodeToUtf8(target.AsSpan(length));
        }

        return target.AsMemory(0, length);
    }

    public static RefutedException Malformed(string what, int at, string why) => new($"{what} is malformed: {why} (at byte {at}).");

    static int Object(ReadOnlySpan<byte> text, int at, int depth, string what)
    {
        at = Enter(text, at, depth, what);
        if (at < text.Length && text[at] == (byte)'}')
            return at + 1;
        while (true)
        {
            at = White(text, String(text, at, what));
            if (at == text.Length || text[at] != (byte)':')
                throw Malformed(what, at, "a colon belongs here");
            at = White(text, Value(text, White(text, at + 1), depth, what));
            if (Closes(text, at, (byte)'}', what))
                return at + 1;
            at = White(text, at + 1);
        }
    }

    static int Array(ReadOnlySpan<byte> text, int at, int depth, string what)
    {
        at = Enter(text, at, depth, what);
        if (at < text.Length && text[at] == (byte)']')
            return at + 1;
        while (true)
        {
            at = White(text, Value(text, at, depth, what));
            if (Closes(text, at, (byte)']', what))
                return at + 1;
            at = White(text, at + 1);
        }
    }

    static int Enter(ReadOnlySpan<byte> text, int at, int depth, string what)
    {
        if (depth > Limits.JsonDepthMax)
            throw Malformed(what, at, $"it is nested more than {Limits.JsonDepthMax} levels deep");
        return White(text, at + 1);
    }

    static bool Closes(ReadOnlySpan<byte> text, int at, byte bracket, string what)
    {
        if (at < text.Length && text[at] == bracket)
            return true;
        if (at == text.Length || text[at] != (byte)',')
            throw Malformed(what, at, $"a comma or {(char)bracket} belongs here");
        return false;
    }

    static int Escape(ReadOnlySpan<byte> text, int at, string what)
    {
        if (at + 1 == text.Length)
            throw Malformed(what, text.Length, "it ends within a string");
        if ("\"\\/bfnrt"u8.Contains(text[at + 1]))
            return at + 2;
        var unit = Unit(text, at);
        if (unit < 0)
            throw Malformed(what, at, "JSON has no such escape");
        if (!char.IsSurrogate((char)unit))
            return at + 6;
        if (!char.IsHighSurrogate((char)unit) || Unit(text, at + 6) is not (>= 0xDC00 and <= 0xDFFF))
            throw Malformed(what, at, "half a surrogate pair is not text");
        return at + 12;
    }

    static int Word(ReadOnlySpan<byte> text, int at, ReadOnlySpan<byte> word, string what) =>
        text[at..].StartsWith(word) ? at + word.Length : throw Malformed(what, at, "no JSON value begins so");

    static int Number(ReadOnlySpan<byte> text, int at, string what)
    {
        var begin = at;
        if (text[at] == (byte)'-')
            at++;
        var digits = Digits(text, at);
        if (digits == at)
            throw Malformed(what, begin, "no JSON value begins so");
        if (text[at] == (byte)'0' && digits > at + 1)
            throw Malformed(what, begin, "a number begins with a zero");
        at = digits;
        if (at < text.Length && text[at] == (byte)'.')
            at = SomeDigits(text, at + 1, what);
        if (at < text.Length && text[at] is (byte)'e' or (byte)'E')
            at = SomeDigits(text, at + (at + 1 < text.Length && text[at + 1] is (byte)'+' or (byte)'-' ? 2 : 1), what);
        return at;
    }

    static int SomeDigits(ReadOnlySpan<byte> text, int at, string what) =>
        Digits(text, at) is var end && end > at ? end : throw Malformed(what, at, "a digit belongs here");

    static int Digits(ReadOnlySpan<byte> text, int at)
    {
        while (at < text.Length && text[at] is >= (byte)'0' and <= (byte)'9')
            at++;
        return at;
    }
}
