namespace EventDbx.Server.Plugins;

/// <summary>Whether a plugin can be reached: closed while it can, open from the first failure on until something is taken again.</summary>
/// <remarks>Not thread-safe. Nothing that fails while it is open counts against any event.</remarks>
internal sealed class Circuit(TimeProvider clock, Func<double> chance)
{
    int _failures;
    long _failedAt;
    TimeSpan _pause;
    long _openedAt;

    public bool IsOpen => _failures > 0;

    /// <summary>
    /// Only an aggregate that waits has failed so far: whether that is the plugin's fault or its own is not known, so an event of
    /// another aggregate does not wait for the next probe.
    /// </summary>
    public bool IsDoubtful { get; private set; }

    /// <summary>Why; as of the last failure.</summary>
    public string? Reason { get; private set; }

    /// <summary>For how long it has been open.</summary>
    public TimeSpan OpenFor => IsOpen ? clock.GetElapsedTime(_openedAt) : TimeSpan.Zero;

    /// <summary>Until the next probe; zero or less: it is due.</summary>
    public TimeSpan Left => _pause - clock.GetElapsedTime(_failedAt);

    /// <summary>It failed, once more or for the first time.</summary>
    /// <param name="failure">How.</param>
    /// <param name="doubtful">See <see cref="IsDoubtful"/>; a plugin that says itself how long it is away leaves no doubt.</param>
    /// <returns>Whether this opened it.</returns>
    public bool Fail(DeliveryFailure failure, bool doubtful = false)
    {
        var opened = !IsOpen;
        IsDoubtful = doubtful && failure.RetryAfter is null && (opened || IsDoubtful);
        if (opened)
            _openedAt = clock.GetTimestamp();
        (_failures, _failedAt, Reason) = (Math.Min(_failures + 1, int.MaxValue - 1), clock.GetTimestamp(), failure.Reason);
        _pause = Backoff.OfProbes.After(_failures, chance());
        if (failure.RetryAfter is { } asked && asked > _pause)
            _pause = asked < ServerLimits.PluginRetryAfterMax ? asked : ServerLimits.PluginRetryAfterMax;
        return opened;
    }

    /// <summary>Something was taken, or refused by a plugin that is there.</summary>
    /// <returns>For how long it was open; null: it was not.</returns>
    public TimeSpan? Close()
    {
        if (!IsOpen)
            return null;
        var open = OpenFor;
        (_failures, Reason, IsDoubtful) = (0, null, false);
        return open;
    }
}
