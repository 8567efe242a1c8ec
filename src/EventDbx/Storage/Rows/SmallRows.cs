namespace EventDbx.Storage.Rows;

/// <summary>A row of family <c>index</c>: position u64 | created_at i64 | leaf hash [32].</summary>
internal readonly record struct IndexRow(ulong Position, long CreatedAt, Hash32 Leaf)
{
    public const int EncodedBytes = 8 + 8 + Hash32.Length;

    public void Write(Span<byte> target)
    {
        var row = new RowWriter(target);
        row.U64(Position);
        row.I64(CreatedAt);
        row.Hash(Leaf);
        row.Done();
    }

    public static bool TryRead(ReadOnlyMemory<byte> bytes, out IndexRow index)
    {
        var row = new RowReader(bytes);
        index = new(row.U64(), row.I64(), row.Hash());
        return row.Finished && Timestamp.IsInRange(index.CreatedAt);
    }
}

/// <summary>A row of family <c>ids</c>: version u64 | request fingerprint [32].</summary>
internal readonly record struct IdRow(ulong Version, Hash32 Fingerprint)
{
    public const int EncodedBytes = 8 + Hash32.Length;

    public void Write(Span<byte> target)
    {
        var row = new RowWriter(target);
        row.U64(Version);
        row.Hash(Fingerprint);
        row.Done();
    }

    public static bool TryRead(ReadOnlyMemory<byte> bytes, out IdRow id)
    {
        var row = new RowReader(bytes);
        id = new(row.U64(), row.Hash());
        return row.Finished;
    }
}

/// <summary>The row <c>log</c> of family <c>meta</c>: size u64 | frontier of the log tree.</summary>
internal static class LogSizeRow
{
    public static byte[] Write(MerkleTree tree)
    {
        var bytes = new byte[8 + tree.EncodedBytes];
        var row = new RowWriter(bytes);
        row.U64(tree.Size);
        tree.Write(row.Take(tree.EncodedBytes));
        row.Done();
        return bytes;
    }

    public static MerkleTree? TryRead(ReadOnlyMemory<byte> bytes)
    {
        var row = new RowReader(bytes);
        var size = row.U64();
        var frontier = row.Rest();
        return row.Finished && MerkleTree.TryRead(frontier.Span, size, out var tree) ? tree : null;
    }
}

/// <summary>The row <c>store</c> of family <c>meta</c>: what this store is.</summary>
/// <remarks>
/// <code>format u32 | database id [16] | epoch u32 | encrypted u8 | created_at i64 | key check u16+</code>
/// The key check opens only with the store's own data key: a wrong key is found before anything is read.
/// </remarks>
internal sealed record StoreRow(uint Format, Guid DatabaseId, uint Epoch, bool Encrypted, long CreatedAt, ReadOnlyMemory<byte> KeyCheck)
{
    /// <summary>Raised with every change of any layout. Until 2.1.0 is tagged it may change freely.</summary>
    public const uint CurrentFormat = 1;

    public byte[] Write()
    {
        var bytes = new byte[4 + 16 + 4 + 1 + 8 + 2 + KeyCheck.Length];
        var row = new RowWriter(bytes);
        row.U32(Format);
        row.Id(DatabaseId);
        row.U32(Epoch);
        row.U8(Encrypted ? (byte)1 : (byte)0);
        row.I64(CreatedAt);
        row.Short(KeyCheck.Span);
        row.Done();
        return bytes;
    }

    /// <summary>The row of a store; null when it has none, or one that cannot be read.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public static StoreRow? Find(IStorageView view) =>
        Checked.Get(view, Family.Meta, Keyspace.StoreRow) is { } body ? TryRead(body) : null;

    /// <summary>Reads the row; null when it is not one. Another format is returned with that number and nothing else.</summary>
    public static StoreRow? TryRead(ReadOnlyMemory<byte> bytes)
    {
        var row = new RowReader(bytes);
        var format = row.U32();
        if (!row.Ok)
            return null;
        if (format != CurrentFormat)
            return new(format, default, 0, false, 0, default);
        var (id, epoch, encrypted) = (row.Id(), row.U32(), row.U8());
        var store = new StoreRow(format, id, epoch, encrypted == 1, row.I64(), row.Short().ToArray());
        return row.Finished && encrypted <= 1 ? store : null;
    }
}
