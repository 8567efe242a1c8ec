using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.Unicode;
using EventDbx.Integrity;

namespace EventDbx.Server.Witness;

/// <summary>What is sent to <c>add-checkpoint</c>: the size the witness knows, the proof from there, the checkpoint.</summary>
/// <remarks>
/// <code>
/// old SIZE
/// base64 of a hash            0 to 63 lines
/// (empty line)
/// CHECKPOINT                  a signed note
/// </code>
/// Source: C2SP tlog-witness. Checkpoints of other logs may have extension lines; they are signed with the rest and mean nothing here.
/// </remarks>
/// <param name="OldSize">The size of the checkpoint that the witness cosigned last, 0: none.</param>
/// <param name="Proof">RFC 6962 consistency proof from there to <paramref name="Size"/>.</param>
/// <param name="Note">The checkpoint, to the byte.</param>
/// <param name="Origin">First line of the checkpoint.</param>
/// <param name="Size">Second line.</param>
/// <param name="Root">Third line.</param>
public sealed record WitnessRequest(ulong OldSize, IReadOnlyList<Hash32> Proof, SignedNote Note, string Origin, ulong Size, Hash32 Root)
{
    /// <summary>The request as it is sent.</summary>
    public static byte[] Write(ulong oldSize, IReadOnlyList<Hash32> proof, SignedNote note)
    {
        var text = new StringBuilder().Append(CultureInfo.InvariantCulture, $"old {oldSize}\n");
        Span<byte> bytes = stackalloc byte[Hash32.Length];
        foreach (var hash in proof)
        {
            hash.Write(bytes);
            text.Append(Convert.ToBase64String(bytes)).Append('\n');
        }

        return Encoding.UTF8.GetBytes(text.Append('\n').Append(note).ToString());
    }

    /// <summary>Reads a request.</summary>
    /// <param name="utf8">The body.</param>
    /// <param name="request">What it says.</param>
    /// <param name="why">What is wrong, in a sentence.</param>
    public static bool TryRead(ReadOnlySpan<byte> utf8, [NotNullWhen(true)] out WitnessRequest? request, [NotNullWhen(false)] out string? why)
    {
        request = null;
        why = "The request is not UTF-8.";
        if (!Utf8.IsValid(utf8))
            return false;
        why = "The first line is `old`, a space, and a size in decimal without leading zeros.";
        if (NextLine(ref utf8) is not { } first || !first.StartsWith("old ", StringComparison.Ordinal) || !TrySize(first[4..], out var oldSize))
            return false;
        List<Hash32> proof = [];
        while (true)
        {
            why = "An empty line separates the proof from the checkpoint, and is missing.";
            if (NextLine(ref utf8) is not { } line)
                return false;
            if (line.Length == 0)
                break;
            why = $"A proof has at most {WitnessLimits.ProofHashesMax} hashes.";
            if (proof.Count == WitnessLimits.ProofHashesMax)
                return false;
            why = "Each line of the proof is the base64 of one hash of 32 bytes.";
            if (!TryHash(line, out var hash))
                return false;
            proof.Add(hash);
        }

        why = "The checkpoint is not a signed note.";
        if (!SignedNote.TryParse(utf8, out var note))
            return false;
        why = "The checkpoint's text is an origin, a size in decimal and the base64 of a root hash of 32 bytes, a line each.";
        if (!TryReadText(note.Text, out var origin, out var size, out var root))
            return false;
        (request, why) = (new(oldSize, proof, note, origin, size, root), null);
        return true;
    }

    /// <summary>Reads the text of any log's checkpoint.</summary>
    public static bool TryReadText(string text, out string origin, out ulong size, out Hash32 root)
    {
        (origin, size, root) = ("", 0, default);
        var lines = text.Split('\n');
        if (lines.Length < 4 || lines.AsSpan(..^1).Contains(""))
            return false;
        origin = lines[0];
        return TrySize(lines[1], out size) && TryHash(lines[2], out root);
    }

    static bool TrySize(string text, out ulong size) => WholeNumber.TryRead(text, out size);

    static bool TryHash(string text, out Hash32 hash)
    {
        hash = default;
        Span<byte> bytes = stackalloc byte[Hash32.Length];
        if (!Convert.TryFromBase64String(text, bytes, out var length) || length != Hash32.Length || Convert.ToBase64String(bytes) != text)
            return false;
        hash = Hash32.Read(bytes);
        return true;
    }

    static string? NextLine(ref ReadOnlySpan<byte> utf8)
    {
        var end = utf8.IndexOf((byte)'\n');
        if (end < 0)
            return null;
        var line = Encoding.UTF8.GetString(utf8[..end]);
        utf8 = utf8[(end + 1)..];
        return line;
    }
}
