using System.Globalization;
using System.Text;

namespace EventDbx.Verifier.Output;

/// <summary>Names from documents for a terminal: what could move a cursor, hide or reorder text is shown as its number.</summary>
internal static class Printable
{
    public static string Quoted(string text) => $"\"{Of(text)}\"";

    public static string Quoted(ReadOnlyMemory<byte> utf8) => Quoted(Text.Utf8.GetString(utf8.Span));

    public static string Of(string text)
    {
        var shown = new StringBuilder(text.Length);
        var count = 0;
        foreach (var rune in text.EnumerateRunes())
        {
            if (++count > Limits.ShownCharactersMax)
                return shown.Append('…').ToString();
            if (IsPlain(rune))
                shown.Append(rune.ToString());
            else
                shown.Append(CultureInfo.InvariantCulture, $"\\u{{{rune.Value:x}}}");
        }

        return shown.ToString();
    }

    static bool IsPlain(Rune rune) => rune.Value == ' ' || Rune.GetUnicodeCategory(rune) is not (
        UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
        or UnicodeCategory.PrivateUse or UnicodeCategory.OtherNotAssigned or UnicodeCategory.Surrogate or UnicodeCategory.SpaceSeparator)
        && rune.Value is not ('"' or '\\');
}
