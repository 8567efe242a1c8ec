namespace EventDbx.Verification;

/// <summary>Names the row that is too many, once counting has shown that there is one. Slow, and only on the way to a violation.</summary>
internal static class Orphans
{
    /// <summary>The row of family <c>ids</c> that no event of the aggregate asked for.</summary>
    public static RefusedException FindId(IStorageView view, AggregateKey aggregate)
    {
        var rows = new RowCursor(view, Family.Ids, Keyspace.Prefix(aggregate), Keyspace.AfterAggregate(aggregate));
        for (; rows.Peek() is { } row; rows.Take())
        {
            if (!Checked.TryBody(Family.Ids, row.Key, row.Value, out var body) || !IdRow.TryRead(body, out var id))
                return Violation.OfRow(Family.Ids, row.Key, "its checksum does not match, or it cannot be read");
            if (FindEntry(view, aggregate, id.Version) is not { } entry || (entry.Flags & EntryRow.RowFlags.ClientId) == 0 || !IsIdOf(row.Key, entry))
                return Violation.OfRow(Family.Ids, row.Key, $"version {id.Version}, to which it leads, has no such id chosen by a client");
        }

        return Violation.Of($"Family `ids` has another number of rows of {aggregate} than there are events whose id a client chose.");
    }

    /// <summary>The first event of the log to which the index does not lead.</summary>
    public static RefusedException FindEvent(IStorageView view, ulong events, ulong indexed)
    {
        var rows = new RowCursor(view, Family.Log, Keyspace.Position(1), []);
        for (; rows.Peek() is { } row; rows.Take())
        {
            if (EntryRow.TryRead(Checked.Body(Family.Log, row.Key, row.Value)) is not { IsControl: false } entry)
                continue;
            var position = Keyspace.ReadPosition(row.Key);
            if (FindIndex(view, entry.Aggregate!, entry.Version) is not { } index || index.Position != position)
                return Violation.Of($"Version {entry.Version} of {entry.Aggregate} (position {position}) is in the log, but the index does not lead to it.");
        }

        return Violation.Of($"The log has {events} events, but the index has {indexed} rows.");
    }

    static bool IsIdOf(ReadOnlySpan<byte> key, EntryRow entry)
    {
        Span<byte> expected = stackalloc byte[Keyspace.KeyBytesMax];
        return key.SequenceEqual(expected[..Keyspace.WriteEventId(expected, entry.Aggregate!, entry.EventId)]);
    }

    static EntryRow? FindEntry(IStorageView view, AggregateKey aggregate, ulong version) =>
        FindIndex(view, aggregate, version) is { } index && Checked.Get(view, Family.Log, Keyspace.Position(index.Position)) is { } body ? EntryRow.TryRead(body) : null;

    static IndexRow? FindIndex(IStorageView view, AggregateKey aggregate, ulong version) =>
        Checked.Get(view, Family.Index, Keyspace.Versioned(aggregate, version)) is { } body && IndexRow.TryRead(body, out var index) ? index : null;
}
