using System.Security.Cryptography;

namespace EventDbx.Transfer;

/// <summary>Names of files for aggregate types: distinct ones, also where capitals make no difference.</summary>
/// <remarks>
/// Anything but ASCII letters, digits, <c>-</c> and <c>_</c> becomes <c>_</c>. Where two types would then share a name, the one whose
/// name it is keeps it; the others get digits of their SHA-256 behind it, as do those that are too long.
/// </remarks>
internal static class ExportNames
{
    const int DigitsMin = 8;

    /// <summary>One name for each type, without an extension.</summary>
    public static string[] Of(IReadOnlyList<string> types)
    {
        var names = new string[types.Count];
        var taken = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        // First those that can be called as they are, so that no other takes their name.
        for (var pass = 0; pass < 2; pass++)
        {
            for (var i = 0; i < types.Count; i++)
            {
                var name = Sanitised(types[i]);
                if (names[i] is null && (pass == 1 || name == types[i]) && name.Length <= Limits.ExportNameCharactersMax && taken.Add(name))
                    names[i] = name;
            }
        }

        for (var i = 0; i < types.Count; i++)
        {
            for (var digits = DigitsMin; names[i] is null; digits++)
            {
                var name = WithDigits(types[i], digits);
                if (taken.Add(name))
                    names[i] = name;
            }
        }

        return names;
    }

    static string Sanitised(string type)
    {
        var name = new StringBuilder(type.Length);
        foreach (var rune in type.EnumerateRunes())
            name.Append(rune.IsAscii && (char.IsAsciiLetterOrDigit((char)rune.Value) || rune.Value is '-' or '_') ? (char)rune.Value : '_');
        return name.Length == 0 ? "_" : name.ToString();
    }

    static string WithDigits(string type, int digits)
    {
        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(type)))[..digits];
        var name = Sanitised(type);
        return $"{name[..Math.Min(name.Length, Limits.ExportNameCharactersMax - digits - 1)]}-{hash}";
    }
}
