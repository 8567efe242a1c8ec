using ZstdSharp;

namespace EventDbx.Storage.Rows;

/// <summary>A row of family <c>archive</c>: head and state of an archived aggregate.</summary>
/// <remarks>
/// <code>format u8 = 1 | archived_at i64 | head u32+ (a row of family heads) | sealed state u32+ (Zstd of the state blob)</code>
/// The state is compressed before it is sealed, for sealed bytes do not compress.
/// </remarks>
internal sealed record ArchiveRow(HeadRow Head, byte[] Fields, long ArchivedAt, AggregateCipher? Cipher)
{
    const byte Format = 1;

    static ReadOnlySpan<byte> Place => "archive"u8;

    public static byte[] Write(AggregateKey aggregate, HeadRow head, ReadOnlySpan<byte> fields, long archivedAt, AggregateCipher? cipher, NoncePool nonces)
    {
        using var compressor = new Compressor();
        var packed = compressor.Wrap(fields);
        var bytes = new byte[1 + 8 + 4 + head.EncodedBytes + 4 + Sealer.SealedBytes(cipher, packed.Length)];
        var row = new RowWriter(bytes);
        row.U8(Format);
        row.I64(archivedAt);
        row.U32((uint)head.EncodedBytes);
        head.Write(row.Take(head.EncodedBytes));
        row.U32((uint)Sealer.SealedBytes(cipher, packed.Length));
        Sealer.Seal(cipher, Purpose.State, Place, packed, row.Take(Sealer.SealedBytes(cipher, packed.Length)), nonces);
        row.Done();
        return bytes;
    }

    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public static ArchiveRow Read(AggregateKey aggregate, ReadOnlyMemory<byte> body, Keyring keyring)
    {
        var head = ReadHead(aggregate, body, out var sealedState, out var archivedAt);
        var cipher = keyring.Open(aggregate, head.WrappedKey);
        var packed = new byte[Math.Max(0, Sealer.OpenedBytes(cipher, sealedState.Length))];
        if (!Sealer.TryOpen(cipher, Purpose.State, Place, sealedState.Span, packed))
            throw Violation.OfRow(Family.Archive, aggregate.Row, "its state does not open");
        byte[] fields;
        try
        {
            using var decompressor = new Decompressor();
            fields = decompressor.Unwrap(packed, maxDecompressedSize: Limits.StateBytesMax * 2).ToArray();
        }
        catch (ZstdException cause)
        {
            throw Violation.OfRow(Family.Archive, aggregate.Row, $"its state does not unpack ({cause.Message})");
        }

        if (!StateText.Validate(fields) || StateText.FieldCount(fields) != head.StateFields)
            throw Violation.OfRow(Family.Archive, aggregate.Row, "its state is not the one its head speaks of");
        return new(head, fields, archivedAt, cipher);
    }

    /// <summary>The same record with its aggregate's key wrapped otherwise.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public static byte[] WithKey(AggregateKey aggregate, ReadOnlyMemory<byte> body, ReadOnlyMemory<byte> wrapped)
    {
        var head = ReadHead(aggregate, body, out var sealedState, out var archivedAt);
        head.WrappedKey = wrapped;
        var bytes = new byte[1 + 8 + 4 + head.EncodedBytes + 4 + sealedState.Length];
        var row = new RowWriter(bytes);
        row.U8(Format);
        row.I64(archivedAt);
        row.U32((uint)head.EncodedBytes);
        head.Write(row.Take(head.EncodedBytes));
        row.Long(sealedState.Span);
        row.Done();
        return bytes;
    }

    public static HeadRow ReadHead(AggregateKey aggregate, ReadOnlyMemory<byte> body) => ReadHead(aggregate, body, out _, out _);

    /// <summary>What can be read without the key: all but the state, which is returned as it is sealed.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public static HeadRow ReadHead(AggregateKey aggregate, ReadOnlyMemory<byte> body, out ReadOnlyMemory<byte> sealedState, out long archivedAt)
    {
        var row = new RowReader(body);
        var format = row.U8();
        archivedAt = row.I64();
        var head = row.Long();
        sealedState = row.Long();
        return row.Finished && format == Format && HeadRow.TryRead(head) is { } read
            ? read
            : throw Violation.OfRow(Family.Archive, aggregate.Row, "it cannot be read");
    }
}
