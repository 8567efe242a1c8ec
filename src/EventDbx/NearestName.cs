namespace EventDbx;

/// <summary>Finds what a misspelt name was meant to be, for the "did you mean" of every refusal of an unknown name.</summary>
public static class NearestName
{
    /// <summary>The known name that is nearest, or null when none is near enough to be worth saying.</summary>
    public static string? Of(string unknown, IEnumerable<string> known)
    {
        string? nearest = null;
        var distanceMax = Math.Max(1, unknown.Length / 3);
        foreach (var name in known)
        {
            var distance = Distance(unknown, name, distanceMax);
            if (distance > distanceMax)
                continue;

            nearest = name;
            distanceMax = distance - 1;
        }

        return nearest;
    }

    /// <summary>The end of a sentence: <c>; did you mean `port`?</c>, or nothing.</summary>
    public static string Hint(string unknown, IEnumerable<string> known) =>
        Of(unknown, known) is { } nearest ? $"; did you mean `{nearest}`?" : "";

    /// <summary>Insertions, deletions, replacements and swaps of neighbours between two names; upper and lower case are equal.</summary>
    static int Distance(string left, string right, int enough)
    {
        // Names longer than this are not typing mistakes of one another; the bound keeps the rows on the stack.
        if (Math.Abs(left.Length - right.Length) > enough || left.Length > 64 || right.Length > 64)
            return int.MaxValue;

        Span<int> beforeLast = stackalloc int[65], last = stackalloc int[65], row = stackalloc int[65];
        for (var column = 0; column <= right.Length; column++)
            last[column] = column;
        for (var line = 1; line <= left.Length; line++)
        {
            row[0] = line;
            for (var column = 1; column <= right.Length; column++)
            {
                var same = Same(left[line - 1], right[column - 1]);
                row[column] = Math.Min(Math.Min(row[column - 1], last[column]) + 1, last[column - 1] + (same ? 0 : 1));
                if (line > 1 && column > 1 && Same(left[line - 1], right[column - 2]) && Same(left[line - 2], right[column - 1]))
                    row[column] = Math.Min(row[column], beforeLast[column - 2] + 1);
            }

            var free = beforeLast;
            beforeLast = last;
            last = row;
            row = free;
        }

        return last[right.Length];
    }

    static bool Same(char left, char right) =>
        char.ToLowerInvariant(left) == char.ToLowerInvariant(right) || (left is '-' or '_' && right is '-' or '_');
}
