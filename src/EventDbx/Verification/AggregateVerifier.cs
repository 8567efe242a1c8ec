namespace EventDbx.Verification;

/// <summary>An aggregate whose rows were verified.</summary>
/// <param name="Aggregate">Which.</param>
/// <param name="Head">Its head, of the archive record where it is archived.</param>
/// <param name="ArchivedAt">As its archive record says; null while it is active.</param>
internal sealed record VerifiedAggregate(AggregateKey Aggregate, HeadRow Head, long? ArchivedAt);

/// <summary>Verifies aggregates in full, one after the other in key order: every row, and every field of the head.</summary>
/// <remarks>Holds a page of events and one state; a history of any length streams through.</remarks>
/// <param name="view">Of everything.</param>
/// <param name="keyring">Null where the store is encrypted and its key is not at hand: what is sealed stays closed.</param>
/// <param name="rows">The rows to walk.</param>
internal sealed class AggregateVerifier(IStorageView view, Keyring? keyring, AggregateRows rows)
{
    public ulong FoldPoints { get; private set; }

    public ulong Snapshots { get; private set; }

    public ulong ClientIds { get; private set; }

    /// <summary>Snapshots of the aggregate that somebody asked for, so far.</summary>
    uint _asked;

    /// <summary>Takes every snapshot that somebody asked for; null where they are not compared with their entries.</summary>
    public SnapshotLedger? SnapshotsSeen { get; init; }

    /// <summary>Verifies the only aggregate of the walk; null when it has no row anywhere.</summary>
    public VerifyResult? VerifyOnly(AggregateKey aggregate, CancellationToken cancellation)
    {
        var head = VerifyNext(_ => cancellation.ThrowIfCancellationRequested());
        if (head is not var (found, row, archivedAt))
            return null;
        if (!found.Equals(aggregate) || rows.Next() is not null)
            throw Violation.Of($"Rows of {found} stand among those of {aggregate}.");
        return new()
        {
            Aggregate = aggregate, Level = VerifyLevel.Full, Version = row.Version, MerkleRoot = row.Root, Archived = archivedAt is not null,
            EventsChecked = row.Version, FoldPointsChecked = FoldPoints, ClientIdsChecked = ClientIds,
        };
    }

    /// <summary>Verifies the next aggregate and shows its head; null at the end.</summary>
    /// <param name="each">Told now and then how many events have been verified since the last time.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public VerifiedAggregate? VerifyNext(Action<ulong> each)
    {
        if (rows.Next() is not { } aggregate)
            return null;
        var (head, archive) = TakeHead(aggregate);
        HeadChecks.Root(aggregate, head);
        var cipher = keyring?.OpenOnce(aggregate, head.WrappedKey);
        if (keyring is null && !SealedValue.HasForm(head.WrappedKey.Span))
            throw Violation.Of($"The head of {aggregate} has no sealed key, in a store that gives one to every aggregate.");
        var chain = new EventChain(aggregate, cipher, opens: keyring is not null);
        _asked = 0;
        TakeEvents(chain, head, cipher, each);
        CheckHead(chain, head);
        HeadChecks.FirstEntry(view, aggregate, head, chain.First);
        AggregateRows.RequireNoMore(rows.FoldPoints, aggregate, $"it remembers a state beyond version {head.Version}, where the aggregate ends");
        TakeIds(chain);
        if (archive is not null)
            CheckArchive(chain, archive);
        else if (keyring is null)
            StateCheck.TakeSealed(rows.State, aggregate, head);
        else
            StateCheck.Take(rows.State, chain, head, cipher);
        return new(aggregate, head, archive?.ArchivedAt);
    }

    /// <param name="Head">The head in it.</param>
    /// <param name="ArchivedAt">When, 100 ns.</param>
    /// <param name="Fields">The state; null where it stays closed.</param>
    sealed record Archived(HeadRow Head, long ArchivedAt, byte[]? Fields);

    (HeadRow Head, Archived? Archive) TakeHead(AggregateKey aggregate)
    {
        HeadRow? head = null;
        Archived? archive = null;
        if (TakeOnly(rows.Heads, aggregate) is { } row)
            head = HeadRow.TryRead(row) ?? throw Violation.OfRow(Family.Heads, aggregate.Row, "it cannot be read");
        if (TakeOnly(rows.Archive, aggregate) is { } archived)
            archive = ReadArchived(aggregate, archived);
        if (head is not null && archive is not null)
            throw Violation.OfRow(Family.Archive, aggregate.Row, "the aggregate has a head as well, and so is not archived");
        return head is not null ? (head, null) : archive is not null ? (archive.Head, archive) : throw Orphan(aggregate);
    }

    Archived ReadArchived(AggregateKey aggregate, ReadOnlyMemory<byte> body)
    {
        if (keyring is not null)
        {
            var opened = ArchiveRow.Read(aggregate, body, keyring);
            return new(opened.Head, opened.ArchivedAt, opened.Fields);
        }

        var head = ArchiveRow.ReadHead(aggregate, body, out var sealedState, out var archivedAt);
        return SealedValue.HasForm(sealedState.Span)
            ? new(head, archivedAt, null)
            : throw Violation.OfRow(Family.Archive, aggregate.Row, "its state is not sealed, in a store that seals every one");
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
            var snapshot = sequence >= SnapshotRow.FirstSequence
                ? SnapshotRow.TryRead(Checked.Body(Family.Snapshots, row.Key, row.Value)) ?? throw Violation.OfRow(Family.Snapshots, row.Key, "it cannot be read")
                : null;
            if (snapshot is not null)
                CheckSnapshot(row.Key, snapshot, chain);
            var kept = snapshot?.SealedState ?? Checked.Body(Family.Snapshots, row.Key, row.Value);
            if (keyring is null && !SealedValue.HasForm(kept.Span))
                throw Violation.OfRow(Family.Snapshots, row.Key, "it is not sealed, in a store that seals every one");
            if (keyring is not null && !Storage.FoldPoints.Open(row.Key, kept, version, cipher).AsSpan().SequenceEqual(chain.State.Fields))
                throw Violation.Of($"The state of {chain.Aggregate} remembered at version {version} is not the one its events lead to.");
            rows.FoldPoints.Take();
            if (snapshot is not null)
                Snapshots++;
            else
                FoldPoints++;
        }
    }

    /// <summary>One that was asked for has an entry in the log; what an automatic one says of itself follows from its event.</summary>
    void CheckSnapshot(byte[] key, SnapshotRow snapshot, EventChain chain)
    {
        if (snapshot.Root != chain.Root)
            throw Violation.Of($"The snapshot of {chain.Aggregate} at version {chain.Version} says another root than {chain.Root}, to which its events lead.");
        if (!snapshot.Automatic)
        {
            _asked++;
            SnapshotsSeen?.See(chain.Aggregate, chain.Version, snapshot);
        }
        else if (snapshot.CreatedAt != chain.LastTime || snapshot.Comment != SnapshotRow.AutomaticComment(chain.Version))
            throw Violation.OfRow(Family.Snapshots, key, $"it says that it was made by itself with version {chain.Version}, but not when and as what that is");
    }

    void CheckHead(EventChain chain, HeadRow head)
    {
        var aggregate = chain.Aggregate;
        if (chain.Version != head.Version)
            throw Violation.Of($"The head of {aggregate} is at version {head.Version}, but the index ends at version {chain.Version}.");
        if (chain.Root != head.Root)
            throw Violation.Of($"The head of {aggregate} has root {head.Root}, but versions 1 to {chain.Version} have {chain.Root}.");
        if (!HeadChecks.SameFrontier(chain.Tree, head.Tree))
            throw Violation.Of($"The frontier in the head of {aggregate} is not the one of versions 1 to {chain.Version}.");
        if (keyring is not null && (head.StateFields != chain.State.Count || head.StateBytes != StateText.ContentBytes(chain.State.Fields)))
            throw Violation.Of($"The head of {aggregate} speaks of a state of {head.StateFields} fields and {head.StateBytes} bytes; its events lead to {chain.State.Count} and {StateText.ContentBytes(chain.State.Fields)}.");
        if (chain.Version > 0 && (head.LastPosition != chain.LastPosition || head.UpdatedAt != chain.LastTime))
            throw Violation.Of($"The head of {aggregate} says that version {head.Version} is at position {head.LastPosition} and of {new Timestamp(head.UpdatedAt)}; it is at {chain.LastPosition} and of {new Timestamp(chain.LastTime)}.");
        if (head.Snapshots != _asked)
        {
            var miscounted = $"The head of {aggregate} speaks of {head.Snapshots} snapshots that somebody took; there are {_asked}.";
            if (SnapshotsSeen is null)
                throw Violation.Of(miscounted);
            SnapshotsSeen.Miscounted(miscounted);
        }

        // Of one that was created here, the first event may have happened elsewhere before that.
        if (chain.First is var (position, _) && head.FirstPosition > position)
            throw Violation.Of($"The head of {aggregate} says that it was begun after its version 1 at position {position}.");
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

    void CheckArchive(EventChain chain, Archived archive)
    {
        if (archive.Fields is not null && !archive.Fields.AsSpan().SequenceEqual(chain.State.Fields))
            throw Violation.Of($"The archived state of {chain.Aggregate} is not the one its events lead to.");
        AggregateRows.RequireNoMore(rows.State, chain.Aggregate, "the aggregate is archived, and its state is in its archive record");
    }
}
