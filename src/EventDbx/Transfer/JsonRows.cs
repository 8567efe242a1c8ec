using System.Buffers;

namespace EventDbx.Transfer;

/// <summary>An array of one object for each aggregate, members by their names; values as the surfaces show them: scalars as strings.</summary>
internal sealed class JsonRows(bool pretty) : IExportRows
{
    readonly List<(ReadOnlyMemory<byte> Name, ReadOnlyMemory<byte> Value)> _members = [];
    bool _any;

    public void Begin(IBufferWriter<byte> output) => output.Write("["u8);

    public void Row(IBufferWriter<byte> output, AggregateState aggregate)
    {
        output.Write(_any ? ","u8 : ""u8);
        _any = true;
        Gather(aggregate.Fields);
        JsonLayout layout = new(output, pretty);
        layout.NewLine(1);
        output.Write("{"u8);
        for (var i = 0; i < _members.Count; i++)
        {
            output.Write(i > 0 ? ","u8 : ""u8);
            layout.NewLine(2);
            JsonEscape.WriteString(output, _members[i].Name.Span);
            output.Write(pretty ? ": "u8 : ":"u8);
            if (_members[i].Value is { IsEmpty: false } value)
                WriteValue(output, ref layout, value.Span);
            else
                JsonEscape.WriteString(output, aggregate.Aggregate.IdUtf8);
        }

        layout.NewLine(1);
        output.Write("}"u8);
    }

    public void End(IBufferWriter<byte> output)
    {
        if (_any)
            new JsonLayout(output, pretty).NewLine(0);
        output.Write("]\n"u8);
    }

    /// <summary>The fields, and the id as a member without a value, in the order of their names.</summary>
    void Gather(ReadOnlyMemory<byte> state)
    {
        _members.Clear();
        _members.Add((ExportColumns.Id, default));
        var blob = state.Span;
        foreach (var field in StateText.Fields(blob))
        {
            blob.Overlaps(field.Name, out var name);
            blob.Overlaps(field.Value, out var value);
            _members.Add((
                ExportColumns.IsTaken(field.Name) ? ExportColumns.NameOf(field.Name.ToArray()) : state.Slice(field.Name.IsEmpty ? 0 : name, field.Name.Length),
                state.Slice(value, field.Value.Length)));
        }

        _members.Sort(static (left, right) => left.Name.Span.SequenceCompareTo(right.Name.Span));
    }

    static void WriteValue(IBufferWriter<byte> output, ref JsonLayout layout, ReadOnlySpan<byte> value)
    {
        switch (value[0])
        {
            case (byte)'"':
                output.Write(value);
                break;
            case (byte)'{' or (byte)'[':
                layout.Write(value, 2);
                break;
            case (byte)'n':
                output.Write("\"\""u8);
                break;
            default:
                output.Write("\""u8);
                output.Write(value);
                output.Write("\""u8);
                break;
        }
    }
}
