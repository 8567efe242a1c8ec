using System.Buffers;

namespace EventDbx.Schemas;

/// <summary>Walks the members of a JSON object that has been checked and minified, in the order they stand.</summary>
internal ref struct ObjectWalk(ReadOnlySpan<byte> json)
{
    static readonly SearchValues<byte> Brackets = SearchValues.Create("\"{}[]"u8);

    readonly ReadOnlySpan<byte> _json = json;
    int _at = 1;

    /// <summary>The member's name as it stands, between its quotes.</summary>
    public ReadOnlySpan<byte> RawName { get; private set; }

    public int ValueAt { get; private set; }

    public int ValueLength { get; private set; }

    public readonly ReadOnlySpan<byte> Value => _json.Slice(ValueAt, ValueLength);

    public bool Next()
    {
        if (_json[_at] == (byte)'}')
            return false;
        if (_json[_at] == (byte)',')
            _at++;
        var name = _at + 1;
        SkipString();
        RawName = _json[name..(_at - 1)];
        ValueAt = ++_at;
        SkipValue();
        ValueLength = _at - ValueAt;
        return true;
    }

    /// <summary>A member's value by its unescaped name; false when there is none.</summary>
    public static bool TryFind(ReadOnlySpan<byte> json, ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value)
    {
        ObjectWalk walk = new(json);
        while (walk.Next())
        {
            if (!IsNamed(walk.RawName, name))
                continue;
            value = walk.Value;
            return true;
        }

        value = default;
        return false;
    }

    static bool IsNamed(ReadOnlySpan<byte> raw, ReadOnlySpan<byte> name)
    {
        if (!raw.Contains((byte)'\\'))
            return raw.SequenceEqual(name);
        using PooledBytes unescaped = new(raw.Length, stackalloc byte[PooledBytes.StackBytes]);
        return unescaped.Span[..JsonEscape.Unescape(raw, unescaped.Span)].SequenceEqual(name);
    }

    void SkipString()
    {
        _at++;
        while (true)
        {
            _at += _json[_at..].IndexOfAny((byte)'"', (byte)'\\');
            if (_json[_at] == (byte)'"')
                break;
            _at += 2;
        }

        _at++;
    }

    void SkipValue()
    {
        switch (_json[_at])
        {
            case (byte)'"':
                SkipString();
                return;
            case (byte)'{' or (byte)'[':
                SkipNested();
                return;
            default:
                _at += _json[_at..].IndexOfAny((byte)',', (byte)'}');
                return;
        }
    }

    void SkipNested()
    {
        var depth = 0;
        do
        {
            _at += _json[_at..].IndexOfAny(Brackets);
            switch (_json[_at])
            {
                case (byte)'"':
                    SkipString();
                    continue;
                case (byte)'{' or (byte)'[':
                    depth++;
                    break;
                default:
                    depth--;
                    break;
            }

            _at++;
        }
        while (depth > 0);
    }
}
