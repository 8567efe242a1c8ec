using EventDbx.Delivery;

namespace EventDbx.Server.Plugins;

/// <summary>What people ask of a plugin: it is done between two pages, over the same channel, by the same loop.</summary>
internal sealed partial class Courier
{
    volatile CourierStatus? _status;
    bool _read;
    string? _lastError;

    /// <summary>What it is doing; null: it has only just begun.</summary>
    public CourierStatus? Status => _status;

    /// <summary>Aggregates that wait.</summary>
    public int Waiting => _progress.Count;

    /// <summary>Does something in its turn; where it does not run, at once.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.Unavailable"/>: it stands still, or stops.</exception>
    public async Task<T> DoAsync<T>(Func<Task<T>> work, CancellationToken cancellation)
    {
        if (_running is null)
        {
            await LoadForJobsAsync().ConfigureAwait(false);
            return await work().ConfigureAwait(false);
        }

        var job = new Job<T>(work);
        _jobs.Enqueue(job);
        try
        {
            _wake.Release();
        }
        catch (ObjectDisposedException)
        {
            // It has ended.
        }

        if (_running.IsCompleted)
            FailJobs();
        return await job.Outcome.WaitAsync(cancellation).ConfigureAwait(false);
    }

    /// <summary>Reaches the plugin, and sends it the sample event.</summary>
    /// <returns>Why it failed; null: it was taken.</returns>
    public async Task<string?> TestAsync()
    {
        try
        {
            await Channel.CheckAsync(_abandon.Token).ConfigureAwait(false);
        }
        catch (PluginDownException down)
        {
            return Bounded(down.Message);
        }

        var outcome = await Channel.DeliverAsync([SampleEvent.Prepare()], _abandon.Token).ConfigureAwait(false);
        if (outcome.Failure is { } failure)
            return Bounded(failure.Reason);
        return await SettleAsync(SampleEvent.Record.Position).ConfigureAwait(false);
    }

    /// <summary>Sends stored events of one aggregate again, in order.</summary>
    /// <returns>Why one of them was not taken; null: all were.</returns>
    public async Task<string?> ReplayAsync(IReadOnlyList<EventRecord> records)
    {
        var max = Math.Max(1, Channel.BatchMax);
        for (var from = 0; from < records.Count; from += max)
        {
            var outcome = await HandOverAsync([.. records.Skip(from).Take(max).Select(record => _events.Prepare(record, exact: true))]).ConfigureAwait(false);
            if (outcome.Failure is { } failure)
                return FormattableString.Invariant($"version {records[from + outcome.Taken].Version}: {failure.Reason}");
            CloseCircuit();
        }

        return records.Count == 0 ? null : await SettleAsync(records[^1].Position).ConfigureAwait(false);
    }

    /// <summary>Tries a dead event again. Where it is taken, it is dead no more, and what it held goes on.</summary>
    public async Task<(DeliveryFailure? Failure, bool Gone)> RetryAsync(DeadLetter letter)
    {
        if (_events.FindEvents(letter.Aggregate, letter.Version, take: 1) is not [{ } record])
        {
            _log.Gone(letter.Aggregate);
            await ClearAsync([letter]).ConfigureAwait(false);
            return (null, true);
        }

        var outcome = await HandOverAsync([_events.Prepare(record)]).ConfigureAwait(false);
        if (outcome.Failure is { } failure)
            return (failure, false);
        CloseCircuit();
        // Dead no more only when the other end has it.
        if (await SettleAsync(record.Position).ConfigureAwait(false) is { } unsettled)
            return (new(IsRefusal: false, unsettled), false);
        await ClearAsync([letter]).ConfigureAwait(false);
        return (null, false);
    }

    /// <summary>Dead events are dead no more; aggregates that they hold go on behind them.</summary>
    public async Task<int> ClearAsync(IReadOnlyList<DeadLetter> letters)
    {
        foreach (var letter in letters)
        {
            _progress.Clear(letter.Position);
            if (_progress.Find(letter.Aggregate) is { Row: { Held: true } row } && row.Version == letter.Version)
                GoOnBehind(row);
        }

        if (_loaded)
        {
            await SaveAsync(handedOver: false).ConfigureAwait(false);
            await _progress.FlushAsync().ConfigureAwait(false);
        }

        return letters.Count;
    }

    void GoOnBehind(WaitingAggregate row)
    {
        if (_events.FindEvents(row.Aggregate, row.Version + 1, take: 1) is [{ } next])
            Postpone(next, handed: 0);
        else
            _progress.Release(row.Aggregate, handed: 0);
    }

    /// <summary>Until the other end has what it was handed; null, or why that is not known.</summary>
    async Task<string?> SettleAsync(ulong position)
    {
        if (Channel.Unsettled is null)
            return null;
        using var late = CancellationTokenSource.CreateLinkedTokenSource(_abandon.Token);
        late.CancelAfter(ServerLimits.PluginSettledWithin);
        try
        {
            await Channel.SettleAsync(late.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!_abandon.IsCancellationRequested)
        {
            // As long as it is let.
        }

        return Channel.Unsettled is { } first && first <= position
            ? FormattableString.Invariant($"it was handed over, and within {ServerLimits.PluginSettledWithin.TotalSeconds:0} s it is not known whether the plugin has it")
            : null;
    }

    /// <summary>Where nothing walks: what is kept is read, and nothing begins.</summary>
    async Task LoadForJobsAsync()
    {
        ObjectDisposedException.ThrowIf(_closed, this);
        if (_read)
            return;
        _read = true;
        var cursor = await _progress.LoadAsync().ConfigureAwait(false);
        (_reached, _loaded) = (cursor ?? 0, cursor is not null);
    }

    async Task DoJobsAsync()
    {
        while (_jobs.TryDequeue(out var job))
        {
            await job.RunAsync().ConfigureAwait(false);
            if (_stop.IsCancellationRequested)
                return;
        }
    }

    void FailJobs()
    {
        while (_jobs.TryDequeue(out var job))
        {
            job.Fail(new(new Refusal(RefusalCode.Unavailable, _fault is { } fault && !_stop.IsCancellationRequested
                ? $"The plugin '{Label}' stands still: {fault}"
                : $"The plugin '{Label}' was stopped or changed meanwhile. Try again.")));
        }
    }

    void Publish()
    {
        var (state, error, next) = (PluginState.Running, _lastError, (Timestamp?)null);
        lock (_gate)
        {
            if (_closed)
            {
                state = PluginState.Stopped;
            }
            else if (_fault is not null)
            {
                (state, error) = (PluginState.Down, $"it stands still: {_fault}");
            }
            else if (_circuit.IsOpen)
            {
                (state, error) = (PluginState.Down, FormattableString.Invariant($"down for {CourierLog.Show(_circuit.OpenFor)}: {_circuit.Reason}"));
                next = Timestamp.From(_clock.GetUtcNow() + (_circuit.Left > TimeSpan.Zero ? _circuit.Left : TimeSpan.Zero));
            }
            else if (_isFull)
            {
                error = $"it stands still: so many aggregates wait for it ({_progress.Count}), or events are dead, that no more are taken up; the last was refused because {_lastError}";
            }
        }

        _status = new(state, _page?.Done ?? _reached, error, next);
    }

    /// <summary>Something that is done in the loop for somebody who waits.</summary>
    abstract class Job
    {
        public abstract Task RunAsync();

        public abstract void Fail(RefusedException refused);
    }

    sealed class Job<T>(Func<Task<T>> work) : Job
    {
        readonly TaskCompletionSource<T> _outcome = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<T> Outcome => _outcome.Task;

        public override async Task RunAsync()
        {
            try
            {
                _outcome.TrySetResult(await work().ConfigureAwait(false));
            }
            catch (Exception cause) when (cause is not OutOfMemoryException)
            {
                _outcome.TrySetException(cause);
            }
        }

        public override void Fail(RefusedException refused) => _outcome.TrySetException(refused);
    }
}

/// <summary>What a courier is doing, as of its last step.</summary>
/// <param name="State">Whether the plugin can be reached.</param>
/// <param name="Reached">Everything up to here was taken, waits or is dead.</param>
/// <param name="LastError">Why it is down or stands still, or what it refused last.</param>
/// <param name="NextAttemptAt">When it is tried again, where it is down.</param>
internal sealed record CourierStatus(PluginState State, ulong Reached, string? LastError, Timestamp? NextAttemptAt);
