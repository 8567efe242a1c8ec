using System.Buffers;
using System.Runtime.CompilerServices;
using EventDbx.Delivery;
using EventDbx.Reading;
using EventDbx.Server.Rest;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Plugins;

/// <inheritdoc/>
/// <remarks>Thread-safe. What has to be reached is reached before anything waits for it: a plugin that hangs keeps nobody from changing others.</remarks>
internal sealed partial class PluginControl : IPluginControl
{
    const string Manage = "manage plugins";

    readonly PluginSurroundings _surroundings;
    readonly PluginBook _book;
    readonly Dispatcher? _running;
    readonly Func<PluginDefinition, IPluginChannel> _open;
    readonly Database _database;
    readonly IDeliveryQueue _queue;

    /// <param name="surroundings">What plugins work with.</param>
    /// <param name="book">Which there are.</param>
    /// <param name="running">Those that run; null: nobody delivers here.</param>
    public PluginControl(PluginSurroundings surroundings, PluginBook book, Dispatcher? running)
        : this(surroundings, book, running, plugin => PluginChannels.Open(plugin, surroundings)) { }

    /// <summary>The same, with another way to plugins.</summary>
    public PluginControl(PluginSurroundings surroundings, PluginBook book, Dispatcher? running, Func<PluginDefinition, IPluginChannel> open) =>
        (_surroundings, _book, _running, _open, _database, _queue) = (surroundings, book, running, open, surroundings.Database, surroundings.Database.Deliveries);

    public IReadOnlyList<PluginStatus> List(Session by)
    {
        by.DemandRoot(Manage);
        return [.. _book.List().Select(StatusOf)];
    }

    public async Task<(PluginStatus Plugin, bool IsNew)> SetAsync(Session by, string name, PluginUpsert asked, CancellationToken cancellation)
    {
        by.DemandRoot(Manage);
        var (plugin, isNew) = await _book.SetAsync(by, name, asked, cancellation).ConfigureAwait(false);
        var label = Courier.LabelOf(plugin);
        await FollowAsync(isNew ? label : null, async () =>
        {
            // One of that name may have been removed when the power failed, before it was forgotten.
            if (isNew && _queue.FindCursor(label) is not null)
                await _queue.ForgetAsync(label).ConfigureAwait(false);
            await BeginAsync(plugin, null).ConfigureAwait(false);
        }).ConfigureAwait(false);
        return (StatusOf(plugin), isNew);
    }

    public async Task<(PluginStatus Plugin, bool Changed)> EnableAsync(Session by, string name, DeliveryStart? from, CancellationToken cancellation)
    {
        by.DemandRoot(Manage);
        if (from?.Position is { } position && position > _database.LogSize)
        {
            throw new RefusedException(RefusalCode.InvalidArgument, FormattableString.Invariant(
                $"`from` is position {position}, and the log has {_database.LogSize} entries: now, start, or a position up to that."));
        }

        var wasEnabled = Find(name).Enabled;
        var plugin = await _book.EnableAsync(by, name, enabled: true, cancellation).ConfigureAwait(false);
        await FollowAsync(from is null ? null : Courier.LabelOf(plugin), () => BeginAsync(plugin, from, by)).ConfigureAwait(false);
        return (StatusOf(plugin), !wasEnabled);
    }

    public async Task<(PluginStatus Plugin, bool Changed)> DisableAsync(Session by, string name, CancellationToken cancellation)
    {
        by.DemandRoot(Manage);
        var wasEnabled = Find(name).Enabled;
        var plugin = await _book.EnableAsync(by, name, enabled: false, cancellation).ConfigureAwait(false);
        await FollowAsync(null, static () => Task.CompletedTask).ConfigureAwait(false);
        return (StatusOf(plugin), wasEnabled);
    }

    public async Task RemoveAsync(Session by, string name, CancellationToken cancellation)
    {
        by.DemandRoot(Manage);
        var label = Courier.LabelOf(Find(name));
        await _book.RemoveAsync(by, name, cancellation).ConfigureAwait(false);
        await FollowAsync(label, () => _queue.ForgetAsync(label)).ConfigureAwait(false);
    }

    public async IAsyncEnumerable<PluginTestResult> TestAsync(Session by, string? name, [EnumeratorCancellation] CancellationToken cancellation)
    {
        by.DemandRoot("test plugins");
        IReadOnlyList<PluginDefinition> plugins = name is null ? [.. _book.List().Where(plugin => plugin.Enabled)] : [Find(name)];
        foreach (var plugin in plugins)
        {
            string? failure;
            try
            {
                var use = Use(plugin);
                await using (use.ConfigureAwait(false))
                    failure = await use.DoAsync(courier => courier.TestAsync(), cancellation).ConfigureAwait(false);
            }
            catch (RefusedException refused)
            {
                failure = refused.Message;
            }

            yield return new(plugin, failure);
        }
    }

    public async IAsyncEnumerable<ReplayStep> ReplayAsync(Session by, string plugin, string type, string? id, [EnumeratorCancellation] CancellationToken cancellation)
    {
        by.DemandRoot("replay events");
        var enabled = _book.List().Where(one => one.Enabled).ToList();
        var definition = enabled.Find(one => Courier.LabelOf(one) == plugin.Trim()) ?? throw PluginBook.NoneNamed(plugin, enabled, "enabled plugin");
        var events = new PluginEvents(_database, definition);
        var use = Use(definition);
        await using (use.ConfigureAwait(false))
        {
            foreach (var aggregate in id is null ? AggregatesOf(by, type, cancellation) : [AggregateKey.Create(type, id)])
            {
                for (ulong? next = 1; next is { } from;)
                {
                    cancellation.ThrowIfCancellationRequested();
                    var found = events.FindEvents(aggregate, from, ServerLimits.PluginCatchUpEvents + 1);
                    if (found is not { Count: > 0 })
                        break;
                    var page = found.Take(ServerLimits.PluginCatchUpEvents).ToList();
                    next = found.Count > page.Count ? found[page.Count].Version : null;
                    var failure = await use.DoAsync(courier => courier.ReplayAsync([.. page.Where(events.Wants)]), cancellation).ConfigureAwait(false);
                    if (failure is not null)
                    {
                        throw new RefusedException(new Refusal(RefusalCode.Unavailable,
                            $"plugin '{Courier.LabelOf(definition)}' did not take {Shown.Of(type)}::{Shown.Of(aggregate.Id)} again: {failure}") { Final = true });
                    }

                    yield return new(aggregate, page[^1].Version, Done: next is null);
                }
            }
        }
    }

    static IEnumerable<AggregateKey> AggregatesOf(Session by, string type, CancellationToken cancellation)
    {
        byte[]? after = null;
        do
        {
            var page = by.GetAggregates(new AggregateFilter { Type = type }, after, 0, Limits.PageItemsMax, cancellation: cancellation);
            foreach (var found in page.Items)
                yield return found.Aggregate;
            after = page.Next;
        }
        while (after is not null);
    }

    PluginDefinition Find(string name)
    {
        var plugins = _book.List();
        return plugins.FirstOrDefault(plugin => Courier.LabelOf(plugin) == name.Trim()) ?? throw PluginBook.NoneNamed(name, plugins);
    }

    PluginStatus StatusOf(PluginDefinition plugin)
    {
        var label = Courier.LabelOf(plugin);
        var courier = plugin.Enabled ? _running?.Running.GetValueOrDefault(label) : null;
        var status = courier?.Status;
        var position = status?.Reached ?? _queue.FindCursor(label);
        return new()
        {
            Definition = plugin,
            State = !plugin.Enabled ? PluginState.Disabled : status?.State ?? (courier is null ? PluginState.Stopped : PluginState.Running),
            Position = position, Lag = position is { } reached && _database.LogSize is var size && size > reached ? size - reached : 0,
            Counts = _queue.Count(label), LastError = status?.LastError, NextAttemptAt = status?.NextAttemptAt,
        };
    }

    /// <summary>Where an enabled plugin begins; one that has begun stays where it is, but for <paramref name="from"/>.</summary>
    async Task BeginAsync(PluginDefinition plugin, DeliveryStart? from, Session? by = null)
    {
        var label = Courier.LabelOf(plugin);
        var before = _queue.FindCursor(label);
        if (!plugin.Enabled || (before is not null && from is null))
            return;
        var cursor = from?.Position ?? _database.LogSize;
        if (before is not null && before != cursor)
            await by!.NoteChangeAsync(SettingChange.Plugin, label, MovedBody(before.Value, cursor), CancellationToken.None).ConfigureAwait(false);
        // What waits behind that place comes by itself again.
        const int PageRows = 500;
        AggregateKey? after = null;
        while (_queue.GetWaiting(label, after, PageRows) is { Count: > 0 } rows)
        {
            var behind = rows.Where(row => row.Position > cursor).Select(row => row.Aggregate).ToList();
            if (behind.Count > 0)
                await _queue.SaveAsync(label, new() { Released = behind }).ConfigureAwait(false);
            after = rows[^1].Aggregate;
        }

        await _queue.SaveAsync(label, new() { Cursor = cursor }).ConfigureAwait(false);
    }

    static ReadOnlyMemory<byte> MovedBody(ulong from, ulong to)
    {
        var output = new ArrayBufferWriter<byte>();
        var members = new JsonMembers(output);
        members.Text("action"u8, "moved");
        members.Number("from"u8, from);
        members.Number("to"u8, to);
        members.End();
        return output.WrittenMemory;
    }

    Task FollowAsync(string? stopped, Func<Task> change)
    {
        if (_running is null)
            return change();
        // Not to be given up half way: the book has changed already.
        return _running.ChangeAsync(stopped, async () =>
        {
            await change().ConfigureAwait(false);
            return true;
        }, CancellationToken.None);
    }

    PluginUse Use(PluginDefinition plugin) => new(plugin, _surroundings, _queue, _open, _running);
}
