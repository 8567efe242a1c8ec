using System.Buffers;
using System.Collections.Immutable;

namespace EventDbx.Schemas;

/// <summary>The columns of one level, sorted by the bytes of their names.</summary>
internal sealed class ColumnSet
{
    // Up to here the places of values lie on the stack.
    const int StackSlots = 64;

    readonly CompiledColumn[] _columns;

    /// <param name="prefix">Of their paths: empty, or ending in a dot.</param>
    public ColumnSet(ImmutableSortedDictionary<string, Column> columns, string prefix, bool isSecret) =>
        _columns = [.. columns.Select(one => new CompiledColumn(one.Key, prefix + one.Key, one.Value, isSecret))];

    /// <param name="secret">Columns whose values are hidden from readers.</param>
    public ColumnSet(ImmutableSortedDictionary<string, Column> columns, ImmutableSortedSet<string> secret) =>
        _columns = [.. columns.Select(one => new CompiledColumn(one.Key, one.Key, one.Value, secret.Contains(one.Key)))];

    public bool IsEmpty => _columns.Length == 0;

    /// <summary>Holds the top-level members against the columns; both are sorted.</summary>
    public void CheckTop(in JsonPayload payload, Findings findings)
    {
        var members = payload.Members;
        var next = 0;
        foreach (var column in _columns)
        {
            if (findings.IsFull)
                return;
            var order = 1;
            while (next < members.Length && (order = payload.NameOf(members[next]).SequenceCompareTo(column.Name)) < 0)
                next++;
            if (next < members.Length && order == 0)
                column.Check(payload.ValueOf(members[next++]), findings);
            else
                column.Absent(findings);
        }
    }

    /// <summary>Holds an object's members, in any order, against the columns, in theirs.</summary>
    public void CheckNested(ReadOnlySpan<byte> json, Findings findings)
    {
        (int At, int Length)[]? rented = null;
        Span<(int At, int Length)> slots = _columns.Length <= StackSlots
            ? stackalloc (int, int)[StackSlots]
            : rented = ArrayPool<(int, int)>.Shared.Rent(_columns.Length);
        slots = slots[.._columns.Length];
        slots.Clear();
        ObjectWalk walk = new(json);
        while (walk.Next())
        {
            var index = IndexOf(walk.RawName);
            if (index >= 0)
                slots[index] = (walk.ValueAt, walk.ValueLength);
        }

        for (var i = 0; i < _columns.Length && !findings.IsFull; i++)
        {
            var (at, length) = slots[i];
            if (length > 0)
                _columns[i].Check(json.Slice(at, length), findings);
            else
                _columns[i].Absent(findings);
        }

        if (rented is not null)
            ArrayPool<(int, int)>.Shared.Return(rented);
    }

    int IndexOf(ReadOnlySpan<byte> rawName)
    {
        if (!rawName.Contains((byte)'\\'))
            return Search(rawName);
        using PooledBytes unescaped = new(rawName.Length, stackalloc byte[PooledBytes.StackBytes]);
        return Search(unescaped.Span[..JsonEscape.Unescape(rawName, unescaped.Span)]);
    }

    int Search(ReadOnlySpan<byte> name)
    {
        var (low, high) = (0, _columns.Length - 1);
        while (low <= high)
        {
            var middle = (low + high) >>> 1;
            var order = name.SequenceCompareTo(_columns[middle].Name);
            if (order == 0)
                return middle;
            if (order < 0)
                high = middle - 1;
            else
                low = middle + 1;
        }

        return -1;
    }
}
