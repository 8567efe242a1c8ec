using EventDbx.Delivery;

namespace EventDbx.Server.Tests.Plugins;

/// <summary>A queue that can be taken away from its courier, as a power cut does, or say other things than it holds.</summary>
internal sealed class CrashingQueue(IDeliveryQueue queue) : IDeliveryQueue
{
    volatile bool _down;

    public bool IsDown => _down;

    public ulong? Cursor { get; init; }

    public long? Dead { get; set; }

    public long Saves => Interlocked.Read(ref _saves);

    long _saves;

    /// <summary>From now on nothing is kept.</summary>
    public void Crash() => _down = true;

    public ulong? FindCursor(string plugin) => Cursor ?? queue.FindCursor(plugin);

    public Task SaveAsync(string plugin, DeliveryChange change)
    {
        Interlocked.Increment(ref _saves);
        return _down ? Task.FromException(new IOException("The power is off.")) : queue.SaveAsync(plugin, change);
    }

    public Task ForgetAsync(string plugin) => queue.ForgetAsync(plugin);

    public DeliveryCounts Count(string plugin) => Dead is { } dead ? new(queue.Count(plugin).Waiting, dead) : queue.Count(plugin);

    public IReadOnlyList<WaitingAggregate> GetWaiting(string plugin, AggregateKey? after, int take) => queue.GetWaiting(plugin, after, take);

    public IReadOnlyList<DeadLetter> GetDead(string plugin, ulong after, int take) => queue.GetDead(plugin, after, take);

    public IReadOnlyList<string> GetPlugins() => queue.GetPlugins();
}
