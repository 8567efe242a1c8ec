using System.Buffers.Binary;

namespace EventDbx.Verifier.Notes;

/// <summary>One signature under a note.</summary>
/// <param name="Name">Whose key.</param>
/// <param name="KeyId">Which of that name.</param>
/// <param name="Bytes">In the form of its algorithm.</param>
internal sealed record Signature(string Name, uint KeyId, byte[] Bytes);

/// <summary>C2SP signed-note: a text, an empty line, and lines with signatures.</summary>
internal sealed class Note
{
    Note(string text, List<Signature> signatures) => (Signed, Signatures) = (text, signatures);

    /// <summary>What is signed, its last newline included.</summary>
    public string Signed { get; }

    public IReadOnlyList<Signature> Signatures { get; }

    /// <exception cref="RefutedException">It is no note.</exception>
    public static Note Parse(ReadOnlySpan<byte> utf8, string what)
    {
        if (utf8.Length > Limits.NoteBytesMax)
            throw Malformed(what, $"it has more than {Limits.NoteBytesMax} bytes");
        if (utf8.StartsWith("\uFEFF"u8))
            throw Malformed(what, "it begins with a byte order mark");
        if (!System.Text.Unicode.Utf8.IsValid(utf8))
            throw Malformed(what, "it is not UTF-8");
        foreach (var value in utf8)
        {
            if (value < 0x20 && value != (byte)'\n')
                throw Malformed(what, value == (byte)'\r' ? "its lines end in CR LF; a signature is about every byte" : "it holds a control character");
        }

        var whole = Text.Utf8.GetString(utf8);
        var end = whole.LastIndexOf("\n\n", StringComparison.Ordinal);
        if (end < 0)
            throw Malformed(what, "there is no empty line between a text and signatures");
        if (end + 2 == whole.Length)
            throw Malformed(what, "there is no signature under it");
        if (!whole.EndsWith('\n'))
            throw Malformed(what, "its last line has no end; was it cut off?");
        var lines = whole[(end + 2)..^1].Split('\n');
        if (lines.Length > Limits.SignaturesMax)
            throw Malformed(what, $"it has more than {Limits.SignaturesMax} signatures");
        return new(whole[..(end + 1)], [.. lines.Select(line => Line(line, what))]);
    }

    /// <summary>Whether it may name a key: not empty, no white space, no plus, no control characters.</summary>
    public static bool IsKeyName(ReadOnlySpan<char> name)
    {
        foreach (var c in name)
        {
            if (char.IsWhiteSpace(c) || c is < ' ' or '+')
                return false;
        }

        return !name.IsEmpty;
    }

    static Signature Line(string line, string what)
    {
        if (!line.StartsWith("— ", StringComparison.Ordinal) || line.IndexOf(' ', 2) is not (> 2 and var space)
            || !IsKeyName(line.AsSpan(2, space - 2)))
            throw Malformed(what, "a line below its text is no signature: — NAME BASE64");
        if (!Text.TryBase64(line.AsSpan(space + 1), out var bytes) || bytes.Length <= sizeof(uint))
            throw Malformed(what, "the base64 of a signature is not that of an id and a signature");
        return new(line[2..space], BinaryPrimitives.ReadUInt32BigEndian(bytes), bytes[sizeof(uint)..]);
    }

    static RefutedException Malformed(string what, string why) => new($"{what} is malformed: {why}.");
}
