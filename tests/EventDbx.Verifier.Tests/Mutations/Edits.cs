using System.Text;

namespace EventDbx.Verifier.Tests.Mutations;

/// <summary>Changes of texts, of which is known whether they change what the text says.</summary>
internal static class Edits
{
    /// <summary>White space where JSON allows it: says the same.</summary>
    public static string Spaced(string json, Random random, string white)
    {
        var text = new StringBuilder(json.Length + 16);
        var inString = false;
        for (var i = 0; i < json.Length; i++)
        {
            var c = json[i];
            var structural = !inString && "{}[],:".Contains(c, StringComparison.Ordinal);
            if (structural && random.Next(6) == 0)
                text.Append(white[random.Next(white.Length)]);
            text.Append(c);
            if (structural && random.Next(6) == 0)
                text.Append(white[random.Next(white.Length)], 1 + random.Next(3));
            if (c == '\\')
                text.Append(json[++i]);
            else if (c == '"')
                inString = !inString;
        }

        return text.ToString();
    }

    /// <summary>One byte of a text without white space outside strings is another, gone, or there twice: says something else, or nothing.</summary>
    /// <param name="except">Bytes that are left alone.</param>
    /// <param name="last">Bytes at the end that are left alone.</param>
    public static byte[] ByteChanged(byte[] text, Random random, Range? except = null, int last = 0)
    {
        int at;
        do
        {
            at = random.Next(text.Length - last);
        }
        while (except is { } range && at >= range.Start.Value && at < range.End.Value);
        switch (random.Next(5))
        {
            case 0:
                return [.. text[..at], .. text[(at + 1)..]];
            case 1:
                return [.. text[..(at + 1)], .. text[at..]];
            case 2:
                var replaced = text.ToArray();
                replaced[at] = (byte)(text[at] + 1 + random.Next(255));
                return replaced;
            default:
                var flipped = text.ToArray();
                flipped[at] ^= (byte)(1 << random.Next(8));
                return flipped;
        }
    }

    /// <summary>A path that is another one.</summary>
    public static List<byte[]> PathChanged(List<byte[]> path, Random random)
    {
        List<byte[]> copy = [.. path.Select(hash => hash.ToArray())];
        var (at, other) = (random.Next(Math.Max(1, copy.Count)), random.Next(Math.Max(1, copy.Count)));
        switch (copy.Count == 0 ? 5 : random.Next(6))
        {
            case 0: copy[at][random.Next(32)] ^= (byte)(1 << random.Next(8)); break;
            case 1: copy.RemoveAt(at); break;
            case 2: copy.Insert(at, copy[at]); break;
            case 3 when at != other: (copy[at], copy[other]) = (copy[other], copy[at]); break;
            case 4: copy.Clear(); break;
            default:
                var added = new byte[32];
                random.NextBytes(added);
                copy.Insert(random.Next(copy.Count + 1), added);
                break;
        }

        return copy;
    }

    public static string Replaced(string text, string from, string to)
    {
        var at = text.IndexOf(from, StringComparison.Ordinal);
        return at < 0 ? throw new InvalidOperationException($"{from} is not in {text}") : text[..at] + to + text[(at + from.Length)..];
    }

    /// <summary>How a climb from a leaf goes: from the left and from the right. Two sizes that give the same cannot be told apart by a path.</summary>
    public static string Climb(int index, int size)
    {
        if (size == 1)
            return "";
        var k = 1 << System.Numerics.BitOperations.Log2((uint)size - 1);
        return index < k ? Climb(index, k) + "R" : Climb(index - k, size - k) + "L";
    }

    /// <summary>The same for a consistency proof.</summary>
    public static string Steps(int from, int to)
    {
        if (from < 1 || from > to)
            return "no";
        return from == to ? "=" : Steps(from, to, whole: true);
    }

    static string Steps(int m, int n, bool whole)
    {
        if (m == n)
            return whole ? "K" : "P";
        var k = 1 << System.Numerics.BitOperations.Log2((uint)n - 1);
        return m <= k ? Steps(m, k, whole) + "R" : Steps(m - k, n - k, false) + "L";
    }
}
