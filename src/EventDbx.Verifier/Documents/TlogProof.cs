namespace EventDbx.Verifier.Documents;

/// <summary>C2SP tlog-proof: where a leaf stands in the tree of a checkpoint.</summary>
/// <param name="Index">From 0.</param>
/// <param name="Path">Siblings from the leaf upward.</param>
/// <param name="HasExtra">Whether it has a line of its maker's own, which nobody vouches for.</param>
internal sealed record TlogProof(ulong Index, Digest[] Path, Checkpoint Checkpoint, bool HasExtra)
{
    const string FirstLine = "c2sp.org/tlog-proof@v1\n";

    /// <summary>Bytes: the path, a note, and a line of extra data.</summary>
    const int BytesMax = (2 * Limits.NoteBytesMax) + 4096;

    public static bool Begins(ReadOnlySpan<byte> utf8) => utf8.StartsWith("c2sp.org/tlog-proof@v1"u8);

    /// <exception cref="RefutedException">It is none.</exception>
    public static TlogProof Parse(ReadOnlySpan<byte> utf8, string what)
    {
        if (utf8.Length > BytesMax)
            throw Malformed(what, $"it has more than {BytesMax} bytes");
        if (!System.Text.Unicode.Utf8.IsValid(utf8))
            throw Malformed(what, "it is not UTF-8");
        var text = Text.Utf8.GetString(utf8);
        if (!text.StartsWith(FirstLine, StringComparison.Ordinal))
            throw Malformed(what, "its first line is not c2sp.org/tlog-proof@v1");
        var end = text.IndexOf("\n\n", StringComparison.Ordinal);
        if (end < 0)
            throw Malformed(what, "there is no empty line before its checkpoint");
        var lines = text[FirstLine.Length..Math.Max(end, FirstLine.Length)].Split('\n');
        var hasExtra = lines[0].StartsWith("extra ", StringComparison.Ordinal);
        if (hasExtra && !Text.TryBase64(lines[0].AsSpan("extra ".Length), out _))
            throw Malformed(what, "what stands behind `extra` is no base64");
        var at = hasExtra ? 1 : 0;
        if (at == lines.Length || !lines[at].StartsWith("index ", StringComparison.Ordinal)
            || !Text.TryNumber(lines[at].AsSpan("index ".Length), out var index))
            throw Malformed(what, "there is no line `index NUMBER` where it belongs");
        var hashes = lines.AsSpan(at + 1);
        if (hashes.Length > Limits.PathHashesMax)
            throw Malformed(what, $"its path has more than {Limits.PathHashesMax} hashes");
        var path = new Digest[hashes.Length];
        for (var i = 0; i < path.Length; i++)
        {
            if (!Text.TryBase64(hashes[i], out var bytes) || bytes.Length != Digest.Length)
                throw Malformed(what, $"hash {i + 1} of its path is not the base64 of 32 bytes");
            path[i] = Digest.Read(bytes);
        }

        var checkpoint = Checkpoint.Parse(Text.Utf8.GetBytes(text[(end + 2)..]), "The checkpoint");
        return new(index, path, checkpoint, hasExtra);
    }

    /// <summary>Checks that the leaf stands at the index.</summary>
    /// <exception cref="RefutedException">It does not.</exception>
    public void Demand(Digest leaf)
    {
        if (Index >= Checkpoint.Size)
        {
            throw new RefutedException(
                $"The log proof names index {Index}, and the log of its checkpoint ends before it: it has {Amount.Of(Checkpoint.Size, "entry", "entries")}.");
        }

        if (!MerkleProof.Includes(Index, Checkpoint.Size, leaf, Checkpoint.Root, Path))
            throw new RefutedException($"The log proof does not hold: position {Index + 1} of the log holds something else, or the path is another one's.");
    }

    static RefutedException Malformed(string what, string why) => new($"{what} is malformed: {why}.");
}
