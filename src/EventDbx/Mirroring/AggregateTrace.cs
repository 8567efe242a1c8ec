namespace EventDbx.Mirroring;

/// <summary>An aggregate as a page of the log leaves it, entry by entry.</summary>
internal sealed class AggregateTrace
{
    ulong _version;
    long _updatedAt = long.MinValue;
    MerkleTree _tree = new();
    Hash32 _root = Hash32.Empty;

    /// <summary>Created, or with events.</summary>
    public bool Exists { get; private set; }

    public bool Archived { get; private set; }

    /// <summary>Null in a plain store, and until it begins.</summary>
    public AggregateCipher? Cipher { get; set; }

    /// <summary>As it stands in the store.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public static AggregateTrace Load(IStorageView view, AggregateKey aggregate, Keyring keyring)
    {
        var archived = false;
        HeadRow? head = null;
        if (Checked.Get(view, Family.Heads, aggregate.Row) is { } body)
            head = HeadRow.TryRead(body) ?? throw Violation.OfRow(Family.Heads, aggregate.Row, "it cannot be read");
        else if (Checked.Get(view, Family.Archive, aggregate.Row) is { } record)
            (head, archived) = (ArchiveRow.ReadHead(aggregate, record), true);
        return head is null ? new() : new()
        {
            Exists = true, Archived = archived, Cipher = keyring.Open(aggregate, head.WrappedKey),
            _version = head.Version, _updatedAt = head.UpdatedAt, _tree = head.Tree, _root = head.Root,
        };
    }

    /// <summary>Takes the next event; why it is not that, or null.</summary>
    public string? Append(EntryRow entry, in Hash32 leaf)
    {
        if (entry.Version != _version + 1)
            return $"it is version {entry.Version} of {entry.Aggregate}, which is at {_version}";
        if (entry.PreviousRoot != _root)
            return $"it says that {entry.Aggregate} had the root {entry.PreviousRoot} before it, and that is {_root}";
        // One without events was created there; its first event may have happened elsewhere before that.
        if (entry.CreatedAt < _updatedAt && _version > 0)
            return $"its time is before that of the newest event of {entry.Aggregate}";
        _tree.Append(leaf);
        var root = _tree.Root();
        if (entry.Root != root)
            return $"it says that {entry.Aggregate} has the root {entry.Root} with it, and its history leads to {root}";
        (Exists, _version, _updatedAt, _root) = (true, entry.Version, entry.CreatedAt, root);
        return null;
    }

    /// <summary>Takes a control entry about it; what it is that does not go with that, or null.</summary>
    public string? Change(EntryRow entry)
    {
        var kind = entry.Type;
        switch (kind)
        {
            case LifecycleNames.Create:
                if (Exists)
                    return "exists already";
                (Exists, _updatedAt) = (true, entry.CreatedAt);
                return null;
            case LifecycleNames.Remove:
                if (!Exists || Archived || _version > 0)
                    return !Exists ? "does not exist" : Archived ? "is archived" : "has events";
                (Exists, Cipher, _updatedAt) = (false, null, long.MinValue);
                return null;
            case LifecycleNames.Archive or LifecycleNames.Restore:
                if (!Exists || Archived == (kind == LifecycleNames.Archive))
                    return !Exists ? "does not exist" : Archived ? "is archived already" : "is not archived";
                Archived = kind == LifecycleNames.Archive;
                return null;
            default:
                // A snapshot, of the newest version or of one before.
                return !Exists ? "does not exist"
                    : LifecycleNames.VersionIn(entry.Body) is not { } kept || kept > _version || (kept == 0 && _version > 0) ? $"is at version {_version}, and of another one there is no state" : null;
        }
    }
}
