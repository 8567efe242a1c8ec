using System.Text;
using EventDbx.Integrity;
using EventDbx.Server.Configuration;
using EventDbx.Server.Plugins;

namespace EventDbx.Server.Tests.Plugins;

// The engine has a namespace of that name.
using Delivery = EventDbx.Server.Plugins.Delivery;

/// <summary>What the tests of channels share: surroundings without a database, and events.</summary>
internal static class Sinks
{
    /// <summary>Channels ask for no database.</summary>
    public static PluginSurroundings Surroundings(TimeProvider? clock = null, Action<LogLine>? log = null, params string[] allowed) => new()
    {
        Database = null!, DataDirectory = "/nowhere", Settings = () => new() { DataDir = "/nowhere", PluginAllowedAddresses = new(allowed) },
        Clock = clock ?? TimeProvider.System, Log = log, Jitter = () => 0.5,
    };

    public static PluginDefinition Plugin(PluginConfig config, string name = "sink") => new() { Enabled = true, Name = name, Config = config };

    public static Delivery Event(ulong position, string aggregate = "o-1", string payload = """{"a":1}""", string type = "order", string eventType = "order-paid") => new(
        new()
        {
            Aggregate = AggregateKey.Create(type, aggregate), EventType = eventType, Payload = Encoding.UTF8.GetBytes(payload),
            EventId = Guid.Parse($"0190a0a0-0000-7000-8000-{position:x12}"), CreatedAt = new Timestamp(638_000_000_000_000_000 + (long)position), Version = position,
            Hash = Hash32.Of([]), MerkleRoot = Hash32.Of([]), Position = position,
        },
        () => null,
        () => default);

    public static Delivery[] Events(ulong from, ulong to) => [.. Enumerable.Range(0, (int)(to - from + 1)).Select(i => Event(from + (ulong)i))];

    /// <summary>Waits for what others do by themselves.</summary>
    public static async Task UntilAsync(Func<bool> condition)
    {
        using var late = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        while (!condition())
            await Task.Delay(TimeSpan.FromMilliseconds(2), late.Token);
    }
}
