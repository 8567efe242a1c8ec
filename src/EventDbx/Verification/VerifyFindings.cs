namespace EventDbx.Verification;

/// <summary>What verifies have found in an open database, until one finds that it is well again.</summary>
/// <remarks>
/// A database in which something was found goes on: what is read and written is checked as ever. But it says that it is not well.
/// The first finding of a verify of everything stands for all. What a verify takes back is what it has read in full, and only where
/// that was found before it began: it looked at the store as it was then. Thread-safe. Forgotten at the end of the process: verify again.
/// </remarks>
internal sealed class VerifyFindings
{
    const int AggregatesMax = 100;

    readonly Lock _lock = new();
    readonly Dictionary<AggregateKey, (string What, ulong Number)> _aggregates = [];
    (string What, ulong Number)? _all;
    ulong _count;

    /// <summary>The finding in a sentence; null when there is none.</summary>
    public string? Newest
    {
        get
        {
            lock (_lock)
                return _all?.What ?? _aggregates.Values.Select(finding => finding.What).FirstOrDefault();
        }
    }

    /// <summary>Findings so far, those that were taken back included. Whoever verifies asks before they open their view.</summary>
    public ulong Count
    {
        get
        {
            lock (_lock)
                return _count;
        }
    }

    /// <summary>A verify of one aggregate, or, without one, of everything, has found something.</summary>
    public void Found(AggregateKey? aggregate, string what)
    {
        lock (_lock)
        {
            _count++;
            if (aggregate is null)
                _all = (what, _count);
            else if (_aggregates.Count < AggregatesMax || _aggregates.ContainsKey(aggregate))
                _aggregates[aggregate] = (what, _count);
        }
    }

    /// <summary>A full verify of one aggregate has ended well.</summary>
    /// <param name="aggregate">Which.</param>
    /// <param name="before"><see cref="Count"/> when it began.</param>
    public void FoundNothing(AggregateKey aggregate, ulong before)
    {
        lock (_lock)
        {
            if (_aggregates.TryGetValue(aggregate, out var finding) && finding.Number <= before)
                _aggregates.Remove(aggregate);
        }
    }

    /// <summary>A verify of everything has ended well.</summary>
    /// <param name="before"><see cref="Count"/> when it began.</param>
    /// <param name="believed">The last aggregate, in key order, that it had not read in full; null: it has read everything.</param>
    public void FoundNothing(ulong before, AggregateKey? believed)
    {
        lock (_lock)
        {
            if (believed is null && _all?.Number <= before)
                _all = null;
            foreach (var (aggregate, finding) in _aggregates)
            {
                if (finding.Number <= before && (believed is null || aggregate.CompareTo(believed) > 0))
                    _aggregates.Remove(aggregate);
            }
        }
    }
}
