namespace EventDbx.Server.Plugins;

/// <summary>How events reach one plugin: a kept connection, a client, a child process. It delivers, and decides nothing about tries.</summary>
/// <remarks>Opened once for as long as the plugin is enabled; connects when it has to, and again where a connection was lost. One caller at a time, but for <see cref="Concurrency"/>.</remarks>
internal interface IPluginChannel : IAsyncDisposable
{
    /// <summary>Events that one <see cref="DeliverAsync"/> takes at most.</summary>
    int BatchMax { get; }

    /// <summary>How many <see cref="DeliverAsync"/> may run at once, each with other aggregates; 1: events are handed over in the order of the log.</summary>
    int Concurrency { get; }

    /// <summary>The first position that was handed over and of which it is not known whether the other end has it; null where there is none. A cursor is kept only up to before it: after a crash these go again.</summary>
    ulong? Unsettled { get; }

    /// <summary>Whether the other end is there; nothing is delivered. What <c>plugin enable</c> and <c>plugin test</c> ask first.</summary>
    /// <exception cref="PluginDownException">It is not, with the reason in a sentence for people.</exception>
    Task CheckAsync(CancellationToken cancellation);

    /// <summary>Hands events over, in this order, those of one aggregate by version. Does not throw for what the other end does; retries nothing beyond its own lost connection.</summary>
    Task<DeliveryOutcome> DeliverAsync(IReadOnlyList<Delivery> events, CancellationToken cancellation);

    /// <summary>Makes sure that the other end has what it was handed, where that is not known; waits for it as long as it is let. When it returns, <see cref="Unsettled"/> is null or the next <see cref="DeliverAsync"/> hands over again.</summary>
    Task SettleAsync(CancellationToken cancellation);
}

/// <summary>What became of events that were handed over.</summary>
/// <param name="Taken">How many, from the first on.</param>
/// <param name="Failure">Why the next one was not; null when all were.</param>
internal readonly record struct DeliveryOutcome(int Taken, DeliveryFailure? Failure);

/// <summary>Why an event was not taken (decision 35).</summary>
/// <param name="IsRefusal">True: the plugin is there and does not take this event. False: the plugin is down, which is no fault of the event's.</param>
/// <param name="Reason">In a sentence, with what the other end said; bounded, without secrets.</param>
/// <param name="RetryAfter">When the other end asks to be asked again, where it does.</param>
internal sealed record DeliveryFailure(bool IsRefusal, string Reason, TimeSpan? RetryAfter = null);

/// <summary>The other end cannot be reached.</summary>
internal sealed class PluginDownException(string message, Exception? cause = null) : Exception(message, cause);
