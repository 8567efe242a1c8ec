namespace EventDbx.Access;

/// <summary>A pattern over a whole string: <c>*</c> is any run of characters, also none; <c>?</c> is one; case matters.</summary>
/// <remarks>Matching is linear in the product of both lengths at worst, without recursion: patterns come from outside.</remarks>
internal sealed class Glob
{
    readonly string _pattern;
    readonly bool[] _literal;

    Glob(string pattern, bool[] literal) => (_pattern, _literal) = (pattern, literal);

    /// <summary>Everything matches it.</summary>
    public bool MatchesAll => _pattern.Length > 0 && !_literal[0] && _pattern.AsSpan().IndexOfAnyExcept('*') < 0;

    public static Glob Of(string pattern) => new(pattern, new bool[pattern.Length]);

    /// <summary>A pattern in which <c>%2A</c> is a star and no wildcard; null when a <c>%</c> is not followed by two hex digits of valid UTF-8.</summary>
    public static Glob? OfEncoded(string pattern)
    {
        if (!pattern.Contains('%', StringComparison.Ordinal))
            return Of(pattern);
        var text = new StringBuilder();
        var literal = new List<bool>();
        for (var at = 0; at < pattern.Length;)
        {
            if (pattern[at] != '%')
            {
                text.Append(pattern[at++]);
                literal.Add(false);
                continue;
            }

            var bytes = new List<byte>();
            for (; at < pattern.Length && pattern[at] == '%'; at += 3)
            {
                if (at + 2 >= pattern.Length || !char.IsAsciiHexDigit(pattern[at + 1]) || !char.IsAsciiHexDigit(pattern[at + 2]))
                    return null;
                bytes.Add(Convert.FromHexString(pattern.AsSpan(at + 1, 2))[0]);
            }

            string decoded;
            try
            {
                decoded = Strict.GetString([.. bytes]);
            }
            catch (DecoderFallbackException)
            {
                return null;
            }

            text.Append(decoded);
            literal.AddRange(Enumerable.Repeat(true, decoded.Length));
        }

        return new(text.ToString(), [.. literal]);
    }

    public bool Matches(string text)
    {
        var (at, from, star, retry) = (0, 0, -1, 0);
        while (from < text.Length)
        {
            if (at < _pattern.Length && IsWild(at, '*'))
            {
                (star, retry) = (at++, from);
            }
            else if (at < _pattern.Length && (IsWild(at, '?') || _pattern[at] == text[from]))
            {
                // One character is one scalar value, not half of a pair.
                from += IsWild(at, '?') && char.IsHighSurrogate(text[from]) && from + 1 < text.Length ? 2 : 1;
                at++;
            }
            else if (star >= 0)
            {
                at = star + 1;
                from = ++retry;
            }
            else
            {
                return false;
            }
        }

        while (at < _pattern.Length && IsWild(at, '*'))
            at++;
        return at == _pattern.Length;
    }

    bool IsWild(int at, char wildcard) => _pattern[at] == wildcard && !_literal[at];

    static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
}
