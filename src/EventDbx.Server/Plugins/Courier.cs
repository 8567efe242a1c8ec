using System.Collections.Concurrent;
using EventDbx.Delivery;

namespace EventDbx.Server.Plugins;

/// <summary>Brings the events of the log to one plugin: at least once, those of an aggregate in the order of their versions.</summary>
/// <remarks>
/// It walks the log with a durable cursor, a page at a time, and keeps what came of a page in one commit while the next page is handed
/// over. What fails is one of two things (decision 35): the plugin is down, then everything waits, and nothing counts; or an event is
/// refused, then its aggregate waits alone. Nothing of it runs on the writer or in a request, and no fault of ours ends it for good:
/// it begins again from what is kept. One loop; what others ask of it (<see cref="DoAsync"/>) runs in that loop, in its turn.
/// How it goes on its way: docs/decisions/0024-dispatch.md.
/// </remarks>
internal sealed partial class Courier : IAsyncDisposable
{
    readonly PluginDefinition _plugin;
    readonly PluginSurroundings _surroundings;
    readonly Func<PluginDefinition, IPluginChannel> _open;
    readonly TimeProvider _clock;
    readonly Database _database;
    readonly IDeliveryQueue _queue;
    readonly PluginEvents _events;
    readonly DeliveryProgress _progress;
    readonly Circuit _circuit;
    readonly CourierLog _log;
    readonly ConcurrentQueue<Job> _jobs = [];
    readonly SemaphoreSlim _wake = new(0);
    readonly CancellationTokenSource _stop = new();
    /// <summary>The time is over in which what is under way may finish.</summary>
    readonly CancellationTokenSource _abandon = new();
    readonly Lock _gate = new();
    readonly HashSet<ulong> _ahead = [];
    IPluginChannel? _channel;
    PluginPage? _page;
    Task? _running;
    ulong _reached;
    int _batchLimit = 1;
    bool _isFull;
    /// <summary>It is the turn of the feed.</summary>
    bool _hasTried;
    string? _fault;
    int _faults;
    /// <summary>Whether what it knows is what is kept, and there is a cursor to move.</summary>
    bool _loaded;
    bool _closed;
    volatile bool _isIdle;

    /// <param name="plugin">Which; as it is for as long as this runs.</param>
    /// <param name="surroundings">What it works with.</param>
    /// <param name="queue">What is kept of it.</param>
    /// <param name="open">Opens the way to it.</param>
    /// <param name="attempts">Counts what comes of it.</param>
    public Courier(PluginDefinition plugin, PluginSurroundings surroundings, IDeliveryQueue queue, Func<PluginDefinition, IPluginChannel> open, PluginFigures attempts)
    {
        (_plugin, _surroundings, _open, _clock, _database, _queue) = (plugin, surroundings, open, surroundings.Clock, surroundings.Database, queue);
        _attempts = attempts;
        _events = new(_database, plugin);
        _progress = new(queue, Label, _clock);
        _circuit = new(_clock, surroundings.Jitter);
        _log = new(Label, surroundings);
    }

    public PluginDefinition Plugin => _plugin;

    /// <summary>What came of hand-overs.</summary>
    public PluginFigures Figures => _attempts;

    /// <summary>Whether it waits for something to do.</summary>
    public bool IsIdle => _isIdle;

    /// <summary>Opened when it is needed first.</summary>
    IPluginChannel Channel => _channel ??= _open(_plugin);

    /// <summary>By what the plugin goes in the queue, in metrics and in the log: its name, or its kind where an old document gives it none.</summary>
    public string Label => LabelOf(_plugin);

    public static string LabelOf(PluginDefinition plugin) => plugin.Name ?? PluginJson.NameOf(plugin.Config.Kind);

    /// <summary>Begins the walk, where it stopped, or behind the last event where it never began.</summary>
    public void Start() => _running ??= Task.Run(RunAsync);

    /// <summary>Hands over nothing new, lets what is under way finish until the deadline, and keeps what came of it.</summary>
    public async Task StopAsync(TimeSpan deadline)
    {
        await _stop.CancelAsync().ConfigureAwait(false);
        if (_running is null)
        {
            await CloseAsync().ConfigureAwait(false);
            return;
        }

        // By the system's clock: a stop has an end even where a test holds the other one.
        using var late = new CancellationTokenSource(deadline, TimeProvider.System);
        await using (late.Token.Register(_abandon.Cancel).ConfigureAwait(false))
            await _running.ConfigureAwait(false);
    }

    public async ValueTask DisposeAsync()
    {
        await StopAsync(ServerLimits.PluginStopWithin).ConfigureAwait(false);
        _log.Dispose();
        _stop.Dispose();
        _abandon.Dispose();
        _wake.Dispose();
    }

    async Task RunAsync()
    {
        // Never on the thread of whoever enabled it, and never by an exception out of here.
        await Task.Yield();
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                await LoadAsync().ConfigureAwait(false);
                await WalkAsync().ConfigureAwait(false);
            }
            catch (Exception) when (_stop.IsCancellationRequested)
            {
                // It fails because it stops; what was not kept goes again.
            }
            catch (RefusedException gone) when (gone.Refusal.Code == RefusalCode.Unavailable && _database.Unhealthy is not null)
            {
                // The writer has stopped, and has said so. Nothing can be kept any more, so nothing more is handed over.
                _log.Stopped();
                break;
            }
            catch (ObjectDisposedException)
            {
                break;
            }
            catch (Exception fault)
            {
                await FaultAsync(fault).ConfigureAwait(false);
            }
        }

        await CloseAsync().ConfigureAwait(false);
        FailJobs();
    }

    /// <summary>A fault of ours, or of the store: told once, and then all is begun again from what is kept.</summary>
    async Task FaultAsync(Exception fault)
    {
        if (_fault != fault.Message)
            _log.Faulted(fault);
        _fault = fault.Message;
        _faults++;
        (_page, _loaded) = (null, false);
        Publish();
        await LeaveAsync().ConfigureAwait(false);
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        var due = Task.Delay(Backoff.OfProbes.After(_faults, _surroundings.Jitter()), _clock, enough.Token);
        Task asked = Task.CompletedTask;
        // Whoever asks something meanwhile is told so, and does not wait for it.
        while (!due.IsCompleted)
        {
            FailJobs();
            asked = _wake.WaitAsync(enough.Token);
            _isIdle = true;
            await Task.WhenAny(due, asked).ConfigureAwait(false);
        }

        _isIdle = false;

        await enough.CancelAsync().ConfigureAwait(false);
        await asked.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await due.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    async Task LoadAsync()
    {
        _page = null;
        _ahead.Clear();
        // A program runs beside the server, whether there is an event for it or not.
        if (Channel is Process.ProcessChannel program)
            program.Start();
        var size = _database.LogSize;
        if (await _progress.LoadAsync().ConfigureAwait(false) is not { } cursor)
        {
            cursor = size;
            await _queue.SaveAsync(Label, new() { Cursor = cursor }).ConfigureAwait(false);
            await _progress.LoadAsync().ConfigureAwait(false);
        }
        else if (cursor > size)
        {
            // Part of the log was lost, and that was accepted: what stands there now never was handed over.
            _log.Lost(cursor, size);
            await _queue.SaveAsync(Label, new() { Cursor = cursor = size }).ConfigureAwait(false);
            _progress.Moved(size);
        }

        (_reached, _loaded) = (cursor, true);
        Publish();
    }

    async Task WalkAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            await DoJobsAsync().ConfigureAwait(false);
            var before = _attempts.Taken;
            var moved = _circuit.IsOpen ? await ProbeAsync().ConfigureAwait(false) : await RoundAsync().ConfigureAwait(false);
            await SaveAsync(_attempts.Taken != before).ConfigureAwait(false);
            (_fault, _faults) = (null, 0);
            Publish();
            if (!moved)
                await WaitAsync().ConfigureAwait(false);
        }
    }

    /// <summary>Some of what waits and is due, or a page of the log; whether there was anything.</summary>
    async Task<bool> RoundAsync()
    {
        // In turns, each with a commit of its own: so no more than a page is handed over between two of them.
        var tries = _page is null && !_hasTried;
        _hasTried = tries;
        if (tries && await TryWaitingAsync().ConfigureAwait(false))
            return true;
        _hasTried = false;
        var before = _reached;
        _page ??= ReadPage();
        if (_page is not null)
            await DeliverPageAsync(_page).ConfigureAwait(false);
        else if (_reached > before)
            await Task.Yield(); // Through much that it does not get, it lets others have the thread in between.
        return _page is not null || _reached > before || _progress.FindLeft() <= TimeSpan.Zero;
    }

    /// <summary>The next page with something in it; null: there is none by now, or no room for what it may bring.</summary>
    PluginPage? ReadPage()
    {
        var wasFull = _isFull;
        _isFull = !_progress.HasRoomFor(ServerLimits.PluginPageEvents);
        if (_isFull && !wasFull)
            _log.Full(_progress.Count);
        if (_isFull || _reached >= _database.LogSize)
            return null;
        var read = _events.ReadFeed(_reached);
        List<PluginPageItem> items = [];
        foreach (var item in read.Items)
        {
            if (item.Event is { } record && !_ahead.Remove(record.Position) && _events.Wants(record) && !_progress.Waits(record))
                items.Add(new(record));
        }

        if (items.Count > 0)
            return new(items, read.ReachedPosition);
        _reached = read.ReachedPosition;
        return null;
    }

    /// <summary>Once everything of the page is done, the next one may come.</summary>
    bool FinishPage()
    {
        if (_page is null || _page.FindOpen() is not null)
            return false;
        _reached = Math.Max(_reached, _page.Reached);
        _page = null;
        return true;
    }

    Task SaveAsync(bool handedOver)
    {
        FinishPage();
        return _progress.SaveAsync(_page?.Done ?? _reached, _channel?.Unsettled, handedOver);
    }

    /// <summary>Until there is something to do: the log grows, somebody is due, somebody asks, or what was not kept can be.</summary>
    async Task WaitAsync()
    {
        await _progress.FlushAsync().ConfigureAwait(false);
        using var enough = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        List<Task> reasons = [_wake.WaitAsync(enough.Token)];
        if (!_isFull && _page is null && (!_circuit.IsOpen || _circuit.IsDoubtful))
            reasons.Add(_events.WaitForFeedAsync(_reached, enough.Token));
        if (FindPause() is { } pause)
            reasons.Add(Task.Delay(Whole(pause), _clock, enough.Token));
        _isIdle = true;
        var first = await Task.WhenAny(reasons).ConfigureAwait(false);
        _isIdle = false;
        await enough.CancelAsync().ConfigureAwait(false);
        await Task.WhenAll(reasons).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        // A writer that has stopped will not say more.
        if (first.IsFaulted)
            await first.ConfigureAwait(false);
    }

    /// <summary>Whole milliseconds, not less: a timer knows no others, and one that rang early would ring on and on.</summary>
    static TimeSpan Whole(TimeSpan pause) => pause > TimeSpan.Zero ? TimeSpan.FromMilliseconds(Math.Ceiling(pause.TotalMilliseconds)) : TimeSpan.Zero;

    TimeSpan? FindPause()
    {
        TimeSpan?[] pauses = [_circuit.IsOpen ? _circuit.Left : _progress.FindLeft(), _progress.LeftToKeep(_page?.Done ?? _reached)];
        return pauses.Min();
    }

    /// <summary>The way is closed; what is known to be taken is kept.</summary>
    async Task CloseAsync()
    {
        if (_closed)
            return;
        _closed = true;
        if (_channel is not null)
        {
            try
            {
                await _channel.SettleAsync(_abandon.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                // As long as it is let. What is not known then goes again.
            }
            catch (Exception fault) when (fault is not OutOfMemoryException)
            {
                _log.Faulted(fault);
            }

            try
            {
                if (_database.Unhealthy is null && _loaded)
                {
                    await SaveAsync(handedOver: true).ConfigureAwait(false);
                    await _progress.FlushAsync().ConfigureAwait(false);
                }
            }
            catch (Exception unkept) when (unkept is not OutOfMemoryException)
            {
                _log.Unkept(unkept);
            }

            await LeaveAsync().ConfigureAwait(false);
        }

        Publish();
    }

    /// <summary>What the channel still holds goes again by another one.</summary>
    async Task LeaveAsync()
    {
        var channel = _channel;
        _channel = null;
        try
        {
            if (channel is not null)
                await channel.DisposeAsync().ConfigureAwait(false);
        }
        catch (Exception fault) when (fault is not OutOfMemoryException)
        {
            _log.Faulted(fault);
        }
    }
}
