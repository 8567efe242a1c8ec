namespace EventDbx.Verification;

/// <summary>What a head says of itself and of the entry that made its aggregate.</summary>
internal static class HeadChecks
{
    /// <summary>The root is the one of the frontier beside it.</summary>
    public static void Root(AggregateKey aggregate, HeadRow head)
    {
        if (head.Tree.Root() is var root && root != head.Root)
            throw Violation.Of($"The head of {aggregate} at version {head.Version} has root {head.Root}, but its frontier has {root}.");
    }

    /// <summary>The entry at the first position made this aggregate, at this time, with this key.</summary>
    /// <param name="view">Where the entry is looked up.</param>
    /// <param name="aggregate">Whose head it is.</param>
    /// <param name="head">The head.</param>
    /// <param name="firstEvent">Version 1 where it has been read already.</param>
    public static void FirstEntry(IStorageView view, AggregateKey aggregate, HeadRow head, (ulong Position, EntryRow Entry)? firstEvent)
    {
        var entry = firstEvent is var (position, known) && position == head.FirstPosition ? known : Read(view, head.FirstPosition);
        var made = entry is not null && (entry.IsControl
            ? entry.Type == LifecycleNames.Create && entry.Subject == LifecycleNames.Subject(aggregate)
            : entry.Version == 1 && entry.Aggregate!.Equals(aggregate));
        if (!made)
            throw Violation.Of($"The head of {aggregate} says that position {head.FirstPosition} began it, but the entry there did not.");
        if (entry!.CreatedAt != head.CreatedAt)
            throw Violation.Of($"{aggregate} was begun at {new Timestamp(entry.CreatedAt)} (position {head.FirstPosition}), but its head says {new Timestamp(head.CreatedAt)}.");
        if (!entry.WrappedKey.Span.SequenceEqual(head.WrappedKey.Span))
            throw Violation.Of($"The key in the head of {aggregate} is not the one in the entry at position {head.FirstPosition}, which began it.");
        if (head.Version == 0 && !entry.IsControl)
            throw Violation.Of($"The head of {aggregate} is at version 0, but version 1 is at position {head.FirstPosition}: an older head was put back.");
        if (head.Version == 0 && (head.LastPosition != head.FirstPosition || head.UpdatedAt != head.CreatedAt))
            throw Violation.Of($"The head of {aggregate} is at version 0, but says that it was changed after position {head.FirstPosition}.");
    }

    public static bool SameFrontier(MerkleTree one, MerkleTree other)
    {
        var (a, b) = (new byte[one.EncodedBytes], new byte[other.EncodedBytes]);
        one.Write(a);
        other.Write(b);
        return a.AsSpan().SequenceEqual(b);
    }

    static EntryRow? Read(IStorageView view, ulong position)
    {
        var key = Keyspace.Position(position);
        return Checked.Get(view, Family.Log, key) is { } body
            ? EntryRow.TryRead(body) ?? throw Violation.OfRow(Family.Log, key, "it cannot be read")
            : null;
    }
}
