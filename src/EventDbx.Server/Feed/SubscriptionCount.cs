namespace EventDbx.Server.Feed;

/// <summary>How many subscriptions are open, and how many may be.</summary>
internal sealed class SubscriptionCount(int max)
{
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

    public void Leave() => Interlocked.Decrement(ref _open);
}
