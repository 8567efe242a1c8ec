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
        if (operation.Taken is { } taken && taken != head.Snapshots)
            return new() { Overtaken = true };
        var version = operation.Version ?? head.Version;
        if (version > head.Version)
            return Refuse(RefusalCode.IntegrityViolation, $"{operation.Aggregate} is at version {head.Version}, and has no state of version {version}.");
        var fields = archived?.Fields ?? ReadState(entry, view);
        var kept = version == head.Version ? new(fields, head.Root) : operation.Kept ?? StateAt(operation.Aggregate, version, view);
        var cipher = archived?.Cipher ?? entry.Cipher;
        var key = Keyspace.Snapshot(operation.Aggregate, version, TakeSequence(view, operation.Aggregate, version));

        // What is touched is written again at the end of the group, so it has to be in memory.
        if (archived is null && head.StateForm == StateForm.Blob)
            entry.Blob ??= fields;
        Touch(entry, inBatch: false);
        head.Snapshots++;
        if (archived is not null)
        {
            Checked.Put(plan, Family.Archive, entry.Aggregate.Row, ArchiveRow.Write(entry.Aggregate, head, fields, archived.ArchivedAt, cipher, nonces));
            Reshape(entry);
        }

        var now = operation.Recorded?.CreatedAt ?? Math.Max(Now(), head.UpdatedAt);
        if (operation.Recorded is { } recorded)
            PutEntry(recorded, recorded.Leaf(default, default), plan);
        else
            PutControl(LifecycleNames.Snapshot, LifecycleNames.Subject(operation.Aggregate), LifecycleNames.SnapshotBody(version, operation.Comment), now, operation, default, plan);
        Checked.Put(plan, Family.Snapshots, key, SnapshotRow.Write(automatic: false, now, kept.Root, operation.Comment, version, kept.Fields, cipher, nonces));
        return version < head.Version ? default : new() { Snapshot = new(StoreReader.Show(operation.Aggregate, head, entry.Archived, fields), new(now), operation.Comment, Automatic: false) };
    }

    // Not disposed: the view is the engine's. What changed in this group has ended it, so the view has every version.
    KeptState StateAt(AggregateKey aggregate, ulong version, IStorageView view)
    {
        var state = new StoreReader(view, keyring).FindStateAt(aggregate, version)!;
        return new(state.Fields.ToArray(), state.MerkleRoot);
    }

    /// <summary>At every so many versions a schema asks for a snapshot; 0: at none.</summary>
    ulong SnapshotInterval(AggregateKey aggregate) =>
        Schemas.IsEmpty ? 0 : Schemas.Find(aggregate.Type, out _)?.Schema.SnapshotThreshold ?? 0;

    bool SnapshotDueAt(AggregateKey aggregate, ulong version) => SnapshotInterval(aggregate) is > 0 and var every && version % every == 0;

    /// <summary>Whether one of the appends of the unit may call for a snapshot of this aggregate.</summary>
    bool MayCross(AggregateKey aggregate, ulong version, PendingCommit unit) =>
        SnapshotInterval(aggregate) is > 0 and var every && (ulong)unit.Operations.Length >= every - (version % every);

    /// <summary>
    /// The field rows as they are before this unit, where the append that comes next calls for a snapshot of a state in rows that is small
    /// enough to be in the commit. A row that cannot be read refuses no append: then null, and the snapshot is tried behind the commit.
    /// </summary>
    List<StateRows.Field>? FieldsForSnapshot(HeadEntry entry, IStorageView view, WritePlan plan)
    {
        // A batch that crosses many times is no place for all of them.
        if (plan.Bytes - _planBeforeUnit > Limits.GroupBytesMax || entry.Head?.StateBytes > Limits.SnapshotInCommitBytesMax || !SnapshotDueAt(entry.Aggregate, (entry.Head?.Version ?? 0) + 1))
            return null;
        try
        {
            return entry.Head is { StateForm: StateForm.Fields } ? StateRows.ReadFieldRows(view, entry.Aggregate, entry.Cipher) : [];
        }
        catch (RefusedException)
        {
            return null;
        }
    }

    /// <summary>The snapshot that the event just planned calls for: in its own commit, or behind it where the state is large.</summary>
    void PutAutomaticSnapshot(HeadEntry entry, List<StateRows.Field>? before, WritePlan plan)
    {
        var head = entry.Head!;
        var fields = head.StateForm != StateForm.Fields ? entry.Blob! : before is null || head.StateBytes > Limits.SnapshotInCommitBytesMax ? null : FieldsNow(entry, before);
        if (fields is null)
            SnapshotsDue.Add((entry.Aggregate, head.Version));
        else
            PutAutomaticSnapshot(entry.Aggregate, head.Version, SnapshotRow.FirstSequence, new(head.Root, head.UpdatedAt), fields, entry.Cipher, plan);
    }

    /// <summary>The state in rows as the unit has made it; null when the rows are not those that the head was committed with.</summary>
    byte[]? FieldsNow(HeadEntry entry, List<StateRows.Field> before)
    {
        var put = entry.UnitOfFields == _unitNumber ? entry.FieldsOfUnit! : [];
        var fields = new List<(byte[] Name, ReadOnlyMemory<byte> Value)>(before.Count + put.Count);
        var digest = 0UL;
        foreach (var field in before)
        {
            if (put.ContainsKey(field.Name))
                continue;
            digest += field.Digest;
            fields.Add((field.Name, field.Value));
        }

        foreach (var (name, value) in put)
        {
            digest += entry.Fields![name]!.Value.Digest;
            fields.Add((name, value));
        }

        if (digest != entry.Head!.StateDigest)
            return null;
        fields.Sort(static (a, b) => a.Name.AsSpan().SequenceCompareTo(b.Name));
        return StateText.Build(fields);
    }

    void PutAutomaticSnapshot(
        AggregateKey aggregate, ulong version, uint sequence, in AutomaticSnapshot snapshot, ReadOnlySpan<byte> fields, AggregateCipher? cipher, WritePlan plan) =>
        Checked.Put(plan, Family.Snapshots, Keyspace.Snapshot(aggregate, version, sequence),
            SnapshotRow.Write(automatic: true, snapshot.CreatedAt, snapshot.Root, SnapshotRow.AutomaticComment(version), version, fields, cipher, nonces));

    /// <summary>Deletes all that is kept of an aggregate; what this group has put of it would be missed, so a remove waits for it.</summary>
    static void DeleteSnapshots(AggregateKey aggregate, IStorageView view, WritePlan plan)
    {
        var rows = new RowCursor(view, Family.Snapshots, Keyspace.Prefix(aggregate), Keyspace.AfterAggregate(aggregate));
        for (; rows.Peek() is { } row; rows.Take())
            plan.Delete(Family.Snapshots, row.Key);
    }

    /// <summary>The last places taken by this group among the snapshots of a version: no view has them yet.</summary>
    readonly Dictionary<(AggregateKey Aggregate, ulong Version), uint> _sequencesOfGroup = [];

    /// <summary>The next free place among the snapshots of a version, taken with that.</summary>
    uint TakeSequence(IStorageView view, AggregateKey aggregate, ulong version)
    {
        var sequence = _sequencesOfGroup.TryGetValue((aggregate, version), out var taken) ? taken + 1 : NextSequence(view, aggregate, version);
        _sequencesOfGroup[(aggregate, version)] = sequence;
        return sequence;
    }

    static uint NextSequence(IStorageView view, AggregateKey aggregate, ulong version)
    {
        var rows = view.Range(
            Family.Snapshots, Keyspace.Snapshot(aggregate, version, SnapshotRow.FirstSequence), Keyspace.Snapshot(aggregate, version, uint.MaxValue),
            rowsMax: 1, Limits.StateBytesMax * 2, backwards: true);
        return rows.Count > 0 && Keyspace.TryReadSnapshot(rows[0].Key, out _, out _, out var last) ? last + 1 : SnapshotRow.FirstSequence;
    }
}
