using System.Globalization;

namespace EventDbx.Events;

/// <summary>A moment in UTC, counted in 100 ns from 1970-01-01T00:00:00Z. Years 1 to 9999.</summary>
/// <remarks>
/// As text: RFC 3339 with <c>Z</c> and 0, 3, 6 or 7 fraction digits, the fewest that lose nothing. More digits than
/// 7 are refused on the way in: a time that was rounded is not the time that was signed.
/// </remarks>
public readonly record struct Timestamp : IComparable<Timestamp>
{
    /// <summary>Longest text in characters: <c>2025-01-31T23:59:59.1234567Z</c>.</summary>
    public const int TextLengthMax = 28;

    const int FractionDigitsMax = 7;

    /// <param name="ticks100ns">100 ns since 1970-01-01Z; negative before.</param>
    /// <exception cref="ArgumentOutOfRangeException">Outside the years 1 to 9999.</exception>
    public Timestamp(long ticks100ns)
    {
        if (!IsInRange(ticks100ns))
            throw new ArgumentOutOfRangeException(nameof(ticks100ns), ticks100ns, "A timestamp lies in the years 1 to 9999.");
        Ticks100ns = ticks100ns;
    }

    /// <summary>The earliest: 0001-01-01T00:00:00Z.</summary>
    public static Timestamp MinValue => new(DateTime.MinValue.Ticks - DateTime.UnixEpoch.Ticks);

    /// <summary>The latest: 9999-12-31T23:59:59.9999999Z.</summary>
    public static Timestamp MaxValue => new(DateTime.MaxValue.Ticks - DateTime.UnixEpoch.Ticks);

    /// <summary>100 ns since 1970-01-01Z; negative before.</summary>
    public long Ticks100ns { get; }

    public static Timestamp From(DateTimeOffset time) => new(time.UtcTicks - DateTime.UnixEpoch.Ticks);

    /// <summary>Whether a stored number is a timestamp.</summary>
    public static bool IsInRange(long ticks100ns) =>
        ticks100ns >= DateTime.MinValue.Ticks - DateTime.UnixEpoch.Ticks
        && ticks100ns <= DateTime.MaxValue.Ticks - DateTime.UnixEpoch.Ticks;

    /// <summary>
    /// Reads RFC 3339: <c>2025-01-31T23:59:59.123Z</c> or with an offset such as <c>+01:00</c>; <c>t</c> and <c>z</c>
    /// may be small. At most 7 fraction digits; no leap seconds.
    /// </summary>
    /// <param name="text">The text, nothing before or after it.</param>
    /// <param name="timestamp">The moment in UTC, or the zero value.</param>
    /// <param name="refusal">Why not, with <see cref="RefusalCode.InvalidArgument"/>.</param>
    public static bool TryParse(ReadOnlySpan<char> text, out Timestamp timestamp, out Refusal refusal)
    {
        timestamp = default;
        refusal = default;
        if (TryRead(text, out var ticks) is { } reason)
        {
            var shown = text.Length <= 40 ? text.ToString() : $"{text[..40]}…";
            refusal = new(RefusalCode.InvalidArgument, $"\"{shown}\" is not a time we keep: {reason}");
            return false;
        }

        timestamp = new(ticks);
        return true;
    }

    public DateTimeOffset ToDateTimeOffset() => new(UtcDateTime);

    /// <summary>RFC 3339, 20, 24, 27 or 28 characters.</summary>
    public override string ToString() => UtcDateTime.ToString(Pattern, CultureInfo.InvariantCulture);

    /// <summary>The same text as UTF-8; false when the target is too short (see <see cref="TextLengthMax"/>).</summary>
    public bool TryFormat(Span<byte> utf8, out int bytesWritten) =>
        UtcDateTime.TryFormat(utf8, out bytesWritten, Pattern, CultureInfo.InvariantCulture);

    public int CompareTo(Timestamp other) => Ticks100ns.CompareTo(other.Ticks100ns);

    DateTime UtcDateTime => new(Ticks100ns + DateTime.UnixEpoch.Ticks, DateTimeKind.Utc);

    string Pattern => (UtcDateTime.Ticks % TimeSpan.TicksPerSecond) switch
    {
        0 => "yyyy-MM-dd'T'HH:mm:ss'Z'",
        var fraction when fraction % TimeSpan.TicksPerMillisecond == 0 => "yyyy-MM-dd'T'HH:mm:ss.fff'Z'",
        var fraction when fraction % TimeSpan.TicksPerMicrosecond == 0 => "yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'",
        _ => "yyyy-MM-dd'T'HH:mm:ss.fffffff'Z'",
    };

    // The ticks, or the reason why there are none.
    static string? TryRead(ReadOnlySpan<char> text, out long ticks)
    {
        const string Form = "the form is 2025-01-31T23:59:59.1234567Z, or with an offset such as +01:00 for the Z.";
        ticks = 0;
        if (text.Length < 20
            || !TryNumber(text[..4], out var year) || text[4] != '-' || !TryNumber(text[5..7], out var month)
            || text[7] != '-' || !TryNumber(text[8..10], out var day) || text[10] is not ('T' or 't')
            || !TryNumber(text[11..13], out var hour) || text[13] != ':' || !TryNumber(text[14..16], out var minute)
            || text[16] != ':' || !TryNumber(text[17..19], out var second))
            return Form;
        if (second == 60)
            return "a leap second has no place among the seconds we count; send :59 or the next minute's :00.";
        if (year is 0 || month is 0 or > 12 || day is 0 || day > DateTime.DaysInMonth(year, month)
            || hour > 23 || minute > 59 || second > 59)
            return "the calendar has no such moment (years 0001 to 9999).";

        if (Fraction(text[19..], out var fractionTicks, out var zone) is { } reason)
            return reason;
        if (!Offset(zone, out var offset))
            return Form;

        ticks = new DateTime(year, month, day, hour, minute, second, DateTimeKind.Utc).Ticks
            - DateTime.UnixEpoch.Ticks + fractionTicks - offset;
        return IsInRange(ticks) ? null : "with its offset it lies outside the years 0001 to 9999.";
    }

    static string? Fraction(ReadOnlySpan<char> rest, out long ticks, out ReadOnlySpan<char> zone)
    {
        ticks = 0;
        zone = rest;
        if (rest[0] != '.')
            return null;

        var digits = rest[1..].IndexOfAnyExceptInRange('0', '9');
        if (digits < 0)
            digits = rest.Length - 1;
        if (digits == 0)
            return "a fraction has at least one digit.";
        if (digits > FractionDigitsMax)
            return $"it has {digits} fraction digits; at most {FractionDigitsMax} (100 ns) are kept, and we do not round.";

        zone = rest[(1 + digits)..];
        for (var i = 1; i <= FractionDigitsMax; i++)
            ticks = (ticks * 10) + (i <= digits ? rest[i] - '0' : 0);
        return null;
    }

    static bool Offset(ReadOnlySpan<char> zone, out long ticks)
    {
        ticks = 0;
        if (zone is "Z" or "z")
            return true;
        if (zone.Length != 6 || zone[0] is not ('+' or '-') || zone[3] != ':'
            || !TryNumber(zone[1..3], out var hours) || !TryNumber(zone[4..6], out var minutes) || hours > 23 || minutes > 59)
            return false;

        ticks = (hours * TimeSpan.TicksPerHour) + (minutes * TimeSpan.TicksPerMinute);
        if (zone[0] == '-')
            ticks = -ticks;
        return true;
    }

    /// <summary>ASCII digits and nothing else; callers bound how many.</summary>
    internal static bool TryNumber(ReadOnlySpan<char> digits, out int value)
    {
        value = 0;
        foreach (var digit in digits)
        {
            if (!char.IsAsciiDigit(digit))
                return false;
            value = (value * 10) + (digit - '0');
        }

        return true;
    }
}
