using System.Buffers;
using System.Text;

namespace EventDbx.Events;

/// <summary>Walks one JSON document once: checks it, leaves out white space, collects the members.</summary>
/// <remarks>
/// Recursive, as the grammar is; <see cref="Limits.PayloadDepthMax"/> bounds the recursion. White space is left out by
/// copying the runs between it, so a document without any is copied once, at the end. On a failure the way back up
/// collects the path for the message. The input is valid UTF-8 (checked before), so strings need no second look.
/// Source: RFC 8259; docs/decisions, 7.
/// </remarks>
internal ref struct JsonScanner
{
    /// <summary>Names and unescaped bytes a caller puts on its stack.</summary>
    public const int StackNames = 32, StackBytes = 256;

    const int PathLengthMax = 100;

    readonly ReadOnlySpan<byte> _sent;
    JsonNames _names;
    int _at;

    // The text so far is _text[.._written], rented at the first white space, and then _sent[_keptFrom.._at].
    byte[]? _text;
    int _written;
    int _keptFrom;

    RefusalCode _code;
    string? _reason;
    string _path = "";

    public JsonScanner(ReadOnlySpan<byte> sent, Span<JsonName> names, Span<byte> unescaped)
    {
        _sent = sent;
        _names = new(sent, names, unescaped);
    }

    /// <summary>What the document is, once scanned.</summary>
    public bool IsObject { get; private set; }

    public bool IsNull { get; private set; }

    /// <summary>The outermost object's members, sorted by the bytes of their names.</summary>
    public readonly ReadOnlySpan<JsonName> Names => _names.All;

    /// <summary>Those of their names that had escapes, without them.</summary>
    public readonly ReadOnlySpan<byte> Unescaped => _names.Unescaped;

    /// <summary>Bytes of the minified text.</summary>
    public readonly int TextLength => _written + (_at - _keptFrom);

    /// <summary>Why <see cref="Scan"/> answered false.</summary>
    public readonly Refusal Refusal => new(
        _code, $"The payload is not accepted at byte {_at}{(_path.Length == 0 ? "" : $", in ${_path}")}: {_reason}");

    /// <summary>Scans the whole document. Once.</summary>
    public bool Scan()
    {
        SkipSpace();
        (IsObject, IsNull) = (Next == '{', Next == 'n');
        if (!Value(level: 1))
            return false;
        SkipSpace();
        return _at == _sent.Length || Fail($"the document has ended, but {Found} follows; one document is one payload.");
    }

    public readonly void CopyText(Span<byte> target)
    {
        _text.AsSpan(0, _written).CopyTo(target);
        _sent[_keptFrom.._at].CopyTo(target[_written..]);
    }

    public readonly void Dispose()
    {
        _names.Dispose();
        if (_text is not null)
            ArrayPool<byte>.Shared.Return(_text);
    }

    // The next byte, or −1 at the end.
    readonly int Next => _at < _sent.Length ? _sent[_at] : -1;

    readonly string Found => Next switch
    {
        -1 => "the end",
        var printable and > 0x20 and < 0x7F => $"'{(char)printable}'",
        var other => $"the byte 0x{other:X2}",
    };

    // level: of the value itself, were it an array or object.
    bool Value(int level) => Next switch
    {
        '"' => String(out _),
        '{' => Object(level),
        '[' => Array(level),
        '-' or (>= '0' and <= '9') => Number(),
        't' => Literal("true"u8),
        'f' => Literal("false"u8),
        'n' => Literal("null"u8),
        ']' or '}' => Fail($"a value is expected, but {Found} was found; a trailing comma is not accepted."),
        '/' => Fail("a value is expected, but '/' was found; comments are not accepted."),
        _ => Fail($"a value is expected, but {Found} was found."),
    };

    bool Object(int level)
    {
        if (!Open(level))
            return false;

        var mark = _names.Mark;
        if (!TryTake('}'))
        {
            do
            {
                SkipSpace();
                if (!Member(level))
                    return false;
                SkipSpace();
            }
            while (TryTake(','));

            if (!TryTake('}'))
                return Fail($"',' or '}}' is expected, but {Found} was found.");
        }

        if (!_names.TrySort(mark.Count, out var duplicate))
        {
            _at = duplicate.At;
            return Fail($"the member {Quoted(_names.Utf8Of(duplicate))} is there twice; each name may stand once in an object.");
        }

        if (level > 1)
            _names.Pop(mark);
        return true;
    }

    bool Member(int level)
    {
        if (Next != '"')
            return Fail(Next == '}'
                ? "a member name is expected, but '}' was found; a trailing comma is not accepted."
                : $"a member name in double quotes is expected, but {Found} was found.");

        var index = _names.Count;
        var (nameAt, textAt) = (_at + 1, TextLength + 1);
        if (!String(out var escaped))
            return false;
        var rawLength = _at - 1 - nameAt;
        var length = _names.Push(nameAt, rawLength, escaped, textAt);
        if (length > Limits.FieldNameBytesMax)
            return Exceeds($"a member name has {length} bytes; at most {Limits.FieldNameBytesMax} are accepted.");
        if (level == 1 && index == Limits.PayloadMembersMax)
            return Exceeds($"this is member {index + 1}; at most {Limits.PayloadMembersMax} are accepted at the top.");

        SkipSpace();
        if (!TryTake(':'))
            return Fail($"':' is expected behind a member name, but {Found} was found.");
        SkipSpace();
        var valueAt = TextLength;
        if (!Value(level + 1))
            return Below(SegmentOf(_sent.Slice(nameAt, rawLength)));
        _names.SetValue(index, valueAt, TextLength - valueAt);
        return true;
    }

    bool Array(int level)
    {
        if (!Open(level))
            return false;
        if (TryTake(']'))
            return true;

        var index = 0;
        do
        {
            SkipSpace();
            if (!Value(level + 1))
                return Below($"[{index}]");
            SkipSpace();
            index++;
        }
        while (TryTake(','));

        return TryTake(']') || Fail($"',' or ']' is expected, but {Found} was found.");
    }

    bool Open(int level)
    {
        if (level > Limits.PayloadDepthMax)
            return Exceeds($"arrays and objects are nested deeper than {Limits.PayloadDepthMax} levels.");
        _at++;
        SkipSpace();
        return true;
    }

    bool String(out bool escaped)
    {
        escaped = false;
        _at++;
        while (true)
        {
            var plain = _sent[_at..].IndexOfAny(JsonEscape.Special);
            if (plain < 0)
            {
                _at = _sent.Length;
                return Fail("a string is not closed.");
            }

            _at += plain;
            if (_sent[_at] == (byte)'"')
            {
                _at++;
                return true;
            }

            if (_sent[_at] != (byte)'\\')
                return Fail($"a string holds the control character U+{_sent[_at]:X4}; send it as \\u{_sent[_at]:x4}.");
            escaped = true;
            if (!Escape())
                return false;
        }
    }

    bool Escape()
    {
        var rest = _sent[_at..];
        if (rest.Length > 1 && "\"\\/bfnrt"u8.Contains(rest[1]))
        {
            _at += 2;
            return true;
        }

        if (rest.Length < 2 || rest[1] != (byte)'u')
            return Fail("a backslash in a string starts none of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\uXXXX.");
        if (!JsonEscape.TryReadUnit(rest, out var unit))
            return Fail("\\u takes four hex digits.");
        if (!char.IsSurrogate(unit))
        {
            _at += 6;
            return true;
        }

        if (!char.IsHighSurrogate(unit) || !JsonEscape.TryReadUnit(rest[6..], out var low) || !char.IsLowSurrogate(low))
            return Fail($"\\u{(int)unit:x4} is half of a surrogate pair; send both, high before low, or the character itself.");
        _at += 12;
        return true;
    }

    bool Number()
    {
        var start = _at;
        if (Next == '-')
            _at++;
        if (TryTake('0'))
        {
            if (Next is >= '0' and <= '9')
                return Fail("a number starts with a zero that means nothing.");
        }
        else if (!Digits())
        {
            return Fail($"a digit is expected in a number, but {Found} was found.");
        }

        if (TryTake('.') && !Digits())
            return Fail($"a digit is expected behind the decimal point, but {Found} was found.");
        if (Next is 'e' or 'E')
        {
            _at++;
            if (Next is '+' or '-')
                _at++;
            if (!Digits())
                return Fail($"a digit is expected in an exponent, but {Found} was found.");
        }

        var length = _at - start;
        return length <= Limits.NumberCharactersMax
            || Exceeds($"a number has {length} characters; at most {Limits.NumberCharactersMax} are accepted.");
    }

    bool Digits()
    {
        var start = _at;
        while (Next is >= '0' and <= '9')
            _at++;
        return _at > start;
    }

    bool Literal(ReadOnlySpan<byte> literal)
    {
        if (!_sent[_at..].StartsWith(literal))
            return Fail("a value is expected, but the word found is none of true, false, null.");
        _at += literal.Length;
        return true;
    }

    bool TryTake(char expected)
    {
        if (Next != expected)
            return false;
        _at++;
        return true;
    }

    void SkipSpace()
    {
        var start = _at;
        while (Next is ' ' or '\n' or '\r' or '\t')
            _at++;
        if (_at == start)
            return;

        _text ??= ArrayPool<byte>.Shared.Rent(_sent.Length);
        _sent[_keptFrom..start].CopyTo(_text.AsSpan(_written));
        _written += start - _keptFrom;
        _keptFrom = _at;
    }

    bool Fail(string reason)
    {
        (_code, _reason) = (RefusalCode.InvalidPayload, reason);
        return false;
    }

    bool Exceeds(string reason)
    {
        (_code, _reason) = (RefusalCode.LimitExceeded, reason);
        return false;
    }

    // On the way up from a failure: puts one more segment in front of the path.
    bool Below(string segment)
    {
        if (_path.Length < PathLengthMax)
            _path = segment + _path;
        else if (!_path.StartsWith('…'))
            _path = "…" + _path;
        return false;
    }

    static string SegmentOf(ReadOnlySpan<byte> rawName)
    {
        var plain = rawName.Length is > 0 and <= 40;
        foreach (var letter in rawName)
            plain &= char.IsAsciiLetterOrDigit((char)letter) || letter == (byte)'_';
        return plain ? $".{Encoding.UTF8.GetString(rawName)}" : $"[{Quoted(rawName)}]";
    }

    // For a message, which may end on a terminal: short, and without control characters.
    static string Quoted(ReadOnlySpan<byte> name)
    {
        StringBuilder shown = new("\"", 44);
        while (Rune.DecodeFromUtf8(name, out var rune, out var bytes) == OperationStatus.Done)
        {
            if (shown.Length > 40)
                return shown.Append("…\"").ToString();
            shown.Append(Rune.IsControl(rune) ? Rune.ReplacementChar.ToString() : rune.ToString());
            name = name[bytes..];
        }

        return shown.Append('"').ToString();
    }
}
