namespace EventDbx.Verification;

/// <summary>What verifies have found in an open database, until one finds that it is well again.</summary>
/// <remarks>
/// A database in which something was found goes on: what is read and written is checked as ever. But it says that it is not well.
/// The first finding of a verify of everything stands for all; a verify of everything without one takes all back, a full
/// verify of one aggregate its own. Thread-safe. Forgotten at the end of the process: verify again.
/// </remarks>
internal sealed class VerifyFindings
{
    const int AggregatesMax = 100;

    readonly Lock _lock = new();
    readonly Dictionary<AggregateKey, string> _aggregates = [];
    string? _all;

    /// <summary>The finding in a sentence; null when there is none.</summary>
    public string? Newest
    {
        get
        {
            lock (_lock)
                return _all ?? _aggregates.Values.FirstOrDefault();
        }
    }

    /// <summary>A verify of one aggregate, or, without one, of everything, has ended.</summary>
    /// <param name="aggregate">Which; null: everything.</param>
    /// <param name="what">What it found; null: that the aggregate is well.</param>
    public void Found(AggregateKey? aggregate, string? what)
    {
        lock (_lock)
        {
            if (aggregate is null)
                _all = what;
            else if (what is null)
                _aggregates.Remove(aggregate);
            else if (_aggregates.Count < AggregatesMax || _aggregates.ContainsKey(aggregate))
                _aggregates[aggregate] = what;
        }
    }

    /// <summary>A verify of everything has ended well.</summary>
    public void FoundNothing()
    {
        lock (_lock)
        {
            _all = null;
            _aggregates.Clear();
        }
    }
}
