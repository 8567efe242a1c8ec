namespace EventDbx.Transfer;

/// <summary>Where an import goes: a session here, or a server elsewhere.</summary>
public interface IImportTarget
{
    /// <summary>Appends, all or nothing; says for each whether it is new.</summary>
    /// <exception cref="RefusedException">Nothing was written; <see cref="Refusal.Operation"/> says which was refused.</exception>
    Task<IReadOnlyList<bool>> TakeDraftsAsync(IReadOnlyList<EventDraft> drafts, CancellationToken cancellation);

    /// <summary>Takes up records, all or nothing; says for each whether it is new.</summary>
    /// <exception cref="RefusedException">Nothing was written; <see cref="Refusal.Operation"/> says which was refused.</exception>
    Task<IReadOnlyList<bool>> TakeRecordsAsync(IReadOnlyList<EventImport> records, CancellationToken cancellation);

    /// <summary>Leaves a control entry behind an import.</summary>
    Task NoteImportAsync(long lines, long appended, long known, CancellationToken cancellation);
}
