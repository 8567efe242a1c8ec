namespace EventDbx.Verifier.Json;

/// <summary>The members of an object that a format names.</summary>
/// <param name="Names">In the order in which an error looks for them.</param>
internal sealed record Shape(params string[] Names)
{
    /// <summary>The names as they stand in a text.</summary>
    public byte[][] Utf8 { get; } = [.. Names.Select(name => Text.Utf8.GetBytes(name))];

    /// <summary>Bytes of the longest name, written as escapes only.</summary>
    public int EscapedMax { get; } = 6 * Names.Max(name => name.Length);
}

/// <summary>Members that no format names: ignored, and so nobody vouches for them. People are told.</summary>
internal sealed class Unnamed
{
    readonly List<string> _shown = [];

    public int Count { get; private set; }

    /// <summary>The first few names, different ones.</summary>
    public IReadOnlyList<string> Shown => _shown;

    /// <param name="quoted">The name as it stands in the text.</param>
    public void Add(ReadOnlyMemory<byte> quoted)
    {
        Count++;
        if (_shown.Count == Limits.UnnamedShownMax || quoted.Length > Limits.ShownCharactersMax)
            return;
        var name = Text.Utf8.GetString(JsonText.Unescaped(quoted).Span);
        if (!_shown.Contains(name))
            _shown.Add(name);
    }
}

/// <summary>An object of a checked text, and the members of it that its format names.</summary>
internal sealed class JsonObject
{
    readonly string _what;
    readonly Shape _shape;
    readonly ReadOnlyMemory<byte>[] _values; // empty where there is none

    JsonObject(string what, Shape shape)
    {
        (_what, _shape) = (what, shape);
        _values = new ReadOnlyMemory<byte>[shape.Names.Length];
    }

    /// <summary>Reads a whole text that is one object.</summary>
    /// <exception cref="RefutedException">It is no JSON, no object, or has a named member twice.</exception>
    public static JsonObject Parse(ReadOnlyMemory<byte> text, string what, Shape shape, Unnamed? unnamed = null) =>
        Of(JsonText.Checked(text, what), what, shape, unnamed);

    /// <summary>Reads a checked value.</summary>
    /// <exception cref="RefutedException">It is no object, or has a named member twice.</exception>
    public static JsonObject Of(ReadOnlyMemory<byte> value, string what, Shape shape, Unnamed? unnamed = null)
    {
        var text = value.Span;
        if (text[0] != (byte)'{')
            throw new RefutedException($"{what} is malformed: it is no object.");
        var read = new JsonObject(what, shape);
        var at = JsonText.White(text, 1);
        while (text[at] != (byte)'}')
        {
            var nameEnd = JsonText.String(text, at, what);
            var name = value[at..nameEnd];
            // Behind the name: the colon.
            var begin = JsonText.White(text, JsonText.White(text, nameEnd) + 1);
            var end = JsonText.Value(text, begin, 0, what);
            read.Take(name, value[begin..end], unnamed);
            at = JsonText.White(text, end);
            if (text[at] == (byte)',')
                at = JsonText.White(text, at + 1);
        }

        return read;
    }

    public bool Has(string name) => !_values[Index(name)].IsEmpty;

    /// <summary>The value as it stands in the text.</summary>
    /// <exception cref="RefutedException">It is missing.</exception>
    public ReadOnlyMemory<byte> Raw(string name) => _values[Index(name)] is { IsEmpty: false } value
        ? value
        : throw new RefutedException($"{_what} is malformed: `{name}` is missing.");

    public bool IsNull(string name) => Raw(name).Span.SequenceEqual("null"u8);

    /// <summary>A string, unescaped.</summary>
    public ReadOnlyMemory<byte> Utf8(string name) => Raw(name) is var value && value.Span[0] == (byte)'"'
        ? JsonText.Unescaped(value)
        : throw Wrong(name, "a string");

    public string String(string name) => Text.Utf8.GetString(Utf8(name).Span);

    /// <summary>An integer without sign, fraction or exponent.</summary>
    public ulong Number(string name) => Text.TryNumber(Raw(name).Span, out var number)
        ? number
        : throw Wrong(name, "an integer from 0 to 2^64 − 1, written in digits");

    public Digest Hash(string name) => Digest.TryParseHex(Utf8(name).Span, out var digest)
        ? digest
        : throw Wrong(name, "a hash: 64 lower-case hex digits");

    /// <summary>Hashes one after the other in one base64 text.</summary>
    public Digest[] Path(string name)
    {
        var text = Utf8(name);
        if (text.Length > (Limits.PathHashesMax * Digest.Length / 3 * 4) + 4)
            throw Wrong(name, $"a path: it has more than {Limits.PathHashesMax} hashes");
        if (!Text.TryBase64(Text.Utf8.GetString(text.Span), out var bytes) || bytes.Length % Digest.Length != 0)
            throw Wrong(name, "a path: base64 of hashes of 32 bytes");
        var path = new Digest[bytes.Length / Digest.Length];
        for (var i = 0; i < path.Length; i++)
            path[i] = Digest.Read(bytes.AsSpan(i * Digest.Length, Digest.Length));
        return path;
    }

    /// <param name="what">How sentences name it; without, after this object and its name.</param>
    public JsonObject Object(string name, Shape shape, Unnamed? unnamed = null, string? what = null) =>
        Of(Raw(name), what ?? $"{_what}, `{name}`,", shape, unnamed);

    /// <summary>The value of <c>format</c> must be this one.</summary>
    public void Demand(string format)
    {
        var found = String("format");
        if (found != format)
            throw new RefutedException($"{_what} is malformed: its `format` is {Printable.Quoted(found)}, not \"{format}\".");
    }

    public RefutedException Wrong(string name, string wanted) => new($"{_what} is malformed: `{name}` is not {wanted}.");

    int Index(string name) => Array.IndexOf(_shape.Names, name) is var index and >= 0
        ? index
        : throw new ArgumentException(name, nameof(name));

    void Take(ReadOnlyMemory<byte> quoted, ReadOnlyMemory<byte> value, Unnamed? unnamed)
    {
        ReadOnlySpan<byte> name = quoted.Span[1..^1];
        if (name.Contains((byte)'\\') && name.Length <= _shape.EscapedMax)
            name = JsonText.Unescaped(quoted).Span;
        for (var i = 0; i < _values.Length; i++)
        {
            if (!name.SequenceEqual(_shape.Utf8[i]))
                continue;
            if (!_values[i].IsEmpty)
                throw new RefutedException($"{_what} is malformed: `{_shape.Names[i]}` stands there twice.");
            _values[i] = value;
            return;
        }

        unnamed?.Add(quoted);
    }
}
