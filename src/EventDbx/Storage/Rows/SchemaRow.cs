namespace EventDbx.Storage.Rows;

/// <summary>A row <c>schema</c> 00 type of family <c>meta</c>: revision u64 (position of the entry that made it) | JSON u32+.</summary>
internal readonly record struct SchemaRow(ulong Revision, ReadOnlyMemory<byte> Json)
{
    public byte[] Write()
    {
        var bytes = new byte[8 + 4 + Json.Length];
        var row = new RowWriter(bytes);
        row.U64(Revision);
        row.Long(Json.Span);
        row.Done();
        return bytes;
    }

    public static SchemaRow? TryRead(ReadOnlyMemory<byte> bytes)
    {
        var row = new RowReader(bytes);
        var schema = new SchemaRow(row.U64(), row.Long());
        return row.Finished && schema.Revision > 0 ? schema : null;
    }
}
