namespace EventDbx.Verification;

/// <summary>The head of one aggregate against its newest event, its first entry and its state.</summary>
internal static class QuickVerify
{
    /// <summary>Null when there is no such aggregate.</summary>
    public static VerifyResult? Run(StoreReader reader, Keyring keyring, AggregateKey aggregate)
    {
        if (reader.FindHead(aggregate) is not var (head, archived))
            return null;
        if (!archived && Checked.Get(reader.View, Family.Archive, aggregate.Row) is not null)
            throw Violation.OfRow(Family.Archive, aggregate.Row, "the aggregate has a head as well, and so is not archived");
        HeadChecks.Root(aggregate, head);
        // Reading the state holds it against the digest in the head, or opens the archived one.
        _ = reader.FindState(aggregate);
        HeadChecks.FirstEntry(reader.View, aggregate, head, firstEvent: null);
        if (head.Version > 0)
            CheckNewest(reader, aggregate, head);
        if (Checked.Get(reader.View, Family.Index, Keyspace.Versioned(aggregate, head.Version + 1)) is not null)
            throw Violation.Of($"The head of {aggregate} is at version {head.Version}, but version {head.Version + 1} is committed: an older head was put back.");
        _ = keyring.Open(aggregate, head.WrappedKey);
        return new()
        {
            Aggregate = aggregate, Level = VerifyLevel.Quick, Version = head.Version, MerkleRoot = head.Root, Archived = archived,
            EventsChecked = head.Version > 0 ? 1UL : 0,
        };
    }

    static void CheckNewest(StoreReader reader, AggregateKey aggregate, HeadRow head)
    {
        var newest = reader.FindEvent(aggregate, head.Version)!;
        var at = $"Version {head.Version} of {aggregate} (position {newest.Position})";
        if (newest.MerkleRoot != head.Root)
            throw Violation.Of($"{at} has root {newest.MerkleRoot}, but the head has {head.Root}.");
        if ((head.Version & 1) != 0 && head.Tree.PeakAt(0) != newest.Hash)
            throw Violation.Of($"{at} hashes to {newest.Hash}, which is not the newest leaf of the head's frontier.");
        if (newest.Position != head.LastPosition)
            throw Violation.Of($"{at} is the newest, but the head says that the newest is at position {head.LastPosition}.");
        if (newest.CreatedAt.Ticks100ns != head.UpdatedAt)
            throw Violation.Of($"{at} is of {newest.CreatedAt}, but the head says that the newest is of {new Timestamp(head.UpdatedAt)}.");
    }
}
