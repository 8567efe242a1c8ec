namespace EventDbx.Verification;

/// <summary>The families that are kept by aggregate, walked side by side: one aggregate's rows stand together in each.</summary>
/// <remarks>
/// Key order is type, then id, in all of them, so the lowest name among the rows in front is the next aggregate, and a row
/// whose name nobody else has is an orphan.
/// </remarks>
internal sealed class AggregateRows
{
    AggregateRows(IStorageView view, byte[] from, byte[] to)
    {
        (Heads, Archive, State) = (new(view, Family.Heads, from, to), new(view, Family.Archive, from, to), new(view, Family.State, from, to));
        (Ids, FoldPoints) = (new(view, Family.Ids, from, to), new(view, Family.Snapshots, from, to));
        Events = new(view, new(view, Family.Index, from, to));
    }

    public RowCursor Heads { get; }

    public RowCursor Archive { get; }

    public RowCursor State { get; }

    public RowCursor Ids { get; }

    public RowCursor FoldPoints { get; }

    public EventWalk Events { get; }

    public static AggregateRows Of(IStorageView view, AggregateKey aggregate) =>
        new(view, aggregate.Row.ToArray(), Keyspace.AfterAggregate(aggregate));

    /// <summary>All from a key on.</summary>
    public static AggregateRows From(IStorageView view, byte[] key) => new(view, key, []);

    /// <summary>The next aggregate that has a row anywhere; null at the end.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>: a row is of no aggregate.</exception>
    public AggregateKey? Next()
    {
        ReadOnlySpan<byte> lowest = default;
        var family = Family.Heads;
        byte[]? key = null;
        Look(Heads.Peek()?.Key, Family.Heads, ref lowest, ref family, ref key);
        Look(Archive.Peek()?.Key, Family.Archive, ref lowest, ref family, ref key);
        Look(Events.Peek()?.Key, Family.Index, ref lowest, ref family, ref key);
        Look(State.Peek()?.Key, Family.State, ref lowest, ref family, ref key);
        Look(Ids.Peek()?.Key, Family.Ids, ref lowest, ref family, ref key);
        Look(FoldPoints.Peek()?.Key, Family.Snapshots, ref lowest, ref family, ref key);
        if (key is null)
            return null;
        return AggregateKey.TryRead(lowest, out var aggregate)
            ? aggregate
            : throw Violation.OfRow(family, key, "its key names no aggregate");
    }

    static void Look(byte[]? key, Family family, ref ReadOnlySpan<byte> lowest, ref Family of, ref byte[]? lowestKey)
    {
        if (key is null || (lowestKey is not null && Keyspace.NameIn(key).SequenceCompareTo(lowest) >= 0))
            return;
        lowest = Keyspace.NameIn(key);
        (of, lowestKey) = (family, key);
    }

    /// <summary>The next row of a family if it is this aggregate's; the caller takes it.</summary>
    public static Row? Peek(RowCursor rows, AggregateKey aggregate) =>
        rows.Peek() is { } row && Keyspace.NameIn(row.Key).SequenceEqual(aggregate.Row) ? row : null;

    /// <summary>A row of an aggregate that should have none left in this family.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>.</exception>
    public static void RequireNoMore(RowCursor rows, AggregateKey aggregate, string why)
    {
        if (Peek(rows, aggregate) is { } row)
            throw Violation.OfRow(rows.Family, row.Key, why);
    }
}
