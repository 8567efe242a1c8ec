using EventDbx.Delivery;
using EventDbx.Server.Rest;
using EventDbx.Server.Telemetry;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Plugins;

/// <summary>What the log of the server learns of one plugin: that it is down, once, and back; and each dead letter, as far as a storm lets it.</summary>
internal sealed class CourierLog : IDisposable
{
    static readonly TimeSpan DeadWindow = TimeSpan.FromMinutes(1);

    readonly string _plugin;
    readonly PluginSurroundings _surroundings;
    readonly LogAllowance _dead;

    public CourierLog(string plugin, PluginSurroundings surroundings)
    {
        (_plugin, _surroundings) = (plugin, surroundings);
        _dead = new(1, DeadWindow, surroundings.Clock, more => Tell(LogLevel.Error, FormattableString.Invariant(
            $"plugin '{plugin}' has given up {more} more events within a minute; `dbx queue` lists them.")));
    }

    public void Down(string reason, ulong behind) => Tell(LogLevel.Warning, FormattableString.Invariant(
        $"plugin '{_plugin}' is down: {reason.TrimEnd('.')}. It is tried until it is back, nothing counts against any event meanwhile; the log is {behind} entries ahead of it."));

    public void Back(TimeSpan open, ulong behind) => Tell(LogLevel.Information, FormattableString.Invariant(
        $"plugin '{_plugin}' is back after {Show(open)}; the log is {behind} entries ahead of it."));

    /// <summary>What somebody has to look at.</summary>
    public void Dead(WaitingAggregate row)
    {
        if (_dead.TryTake())
        {
            Tell(LogLevel.Error, FormattableString.Invariant(
                $"dead letter: plugin '{_plugin}' has refused {Shown.Of(row.EventType)}, version {row.Version} of {Shown.Of(row.Aggregate.Type)}::{Shown.Of(row.Aggregate.Id)}, event {row.EventId}, {row.Attempts} times, and it is given up: {row.LastError.TrimEnd('.')}. `dbx queue retry --event-id {row.EventId}` tries it again."));
        }
    }

    public void Gone(AggregateKey aggregate) => Tell(LogLevel.Information,
        $"plugin '{_plugin}': {Shown.Of(aggregate.Type)}::{Shown.Of(aggregate.Id)} is gone; what waited of it is dropped.");

    public void Full(int waiting) => Tell(LogLevel.Error, FormattableString.Invariant(
        $"plugin '{_plugin}' refuses too much: {waiting} aggregates wait for it, at most {Limits.DeliveryWaitingMax} may, and {Limits.DeliveryDeadMax} events be dead. No new events are taken up for it until some are taken; none is passed over."));

    public void Lost(ulong cursor, ulong size) => Tell(LogLevel.Warning, FormattableString.Invariant(
        $"plugin '{_plugin}' had everything up to position {cursor}, and the log has {size} entries, for a loss was accepted. It goes on behind the last one."));

    public void Faulted(Exception fault) => Tell(LogLevel.Error,
        $"plugin '{_plugin}' stands still, and nothing is passed over: {fault.Message.TrimEnd('.')}. It is tried again.", fault);

    public void Stopped() => Tell(LogLevel.Information, $"plugin '{_plugin}' stops with the writer.");

    public void Unkept(Exception cause) => Tell(LogLevel.Warning,
        $"plugin '{_plugin}': how far it was could not be kept ({cause.Message.TrimEnd('.')}); the last events go to it again.");

    public void Dispose() => _dead.Dispose();

    /// <summary>A time as people say it.</summary>
    public static string Show(TimeSpan time) => time switch
    {
        { TotalSeconds: < 100 } => FormattableString.Invariant($"{time.TotalSeconds:0} s"),
        { TotalMinutes: < 100 } => FormattableString.Invariant($"{time.TotalMinutes:0} min"),
        _ => FormattableString.Invariant($"{time.TotalHours:0.#} h"),
    };

    void Tell(LogLevel level, string message, Exception? failure = null) =>
        _surroundings.Log?.Invoke(new(Timestamp.From(_surroundings.Clock.GetUtcNow()), level, "plugins", message, failure));
}
