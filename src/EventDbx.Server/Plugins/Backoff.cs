namespace EventDbx.Server.Plugins;

/// <summary>How long to wait before the next try: doubling from one pause to another, scattered.</summary>
/// <param name="First">After the first failure.</param>
/// <param name="Max">After many.</param>
internal readonly record struct Backoff(TimeSpan First, TimeSpan Max)
{
    /// <summary>Of an event that was refused.</summary>
    public static Backoff OfRefusals => new(ServerLimits.PluginRetryFirst, ServerLimits.PluginRetryMax);

    /// <summary>Of a plugin that is down.</summary>
    public static Backoff OfProbes => new(ServerLimits.PluginRetryFirst, ServerLimits.PluginProbeMax);

    /// <summary>The pause after a number of failures.</summary>
    /// <param name="failures">1 and up.</param>
    /// <param name="chance">From 0 up to 1: where in the <see cref="ServerLimits.PluginJitter"/> around it.</param>
    public TimeSpan After(int failures, double chance)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(failures, 1);
        var plain = Math.Min(First.Ticks * Math.Pow(2, Math.Min(failures - 1, 40)), Max.Ticks);
        return TimeSpan.FromTicks((long)(plain * (1 + ServerLimits.PluginJitter * (2 * chance - 1))));
    }
}
