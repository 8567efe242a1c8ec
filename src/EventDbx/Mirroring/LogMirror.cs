using EventDbx.Storage.Rows;

namespace EventDbx.Mirroring;

/// <summary>The mirror of one database: what is checked before it reaches the writer, and in which order.</summary>
internal sealed class LogMirror(Database database) : IMirror, IDisposable
{
    readonly SemaphoreSlim _turn = new(1, 1);

    public MirrorState? State => database.Standing.Mirror?.State();

    public string? Following => database.Following;

    public async Task BeginAsync(MirrorLeader leader, LogEnd end, Hash32 rootAtSize, CancellationToken cancellation)
    {
        ArgumentException.ThrowIfNullOrEmpty(leader.Name);
        ArgumentException.ThrowIfNullOrEmpty(leader.PublicKey);
        await _turn.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            MerkleTree own;
            var synced = database.Loop.Synced;
            using (var view = database.Engine.OpenView())
                own = LogTreeStore.LoadFrontier(view);
            CheckBegin(leader, end, rootAtSize, own, synced);
            var (before, id) = (database.Standing.Mirror, database.DatabaseId);
            await CommitAsync(new MirrorOperation
            {
                Aggregate = ControlOperation.AboutTheDatabase, DatabaseId = end.DatabaseId, Size = own.Size,
                Row = (before ?? new MirrorRow(leader, 0)) with { Leader = leader, LeaderEpoch = Math.Max(before?.LeaderEpoch ?? 0, end.Epoch) },
            }).ConfigureAwait(false);
            if (database.DatabaseId != id)
                database.MarkTakenOver();
        }
        finally
        {
            _turn.Release();
        }
    }

    void CheckBegin(MirrorLeader leader, LogEnd end, in Hash32 rootAtSize, MerkleTree own, in LogPoint synced)
    {
        if (end.Epoch is 0 or > Limits.MirrorEpochMax)
            throw new RefusedException(RefusalCode.InvalidArgument, $"`{leader.Name}` says that it is in epoch {end.Epoch}; there are 1 to {Limits.MirrorEpochMax}.");
        if (end.Encrypted && !database.Encrypted)
        {
            throw new RefusedException(RefusalCode.InvalidArgument,
                $"The store of `{leader.Name}` is encrypted, and this one is plain: what is sealed there would be in clear here. Give this node a data key and an empty data directory.");
        }

        if (own.Size > 0 && end.DatabaseId != database.DatabaseId)
        {
            throw new RefusedException(RefusalCode.InvalidArgument,
                $"This store has {own.Size} entries of its own database {database.DatabaseId}, and `{leader.Name}` has database {end.DatabaseId}: a mirror begins empty. "
                + "Give it an empty data directory, with the follower configured before its first start.");
        }

        if (own.Size > end.Size)
        {
            throw new RefusedException(RefusalCode.Diverged,
                $"The histories have parted: this log has {own.Size} entries, and that of `{leader.Name}` {end.Size}. To follow it, begin with an empty store.");
        }

        var root = own.Root();
        // What was compared is what is synced. Of a mirror the rest is its leader's, and the next page is held against it; of any other store it has to be compared, too.
        if (root != rootAtSize && own.Size > synced.Size)
        {
            if (database.Standing.Mirror is null || synced.Root != rootAtSize)
                throw new RefusedException(RefusalCode.Unavailable, $"{own.Size - synced.Size} entries are on their way to the disk, and were not compared with those of `{leader.Name}`. Compare again.");
            root = rootAtSize;
        }

        if (root != rootAtSize)
        {
            throw new RefusedException(RefusalCode.Diverged,
                $"The histories have parted: the first {own.Size} entries have the root {root} here, and {rootAtSize} at `{leader.Name}`. To follow it, begin with an empty store.");
        }

        if (own.Size > 0 && end.Epoch < database.Epoch)
            throw new RefusedException(RefusalCode.Diverged, $"`{leader.Name}` is in epoch {end.Epoch}, and this database in {database.Epoch}: it does not have what is here.");
    }

    public async Task<int> ApplyAsync(LogPage page, CancellationToken cancellation)
    {
        await _turn.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            var standing = database.Standing;
            if (standing.Mirror is null)
                throw new RefusedException(RefusalCode.InvalidArgument, "This database is no mirror: it takes no entries of another one's log.");
            var check = await Task.Run(() => PageCheck.Run(database, page, standing, cancellation), cancellation).ConfigureAwait(false);
            await CommitAsync(check).ConfigureAwait(false);
            if (check.ChangesSchemas)
                database.ShowSchemas(atOpen: false);
            return check.Entries;
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>All of the page, one commit after the other: each says which position it is for, so that behind one that is not taken none is.</summary>
    async Task CommitAsync(PageCheck check)
    {
        PendingCommit? last = null;
        foreach (var unit in check.Units)
            last = await EnqueueAsync(unit, last).ConfigureAwait(false);
        if (check.Known is { } known)
        {
            // It speaks of entries that the writer has taken by then, or takes none of them.
            var note = new PendingCommit(new MirrorNoteOperation { Aggregate = ControlOperation.AboutTheDatabase, Row = known });
            if (last is not null)
            {
                await last.Completion.ConfigureAwait(false);
                RefuseIfRefused(check.Units);
            }

            last = await EnqueueAsync(note, null).ConfigureAwait(false);
        }

        if (last is not null)
            await last.Completion.ConfigureAwait(false);
        RefuseIfRefused(check.Units);
    }

    static void RefuseIfRefused(List<PendingCommit> units)
    {
        if (units.Find(static unit => unit.Refused) is { } refused)
            throw Violation.Of($"Entry {refused.At} of the leader's log was refused by the writer; those of its page before it are written, and nothing behind them: {Array.Find(refused.Outcomes, static outcome => outcome.Refusal is not null).Refusal!.Value.Message}");
        if (units.Find(static unit => Array.Exists(unit.Outcomes, static outcome => outcome.KnownVersion != 0)) is { } known)
            throw Violation.Of($"Entry {known.At} of the leader's log has an event id that is known here; those of its page before it are written, and nothing behind them.");
    }

    /// <summary>Joins the queue; where that is full, once what went before is done.</summary>
    async Task<PendingCommit> EnqueueAsync(PendingCommit unit, PendingCommit? before)
    {
        while (true)
        {
            try
            {
                _ = database.Loop.CommitAsync(unit);
                return unit;
            }
            catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.Overloaded && before is not null)
            {
                await before.Completion.ConfigureAwait(false);
                before = null; // Full once more, it is full of what others bring: they are told so, and so is this one.
            }
        }
    }

    public async Task<Promotion> PromoteAsync(Actor? actor, string? comment, CancellationToken cancellation)
    {
        if ((Session.CheckActor(actor) ?? Session.CheckNote(comment)) is { } refusal)
            throw new RefusedException(refusal);
        await _turn.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            if (database.Standing.Mirror is null && database.Following is { } leader)
                throw new RefusedException(RefusalCode.InvalidArgument, $"This database is to follow `{leader}` and has not begun to: it is no mirror yet, and leads as soon as it is no longer configured to follow.");
            var operation = new EpochOperation { Aggregate = ControlOperation.AboutTheDatabase, Actor = actor, Cause = NewEpoch.Promotion, Comment = comment, OriginOf = database.OriginOf };
            await CommitAsync(operation).ConfigureAwait(false);
            return operation.Result!;
        }
        finally
        {
            _turn.Release();
        }
    }

    async Task CommitAsync(Operation operation)
    {
        var commit = new PendingCommit(operation);
        var outcomes = await database.Loop.CommitAsync(commit).ConfigureAwait(false);
        if (commit.Refused)
            throw new RefusedException(outcomes[0].Refusal!.Value);
    }

    public void Dispose() => _turn.Dispose();
}
