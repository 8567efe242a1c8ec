namespace EventDbx.Server.Plugins;

/// <summary>What tells an event that a plugin cannot take from a plugin that is down: whether others are taken around its failures.</summary>
/// <remarks>
/// Counted in hand-overs. A plugin that fails at random fails others as well: so what is asked is how many were answered in a row, with no
/// failure of another event among them. Not thread-safe.
/// </remarks>
internal sealed class Witnesses
{
    AggregateKey? _failedBy;
    long _failedAt;
    /// <summary>The last failure of another aggregate than <see cref="_failedBy"/>.</summary>
    long _failedBefore;

    /// <summary>Hand-overs that were answered: taken, or refused by a plugin that is there.</summary>
    public long Answered { get; private set; }

    public void Answer() => Answered++;

    /// <summary>The plugin was down for an event of an aggregate.</summary>
    public void Fail(AggregateKey aggregate)
    {
        if (!aggregate.Equals(_failedBy))
            (_failedBy, _failedBefore) = (aggregate, _failedAt);
        _failedAt = Answered;
    }

    /// <summary>How many were answered in a row, failures of one aggregate apart.</summary>
    /// <param name="aggregate">Which.</param>
    /// <param name="since">And not more than since that number of <see cref="Answered"/>.</param>
    public long InARow(AggregateKey aggregate, long since) => Answered - Math.Max(since, aggregate.Equals(_failedBy) ? _failedBefore : _failedAt);
}
