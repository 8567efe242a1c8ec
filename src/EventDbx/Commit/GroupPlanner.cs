namespace EventDbx.Commit;

/// <summary>Turns a group of pending commits into one plan. Owned by the writer; every rule of a write stands here.</summary>
/// <remarks>
/// For each commit, in order, either all of its operations enter the plan or none does, and a refused one costs the others
/// nothing. Heads are changed in memory as the group goes along and written once at its end, so that an aggregate with a
/// hundred events in a group is sealed once.
/// A commit that needs to read what this very group has put (an archive after an append, say) ends the group before it:
/// <see cref="Planned"/> tells how far it came, and the rest is planned next.
/// </remarks>
internal sealed partial class GroupPlanner(Keyring keyring, NoncePool nonces, TimeProvider clock, int headCacheEntries, Restriction restriction = Restriction.Default)
    : IGroupPlanner
{
    readonly HeadCache _heads = new(headCacheEntries);
    readonly List<HeadEntry> _changed = [];
    readonly List<HeadEntry> _touchedByUnit = [];
    readonly List<HeadEntry> _savedByUnit = [];
    readonly List<(AggregateKey, Guid)> _idsOfUnit = [];
    readonly Dictionary<(AggregateKey, Guid), (IdRow Row, Actor? Actor)> _idsOfGroup = [];
    IReadOnlyList<PendingCommit> _group = [];
    readonly LogTree _logBeforeUnit = new(new());
    LogTree? _log;
    ulong _groupNumber;
    ulong _unitNumber;

    /// <summary>How many commits of the group have their outcome.</summary>
    public int Planned { get; private set; }

    /// <summary>The operation of the unit that is being planned: the one to blame when a read refuses.</summary>
    int _operation;

    /// <summary>Whether that unit has changed a head in memory.</summary>
    bool _unitChanged;

    /// <summary>Where the plan began for that unit.</summary>
    int _planBeforeUnit;

    /// <summary>Bytes of payloads that the patches of that unit have led to.</summary>
    int _patchedByUnit;

    /// <summary>Field rows remembered over all heads, roughly.</summary>
    int _fieldsRemembered;

    /// <summary>Events that crossed a fold point with a state too large to write in the commit.</summary>
    public List<(AggregateKey Aggregate, ulong Version)> FoldPointsDue { get; } = [];

    /// <summary>Events that call for a snapshot of a state too large to write in the commit.</summary>
    public List<(AggregateKey Aggregate, ulong Version)> SnapshotsDue { get; } = [];

    /// <summary>Size and root of the log as planned.</summary>
    public ulong LogSize => _log!.Size;

    public Hash32 LogRoot => _log!.Tree.Root();

    /// <summary>When the newest plan was ready: a timestamp of <see cref="System.Diagnostics.Stopwatch"/>.</summary>
    public long PlannedAt { get; private set; }

    /// <summary>Bytes of its rows.</summary>
    public int PlannedBytes { get; private set; }

    /// <summary>How often a head was in memory when it was wanted, and how often not; how many are. Read from other threads.</summary>
    public (long Hits, long Misses, int Entries) HeadCacheFigures => (Volatile.Read(ref _headHits), Volatile.Read(ref _headMisses), Volatile.Read(ref _headEntries));

    long _headHits;
    long _headMisses;
    int _headEntries;

    public void Take(IReadOnlyList<PendingCommit> group) => _group = group;

    public void Forget()
    {
        _heads.Clear();
        _tokens.Clear();
        _deliveries.Clear();
        _plugins = null;
        _log = null;
        _nextKey = null;
        (Standing, Following) = _standingBefore;
    }

    public void Plan(IStorageView view, WritePlan plan)
    {
        _log ??= LogTreeStore.Load(view);
        TakeUpNextKey();
        _standingBefore = (Standing, Following);
        _groupNumber++;
        _changed.Clear();
        _idsOfGroup.Clear();
        SyncWanted = false;
        _sequencesOfGroup.Clear();
        BeginTokens();
        BeginDeliveries();
        FoldPointsDue.Clear();
        SnapshotsDue.Clear();
        foreach (var aggregate in _reshaped)
            _heads.Remove(aggregate);
        _reshaped.Clear();
        _heads.Turn();
        if (_fieldsRemembered > Limits.FieldsRememberedMax)
        {
            _heads.ForgetFields();
            _fieldsRemembered = 0;
        }

        plan.BaseLogSize = _log.Size;

        Planned = 0;
        foreach (var unit in _group)
        {
            // What a unit brings along is bounded by the queue; what it makes the store write (a large archive, say) is bounded here.
            if ((Planned > 0 && plan.Bytes > Limits.GroupBytesMax) || !PlanUnit(unit, view, plan))
                break;
            Planned++;
            // What it has put, no view has yet: nothing else of this group may look at the same rows.
            if (unit.Operations is [.., KeyRotationOperation or StandingOperation])
                break;
        }

        foreach (var entry in _changed)
            PutHead(entry, plan);
        PutTokens(plan);
        PutDeliveries(plan);
        plan.LogSize = _log.Size;
        if (_log.Size != plan.BaseLogSize)
            LogTreeStore.PutSize(plan, _log.Tree);
        Volatile.Write(ref _headEntries, _heads.Count);
        (PlannedBytes, PlannedAt) = (plan.Bytes, System.Diagnostics.Stopwatch.GetTimestamp());
    }

    /// <summary>False when the group must end before this unit.</summary>
    bool PlanUnit(PendingCommit unit, IStorageView view, WritePlan plan)
    {
        var batch = unit.Operations.Length > 1 || unit.Rehearsal;
        var mark = plan.Mark();
        if (batch)
            _logBeforeUnit.CopyFrom(_log!);
        var (foldPoints, snapshots) = (FoldPointsDue.Count, SnapshotsDue.Count);
        var schemas = Schemas;
        _unitNumber++;
        _unitChanged = false;
        (_planBeforeUnit, _patchedByUnit, _patternStepsOfUnit) = (mark.Bytes, 0, Limits.PatternStepsMax);
        _unitKeepsFields = KeepsFields(unit);
        _operation = 0;
        _touchedByUnit.Clear();
        _savedByUnit.Clear();
        _idsOfUnit.Clear();
        _tokensOfUnit.Clear();
        _deliveriesOfUnit.Clear();
        unit.Begin();
        if (RefuseOutOfPlace(unit))
            return true;

        var fits = true;
        try
        {
            fits = Fits(unit, view) && PlanOperations(unit, batch, view, plan);
        }
        catch (RefusedException refused)
        {
            // Reads come before changes. Where that is broken in a single unit nothing can take the change back: stop, rather than
            // write a head without its event.
            if (!batch && _unitChanged)
                throw new InvalidOperationException("A commit was refused after it had begun to change things.", refused);
            unit.Refuse(_operation, refused.Refusal);
        }

        if (fits && !unit.Refused && !unit.Rehearsal)
            return true;

        plan.RollBackTo(mark);
        Schemas = schemas;
        FoldPointsDue.RemoveRange(foldPoints, FoldPointsDue.Count - foldPoints);
        SnapshotsDue.RemoveRange(snapshots, SnapshotsDue.Count - snapshots);
        if (batch)
            _log!.CopyFrom(_logBeforeUnit);
        for (var i = _touchedByUnit.Count - 1; i >= 0; i--)
            _touchedByUnit[i].Return(_savedByUnit[i]);
        ReturnTokens();
        ReturnDeliveries();
        foreach (var id in _idsOfUnit)
            _idsOfGroup.Remove(id);
        return fits;
    }

    /// <summary>Whether everything this unit has to read is in the view, and not only in this group's plan.</summary>
    bool Fits(PendingCommit unit, IStorageView view)
    {
        if (Planned == 0)
            return true;
        foreach (var operation in unit.Operations)
        {
            if (operation is CheckpointOperation)
            {
                if (_checkpointGroup == _groupNumber)
                    return false;
                continue;
            }

            if (operation is DeliveryOperation delivery)
            {
                if (!Fits(delivery))
                    return false;
                continue;
            }

            // It drops what waits for the aggregate, and that may be in this very plan.
            if (operation is KeyRotationOperation or StandingOperation || (operation is LifecycleOperation { Kind: Lifecycle.Remove } && _deliveriesChanged.Count > 0))
                return false;
            if (operation is ControlOperation or TokenOperation or DocumentOperation or SchemaOperation or MirrorNoteOperation || (operation is AppendOperation { Patch: null, Merges: false } plain && _reshaped.Count == 0 && SnapshotInterval(plain.Aggregate) == 0))
                continue;
            var entry = Load(operation.Aggregate, view);
            if (entry.ChangedInGroup == _groupNumber && (entry.Reshaped || operation is LifecycleOperation or SnapshotOperation or AppendOperation { Merges: true } || (operation is AppendOperation append && MustWait(append, entry, unit))))
                return false;
        }

        return true;
    }

    bool PlanOperations(PendingCommit unit, bool batch, IStorageView view, WritePlan plan)
    {
        var entries = (ushort)0;
        for (var i = 0; i < unit.Operations.Length; i++)
        {
            _operation = i;
            if (unit.Operations[i] is AppendOperation append && (append.Merges ? FindMerged(append, view) : FindKnown(append, view)) is { } known)
            {
                if (known.Refusal is { } conflict)
                {
                    unit.Refuse(i, conflict);
                    return true;
                }

                unit.Outcomes[i] = known;
            }
            else
            {
                entries++;
            }
        }

        var place = (ushort)0;
        for (var i = 0; i < unit.Operations.Length; i++)
        {
            _operation = i;
            if (unit.Outcomes[i].KnownVersion != 0)
                continue;
            place++;
            var inBatch = batch && entries > 1 ? (place, entries) : default;
            if (unit.Operations[i].Recorded is { } recorded)
                inBatch = (recorded.BatchIndex, recorded.BatchCount);
            var outcome = unit.Operations[i] switch
            {
                AppendOperation append => PlanAppend(append, inBatch, batch, view, plan),
                LifecycleOperation lifecycle => PlanLifecycle(lifecycle, view, plan),
                FoldPointOperation foldPoint => PlanFoldPoint(foldPoint, view, plan),
                SnapshotOperation snapshot => PlanSnapshot(snapshot, view, plan),
                ControlOperation control => PlanControl(control, view, plan),
                TokenOperation token => PlanToken(token, view),
                DeliveryOperation delivery => PlanDelivery(delivery, view, plan),
                DocumentOperation document => PlanDocument(document, view, plan),
                KeyRotationOperation rotation => PlanKeyRotation(rotation, view, plan),
                SchemaOperation schema => PlanSchema(schema, plan),
                StandingOperation standing => PlanStanding(standing, view, plan),
                MirrorNoteOperation note => PlanMirrorNote(note, plan),
                CheckpointOperation checkpoint => PlanCheckpoint(checkpoint, view, plan),
                _ => throw new InvalidOperationException("An operation without a plan."),
            };
            // What is in a log already fitted where it was committed.
            if ((outcome.Refusal ?? (batch && unit.Operations[i].Recorded is null ? CheckCommitBytes(plan) : null)) is { } refusal)
            {
                unit.Refuse(i, refusal);
                return true;
            }

            unit.Outcomes[i] = outcome;
        }

        return true;
    }

    /// <summary>What one operation writes is bounded by itself; only many together are too much for one commit.</summary>
    Refusal? CheckCommitBytes(WritePlan plan) => plan.Bytes - _planBeforeUnit <= Limits.CommitBytesMax
        ? null
        : new(RefusalCode.LimitExceeded,
            $"Up to here the batch makes the store write {plan.Bytes - _planBeforeUnit} bytes, with a row for each field that it sets; at most {Limits.CommitBytesMax} are written at once. Send fewer events in one batch.");

    /// <summary>The writer's entry for an aggregate, read from the view when it is not in memory.</summary>
    HeadEntry Load(AggregateKey aggregate, IStorageView view)
    {
        if (_heads.Find(aggregate) is { } entry)
        {
            // Only between groups, and before anything is looked up: what was looked up must still be known when it is folded.
            if (entry.ChangedInGroup != _groupNumber)
                entry.Trim();
            _headHits++;
            return entry;
        }

        _headMisses++;
        entry = new() { Aggregate = aggregate };
        if (Checked.Get(view, Family.Heads, aggregate.Row) is { } body)
        {
            var head = HeadRow.TryRead(body) ?? throw Violation.OfRow(Family.Heads, aggregate.Row, "it cannot be read");
            // The writer builds on this head: a frontier that does not lead to its root must not become history.
            if (head.Tree.Root() != head.Root)
                throw Violation.OfRow(Family.Heads, aggregate.Row, "its frontier does not lead to its root");
            entry.Head = head;
            entry.Cipher = keyring.Open(aggregate, head.WrappedKey);
        }
        else if (Checked.Get(view, Family.Archive, aggregate.Row) is not null)
        {
            entry.Archived = true;
        }

        _heads.Add(entry);
        return entry;
    }

    /// <summary>Notes a change, so that the head is written with the group, and can come back if the batch is refused.</summary>
    void Touch(HeadEntry entry, bool inBatch)
    {
        _unitChanged = true;
        if (inBatch && entry.TouchedByUnit != _unitNumber)
        {
            entry.TouchedByUnit = _unitNumber;
            _touchedByUnit.Add(entry);
            _savedByUnit.Add(entry.Save());
        }

        if (entry.ChangedInGroup == _groupNumber)
            return;
        entry.ChangedInGroup = _groupNumber;
        entry.Reshaped = false;
        _changed.Add(entry);
    }

    void PutHead(HeadEntry entry, WritePlan plan)
    {
        if (entry.ChangedInGroup != _groupNumber || entry.Head is not { } head)
            return;
        if (entry.MergedInGroup == _groupNumber)
            PutArchived(entry, plan);
        if (entry.Reshaped)
            return;
        if (head.StateForm == StateForm.Blob)
            head.StateDigest = StateRows.PutBlob(plan, entry.Aggregate, entry.Cipher, entry.Blob!, nonces);
        PutHeadRow(entry.Aggregate, head, plan);
    }

    static void PutHeadRow(AggregateKey aggregate, HeadRow head, WritePlan plan)
    {
        var row = Checked.Open(plan, Family.Heads, aggregate.Row, head.EncodedBytes);
        head.Write(row.Body);
        row.Close();
    }

    ulong PutEntry(EntryRow entry, in Hash32 leaf, WritePlan plan)
    {
        Span<byte> key = stackalloc byte[8];
        var position = _log!.Size + 1;
        Keyspace.WritePosition(key, position);
        var row = Checked.Open(plan, Family.Log, key, entry.EncodedBytes);
        entry.Write(row.Body);
        row.Close();
        _log.Append(leaf, plan);
        return position;
    }

    long Now() => Timestamp.From(clock.GetUtcNow()).Ticks100ns;
}
