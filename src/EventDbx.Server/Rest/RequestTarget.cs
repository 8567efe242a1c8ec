namespace EventDbx.Server.Rest;

/// <summary>The target of a request line, taken apart before anything was decoded: the path at its slashes, the query at its question mark.</summary>
/// <remarks>
/// A framework that decodes first cannot tell <c>a%2Fb</c> from <c>a%252Fb</c>, or <c>%2e%2e</c> from a step upwards. Here each
/// segment is decoded once, by itself, so every name has a URL and no two names share one.
/// </remarks>
internal readonly struct RequestTarget
{
    static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    RequestTarget(string[] segments, string query) => (Segments, Query) = (segments, query);

    /// <summary>Still percent-encoded; a slash at the end is an empty one.</summary>
    public string[] Segments { get; }

    /// <summary>What stands behind the question mark, still percent-encoded.</summary>
    public string Query { get; }

    /// <summary>Takes a target apart; false when it is none that has a path: <c>*</c>, <c>host:port</c>.</summary>
    public static bool TryParse(string raw, out RequestTarget target)
    {
        target = default;
        var text = raw.AsSpan();
        // A proxy may be sent the whole URL.
        if (text.StartsWith("http://", StringComparison.OrdinalIgnoreCase) || text.StartsWith("https://", StringComparison.OrdinalIgnoreCase))
        {
            text = text[(text.IndexOf("://", StringComparison.Ordinal) + 3)..];
            var end = text.IndexOfAny('/', '?');
            text = end < 0 ? "/" : text[end..];
        }

        var question = text.IndexOf('?');
        var path = question < 0 ? text : text[..question];
        if (path.IsEmpty || path[0] != '/')
            return false;
        var query = question < 0 ? "" : text[(question + 1)..].ToString();
        target = new(path[1..].ToString().Split('/'), query);
        return true;
    }

    /// <summary>Undoes percent-encoding, once.</summary>
    /// <param name="encoded">As it stands in the request line.</param>
    /// <param name="what">What it is, for the message.</param>
    /// <param name="plusIsSpace">In queries, as forms send them; in paths a plus is a plus.</param>
    /// <exception cref="RefusedException">A <c>%</c> without two hex digits, or bytes that are not UTF-8.</exception>
    public static string Decode(string encoded, string what, bool plusIsSpace = false)
    {
        if (!encoded.Contains('%', StringComparison.Ordinal))
            return plusIsSpace ? encoded.Replace('+', ' ') : encoded;
        var bytes = new byte[Encoding.UTF8.GetMaxByteCount(encoded.Length)];
        var length = 0;
        for (var at = 0; at < encoded.Length; at++)
        {
            if (encoded[at] != '%')
            {
                length += Encoding.UTF8.GetBytes(encoded.AsSpan(at, 1), bytes.AsSpan(length));
                if (plusIsSpace && encoded[at] == '+')
                    bytes[length - 1] = (byte)' ';
                continue;
            }

            if (at + 2 >= encoded.Length || !char.IsAsciiHexDigit(encoded[at + 1]) || !char.IsAsciiHexDigit(encoded[at + 2]))
                throw new RefusedException(RefusalCode.InvalidArgument, $"{what}: the `%` at character {at + 1} is not followed by two hex digits; a percent sign itself is %25.");
            bytes[length++] = Convert.FromHexString(encoded.AsSpan(at + 1, 2))[0];
            at += 2;
        }

        try
        {
            return Strict.GetString(bytes, 0, length);
        }
        catch (DecoderFallbackException)
        {
            throw new RefusedException(RefusalCode.InvalidArgument, $"{what}: its percent-encoded bytes are not UTF-8.");
        }
    }
}
