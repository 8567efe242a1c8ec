namespace EventDbx.Storage.Rows;

/// <summary>A row of family <c>snapshots</c> with sequence 1 and up: a state that somebody, or a schema, asked to keep.</summary>
/// <remarks>
/// <code>format u8 = 1 | flags u8 (1 automatic, 2 comment) | created_at i64 | root [32] | {comment u16+} | sealed state u32+</code>
/// The state is sealed as a fold point is: for its aggregate and version.
/// </remarks>
internal sealed record SnapshotRow(bool Automatic, long CreatedAt, Hash32 Root, string? Comment, ReadOnlyMemory<byte> SealedState)
{
    const byte Format = 1;

    /// <summary>The first sequence that is not a fold point's.</summary>
    public const uint FirstSequence = 1;

    /// <summary>What an automatic snapshot says of itself.</summary>
    public static string AutomaticComment(ulong version) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"auto snapshot v{version}");

    [Flags]
    enum RowFlags : byte
    {
        None = 0,
        Automatic = 1,
        Comment = 2,
    }

    public static byte[] Write(bool automatic, long createdAt, in Hash32 root, string? comment, ulong version, ReadOnlySpan<byte> fields, AggregateCipher? cipher, NoncePool nonces)
    {
        var sealedBytes = Sealer.SealedBytes(cipher, fields.Length);
        var bytes = new byte[2 + 8 + Hash32.Length + (comment is null ? 0 : 2 + Encoding.UTF8.GetByteCount(comment)) + 4 + sealedBytes];
        var row = new RowWriter(bytes);
        row.U8(Format);
        row.U8((byte)((automatic ? RowFlags.Automatic : RowFlags.None) | (comment is null ? RowFlags.None : RowFlags.Comment)));
        row.I64(createdAt);
        row.Hash(root);
        if (comment is not null)
            row.Short(comment);
        row.U32((uint)sealedBytes);
        Sealer.Seal(cipher, Purpose.Snapshot, FoldPoints.Place(version), fields, row.Take(sealedBytes), nonces);
        row.Done();
        return bytes;
    }

    public static SnapshotRow? TryRead(ReadOnlyMemory<byte> bytes)
    {
        var row = new RowReader(bytes);
        var format = row.U8();
        var flags = (RowFlags)row.U8();
        var (createdAt, root) = (row.I64(), row.Hash());
        var comment = (flags & RowFlags.Comment) != 0 ? row.Text() : null;
        var state = row.Long();
        return row.Finished && format == Format && (flags & ~(RowFlags.Automatic | RowFlags.Comment)) == 0 && Timestamp.IsInRange(createdAt)
            ? new((flags & RowFlags.Automatic) != 0, createdAt, root, comment, state)
            : null;
    }

    /// <summary>The state it keeps.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public byte[] Open(byte[] key, ulong version, AggregateCipher? cipher) => FoldPoints.Open(key, SealedState, version, cipher);
}
