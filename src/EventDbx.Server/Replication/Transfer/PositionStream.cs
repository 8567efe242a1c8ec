namespace EventDbx.Server.Replication.Transfer;

/// <summary>The positions of one side, in key order, a page at a time.</summary>
/// <param name="side">Whose.</param>
/// <param name="filter">Which.</param>
/// <param name="after">Those behind this one.</param>
internal sealed class PositionStream(Side side, ReplicaFilter filter, AggregateKey? after)
{
    // Looked up for every position, and somebody may name thousands.
    readonly HashSet<AggregateKey> _aggregates = [.. filter.Aggregates];
    readonly HashSet<string> _types = [.. filter.Types.Except(filter.Aggregates.Select(static aggregate => aggregate.Type))];

    IReadOnlyList<ReplicaPosition> _page = [];
    AggregateKey? _last = after;
    int _at;
    bool _more = true;

    /// <summary>Null at the end, and where a page has to be read first.</summary>
    public ReplicaPosition? Current => _at < _page.Count ? _page[_at] : null;

    /// <summary>Whether nobody knows what is next before <see cref="ReadAsync"/>.</summary>
    public bool NeedsPage => _more && _at == _page.Count;

    public void Advance() => _at++;

    public async Task ReadAsync(CancellationToken cancellation)
    {
        var page = await side.ListPositionsAsync(filter, _last, Limits.PageItemsMax, cancellation).ConfigureAwait(false);
        foreach (var position in page.Positions)
        {
            // A list that goes round in circles would never end.
            if (position.Aggregate.CompareTo(_last) <= 0)
                throw side.Lies($"lists {Named(position.Aggregate)} out of order");
            if (!Covers(position.Aggregate))
                throw side.Lies($"lists {Named(position.Aggregate)}, which was not asked for");
            _last = position.Aggregate;
        }

        if (page is { Positions.Count: 0, More: true })
            throw side.Lies("lists no aggregate, and says that there are more");
        (_page, _at, _more) = (page.Positions, 0, page.More);
    }

    /// <summary>As messages name an aggregate.</summary>
    public static string Named(AggregateKey aggregate) => $"{aggregate.Type}::{aggregate.Id}";

    /// <summary>Of a type that has aggregates named, only these.</summary>
    bool Covers(AggregateKey aggregate) =>
        filter is { Types.Count: 0, Aggregates.Count: 0 } || _types.Contains(aggregate.Type) || _aggregates.Contains(aggregate);
}
