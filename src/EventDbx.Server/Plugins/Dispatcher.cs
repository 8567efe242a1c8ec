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
    /// <summary>Plugins that do not run and are used all the same, for as long as that takes.</summary>
    readonly Dictionary<string, AloneUse> _alone = new(StringComparer.Ordinal);
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
    public async Task<T> UseAsync<T>(PluginDefinition plugin, Func<Courier, CancellationToken, Task<T>> work, CancellationToken cancellation)
    {
        var label = Courier.LabelOf(plugin);
        while (true)
        {
            if (_running.TryGetValue(label, out var running))
                return await running.DoAsync(ending => work(running, ending), cancellation).ConfigureAwait(false);
            AloneUse? mine = null;
            Task other = Task.CompletedTask;
            await _changing.WaitAsync(cancellation).ConfigureAwait(false);
            try
            {
                if (_stopped)
                    throw Changed(label);
                if (!_running.ContainsKey(label))
                {
                    lock (_alone)
                    {
                        if (_alone.TryGetValue(label, out var found))
                            other = found.Ended;
                        else
                            _alone.Add(label, mine = new());
                    }
                }
            }
            finally
            {
                _changing.Release();
            }

            // Outside of the turn of changes: a plugin that hangs keeps nobody from changing others.
            if (mine is not null)
                return await UseAloneAsync(plugin, label, mine, work, cancellation).ConfigureAwait(false);
            await other.WaitAsync(cancellation).ConfigureAwait(false);
        }
    }

    async Task<T> UseAloneAsync<T>(PluginDefinition plugin, string label, AloneUse use, Func<Courier, CancellationToken, Task<T>> work, CancellationToken cancellation)
    {
        try
        {
            using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellation, use.Ending);
            var courier = new Courier(plugin, _surroundings, _queue, _open, new());
            await using (courier.ConfigureAwait(false))
                return await courier.DoAsync(still => work(courier, still), ending.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw Changed(label);
        }
        finally
        {
            lock (_alone)
                _alone.Remove(label);
            use.Dispose();
        }
    }

    static RefusedException Changed(string label) => new(new Refusal(RefusalCode.Unavailable, $"The plugin '{label}' was stopped or changed meanwhile. Try again."));

    /// <summary>Whoever uses a plugin that does not run gives it back.</summary>
    async Task EndAloneAsync(string? label)
    {
        List<AloneUse> uses = [];
        lock (_alone)
        {
            if (label is null)
                uses.AddRange(_alone.Values);
            else if (_alone.TryGetValue(label, out var use))
                uses.Add(use);
        }

        foreach (var use in uses)
            use.Leave();
        foreach (var use in uses)
            await use.Ended.ConfigureAwait(false);
    }

    /// <summary>The use of a plugin that does not run: by one at a time, until it is done, or told to leave.</summary>
    sealed class AloneUse : IDisposable
    {
        readonly CancellationTokenSource _leave = new();
        readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public CancellationToken Ending => _leave.Token;

        public Task Ended => _ended.Task;

        public void Leave()
        {
            try
            {
                _leave.Cancel();
            }
            catch (ObjectDisposedException)
            {
                // It has left just now.
            }
        }

        public void Dispose()
        {
            _ended.TrySetResult();
            _leave.Dispose();
        }
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
            await EndAloneAsync(null).ConfigureAwait(false);
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
            await EndAloneAsync(label).ConfigureAwait(false);
            var courier = new Courier(plugin, _surroundings, _queue, _open, FiguresOf(label));
            _running = new Dictionary<string, Courier>(_running, StringComparer.Ordinal) { [label] = courier };
            courier.Start();
        }
    }

    async Task StopAsync(string label)
    {
        await EndAloneAsync(label).ConfigureAwait(false);
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
