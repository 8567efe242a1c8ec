namespace EventDbx.Schemas;

/// <summary>Dates and moments in payloads, which are wider than the times we keep: any fraction, years from 0000, leap seconds.</summary>
internal static class CalendarText
{
    const int NanosecondsPerSecond = 1_000_000_000;
    const int FractionDigitsKept = 9;

    /// <summary>Reads <c>2025-01-31</c>; month and day may have one digit. Days from 1970-01-01.</summary>
    public static bool TryDate(ReadOnlySpan<char> text, out int days)
    {
        days = 0;
        if (text.Length is < 8 or > 10 || text[4] != '-' || !Timestamp.TryNumber(text[..4], out var year))
            return false;
        var rest = text[5..];
        var dash = rest.IndexOf('-');
        if (dash is not (1 or 2) || rest.Length - dash - 1 is not (1 or 2)
            || !Timestamp.TryNumber(rest[..dash], out var month) || !Timestamp.TryNumber(rest[(dash + 1)..], out var day))
            return false;
        return TryDays(year, month, day, out days);
    }

    /// <summary>
    /// Reads RFC 3339 with any offset; <c>T</c>, <c>t</c> or a blank between date and time. Nanoseconds from 1970-01-01T00:00:00Z;
    /// digits of the fraction beyond nine are not looked at.
    /// </summary>
    public static bool TryTimestamp(ReadOnlySpan<char> text, out Int128 nanoseconds)
    {
        nanoseconds = 0;
        if (text.Length < 20
            || !Timestamp.TryNumber(text[..4], out var year) || text[4] != '-' || !Timestamp.TryNumber(text[5..7], out var month)
            || text[7] != '-' || !Timestamp.TryNumber(text[8..10], out var day) || text[10] is not ('T' or 't' or ' ')
            || !Timestamp.TryNumber(text[11..13], out var hour) || text[13] != ':' || !Timestamp.TryNumber(text[14..16], out var minute)
            || text[16] != ':' || !Timestamp.TryNumber(text[17..19], out var second)
            || hour > 23 || minute > 59 || second > 60 || !TryDays(year, month, day, out var days))
            return false;

        var rest = text[19..];
        var fraction = 0;
        if (rest[0] == '.')
        {
            var digits = rest[1..].IndexOfAnyExceptInRange('0', '9');
            if (digits < 1)
                return false;
            for (var i = 1; i <= FractionDigitsKept; i++)
                fraction = (fraction * 10) + (i <= digits ? rest[i] - '0' : 0);
            rest = rest[(1 + digits)..];
        }

        if (!TryOffset(rest, out var offset))
            return false;
        var seconds = ((long)days * 86_400) + (hour * 3_600) + (minute * 60) + second - offset;
        nanoseconds = ((Int128)seconds * NanosecondsPerSecond) + fraction;
        return true;
    }

    static bool TryOffset(ReadOnlySpan<char> zone, out int seconds)
    {
        seconds = 0;
        if (zone is "Z" or "z")
            return true;
        if (zone.Length != 6 || zone[0] is not ('+' or '-') || zone[3] != ':'
            || !Timestamp.TryNumber(zone[1..3], out var hours) || !Timestamp.TryNumber(zone[4..6], out var minutes) || hours > 23 || minutes > 59)
            return false;
        seconds = (hours * 3_600) + (minutes * 60);
        if (zone[0] == '-')
            seconds = -seconds;
        return true;
    }

    static bool TryDays(int year, int month, int day, out int days)
    {
        days = 0;
        // Year 0 is a leap year, as 2000 is; the framework's calendar starts at 1.
        if (month is 0 or > 12 || day == 0 || day > DateTime.DaysInMonth(year == 0 ? 2000 : year, month))
            return false;
        // Years that start in March have the leap day at their end.
        var shifted = month > 2 ? year : year - 1;
        var era = (shifted >= 0 ? shifted : shifted - 399) / 400;
        var ofEra = shifted - (era * 400);
        var ofYear = (((153 * (month > 2 ? month - 3 : month + 9)) + 2) / 5) + day - 1;
        days = (era * 146_097) + (ofEra * 365) + (ofEra / 4) - (ofEra / 100) + ofYear - 719_468;
        return true;
    }
}
