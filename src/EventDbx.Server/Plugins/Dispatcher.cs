using System.Buffers;
using EventDbx.Delivery;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Plugins;

/// <summary>Runs a courier for each enabled plugin, and lets the couriers follow when the plugins change.</summary>
/// <remarks>Thread-safe: one change after the other. A plugin that starts or stops slowly keeps nobody's appends or requests from going on.</remarks>
internal sealed class Dispatcher : IAsyncDisposable
{
    readonly PluginSurroundings _surroundings;
    readonly PluginBook _book;
    readonly IDeliveryQueue _queue;
    readonly Func<PluginDefinition, IPluginChannel> _open;
    readonly SemaphoreSlim _changing = new(1, 1);
    readonly Dictionary<string, PluginFigures> _figures = new(StringComparer.Ordinal);
    /// <summary>As they run; replaced whole, so that whoever looks at metrics or lists waits for nobody.</summary>
    volatile Dictionary<string, Courier> _running = new Dictionary<string, Courier>(StringComparer.Ordinal);
    bool _stopped;

    /// <param name="surroundings">What the plugins work with.</param>
    /// <param name="book">Which plugins there are.</param>
    /// <param name="queue">What they have yet to take.</param>
    /// <param name="open">Opens the way to one.</param>
    public Dispatcher(PluginSurroundings surroundings, PluginBook book, IDeliveryQueue queue, Func<PluginDefinition, IPluginChannel> open) =>
        (_surroundings, _book, _queue, _open) = (surroundings, book, queue, open);

    /// <summary>The couriers that run, by their labels.</summary>
    public IReadOnlyDictionary<string, Courier> Running => _running;

    /// <summary>Starts those that are enabled. Plugins that cannot be read keep no server from starting.</summary>
    public Task StartAsync() => ChangeAsync(null, static () => Task.FromResult(true), CancellationToken.None);

    /// <summary>Does something to the plugins, with the courier of one of them at rest, and lets the couriers follow.</summary>
    /// <param name="stopped">Whose; null: nobody's.</param>
    /// <param name="change">What is done.</param>
    public async Task<T> ChangeAsync<T>(string? stopped, Func<Task<T>> change, CancellationToken cancellation)
    {
        await _changing.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            if (stopped is not null)
                await StopAsync(stopped).ConfigureAwait(false);
            try
            {
                return await change().ConfigureAwait(false);
            }
            finally
            {
                await FollowAsync().ConfigureAwait(false);
            }
        }
        finally
        {
            _changing.Release();
        }
    }

    /// <summary>Does something with the courier of a plugin: in its turn, where it runs; otherwise with one that is there for this alone.</summary>
    public async Task<T> UseAsync<T>(PluginDefinition plugin, Func<Courier, Task<T>> work, CancellationToken cancellation)
    {
        if (_running.TryGetValue(Courier.LabelOf(plugin), out var running))
            return await running.DoAsync(() => work(running), cancellation).ConfigureAwait(false);
        await _changing.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            if (!_running.TryGetValue(Courier.LabelOf(plugin), out running))
                return await UseAloneAsync(plugin, _surroundings, _queue, _open, work, cancellation).ConfigureAwait(false);
        }
        finally
        {
            _changing.Release();
        }

        return await running.DoAsync(() => work(running), cancellation).ConfigureAwait(false);
    }

    /// <summary>The same where nothing runs.</summary>
    public static async Task<T> UseAloneAsync<T>(
        PluginDefinition plugin, PluginSurroundings surroundings, IDeliveryQueue queue, Func<PluginDefinition, IPluginChannel> open, Func<Courier, Task<T>> work, CancellationToken cancellation)
    {
        var courier = new Courier(plugin, surroundings, queue, open, new());
        await using (courier.ConfigureAwait(false))
            return await courier.DoAsync(() => work(courier), cancellation).ConfigureAwait(false);
    }

    /// <summary>What came of hand-overs to a plugin so far.</summary>
    public PluginFigures FiguresOf(string label)
    {
        lock (_figures)
            return _figures.TryGetValue(label, out var found) ? found : _figures[label] = new();
    }

    /// <summary>Stops every courier: what is under way may finish until the deadline.</summary>
    public async Task StopAsync(TimeSpan deadline)
    {
        await _changing.WaitAsync().ConfigureAwait(false);
        try
        {
            _stopped = true;
            var running = _running;
            _running = new Dictionary<string, Courier>(StringComparer.Ordinal);
            await Task.WhenAll(running.Values.Select(courier => EndAsync(courier, deadline))).ConfigureAwait(false);
        }
        finally
        {
            _changing.Release();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(ServerLimits.PluginStopWithin).ConfigureAwait(false);
        _changing.Dispose();
    }

    async Task FollowAsync()
    {
        if (_stopped)
            return;
        IReadOnlyList<PluginDefinition> plugins;
        try
        {
            plugins = _book.List();
        }
        catch (Exception unreadable) when (unreadable is RefusedException or IOException or UnauthorizedAccessException)
        {
            // Those that run go on as they are.
            Tell($"The plugins cannot be read, so none is started or stopped: {unreadable.Message}", unreadable);
            return;
        }

        var wanted = new Dictionary<string, PluginDefinition>(StringComparer.Ordinal);
        foreach (var plugin in plugins.Where(plugin => plugin.Enabled))
            wanted[Courier.LabelOf(plugin)] = plugin;
        foreach (var (label, courier) in _running)
        {
            if (!wanted.TryGetValue(label, out var plugin) || !IsSame(plugin, courier.Plugin))
                await StopAsync(label).ConfigureAwait(false);
        }

        foreach (var (label, plugin) in wanted)
        {
            if (_running.ContainsKey(label))
                continue;
            var courier = new Courier(plugin, _surroundings, _queue, _open, FiguresOf(label));
            _running = new Dictionary<string, Courier>(_running, StringComparer.Ordinal) { [label] = courier };
            courier.Start();
        }
    }

    async Task StopAsync(string label)
    {
        if (!_running.TryGetValue(label, out var courier))
            return;
        var left = new Dictionary<string, Courier>(_running, StringComparer.Ordinal);
        left.Remove(label);
        _running = left;
        await EndAsync(courier, ServerLimits.PluginStopWithin).ConfigureAwait(false);
    }

    static async Task EndAsync(Courier courier, TimeSpan deadline)
    {
        await courier.StopAsync(deadline).ConfigureAwait(false);
        await courier.DisposeAsync().ConfigureAwait(false);
    }

    static bool IsSame(PluginDefinition one, PluginDefinition other)
    {
        if (one.Config.Kind != other.Config.Kind)
            return false;
        var (left, right) = (new ArrayBufferWriter<byte>(), new ArrayBufferWriter<byte>());
        PluginJson.Write(left, one, secrets: true);
        PluginJson.Write(right, other, secrets: true);
        return left.WrittenSpan.SequenceEqual(right.WrittenSpan);
    }

    void Tell(string message, Exception cause) =>
        _surroundings.Log?.Invoke(new(Timestamp.From(_surroundings.Clock.GetUtcNow()), LogLevel.Error, "plugins", message, cause));
}
