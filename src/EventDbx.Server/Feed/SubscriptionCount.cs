namespace EventDbx.Server.Feed;

/// <summary>How many subscriptions are open, and how many may be.</summary>
internal sealed class SubscriptionCount(int max)
{
    readonly Lock _gate = new();
    readonly HashSet<FeedSubscription> _subscriptions = [];
    int _open;

    public int Open => Volatile.Read(ref _open);

    /// <exception cref="RefusedException"><see cref="RefusalCode.Overloaded"/>: there are too many.</exception>
    public void Enter()
    {
        if (Interlocked.Increment(ref _open) <= max)
            return;
        Leave();
        throw new RefusedException(RefusalCode.Overloaded, $"{max} subscriptions to the feed are open, and no more are taken. Try again later, or read the feed by pages.");
    }

    /// <summary>From now on this one is asked how far behind it is.</summary>
    public void Watch(FeedSubscription subscription)
    {
        lock (_gate)
            _subscriptions.Add(subscription);
    }

    public void Unwatch(FeedSubscription subscription)
    {
        lock (_gate)
            _subscriptions.Remove(subscription);
    }

    /// <summary>How far the slowest is behind a log of that size, and for how long the one has been behind that has been for longest.</summary>
    public (ulong Positions, TimeSpan Time) LagAt(ulong logSize, TimeProvider clock)
    {
        var (positions, time) = (0UL, TimeSpan.Zero);
        lock (_gate)
        {
            foreach (var subscription in _subscriptions)
            {
                if (subscription.Reached.Position is var reached && reached >= logSize)
                    continue;
                positions = Math.Max(positions, logSize - reached);
                var behind = clock.GetElapsedTime(subscription.CaughtUpAt);
                time = behind > time ? behind : time;
            }
        }

        return (positions, time);
    }

    public void Leave() => Interlocked.Decrement(ref _open);
}
