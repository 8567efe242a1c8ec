using System.Globalization;
using System.Text;

namespace EventDbx.Server.Logs;

/// <summary>A line of the log as text: time, level, source, message, then <c>key=value</c>.</summary>
/// <remarks>Nothing in it can break the line or move a terminal's cursor: whatever a client sent is escaped.</remarks>
internal static class LogText
{
    /// <summary>Of the time a line begins with; RFC 3339, UTC.</summary>
    public const string TimeForm = "yyyy-MM-dd'T'HH:mm:ss.fff'Z'";

    /// <summary>The line, with its end.</summary>
    public static string Of(LogLine line)
    {
        StringBuilder text = new(128);
        text.Append(line.Time.ToDateTimeOffset().UtcDateTime.ToString(TimeForm, CultureInfo.InvariantCulture));
        text.Append(' ').Append(LogSettings.NameOf(line.Level).PadRight(5)).Append(' ').Append(line.Source).Append(' ');
        Escape(text, line.Message);
        if (line.Failure is { } failure)
            Escape(text, $" error={Value(failure.ToString())}");
        return text.Append('\n').ToString();
    }

    /// <summary>What stands behind a <c>key=</c>: as it is, or in quotes where it would not be one word.</summary>
    public static string Value(string value)
    {
        if (value.Length > 0 && !value.AsSpan().ContainsAny(' ', '"', '='))
            return value;
        return $"\"{value.Replace("\"", "\\\"", StringComparison.Ordinal)}\"";
    }

    /// <summary>A text of somebody else on one line: what would end the line or move a cursor is escaped.</summary>
    public static string Escaped(string text)
    {
        StringBuilder line = new(text.Length);
        Escape(line, text);
        return line.ToString();
    }

    static void Escape(StringBuilder line, string text)
    {
        foreach (var c in text)
        {
            _ = c switch
            {
                '\n' => line.Append("\\n"),
                '\r' => line.Append("\\r"),
                '\t' => line.Append("\\t"),
                // C1 controls, and the marks that end a line or turn the direction of text, too.
                < ' ' or (>= '\u007f' and <= '\u009f') or (>= '\u2028' and <= '\u202e') or (>= '\u2066' and <= '\u2069') =>
                    line.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => line.Append(c),
            };
        }
    }
}
