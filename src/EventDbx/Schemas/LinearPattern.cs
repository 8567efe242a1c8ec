using System.Text.RegularExpressions;

namespace EventDbx.Schemas;

/// <summary>A pattern compiled for the engine whose time is linear in the text.</summary>
/// <remarks>
/// Patterns mean what they mean in the existing implementation: unanchored, case-sensitive, Unicode aware, <c>$</c> only at the very end,
/// <c>.</c> a whole character. What the framework would read otherwise is rewritten, or refused when that cannot be done:
/// <code>
/// $            \z, unless (?m)
/// .  [^a]      also the two halves of a character above U+FFFF
/// 😀           (?:😀), so that a repetition repeats all of it
/// (?P&lt;n&gt;…)    (?&lt;n&gt;…)
/// [a[b]] [a&amp;&amp;b] (?x) \G      refused
/// </code>
/// Classes such as <c>\w</c> know only characters up to U+FFFF. Repetitions are written out by the engine, so their product is bounded
/// (<see cref="Limits.SchemaPatternStepsMax"/>).
/// </remarks>
internal ref struct LinearPattern
{
    const string HighAndLow = @"[\uD800-\uDBFF][\uDC00-\uDFFF]";

    const string NotLinear = "it uses look-around, a back-reference, an atomic group or a condition, none of which can be matched in linear time";

    readonly string _pattern;
    readonly StringBuilder _written = new();
    readonly Stack<(bool Multiline, bool Dotall, long Steps)> _groups = new();
    int _at;
    bool _multiline, _dotall;
    long _steps, _atom;

    LinearPattern(string pattern) => _pattern = pattern;

    /// <summary>Compiles a pattern.</summary>
    /// <param name="pattern">As written in the schema.</param>
    /// <param name="why">Why there is none: the end of a sentence.</param>
    public static Regex? Compile(string pattern, out string why)
    {
        var translated = new LinearPattern(pattern);
        why = translated.Translate() ?? "";
        if (why.Length > 0)
            return null;
        try
        {
            return new(translated._written.ToString(), RegexOptions.NonBacktracking | RegexOptions.CultureInvariant);
        }
        catch (NotSupportedException)
        {
            why = NotLinear;
        }
        catch (RegexParseException cause)
        {
            why = $"it is no regular expression ({cause.Error} near character {cause.Offset})";
        }

        return null;
    }

    string? Translate()
    {
        while (_at < _pattern.Length)
        {
            if (Step() is { } why)
                return why;
            if (_steps > Limits.SchemaPatternStepsMax)
                return $"with its repetitions written out it has more than {Limits.SchemaPatternStepsMax} steps";
        }

        return null;
    }

    string? Step()
    {
        var letter = _pattern[_at];
        switch (letter)
        {
            case '\\':
                return Escape();
            case '[':
                return Class();
            case '(':
                return Open();
            case ')':
                Copy();
                if (_groups.TryPop(out var outer))
                {
                    (_multiline, _dotall) = (outer.Multiline, outer.Dotall);
                    _atom = _steps;
                    _steps += outer.Steps;
                }

                return null;
            case '|':
                Copy();
                _atom = 0;
                return null;
            case '{':
                return Repeat();
            case '*' or '+' or '?' or '^':
                Copy();
                return null;
            case '$':
                _at++;
                _written.Append(_multiline ? "$" : @"\z");
                return null;
            case '.':
                _at++;
                Atom(_dotall ? $@"(?:[^\uD800-\uDFFF]|{HighAndLow})" : $@"(?:[^\n\uD800-\uDFFF]|{HighAndLow})");
                return null;
            default:
                return Literal(letter);
        }
    }

    string? Literal(char letter)
    {
        if (!char.IsSurrogate(letter))
        {
            _at++;
            Atom(letter.ToString());
            return null;
        }

        if (!char.IsHighSurrogate(letter) || _at + 1 == _pattern.Length || !char.IsLowSurrogate(_pattern[_at + 1]))
            return "it holds half of a surrogate pair";
        Atom($"(?:{_pattern.AsSpan(_at, 2)})");
        _at += 2;
        return null;
    }

    string? Escape()
    {
        if (_at + 1 == _pattern.Length)
            return "it ends in a backslash";
        var kind = _pattern[_at + 1];
        switch (kind)
        {
            case 'G':
                return @"it uses \G, which has no meaning here";
            case 'Z':
                return @"it uses \Z; write $ or \z for the very end";
            case (>= '1' and <= '9') or 'k':
                return NotLinear;
            case 'p' or 'P' when _at + 2 < _pattern.Length && char.IsAsciiLetter(_pattern[_at + 2]):
                Atom($@"\{kind}{{{_pattern[_at + 2]}}}");
                _at += 3;
                return null;
            case 'p' or 'P' when _at + 2 < _pattern.Length && _pattern[_at + 2] == '{':
                var close = _pattern.IndexOf('}', _at);
                if (close < 0)
                    return @"\p{ is not closed";
                Atom(_pattern[_at..(close + 1)]);
                _at = close + 1;
                return null;
            case 'A' or 'z' or 'b' or 'B':
                _written.Append('\\').Append(kind);
                _at += 2;
                return null;
            default:
                if (char.IsSurrogate(kind))
                    return "it escapes a character that needs no backslash";
                Atom(_pattern.Substring(_at, 2));
                _at += 2;
                return null;
        }
    }

    string? Class()
    {
        var start = _at++;
        var negated = _at < _pattern.Length && _pattern[_at] == '^';
        if (negated)
            _at++;
        var first = _at;
        for (; _at < _pattern.Length; _at++)
        {
            var letter = _pattern[_at];
            var next = _at + 1 < _pattern.Length ? _pattern[_at + 1] : '\0';
            switch (letter)
            {
                case ']' when _at > first:
                    var body = _pattern[start.._at];
                    _at++;
                    Atom(negated ? $@"(?:{body}\uD800-\uDFFF]|{HighAndLow})" : $"{body}]");
                    return null;
                case '\\':
                    _at++;
                    break;
                case '[':
                    return @"a class stands inside a class; write one class, or \[ for the bracket itself";
                case '&' or '-' or '~' when next == letter && _at > first:
                    return $@"{letter}{letter} in a class is a set operation, which is not supported; write \{letter} for the character itself";
                default:
                    if (char.IsSurrogate(letter))
                        return "a class holds a character above U+FFFF; write (?:a|b) instead of [ab]";
                    break;
            }
        }

        return "a class is not closed: ] is missing";
    }

    string? Open()
    {
        (bool Multiline, bool Dotall) outside = (_multiline, _dotall);
        var rest = _pattern.AsSpan(_at);
        if (rest.StartsWith("(?P<"))
        {
            _written.Append("(?<");
            _at += 4;
            CopyName();
        }
        else if (rest is ['(', '?', '<', not ('=' or '!'), ..])
        {
            _written.Append("(?<");
            _at += 3;
            CopyName();
        }
        else if (rest.StartsWith("(?:"))
        {
            _written.Append("(?:");
            _at += 3;
        }
        else if (rest.StartsWith("(?"))
        {
            return Flags(outside);
        }
        else
        {
            // No one reads the groups: unnamed ones need not be remembered.
            _written.Append("(?:");
            _at++;
        }

        Push(outside);
        return null;
    }

    string? Flags((bool Multiline, bool Dotall) outside)
    {
        var start = _at;
        var on = true;
        for (_at += 2; _at < _pattern.Length; _at++)
        {
            switch (_pattern[_at])
            {
                case '-':
                    on = false;
                    break;
                case 'm':
                    _multiline = on;
                    break;
                case 's':
                    _dotall = on;
                    break;
                case 'i':
                    break;
                case ')':
                    _at++;
                    _written.Append(_pattern.AsSpan(start, _at - start));
                    return null;
                case ':':
                    _at++;
                    _written.Append(_pattern.AsSpan(start, _at - start));
                    Push(outside);
                    return null;
                case '=' or '!' or '<' or '>' or '(' or '#' or '\'':
                    return NotLinear;
                case var flag:
                    return $"(?{flag}) is not known; the flags are i, m and s";
            }
        }

        return "a group is not closed: ) is missing";
    }

    string? Repeat()
    {
        var close = _pattern.IndexOf('}', _at);
        var parts = close < 0 ? [] : _pattern[(_at + 1)..close].Split(',');
        var largest = 0;
        foreach (var part in parts)
        {
            if (part.Length == 0 && parts.Length == 2 && part != parts[0])
                continue;
            if (part.Length is 0 or > 6 || part.AsSpan().ContainsAnyExceptInRange('0', '9'))
                return RepeatUnread();
            largest = Math.Max(largest, int.Parse(part, System.Globalization.CultureInfo.InvariantCulture));
        }

        if (parts.Length is 0 or > 2)
            return RepeatUnread();
        _written.Append(_pattern.AsSpan(_at, close + 1 - _at));
        _at = close + 1;
        _steps += _atom * Math.Max(0, largest - 1);
        _atom *= Math.Max(1, largest);
        return null;
    }

    static string RepeatUnread() => @"{ starts no repetition such as {2}, {2,} or {2,5}; write \{ for the brace itself";

    void Push((bool Multiline, bool Dotall) outside)
    {
        _groups.Push((outside.Multiline, outside.Dotall, _steps));
        (_steps, _atom) = (0, 0);
    }

    void CopyName()
    {
        var close = _pattern.IndexOf('>', _at);
        var end = close < 0 ? _pattern.Length : close + 1;
        _written.Append(_pattern.AsSpan(_at, end - _at));
        _at = end;
    }

    void Copy() => _written.Append(_pattern[_at++]);

    void Atom(string written)
    {
        _written.Append(written);
        _steps++;
        _atom = 1;
    }
}
