namespace EventDbx.Transfer;

/// <summary>The fields that the aggregates of one type have, found on a first walk over them.</summary>
internal sealed class ExportColumns(string type)
{
    /// <summary>The column of the id.</summary>
    public static byte[] Id { get; } = [.. "__aggregate_id"u8];

    readonly HashSet<byte[]> _names = new(ByteComparer.Instance);

    public string Type => type;

    /// <summary>Aggregates seen on the first walk.</summary>
    public long Rows { get; set; }

    /// <summary>Whether a field turned up after the file was begun, so that it is to be begun anew.</summary>
    public bool Grown { get; set; }

    /// <summary>What the names cost in memory.</summary>
    public long Bytes { get; private set; }

    /// <summary>In the order of the fields of a state.</summary>
    public byte[][] Names
    {
        get
        {
            var names = _names.ToArray();
            Array.Sort(names, static (left, right) => left.AsSpan().SequenceCompareTo(right));
            return names;
        }
    }

    /// <summary>Whether the field is new.</summary>
    public bool Add(ReadOnlySpan<byte> name)
    {
        if (!_names.GetAlternateLookup<ReadOnlySpan<byte>>().Add(name))
            return false;
        Bytes += name.Length + Limits.ExportColumnCost;
        return true;
    }

    /// <summary>
    /// How a field is called in an export. One that is called as the column of the id gets a <c>_</c> more, and so does each that would
    /// then be called as that one.
    /// </summary>
    public static byte[] NameOf(byte[] field) => IsTaken(field) ? [.. field, (byte)'_'] : field;

    /// <summary>Whether a field is called <c>__aggregate_id</c>, with any number of <c>_</c> behind it.</summary>
    public static bool IsTaken(ReadOnlySpan<byte> field) => field.StartsWith(Id) && !field[Id.Length..].ContainsAnyExcept((byte)'_');
}
