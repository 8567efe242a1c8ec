using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace EventDbx.Checkpoints;

/// <summary>What a checkpoint says: this log, so many entries, this root.</summary>
/// <remarks>Source: C2SP tlog-checkpoint. We write no extension lines, and read none.</remarks>
/// <param name="Origin">Which log, and which epoch of it.</param>
/// <param name="Size">Entries.</param>
/// <param name="Root">Root of the log tree over them.</param>
public sealed record Checkpoint(string Origin, ulong Size, Hash32 Root)
{
    /// <summary>The text that is signed: three lines.</summary>
    public string Text()
    {
        Span<byte> root = stackalloc byte[Hash32.Length];
        Root.Write(root);
        return string.Create(CultureInfo.InvariantCulture, $"{Origin}\n{Size}\n{Convert.ToBase64String(root)}\n");
    }

    /// <summary>The epoch that an origin speaks of: from the second on its number stands at its end, as in <c>/e2</c>; else 1.</summary>
    internal static uint EpochIn(string origin)
    {
        var at = origin.LastIndexOf("/e", StringComparison.Ordinal);
        return at >= 0 && uint.TryParse(origin.AsSpan(at + 2), NumberStyles.None, CultureInfo.InvariantCulture, out var epoch) && epoch >= 2 ? epoch : 1;
    }

    /// <summary>Reads the text of a checkpoint; false for anything that <see cref="Text"/> would write in another way.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out Checkpoint? checkpoint)
    {
        checkpoint = null;
        Span<byte> root = stackalloc byte[Hash32.Length];
        if (text.Split('\n') is not [var origin, var size, var root64, ""] || origin.Length == 0
            || !ulong.TryParse(size, NumberStyles.None, CultureInfo.InvariantCulture, out var entries)
            || !Convert.TryFromBase64String(root64, root, out var length) || length != Hash32.Length)
            return false;
        var read = new Checkpoint(origin, entries, Hash32.Read(root));
        if (read.Text() != text)
            return false;
        checkpoint = read;
        return true;
    }
}
