using System.Diagnostics.CodeAnalysis;
using EventDbx.Checkpoints;
using EventDbx.Mirroring;

namespace EventDbx.Storage.Rows;

/// <summary>The row <c>mirror</c> of family <c>meta</c>: whose log this store is the mirror of. A store has it if, and only if, its row <c>store</c> says that it is one.</summary>
/// <remarks>
/// <code>format u8 = 1 | leader's name u16+ | its public key u16+ | its epoch u32 | {checkpoint: key u16+ note u32+}</code>
/// The epoch is the highest that the leader was seen in: it may be ahead of the entries that are here. The checkpoint is the newest that was verified. Source: docs/storage-format.md.
/// </remarks>
internal sealed record MirrorRow(MirrorLeader Leader, uint LeaderEpoch)
{
    public const byte Format = 1;

    /// <summary>The newest checkpoint of the leader that was verified; null for none yet.</summary>
    public SignedNote? Note { get; init; }

    /// <summary>What <see cref="Note"/> says.</summary>
    public Checkpoint? Checkpoint { get; init; }

    /// <summary>The vkey it was signed with; empty without one.</summary>
    public string CheckpointKey { get; init; } = "";

    public MirrorState State() => new()
    {
        Leader = Leader, CheckpointSize = Checkpoint?.Size ?? 0, CheckpointKey = CheckpointKey, Checkpoint = Note is null ? default : Encoding.UTF8.GetBytes(Note.ToString()),
    };

    public byte[] Write()
    {
        var note = Note is null ? [] : Encoding.UTF8.GetBytes(Note.ToString());
        var bytes = new byte[1 + 2 + Encoding.UTF8.GetByteCount(Leader.Name) + 2 + Encoding.UTF8.GetByteCount(Leader.PublicKey) + 4
            + (Note is null ? 0 : 2 + Encoding.UTF8.GetByteCount(CheckpointKey) + 4 + note.Length)];
        var row = new RowWriter(bytes);
        row.U8(Format);
        row.Short(Leader.Name);
        row.Short(Leader.PublicKey);
        row.U32(LeaderEpoch);
        if (Note is not null)
        {
            row.Short(CheckpointKey);
            row.Long(note);
        }

        row.Done();
        return bytes;
    }

    /// <summary>Reads the row; null when it is not one.</summary>
    public static MirrorRow? TryRead(ReadOnlyMemory<byte> bytes)
    {
        var row = new RowReader(bytes);
        if (row.U8() != Format)
            return null;
        var mirror = new MirrorRow(new(row.Text(), row.Text()), row.U32());
        if (!row.Ok || row.Finished)
            return row.Ok ? mirror : null;
        var (key, note) = (row.Text(), row.Long());
        return row.Finished && TryReadCheckpoint(note.Span, out var signed, out var checkpoint) ? mirror with { CheckpointKey = key, Note = signed, Checkpoint = checkpoint } : null;
    }

    /// <summary>A signed note that is a checkpoint.</summary>
    public static bool TryReadCheckpoint(ReadOnlySpan<byte> utf8, [NotNullWhen(true)] out SignedNote? note, [NotNullWhen(true)] out Checkpoint? checkpoint)
    {
        checkpoint = null;
        return SignedNote.TryParse(utf8, out note) && Checkpoint.TryParse(note.Text, out checkpoint);
    }

    /// <summary>That of a store; null when it is no mirror.</summary>
    /// <param name="view">Of the store.</param>
    /// <param name="store">Its row <c>store</c>, which says whether there has to be one.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>: the two disagree, or it cannot be read.</exception>
    public static MirrorRow? Find(IStorageView view, StoreRow store)
    {
        var body = Checked.Get(view, Family.Meta, Keyspace.MirrorRow);
        if (store.Mirror != body is not null)
            throw Violation.OfRow(Family.Meta, Keyspace.MirrorRow, store.Mirror ? "it is missing, and the row `store` says that this is a mirror" : "it is there, and the row `store` says that this is no mirror");
        return body is null ? null : TryRead(body.Value) ?? throw Violation.OfRow(Family.Meta, Keyspace.MirrorRow, "it cannot be read");
    }
}
