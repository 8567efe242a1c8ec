namespace EventDbx.Recovery;

/// <summary>How much of a log a restore keeps: whole batches, for those who wrote them were answered all or nothing.</summary>
internal static class LogCut
{
    /// <summary>The first entries up to a position.</summary>
    /// <param name="view">Of the store.</param>
    /// <param name="size">Entries that it has.</param>
    /// <param name="position">The last one wanted.</param>
    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidArgument"/>: there is no such entry, or a batch ends only behind it.</exception>
    public static ulong At(IStorageView view, ulong size, ulong position)
    {
        if (position == 0 || position > size)
            throw Refused(position == 0 ? $"Position 0 keeps nothing: positions are 1 to {size} here." : $"The log of the backup ends at position {size}: there is no {position}.");
        var entry = Read(view, position);
        if (entry.BatchCount == 0 || entry.BatchIndex == entry.BatchCount)
            return position;
        var (first, last) = (position - entry.BatchIndex + 1, position - entry.BatchIndex + entry.BatchCount);
        throw Refused($"Position {position} lies within a batch, which was committed all or nothing: {first} to {last}. {(first == 1 ? "" : $"{first - 1} ends before it, ")}{last} ends with it.");
    }

    /// <summary>The longest beginning of whole batches in which no entry is later than a moment: it ends before the first one that is.</summary>
    /// <returns>Entries that are kept; and what ended them, null where nothing is later.</returns>
    /// <exception cref="RefusedException"><see cref="RefusalCode.InvalidArgument"/>: the first entry is later.</exception>
    public static (ulong Kept, TimeCut? EndedBy) Until(IStorageView view, ulong size, Timestamp time, Action<ulong>? told, CancellationToken cancellation)
    {
        var (kept, notLater) = (size, 0UL);
        (ulong Position, Timestamp CreatedAt)? first = null;
        for (var next = 1UL; next <= size;)
        {
            cancellation.ThrowIfCancellationRequested();
            foreach (var row in view.Range(Family.Log, Keyspace.Position(next), Keyspace.Position(size + 1), Limits.PageItemsMax, Limits.PageBytesMax))
            {
                if (Keyspace.ReadPosition(row.Key) is var position && position != next)
                    throw Violation.Of($"Entries {next} to {position - 1} are missing.");
                var entry = Read(row);
                if (first is null && entry.CreatedAt > time.Ticks100ns)
                {
                    // Of a batch nothing is kept where one of it is later.
                    (kept, first) = (position - Math.Max((ushort)1, entry.BatchIndex), (position, new(entry.CreatedAt)));
                    notLater = position - kept - 1;
                    if (kept == 0)
                        throw Refused($"Nothing in the log of the backup is from {time} or before: its first entry is of {new Timestamp(entry.CreatedAt)}.");
                }
                else if (first is not null && entry.CreatedAt <= time.Ticks100ns)
                {
                    notLater++;
                }

                next++;
            }

            told?.Invoke(next - 1);
        }

        return (kept, first is { } later ? new(later.Position, later.CreatedAt, notLater) : null);
    }

    static EntryRow Read(IStorageView view, ulong position) =>
        view.Range(Family.Log, Keyspace.Position(position), Keyspace.Position(position + 1), 1, int.MaxValue) is [var row] ? Read(row) : throw Violation.Of($"Entry {position} is missing.");

    static EntryRow Read(in Row row) => EntryRow.TryRead(Checked.Body(Family.Log, row.Key, row.Value)) ?? throw Violation.OfRow(Family.Log, row.Key, "it cannot be read");

    static RefusedException Refused(string why) => new(RefusalCode.InvalidArgument, why);
}
