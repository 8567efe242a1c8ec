using EventDbx.Checkpoints;
using EventDbx.Mirroring;
using EventDbx.Recovery;

namespace EventDbx.Verification;

/// <summary>Holds every checkpoint that is kept against the log, as its tree grows: size, root, origin, epoch, signature.</summary>
/// <remarks>
/// Each one is signed with the log's key, under the one origin of its epoch. Of this epoch it is a prefix of the log. Of an older one
/// too, as far as the loss that ended the epoch has kept what was there: beyond, or where history was changed, it speaks of entries
/// that were lost, and is counted apart. One row an epoch is in memory. Epochs begin where the log says so, and the last one is that of the store.
/// </remarks>
internal sealed class CheckpointVerifier
{
    readonly VerifySource _source;
    readonly List<(uint Epoch, RowCursor Rows)> _epochs = [];
    readonly Dictionary<uint, ulong> _differs = [];
    readonly List<(ulong Position, EpochStart Start)> _starts = [];
    readonly Dictionary<uint, Checkpoint> _newest = [];
    readonly Dictionary<uint, string> _origins = [];
    readonly ICheckpointSigner? _signer;

    /// <summary>What a mirror's leader signed: it is handed out, so it has to be true.</summary>
    readonly Checkpoint? _ofLeader;
    ulong _next = ulong.MaxValue;

    public CheckpointVerifier(IStorageView view, VerifySource source)
    {
        _source = source;
        var from = new byte[] { 0, 0 };
        while (view.Range(Family.Checkpoints, from, [], 1, int.MaxValue) is [var row])
        {
            if (!Keyspace.TryReadCheckpoint(row.Key, out var epoch, out _) || epoch == 0 || epoch > source.Identity.Epoch)
                throw Violation.OfRow(Family.Checkpoints, row.Key, $"its key is not one of a checkpoint of epoch 1 to {source.Identity.Epoch}");
            from = Keyspace.Checkpoint(epoch + 1, 0);
            _epochs.Add((epoch, new(view, Family.Checkpoints, Keyspace.Checkpoint(epoch, 0), from)));
        }

        _signer = _epochs.Count > 0 ? FindSigner(source) : null;
        if (StoreRow.Find(view) is { } store && MirrorRow.Find(view, store) is { Note: { } note, Checkpoint: { } signed } mirror)
        {
            _ofLeader = signed;
            if (source.NoteVerifier?.Invoke(mirror.CheckpointKey, note) == false)
                throw Violation.OfRow(Family.Meta, Keyspace.MirrorRow, $"its checkpoint of {signed.Size} entries is not signed with the key that stands there");
        }

        SeekNext();
    }

    /// <summary>Those that are prefixes of the log.</summary>
    public ulong Count { get; private set; }

    /// <summary>Those of earlier epochs that are none: they speak of entries that were lost.</summary>
    public ulong OfLostEntries { get; private set; }

    /// <summary>Whether they were held against the key.</summary>
    public bool SignaturesChecked => _signer is not null;

    /// <summary>Of this epoch.</summary>
    public Checkpoint? Newest => _newest.GetValueOrDefault(_source.Identity.Epoch);

    /// <summary>Takes the next control entry in log order.</summary>
    /// <param name="position">Its place.</param>
    /// <param name="entry">The entry.</param>
    /// <param name="before">The tree of all entries before it.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public void Note(ulong position, EntryRow entry, MerkleTree before)
    {
        if (!EpochStart.IsKind(entry.Type))
            return;
        var start = EpochStart.TryRead(entry) ?? throw Violation.Of($"The control entry `{entry.Type}` at position {position} cannot be read.");
        if (start.Root is { } root && (start.Kept != position - 1 || root != before.Root() || start.Epoch <= EpochSoFar))
        {
            throw Violation.Of(
                $"The control entry `{entry.Type}` at position {position} begins epoch {start.Epoch} behind {start.Kept} entries with root {root}; there are {before.Size} with root {before.Root()}, of epoch {EpochSoFar}.");
        }

        _starts.Add((position, start));
    }

    uint EpochSoFar => _starts is [.., var (_, last)] ? last.Epoch : 1;

    /// <summary>The tree has grown by one entry.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public void At(MerkleTree tree)
    {
        if (tree.Size < _next)
            return;
        var root = tree.Root();
        if (_ofLeader is { } signed && signed.Size == tree.Size && signed.Root != root)
            throw Violation.Of($"The first {tree.Size} entries have root {root}, but the leader has signed that they have {signed.Root}: history was changed, or the row `mirror`.");
        foreach (var (epoch, rows) in _epochs)
        {
            while (rows.Peek() is { } row && SizeOf(row) <= tree.Size)
            {
                var checkpoint = Take(epoch, rows, row);
                if (checkpoint.Root == root)
                {
                    Count++;
                    continue;
                }

                if (epoch == _source.Identity.Epoch)
                    throw Violation.Of($"The first {tree.Size} entries have root {root}, but a checkpoint was signed that says {checkpoint.Root}: history was changed.");
                _differs.TryAdd(epoch, checkpoint.Size);
                OfLostEntries++;
            }
        }

        SeekNext(tree.Size);
    }

    /// <summary>The log has ended.</summary>
    /// <param name="size">Its entries.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public void End(ulong size)
    {
        if (_ofLeader?.Size > size)
            throw Violation.Of($"The leader has signed a checkpoint of {_ofLeader.Size} entries, which stands in the row `mirror`, but the log has {size}.");
        foreach (var (epoch, rows) in _epochs)
        {
            for (var first = true; rows.Peek() is { } row; first = false)
            {
                var checkpoint = Take(epoch, rows, row);
                if (epoch == _source.Identity.Epoch)
                    throw Violation.Of($"A checkpoint of {checkpoint.Size} entries was signed, but the log has {size}: entries {size + 1} to {checkpoint.Size} are missing.");
                OfLostEntries++;
                if (first)
                    _differs.TryAdd(epoch, checkpoint.Size);
            }

            if (epoch < _source.Identity.Epoch)
                CheckEnded(epoch);
        }

        if (EpochSoFar != _source.Identity.Epoch)
            throw Violation.OfRow(Family.Meta, Keyspace.StoreRow, $"it is in epoch {_source.Identity.Epoch}, and the log in {EpochSoFar}");
        CheckNamed();
    }

    /// <summary>Where an older epoch differs from the log, a loss was accepted that says why.</summary>
    void CheckEnded(uint epoch)
    {
        var ends = _starts.FindAll(of => of.Start.Epoch > epoch);
        if (ends.Count == 0)
            throw Violation.Of($"There are checkpoints of epoch {epoch}, but nothing in the log has ended it.");
        if (_differs.TryGetValue(epoch, out var size) && !ends.Exists(of => of.Start is { Kind: AcceptedLoss.Kind } loss && (loss.HistoryChanged || loss.Kept < size)))
            throw Violation.Of($"The checkpoint of {size} entries of epoch {epoch} is no prefix of the log, and the loss that ended the epoch had kept them.");
    }

    /// <summary>The loss that began this epoch has named the newest checkpoint before it.</summary>
    void CheckNamed()
    {
        // A promotion names what the leader signed, which is kept there.
        if (_starts is not [.., (var position, { Kind: AcceptedLoss.Kind } loss)])
            return;
        Checkpoint? newest = null;
        foreach (var (epoch, _) in _epochs)
        {
            if (epoch < _source.Identity.Epoch)
                newest = _newest[epoch];
        }

        var named = loss.Checkpoint;
        if ((newest?.Origin, newest?.Size, newest?.Root.ToString()) != (named?.Origin, named?.Size, named?.Root))
        {
            throw Violation.Of(
                $"The loss accepted at position {position} names {(named is null ? "no checkpoint" : $"the checkpoint of {named.Size} entries of {named.Origin}")} "
                + $"as the newest before it; the newest that is kept is {(newest is null ? "none" : $"of {newest.Size} entries of {newest.Origin}")}.");
        }
    }

    Checkpoint Take(uint epoch, RowCursor rows, in Row row)
    {
        var kept = CheckpointRow.TryRead(row.Key, Checked.Body(Family.Checkpoints, row.Key, row.Value)) ?? throw Violation.OfRow(Family.Checkpoints, row.Key, "it cannot be read");
        var checkpoint = kept.Checkpoint;
        if (kept.Size == 0)
            throw Violation.OfRow(Family.Checkpoints, row.Key, "nobody signs an empty log");
        if (Checkpoint.EpochIn(checkpoint.Origin) != epoch)
            throw Violation.OfRow(Family.Checkpoints, row.Key, $"it is of {checkpoint.Origin}, and stands among those of epoch {epoch}");
        if (_signer?.Verifies(checkpoint.Origin, kept.Note) == false)
            throw Violation.OfRow(Family.Checkpoints, row.Key, $"the checkpoint of {checkpoint.Size} entries is not signed with the log's key");
        if (!_origins.TryAdd(epoch, checkpoint.Origin) && _origins[epoch] != checkpoint.Origin)
            throw Violation.OfRow(Family.Checkpoints, row.Key, $"it is of {checkpoint.Origin}, and those before it of {_origins[epoch]}: within an epoch a log keeps its name");
        _newest[epoch] = checkpoint;
        rows.Take();
        return checkpoint;
    }

    void SeekNext(ulong beyond = 0)
    {
        _next = _ofLeader is { } signed && signed.Size > beyond ? signed.Size : ulong.MaxValue;
        foreach (var (_, rows) in _epochs)
        {
            if (rows.Peek() is { } row)
                _next = Math.Min(_next, SizeOf(row));
        }
    }

    static ulong SizeOf(in Row row) => Keyspace.TryReadCheckpoint(row.Key, out _, out var size)
        ? size
        : throw Violation.OfRow(Family.Checkpoints, row.Key, "its key is not one of a checkpoint");

    static ICheckpointSigner? FindSigner(VerifySource source)
    {
        try
        {
            return source.Signer?.Invoke();
        }
        catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.Unavailable)
        {
            return null;
        }
    }
}
