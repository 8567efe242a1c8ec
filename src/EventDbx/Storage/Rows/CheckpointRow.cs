using EventDbx.Checkpoints;

namespace EventDbx.Storage.Rows;

/// <summary>A row of family <c>checkpoints</c>: a checkpoint that was signed, under its epoch and size.</summary>
/// <remarks>
/// <code>format u8 = 1 | flags u8 (1 handed out, 2 the first of its hour) | signed_at i64 | note u32+</code>
/// A row without flags is there only until the next one is stored. Source: docs/storage-format.md. Held by a golden file.
/// </remarks>
internal sealed record CheckpointRow(uint Epoch, Checkpoint Checkpoint, SignedNote Note, CheckpointRow.RowFlags Flags, long SignedAt)
{
    public const byte Format = 1;

    [Flags]
    public enum RowFlags : byte
    {
        None = 0,
        HandedOut = 1,
        OfTheHour = 2,
    }

    public ulong Size => Checkpoint.Size;

    public bool HandedOut => (Flags & RowFlags.HandedOut) != 0;

    public byte[] Key => Keyspace.Checkpoint(Epoch, Size);

    public byte[] Write()
    {
        var note = Encoding.UTF8.GetBytes(Note.ToString());
        var bytes = new byte[1 + 1 + 8 + 4 + note.Length];
        var row = new RowWriter(bytes);
        row.U8(Format);
        row.U8((byte)Flags);
        row.I64(SignedAt);
        row.Long(note);
        row.Done();
        return bytes;
    }

    /// <summary>Reads a row; null when it is not one, or is not the one of its key.</summary>
    public static CheckpointRow? TryRead(ReadOnlySpan<byte> key, ReadOnlyMemory<byte> body)
    {
        var row = new RowReader(body);
        var (format, flags, signedAt, utf8) = (row.U8(), (RowFlags)row.U8(), row.I64(), row.Long());
        return row.Finished && format == Format && (flags & ~(RowFlags.HandedOut | RowFlags.OfTheHour)) == 0 && Timestamp.IsInRange(signedAt)
            && Keyspace.TryReadCheckpoint(key, out var epoch, out var size)
            && SignedNote.TryParse(utf8.Span, out var note) && Checkpoint.TryParse(note.Text, out var checkpoint) && checkpoint.Size == size
            ? new(epoch, checkpoint, note, flags, signedAt) : null;
    }

    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public static CheckpointRow? Find(IStorageView view, uint epoch, ulong size)
    {
        var key = Keyspace.Checkpoint(epoch, size);
        if (Checked.Get(view, Family.Checkpoints, key) is not { } body)
            return null;
        return TryRead(key, body) ?? throw Violation.OfRow(Family.Checkpoints, key, "it cannot be read");
    }

    /// <summary>The one of the most entries in an epoch; null when it has none.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public static CheckpointRow? Newest(IStorageView view, uint epoch) =>
        view.Range(Family.Checkpoints, Keyspace.Checkpoint(epoch, 0), Keyspace.Checkpoint(epoch + 1, 0), 1, int.MaxValue, backwards: true) is [var row] ? Read(row) : null;

    /// <summary>The one of the most entries in an epoch that is kept for good and has no more than <paramref name="sizeMax"/>; null when it has none.</summary>
    /// <param name="view">Of the store.</param>
    /// <param name="epoch">Which.</param>
    /// <param name="sizeMax">Entries at most.</param>
    /// <param name="newest">The same, whether it is kept or not.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public static CheckpointRow? NewestKept(IStorageView view, uint epoch, ulong sizeMax, out CheckpointRow? newest)
    {
        var above = sizeMax == ulong.MaxValue ? Keyspace.Checkpoint(epoch + 1, 0) : Keyspace.Checkpoint(epoch, sizeMax + 1);
        // Of those that are not kept only one is there, the newest of all.
        var rows = view.Range(Family.Checkpoints, Keyspace.Checkpoint(epoch, 0), above, 2, int.MaxValue, backwards: true);
        newest = rows.Count > 0 ? Read(rows[0]) : null;
        return newest?.Flags != RowFlags.None ? newest : rows.Count > 1 && Read(rows[1]) is { Flags: not RowFlags.None } kept ? kept : null;
    }

    static CheckpointRow Read(in Row row) =>
        TryRead(row.Key, Checked.Body(Family.Checkpoints, row.Key, row.Value)) ?? throw Violation.OfRow(Family.Checkpoints, row.Key, "it cannot be read");
}
