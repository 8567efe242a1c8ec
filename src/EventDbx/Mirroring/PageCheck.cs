using EventDbx.Checkpoints;
using EventDbx.Schemas;

namespace EventDbx.Mirroring;

/// <summary>Holds a page of a leader's log against this store, entry by entry, before anything of it is written; and makes the commits that write it.</summary>
/// <remarks>
/// Everything that the writer would find is found here, so that a page is written whole or not at all:
/// <code>
/// the bytes      a row that reads; bodies that open under their aggregate's key, which is the one that this store has
/// the chain      version, previous root, root and time of each event; lifecycle; the schema in force; batches whole
/// the log        the leaf of each entry, computed from what it says; with all before it, the root that the page names
/// the checkpoint the root of this log at its size, the key of its epoch
/// </code>
/// What no hash binds (whether an id was chosen by the client, the fingerprint of a patch, where a batch ends) is taken on the word of the session, as whoever
/// holds its key could have written any history. Source: docs/replication.md, "What a mirror does".
/// </remarks>
internal sealed class PageCheck
{
    readonly Database _database;
    readonly IStorageView _view;
    readonly LogPage _page;
    readonly MirrorRow _mirror;
    readonly Dictionary<AggregateKey, AggregateTrace> _aggregates = [];
    readonly HashSet<(AggregateKey, Guid)> _ids = [];
    readonly List<Operation> _batch = [];
    readonly MerkleTree _log;
    readonly TreePoint _own;
    readonly Checkpoint? _checkpoint;
    readonly SignedNote? _note;
    SchemaSet _schemas;
    uint _epoch;
    (ushort Index, ushort Count) _place;
    Hash32? _checkpointRoot;

    PageCheck(Database database, IStorageView view, LogPage page, Standing standing)
    {
        (_database, _view, _page, _mirror, _epoch, _schemas) = (database, view, page, standing.Mirror!, standing.Identity.Epoch, database.Schemas);
        _log = LogTreeStore.LoadFrontier(view);
        _own = new(_log.Size, _log.Root());
        if (database.NoteVerifier is not null && !page.Checkpoint.IsEmpty && !MirrorRow.TryReadCheckpoint(page.Checkpoint.Span, out _note, out _checkpoint))
            throw Forged("the checkpoint of the page is none");
    }

    /// <summary>One a batch, or an entry outside a batch; empty where all of the page is there already.</summary>
    public List<PendingCommit> Units { get; } = [];

    /// <summary>Entries in them.</summary>
    public int Entries { get; private set; }

    /// <summary>Whether one of them changes a schema.</summary>
    public bool ChangesSchemas { get; private set; }

    /// <summary>What the mirror knows of its leader after it; null where nothing is new.</summary>
    public MirrorRow? Known { get; private set; }

    /// <summary>Checks a page. Nothing is written.</summary>
    /// <exception cref="RefusedException">See <see cref="IMirror.ApplyAsync"/>.</exception>
    public static PageCheck Run(Database database, LogPage page, Standing standing, CancellationToken cancellation)
    {
        using var view = database.Engine.OpenView();
        var check = new PageCheck(database, view, page, standing);
        check.Run(cancellation);
        return check;
    }

    ulong PageEnd => _page.After + (ulong)_page.Entries.Count;

    void Run(CancellationToken cancellation)
    {
        CheckPlace();
        for (var i = PageEnd <= _own.Size ? _page.Entries.Count : (int)(_own.Size - _page.After); i < _page.Entries.Count; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            Take(_page.Entries[i], _page.After + (ulong)i + 1);
        }

        if (_place.Index < _place.Count)
            throw Forged($"the page ends in a batch of {_place.Count} entries, after {_place.Index} of them");
        var root = PageEnd < _own.Size ? RootAt(PageEnd) : _log.Root();
        if (root != _page.Root)
        {
            throw PageEnd <= _own.Size
                ? Diverged(PageEnd, root, _page.Root)
                : Forged($"entries {_page.After + 1} to {PageEnd} lead to the root {root}, and the page names {_page.Root}: one of them was changed on its way, is missing, or out of its order");
        }

        CheckEnd();
        Known = CheckCheckpoint() ?? (_page.End.Epoch > _mirror.LeaderEpoch ? _mirror with { LeaderEpoch = _page.End.Epoch } : null);
    }

    /// <summary>Of this database, without a gap, behind what is here.</summary>
    void CheckPlace()
    {
        var (id, end) = (_database.DatabaseId, _page.End);
        if (end.DatabaseId != id)
            throw new RefusedException(RefusalCode.InvalidArgument, $"The page is of database {end.DatabaseId}; this store is a mirror of {id}.");
        if (end.Encrypted && !_database.Encrypted)
            throw new RefusedException(RefusalCode.InvalidArgument, "The leader's store is encrypted, and this one is plain: what is sealed there would be in clear here.");
        if (end.Epoch > Limits.MirrorEpochMax)
            throw Forged($"the leader is said to be in epoch {end.Epoch}; there are {Limits.MirrorEpochMax} at most");
        if (end.Epoch < _epoch)
            throw new RefusedException(RefusalCode.Diverged, $"The leader is in epoch {end.Epoch}, and this mirror in {_epoch}: the leader does not have what this mirror has.");
        if (_page.After > _own.Size)
            throw new RefusedException(RefusalCode.InvalidArgument, $"The page begins behind position {_page.After}, and the log ends at {_own.Size}: entries {_own.Size + 1} to {_page.After} are missing between them.");
        if (PageEnd > end.Size)
            throw Forged($"the page ends at position {PageEnd}, and the log that it is of at {end.Size}");
        if (RootAt(_page.After) is var before && before != _page.RootBefore)
            throw Diverged(_page.After, before, _page.RootBefore);
    }

    Hash32 RootAt(ulong size) => size == _own.Size ? _own.Root : size == 0 ? Hash32.Empty : new LogNodes(_view, _own, _database.Tiles).RootAt(size);

    void CheckEnd()
    {
        if (PageEnd < _page.End.Size || PageEnd < _own.Size)
            return;
        if (_page.End.Root != _page.Root)
            throw Forged($"the page reaches the end of its log with the root {_page.Root}, and that end is said to have {_page.End.Root}");
        if (_page.End.Epoch != _epoch)
            throw Forged($"the leader is said to be in epoch {_page.End.Epoch}, and its log enters none behind {_epoch}");
    }

    void Take(in LogEntryRow sent, ulong position)
    {
        var entry = EntryRow.TryRead(sent.Row) ?? throw Forged(position, "it cannot be read");
        if (!entry.WrappedKey.IsEmpty)
            throw Forged(position, "it brings a wrapped key, which opens in one store alone");
        if (EntryMembers.ProblemOf(entry) is { } problem)
            throw Forged(position, problem);
        TakePlace(entry, position);
        var (operation, leaf) = entry.IsControl ? TakeControl(entry, sent.AggregateKey, position) : TakeEvent(entry, sent.AggregateKey, position);
        _log.Append(leaf);
        if (_checkpoint?.Size == _log.Size)
            _checkpointRoot = _log.Root();
        Entries++;
        _batch.Add(operation);
        if (_place.Index < _place.Count)
            return;
        Units.Add(new([.. _batch]) { At = position - (ulong)_batch.Count + 1 });
        _batch.Clear();
    }

    void TakePlace(EntryRow entry, ulong position)
    {
        var (index, count) = (entry.BatchIndex, entry.BatchCount);
        if (_place.Index < _place.Count ? count != _place.Count || index != _place.Index + 1 : index > 1)
            throw Forged(position, $"it is number {index} of a batch of {count}, and follows number {_place.Index} of {_place.Count}");
        _place = (index, count);
    }

    (Operation Operation, Hash32 Leaf) TakeEvent(EntryRow entry, ReadOnlyMemory<byte> key, ulong position)
    {
        var trace = Trace(entry.Aggregate!);
        OpenKey(trace, entry.Aggregate!, key, position, begins: !trace.Exists);
        if (!EventBody.TryOpen(_page.End.Encrypted ? trace.Cipher : null, entry, out var salt, out var text))
            throw Forged(position, "its payload does not open");
        if (!JsonPayload.TryParse(text.Span, out var payload, out _) || !payload.Text.Span.SequenceEqual(text.Span))
            throw Forged(position, "its payload is none that a store keeps");
        var leaf = entry.Leaf(salt.Span, text.Span);
        if (trace.Append(entry, leaf) is { } why)
            throw Forged(position, why);
        if ((entry.Flags & EntryRow.RowFlags.ClientId) != 0 && (!_ids.Add((entry.Aggregate!, entry.EventId)) || IsKnown(entry.Aggregate!, entry.EventId)))
            throw Forged(position, $"its event id {entry.EventId} is that of an event before it");
        _schemas.Find(entry.Aggregate!.Type, out var revision);
        if (entry.SchemaRevision != 0 && entry.SchemaRevision != revision)
            throw Forged(position, $"it is said to satisfy the schema of position {entry.SchemaRevision}, and the one in force is of {revision}");
        return (RecordedOperations.Event(AsKept(entry, trace.Cipher, salt, text), trace.Cipher, salt, payload, mirrored: leaf), leaf);
    }

    bool IsKnown(AggregateKey aggregate, Guid id)
    {
        Span<byte> key = stackalloc byte[Keyspace.KeyBytesMax];
        return _view.Get(Family.Ids, key[..Keyspace.WriteEventId(key, aggregate, id)]) is not null;
    }

    /// <summary>The leader's row as this store keeps it: as it is, or, where the leader's is plain and this one encrypted, sealed here.</summary>
    EntryRow AsKept(EntryRow entry, AggregateCipher? cipher, ReadOnlyMemory<byte> salt, ReadOnlyMemory<byte> text) => _page.End.Encrypted || cipher is null
        ? entry
        : entry.With(
            default, EventBody.Seal(cipher, entry.EventId, salt.Span, text.Span, _database.Nonces),
            (entry.Flags & EntryRow.RowFlags.Patch) != 0 ? cipher.HideFingerprint(entry.PatchFingerprint) : default);

    (Operation Operation, Hash32 Leaf) TakeControl(EntryRow entry, ReadOnlyMemory<byte> key, ulong position)
    {
        if (entry.BatchCount > 0)
            throw Forged(position, "it is a control entry in a batch");
        AggregateCipher? cipher = null;
        if (LifecycleNames.IsOfAggregate(entry.Type))
        {
            var aggregate = LifecycleNames.Aggregate(entry.Subject) ?? throw Forged(position, $"`{entry.Type}` names no aggregate");
            var trace = Trace(aggregate);
            if (trace.Change(entry) is { } why)
                throw Forged(position, $"`{entry.Type}` of {aggregate}, which {why}");
            if (entry.Type == LifecycleNames.Create)
            {
                OpenKey(trace, aggregate, key, position, begins: true);
                cipher = trace.Cipher;
            }
            else if (!key.IsEmpty)
            {
                throw Forged(position, $"`{entry.Type}` brings a key");
            }
        }
        else if (!key.IsEmpty)
        {
            throw Forged(position, $"`{entry.Type}` brings a key");
        }

        if (EpochStart.IsKind(entry.Type))
            TakeEpoch(entry, position);
        var operation = RecordedOperations.Control(cipher is null ? entry : entry.WithKey(cipher.Wrapped), cipher, mirrored: true, out var problem) ?? throw Forged(position, problem!);
        if (operation is SchemaOperation schema)
            TakeSchema(schema, position);
        return (operation, entry.Leaf(default, default));
    }

    void TakeEpoch(EntryRow entry, ulong position)
    {
        var start = EpochStart.TryRead(entry) ?? throw Forged(position, $"`{entry.Type}` cannot be read");
        if (start.Epoch <= _epoch || start.Epoch > Limits.MirrorEpochMax || start.Kept != position - 1 || (start.Root is { } root && root != _log.Root()))
            throw Forged(position, $"it begins epoch {start.Epoch} behind {start.Kept} entries, where epoch {_epoch} has {position - 1}");
        _epoch = start.Epoch;
    }

    void TakeSchema(SchemaOperation schema, ulong position)
    {
        try
        {
            _schemas = _schemas.With(schema.Type, schema.Schema, position);
            ChangesSchemas = true;
        }
        catch (RefusedException refused)
        {
            throw Forged(position, $"its schema is none: {refused.Message}");
        }
    }

    /// <summary>The key of an aggregate: for one that begins it comes with the page, or is made here where the leader's store is plain; otherwise it has to be the one that is here.</summary>
    void OpenKey(AggregateTrace trace, AggregateKey aggregate, ReadOnlyMemory<byte> key, ulong position, bool begins)
    {
        if (key.Length != 0 && (key.Length != SubKey.Bytes || !_page.End.Encrypted))
            throw Forged(position, _page.End.Encrypted ? "its key is none" : "it brings a key, and the leader's store is plain");
        if (_database.Keyring.Keys is not { } keys)
            return;
        if (!begins)
        {
            if (!key.IsEmpty && !trace.Cipher!.HasKey(key.Span))
                throw Forged(position, $"it brings another key than {aggregate} has here");
            return;
        }

        if (!_page.End.Encrypted)
            trace.Cipher = AggregateCipher.Create(aggregate, keys.Current, _database.Nonces);
        else if (!key.IsEmpty)
            trace.Cipher = AggregateCipher.Adopt(aggregate, key.Span, keys.Current, _database.Nonces);
        else
            throw Forged(position, $"it begins {aggregate} and brings no key");
    }

    AggregateTrace Trace(AggregateKey aggregate)
    {
        if (!_aggregates.TryGetValue(aggregate, out var trace))
            _aggregates.Add(aggregate, trace = AggregateTrace.Load(_view, aggregate, _database.Keyring));
        return trace;
    }

    /// <summary>What the mirror knows with the page's checkpoint; null where it is not newer.</summary>
    MirrorRow? CheckCheckpoint()
    {
        if (_checkpoint is not { } checkpoint || _database.NoteVerifier is not { } verify)
            return null;
        var epoch = Checkpoint.EpochIn(checkpoint.Origin);
        if (checkpoint.Size == 0 || checkpoint.Size > PageEnd)
            throw Forged($"its checkpoint is of {checkpoint.Size} entries, and the page ends at {PageEnd}");
        if (epoch > _epoch)
            throw Forged($"its checkpoint is of {checkpoint.Origin}, and the log is in epoch {_epoch} there");
        if (_mirror.Checkpoint is { } before)
        {
            if (checkpoint.Size < before.Size)
                return null;
            var epochBefore = Checkpoint.EpochIn(before.Origin);
            if (epoch < epochBefore || (epoch == epochBefore && checkpoint.Origin != before.Origin))
                throw Forged($"its checkpoint is of {checkpoint.Origin}, and the one before it of {before.Origin}");
            if (epoch == epochBefore && _page.CheckpointKey != _mirror.CheckpointKey)
                throw Forged($"its checkpoint is said to be signed with {_page.CheckpointKey}, and those of this epoch before it were with {_mirror.CheckpointKey}");
        }

        var root = _checkpointRoot ?? RootAt(checkpoint.Size);
        if (root != checkpoint.Root)
            throw Forged($"the leader has signed that its first {checkpoint.Size} entries have the root {checkpoint.Root}, and those that it sent have {root}");
        if (!verify(_page.CheckpointKey, _note!))
            throw Forged($"its checkpoint of {checkpoint.Size} entries is not signed with {(_page.CheckpointKey.Length == 0 ? "any key that is named" : _page.CheckpointKey)}");
        return _mirror.Checkpoint == checkpoint && _mirror.LeaderEpoch >= _page.End.Epoch ? null
            : _mirror with { LeaderEpoch = Math.Max(_mirror.LeaderEpoch, _page.End.Epoch), Checkpoint = checkpoint, Note = _note, CheckpointKey = _page.CheckpointKey };
    }

    static RefusedException Diverged(ulong size, in Hash32 own, in Hash32 theirs) => new(RefusalCode.Diverged,
        $"The histories have parted: the first {size} entries have the root {own} here, and {theirs} at the leader. Nothing was written. To follow it, begin with an empty store.");

    static RefusedException Forged(ulong position, string what) => Violation.Of($"Entry {position} of the leader's log is refused: {what}. Nothing of its page was written.");

    RefusedException Forged(string what) => Violation.Of($"The page behind position {_page.After} of the leader's log is refused: {what}. Nothing of it was written.");
}
