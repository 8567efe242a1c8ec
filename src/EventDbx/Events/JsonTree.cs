using System.Buffers;
using System.Text.Json;

namespace EventDbx.Events;

/// <summary>A JSON value that can be changed. Scalars keep their bytes: <c>1.50</c> stays <c>1.50</c>, a text stays a text.</summary>
internal sealed class JsonTree
{
    readonly byte[]? _scalar;

    JsonTree(byte[] scalar) => _scalar = scalar;

    JsonTree(OrderedDictionary<string, JsonTree> members) => Members = members;

    JsonTree(List<JsonTree> items) => Items = items;

    /// <summary>The members of an object, in their order; null for anything else.</summary>
    public OrderedDictionary<string, JsonTree>? Members { get; }

    /// <summary>The items of an array; null for anything else.</summary>
    public List<JsonTree>? Items { get; }

    /// <summary>What it is, for messages.</summary>
    public string Kind => Members is not null ? "an object" : Items is not null ? "an array" : _scalar![0] switch
    {
        (byte)'"' => "a string",
        (byte)'t' or (byte)'f' => "a truth value",
        (byte)'n' => "null",
        _ => "a number",
    };

    public static JsonTree EmptyObject() => new(new OrderedDictionary<string, JsonTree>(StringComparer.Ordinal));

    /// <summary>Reads one value, minified or not.</summary>
    /// <exception cref="JsonException">It is none.</exception>
    public static JsonTree Parse(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = Limits.PayloadDepthMax });
        reader.Read();
        var tree = Read(ref reader, json);
        return reader.Read() ? throw new JsonException("There is more than one value.") : tree;
    }

    public JsonTree Clone()
    {
        if (Members is not null)
        {
            var members = EmptyObject();
            foreach (var (name, value) in Members)
                members.Members!.Add(name, value.Clone());
            return members;
        }

        return Items is null ? this : new([.. Items.Select(item => item.Clone())]);
    }

    /// <summary>Bytes of its text, roughly: what a copy of it costs.</summary>
    public int Bytes
    {
        get
        {
            var bytes = 2 + (_scalar?.Length ?? 0);
            foreach (var (name, value) in Members ?? EmptyMembers)
                bytes += name.Length + 4 + value.Bytes;
            foreach (var item in Items ?? EmptyItems)
                bytes += 1 + item.Bytes;
            return bytes;
        }
    }

    /// <summary>Levels of objects and arrays; 0 for a scalar.</summary>
    public int Depth
    {
        get
        {
            var below = -1;
            foreach (var (_, value) in Members ?? EmptyMembers)
                below = Math.Max(below, value.Depth);
            foreach (var item in Items ?? EmptyItems)
                below = Math.Max(below, item.Depth);
            return _scalar is null ? Math.Max(0, below) + 1 : 0;
        }
    }

    /// <summary>Equal as RFC 6902 says: numbers by value, strings by characters, arrays in order, objects whatever the order.</summary>
    public bool SameAs(JsonTree other)
    {
        if (Members is not null)
        {
            if (other.Members is null || Members.Count != other.Members.Count)
                return false;
            foreach (var (name, value) in Members)
            {
                if (!other.Members.TryGetValue(name, out var theirs) || !value.SameAs(theirs))
                    return false;
            }

            return true;
        }

        if (Items is not null)
        {
            if (other.Items is null || Items.Count != other.Items.Count)
                return false;
            for (var i = 0; i < Items.Count; i++)
            {
                if (!Items[i].SameAs(other.Items[i]))
                    return false;
            }

            return true;
        }

        return other._scalar is not null && SameScalar(_scalar!, other._scalar);
    }

    public void Write(IBufferWriter<byte> output)
    {
        if (Members is not null)
        {
            var separator = "{"u8;
            foreach (var (name, value) in Members)
            {
                output.Write(separator);
                JsonEscape.WriteString(output, Encoding.UTF8.GetBytes(name));
                output.Write(":"u8);
                value.Write(output);
                separator = ","u8;
            }

            output.Write(Members.Count == 0 ? "{}"u8 : "}"u8);
        }
        else if (Items is not null)
        {
            var separator = "["u8;
            foreach (var item in Items)
            {
                output.Write(separator);
                item.Write(output);
                separator = ","u8;
            }

            output.Write(Items.Count == 0 ? "[]"u8 : "]"u8);
        }
        else
        {
            output.Write(_scalar);
        }
    }

    static readonly OrderedDictionary<string, JsonTree> EmptyMembers = [];
    static readonly List<JsonTree> EmptyItems = [];

    static JsonTree Read(ref Utf8JsonReader reader, ReadOnlySpan<byte> json)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.StartObject:
                var tree = EmptyObject();
                while (reader.Read() && reader.TokenType != JsonTokenType.EndObject)
                {
                    var name = reader.GetString()!;
                    reader.Read();
                    if (!tree.Members!.TryAdd(name, Read(ref reader, json)))
                        throw new JsonException($"The member `{name}` stands twice.");
                }

                return tree;
            case JsonTokenType.StartArray:
                var items = new List<JsonTree>();
                while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
                    items.Add(Read(ref reader, json));
                return new(items);
            default:
                var start = (int)reader.TokenStartIndex;
                return new(json[start..(int)reader.BytesConsumed].ToArray());
        }
    }

    static bool SameScalar(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        if (left.SequenceEqual(right))
            return true;
        if (left[0] == (byte)'"' && right[0] == (byte)'"')
            return TextOf(left) == TextOf(right);
        return IsNumber(left) && IsNumber(right) && JsonNumber.Parse(left) == JsonNumber.Parse(right);
    }

    static bool IsNumber(ReadOnlySpan<byte> scalar) => scalar[0] is (byte)'-' or (>= (byte)'0' and <= (byte)'9');

    static string TextOf(ReadOnlySpan<byte> scalar)
    {
        var reader = new Utf8JsonReader(scalar);
        reader.Read();
        return reader.GetString()!;
    }
}

/// <summary>A JSON number by value, whatever its spelling: digits without zeros at either end, and a power of ten.</summary>
internal readonly record struct JsonNumber(bool Negative, string Digits, long Exponent)
{
    /// <summary>Reads a number literal of JSON. An exponent beyond 18 digits is the largest of its sign.</summary>
    public static JsonNumber Parse(ReadOnlySpan<byte> literal)
    {
        var text = Encoding.ASCII.GetString(literal);
        var negative = text[0] == '-';
        var mark = text.AsSpan().IndexOfAny('e', 'E');
        var mantissa = text[(negative ? 1 : 0)..(mark < 0 ? text.Length : mark)];
        var exponent = mark < 0 ? 0
            : long.TryParse(text[(mark + 1)..], System.Globalization.NumberStyles.AllowLeadingSign, System.Globalization.CultureInfo.InvariantCulture, out var written) ? written
            : text[mark + 1] == '-' ? long.MinValue / 2 : long.MaxValue / 2;
        var point = mantissa.IndexOf('.', StringComparison.Ordinal);
        var digits = point < 0 ? mantissa : string.Concat(mantissa.AsSpan(0, point), mantissa.AsSpan(point + 1));
        exponent -= point < 0 ? 0 : mantissa.Length - point - 1;
        var kept = digits.TrimEnd('0');
        exponent += digits.Length - kept.Length;
        kept = kept.TrimStart('0');
        return kept.Length == 0 ? new(false, "", 0) : new(negative, kept, exponent);
    }
}
