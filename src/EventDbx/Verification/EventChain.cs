namespace EventDbx.Verification;

/// <summary>The history of one aggregate as it is computed again, event by event: tree, times, positions, state.</summary>
/// <param name="aggregate">Whose.</param>
/// <param name="cipher">Of its key; null in a store without encryption.</param>
/// <param name="opens">
/// False where the store is encrypted and its key is not at hand: payloads stay closed, leaf hashes are believed as the index has
/// them, and there is no state. That the index has the leaves that were committed, the log tree shows.
/// </param>
internal sealed class EventChain(AggregateKey aggregate, AggregateCipher? cipher, bool opens)
{
    readonly MerkleTree _tree = new();

    public AggregateKey Aggregate => aggregate;

    public ulong Version => _tree.Size;

    public Hash32 Root { get; private set; } = Hash32.Empty;

    public MerkleTree Tree => _tree;

    public StateFold State { get; } = new(StateText.Empty);

    /// <summary>Version 1 and its position.</summary>
    public (ulong Position, EntryRow Entry)? First { get; private set; }

    public ulong LastPosition { get; private set; }

    public long LastTime { get; private set; } = long.MinValue;

    /// <summary>Events whose id a client chose.</summary>
    public ulong ClientIds { get; private set; }

    /// <summary>Takes the next row of the index, or says what is wrong with it.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public void Add(in IndexedEntry row)
    {
        var version = Version + 1;
        var (index, entry) = Open(row, version);
        if (entry.CreatedAt != index.CreatedAt)
            throw Bad(version, index, $"was made at {new Timestamp(entry.CreatedAt)}, but the index says {new Timestamp(index.CreatedAt)}");
        if (entry.CreatedAt < LastTime)
            throw Bad(version, index, $"is of {new Timestamp(entry.CreatedAt)}, before its predecessor at {new Timestamp(LastTime)}");
        if (index.Position <= LastPosition)
            throw Bad(version, index, $"stands before its predecessor at position {LastPosition}");
        if (entry.PreviousRoot != Root)
            throw Bad(version, index, $"was appended to root {entry.PreviousRoot}, but versions 1 to {version - 1} have {Root}");
        if (version > 1 && !entry.WrappedKey.IsEmpty)
            throw Bad(version, index, "brings a key, which only the first entry of an aggregate does");
        if (entry.SchemaRevision >= index.Position)
            throw Bad(version, index, $"names the schema of position {entry.SchemaRevision}, which comes after it");

        ReadOnlyMemory<byte> payload = default;
        if (opens)
            payload = OpenBody(version, index, entry);
        else if (!SealedValue.HasForm(entry.Body.Span))
            throw Bad(version, index, "has a payload that is not sealed, in a store that seals every one");
        _tree.Append(index.Leaf);
        Root = _tree.Root();
        if (entry.Root != Root)
            throw Bad(version, index, $"has root {entry.Root}, but versions 1 to {version} have {Root}");
        CheckId(row, index, entry, version, payload.Span);
        if (opens)
            Apply(version, index, payload);
        First ??= (index.Position, entry);
        (LastPosition, LastTime) = (index.Position, entry.CreatedAt);
    }

    ReadOnlyMemory<byte> OpenBody(ulong version, in IndexRow index, EntryRow entry)
    {
        if (!EventBody.TryOpen(cipher, entry, out var salt, out var payload))
            throw Bad(version, index, "has a payload that does not open: it was changed, or belongs elsewhere");
        return entry.Leaf(salt.Span, payload.Span) is var leaf && leaf == index.Leaf
            ? payload
            : throw Bad(version, index, $"hashes to {leaf}, but {index.Leaf} was committed");
    }

    void Apply(ulong version, in IndexRow index, ReadOnlyMemory<byte> payload)
    {
        try
        {
            State.Apply(payload.Span);
        }
        catch (RefusedException refused)
        {
            throw Bad(version, index, $"has no payload of ours: {refused.Message}");
        }
    }

    (IndexRow Index, EntryRow Entry) Open(in IndexedEntry row, ulong version)
    {
        if (!Keyspace.TryReadVersioned(row.Key, out var name, out var found) || !name.SequenceEqual(aggregate.Row))
            throw Violation.OfRow(Family.Index, row.Key, "its key is not one of the index");
        if (found != version)
            throw Violation.Of($"Version {version} of {aggregate} is missing from the index; version {found} follows.");
        if (row.Index is not { } index)
            throw Violation.OfRow(Family.Index, row.Key, "its checksum does not match, or it cannot be read");
        if (row.Value is null)
            throw Bad(version, index, "is missing from the log");
        if (row.Entry is not { } entry)
            throw Bad(version, index, "cannot be read: its checksum does not match, or it is no entry");
        return !entry.IsControl && entry.Version == version && entry.Aggregate!.Equals(aggregate)
            ? (index, entry)
            : throw Bad(version, index, "is not there: the log has another entry at that position");
    }

    void CheckId(in IndexedEntry row, in IndexRow index, EntryRow entry, ulong version, ReadOnlySpan<byte> payload)
    {
        if (row.IdKey is null)
            return;
        ClientIds++;
        if (row.IdValue is null)
            throw Bad(version, index, $"has an event id chosen by its client, {entry.EventId}, that is missing from family `ids`");
        if (!Checked.TryBody(Family.Ids, row.IdKey, row.IdValue, out var body) || !IdRow.TryRead(body, out var id))
            throw Bad(version, index, $"has event id {entry.EventId}, whose row in family `ids` was changed: its checksum does not match, or it cannot be read");
        if (id.Version != version)
            throw Bad(version, index, $"has event id {entry.EventId}, but family `ids` says that this is version {id.Version}");
        var known = opens || (entry.Flags & EntryRow.RowFlags.Patch) != 0;
        if (known && entry.StoredFingerprintOf(payload, cipher) != id.Fingerprint)
            throw Bad(version, index, $"has event id {entry.EventId}, whose fingerprint in family `ids` is of another request");
    }

    RefusedException Bad(ulong version, in IndexRow index, string what) =>
        Violation.Of($"Version {version} of {aggregate} (position {index.Position}) {what}.");
}
