using System.Buffers;
using System.Globalization;

namespace EventDbx.Schemas;

/// <summary>A value of a payload in the type of its column: what bounds and <c>must_match</c> compare.</summary>
/// <remarks>
/// One of the three is set, by the kind: <see cref="Whole"/> for integers, booleans (0, 1), dates (days) and timestamps
/// (nanoseconds), both from 1970-01-01; <see cref="Real"/> for floats; <see cref="Number"/> for decimals. The other kinds are
/// compared as text. Payloads and bounds are read alike.
/// </remarks>
internal readonly record struct ColumnValue(Int128 Whole, double Real, decimal Number)
{
    // Looked for first: the framework's parsers also take NUL characters behind a number.
    static readonly SearchValues<char> WholeCharacters = SearchValues.Create("0123456789+-");
    static readonly SearchValues<char> RealCharacters = SearchValues.Create("0123456789.eE+-");

    /// <summary>Reads a value of the payload.</summary>
    /// <param name="kind">Of the column; not text, json, binary, object.</param>
    /// <param name="json">Minified JSON.</param>
    /// <param name="value">What it is.</param>
    public static bool TryRead(ColumnKind kind, ReadOnlySpan<byte> json, out ColumnValue value)
    {
        value = default;
        switch (json[0])
        {
            case (byte)'"':
                using (JsonText text = new(json, stackalloc char[JsonText.StackCharacters]))
                    return TryParse(kind, kind is ColumnKind.Timestamp or ColumnKind.Date ? text.Characters : text.Characters.Trim(), out value);
            case (byte)'t' or (byte)'f':
                value = new(json[0] == (byte)'t' ? 1 : 0, 0, 0);
                return kind == ColumnKind.Boolean;
            case (byte)'n' or (byte)'{' or (byte)'[':
                return false;
            default:
                return TryReadNumber(kind, json, out value);
        }
    }

    /// <summary>Reads a text in the type of a column: a JSON string's content, or a bound.</summary>
    public static bool TryParse(ColumnKind kind, ReadOnlySpan<char> text, out ColumnValue value)
    {
        value = default;
        switch (kind)
        {
            case ColumnKind.Integer:
                if (text.ContainsAnyExcept(WholeCharacters)
                    || !long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole))
                    return false;
                value = new(whole, 0, 0);
                return true;
            case ColumnKind.Boolean:
                var yes = text is "1" || text.Equals("true", StringComparison.OrdinalIgnoreCase);
                value = new(yes ? 1 : 0, 0, 0);
                return yes || text is "0" || text.Equals("false", StringComparison.OrdinalIgnoreCase);
            case ColumnKind.Float:
                var isReal = TryReal(text, out var real);
                value = new(0, real, 0);
                return isReal;
            case ColumnKind.Decimal:
                var isNumber = DecimalText.TryParse(text, out var number);
                value = new(0, 0, number);
                return isNumber;
            case ColumnKind.Timestamp:
                var isTime = CalendarText.TryTimestamp(text, out var nanoseconds);
                value = new(nanoseconds, 0, 0);
                return isTime;
            case ColumnKind.Date:
                var isDate = CalendarText.TryDate(text, out var days);
                value = new(days, 0, 0);
                return isDate;
            default:
                return false;
        }
    }

    /// <summary>−1, 0, 1; null when one of them is not a number, which has no order.</summary>
    public int? CompareTo(in ColumnValue other, ColumnKind kind) => kind switch
    {
        ColumnKind.Float => double.IsNaN(Real) || double.IsNaN(other.Real) ? null : Real.CompareTo(other.Real),
        ColumnKind.Decimal => Number.CompareTo(other.Number),
        _ => Whole.CompareTo(other.Whole),
    };

    static bool TryReadNumber(ColumnKind kind, ReadOnlySpan<byte> json, out ColumnValue value)
    {
        value = default;
        switch (kind)
        {
            case ColumnKind.Integer:
                // -0 is not an integer, as everywhere in JSON's canonical text.
                if (json.IndexOfAny((byte)'.', (byte)'e', (byte)'E') >= 0 || json.SequenceEqual("-0"u8)
                    || !long.TryParse(json, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var whole))
                    return false;
                value = new(whole, 0, 0);
                return true;
            case ColumnKind.Boolean:
                value = new(json[0] == (byte)'1' ? 1 : 0, 0, 0);
                return json is [(byte)'0' or (byte)'1'];
            case ColumnKind.Float:
                var isReal = double.TryParse(json, NumberStyles.Float, CultureInfo.InvariantCulture, out var real) && double.IsFinite(real);
                value = new(0, real, 0);
                return isReal;
            case ColumnKind.Decimal:
                using (JsonText text = new(json, stackalloc char[JsonText.StackCharacters]))
                {
                    var isNumber = DecimalText.TryParseLiteral(text.Characters, out var number);
                    value = new(0, 0, number);
                    return isNumber;
                }

            default:
                return false;
        }
    }

    static bool TryReal(ReadOnlySpan<char> text, out double real)
    {
        var unsigned = text is ['+' or '-', ..] ? text[1..] : text;
        var sign = text is ['-', ..] ? -1.0 : 1.0;
        real = sign * (unsigned.Equals("nan", StringComparison.OrdinalIgnoreCase) ? double.NaN : double.PositiveInfinity);
        if (double.IsNaN(real) || unsigned.Equals("inf", StringComparison.OrdinalIgnoreCase) || unsigned.Equals("infinity", StringComparison.OrdinalIgnoreCase))
            return true;
        const NumberStyles Style = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;
        return !text.ContainsAnyExcept(RealCharacters) && double.TryParse(text, Style, CultureInfo.InvariantCulture, out real);
    }
}
