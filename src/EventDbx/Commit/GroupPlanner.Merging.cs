using EventDbx.Merging;

namespace EventDbx.Commit;

/// <summary>Events of another database: known by version and hash, and taken by archived aggregates, too.</summary>
internal sealed partial class GroupPlanner
{
    /// <summary>The same event, when it is here; a refusal, when another one has its version or its id; null, when it is new.</summary>
    Outcome? FindMerged(AppendOperation append, IStorageView view)
    {
        var (version, hash) = (append.Import!.Version!.Value, append.Import.Hash!.Value);
        var entry = Load(append.Aggregate, view);
        if (entry.Archived)
            OpenArchived(entry, view);
        if (version <= (entry.Head?.Version ?? 0))
        {
            // Not disposed: the view is the engine's.
            var own = new StoreReader(view, keyring).LeafOf(append.Aggregate, version);
            return own == hash ? new() { KnownVersion = version } : new() { Refusal = MergeBatch.Diverged(append.Aggregate, version, hash, own) };
        }

        return FindIdElsewhere(append, view) is { } elsewhere
            ? Refuse(RefusalCode.Diverged, $"Version {version} of {append.Aggregate} has event id {append.EventId} there, which is version {elsewhere} here; an id names one event.")
            : null;
    }

    /// <summary>The version that has the event's id here; null when none has.</summary>
    ulong? FindIdElsewhere(AppendOperation append, IStorageView view)
    {
        if (TryFindId(append, view, out var id))
            return id.Version;
        // An id that this store made comes home: it has no row, and is new where the event was lost here.
        return MadeIds?.Made(append.Aggregate, append.EventId) == true ? FindMadeVersion(append, view)?.Version : null;
    }

    /// <summary>Head and state of an archived aggregate, as the group began with them.</summary>
    void OpenArchived(HeadEntry entry, IStorageView view)
    {
        if (entry.OpenedInGroup == _groupNumber)
            return;
        var archived = ReadArchived(entry, view);
        (entry.Head, entry.Blob, entry.Cipher, entry.ArchivedAt, entry.OpenedInGroup) = (archived.Head, archived.Fields, archived.Cipher, archived.ArchivedAt, _groupNumber);
        // In the record the state is one blob, however large; what it was before says nothing here.
        (entry.Head.StateForm, entry.Head.StateDigest) = (archived.Fields.Length > 1 ? StateForm.Blob : StateForm.None, 0);
    }

    void PutArchived(HeadEntry entry, WritePlan plan) =>
        Checked.Put(plan, Family.Archive, entry.Aggregate.Row, ArchiveRow.Write(entry.Aggregate, entry.Head!, entry.Blob!, entry.ArchivedAt, entry.Cipher, nonces));
}
