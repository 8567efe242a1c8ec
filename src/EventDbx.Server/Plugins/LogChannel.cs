using EventDbx.Server.Logs;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Plugins;

/// <summary>Each event a line of the server's log, source <c>plugin</c>: <c>trail: aggregate=order id=o-1 event=order-paid</c>.</summary>
/// <remarks>Payloads may be confidential, and are in no line. The log escapes what would break one.</remarks>
internal sealed class LogChannel : IPluginChannel
{
    /// <summary>The levels, from the least on.</summary>
    public static readonly string[] Levels = ["trace", "debug", "info", "warn", "error"];

    readonly PluginSurroundings _surroundings;
    readonly string _name;
    readonly string? _template;
    readonly LogLevel _level;

    /// <exception cref="RefusedException">There is no such level.</exception>
    public LogChannel(PluginDefinition plugin, PluginSurroundings surroundings)
    {
        (_surroundings, _name, _template) = (surroundings, plugin.Label, plugin.Config.Template);
        _level = LevelOf(plugin.Config.Level) ?? throw new RefusedException(
            RefusalCode.InvalidArgument, $"unsupported log level '{Rest.Shown.Of(plugin.Config.Level)}'; there are {string.Join(", ", Levels)}.");
    }

    public int BatchMax => ServerLimits.PluginBatchMax;

    public int Concurrency => 1;

    public ulong? Unsettled => null;

    public Task CheckAsync(CancellationToken cancellation) => Task.CompletedTask;

    public Task<DeliveryOutcome> DeliverAsync(IReadOnlyList<Delivery> events, CancellationToken cancellation)
    {
        if (_surroundings.Log is { } log)
        {
            foreach (var one in events)
                log(new(Timestamp.From(_surroundings.Clock.GetUtcNow()), _level, "plugin", $"{_name}: {TextOf(_template, one.Record)}"));
        }

        return Task.FromResult(new DeliveryOutcome(events.Count, null));
    }

    public Task SettleAsync(CancellationToken cancellation) => Task.CompletedTask;

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    /// <summary>In any case; null where there is none of that name.</summary>
    public static LogLevel? LevelOf(string name) => Array.FindIndex(Levels, level => level.Equals(name, StringComparison.OrdinalIgnoreCase)) is >= 0 and var at ? (LogLevel)at : null;

    /// <summary>A template with <c>{aggregate}</c>, <c>{id}</c> and <c>{event}</c> filled in, once: what a name holds is no template.</summary>
    static string TextOf(string? template, EventRecord record)
    {
        if (template is null)
            return $"aggregate={LogText.Value(record.Aggregate.Type)} id={LogText.Value(record.Aggregate.Id)} event={LogText.Value(record.EventType)}";
        StringBuilder text = new(template.Length + 64);
        for (var rest = template.AsSpan(); !rest.IsEmpty;)
        {
            var open = rest.IndexOf('{');
            if (open < 0)
            {
                text.Append(rest);
                break;
            }

            text.Append(rest[..open]);
            rest = rest[open..];
            var (length, value) = rest switch
            {
                _ when rest.StartsWith("{aggregate}") => ("{aggregate}".Length, record.Aggregate.Type),
                _ when rest.StartsWith("{id}") => ("{id}".Length, record.Aggregate.Id),
                _ when rest.StartsWith("{event}") => ("{event}".Length, record.EventType),
                _ => (1, "{"),
            };
            text.Append(value);
            rest = rest[length..];
        }

        return text.ToString();
    }
}
