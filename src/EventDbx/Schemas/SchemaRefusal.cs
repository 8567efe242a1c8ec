namespace EventDbx.Schemas;

/// <summary>How a schema is refused: where, and why.</summary>
internal static class SchemaRefusal
{
    const int ShownMax = 60;

    public static RefusedException At(string path, string reason) =>
        new(RefusalCode.InvalidSchema, $"The schema is not accepted at {path}: {reason}");

    /// <summary>One step further down: <c>$.order</c>, <c>$["a b"]</c>.</summary>
    public static string Below(string path, string name)
    {
        var plain = name.Length is > 0 and <= ShownMax;
        foreach (var letter in name)
            plain &= char.IsAsciiLetterOrDigit(letter) || letter is '_' or '-';
        return plain ? $"{path}.{name}" : $"{path}[\"{Shown(name)}\"]";
    }

    /// <summary>For a message, which may end on a terminal: short, and without control characters.</summary>
    public static string Shown(ReadOnlySpan<char> text)
    {
        var cut = text.Length > ShownMax;
        if (cut)
            text = text[..(char.IsHighSurrogate(text[ShownMax - 1]) ? ShownMax - 1 : ShownMax)];
        return string.Create(text.Length + (cut ? 1 : 0), text, static (target, text) =>
        {
            for (var i = 0; i < text.Length; i++)
                target[i] = char.IsControl(text[i]) ? '\uFFFD' : text[i];
            if (target.Length > text.Length)
                target[^1] = '…';
        });
    }

    /// <inheritdoc cref="Shown(ReadOnlySpan{char})"/>
    /// <param name="json">A value, minified JSON.</param>
    public static string Shown(ReadOnlySpan<byte> json)
    {
        // Four bytes a character at most, and one character more to see that it was cut.
        Span<char> characters = stackalloc char[(4 * ShownMax) + 8];
        var bytes = json[..Math.Min(json.Length, (4 * ShownMax) + 4)];
        System.Text.Unicode.Utf8.ToUtf16(bytes, characters, out _, out var written, isFinalBlock: false);
        return Shown(characters[..written]);
    }
}
