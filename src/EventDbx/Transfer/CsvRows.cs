using System.Buffers;

namespace EventDbx.Transfer;

/// <summary>A line for each aggregate: its id, then its fields in the order of their names; one that it has not is empty.</summary>
/// <remarks>Texts as they are, numbers and truth values as they were sent, null as nothing, objects and arrays as JSON.</remarks>
internal sealed class CsvRows : IExportRows
{
    readonly ExportColumns _columns;
    readonly bool _safe;

    /// <summary>In the order of the fields of a state.</summary>
    readonly byte[][] _names;

    /// <summary>In which cell each of them stands. Only a renamed field stands elsewhere than its name would.</summary>
    readonly int[] _cellOf;

    readonly byte[][] _headings;

    /// <summary>Where in the state the value of each cell lies; no length: nowhere.</summary>
    readonly (int Start, int Length)[] _cells;

    public CsvRows(ExportColumns columns, bool safe)
    {
        (_columns, _safe, _names) = (columns, safe, columns.Names);
        _headings = [.. _names.Select(ExportColumns.NameOf)];
        var order = Enumerable.Range(0, _names.Length).ToArray();
        Array.Sort(order, (left, right) => _headings[left].AsSpan().SequenceCompareTo(_headings[right]));
        _cellOf = new int[order.Length];
        for (var cell = 0; cell < order.Length; cell++)
            _cellOf[order[cell]] = cell;
        _headings = [.. order.Select(at => _headings[at])];
        _cells = new (int, int)[order.Length];
    }

    public void Begin(IBufferWriter<byte> output)
    {
        CsvText.WriteCell(output, ExportColumns.Id, _safe);
        foreach (var heading in _headings)
        {
            output.Write(","u8);
            CsvText.WriteCell(output, heading, _safe);
        }

        output.Write("\n"u8);
    }

    public void Row(IBufferWriter<byte> output, AggregateState aggregate)
    {
        var state = aggregate.Fields.Span;
        Array.Clear(_cells);
        var next = 0;
        foreach (var field in StateText.Fields(state))
        {
            while (next < _names.Length && _names[next].AsSpan().SequenceCompareTo(field.Name) < 0)
                next++;
            if (next == _names.Length || !field.Name.SequenceEqual(_names[next]))
            {
                _columns.Grown |= _columns.Add(field.Name);
                continue;
            }

            state.Overlaps(field.Value, out var start);
            _cells[_cellOf[next]] = (start, field.Value.Length);
        }

        CsvText.WriteCell(output, aggregate.Aggregate.IdUtf8, _safe);
        foreach (var (start, length) in _cells)
        {
            output.Write(","u8);
            if (length > 0)
                WriteValue(output, state.Slice(start, length));
        }

        output.Write("\n"u8);
    }

    public void End(IBufferWriter<byte> output)
    {
    }

    void WriteValue(IBufferWriter<byte> output, ReadOnlySpan<byte> value)
    {
        if (value[0] == (byte)'n')
            return;
        if (value[0] != (byte)'"')
        {
            CsvText.WriteCell(output, value, _safe);
            return;
        }

        var raw = value[1..^1];
        if (!raw.Contains((byte)'\\'))
        {
            CsvText.WriteCell(output, raw, _safe);
            return;
        }

        using PooledBytes text = new(raw.Length, stackalloc byte[PooledBytes.StackBytes]);
        CsvText.WriteCell(output, text.Span[..JsonEscape.Unescape(raw, text.Span)], _safe);
    }
}
