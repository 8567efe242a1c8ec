using System.Text;

namespace EventDbx.Integrity;

/// <summary>What is stored is not what was committed: one place that words it.</summary>
internal static class Violation
{
    public static RefusedException Of(string message) => new(RefusalCode.IntegrityViolation, message);

    public static RefusedException OfRow(Family family, ReadOnlySpan<byte> key, string what) =>
        Of($"The row {Show(family, key)} of family `{Families.NameOf(family)}` was changed outside EventDBX: {what}.");

    /// <summary>A key for people: names as text, everything else as hex.</summary>
    public static string Show(Family family, ReadOnlySpan<byte> key)
    {
        if (family is Family.Log && key.Length == 8)
            return Keyspace.ReadPosition(key).ToString(System.Globalization.CultureInfo.InvariantCulture);
        if (family is Family.Index && Keyspace.TryReadVersioned(key, out var name, out var version))
            return $"{Show(Family.Heads, name)} version {version}";
        var text = new StringBuilder();
        foreach (var b in key)
        {
            if (b is >= 0x21 and < 0x7f)
                text.Append((char)b);
            else if (b == 0)
                text.Append('/');
            else
                text.Append('\\').Append(b.ToString("x2", System.Globalization.CultureInfo.InvariantCulture));
        }

        return text.ToString();
    }
}
