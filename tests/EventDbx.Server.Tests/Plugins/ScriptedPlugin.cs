using EventDbx.Server.Plugins;

namespace EventDbx.Server.Tests.Plugins;

using Delivery = EventDbx.Server.Plugins.Delivery;

/// <summary>A plugin that answers as a test says, and remembers everything it was handed.</summary>
internal sealed class ScriptedPlugin(TimeProvider clock) : IPluginChannel
{
    readonly Lock _gate = new();
    readonly List<Attempt> _attempts = [];
    int _underWay;

    /// <summary>One event that was handed over.</summary>
    /// <param name="At">When, by the clock of the test.</param>
    /// <param name="Record">Which.</param>
    /// <param name="Failure">Null: it was taken.</param>
    public sealed record Attempt(DateTimeOffset At, EventRecord Record, DeliveryFailure? Failure);

    public int BatchMax { get; init; } = 1;

    public int Concurrency { get; init; } = 1;

    public ulong? Unsettled { get; set; }

    /// <summary>What it says to an event; null: it takes it.</summary>
    public Func<EventRecord, DeliveryFailure?> Answer { get; set; } = static _ => null;

    /// <summary>Thrown instead of an answer.</summary>
    public Func<Exception?> Fault { get; set; } = static () => null;

    /// <summary>Waited for within each hand-over.</summary>
    public Func<CancellationToken, Task> Pause { get; set; } = static _ => Task.CompletedTask;

    /// <summary>It takes all of a batch, or nothing.</summary>
    public bool WholeBatches { get; init; }

    public int Checks { get; private set; }

    public bool IsDisposed { get; private set; }

    /// <summary>The most hand-overs that were under way at once.</summary>
    public int MostAtOnce { get; private set; }

    public IReadOnlyList<Attempt> Attempts
    {
        get
        {
            lock (_gate)
                return [.. _attempts];
        }
    }

    public IReadOnlyList<EventRecord> Taken => [.. Attempts.Where(attempt => attempt.Failure is null).Select(attempt => attempt.Record)];

    /// <summary>Taken events as <c>id/version</c>, in the order in which they came.</summary>
    public IReadOnlyList<string> Names => [.. Taken.Select(record => $"{record.Aggregate.Id}/{record.Version}")];

    public static DeliveryFailure Refused(string reason = "422: no") => new(IsRefusal: true, reason);

    public static DeliveryFailure Down(string reason = "connection refused", TimeSpan? retryAfter = null) => new(IsRefusal: false, reason, retryAfter);

    public Task CheckAsync(CancellationToken cancellation)
    {
        Checks++;
        return Answer(SampleEvent.Record) is { IsRefusal: false } down ? throw new PluginDownException(down.Reason) : Task.CompletedTask;
    }

    public async Task<DeliveryOutcome> DeliverAsync(IReadOnlyList<Delivery> events, CancellationToken cancellation)
    {
        Assert.InRange(events.Count, 1, BatchMax);
        lock (_gate)
            MostAtOnce = Math.Max(MostAtOnce, ++_underWay);
        try
        {
            await Pause(cancellation);
            if (Fault() is { } fault)
                throw fault;
            lock (_gate)
                return Deliver(events);
        }
        finally
        {
            lock (_gate)
                _underWay--;
        }
    }

    DeliveryOutcome Deliver(IReadOnlyList<Delivery> events)
    {
        if (WholeBatches && events.Select(one => Answer(one.Record)).FirstOrDefault(failure => failure is not null) is { } refusal)
        {
            _attempts.AddRange(events.Select(one => new Attempt(clock.GetUtcNow(), one.Record, refusal)));
            return new(0, refusal);
        }

        for (var i = 0; i < events.Count; i++)
        {
            var failure = Answer(events[i].Record);
            _attempts.Add(new(clock.GetUtcNow(), events[i].Record, failure));
            if (failure is not null)
                return new(i, failure);
        }

        return new(events.Count, null);
    }

    public Task SettleAsync(CancellationToken cancellation) => Task.CompletedTask;

    public ValueTask DisposeAsync()
    {
        IsDisposed = true;
        return ValueTask.CompletedTask;
    }
}
