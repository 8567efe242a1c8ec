namespace EventDbx.Verification;

/// <summary>Verifies aggregates in full, one after the other in key order: every row, and every field of the head.</summary>
/// <remarks>Holds a page of events and one state; a history of any length streams through.</remarks>
internal sealed class AggregateVerifier(IStorageView view, Keyring keyring, AggregateRows rows)
{
    public ulong FoldPoints { get; private set; }

    public ulong Snapshots { get; private set; }

    public ulong ClientIds { get; private set; }

    /// <summary>The snapshots of the aggregate verified last that somebody asked for.</summary>
    public SnapshotTally Kept { get; private set; }

    /// <summary>Verifies the only aggregate of the walk; null when it has no row anywhere.</summary>
    public VerifyResult? VerifyOnly(AggregateKey aggregate, CancellationToken cancellation)
    {
        var head = VerifyNext(_ => cancellation.ThrowIfCancellationRequested());
        if (head is not var (found, row, archive))
            return null;
        if (!found.Equals(aggregate) || rows.Next() is not null)
            throw Violation.Of($"Rows of {found} stand among those of {aggregate}.");
        return new()
        {
            Aggregate = aggregate, Level = VerifyLevel.Full, Version = row.Version, MerkleRoot = row.Root, Archived = archive is not null,
            EventsChecked = row.Version, FoldPointsChecked = FoldPoints, ClientIdsChecked = ClientIds,
        };
    }

    /// <summary>Verifies the next aggregate and shows its head; null at the end.</summary>
    /// <param name="each">Told now and then how many events have been verified since the last time.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public (AggregateKey Aggregate, HeadRow Head, ArchiveRow? Archive)? VerifyNext(Action<ulong> each)
    {
        if (rows.Next() is not { } aggregate)
            return null;
        Kept = default;
        var (head, archive) = TakeHead(aggregate);
        HeadChecks.Root(aggregate, head);
        var cipher = keyring.OpenOnce(aggregate, head.WrappedKey);
        var chain = new EventChain(aggregate, cipher);
        TakeEvents(chain, head, cipher, each);
        CheckHead(chain, head);
        HeadChecks.FirstEntry(view, aggregate, head, chain.First);
        AggregateRows.RequireNoMore(rows.FoldPoints, aggregate, $"it remembers a state beyond version {head.Version}, where the aggregate ends");
        TakeIds(chain);
        if (archive is null)
            StateCheck.Take(rows.State, chain, head, cipher);
        else
            CheckArchive(chain, archive);
        return (aggregate, head, archive);
    }

    (HeadRow Head, ArchiveRow? Archive) TakeHead(AggregateKey aggregate)
    {
        HeadRow? head = null;
        ArchiveRow? archive = null;
        if (TakeOnly(rows.Heads, aggregate) is { } row)
            head = HeadRow.TryRead(row) ?? throw Violation.OfRow(Family.Heads, aggregate.Row, "it cannot be read");
        if (TakeOnly(rows.Archive, aggregate) is { } archived)
            archive = ArchiveRow.Read(aggregate, archived, keyring);
        if (head is not null && archive is not null)
            throw Violation.OfRow(Family.Archive, aggregate.Row, "the aggregate has a head as well, and so is not archived");
        return head is not null ? (head, null) : archive is not null ? (archive.Head, archive) : throw Orphan(aggregate);
    }

    /// <summary>The body of the one row that a family may have of an aggregate, under its very name; null when it has none.</summary>
    static ReadOnlyMemory<byte>? TakeOnly(RowCursor family, AggregateKey aggregate)
    {
        if (AggregateRows.Peek(family, aggregate) is not { } row)
            return null;
        if (!row.Key.AsSpan().SequenceEqual(aggregate.Row))
            throw Violation.OfRow(family.Family, row.Key, "its key has more than a name");
        family.Take();
        AggregateRows.RequireNoMore(family, aggregate, "its key has more than a name");
        return Checked.Body(family.Family, row.Key, row.Value);
    }

    RefusedException Orphan(AggregateKey aggregate)
    {
        if (rows.Events.Peek() is { } indexed && Keyspace.NameIn(indexed.Key).SequenceEqual(aggregate.Row))
            return Violation.Of($"{aggregate} has events and no head: {Violation.Show(Family.Index, indexed.Key)} is committed, the head is missing.");
        foreach (var family in (RowCursor[])[rows.State, rows.Ids, rows.FoldPoints])
        {
            if (AggregateRows.Peek(family, aggregate) is { } row)
                return Violation.OfRow(family.Family, row.Key, "there is no aggregate of that name");
        }

        throw new InvalidOperationException("An aggregate without a row.");
    }

    void TakeEvents(EventChain chain, HeadRow head, AggregateCipher? cipher, Action<ulong> each)
    {
        ulong told = 0;
        CheckFoldPoint(chain, cipher);
        while (rows.Events.Peek() is { } row && Keyspace.NameIn(row.Key).SequenceEqual(chain.Aggregate.Row))
        {
            if (chain.Version == head.Version)
                throw Violation.Of($"The head of {chain.Aggregate} is at version {head.Version}, but {Violation.Show(Family.Index, row.Key)} is in the index: an older head was put back, or the row does not belong there.");
            chain.Add(row);
            rows.Events.Take();
            CheckFoldPoint(chain, cipher);
            if (chain.Version - told == 256)
            {
                each(256);
                told = chain.Version;
            }
        }

        each(chain.Version - told);
    }

    void CheckFoldPoint(EventChain chain, AggregateCipher? cipher)
    {
        while (AggregateRows.Peek(rows.FoldPoints, chain.Aggregate) is { } row)
        {
            if (!Keyspace.TryReadSnapshot(row.Key, out var name, out var version, out var sequence)
                || !name.SequenceEqual(chain.Aggregate.Row) || (sequence == Storage.FoldPoints.Sequence && version == 0))
                throw Violation.OfRow(Family.Snapshots, row.Key, "its key is not one of a remembered state");
            if (version > chain.Version)
                return;
            var fields = Storage.FoldPoints.OpenAny(row.Key, row.Value, version, sequence, cipher);
            if (sequence >= SnapshotRow.FirstSequence)
                CheckSnapshot(chain, version, SnapshotRow.TryRead(Checked.Body(Family.Snapshots, row.Key, row.Value))!);
            if (!fields.AsSpan().SequenceEqual(chain.State.Fields))
                throw Violation.Of($"The state of {chain.Aggregate} remembered at version {version} is not the one its events lead to.");
            rows.FoldPoints.Take();
            if (sequence >= SnapshotRow.FirstSequence)
                Snapshots++;
            else
                FoldPoints++;
        }
    }

    void CheckSnapshot(EventChain chain, ulong version, SnapshotRow snapshot)
    {
        if (snapshot.Root != chain.Root)
            throw Violation.Of($"The snapshot of {chain.Aggregate} at version {version} says another root than {chain.Root}, to which its events lead.");
        if (!snapshot.Automatic)
            Kept = Kept.With(version, snapshot.CreatedAt, snapshot.Comment);
        else if (version == 0 || snapshot.CreatedAt != chain.LastTime || snapshot.Comment != GroupPlanner.AutomaticComment(version))
            throw Violation.Of($"The automatic snapshot of {chain.Aggregate} at version {version} has another time or comment than such a snapshot has.");
    }

    static void CheckHead(EventChain chain, HeadRow head)
    {
        var aggregate = chain.Aggregate;
        if (chain.Version != head.Version)
            throw Violation.Of($"The head of {aggregate} is at version {head.Version}, but the index ends at version {chain.Version}.");
        if (chain.Root != head.Root)
            throw Violation.Of($"The head of {aggregate} has root {head.Root}, but versions 1 to {chain.Version} have {chain.Root}.");
        if (!SameFrontier(chain.Tree, head.Tree))
            throw Violation.Of($"The frontier in the head of {aggregate} is not the one of versions 1 to {chain.Version}.");
        if (head.StateFields != chain.State.Count || head.StateBytes != StateText.ContentBytes(chain.State.Fields))
            throw Violation.Of($"The head of {aggregate} speaks of a state of {head.StateFields} fields and {head.StateBytes} bytes; its events lead to {chain.State.Count} and {StateText.ContentBytes(chain.State.Fields)}.");
        if (chain.Version > 0 && (head.LastPosition != chain.LastPosition || head.UpdatedAt != chain.LastTime))
            throw Violation.Of($"The head of {aggregate} says that version {head.Version} is at position {head.LastPosition} and of {new Timestamp(head.UpdatedAt)}; it is at {chain.LastPosition} and of {new Timestamp(chain.LastTime)}.");
        if (chain.First is var (position, _) && (head.FirstPosition > position || head.CreatedAt > chain.First.Value.Entry.CreatedAt))
            throw Violation.Of($"The head of {aggregate} says that it was begun after its version 1 at position {position}.");
    }

    static bool SameFrontier(MerkleTree one, MerkleTree other)
    {
        var (a, b) = (new byte[one.EncodedBytes], new byte[other.EncodedBytes]);
        one.Write(a);
        other.Write(b);
        return a.AsSpan().SequenceEqual(b);
    }

    /// <summary>Each event has found its own id row, so one row more than events is a row of none.</summary>
    void TakeIds(EventChain chain)
    {
        ulong count = 0;
        for (; AggregateRows.Peek(rows.Ids, chain.Aggregate) is not null; rows.Ids.Take())
            count++;
        if (count != chain.ClientIds)
            throw Orphans.FindId(view, chain.Aggregate);
        ClientIds += count;
    }

    void CheckArchive(EventChain chain, ArchiveRow archive)
    {
        if (!archive.Fields.AsSpan().SequenceEqual(chain.State.Fields))
            throw Violation.Of($"The archived state of {chain.Aggregate} is not the one its events lead to.");
        AggregateRows.RequireNoMore(rows.State, chain.Aggregate, "the aggregate is archived, and its state is in its archive record");
    }
}
