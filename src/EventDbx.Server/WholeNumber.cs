using System.Globalization;

namespace EventDbx.Server;

/// <summary>Whole numbers as they are written: each has one spelling.</summary>
internal static class WholeNumber
{
    /// <summary>Reads digits without a leading zero. The platform's own reading takes zeros in front, and the character 0 behind.</summary>
    public static bool TryRead(ReadOnlySpan<char> text, out ulong number)
    {
        number = 0;
        return !text.ContainsAnyExceptInRange('0', '9') && !(text.Length > 1 && text[0] == '0')
            && ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
    }
}
