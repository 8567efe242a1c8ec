using EventDbx.Access;
using EventDbx.Checkpoints;

namespace EventDbx;

/// <summary>The verbs that give proofs to those outside. None is given that was not verified first.</summary>
public sealed partial class Session
{
    /// <summary>For what shows only sizes and hashes of the log: log.read is enough, on whatever resources.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.PermissionDenied"/>.</exception>
    public void DemandLogProofs()
    {
        if (!Grants.AllowsLogProofs)
            throw new RefusedException(RefusalCode.PermissionDenied, "This token does not allow log.read. Use one that has been given it, on whatever resources.");
    }

    /// <summary>See <see cref="Database.ReadCheckpointAsync"/>; what it returns is kept for good.</summary>
    public Task<SignedNote> ReadCheckpointAsync(ulong atLeast, CancellationToken cancellation)
    {
        DemandLogProofs();
        return _database.ReadCheckpointAsync(atLeast, handOut: true, cancellation);
    }

    /// <summary>The public key that checkpoints are signed with, as a vkey.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.Unavailable"/>: there is none.</exception>
    public string ReadLogKey()
    {
        DemandLogProofs();
        return _database.ReadLogKey();
    }

    /// <summary>That the log at one size is the beginning of the log at another.</summary>
    /// <param name="from">Entries, at least 1.</param>
    /// <param name="to">Entries, at least <paramref name="from"/>; null: all that are synced.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidArgument"/>: there are no such sizes.</exception>
    public LogConsistency ProveLog(ulong from, ulong? to)
    {
        DemandLogProofs();
        var committed = _database.Loop.Synced;
        var size = committed.Size;
        var until = to ?? size;
        if (from == 0 || from > until || until > size)
            throw new RefusedException(RefusalCode.InvalidArgument, $"There is no proof from size {from} to size {until}: the log has {size} entries, and nothing follows from an empty one.");
        using var view = _database.Engine.OpenView();
        // Every node is one of the tree that was committed: so are both roots.
        var nodes = new LogNodes(view, new(size, committed.Root), _database.Tiles);
        var (first, second) = (nodes.RootAt(from), nodes.RootAt(until));
        DemandAsSigned(view, from, first);
        DemandAsSigned(view, until, second);
        var path = nodes.Path(ProofPath.Consistency(from, until));
        return MerkleProof.Extends(from, until, first, second, path)
            ? new(_database.LogOrigin, new(from, first), new(until, second), path)
            : throw Violation.Of($"The log of {until} entries as it is stored does not continue that of {from} entries.");
    }

    /// <summary>Where a checkpoint was signed, it says the same.</summary>
    void DemandAsSigned(IStorageView view, ulong size, in Hash32 root)
    {
        if (CheckpointRow.Find(view, _database.Epoch, size) is { } signed && signed.Checkpoint.Root != root)
            throw Violation.Of($"The first {size} entries have root {root}, but a checkpoint was signed that says {signed.Checkpoint.Root}.");
    }

    /// <summary>A tile of the log tree as C2SP tlog-tiles has it: hashes, one after the other.</summary>
    /// <param name="level">0 to 7; 0 holds leaf hashes.</param>
    /// <param name="tile">Index among the tiles of its level.</param>
    /// <param name="width">Hashes, 1 to 256.</param>
    /// <exception cref="RefusedException">
    /// <see cref="RefusalCode.NotFound"/>: the log has no such tile, or not yet. <see cref="RefusalCode.IntegrityViolation"/>: what is stored does not lead to
    /// what was committed.
    /// </exception>
    public byte[] ReadTile(int level, ulong tile, int width)
    {
        DemandLogProofs();
        // The size first: what is synced by now is in any view opened later.
        var committed = _database.Loop.Synced;
        using var view = _database.Engine.OpenView();
        return new LogNodes(view, new(committed.Size, committed.Root), _database.Tiles).Tile(level, tile, width)
            ?? throw new RefusedException(RefusalCode.NotFound, $"A log of {committed.Size} entries has no tile {tile} on level {level} with {width} hashes.");
    }

    /// <summary>A receipt: one event, with proof that it is in its aggregate and in the log of a checkpoint.</summary>
    /// <param name="aggregate">Whose event; archived or not. Every field of its type must be shown to this caller.</param>
    /// <param name="version">Which event.</param>
    /// <param name="size">Versions of the aggregate's tree that it is proved in; null: up to the event itself.</param>
    /// <param name="cancellation">Ends the wait for a checkpoint, and long walks.</param>
    /// <exception cref="RefusedException">No such event; hidden fields; no key to sign with; or what is stored was changed.</exception>
    public async Task<EventReceipt> ProveEventAsync(AggregateKey aggregate, ulong version, ulong? size, CancellationToken cancellation)
    {
        DemandWhole(aggregate);
        var until = size ?? version;
        EventRecord record;
        using (var reader = _database.OpenReader())
        {
            record = reader.FindEvent(aggregate, version) ?? throw NoVersion(reader, aggregate, version);
            var newest = reader.FindHead(aggregate)!.Value.Head.Version;
            if (until < version || until > newest)
                throw new RefusedException(RefusalCode.InvalidArgument, $"Version {version} of {aggregate} cannot be proved in a tree of {until} versions; {version} to {newest} are possible.");
        }

        // It is signed before the view that the proof comes from is opened: what it covers is in there.
        var note = await _database.ReadCheckpointAsync(record.Position, handOut: true, cancellation).ConfigureAwait(false);
        return await TakeTurnAsync(until, () => ProveEvent(record, until, note, cancellation), cancellation).ConfigureAwait(false);
    }

    EventReceipt ProveEvent(EventRecord record, ulong size, SignedNote note, CancellationToken cancellation)
    {
        using var reader = _database.OpenReader();
        var (aggregate, index) = (record.Aggregate, record.Version - 1);
        var tree = new TreePoint(size, reader.RootOf(aggregate, size));
        var path = AggregateNodes.Path(reader.View, aggregate, ProofPath.Inclusion(index, size), cancellation);
        if (!MerkleProof.Includes(index, size, record.Hash, tree.Root, path) || (size == record.Version && !LeadsTo(path, record.PreviousRoot)))
            throw Violation.Of($"Version {record.Version} of {aggregate} is not in its tree of {size} versions with root {tree.Root}.");
        if (!Checkpoint.TryParse(note.Text, out var checkpoint))
            throw Violation.Of("The newest checkpoint cannot be read.");
        var logPath = new LogNodes(reader.View, new TreePoint(checkpoint.Size, checkpoint.Root), _database.Tiles).Path(ProofPath.Inclusion(record.Position - 1, checkpoint.Size));
        if (!MerkleProof.Includes(record.Position - 1, checkpoint.Size, record.Hash, checkpoint.Root, logPath))
            throw Violation.Of($"Version {record.Version} of {aggregate} (position {record.Position}) is not in the log as it was signed with {checkpoint.Size} entries.");
        return new(record, record.PreviousRoot, tree, path, logPath, note);
    }

    /// <summary>Siblings of the last leaf, folded, are the tree before it.</summary>
    static bool LeadsTo(Hash32[] path, in Hash32 previousRoot)
    {
        if (path.Length == 0)
            return previousRoot == Hash32.Empty;
        var root = path[0];
        foreach (ref readonly var node in path.AsSpan(1))
            root = MerkleNode.Join(node, root);
        return root == previousRoot;
    }

    /// <summary>That an aggregate at one version is the beginning of the same at another.</summary>
    /// <param name="aggregate">Which; archived or not. Roots show no content, so hidden fields are no matter.</param>
    /// <param name="from">At least 1.</param>
    /// <param name="to">At least <paramref name="from"/>; null: its newest version.</param>
    /// <param name="cancellation">Ends long walks.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.NotFound"/>; or <see cref="RefusalCode.InvalidArgument"/>: it has no such versions.</exception>
    public async Task<AggregateConsistency> ProveAggregateAsync(AggregateKey aggregate, ulong from, ulong? to, CancellationToken cancellation)
    {
        Demand(AccessAction.AggregateRead, aggregate);
        DemandSight(aggregate);
        ulong until;
        using (var reader = _database.OpenReader())
        {
            var newest = (reader.FindHead(aggregate) ?? throw NotFound(aggregate)).Head.Version;
            until = to ?? newest;
            if (from == 0 || from > until || until > newest)
                throw new RefusedException(RefusalCode.InvalidArgument, $"There is no proof from version {from} to version {until} of {aggregate}: it is at version {newest}, and nothing follows from version 0.");
        }

        return await TakeTurnAsync(until, () => ProveAggregate(aggregate, from, until, cancellation), cancellation).ConfigureAwait(false);
    }

    AggregateConsistency ProveAggregate(AggregateKey aggregate, ulong from, ulong to, CancellationToken cancellation)
    {
        using var reader = _database.OpenReader();
        var (first, second) = (new TreePoint(from, reader.RootOf(aggregate, from)), new TreePoint(to, reader.RootOf(aggregate, to)));
        var path = AggregateNodes.Path(reader.View, aggregate, ProofPath.Consistency(from, to), cancellation);
        return MerkleProof.Extends(from, to, first.Root, second.Root, path)
            ? new(aggregate, first, second, path)
            : throw Violation.Of($"Version {to} of {aggregate} with root {second.Root} does not continue version {from} with root {first.Root}.");
    }

    /// <summary>A short walk at once; a long one when it is its turn, and on a thread of its own.</summary>
    static async Task<T> TakeTurnAsync<T>(ulong versions, Func<T> prove, CancellationToken cancellation)
    {
        if (versions <= Limits.ProofVersionsAtOnce)
            return prove();
        await FullVerifies.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            return await Task.Run(prove, CancellationToken.None).ConfigureAwait(false);
        }
        finally
        {
            FullVerifies.Release();
        }
    }

    /// <summary>A proof opens the whole event: who is not shown all of it gets none.</summary>
    void DemandWhole(AggregateKey aggregate)
    {
        Demand(AccessAction.AggregateRead, aggregate);
        DemandSight(aggregate);
        if (!Sight.ShowsAllOf(aggregate))
            throw Transfer.AggregateEvidence.HidesFields(aggregate);
    }

    static RefusedException NoVersion(StoreReader reader, AggregateKey aggregate, ulong version) => new(RefusalCode.NotFound, reader.FindHead(aggregate) is { } found
        ? $"{aggregate} has no version {version}; it is at version {found.Head.Version}."
        : $"There is no aggregate {aggregate}.");
}
