using System.Globalization;
using System.Text;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Logs;

/// <summary>One line of the log: time, level, target, message, then <c>key=value</c>.</summary>
/// <remarks>Nothing in it can break the line or move a terminal's cursor: whatever a client sent is escaped.</remarks>
internal static class LogLine
{
    const string OriginalFormat = "{OriginalFormat}";

    /// <param name="time">Written in UTC.</param>
    /// <param name="level">How much it matters.</param>
    /// <param name="target">Who says it.</param>
    /// <param name="message">For people; what it says already is not said again as a pair.</param>
    /// <param name="state">Named values beside the message.</param>
    /// <param name="failure">What went wrong, with its stack.</param>
    public static string Of(
        DateTimeOffset time, LogLevel level, string target, string message,
        IReadOnlyList<KeyValuePair<string, object?>> state, Exception? failure)
    {
        StringBuilder line = new(128);
        line.Append(time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
        line.Append(' ').Append(LogSettings.NameOf(level).PadRight(5)).Append(' ').Append(target).Append(' ');
        Escape(line, message, quotes: false);
        var format = state.FirstOrDefault(pair => pair.Key == OriginalFormat).Value as string ?? "";
        foreach (var (key, value) in state)
        {
            if (key != OriginalFormat && !IsNamedIn(format, key))
                Pair(line, key, Convert.ToString(value, CultureInfo.InvariantCulture) ?? "");
        }

        if (failure is not null)
            Pair(line, "error", failure.ToString());
        return line.Append('\n').ToString();
    }

    static void Pair(StringBuilder line, string key, string value)
    {
        line.Append(' ').Append(key).Append('=');
        if (value.Length > 0 && !value.AsSpan().ContainsAny(' ', '"', '='))
        {
            Escape(line, value, quotes: false);
            return;
        }

        line.Append('"');
        Escape(line, value, quotes: true);
        line.Append('"');
    }

    static void Escape(StringBuilder line, string text, bool quotes)
    {
        foreach (var c in text)
        {
            _ = c switch
            {
                '\n' => line.Append("\\n"),
                '\r' => line.Append("\\r"),
                '\t' => line.Append("\\t"),
                '"' when quotes => line.Append("\\\""),
                '\\' => line.Append("\\\\"),
                // C1 controls, and the marks that turn the direction of text or end a line, too.
                < ' ' or (>= '\u007f' and <= '\u009f') or (>= '\u2028' and <= '\u202e') or (>= '\u2066' and <= '\u2069') =>
                    line.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => line.Append(c),
            };
        }
    }

    static bool IsNamedIn(string format, string key) =>
        format.Contains($"{{{key}}}", StringComparison.Ordinal) || format.Contains($"{{{key}:", StringComparison.Ordinal);
}
