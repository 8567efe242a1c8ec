using System.Globalization;
using EventDbx.Protocol.CapnProto;
using EventDbx.Server.Plugins.Install;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Plugins.Process;

/// <summary>Keeps one plugin running: starts it, sends it <c>init</c>, and starts it again when it ends, later each time.</summary>
internal sealed class ProcessSupervisor : IAsyncDisposable
{
    readonly string _label;
    readonly ProcessSettings _settings;
    readonly PluginSurroundings _surroundings;
    readonly PluginRegistry _registry;
    readonly ProcessTail _tail;
    readonly PluginOutput _output;
    readonly CancellationTokenSource _stopping = new();
    readonly Lock _gate = new();
    TaskCompletionSource _changed = NewChange();
    Task? _loop;
    Standing _standing = new(null, false, null, 0, default);
    bool _acknowledges;

    public ProcessSupervisor(string label, ProcessSettings settings, PluginSurroundings surroundings, ProcessTail tail)
    {
        (_label, _settings, _surroundings, _tail) = (label, settings, surroundings, tail);
        _registry = new(surroundings.DataDirectory);
        _output = new(label, surroundings);
    }

    /// <summary>How it stands: running, or why not and until when. Neither: it is being started.</summary>
    sealed record Standing(PluginChild? Child, bool Acknowledges, string? Why, long Since, TimeSpan Pause);

    /// <summary>Starts it, if nobody did.</summary>
    public void Start()
    {
        lock (_gate)
            _loop ??= Task.Run(RunAsync);
    }

    /// <summary>Whether it is there, as far as that can be said without starting one.</summary>
    /// <exception cref="PluginDownException">It is not.</exception>
    public void Check()
    {
        lock (_gate)
        {
            if (_loop is not null && _standing.Why is { } why)
                throw new PluginDownException(why);
        }

        PluginStart.Check(FindPlugin());
    }

    /// <summary>The running one, and whether it acknowledges; starts it, and waits until it runs or does not.</summary>
    /// <returns>Or why there is none, and when to ask again.</returns>
    public async Task<(PluginChild? Child, bool Acknowledges, DeliveryFailure? Failure)> FindAsync(CancellationToken cancellation)
    {
        Start();
        while (true)
        {
            Standing standing;
            Task changed;
            lock (_gate)
                (standing, changed) = (_standing, _changed.Task);
            if (standing.Child is { } child && !child.Ended.IsCompleted)
                return (child, standing.Acknowledges, null);
            if (standing.Why is { } why)
            {
                var left = standing.Pause - _surroundings.Clock.GetElapsedTime(standing.Since);
                return (null, false, new(IsRefusal: false, why, left > TimeSpan.Zero ? left : TimeSpan.Zero));
            }

            await changed.WaitAsync(cancellation).ConfigureAwait(false);
        }
    }

    /// <summary>Until its standing is another one than now.</summary>
    public Task Changed
    {
        get
        {
            lock (_gate)
                return _changed.Task;
        }
    }

    /// <summary>Ends it in order. More than once does no harm; the source of the signal has no timer and needs no end.</summary>
    public async ValueTask DisposeAsync()
    {
        Task loop;
        lock (_gate)
            loop = _loop ??= Task.CompletedTask;
        await _stopping.CancelAsync().ConfigureAwait(false);
        await loop.ConfigureAwait(false);
    }

    async Task RunAsync()
    {
        for (var failures = 0; !_stopping.IsCancellationRequested;)
        {
            var since = _surroundings.Clock.GetTimestamp();
            var (why, atOnce) = await RunOnceAsync().ConfigureAwait(false);
            if (_stopping.IsCancellationRequested)
                break;
            if (_surroundings.Clock.GetElapsedTime(since) >= ServerLimits.ProcessHealthyAfter)
                failures = 0;
            var pause = atOnce ? TimeSpan.Zero : PauseAfter(failures++, _surroundings.Jitter());
            _output.Say(atOnce ? LogLevel.Information : LogLevel.Warning, string.Create(CultureInfo.InvariantCulture, $"{_label}: {why}; it is started again in {pause.TotalSeconds:0.0} s"));
            Stand(new(null, false, why, _surroundings.Clock.GetTimestamp(), pause));
            try
            {
                await Task.Delay(pause, _surroundings.Clock, _stopping.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                // A stop.
            }

            Stand(new(null, false, null, 0, default));
        }

        Stand(new(null, false, "it is stopped", 0, default));
    }

    /// <summary>Doubling, up to a minute; a fifth more or less.</summary>
    internal static TimeSpan PauseAfter(int failures, double jitter)
    {
        var pause = ServerLimits.ProcessRestartMin * Math.Pow(2, Math.Min(failures, 30));
        return (pause < ServerLimits.ProcessRestartMax ? pause : ServerLimits.ProcessRestartMax) * (0.8 + (0.4 * jitter));
    }

    async Task<(string Why, bool AtOnce)> RunOnceAsync()
    {
        try
        {
            var plugin = FindPlugin();
            using var child = PluginChild.Start(plugin, _settings, _output, _surroundings.Clock);
            _tail.Begin(() => child.HasRead);
            try
            {
                await child.WriteAsync(PluginFrames.WriteInit(new(), new(plugin.Name, plugin.Version, plugin.Target)), _stopping.Token).ConfigureAwait(false);
                // One that has not said it in time is taken for another version, which does not.
                var mustSoon = _acknowledges;
                _acknowledges = false;
                _acknowledges = await child.AcknowledgesAsync(mustSoon, _stopping.Token).ConfigureAwait(false);
                var acknowledges = _acknowledges;
                Stand(new(child, acknowledges, null, 0, default));
                await child.Ended.WaitAsync(_stopping.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                await child.StopAsync().ConfigureAwait(false);
            }
            catch (PluginDownException)
            {
                // It is ending, and says why then.
            }

            var why = await child.Ended.ConfigureAwait(false);
            if (child.EndedWell)
                _tail.Clear();
            else
                _tail.Die();
            _acknowledges |= child.SaidHelloLate;
            return (why, child.SaidHelloLate);
        }
        catch (Exception down) when (down is PluginDownException or RefusedException or IOException or UnauthorizedAccessException)
        {
            return (down.Message, false);
        }
    }

    InstalledPlugin FindPlugin()
    {
        try
        {
            return _registry.Find(_settings.Plugin, _settings.Version)
                ?? throw new PluginDownException($"plugin '{_label}' is unavailable: plugin {_settings.Plugin}@{_settings.Version} is not installed for target {PluginTarget.Current}");
        }
        catch (Exception unread) when (unread is RefusedException or IOException or UnauthorizedAccessException)
        {
            throw new PluginDownException($"plugin '{_label}' is unavailable: {unread.Message}", unread);
        }
    }

    void Stand(Standing standing)
    {
        TaskCompletionSource changed;
        lock (_gate)
            (changed, _changed, _standing) = (_changed, NewChange(), standing);
        changed.TrySetResult();
    }

    static TaskCompletionSource NewChange() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
