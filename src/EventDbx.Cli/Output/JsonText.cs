using System.Globalization;
using System.Text;
using System.Text.Json;

namespace EventDbx.Cli.Output;

/// <summary>JSON as <c>dbx</c> prints it: two blanks a level, <c>"key": value</c>, text unescaped, numbers as they were sent.</summary>
/// <remarks>The framework's writer escapes what lies beyond the Basic Multilingual Plane, so this is a small one of our own.</remarks>
internal sealed class JsonText(bool pretty = true)
{
    /// <summary>By UTF-8 bytes, like every order here: that of UTF-16 differs beyond the Basic Multilingual Plane.</summary>
    public static readonly Comparer<string> Utf8Order = Comparer<string>.Create(
        static (left, right) => Encoding.UTF8.GetBytes(left).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(right)));

    readonly StringBuilder _text = new();
    int _depth;
    bool _first = true; // nothing stands in the current object or array yet
    bool _named; // a name stands before the next value

    public JsonText BeginObject() => Begin('{');

    public JsonText EndObject() => End('}');

    public JsonText BeginArray() => Begin('[');

    public JsonText EndArray() => End(']');

    public JsonText Name(string name)
    {
        Separate();
        Quote(name);
        _text.Append(pretty ? ": " : ":");
        _named = true;
        return this;
    }

    public JsonText Value(string? text)
    {
        Separate();
        if (text is null)
            _text.Append("null");
        else
            Quote(text);
        return this;
    }

    public JsonText Value(bool truth) => Literal(truth ? "true" : "false");

    public JsonText Value(long number) => Literal(number.ToString(CultureInfo.InvariantCulture));

    public JsonText Value(ulong number) => Literal(number.ToString(CultureInfo.InvariantCulture));

    public JsonText Value(double number) => Literal(number.ToString("R", CultureInfo.InvariantCulture));

    /// <summary>JSON that exists already; literals are kept as they stand.</summary>
    /// <param name="json">The value.</param>
    /// <param name="sorted">Members at every level in the order of their names.</param>
    public JsonText Value(JsonElement json, bool sorted = false)
    {
        switch (json.ValueKind)
        {
            case JsonValueKind.Object:
                BeginObject();
                var members = json.EnumerateObject().AsEnumerable();
                foreach (var member in sorted ? members.OrderBy(m => m.Name, Utf8Order) : members)
                    Name(member.Name).Value(member.Value, sorted);
                return EndObject();
            case JsonValueKind.Array:
                BeginArray();
                foreach (var item in json.EnumerateArray())
                    Value(item, sorted);
                return EndArray();
            default:
                return Literal(pretty ? PlainText.Of(json.GetRawText()) : json.GetRawText());
        }
    }

    /// <inheritdoc cref="Value(JsonElement, bool)"/>
    public JsonText Value(ReadOnlyMemory<byte> utf8, bool sorted = false)
    {
        using var json = JsonDocument.Parse(utf8, new JsonDocumentOptions { MaxDepth = 2 * Limits.PayloadDepthMax });
        return Value(json.RootElement, sorted);
    }

    public JsonText Member(string name, string? text) => Name(name).Value(text);

    public JsonText Member(string name, bool truth) => Name(name).Value(truth);

    public JsonText Member(string name, long number) => Name(name).Value(number);

    public JsonText Member(string name, ulong number) => Name(name).Value(number);

    /// <summary>Hands on what was written so far, so that a long document is never whole in memory.</summary>
    public async Task DrainAsync(TextWriter target)
    {
        await target.WriteAsync(_text).ConfigureAwait(false);
        _text.Clear();
    }

    /// <summary>What was written so far, or since it was drained, with a line's end.</summary>
    public override string ToString() => _text.ToString() + "\n";

    JsonText Begin(char bracket)
    {
        Separate();
        _text.Append(bracket);
        (_depth, _first) = (_depth + 1, true);
        return this;
    }

    JsonText End(char bracket)
    {
        _depth--;
        if (!_first)
            NewLine();
        _text.Append(bracket);
        _first = false;
        return this;
    }

    JsonText Literal(string literal)
    {
        Separate();
        _text.Append(literal);
        return this;
    }

    void Separate()
    {
        if (_named)
        {
            _named = false;
            return;
        }

        if (!_first)
            _text.Append(',');
        _first = false;
        if (_depth > 0)
            NewLine();
    }

    void NewLine()
    {
        if (pretty)
            _text.Append('\n').Append(' ', 2 * _depth);
    }

    void Quote(string text)
    {
        _text.Append('"');
        foreach (var c in text)
        {
            _ = c switch
            {
                '"' => _text.Append("\\\""),
                '\\' => _text.Append("\\\\"),
                '\n' => _text.Append("\\n"),
                '\r' => _text.Append("\\r"),
                '\t' => _text.Append("\\t"),
                _ when PlainText.Steers(c) => _text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}"),
                _ => _text.Append(c),
            };
        }

        _text.Append('"');
    }
}
