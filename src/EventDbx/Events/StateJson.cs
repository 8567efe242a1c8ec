using System.Buffers;

namespace EventDbx.Events;

/// <summary>Writes a state as a JSON object, field by field or from a blob.</summary>
/// <remarks>
/// <code>
/// kept    42     1.50     true     null    "a\nb"     [1,2]    {"x":1}
/// plain   "42"   "1.50"   "true"   ""      "a\nb"     [1,2]    {"x":1}       as published: scalars are strings
/// typed   42     1.50     true     null    "a\nb"     [1,2]    {"x":1}
/// </code>
/// Values keep their bytes; names get only the escapes that JSON requires. Source: docs/decisions, 8.
/// </remarks>
/// <param name="output">Where it goes.</param>
/// <param name="typed">Scalars as JSON rather than as strings.</param>
internal ref struct StateJson(IBufferWriter<byte> output, bool typed)
{
    bool _any;

    /// <summary>Writes a whole <see cref="StateText"/> blob.</summary>
    public static void Write(IBufferWriter<byte> output, ReadOnlySpan<byte> blob, bool typed, FieldSelection? fields = null)
    {
        StateJson json = new(output, typed);
        json.Start();
        if (fields is not null)
        {
            fields.Write(ref json, blob);
        }
        else
        {
            foreach (var field in StateText.Fields(blob))
                json.Field(field.Name, field.Value);
        }

        json.End();
    }

    public readonly void Start() => output.Write("{"u8);

    /// <summary>Writes one field; callers send them in the order of their names.</summary>
    /// <param name="name">UTF-8, unescaped.</param>
    /// <param name="value">Minified JSON.</param>
    public void Field(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        if (_any)
            output.Write(","u8);
        _any = true;
        JsonEscape.WriteString(output, name);
        output.Write(":"u8);
        Value(value);
    }

    public readonly void End() => output.Write("}"u8);

    readonly void Value(ReadOnlySpan<byte> value)
    {
        if (typed || value[0] is (byte)'"' or (byte)'{' or (byte)'[')
        {
            output.Write(value);
            return;
        }

        output.Write("\""u8);
        if (value[0] != (byte)'n')
            output.Write(value);
        output.Write("\""u8);
    }
}
