namespace EventDbx.Commit;

/// <summary>The replacement of the data key, step by step, and the revisions of documents that are sealed with it.</summary>
/// <remarks>
/// A step has its group to itself, so that it sees every row as it is. In one batch an aggregate's key is wrapped again in the
/// entry that brought it, in its head or archive record, and in what the writer remembers; the cursor moves with it.
/// </remarks>
internal sealed partial class GroupPlanner
{
    /// <summary>Planned to seal from the next group on.</summary>
    DataKey? _nextKey;

    /// <summary>The group that planned it is written: a planner that is asked again has been believed.</summary>
    void TakeUpNextKey()
    {
        if (_nextKey is { } next)
            keyring.Keys!.Add(next);
        _nextKey = null;
    }

    Outcome PlanKeyRotation(KeyRotationOperation operation, IStorageView view, WritePlan plan)
    {
        // Documents are sealed with the next key after this, each durable by itself: the log must not be behind them.
        SyncWanted = true;
        var store = StoreRow.Find(view) ?? throw Violation.OfRow(Family.Meta, Keyspace.StoreRow, "it is missing, or cannot be read");
        if (operation.Step == KeyRotationStep.Begin)
        {
            if (store.Rotation is not null)
                return Refuse(RefusalCode.InvalidArgument, "A rotation of the data key is under way already.");
            PutStore(store with { Rotation = operation.State! with { Cursor = 0, End = _log!.Size } }, plan);
            _nextKey = operation.Next;
            return default;
        }

        if (store.Rotation is not { } rotation)
            return Refuse(RefusalCode.InvalidArgument, "No rotation of the data key is under way.");
        if (operation.Step == KeyRotationStep.End)
        {
            if (rotation.Cursor < rotation.End)
                return Refuse(RefusalCode.InvalidArgument, "The rotation of the data key has not come to its end.");
            PutStore(store with { KeyCheck = rotation.NextCheck, Rotation = null }, plan);
            return default;
        }

        PlanRewrap(operation, view, plan);
        var cursor = operation.Reached;
        if ((operation.FirstLeft ?? (operation.Left is [var (first, _), ..] ? first : null)) is { } left)
            cursor = Math.Min(cursor, left - 1);
        PutStore(store with { Rotation = rotation with { Cursor = Math.Max(rotation.Cursor, cursor) } }, plan);
        return default;
    }

    /// <summary>One that is damaged costs the others nothing: it is left as it is, the cursor stays before it, and there is no end until it is mended.</summary>
    void PlanRewrap(KeyRotationOperation operation, IStorageView view, WritePlan plan)
    {
        operation.Left.Clear();
        (operation.Reached, operation.Wrapped) = (operation.Cursor, 0);
        var before = plan.Bytes;
        for (var i = 0; i < operation.Positions.Count; i++)
        {
            var position = operation.Positions[i];
            try
            {
                if (Rewrap(position, view, plan))
                    operation.Wrapped++;
            }
            catch (RefusedException refused)
            {
                operation.Left.Add((position, refused.Message));
            }

            // Records in the archive are as large as states: only who has read them knows.
            if (plan.Bytes - before < Limits.RotationBytesMax || i == operation.Positions.Count - 1)
                continue;
            operation.Reached = position;
            return;
        }
    }

    /// <summary>False where it was wrapped again before, in every place. All is read and checked before anything is put or remembered.</summary>
    bool Rewrap(ulong position, IStorageView view, WritePlan plan)
    {
        var key = Keyspace.Position(position);
        if (Checked.Get(view, Family.Log, key) is not { } body || EntryRow.TryRead(body) is not { WrappedKey.IsEmpty: false } entry)
            throw Violation.OfRow(Family.Log, key, "it is missing, or brings no key any more");
        var aggregate = entry.Aggregate ?? LifecycleNames.Aggregate(entry.Subject) ?? throw Violation.OfRow(Family.Log, key, "it names no aggregate");
        var before = keyring.OpenOnce(aggregate, entry.WrappedKey)!;
        var cipher = keyring.Rewrapped(before);
        var changed = RewrapHead(position, before, cipher, view, plan);
        if (ReferenceEquals(before, cipher))
            return changed;
        var again = entry.WithKey(cipher.Wrapped);
        var row = Checked.Open(plan, Family.Log, key, again.EncodedBytes);
        again.Write(row.Body);
        row.Close();
        return true;
    }

    /// <summary>
    /// The head, or the archive record, of the aggregate that this entry began; one that was removed since has neither. False where
    /// nothing was to be put.
    /// </summary>
    bool RewrapHead(ulong position, AggregateCipher before, AggregateCipher cipher, IStorageView view, WritePlan plan)
    {
        var aggregate = cipher.Name;
        var remembered = _heads.Find(aggregate);
        var head = remembered?.Head
            ?? (Checked.Get(view, Family.Heads, aggregate.Row) is { } stored
                ? HeadRow.TryRead(stored) ?? throw Violation.OfRow(Family.Heads, aggregate.Row, "it cannot be read") : null);
        if (head is not null)
        {
            if (!IsToChange(head, Family.Heads, position, before, cipher))
                return false;
            head.WrappedKey = cipher.Wrapped;
            if (remembered is not null)
                remembered.Cipher = cipher;
            PutHeadRow(aggregate, head, plan);
            return true;
        }

        if (Checked.Get(view, Family.Archive, aggregate.Row) is not { } archived
            || !IsToChange(ArchiveRow.ReadHead(aggregate, archived), Family.Archive, position, before, cipher))
            return false;
        Checked.Put(plan, Family.Archive, aggregate.Row, ArchiveRow.WithKey(aggregate, archived, cipher.Wrapped));
        return true;
    }

    /// <summary>
    /// Whether this entry began it, and its key is not wrapped so yet. Other bytes than the entry's are taken where they are the same
    /// key, for the data key has wrapped it: nothing else could bring the two together again.
    /// </summary>
    bool IsToChange(HeadRow head, Family family, ulong position, AggregateCipher before, AggregateCipher cipher)
    {
        if (head.FirstPosition != position || head.WrappedKey.Span.SequenceEqual(cipher.Wrapped.Span))
            return false;
        return head.WrappedKey.Span.SequenceEqual(before.Wrapped.Span) || keyring.OpenOnce(cipher.Name, head.WrappedKey)!.HasKeyOf(cipher)
            ? true : throw Violation.OfRow(family, cipher.Name.Row, $"its key is not the one of position {position}, which began it");
    }

    static void PutStore(StoreRow store, WritePlan plan) => Checked.Put(plan, Family.Meta, Keyspace.StoreRow, store.Write());

    static Outcome PlanDocument(DocumentOperation operation, IStorageView view, WritePlan plan)
    {
        if (DocumentRow.Find(view, operation.Name) is { } known && known.Revision >= operation.Row.Revision)
            return default;
        var row = Checked.Open(plan, Family.Meta, Keyspace.DocumentRow(operation.Name), DocumentRow.EncodedBytes);
        operation.Row.Write(row.Body);
        row.Close();
        return default;
    }
}
