namespace EventDbx.Commit;

/// <summary>What the writer knows of one aggregate.</summary>
internal sealed class HeadEntry
{
    /// <summary>Field rows remembered at most; beyond it they are looked up again.</summary>
    const int FieldsRemembered = 4096;

    public required AggregateKey Aggregate { get; init; }

    /// <summary>Null: there is no such aggregate.</summary>
    public HeadRow? Head { get; set; }

    public bool Archived { get; set; }

    /// <summary>When, 100 ns; known once its record was opened.</summary>
    public long ArchivedAt { get; set; }

    /// <summary>The last group that opened the record of the archived aggregate: <see cref="Head"/> and <see cref="Blob"/> are its own, and hold for that group alone.</summary>
    public ulong OpenedInGroup { get; set; }

    /// <summary>The last group that merged events into the archived aggregate: its record is written anew at the end.</summary>
    public ulong MergedInGroup { get; set; }

    public AggregateCipher? Cipher { get; set; }

    /// <summary>The state in clear, while it is one blob. Never changed in place.</summary>
    public byte[]? Blob { get; set; }

    /// <summary>Known field rows of a state in rows: digest and bytes, or null for a field that is not there.</summary>
    public Dictionary<byte[], (ulong Digest, int Bytes)?>? Fields { get; set; }

    /// <summary>Fields that the unit <see cref="UnitOfFields"/> has put, for the patches in it.</summary>
    public Dictionary<byte[], byte[]>? FieldsOfUnit { get; set; }

    public ulong UnitOfFields { get; set; }

    /// <summary>The last group that changed it; what the group put is not yet in any view.</summary>
    public ulong ChangedInGroup { get; set; }

    /// <summary>That change was more than appends, so that a view from before it tells nothing.</summary>
    public bool Reshaped { get; set; }

    /// <summary>The last batch that changed it, and so keeps a copy of what it was.</summary>
    public ulong TouchedByUnit { get; set; }

    /// <summary>A copy to come back to when a batch is refused half way.</summary>
    public HeadEntry Save() => new()
    {
        Aggregate = Aggregate, Archived = Archived, Cipher = Cipher, Blob = Blob, ChangedInGroup = ChangedInGroup, Reshaped = Reshaped, MergedInGroup = MergedInGroup,
        Head = Head is null ? null : CopyOf(Head),
        Fields = Fields is null ? null : new(Fields, Fields.Comparer),
    };

    public void Return(HeadEntry saved) => (Head, Archived, Cipher, Blob, Fields, ChangedInGroup, Reshaped, MergedInGroup) =
        (saved.Head, saved.Archived, saved.Cipher, saved.Blob, saved.Fields, saved.ChangedInGroup, saved.Reshaped, saved.MergedInGroup);

    public void Trim()
    {
        if (Fields?.Count > FieldsRemembered)
            Fields.Clear();
    }

    static HeadRow CopyOf(HeadRow head) => new()
    {
        StateForm = head.StateForm, Version = head.Version, CreatedAt = head.CreatedAt, UpdatedAt = head.UpdatedAt,
        FirstPosition = head.FirstPosition, LastPosition = head.LastPosition, StateFields = head.StateFields,
        StateBytes = head.StateBytes, Snapshots = head.Snapshots, StateDigest = head.StateDigest, Root = head.Root, WrappedKey = head.WrappedKey,
        Tree = head.Tree.Clone(),
    };
}

/// <summary>Heads the writer has in memory. Owned by the writer; nobody else looks.</summary>
/// <remarks>
/// Two generations: when the young one is full it becomes the old one and the former old one is dropped. No list is
/// re-linked on a hit, and between one and two times the capacity is kept: that many aggregates in turn never miss. It turns
/// only between groups, for within a group an entry may be the only place that knows of a change.
/// </remarks>
internal sealed class HeadCache(int capacity)
{
    Dictionary<AggregateKey, HeadEntry> _young = [];
    Dictionary<AggregateKey, HeadEntry> _old = [];

    public int Count => _young.Count + _old.Count;

    public HeadEntry? Find(AggregateKey aggregate)
    {
        if (_young.TryGetValue(aggregate, out var entry))
            return entry;
        if (!_old.Remove(aggregate, out entry))
            return null;
        _young.Add(aggregate, entry);
        return entry;
    }

    public void Add(HeadEntry entry) => _young[entry.Aggregate] = entry;

    public void Remove(AggregateKey aggregate)
    {
        _young.Remove(aggregate);
        _old.Remove(aggregate);
    }

    /// <summary>Called between groups.</summary>
    public void Turn()
    {
        if (_young.Count < Math.Max(1, capacity))
            return;
        (_old, _young) = (_young, _old);
        _young.Clear();
    }

    /// <summary>Forgets what is known of field rows; it can be looked up again.</summary>
    public void ForgetFields()
    {
        foreach (var entry in _young.Values)
            entry.Fields = null;
        foreach (var entry in _old.Values)
            entry.Fields = null;
    }

    public void Clear()
    {
        _young.Clear();
        _old.Clear();
    }
}
