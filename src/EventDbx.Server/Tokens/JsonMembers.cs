using System.Buffers;

namespace EventDbx.Server.Tokens;

/// <summary>Writes the members of one flat JSON object, in the order of the calls.</summary>
internal ref struct JsonMembers
{
    readonly IBufferWriter<byte> _output;
    bool _any;

    public JsonMembers(IBufferWriter<byte> output)
    {
        _output = output;
        output.Write("{"u8);
    }

    public readonly void End() => _output.Write("}"u8);

    public void Text(ReadOnlySpan<byte> name, string value)
    {
        Name(name);
        RecordJson.WriteText(_output, value);
    }

    public void TextOrNull(ReadOnlySpan<byte> name, string? value)
    {
        if (value is null)
            Raw(name, "null"u8);
        else
            Text(name, value);
    }

    public void Time(ReadOnlySpan<byte> name, Timestamp? value) => TextOrNull(name, value?.ToString());

    public void Truth(ReadOnlySpan<byte> name, bool value) => Raw(name, value ? "true"u8 : "false"u8);

    public void Number(ReadOnlySpan<byte> name, ulong value)
    {
        Name(name);
        RecordJson.WriteNumber(_output, value);
    }

    public void NumberOrNull(ReadOnlySpan<byte> name, ulong? value)
    {
        if (value is { } number)
            Number(name, number);
        else
            Raw(name, "null"u8);
    }

    public void Texts(ReadOnlySpan<byte> name, IReadOnlyList<string> values)
    {
        Name(name);
        _output.Write("["u8);
        for (var i = 0; i < values.Count; i++)
        {
            if (i > 0)
                _output.Write(","u8);
            RecordJson.WriteText(_output, values[i]);
        }

        _output.Write("]"u8);
    }

    public void Limits(TokenLimits limits)
    {
        Name("limits"u8);
        var members = new JsonMembers(_output);
        members.NumberOrNull("write_events"u8, limits.WriteEvents);
        members.Truth("keep_alive"u8, limits.KeepAlive);
        members.End();
    }

    void Raw(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        Name(name);
        _output.Write(value);
    }

    void Name(ReadOnlySpan<byte> name)
    {
        _output.Write(_any ? ",\""u8 : "\""u8);
        _output.Write(name);
        _output.Write("\":"u8);
        _any = true;
    }
}
