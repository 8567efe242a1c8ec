using EventDbx.Delivery;

namespace EventDbx.Server.Tests.Plugins;

/// <summary>A queue whose writer is too busy for some commits, and which ends after so many: a power cut between two of them.</summary>
internal sealed class BusyQueue(IDeliveryQueue queue) : IDeliveryQueue
{
    int _saves;

    /// <summary>Whether the commit of that number, from 1 on, is refused.</summary>
    public Func<int, bool> IsBusy { get; init; } = static _ => false;

    /// <summary>So many commits are made, and none after them.</summary>
    public int EndsAfter { get; init; } = int.MaxValue;

    public int Refused { get; private set; }

    public int Saves => _saves;

    public ulong? FindCursor(string plugin) => queue.FindCursor(plugin);

    public Task SaveAsync(string plugin, DeliveryChange change)
    {
        var number = ++_saves;
        if (number > EndsAfter)
            return Task.FromException(new IOException("The power is off."));
        if (!IsBusy(number))
            return queue.SaveAsync(plugin, change);
        Refused++;
        return Task.FromException(new RefusedException(RefusalCode.Overloaded, "The writer has too much to do. Try again."));
    }

    public Task ForgetAsync(string plugin) => queue.ForgetAsync(plugin);

    public DeliveryCounts Count(string plugin) => queue.Count(plugin);

    public IReadOnlyList<WaitingAggregate> GetWaiting(string plugin, AggregateKey? after, int take) => queue.GetWaiting(plugin, after, take);

    public IReadOnlyList<DeadLetter> GetDead(string plugin, ulong after, int take) => queue.GetDead(plugin, after, take);

    public IReadOnlyList<string> GetPlugins() => queue.GetPlugins();
}
