using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Text;

namespace EventDbx.Checkpoints;

/// <summary>A text and the signatures under it. Whether one of them is good is for whoever has a key to say.</summary>
/// <remarks>
/// <code>
/// text, ending in a newline
/// (empty line)
/// — key name base64(key id[4] ‖ signature)        one or more
/// </code>
/// Source: C2SP signed-note v1. The empty line that separates is the last one, so a text may hold empty lines.
/// </remarks>
public sealed class SignedNote
{
    /// <summary>Bytes of one note: room for the text and some hundred signatures.</summary>
    public const int BytesMax = 64 * 1024;

    /// <summary>Signatures under one note. The format asks for 16 at least.</summary>
    public const int SignaturesMax = 64;

    const string LineBegin = "— ";

    SignedNote(string text, IReadOnlyList<NoteSignature> signatures) => (Text, Signatures) = (text, signatures);

    /// <summary>What is signed, its last newline included.</summary>
    public string Text { get; }

    public IReadOnlyList<NoteSignature> Signatures { get; }

    /// <summary>The note with its signatures, as it is sent and stored.</summary>
    public override string ToString()
    {
        var note = new StringBuilder(Text).Append('\n');
        foreach (var signature in Signatures)
            note.Append(signature.Line());
        return note.ToString();
    }

    /// <summary>A text with its signatures.</summary>
    /// <param name="text">Ends in a newline; no other control characters.</param>
    /// <param name="signatures">At least one.</param>
    /// <exception cref="ArgumentException">It is no note.</exception>
    public static SignedNote Of(string text, IReadOnlyList<NoteSignature> signatures)
    {
        if (!IsText(text))
            throw new ArgumentException("The text of a note ends in a newline and holds no other control character.", nameof(text));
        if (signatures.Count is 0 or > SignaturesMax)
            throw new ArgumentException($"A note has 1 to {SignaturesMax} signatures.", nameof(signatures));
        return new(text, signatures);
    }

    /// <summary>The same text with more signatures; one that is there under the same key is replaced.</summary>
    public SignedNote With(IReadOnlyList<NoteSignature> more)
    {
        var all = Signatures.Where(old => !more.Any(added => added.KeyName == old.KeyName && added.KeyId == old.KeyId)).Concat(more).ToArray();
        return Of(Text, all);
    }

    /// <summary>Reads a note; false for anything that is none, to the byte.</summary>
    public static bool TryParse(ReadOnlySpan<byte> utf8, [NotNullWhen(true)] out SignedNote? note)
    {
        note = null;
        if (utf8.Length > BytesMax || !System.Text.Unicode.Utf8.IsValid(utf8))
            return false;
        var whole = Encoding.UTF8.GetString(utf8);
        var end = whole.LastIndexOf("\n\n", StringComparison.Ordinal);
        if (end < 0 || !IsText(whole[..(end + 1)]) || !TryParseLines(whole.AsSpan(end + 2), out var signatures))
            return false;
        note = new(whole[..(end + 1)], signatures);
        return true;
    }

    /// <summary>Reads signature lines, each with its newline; at least one.</summary>
    public static bool TryParseLines(ReadOnlySpan<char> lines, out IReadOnlyList<NoteSignature> signatures)
    {
        var found = new List<NoteSignature>();
        signatures = found;
        while (!lines.IsEmpty)
        {
            var newline = lines.IndexOf('\n');
            if (newline < 0 || found.Count == SignaturesMax || !TryParseLine(lines[..newline], out var signature))
                return false;
            found.Add(signature);
            lines = lines[(newline + 1)..];
        }

        return found.Count > 0;
    }

    static bool TryParseLine(ReadOnlySpan<char> line, [NotNullWhen(true)] out NoteSignature? signature)
    {
        signature = null;
        if (!line.StartsWith(LineBegin, StringComparison.Ordinal))
            return false;
        line = line[LineBegin.Length..];
        var space = line.IndexOf(' ');
        if (space <= 0 || !IsKeyName(line[..space]))
            return false;
        var text = line[(space + 1)..];
        var bytes = new byte[text.Length];
        // Base64 has other spellings of the same bytes; only the one that we would write is accepted.
        if (!Convert.TryFromBase64Chars(text, bytes, out var length) || length <= sizeof(uint) || !text.SequenceEqual(Convert.ToBase64String(bytes, 0, length)))
            return false;
        signature = new(line[..space].ToString(), BinaryPrimitives.ReadUInt32BigEndian(bytes), bytes[sizeof(uint)..length]);
        return true;
    }

    /// <summary>Whether it may name a key: not empty, no white space, no plus.</summary>
    public static bool IsKeyName(ReadOnlySpan<char> name)
    {
        foreach (var c in name)
        {
            if (char.IsWhiteSpace(c) || c is < ' ' or '+')
                return false;
        }

        return !name.IsEmpty;
    }

    static bool IsText(string text)
    {
        foreach (var c in text)
        {
            if (c < ' ' && c != '\n')
                return false;
        }

        return text.Length > 0 && text[^1] == '\n';
    }
}

/// <summary>One signature line of a note.</summary>
/// <param name="KeyName">Whose key.</param>
/// <param name="KeyId">Which of that name: the first four bytes of SHA-256(name ‖ 0A ‖ algorithm ‖ public key).</param>
/// <param name="Bytes">The signature, in the form of its algorithm.</param>
public sealed record NoteSignature(string KeyName, uint KeyId, byte[] Bytes)
{
    /// <summary>With its newline.</summary>
    public string Line()
    {
        var bytes = new byte[sizeof(uint) + Bytes.Length];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, KeyId);
        Bytes.CopyTo(bytes, sizeof(uint));
        return $"— {KeyName} {Convert.ToBase64String(bytes)}\n";
    }
}
