using System.Globalization;

namespace EventDbx.Schemas;

/// <summary>Reads a pattern: the syntax of the existing implementation's engine, as far as it can be matched in linear time.</summary>
internal ref struct PatternParser(string pattern)
{
    const string NotLinear = "it uses look-around, a back-reference, an atomic group or a condition, none of which can be matched in linear time";

    readonly ReadOnlySpan<char> _pattern = pattern;
    int _at;
    bool _anyCase, _multiline, _dotall;
    string? _why;

    /// <summary>The pattern, or null and why there is none: the end of a sentence.</summary>
    public static PatternNode? Parse(string pattern, out string why)
    {
        var parser = new PatternParser(pattern);
        var node = parser.Either();
        if (node is not null && parser._at < pattern.Length)
            node = parser.Fail("a ) closes no group");
        why = parser._why ?? "";
        return node;
    }

    readonly bool Ended => _at == _pattern.Length;

    readonly char Next => Ended ? '\0' : _pattern[_at];

    PatternNode? Either()
    {
        List<PatternNode> nodes = [];
        do
        {
            if (All() is not { } node)
                return null;
            nodes.Add(node);
        }
        while (TryTake('|'));

        return nodes.Count == 1 ? nodes[0] : new PatternNode.Either(nodes);
    }

    PatternNode? All()
    {
        List<PatternNode> nodes = [];
        while (!Ended && Next is not ('|' or ')'))
        {
            if (Atom(out var isFlags) is not { } node)
                return null;
            while (!Ended && Next is '*' or '+' or '?' or '{')
            {
                if (isFlags)
                    return Fail("there is nothing to repeat");
                if (Repeated(node) is not { } repeated)
                    return null;
                node = repeated;
            }

            nodes.Add(node);
        }

        return nodes.Count == 1 ? nodes[0] : new PatternNode.All(nodes);
    }

    PatternNode? Atom(out bool isFlags)
    {
        isFlags = false;
        switch (Next)
        {
            case '(':
                return Group(out isFlags);
            case '[':
                return Class();
            case '\\':
                return Escape();
            case '.':
                _at++;
                return new PatternNode.One(PatternSet.Any(_dotall));
            case '^':
                _at++;
                return new PatternNode.At(_multiline ? PatternPlace.LineStart : PatternPlace.TextStart);
            case '$':
                _at++;
                return new PatternNode.At(_multiline ? PatternPlace.LineEnd : PatternPlace.TextEnd);
            case '*' or '+' or '?':
                return Fail("there is nothing to repeat");
            case '{':
                return Fail(@"{ starts no repetition such as {2}, {2,} or {2,5}; write \{ for the brace itself");
            default:
                return Literal() is { } value ? new PatternNode.One(PatternSet.Of(value, _anyCase)) : null;
        }
    }

    PatternNode.Repeat? Repeated(PatternNode node)
    {
        var sign = Next;
        _at++;
        (int Min, int? Max)? bounds = sign switch
        {
            '*' => (0, null),
            '+' => (1, null),
            '?' => (0, 1),
            _ => Bounds(),
        };
        if (bounds is not { } known)
            return null;
        // Which match is found makes no difference to whether there is one.
        TryTake('?');
        return new PatternNode.Repeat(node, known.Min, known.Max);
    }

    (int, int?)? Bounds()
    {
        var length = _pattern[_at..].IndexOf('}');
        var text = length < 0 ? default : _pattern.Slice(_at, length);
        var comma = text.IndexOf(',');
        if (!TryCount(comma < 0 ? text : text[..comma], out var min))
            return Braces();
        _at += length + 1;
        if (comma < 0)
            return (min, min);
        if (comma == text.Length - 1)
            return (min, null);
        if (!TryCount(text[(comma + 1)..], out var max))
            return Braces();
        if (max >= min)
            return (min, max);
        Fail($"{{{min},{max}}} has its larger bound first");
        return null;
    }

    (int, int?)? Braces()
    {
        Fail(@"{ starts no repetition such as {2}, {2,} or {2,5}; write \{ for the brace itself");
        return null;
    }

    static bool TryCount(ReadOnlySpan<char> text, out int count)
    {
        count = 0;
        return text.Length is > 0 and <= 6 && !text.ContainsAnyExceptInRange('0', '9') && int.TryParse(text, CultureInfo.InvariantCulture, out count);
    }

    PatternNode? Group(out bool isFlags)
    {
        isFlags = false;
        var outside = (_anyCase, _multiline, _dotall);
        _at++;
        if (TryTake('?'))
        {
            if (_pattern[_at..].StartsWith("P<") || (Next == '<' && _pattern[_at..] is not ['<', '=' or '!', ..]))
            {
                var close = _pattern[_at..].IndexOf('>');
                if (close < 0)
                    return Fail("the name of a group is not closed: > is missing");
                _at += close + 1;
            }
            else if (!Flags(out isFlags))
            {
                return null;
            }
            else if (isFlags)
            {
                return new PatternNode.All([]);
            }
        }

        var node = Either();
        if (node is null)
            return null;
        (_anyCase, _multiline, _dotall) = outside;
        return TryTake(')') ? node : Fail("a group is not closed: ) is missing");
    }

    // Behind (? come flags, and then : and the group's pattern, or ) and flags for what follows.
    bool Flags(out bool alone)
    {
        alone = false;
        var on = true;
        for (; !Ended; _at++)
        {
            switch (Next)
            {
                case ':':
                    _at++;
                    return true;
                case ')':
                    _at++;
                    alone = true;
                    return true;
                case '-':
                    on = false;
                    break;
                case 'i':
                    _anyCase = on;
                    break;
                case 'm':
                    _multiline = on;
                    break;
                case 's':
                    _dotall = on;
                    break;
                case '=' or '!' or '<' or '>' or '(' or '#' or '\'' or 'P':
                    Fail(NotLinear);
                    return false;
                case var flag:
                    Fail($"the flag {flag} is not known; the flags are i, m and s");
                    return false;
            }
        }

        Fail("a group is not closed: ) is missing");
        return false;
    }

    PatternNode? Class()
    {
        _at++;
        var negated = TryTake('^');
        var first = true;
        List<(int, int)> ranges = [];
        List<PatternSet> parts = [];
        for (; !Ended; first = false)
        {
            var letter = Next;
            if (letter == ']' && !first)
            {
                _at++;
                return new PatternNode.One(new(ranges, 0, parts, negated, _anyCase));
            }

            if (letter == '[')
                return Fail(@"a class stands inside a class; write one class, or \[ for the bracket itself");
            if (letter is '&' or '-' or '~' && !first && _at + 1 < _pattern.Length && _pattern[_at + 1] == letter)
                return Fail($@"{letter}{letter} in a class is a set operation, which is not supported; write \{letter} for the character itself");
            if (letter == '\\' && TrySet(out var set))
            {
                if (set is null)
                    return null;
                parts.Add(set);
                continue;
            }

            if ((letter == '\\' ? Escaped() : Literal()) is not { } from)
                return null;
            var to = from;
            if (Next == '-' && _at + 1 < _pattern.Length && _pattern[_at + 1] is not (']' or '-'))
            {
                _at++;
                if ((Next == '\\' ? Escaped() : Literal()) is not { } end)
                    return null;
                to = end;
            }

            if (to < from)
                return Fail("a range in a class has its larger end first");
            ranges.Add((from, to));
        }

        return Fail("a class is not closed: ] is missing");
    }

    PatternNode? Escape()
    {
        var letter = _at + 1 < _pattern.Length ? _pattern[_at + 1] : '\0';
        PatternPlace? place = letter switch
        {
            'A' => PatternPlace.TextStart,
            'z' => PatternPlace.TextEnd,
            'b' => PatternPlace.WordEdge,
            'B' => PatternPlace.NoWordEdge,
            _ => null,
        };
        if (place is { } known)
        {
            _at += 2;
            return new PatternNode.At(known);
        }

        if (TrySet(out var set))
            return set is null ? null : new PatternNode.One(set);
        return Escaped() is { } value ? new PatternNode.One(PatternSet.Of(value, _anyCase)) : null;
    }

    // \d \w \s \p{Lu} \pL and their opposites. True with null: it is one, and wrong.
    bool TrySet(out PatternSet? set)
    {
        set = null;
        var letter = _at + 1 < _pattern.Length ? _pattern[_at + 1] : '\0';
        if (letter is 'd' or 'w' or 's' or 'D' or 'W' or 'S')
        {
            _at += 2;
            set = PatternSet.Known(char.ToLowerInvariant(letter), char.IsAsciiLetterUpper(letter));
            return true;
        }

        if (letter is not ('p' or 'P'))
            return false;
        _at += 2;
        var rest = _pattern[_at..];
        var close = rest is ['{', ..] ? rest.IndexOf('}') : 0;
        var name = close > 0 ? rest[1..close].ToString() : rest.Length > 0 ? rest[..1].ToString() : "";
        var categories = PatternSet.Category(name);
        if (categories == 0)
            Fail($@"\{letter} takes a general category such as L, Lu or Nd, not `{SchemaRefusal.Shown(name)}`");
        else
            set = new([], categories, negated: letter == 'P');
        _at += close > 0 ? close + 1 : 1;
        return true;
    }

    // An escape that stands for one character.
    int? Escaped()
    {
        if (++_at == _pattern.Length)
            return None("it ends in a backslash");
        var letter = Next;
        switch (letter)
        {
            case 'n':
                return Took('\n');
            case 'r':
                return Took('\r');
            case 't':
                return Took('\t');
            case 'f':
                return Took('\f');
            case 'v':
                return Took('\v');
            case 'a':
                return Took('\a');
            case 'x':
                return Hex(2);
            case 'u':
                return Hex(4);
            case 'U':
                return Hex(8);
            case (>= '1' and <= '9') or 'k':
                return None(NotLinear);
            case 'Z':
                return None(@"it uses \Z; write $ or \z for the very end");
            default:
                return char.IsAscii(letter) && !char.IsAsciiLetterOrDigit(letter) && !char.IsControl(letter)
                    ? Took(letter)
                    : None($@"\{SchemaRefusal.Shown([letter])} is no escape");
        }
    }

    int? Took(int value)
    {
        _at++;
        return value;
    }

    // \x41 \u0041 \x{1F600}
    int? Hex(int length)
    {
        _at++;
        var braced = TryTake('{');
        var rest = _pattern[_at..];
        length = braced ? rest.IndexOf('}') : length;
        if (length is < 1 or > 8 || length > rest.Length
            || !int.TryParse(rest[..length], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var value) || !Rune.IsValid(value))
            return None("an escape of a character by its number is none");
        _at += length + (braced ? 1 : 0);
        return value;
    }

    int? Literal()
    {
        if (Rune.DecodeFromUtf16(_pattern[_at..], out var rune, out var length) != System.Buffers.OperationStatus.Done)
            return None("it holds half of a surrogate pair");
        _at += length;
        return rune.Value;
    }

    bool TryTake(char expected)
    {
        if (Ended || Next != expected)
            return false;
        _at++;
        return true;
    }

    int? None(string why)
    {
        Fail(why);
        return null;
    }

    PatternNode? Fail(string why)
    {
        _why ??= why;
        return null;
    }
}
