using EventDbx.Delivery;
using EventDbx.Events;

namespace EventDbx.Tests.Delivery;

/// <summary>What a queue should hold, as dictionaries; and changes drawn at random.</summary>
internal sealed class DeliveryModel
{
    sealed class Plugin
    {
        public ulong Cursor { get; set; }

        public SortedDictionary<AggregateKey, WaitingAggregate> Waiting { get; } = [];

        public SortedDictionary<ulong, DeadLetter> Dead { get; } = [];
    }

    readonly SortedDictionary<string, Plugin> _plugins = new(StringComparer.Ordinal);

    public void Apply(string name, DeliveryChange change)
    {
        if (!_plugins.TryGetValue(name, out var plugin))
            _plugins.Add(name, plugin = new());
        plugin.Cursor = change.Cursor ?? plugin.Cursor;
        foreach (var aggregate in change.Released)
            plugin.Waiting.Remove(aggregate);
        foreach (var entry in change.Waiting)
            plugin.Waiting[entry.Aggregate] = entry;
        foreach (var position in change.Cleared)
            plugin.Dead.Remove(position);
        foreach (var letter in change.Dead)
            plugin.Dead[letter.Position] = letter;
    }

    public void Forget(string name) => _plugins.Remove(name);

    public bool Knows(string name) => _plugins.ContainsKey(name);

    /// <summary>A change of some rows; of those that are there, often.</summary>
    public DeliveryChange Draw(Random random, string name, IReadOnlyList<AggregateKey> aggregates, ulong logSize)
    {
        var plugin = _plugins.GetValueOrDefault(name);
        var some = aggregates.OrderBy(_ => random.Next()).Take(random.Next(6)).ToList();
        var released = some.Take(random.Next(some.Count + 1)).ToList();
        var positions = Enumerable.Range(1, (int)logSize).Select(n => (ulong)n).OrderBy(_ => random.Next()).Take(random.Next(6)).ToList();
        if (plugin is { Dead.Count: > 0 } && random.Next(2) == 0)
            positions = [.. positions.Append(plugin.Dead.Keys.ElementAt(random.Next(plugin.Dead.Count))).Distinct()];
        var cleared = positions.Take(random.Next(positions.Count + 1)).ToList();
        return new()
        {
            Cursor = plugin is null || random.Next(2) == 0 ? (ulong)random.NextInt64((long)logSize + 1) : null,
            Released = released,
            Waiting = [.. some.Skip(released.Count).Select(aggregate => Waiting(random, aggregate, (ulong)random.NextInt64(1, (long)logSize + 1)))],
            Cleared = cleared,
            Dead = [.. positions.Skip(cleared.Count).Select(position => Dead(random, aggregates[random.Next(aggregates.Count)], position))],
        };
    }

    public static WaitingAggregate Waiting(Random random, AggregateKey aggregate, ulong position) => new()
    {
        Aggregate = aggregate, Position = position, Version = (ulong)random.NextInt64(1, long.MaxValue), EventId = Id(random), EventType = random.Next(2) == 0 ? "placed" : "dépôt",
        Attempts = random.Next(), NextAttemptAt = Time(random), LastError = Error(random), Held = random.Next(2) == 0,
    };

    public static DeadLetter Dead(Random random, AggregateKey aggregate, ulong position) => new()
    {
        Aggregate = aggregate, Position = position, Version = (ulong)random.NextInt64(1, long.MaxValue), EventId = Id(random), EventType = "placed",
        Attempts = random.Next(), At = Time(random), LastError = Error(random),
    };

    static Guid Id(Random random)
    {
        var bytes = new byte[16];
        random.NextBytes(bytes);
        return new(bytes);
    }

    static Timestamp Time(Random random) => new(random.NextInt64(17_000_000_000_000_000));

    static string Error(Random random) => random.Next(4) == 0 ? "" : string.Concat(Enumerable.Repeat("409 été 🚲 ", random.Next(1, 40)));

    /// <summary>Everything a queue has to say, read by pages of a few.</summary>
    public static string Tell(IDeliveryQueue queue)
    {
        var text = new StringBuilder();
        foreach (var name in queue.GetPlugins())
        {
            text.AppendLine($"{name} {queue.FindCursor(name)} {queue.Count(name)}");
            WaitingAggregate? after = null;
            while (queue.GetWaiting(name, after?.Aggregate, 3) is [.., var last] page)
            {
                foreach (var entry in page)
                    text.AppendLine(entry.ToString());
                after = last;
            }

            var position = 0UL;
            while (queue.GetDead(name, position, 3) is [.., var last] page)
            {
                foreach (var letter in page)
                    text.AppendLine(letter.ToString());
                position = last.Position;
            }
        }

        return text.ToString();
    }

    public override string ToString()
    {
        var text = new StringBuilder();
        foreach (var (name, plugin) in _plugins)
        {
            text.AppendLine($"{name} {plugin.Cursor} {new DeliveryCounts(plugin.Waiting.Count, plugin.Dead.Count)}");
            foreach (var entry in plugin.Waiting.Values)
                text.AppendLine(entry.ToString());
            foreach (var letter in plugin.Dead.Values)
                text.AppendLine(letter.ToString());
        }

        return text.ToString();
    }
}
