namespace EventDbx.Reading;

/// <summary>Which aggregates a list is asked for. Unset members let everything through.</summary>
public sealed record AggregateFilter
{
    public string? Type { get; init; }

    /// <summary>Ids that begin so, by UTF-8 bytes. Takes effect within <see cref="Type"/>; without one, within every type.</summary>
    public string? IdPrefix { get; init; }

    /// <summary>True: only archived. False: only active. Null: both.</summary>
    public bool? Archived { get; init; }
}

/// <summary>Walks the families <c>heads</c> and <c>archive</c> side by side in key order.</summary>
internal sealed class AggregateScan
{
    readonly AggregateFilter _filter;
    readonly byte[] _idPrefix;
    readonly RowCursor? _active;
    readonly RowCursor? _archived;

    public AggregateScan(IStorageView view, AggregateFilter filter, ReadOnlySpan<byte> after)
    {
        _filter = filter;
        _idPrefix = Encoding.UTF8.GetBytes(filter.IdPrefix ?? "");
        byte[] from = Keyspace.FirstName.ToArray(), to = [];
        if (filter.Type is { } type)
        {
            byte[] prefix = [.. Encoding.UTF8.GetBytes(type), 0, .. _idPrefix];
            // Below the first name lies no aggregate, whatever was asked for.
            (from, to) = (type.Length == 0 ? from : prefix, After(prefix));
        }

        if (!after.IsEmpty && after.SequenceCompareTo(from) >= 0)
            from = [.. after, 0];
        _active = filter.Archived is true ? null : new(view, Family.Heads, from, to);
        _archived = filter.Archived is false ? null : new(view, Family.Archive, from, to);
    }

    /// <summary>Whether there is another row; it may still not pass the filter, in which case the next page is empty.</summary>
    public bool HasMore => _active?.Peek() is not null || _archived?.Peek() is not null;

    /// <summary>The next aggregate that passes the filter, or null.</summary>
    public (AggregateKey Aggregate, HeadRow Head, bool Archived)? Next()
    {
        while (true)
        {
            var (active, archived) = (_active?.Peek(), _archived?.Peek());
            if (active is null && archived is null)
                return null;
            var isArchived = active is null || (archived is not null && archived.Value.Key.AsSpan().SequenceCompareTo(active.Value.Key) < 0);
            var (key, value) = isArchived ? archived!.Value : active!.Value;
            (isArchived ? _archived : _active)!.Take();
            if (_filter.Type is null && _idPrefix.Length > 0 && !key.AsSpan(key.AsSpan().IndexOf((byte)0) + 1).StartsWith(_idPrefix))
                continue;
            var family = isArchived ? Family.Archive : Family.Heads;
            var body = Checked.Body(family, key, value);
            if (!AggregateKey.TryRead(key, out var aggregate))
                throw Violation.OfRow(family, key, "its key names no aggregate");
            var head = isArchived ? ArchiveRow.ReadHead(aggregate, body) : HeadRow.TryRead(body) ?? throw Violation.OfRow(family, key, "it cannot be read");
            return (aggregate, head, isArchived);
        }
    }

    /// <summary>The lowest key above everything with this prefix.</summary>
    static byte[] After(byte[] prefix)
    {
        var end = prefix.AsSpan().LastIndexOfAnyExcept((byte)0xff);
        if (end < 0)
            return [];
        var after = prefix[..(end + 1)];
        after[end]++;
        return after;
    }
}
