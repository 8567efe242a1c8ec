using System.Globalization;

namespace EventDbx.Schemas;

/// <summary>Decimals: a sign, 96 bits of digits, up to 28 of them behind the point.</summary>
/// <remarks>
/// Only plain notation. Digits behind the point that do not fit are rounded, half away from zero. A JSON number counts as its
/// canonical text does (<c>1.50</c> is <c>1.5</c>, <c>1e2</c> is <c>100.0</c>), but exactly: never through a double.
/// </remarks>
internal static class DecimalText
{
    const int ScaleMax = 28;

    static readonly UInt128 MantissaMax = (UInt128.One << 96) - 1;

    /// <summary>Reads plain notation: <c>-1_234.50</c>.</summary>
    public static bool TryParse(ReadOnlySpan<char> text, out decimal value)
    {
        value = 0;
        var negative = text is ['-', ..];
        if (text is ['+' or '-', ..])
            text = text[1..];

        UInt128 mantissa = 0;
        int scale = 0, digits = 0;
        bool point = false, full = false;
        for (var i = 0; i < text.Length; i++)
        {
            var letter = text[i];
            if (letter == '.' && !point)
            {
                point = true;
                continue;
            }

            if (letter == '_' && i > 0 && i + 1 < text.Length && (char.IsAsciiDigit(text[i - 1]) || text[i - 1] == '_') && (char.IsAsciiDigit(text[i + 1]) || text[i + 1] == '_'))
                continue;
            if (!char.IsAsciiDigit(letter))
                return false;
            digits++;
            if (full)
                continue;
            var next = (mantissa * 10) + (UInt128)(letter - '0');
            if (next <= MantissaMax && scale < ScaleMax)
            {
                mantissa = next;
                scale += point ? 1 : 0;
                continue;
            }

            if (!point)
                return false;
            full = true;
            if (letter >= '5')
                mantissa++;
        }

        if (digits == 0)
            return false;
        if (mantissa > MantissaMax)
        {
            if (scale == 0)
                return false;
            // One above 96 bits ends in 6: away with the digit.
            (mantissa, scale) = ((mantissa / 10) + 1, scale - 1);
        }

        value = new((int)(uint)mantissa, (int)(uint)(mantissa >> 32), (int)(uint)(mantissa >> 64), negative, (byte)scale);
        return true;
    }

    /// <summary>Reads a JSON number. With an exponent only where its canonical text has none.</summary>
    public static bool TryParseLiteral(ReadOnlySpan<char> literal, out decimal value)
    {
        value = 0;
        var mark = literal.IndexOfAny('e', 'E');
        if (mark >= 0)
            return TryParseExponent(literal, mark, out value);
        if (literal.Contains('.'))
        {
            literal = literal.TrimEnd('0');
            if (literal[^1] != '.')
                return TryParse(literal, out value);
            return TryParse(literal, out value) && TryRescale(ref value);
        }

        return TryParse(literal, out value);
    }

    /// <summary>Digits of the plain text of the absolute value: with a zero before the point, and with zeros at the end.</summary>
    public static int Digits(decimal value)
    {
        Span<int> bits = stackalloc int[4];
        decimal.GetBits(value, bits);
        var mantissa = ((UInt128)(uint)bits[2] << 64) | ((UInt128)(uint)bits[1] << 32) | (uint)bits[0];
        var digits = 1;
        for (; mantissa >= 10; mantissa /= 10)
            digits++;
        return Math.Max(digits, value.Scale + 1);
    }

    // A whole number written as a fraction has one digit behind the point: 1.0, or none when there is no room for it.
    static bool TryRescale(ref decimal value)
    {
        if (decimal.Abs(value) <= decimal.MaxValue / 10)
            value += 0.0m;
        return true;
    }

    static bool TryParseExponent(ReadOnlySpan<char> literal, int mark, out decimal value)
    {
        value = 0;
        var mantissa = literal[..mark];
        var negative = mantissa[0] == '-';
        if (negative)
            mantissa = mantissa[1..];
        if (!int.TryParse(literal[(mark + 1)..], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var exponent) || Math.Abs((long)exponent) > 2000)
            return mantissa.IndexOfAnyInRange('1', '9') < 0;

        Span<char> digits = stackalloc char[Limits.NumberCharactersMax];
        var count = 0;
        var before = mantissa.IndexOf('.');
        before = before < 0 ? mantissa.Length : before;
        foreach (var letter in mantissa)
        {
            if (letter != '.')
                digits[count++] = letter;
        }

        var leading = digits[..count].IndexOfAnyExcept('0');
        if (leading < 0)
            return TryParse("0.0", out value);
        var kept = digits[leading..count].TrimEnd('0');
        // 10^(places-1) ≤ |v| < 10^places, the bounds of canonical text without an exponent.
        var places = before - leading + exponent;
        if (places is <= -5 or > 16)
            return false;

        Span<char> plain = stackalloc char[Limits.NumberCharactersMax + 32];
        var at = 0;
        if (negative)
            plain[at++] = '-';
        if (places <= 0)
        {
            plain[at++] = '0';
            plain[at++] = '.';
            for (var i = places; i < 0; i++)
                plain[at++] = '0';
            kept.CopyTo(plain[at..]);
            at += kept.Length;
        }
        else
        {
            for (var i = 0; i < Math.Max(places, kept.Length); i++)
            {
                if (i == places)
                    plain[at++] = '.';
                plain[at++] = i < kept.Length ? kept[i] : '0';
            }

            if (kept.Length <= places)
            {
                plain[at++] = '.';
                plain[at++] = '0';
            }
        }

        return TryParse(plain[..at], out value);
    }
}
