namespace EventDbx.Verification;

/// <summary>What the control entries of the log say about aggregates: made without an event, removed, archived, restored.</summary>
/// <remarks>
/// Kept for those aggregates alone that have such entries, some 100 bytes each, by a hash of their name: what most have, events,
/// needs no memory here. When they become too many, it keeps those of one share of all names, a half, a quarter …, and the
/// others are for another pass over the control entries and the heads (<see cref="LifecyclePasses"/>).
/// </remarks>
/// <param name="share">The names it is for.</param>
/// <param name="most">Aggregates that it keeps at once.</param>
/// <param name="leave">Told of each share that it leaves to another.</param>
internal sealed class LifecycleLedger(LifecycleLedger.Share share, int most, Action<LifecycleLedger.Share> leave)
{
    /// <summary>The names whose hash ends in given bits.</summary>
    /// <param name="Bits">How many bits count; 0: every name.</param>
    /// <param name="Value">What they are.</param>
    public readonly record struct Share(int Bits, uint Value)
    {
        public bool Has(UInt128 key) => ((uint)key & ((1u << Bits) - 1)) == Value;

        public (Share Kept, Share Left) Halved() => (new(Bits + 1, Value), new(Bits + 1, Value | (1u << Bits)));
    }

    /// <summary>2^24 passes are enough for anything; the hash has the bits.</summary>
    const int BitsMax = 24;

    /// <param name="Created">Position of the entry that made it; 0 when its first event did.</param>
    /// <param name="Archived">Position of the entry that archived it; 0 when it is active.</param>
    /// <param name="ArchivedAt">When.</param>
    readonly record struct Life(ulong Created, ulong Archived, long ArchivedAt);

    readonly Dictionary<UInt128, Life> _lives = [];
    Share _share = share;

    /// <summary>Aggregates that it remembers.</summary>
    public int Count => _lives.Count;

    ulong _createdSeen;
    ulong _archivedSeen;

    /// <summary>Takes the next control entry in log order.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>: it cannot follow from those before.</exception>
    public void Note(ulong position, EntryRow entry)
    {
        if (entry.Type is not (LifecycleNames.Create or LifecycleNames.Remove or LifecycleNames.Archive or LifecycleNames.Restore))
            return;
        var aggregate = LifecycleNames.Aggregate(entry.Subject)
            ?? throw Violation.Of($"The control entry `{entry.Type}` at position {position} names no aggregate: {entry.Subject}.");
        var key = KeyOf(aggregate);
        if (!_share.Has(key))
            return;
        var life = _lives.GetValueOrDefault(key);
        var follows = entry.Type switch
        {
            LifecycleNames.Create => life == default,
            LifecycleNames.Remove => life is { Created: > 0, Archived: 0 },
            LifecycleNames.Archive => life.Archived == 0,
            _ => life.Archived > 0,
        };
        if (!follows)
            throw Violation.Of($"The control entry `{entry.Type}` of {aggregate} at position {position} does not follow from those before it.");
        life = entry.Type switch
        {
            LifecycleNames.Create => new(position, 0, 0),
            LifecycleNames.Archive => life with { Archived = position, ArchivedAt = entry.CreatedAt },
            LifecycleNames.Restore => life with { Archived = 0, ArchivedAt = 0 },
            _ => default,
        };
        if (life == default)
            _lives.Remove(key);
        else
            _lives[key] = life;
        while (_lives.Count > most && _share.Bits < BitsMax)
            Halve();
    }

    void Halve()
    {
        (_share, var left) = _share.Halved();
        foreach (var key in _lives.Keys)
        {
            if (!_share.Has(key))
                _lives.Remove(key);
        }

        leave(left);
    }

    /// <summary>Holds an aggregate, once each, against its control entries.</summary>
    /// <param name="aggregate">Which; one of another share is another's affair.</param>
    /// <param name="head">Its head.</param>
    /// <param name="archivedAt">As its archive record says; null while it is active.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public void Check(AggregateKey aggregate, HeadRow head, long? archivedAt)
    {
        var key = KeyOf(aggregate);
        if (!_share.Has(key))
            return;
        var life = _lives.GetValueOrDefault(key);
        if (life.Created > 0 && head.FirstPosition != life.Created)
            throw Violation.Of($"{aggregate} was made at position {life.Created}, but its head says {head.FirstPosition}.");
        if (life.Created == 0 && head.Version == 0)
            throw Violation.Of($"{aggregate} has a head and no events, but nothing in the log made it, or it was removed.");
        if ((life.Archived > 0) != (archivedAt is not null))
            throw Violation.Of(archivedAt is null
                ? $"{aggregate} was archived at position {life.Archived} and not restored since, but it is active."
                : $"{aggregate} is archived, but nothing in the log archived it, or it was restored.");
        if (archivedAt is { } at && at != life.ArchivedAt)
            throw Violation.Of($"{aggregate} was archived at {new Timestamp(life.ArchivedAt)} (position {life.Archived}), but its archive record says otherwise.");
        _createdSeen += life.Created > 0 ? 1UL : 0;
        _archivedSeen += life.Archived > 0 ? 1UL : 0;
    }

    /// <summary>Every aggregate the log speaks of was there.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public void CheckAllSeen(IStorageView view)
    {
        ulong created = 0, archived = 0;
        foreach (var life in _lives.Values)
            (created, archived) = (created + (life.Created > 0 ? 1UL : 0), archived + (life.Archived > 0 ? 1UL : 0));
        if (created == _createdSeen && archived == _archivedSeen)
            return;
        // One is missing. The log has its name.
        foreach (var life in _lives.Values)
        {
            var position = Keyspace.Position(life.Created > 0 ? life.Created : life.Archived);
            if (Checked.Get(view, Family.Log, position) is { } body && EntryRow.TryRead(body) is { IsControl: true } entry
                && LifecycleNames.Aggregate(entry.Subject) is { } aggregate
                && Checked.Get(view, Family.Heads, aggregate.Row) is null && Checked.Get(view, Family.Archive, aggregate.Row) is null)
                throw Violation.Of($"{aggregate} is missing: the entry `{entry.Type}` at position {Keyspace.ReadPosition(position)} is in the log, and it was not removed since.");
        }

        throw Violation.Of("An aggregate that was created or archived is missing.");
    }

    /// <summary>Half of a SHA-256: nobody finds two names with the same.</summary>
    public static UInt128 KeyOf(AggregateKey aggregate) => Hash32.Of(aggregate.Row).High;
}
