namespace EventDbx.Schemas;

/// <summary>One column, ready to be held against values.</summary>
internal sealed class CompiledColumn
{
    readonly Column _column;
    readonly LinearPattern[] _patterns;
    readonly ColumnValue? _min, _max;
    readonly bool _readsText, _isSecret;
    readonly ColumnSet? _properties;

    /// <param name="isSecret">Its values are hidden from readers, and so are not quoted.</param>
    public CompiledColumn(string name, string path, Column column, bool isSecret)
    {
        (Name, Path, _column, _isSecret) = (Encoding.UTF8.GetBytes(name), path, column, isSecret);
        _patterns = [.. column.Regex.Select(pattern => LinearPattern.Compile(pattern, out _)!)];
        _min = Bound(column.Range?.Min);
        _max = Bound(column.Range?.Max);
        _readsText = !column.Contains.IsEmpty || !column.DoesNotContain.IsEmpty || _patterns.Length > 0 || column.Format is not null || column.Length is not null;
        if (!column.Properties.IsEmpty)
            _properties = new(column.Properties, path + ".", isSecret);
    }

    public byte[] Name { get; }

    /// <summary>Dotted, from the root.</summary>
    public string Path { get; }

    /// <summary>The field is not in the payload.</summary>
    public void Absent(Findings findings)
    {
        if (_column.Required)
            findings.Add(Path, SchemaRule.Required, $"The field `{Path}` is required and is not there; {Accepted.By(_column)} is accepted.");
    }

    /// <param name="json">Minified JSON.</param>
    public void Check(ReadOnlySpan<byte> json, Findings findings)
    {
        switch (_column.Kind)
        {
            case ColumnKind.Json:
                return;
            case ColumnKind.Object:
                if (json[0] != (byte)'{')
                    WrongType(json, findings);
                else
                    _properties?.CheckNested(json, findings);
                return;
            case ColumnKind.Text:
                if (json[0] != (byte)'"')
                    WrongType(json, findings);
                else if (_readsText)
                    CheckText(json, findings);
                return;
            case ColumnKind.Binary:
                CheckBinary(json, findings);
                return;
            default:
                CheckValue(json, findings);
                return;
        }
    }

    void CheckValue(ReadOnlySpan<byte> json, Findings findings)
    {
        if (!ColumnValue.TryRead(_column.Kind, json, out var value))
        {
            WrongType(json, findings);
            return;
        }

        if (_column.Kind == ColumnKind.Decimal)
            CheckDigits(json, value.Number, findings);
        // What has no order, as not a number, lies in no range.
        if (_min is { } min && value.CompareTo(min, _column.Kind) is null or < 0)
            OutOfRange(json, ">=", _column.Range!.Min!, findings);
        if (_max is { } max && value.CompareTo(max, _column.Kind) is null or > 0)
            OutOfRange(json, "<=", _column.Range!.Max!, findings);
    }

    // Part of the type, and named so.
    void CheckDigits(ReadOnlySpan<byte> json, decimal value, Findings findings)
    {
        if (value.Scale > _column.Scale)
        {
            findings.Add(Path, SchemaRule.Type,
                $"The field `{Path}` is {Found(json)}, which has {value.Scale} digits behind the point; {_column.TypeName} takes at most {_column.Scale}.");
        }

        var digits = DecimalText.Digits(value);
        if (digits > _column.Precision)
        {
            findings.Add(Path, SchemaRule.Type,
                $"The field `{Path}` is {Found(json)}, which has {digits} digits, a zero before the point included; {_column.TypeName} takes at most {_column.Precision}.");
        }
    }

    void CheckText(ReadOnlySpan<byte> json, Findings findings)
    {
        using JsonText decoded = new(json, stackalloc char[JsonText.StackCharacters]);
        var text = decoded.Characters;
        foreach (var part in _column.Contains)
        {
            if (!text.Contains(part, StringComparison.Ordinal))
                Broken(json, SchemaRule.Contains, $"has to contain \"{SchemaRefusal.Shown(part)}\"", findings);
        }

        foreach (var part in _column.DoesNotContain)
        {
            if (text.Contains(part, StringComparison.Ordinal))
                Broken(json, SchemaRule.DoesNotContain, $"must not contain \"{SchemaRefusal.Shown(part)}\"", findings);
        }

        for (var i = 0; i < _patterns.Length; i++)
        {
            if (!findings.TrySpend((long)_patterns[i].Steps * (text.Length + 1)))
                Broken(json, SchemaRule.Regex, TooLong(text.Length, i), findings);
            else if (!_patterns[i].IsMatch(text))
                Broken(json, SchemaRule.Regex, $"has to match the pattern `{SchemaRefusal.Shown(_column.Regex[i])}`", findings);
        }

        if (_column.Format is { } format && !TextFormats.Matches(format, text))
            Broken(json, SchemaRule.Format, $"has to be {TextFormats.Accepts(format)}", findings);
        if (_column.Length is { } length)
            CheckLength(json, length, (ulong)ScalarsOf(text), "characters", findings);
    }

    string TooLong(int characters, int pattern) =>
        $"has {characters} characters, which is too long for the pattern `{SchemaRefusal.Shown(_column.Regex[pattern])}`: {_patterns[pattern].Steps} steps for each, of {Limits.PatternStepsMax} that all patterns may take for one event";

    void CheckBinary(ReadOnlySpan<byte> json, Findings findings)
    {
        if (json[0] != (byte)'"')
        {
            WrongType(json, findings);
            return;
        }

        using JsonText decoded = new(json, stackalloc char[JsonText.StackCharacters]);
        if (!Base64Text.TryLength(decoded.Characters, out var bytes))
            WrongType(json, findings);
        else if (_column.Length is { } length)
            CheckLength(json, length, (ulong)bytes, "bytes", findings);
    }

    void CheckLength(ReadOnlySpan<byte> json, LengthBounds bounds, ulong length, string unit, Findings findings)
    {
        if (length < bounds.Min)
            Broken(json, SchemaRule.Length, $"has a length of {length} and has to have a length >= {bounds.Min} {unit}", findings);
        if (length > bounds.Max)
            Broken(json, SchemaRule.Length, $"has a length of {length} and has to have a length <= {bounds.Max} {unit}", findings);
    }

    void OutOfRange(ReadOnlySpan<byte> json, string order, string bound, Findings findings) =>
        Broken(json, SchemaRule.Range, $"has to be {order} {SchemaRefusal.Shown(bound.AsSpan().Trim())}", findings);

    void WrongType(ReadOnlySpan<byte> json, Findings findings) =>
        findings.Add(Path, SchemaRule.Type, $"The field `{Path}` is {Found(json)}, which is not of type {_column.TypeName}; {Accepted.By(_column)} is accepted.");

    void Broken(ReadOnlySpan<byte> json, SchemaRule rule, string what, Findings findings) =>
        findings.Add(Path, rule, $"The field `{Path}` is {Found(json)}; it {what}.");

    string Found(ReadOnlySpan<byte> json) => _isSecret ? "a value that is hidden" : SchemaRefusal.Shown(json);

    ColumnValue? Bound(string? text) =>
        text is not null && ColumnValue.TryParse(_column.Kind, text.AsSpan().Trim(), out var value) ? value : null;

    static int ScalarsOf(ReadOnlySpan<char> text)
    {
        var scalars = text.Length;
        foreach (var letter in text)
            scalars -= char.IsLowSurrogate(letter) ? 1 : 0;
        return scalars;
    }
}

/// <summary>Standard base64 with its padding, strictly: no white space, and no bits that stand for nothing.</summary>
internal static class Base64Text
{
    public static bool TryLength(ReadOnlySpan<char> text, out int bytes)
    {
        var padding = text is [.., '=', '='] ? 2 : text is [.., '='] ? 1 : 0;
        bytes = (text.Length / 4 * 3) - padding;
        if (text.Length % 4 != 0)
            return false;
        var last = 0;
        foreach (var letter in text[..^padding])
        {
            last = ValueOf(letter);
            if (last < 0)
                return false;
        }

        return padding == 0 || (last & (padding == 2 ? 0b1111 : 0b11)) == 0;
    }

    static int ValueOf(char letter) => letter switch
    {
        >= 'A' and <= 'Z' => letter - 'A',
        >= 'a' and <= 'z' => letter - 'a' + 26,
        >= '0' and <= '9' => letter - '0' + 52,
        '+' => 62,
        '/' => 63,
        _ => -1,
    };
}
