namespace EventDbx.Verifier.Notes;

/// <summary>C2SP tlog-checkpoint without extension lines: a log, so many entries, this root.</summary>
/// <param name="What">Which document it came from, for sentences: <c>The checkpoint</c>.</param>
/// <param name="Note">With its signatures.</param>
/// <param name="Origin">Which log, and which epoch of it.</param>
/// <param name="Size">Entries.</param>
/// <param name="Root">Root of the log tree over them.</param>
internal sealed record Checkpoint(string What, Note Note, string Origin, ulong Size, Digest Root)
{
    /// <exception cref="RefutedException">It is none.</exception>
    public static Checkpoint Parse(ReadOnlySpan<byte> utf8, string what)
    {
        var note = Note.Parse(utf8, what);
        var lines = note.Signed[..^1].Split('\n');
        if (lines.Length != 3)
            throw Malformed(what, $"its text has {lines.Length} lines, not three: origin, size, root");
        if (lines[0].Length == 0)
            throw Malformed(what, "its origin is empty");
        if (!Text.TryNumber(lines[1], out var size))
            throw Malformed(what, "its size is no number from 0 to 2^64 − 1, written in digits");
        if (!Text.TryBase64(lines[2], out var root) || root.Length != Digest.Length)
            throw Malformed(what, "its root is not the base64 of 32 bytes");
        var read = new Checkpoint(what, note, lines[0], size, Digest.Read(root));
        if (size == 0 && read.Root != Digest.OfNothing)
            throw Malformed(what, "its size is 0, and its root is not that of nothing");
        return read;
    }

    static RefutedException Malformed(string what, string why) => new($"{what} is malformed: {why}.");
}
