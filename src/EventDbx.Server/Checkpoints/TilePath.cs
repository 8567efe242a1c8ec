using System.Globalization;

namespace EventDbx.Server.Checkpoints;

/// <summary>A tile of the log tree by its name: <c>L/x001/x234/067</c>, a partial one <c>L/067.p/W</c>.</summary>
/// <remarks>Source: C2SP tlog-tiles. Each tile has one name; any other spelling is none.</remarks>
/// <param name="Level">0: over leaves; each level is of 8 levels of the tree.</param>
/// <param name="Index">From 0, from the left.</param>
/// <param name="Width">Hashes, 1 to 256; 256 is a full one.</param>
public readonly record struct TilePath(int Level, ulong Index, int Width)
{
    /// <summary>Hashes of a full tile.</summary>
    public const int FullWidth = 256;

    /// <summary>Levels there are: 8 of them hold 2^64 leaves.</summary>
    public const int Levels = 8;

    /// <summary>Reads a level, and the segments behind it.</summary>
    public static bool TryParse(string level, ReadOnlySpan<string> segments, out TilePath tile)
    {
        tile = default;
        if (level is not [>= '0' and < (char)('0' + Levels)] || segments.IsEmpty)
            return false;
        var width = FullWidth;
        var last = segments[^1];
        if (segments.Length > 1 && segments[^2].EndsWith(".p", StringComparison.Ordinal))
        {
            if (!WholeNumber.TryRead(last, out var hashes) || hashes is 0 or >= FullWidth)
                return false;
            width = (int)hashes;
            last = segments[^2][..^2];
            segments = segments[..^1];
        }

        UInt128 index = 0;
        for (var at = 0; at < segments.Length; at++)
        {
            var isLast = at == segments.Length - 1;
            var digits = isLast ? last : segments[at].StartsWith('x') ? segments[at][1..] : "";
            if (digits.Length != 3 || digits.AsSpan().IndexOfAnyExceptInRange('0', '9') >= 0)
                return false;
            index = index * 1000 + uint.Parse(digits, CultureInfo.InvariantCulture);
            // No group of zeros in front: 5 is 005, not x000/005.
            if (index > ulong.MaxValue || (at == 0 && !isLast && index == 0))
                return false;
        }

        tile = new(level[0] - '0', (ulong)index, width);
        return true;
    }

    /// <summary>The tiles that hold a log of so many entries, lowest level first: all that a mirror has beside the checkpoint.</summary>
    public static IEnumerable<TilePath> Of(ulong size)
    {
        var nodes = size;
        for (var level = 0; level < Levels && nodes > 0; level++, nodes /= FullWidth)
        {
            for (ulong index = 0; index < nodes / FullWidth; index++)
                yield return new(level, index, FullWidth);
            if (nodes % FullWidth > 0)
                yield return new(level, nodes / FullWidth, (int)(nodes % FullWidth));
        }
    }

    /// <summary>The name, with slashes between: <c>0/x001/x234/067</c>.</summary>
    public override string ToString()
    {
        var text = string.Create(CultureInfo.InvariantCulture, $"{Index % 1000:000}");
        for (var rest = Index / 1000; rest > 0; rest /= 1000)
            text = string.Create(CultureInfo.InvariantCulture, $"x{rest % 1000:000}/{text}");
        return string.Create(CultureInfo.InvariantCulture, $"{Level}/{text}{(Width == FullWidth ? "" : $".p/{Width}")}");
    }
}
