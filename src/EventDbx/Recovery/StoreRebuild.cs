using EventDbx.Storage.RocksDb;

namespace EventDbx.Recovery;

/// <summary>Writes a new store from what the log of a damaged one still says: the same entries, every index anew.</summary>
internal sealed class StoreRebuild(RocksDbEngine engine, Keyring keyring, DatabaseOptions options, Action<ulong> told)
{
    readonly GroupPlanner _planner = new(keyring, new(), options.Clock, Limits.HeadCacheDefault);
    readonly List<PendingCommit> _group = [];
    int _groupBytes;

    /// <summary>Builds the store, closed by its control entry. Whatever it is interrupted at, without that entry it is not complete.</summary>
    /// <param name="source">Where from.</param>
    /// <param name="target">A directory that does not exist.</param>
    /// <param name="damage">Why.</param>
    /// <param name="marks">The watermark of the damaged store.</param>
    /// <param name="options">The key.</param>
    /// <param name="keyRefused">Whether it ended at an entry that the key does not open.</param>
    public static RecoveryReport Run(Salvage source, string target, string damage, KnownMarks marks, DatabaseOptions options, out bool keyRefused)
    {
        var mark = marks.Newest;
        using var engine = RocksDbEngine.Open(target, new() { CreateIfMissing = true });
        var epoch = Math.Max(Math.Max(source.Row?.Epoch ?? 0, mark?.Epoch ?? 0), source.LeaderEpoch) + 1;
        var keyring = source.KeyringFor(options);
        var row = OpenStore.Create(
            engine, options with { Encrypted = source.Encrypted }, source.Row?.DatabaseId ?? mark?.DatabaseId, epoch, keyring.Keys, source.Row, source.LogKeys?.End ?? 0);
        var rebuild = new StoreRebuild(engine, keyring, options, kept => options.Progress?.Invoke($"{kept} entries rebuilt"));
        var replay = source.Replay(keyring);
        var (kept, stopped) = rebuild.Take(replay);
        keyRefused = replay.KeyRefused;
        var report = new RecoveryReport(damage, kept, mark?.LogSize, stopped, null) { HistoryChanged = rebuild.CompareWith(marks, kept) };
        var loose = new LooseRows(source.View, engine);
        var checkpoint = loose.Copy(epoch, kept);
        rebuild.Close(AcceptedLoss.Of(report, mark, epoch, checkpoint), row);
        engine.Sync();
        engine.FlushMemtables();
        return report with { LeftOut = loose.LeftOut, Restarted = loose.Restarted };
    }

    /// <summary>Writes what a replay brings; how much that was, and why it was not all.</summary>
    public (ulong Kept, string? Stopped) Take(LogReplay replay)
    {
        var kept = 0UL;
        string? refused = null;
        replay.FindWritten = FindKey;
        foreach (var commit in replay.Read())
        {
            if (_group.Count > 0 && (_groupBytes + commit.Bytes > Limits.GroupBytesMax || _group.Count == Limits.PageItemsMax))
            {
                refused = Write(ref kept);
                told(kept);
                if (refused is not null)
                    break;
            }

            _group.Add(commit);
            _groupBytes += commit.Bytes;
            if (!replay.HasManyKeys)
                continue;
            refused = Write(ref kept);
            told(kept);
            if (refused is not null)
                break;
            replay.ForgetKeys();
        }

        refused ??= Write(ref kept);
        return (kept, refused ?? replay.Stopped);
    }

    ReadOnlyMemory<byte> FindKey(AggregateKey aggregate)
    {
        using var reader = new StoreReader(engine.OpenView(), keyring);
        return reader.FindWrappedKey(aggregate);
    }

    /// <summary>Whether the rebuilt log is the one that was synced, as far as the watermark can tell.</summary>
    string? CompareWith(KnownMarks marks, ulong kept)
    {
        using var view = engine.OpenView();
        var nodes = new LogNodes(view, kept);
        foreach (var mark in marks.UpTo(kept))
        {
            if (nodes.RootAt(mark.LogSize) is var root && root != mark.LogRoot)
                return $"the root of the first {mark.LogSize} entries is {root}, but {mark.LogRoot} was synced";
        }

        return null;
    }

    void Close(AcceptedLoss loss, StoreRow row)
    {
        _group.Clear();
        _group.Add(new(new ControlOperation
        {
            Aggregate = ControlOperation.AboutTheDatabase, Origin = "directory", Kind = AcceptedLoss.Kind, Subject = row.DatabaseId.ToString(), Body = loss.Write(),
        }));
        var ignored = 0UL;
        if (Write(ref ignored) is { } refused)
            throw new StorageFailedException(refused);
    }

    /// <summary>Writes the group in order; why an entry does not follow from those before it, or null.</summary>
    string? Write(ref ulong kept)
    {
        _groupBytes = 0;
        while (_group.Count > 0)
        {
            var planner = new UpToRefusal(_planner, _group);
            engine.Commit(planner, sync: false);
            foreach (var commit in _group.Take(planner.Planned))
                kept += (ulong)commit.Operations.Length;
            WriteFoldPoints();
            if (planner.Refusal is { } refusal)
            {
                _group.Clear();
                return $"entry {kept + 1}: {refusal.Message}";
            }

            _group.RemoveRange(0, planner.Planned);
        }

        return null;
    }

    /// <summary>Fold points of large states, which a running database writes behind its commits.</summary>
    void WriteFoldPoints()
    {
        foreach (var (aggregate, version) in _planner.FoldPointsDue.ToArray())
        {
            byte[] fields;
            using (var reader = new StoreReader(engine.OpenView(), keyring))
                fields = reader.FindStateAt(aggregate, version)!.Fields.ToArray();
            engine.Commit(new UpToRefusal(_planner, [new(new FoldPointOperation { Aggregate = aggregate, Version = version, Fields = fields })]), sync: false);
        }

        foreach (var (aggregate, version) in _planner.SnapshotsDue.ToArray())
        {
            AggregateState state;
            using (var reader = new StoreReader(engine.OpenView(), keyring))
                state = reader.FindStateAt(aggregate, version)!;
            engine.Commit(
                new UpToRefusal(_planner,
                [
                    new(new FoldPointOperation
                    {
                        Aggregate = aggregate, Version = version, Fields = state.Fields.ToArray(), Snapshot = new(state.MerkleRoot, state.UpdatedAt.Ticks100ns),
                    }),
                ]),
                sync: false);
        }
    }

    /// <summary>
    /// A refused draft costs the others of its group nothing; a refused entry costs all that come after it. So a plan that
    /// met one is made again without it and everything behind it.
    /// </summary>
    sealed class UpToRefusal(GroupPlanner planner, IReadOnlyList<PendingCommit> group) : IGroupPlanner
    {
        public int Planned { get; private set; }

        public Refusal? Refusal { get; private set; }

        public void Plan(IStorageView view, WritePlan plan)
        {
            planner.Take(group);
            planner.Plan(view, plan);
            Planned = planner.Planned;
            var at = 0;
            while (at < Planned && WhyNot(group[at]) is null)
                at++;
            if (at == Planned)
                return;
            Refusal = WhyNot(group[at]);
            plan.Clear();
            planner.Forget();
            Planned = at;
            if (at == 0)
                return;
            planner.Take([.. group.Take(at)]);
            planner.Plan(view, plan);
        }

        static Refusal? WhyNot(PendingCommit commit)
        {
            if (commit.Refused)
                return Array.Find(commit.Outcomes, static o => o.Refusal is not null).Refusal;
            return Array.Exists(commit.Outcomes, static o => o.KnownVersion != 0)
                ? new(RefusalCode.IntegrityViolation, "its event id is known already.")
                : null;
        }

        public void Forget() => planner.Forget();
    }
}
