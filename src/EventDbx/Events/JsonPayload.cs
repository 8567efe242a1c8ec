using System.Buffers;
using System.Text;
using System.Text.Unicode;

namespace EventDbx.Events;

/// <summary>One top-level member of a payload, as ranges of bytes; <see cref="JsonPayload"/> opens them.</summary>
internal readonly record struct JsonMember(int NameStart, int NameLength, int ValueStart, int ValueLength);

/// <summary>A payload as it is stored, and the change of state it makes.</summary>
/// <remarks>
/// Stored as sent, without the white space between tokens: member order, number literals and escapes stay byte for byte.
/// <code>
/// bytes:  {"b":1,"a\u0041":[1.50]}   aA
///         └── Text ───────────────┘  └ names that stand escaped in the text, unescaped
/// </code>
/// Made only by <see cref="TryParse"/>; the zero value is no payload. Source: docs/decisions, 7 and 8.
/// </remarks>
internal readonly struct JsonPayload
{
    /// <summary>The field that holds a payload which is not an object.</summary>
    public static ReadOnlySpan<byte> ValueField => "_value"u8;

    readonly byte[] _bytes;
    readonly int _textLength;
    readonly JsonMember[] _members;

    JsonPayload(byte[] bytes, int textLength, JsonMember[] members) =>
        (_bytes, _textLength, _members) = (bytes, textLength, members);

    /// <summary>Minified JSON, UTF-8.</summary>
    public ReadOnlyMemory<byte> Text => _bytes.AsMemory(0, _textLength);

    /// <summary>
    /// The fields it sets, in the order of their names' bytes: an object's members, none for null,
    /// otherwise <see cref="ValueField"/> alone.
    /// </summary>
    public ReadOnlySpan<JsonMember> Members => _members;

    /// <summary>A member's name: UTF-8, unescaped.</summary>
    public ReadOnlySpan<byte> NameOf(scoped in JsonMember member) => _bytes.AsSpan(member.NameStart, member.NameLength);

    /// <summary>A member's value: minified JSON, a part of <see cref="Text"/>.</summary>
    public ReadOnlySpan<byte> ValueOf(scoped in JsonMember member) => _bytes.AsSpan(member.ValueStart, member.ValueLength);

    /// <summary>Checks and minifies a payload. Allocates the stored bytes and the members, nothing else.</summary>
    /// <param name="sent">One JSON document in UTF-8, without a byte order mark.</param>
    /// <param name="payload">The payload, or the zero value.</param>
    /// <param name="refusal">
    /// Why not, and at which byte: <see cref="RefusalCode.LimitExceeded"/> for a bound of <see cref="Limits"/>,
    /// otherwise <see cref="RefusalCode.InvalidPayload"/> (syntax, duplicate members at any level, encoding).
    /// </param>
    public static bool TryParse(ReadOnlySpan<byte> sent, out JsonPayload payload, out Refusal refusal)
    {
        payload = default;
        if (CheckBytes(sent) is { } bad)
        {
            refusal = bad;
            return false;
        }

        JsonScanner scanner = new(sent, stackalloc JsonName[JsonScanner.StackNames], stackalloc byte[JsonScanner.StackBytes]);
        try
        {
            if (!scanner.Scan())
            {
                refusal = scanner.Refusal;
                return false;
            }

            payload = Keep(in scanner, sent);
            refusal = default;
            return true;
        }
        finally
        {
            scanner.Dispose();
        }
    }

    static Refusal? CheckBytes(ReadOnlySpan<byte> sent)
    {
        if (sent.IsEmpty)
            return new(RefusalCode.InvalidPayload, "The payload is empty; send JSON, for example {} or null.");
        if (sent.Length > Limits.PayloadBytesMax)
            return new(
                RefusalCode.LimitExceeded,
                $"The payload has {sent.Length} bytes; at most {Limits.PayloadBytesMax} are accepted.");
        if (sent.StartsWith("\uFEFF"u8))
            return new(RefusalCode.InvalidPayload, "The payload starts with a byte order mark; send the JSON without it.");
        if (!Utf8.IsValid(sent))
            return new(
                RefusalCode.InvalidPayload,
                $"The payload is not UTF-8 at byte {InvalidAt(sent)}; send it in UTF-8, characters beyond U+FFFF in four bytes.");
        return null;
    }

    static int InvalidAt(ReadOnlySpan<byte> sent)
    {
        var at = 0;
        while (Rune.DecodeFromUtf8(sent[at..], out _, out var consumed) == OperationStatus.Done)
            at += consumed;
        return at;
    }

    static JsonPayload Keep(in JsonScanner scanner, ReadOnlySpan<byte> sent)
    {
        var extra = scanner.IsObject ? scanner.Unescaped : scanner.IsNull ? [] : ValueField;
        var textLength = scanner.TextLength;
        var bytes = GC.AllocateUninitializedArray<byte>(textLength + extra.Length);
        scanner.CopyText(bytes);
        extra.CopyTo(bytes.AsSpan(textLength));

        if (!scanner.IsObject)
            return new(bytes, textLength, scanner.IsNull ? [] : [new(textLength, ValueField.Length, 0, textLength)]);

        var names = scanner.Names;
        var members = names.IsEmpty ? [] : new JsonMember[names.Length];
        for (var i = 0; i < members.Length; i++)
        {
            ref readonly var name = ref names[i];
            members[i] = new(
                name.IsUnescaped ? textLength + name.UnescapedAt : name.TextAt, name.Length, name.ValueAt, name.ValueLength);
        }

        return new(bytes, textLength, members);
    }
}
