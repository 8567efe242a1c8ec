using System.Buffers;
using System.Globalization;
using System.Text;

namespace EventDbx.Cli.Output;

/// <summary>What others have stored, on its way to a terminal or into a line: it must neither steer the one nor begin another.</summary>
internal static class PlainText
{
    /// <summary>
    /// Controls (C0, DEL, C1), the separators that end a line for some, and what turns the direction of writing round: all of them one
    /// UTF-16 unit.
    /// </summary>
    static readonly SearchValues<char> Steering = SearchValues.Create(
    [
        .. Enumerable.Range(0, 0x20).Concat(Enumerable.Range(0x7f, 0x21)).Select(c => (char)c),
        '\u061c', '\u200e', '\u200f', '\u2028', '\u2029', '\u202a', '\u202b', '\u202c', '\u202d', '\u202e', '\u2066', '\u2067', '\u2068', '\u2069',
    ]);

    /// <summary>Whether it is one of them.</summary>
    public static bool Steers(char c) => Steering.Contains(c);

    /// <summary>The same text with everything that steers as <c>\n</c>, <c>\t</c> or <c>\u001b</c>.</summary>
    public static string Of(string text)
    {
        var next = text.AsSpan().IndexOfAny(Steering);
        if (next < 0)
            return text;
        var shown = new StringBuilder(text.Length + 16);
        var rest = text.AsSpan();
        for (; next >= 0; next = rest.IndexOfAny(Steering))
        {
            shown.Append(rest[..next]);
            _ = rest[next] switch
            {
                '\n' => shown.Append("\\n"),
                '\r' => shown.Append("\\r"),
                '\t' => shown.Append("\\t"),
                var c => shown.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
            };
            rest = rest[(next + 1)..];
        }

        return shown.Append(rest).ToString();
    }

    /// <summary>One line, whatever the values in it hold, with its end.</summary>
    public static string Line(string text) => Of(text) + "\n";
}
