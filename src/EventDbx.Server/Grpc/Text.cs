namespace EventDbx.Server.Grpc;

/// <summary>Texts as the trailers of gRPC carry them.</summary>
internal static class Text
{
    const string Hex = "0123456789ABCDEF";

    /// <summary>At most so many bytes of it, whole characters, with a sign that there was more.</summary>
    public static string Cut(string text, int bytesMax)
    {
        if (text.Length * 3 <= bytesMax || Encoding.UTF8.GetByteCount(text) <= bytesMax)
            return text;
        var (length, bytes) = (0, Encoding.UTF8.GetByteCount("…"));
        foreach (var rune in text.EnumerateRunes())
        {
            if ((bytes += rune.Utf8SequenceLength) > bytesMax)
                break;
            length += rune.Utf16SequenceLength;
        }

        return string.Concat(text.AsSpan(0, length), "…");
    }

    /// <summary>As <c>grpc-message</c> carries it: percent-encoded but for visible ASCII and spaces.</summary>
    /// <remarks>Source: PROTOCOL-HTTP2.md of gRPC, "Status-Message".</remarks>
    public static string Encode(string text)
    {
        if (!text.AsSpan().ContainsAnyExceptInRange(' ', '~') && !text.Contains('%', StringComparison.Ordinal))
            return text;
        var encoded = new StringBuilder(text.Length + 16);
        foreach (var b in Encoding.UTF8.GetBytes(text))
        {
            if (b is >= (byte)' ' and <= (byte)'~' and not (byte)'%')
                encoded.Append((char)b);
            else
                encoded.Append('%').Append(Hex[b >> 4]).Append(Hex[b & 15]);
        }

        return encoded.ToString();
    }
}
