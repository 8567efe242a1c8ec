using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace EventDbx.Checkpoints;

/// <summary>That a leaf stands in the log of a checkpoint, as text.</summary>
/// <remarks>
/// <code>
/// c2sp.org/tlog-proof@v1
/// index 41
/// base64 of a hash                    siblings from the leaf upward, a line each
/// (empty line)
/// the checkpoint, as it was signed
/// </code>
/// Source: C2SP tlog-proof. We write no extra line, and read none.
/// </remarks>
/// <param name="Index">From 0.</param>
/// <param name="Path">Siblings.</param>
/// <param name="Checkpoint">The note, its signatures included.</param>
internal sealed record TlogProof(ulong Index, IReadOnlyList<Hash32> Path, SignedNote Checkpoint)
{
    const string Begin = "c2sp.org/tlog-proof@v1\nindex ";

    /// <summary>Siblings of a leaf at most: a tree has no more levels.</summary>
    const int PathMax = 64;

    public string Text()
    {
        var text = new StringBuilder(Begin).Append(CultureInfo.InvariantCulture, $"{Index}\n");
        Span<byte> bytes = stackalloc byte[Hash32.Length];
        foreach (var hash in Path)
        {
            hash.Write(bytes);
            text.Append(Convert.ToBase64String(bytes)).Append('\n');
        }

        return text.Append('\n').Append(Checkpoint).ToString();
    }

    /// <summary>Reads a proof; false for anything that <see cref="Text"/> would write in another way.</summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out TlogProof? proof)
    {
        proof = null;
        var end = text.IndexOf("\n\n", StringComparison.Ordinal);
        if (end < 0 || !text.StartsWith(Begin, StringComparison.Ordinal))
            return false;
        var lines = text[Begin.Length..Math.Max(Begin.Length, end)].Split('\n');
        if (lines.Length > PathMax + 1 || !ulong.TryParse(lines[0], NumberStyles.None, CultureInfo.InvariantCulture, out var index)
            || !SignedNote.TryParse(Encoding.UTF8.GetBytes(text[(end + 2)..]), out var note))
            return false;
        var path = new Hash32[lines.Length - 1];
        Span<byte> bytes = stackalloc byte[Hash32.Length];
        for (var i = 0; i < path.Length; i++)
        {
            if (!Convert.TryFromBase64String(lines[i + 1], bytes, out var length) || length != Hash32.Length)
                return false;
            path[i] = Hash32.Read(bytes);
        }

        var read = new TlogProof(index, path, note);
        if (read.Text() != text)
            return false;
        proof = read;
        return true;
    }
}
