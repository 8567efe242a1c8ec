namespace EventDbx.Commit;

/// <summary>Snapshots: asked for by somebody, or by a schema at every so many versions.</summary>
internal sealed partial class GroupPlanner
{
    Outcome PlanSnapshot(SnapshotOperation operation, IStorageView view, WritePlan plan)
    {
        var entry = Load(operation.Aggregate, view);
        if (entry.Head is null && !entry.Archived)
            return Refuse(RefusalCode.NotFound, $"There is no aggregate {operation.Aggregate}.");
        var archived = entry.Archived ? ReadArchived(entry, view) : null;
        var head = archived?.Head ?? entry.Head!;
        var fields = archived?.Fields ?? ReadState(entry, view);
        var cipher = archived?.Cipher ?? entry.Cipher;
        var key = Keyspace.Snapshot(operation.Aggregate, head.Version, NextSequence(view, operation.Aggregate, head.Version));

        // What is touched is written again at the end of the group, so it has to be in memory.
        if (archived is null && head.StateForm == StateForm.Blob)
            entry.Blob ??= fields;
        Touch(entry, inBatch: false);
        if (entry.Archived)
            Reshape(entry);
        var now = operation.Recorded?.CreatedAt ?? Math.Max(Now(), head.UpdatedAt);
        if (operation.Recorded is { } recorded)
            PutEntry(recorded, recorded.Leaf(default, default), plan);
        else
            PutControl(LifecycleNames.Snapshot, LifecycleNames.Subject(operation.Aggregate), LifecycleNames.SnapshotBody(head.Version, operation.Comment), now, operation.Actor, default, plan);
        Checked.Put(plan, Family.Snapshots, key, SnapshotRow.Write(automatic: false, now, head.Root, operation.Comment, head.Version, fields, cipher, nonces));
        return new() { Snapshot = new(StoreReader.Show(operation.Aggregate, head, entry.Archived, fields), new(now), operation.Comment, Automatic: false) };
    }

    /// <summary>The snapshot that the event just planned calls for, in its own commit where the state is small.</summary>
    void PutAutomaticSnapshot(HeadEntry entry, WritePlan plan)
    {
        var head = entry.Head!;
        if (head.StateForm == StateForm.Fields)
        {
            SnapshotsDue.Add((entry.Aggregate, head.Version));
            return;
        }

        PutAutomaticSnapshot(entry.Aggregate, head.Version, SnapshotRow.FirstSequence, new(head.Root, head.UpdatedAt), entry.Blob!, entry.Cipher, plan);
    }

    void PutAutomaticSnapshot(
        AggregateKey aggregate, ulong version, uint sequence, in AutomaticSnapshot snapshot, ReadOnlySpan<byte> fields, AggregateCipher? cipher, WritePlan plan) =>
        Checked.Put(plan, Family.Snapshots, Keyspace.Snapshot(aggregate, version, sequence),
            SnapshotRow.Write(automatic: true, snapshot.CreatedAt, snapshot.Root, SnapshotRow.AutomaticComment(version), version, fields, cipher, nonces));

    /// <summary>Those of an aggregate that goes away, all at version 0: one of its name that is made later has none of them.</summary>
    static void DeleteSnapshots(IStorageView view, AggregateKey aggregate, WritePlan plan)
    {
        var rows = new RowCursor(view, Family.Snapshots, Keyspace.Prefix(aggregate), Keyspace.AfterAggregate(aggregate));
        for (; rows.Peek() is { } row; rows.Take())
            plan.Delete(Family.Snapshots, row.Key);
    }

    /// <summary>The next free place among the snapshots of a version.</summary>
    static uint NextSequence(IStorageView view, AggregateKey aggregate, ulong version)
    {
        var rows = view.Range(
            Family.Snapshots, Keyspace.Snapshot(aggregate, version, SnapshotRow.FirstSequence), Keyspace.Snapshot(aggregate, version, uint.MaxValue),
            rowsMax: 1, Limits.StateBytesMax * 2, backwards: true);
        return rows.Count > 0 && Keyspace.TryReadSnapshot(rows[0].Key, out _, out _, out var last) ? last + 1 : SnapshotRow.FirstSequence;
    }
}
