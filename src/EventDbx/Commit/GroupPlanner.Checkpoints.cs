using EventDbx.Checkpoints;

namespace EventDbx.Commit;

/// <summary>Checkpoints: stored by the one writer, and that no two of one size differ is decided here.</summary>
internal sealed partial class GroupPlanner
{
    /// <summary>The group that has put a checkpoint: a second one would not find it in the view.</summary>
    ulong _checkpointGroup;

    /// <summary>Whether the group is to be on disk before it is answered, whatever the durability.</summary>
    public bool SyncWanted { get; private set; }

    Outcome PlanCheckpoint(CheckpointOperation operation, IStorageView view, WritePlan plan)
    {
        var (checkpoint, size) = (operation.Checkpoint, operation.Checkpoint.Size);
        var newest = CheckpointRow.Newest(view, operation.Epoch);
        var there = newest?.Size == size ? newest : CheckpointRow.Find(view, operation.Epoch, size);
        if (there is not null && there.Note.Text != operation.Note.Text)
            return Refuse(RefusalCode.IntegrityViolation, $"A checkpoint of {size} entries is there already and says {there.Checkpoint.Root} under {there.Checkpoint.Origin}; this one says {checkpoint.Root} under {checkpoint.Origin}.");
        if (there is null && (!operation.IsNew || newest?.Size > size))
            return Refuse(RefusalCode.NotFound, $"There is no checkpoint of {size} entries; it was never handed out, or is of another epoch.");
        if (size > _log!.Size || (size == _log.Size && checkpoint.Root != _log.Tree.Root()))
            return Refuse(RefusalCode.IntegrityViolation, $"The checkpoint says that the log has {size} entries with root {checkpoint.Root}, but it has {_log.Size} with root {_log.Tree.Root()}.");

        SignedNote? with = null;
        if (there is not null && TryWithCosignatures(there, operation.Note, out with) is { } count)
            return Refuse(RefusalCode.LimitExceeded, $"A checkpoint would have {count} signatures; at most {SignedNote.SignaturesMax} and {SignedNote.BytesMax} bytes are kept.");
        var row = there is null
            ? new(operation.Epoch, checkpoint, operation.Note, IsFirstOfItsHour(operation.SignedAt, newest) ? CheckpointRow.RowFlags.OfTheHour : default, operation.SignedAt)
            : there with { Note = with! };
        if (operation.HandOut)
            row = row with { Flags = row.Flags | CheckpointRow.RowFlags.HandedOut };
        if (row == there)
            return default; // Of many who ask for the same, one has put it.
        if (there is null && newest is { Flags: CheckpointRow.RowFlags.None })
            plan.Delete(Family.Checkpoints, newest.Key);
        Checked.Put(plan, Family.Checkpoints, row.Key, row.Write());
        _checkpointGroup = _groupNumber;
        SyncWanted = true;
        return default;
    }

    /// <summary>The signatures of both; the log's own stays the one that was stored with the text.</summary>
    /// <returns>How many they would be, where those are too many to be kept; otherwise null.</returns>
    static int? TryWithCosignatures(CheckpointRow row, SignedNote more, out SignedNote? both)
    {
        both = row.Note;
        var added = more.Signatures.Where(signature => signature.KeyName != row.Checkpoint.Origin).ToArray();
        if (added.Length == 0)
            return null;
        var count = row.Note.Signatures.Count(old => !Array.Exists(added, signature => signature.KeyName == old.KeyName && signature.KeyId == old.KeyId)) + added.Length;
        if (count > SignedNote.SignaturesMax)
            return count;
        both = row.Note.With(added);
        return Encoding.UTF8.GetByteCount(both.ToString()) > SignedNote.BytesMax ? count : null;
    }

    static bool IsFirstOfItsHour(long signedAt, CheckpointRow? before) =>
        before is null || before.SignedAt / TimeSpan.TicksPerHour != signedAt / TimeSpan.TicksPerHour;
}
