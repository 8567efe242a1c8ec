namespace EventDbx.Commit;

/// <summary>Event ids: what is known under one, before anything else about an append is looked at.</summary>
internal sealed partial class GroupPlanner
{
    /// <summary>Events looked at for one with an id of the store's own: more than are committed while an append waits.</summary>
    const ulong MadeIdsLookedAt = 4096;

    /// <summary>Knows the ids that the store makes itself; null where none is asked for.</summary>
    public StoreMadeIds? MadeIds { get; set; }

    /// <summary>The original of a repeated event id, a conflict, or null when the id is new.</summary>
    Outcome? FindKnown(AppendOperation append, IStorageView view)
    {
        if (append.Fingerprint is null)
            return null;
        var inGroup = _idsOfGroup.TryGetValue((append.Aggregate, append.EventId), out var known);
        var id = known.Row;
        if (!inGroup && !TryFindId(append, view, out id))
            return append.Mirrored ? null : append.Import is { } import ? import.Version is { } version ? FindImported(append, version, view) : null : FindMade(append, view);
        if (append.Import is { Version: { } recorded } && recorded != id.Version)
        {
            return Refuse(RefusalCode.IdempotencyConflict,
                $"The record is version {recorded} of {append.Aggregate}, but its event id {append.EventId} is known there as version {id.Version}; an id names one event.");
        }

        if (append.KnownToItsActorOnly && (inGroup ? known.Actor : FindActor(append.Aggregate, id.Version, view)) != append.Actor)
            return TakenByAnother(append);

        if (id.Fingerprint == append.StoredFingerprint(CipherOf(append, view)))
            return new() { KnownVersion = id.Version };
        // A record of an event that a patch asked for brings the payload the patch led to.
        return (append.Import is null ? null : FindImported(append, id.Version, view)) ?? IdConflict(append, id.Version);
    }

    /// <summary>The cipher of an aggregate that exists: what the caller sealed with may be a candidate that lost.</summary>
    AggregateCipher? CipherOf(AppendOperation append, IStorageView view)
    {
        if (append.Cipher is null)
            return null;
        var entry = Load(append.Aggregate, view);
        return entry.Archived
            ? keyring.Open(append.Aggregate, ArchiveRow.ReadHead(append.Aggregate, Checked.Get(view, Family.Archive, append.Aggregate.Row)!.Value).WrappedKey)
            : entry.Cipher;
    }

    static Outcome TakenByAnother(AppendOperation append) => Refuse(RefusalCode.IdempotencyConflict,
        $"Event id {append.EventId} is taken in {append.Aggregate}, by an event of another sender with what is hidden from this token. Choose a new id.");

    /// <summary>
    /// An id that this store has made for an event that came without one: there is no row of it, and the event is looked for near the id's
    /// time. It is at or after it, as the clock of the writer is read later.
    /// </summary>
    Outcome? FindMade(AppendOperation append, IStorageView view)
    {
        if (append.Recorded is not null || MadeIds?.Made(append.Aggregate, append.EventId) != true)
            return null;
        if (FindMadeVersion(append, view) is { } original)
            return append.KnownToItsActorOnly && original.Actor != append.Actor ? TakenByAnother(append) : Compare(append, original);
        return Refuse(RefusalCode.IdempotencyConflict,
            $"Event id {append.EventId} has the form of those that this store makes itself, and none of the events of {append.Aggregate} about its time has it. Choose another id.");
    }

    EventRecord? FindMadeVersion(AppendOperation append, IStorageView view)
    {
        // Not disposed: the view is the engine's.
        var reader = new StoreReader(view, keyring);
        var from = reader.VersionAt(append.Aggregate, StoreMadeIds.TimeOf(append.EventId).Ticks100ns - 1) + 1;
        for (var end = from + MadeIdsLookedAt; from < end;)
        {
            var records = reader.Events(append.Aggregate, from, (int)(end - from), Limits.PageBytesMax);
            if (records.Count == 0)
                return null;
            if (records.Find(record => record.EventId == append.EventId) is { } original)
                return original;
            from += (ulong)records.Count;
        }

        return null;
    }

    static Outcome Compare(AppendOperation append, EventRecord original)
    {
        var fingerprint = RequestFingerprint.Of(RequestFingerprint.Payload, Encoding.UTF8.GetBytes(original.EventType), original.Payload.Span, original.Note);
        return fingerprint == append.Fingerprint ? new() { KnownVersion = original.Version } : IdConflict(append, original.Version);
    }

    // Not disposed: the view is the engine's.
    Actor? FindActor(AggregateKey aggregate, ulong version, IStorageView view) =>
        (new StoreReader(view, keyring).FindEvent(aggregate, version) ?? throw Violation.Of($"Version {version} of {aggregate} is known by its id and missing from the index.")).Actor;

    static Outcome IdConflict(AppendOperation append, ulong version) => Refuse(RefusalCode.IdempotencyConflict,
        $"Event id {append.EventId} is known in {append.Aggregate} as version {version}, with another event type, payload, patch or note. "
        + "Send the same request again to get the original, or choose a new id.");

    static bool TryFindId(AppendOperation append, IStorageView view, out IdRow id)
    {
        Span<byte> key = stackalloc byte[Keyspace.KeyBytesMax];
        key = key[..Keyspace.WriteEventId(key, append.Aggregate, append.EventId)];
        id = default;
        if (Checked.Get(view, Family.Ids, key) is not { } body)
            return false;
        return IdRow.TryRead(body, out id) ? true : throw Violation.OfRow(Family.Ids, key, "it cannot be read");
    }

    /// <summary>A record that comes home to the store that made its id: found by its version, and then it must be the same.</summary>
    Outcome? FindImported(AppendOperation append, ulong version, IStorageView view)
    {
        // Not disposed: the view is the engine's.
        if (new StoreReader(view, keyring).FindEvent(append.Aggregate, version) is not { } original || original.EventId != append.EventId)
            return null;
        return Compare(append, original);
    }
}
