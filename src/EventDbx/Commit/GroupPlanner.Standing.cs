using EventDbx.Mirroring;

namespace EventDbx.Commit;

/// <summary>Mirror or leader: who may write here, and how the one becomes the other.</summary>
internal sealed partial class GroupPlanner
{
    /// <summary>What the store is, as planned: ahead of what is published by at most this group. Null in a store that is being built anew.</summary>
    public Standing? Standing { get; private set; }

    /// <summary>A leader that this database is to follow, of which the store does not know yet: until it has begun, nothing is written. Null for none.</summary>
    public string? Following { get; set; }

    /// <summary>Both as the plan began: what a plan in vain goes back to.</summary>
    (Standing? Standing, string? Following) _standingBefore;

    /// <summary>What every write of its own is answered with by a database that follows another one.</summary>
    public static Refusal ReadOnly(string leader) => new(
        RefusalCode.ReadOnly, $"This database follows `{leader}` and takes no writes of its own: write there. `dbx promote` makes a mirror a leader; one that has not begun yet (`dbx status`) is freed by taking its `mode` out of the configuration and a restart.");

    /// <summary>True where the unit is refused before anything else about it is looked at.</summary>
    bool RefuseOutOfPlace(PendingCommit unit)
    {
        if (unit.At is { } at && (at != _log!.Size + 1 || Standing?.Mirror is null))
        {
            unit.Refuse(0, new(RefusalCode.IntegrityViolation, Standing?.Mirror is null
                ? $"Entry {at} is of another store's log, and this store is not its mirror."
                : $"Entry {at} does not follow: the log has {_log.Size} entries."));
            return true;
        }

        if ((Standing?.Mirror?.Leader.Name ?? Following) is not { } leader)
            return false;
        for (var i = 0; i < unit.Operations.Length; i++)
        {
            if (unit.Operations[i] is { Mirrored: false } and (AppendOperation or LifecycleOperation or SnapshotOperation or ControlOperation or SchemaOperation))
            {
                unit.Refuse(i, ReadOnly(leader));
                return true;
            }
        }

        return false;
    }

    Outcome PlanStanding(StandingOperation operation, IStorageView view, WritePlan plan)
    {
        var store = StoreRow.Find(view) ?? throw Violation.OfRow(Family.Meta, Keyspace.StoreRow, "it is missing, or cannot be read");
        return operation switch
        {
            MirrorOperation mirror => PlanMirror(mirror, store, plan),
            EpochOperation epoch => PlanEpoch(epoch, store, plan),
            RestoredOperation restored => PlanRestored(restored, store, view, plan),
            _ => throw new InvalidOperationException("An operation without a plan."),
        };
    }

    Outcome PlanMirror(MirrorOperation operation, StoreRow store, WritePlan plan)
    {
        if (_log!.Size != operation.Size)
            return Refuse(RefusalCode.InvalidArgument, $"{operation.Size} entries were compared with the leader's, and meanwhile the log has {_log.Size}. Compare again.");
        if (store.DatabaseId != operation.DatabaseId)
        {
            if (_log.Size > 0)
                return Refuse(RefusalCode.InvalidArgument, $"The log has {_log.Size} entries of database {store.DatabaseId}; only an empty store becomes one of database {operation.DatabaseId}.");
            if (store.Rotation is not null)
                return Refuse(RefusalCode.InvalidArgument, "A rotation of the data key is unfinished. Let it end, or begin with a store that is made anew.");
            store = store with
            {
                DatabaseId = operation.DatabaseId, KeyCheck = keyring.Keys is { } keys ? keys.Current.MakeCheck(operation.DatabaseId.ToByteArray(bigEndian: true)) : default,
            };
        }

        PutStore(store with { Mirror = true }, plan);
        Checked.Put(plan, Family.Meta, Keyspace.MirrorRow, operation.Row.Write());
        SyncWanted = true;
        Standing = new(new(store.DatabaseId, store.Epoch), operation.Row);
        return default;
    }

    Outcome PlanEpoch(EpochOperation operation, StoreRow store, WritePlan plan)
    {
        if (Standing?.Mirror is not { } mirror)
            return Refuse(RefusalCode.InvalidArgument, "This database is no mirror: it leads already.");
        // The leader may have entered epochs that are not here: theirs must not be the number of this one.
        var last = Math.Max(store.Epoch, mirror.LeaderEpoch);
        if (last >= Limits.MirrorEpochMax)
            return Refuse(RefusalCode.LimitExceeded, $"The leader was seen in epoch {last}, and there are {Limits.MirrorEpochMax} at most: that is not to be believed. Follow another leader of this database, or recover it.");
        var (epoch, kept, root) = (last + 1, _log!.Size, _log.Tree.Root());
        var start = new NewEpoch(
            epoch, operation.Cause, kept, root.ToString(), mirror.Checkpoint?.Origin ?? operation.OriginOf(store.Epoch), new(mirror.Leader.Name, mirror.Leader.PublicKey),
            mirror.Checkpoint is { } signed ? new(signed.Origin, signed.Size, signed.Root.ToString()) : null, mirror.Checkpoint is null ? null : mirror.CheckpointKey, operation.Comment);
        PutControl(NewEpoch.Kind, store.DatabaseId.ToString(), start.Write(), Now(), operation, default, plan);
        PutStore(store with { Epoch = epoch, Mirror = false }, plan);
        plan.Delete(Family.Meta, Keyspace.MirrorRow);
        SyncWanted = true;
        (Standing, Following) = (new(new(store.DatabaseId, epoch), null), null);
        operation.Result = new(epoch, kept, root, operation.OriginOf(epoch));
        return default;
    }

    Outcome PlanRestored(RestoredOperation operation, StoreRow store, IStorageView view, WritePlan plan)
    {
        if (Standing?.Mirror is not null)
            return Refuse(RefusalCode.InvalidArgument, "A mirror has its leader's log: no epoch of its own begins in it.");
        if (operation.Start.Epoch <= store.Epoch)
            throw new InvalidOperationException("A restored store goes on in the epoch it had.");
        var newest = CheckpointRow.Newest(view, store.Epoch)?.Checkpoint;
        var start = operation.Start with
        {
            Kept = _log!.Size, Root = _log.Tree.Root().ToString(), Origin = newest?.Origin ?? operation.Start.Origin,
            Checkpoint = newest is null ? null : new(newest.Origin, newest.Size, newest.Root.ToString()),
        };
        PutControl(NewEpoch.Kind, store.DatabaseId.ToString(), start.Write(), Now(), operation, default, plan);
        PutStore(store with { Epoch = start.Epoch }, plan);
        SyncWanted = true;
        Standing = new(new(store.DatabaseId, start.Epoch), null);
        return default;
    }

    Outcome PlanMirrorNote(MirrorNoteOperation operation, WritePlan plan)
    {
        Checked.Put(plan, Family.Meta, Keyspace.MirrorRow, operation.Row.Write());
        Standing = Standing! with { Mirror = operation.Row };
        return default;
    }

    /// <summary>An entry of the leader's log begins an epoch: the mirror goes along.</summary>
    void EnterEpoch(uint epoch, IStorageView view, WritePlan plan)
    {
        // No other operation of this group has put the row: those that do have their group to themselves.
        var store = StoreRow.Find(view) ?? throw Violation.OfRow(Family.Meta, Keyspace.StoreRow, "it is missing, or cannot be read");
        PutStore(store with { Epoch = epoch }, plan);
        Standing = Standing! with { Identity = Standing.Identity with { Epoch = epoch } };
    }
}
