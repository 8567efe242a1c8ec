namespace EventDbx.Server.Plugins;

/// <summary>Handing over a page, and finding out what it is that fails.</summary>
internal sealed partial class Courier
{
    readonly PluginFigures _attempts;
    /// <summary>Up to where no event of another aggregate was found, while one is looked for.</summary>
    ulong _lookedUpTo;

    async Task DeliverPageAsync(PluginPage page)
    {
        var lanes = Math.Max(1, Channel.Concurrency);
        if (lanes == 1)
        {
            await DeliverAsync(page.Items).ConfigureAwait(false);
            return;
        }

        var shares = page.Share(Math.Max(1, Channel.BatchMax));
        await Task.WhenAll(Enumerable.Range(0, Math.Min(lanes, shares.Count)).Select(_ => LaneAsync())).ConfigureAwait(false);

        async Task LaneAsync()
        {
            while (true)
            {
                List<PluginPageItem>? share;
                lock (_gate)
                {
                    if (_circuit.IsOpen || !shares.TryDequeue(out share))
                        return;
                }

                await DeliverAsync(share).ConfigureAwait(false);
                if (_stop.IsCancellationRequested)
                    return;
            }
        }
    }

    /// <summary>Events one after the other, until all are done, or the plugin is down.</summary>
    async Task DeliverAsync(IReadOnlyList<PluginPageItem> items)
    {
        List<PluginPageItem> batch = [];
        // A batch that is refused as a whole is halved until it is known which event it is; up to there it stays small.
        var (next, size, smallUpTo) = (0, int.MaxValue, 0);
        while (!_stop.IsCancellationRequested && !IsOpen())
        {
            if (next >= smallUpTo)
                size = int.MaxValue;
            next = Collect(items, next, Math.Min(size, BatchLimit()), batch, out var end);
            if (batch.Count == 0)
                return;
            var outcome = await HandOverAsync(batch).ConfigureAwait(false);
            if (outcome.Failure is not { } failure)
            {
                GrowBatches();
            }
            else if (!failure.IsRefusal)
            {
                Trip(failure, batch[outcome.Taken]);
                return;
            }
            else if (outcome.Taken == 0 && batch.Count > 1)
            {
                (size, smallUpTo) = (batch.Count / 2, Math.Max(smallUpTo, end));
            }
            else
            {
                Refuse(batch[outcome.Taken], failure);
                size = int.MaxValue;
            }
        }
    }

    bool IsOpen()
    {
        lock (_gate)
            return _circuit.IsOpen;
    }

    /// <summary>After a failure it begins with one event: a batch that fails does not say which of its events it was.</summary>
    int BatchLimit()
    {
        lock (_gate)
            return Math.Min(_batchLimit, Math.Max(1, Channel.BatchMax));
    }

    void GrowBatches()
    {
        lock (_gate)
            _batchLimit = Math.Min(2 * _batchLimit, Math.Max(1, Channel.BatchMax));
    }

    /// <summary>The next events that go together; those whose aggregate waits by now are done here.</summary>
    /// <returns>The place of the first of them.</returns>
    int Collect(IReadOnlyList<PluginPageItem> items, int from, int max, List<PluginPageItem> batch, out int end)
    {
        batch.Clear();
        var first = from;
        for (end = from; end < items.Count && batch.Count < max; end++)
        {
            var item = items[end];
            if (!item.IsDone && _progress.Waits(item.Record))
                item.IsDone = true;
            if (item.IsDone)
                continue;
            if (batch.Count == 0)
                first = end;
            batch.Add(item);
        }

        return first;
    }

    async Task<DeliveryOutcome> HandOverAsync(List<PluginPageItem> batch)
    {
        var outcome = await HandOverAsync([.. batch.Select(item => _events.Prepare(item.Record))]).ConfigureAwait(false);
        for (var i = 0; i < outcome.Taken; i++)
            batch[i].IsDone = true;
        return outcome;
    }

    /// <summary>To the channel, and counted. What it says is put right where it cannot be.</summary>
    async Task<DeliveryOutcome> HandOverAsync(IReadOnlyList<Delivery> batch)
    {
        var outcome = await Channel.DeliverAsync(batch, _abandon.Token).ConfigureAwait(false);
        var taken = Math.Clamp(outcome.Taken, 0, batch.Count);
        var failure = taken == batch.Count ? null
            : outcome.Failure is not { } said ? new(IsRefusal: false, FormattableString.Invariant($"it took {taken} of {batch.Count} events and did not say why"))
            : said with { Reason = Bounded(said.Reason) };
        _attempts.Count(taken, failure);
        return new(taken, failure);
    }

    static string Bounded(string reason)
    {
        var end = Limits.DeliveryErrorCharactersMax;
        return string.IsNullOrWhiteSpace(reason) ? "it gave no reason"
            : reason.Length <= end ? reason
            : $"{reason[..(char.IsHighSurrogate(reason[end - 2]) ? end - 2 : end - 1)]}…";
    }

    /// <summary>The plugin is down: the first lane that finds out says so.</summary>
    void Trip(DeliveryFailure failure, PluginPageItem item)
    {
        lock (_gate)
        {
            item.Downs++;
            if (_circuit.IsOpen)
                return;
            Open(failure, doubtful: false);
        }
    }

    void Open(DeliveryFailure failure, bool doubtful)
    {
        _batchLimit = 1;
        if (_circuit.Fail(failure, doubtful))
            _log.Down(failure.Reason, Behind);
    }

    void CloseCircuit()
    {
        lock (_gate)
        {
            _lookedUpTo = 0;
            if (_circuit.Close() is { } open)
                _log.Back(open, Behind);
        }
    }

    ulong Behind => _database.LogSize is var size && size > _reached ? size - _reached : 0;

    /// <summary>An event of the feed is refused for the first time.</summary>
    void Refuse(PluginPageItem item, DeliveryFailure failure, long? downAt = null)
    {
        item.IsDone = true;
        Refuse(item.Record, failure, attempts: 1, handed: 0, downAt);
    }

    /// <summary>An event is refused: its aggregate waits for the next try, or, when that was the last one, to be buried.</summary>
    void Refuse(EventRecord record, DeliveryFailure failure, int attempts, ulong handed, long? downAt)
    {
        _lastError = failure.Reason;
        var pause = TimeSpan.Zero;
        if (attempts < AttemptsMax || !_progress.HasGraveFor(1))
        {
            pause = Backoff.OfRefusals.After(attempts, _surroundings.Jitter());
            if (failure.RetryAfter is { } asked && asked > pause)
                pause = asked < ServerLimits.PluginRetryAfterMax ? asked : ServerLimits.PluginRetryAfterMax;
        }

        _progress.Set(
            new()
            {
                Aggregate = record.Aggregate, Version = record.Version, Position = record.Position, EventId = record.EventId, EventType = record.EventType,
                Attempts = attempts, NextAttemptAt = Timestamp.From(_clock.GetUtcNow() + pause), LastError = failure.Reason,
            },
            pause, handed, downAt);
    }

    int AttemptsMax => Math.Max(1, _surroundings.Settings().PluginMaxAttempts);

    /// <summary>Looks whether a plugin that was down is back, when it is time; whether there was something to do.</summary>
    async Task<bool> ProbeAsync()
    {
        var due = _circuit.Left <= TimeSpan.Zero;
        if (!due && !_circuit.IsDoubtful)
            return false;
        _page ??= ReadPage();
        if (_page?.FindSuspect() is { } item)
        {
            if (_progress.Waits(item.Record))
                item.IsDone = true;
            else
                await ProbeAsync(item).ConfigureAwait(false);
            return true;
        }

        if (FinishPage())
            return true;
        if (!due)
            return false;
        if (_progress.FindFirst() is { } waiting)
            await TryAsync(waiting).ConfigureAwait(false);
        else
            await CheckAsync().ConfigureAwait(false);
        return true;
    }

    /// <summary>One event. Where it fails again and again, and another one is taken right behind it, it is not the plugin that is down.</summary>
    async Task ProbeAsync(PluginPageItem item)
    {
        var outcome = await HandOverAsync([item]).ConfigureAwait(false);
        if (outcome.Failure is not { } failure)
        {
            CloseCircuit();
            return;
        }

        if (failure.IsRefusal)
        {
            Refuse(item, failure);
            CloseCircuit();
            return;
        }

        item.Downs++;
        var taken = _attempts.Taken;
        if (item.Downs >= ServerLimits.PluginSuspectFailures && failure.RetryAfter is null && await FindOtherAsync(item).ConfigureAwait(false) is { } other)
        {
            var second = await HandOverAsync([other]).ConfigureAwait(false);
            if (second.Failure is null or { IsRefusal: true })
            {
                if (other.Record.Position > Math.Max(_reached, _page!.Reached))
                    _ahead.Add(other.Record.Position);
                if (second.Failure is { } refusal)
                    Refuse(other, refusal);
                Refuse(item, failure with { Reason = Bounded($"only this event fails: {failure.Reason}") }, downAt: taken);
                CloseCircuit();
                return;
            }

            failure = second.Failure;
        }

        lock (_gate)
            Open(failure, doubtful: false);
    }

    /// <summary>The first event of another aggregate that was not handed over yet: of the page, or from behind it.</summary>
    async Task<PluginPageItem?> FindOtherAsync(PluginPageItem item)
    {
        foreach (var other in _page!.Items)
        {
            if (!other.IsDone && !other.Record.Aggregate.Equals(item.Record.Aggregate) && !_progress.Waits(other.Record))
                return other;
        }

        var from = Math.Max(_lookedUpTo, _page.Reached);
        for (var pages = 0; pages < ServerLimits.PluginLookAheadPages && from < _database.LogSize; pages++)
        {
            var read = _events.ReadFeed(from);
            foreach (var ahead in read.Items)
            {
                if (ahead.Event is { } record && !record.Aggregate.Equals(item.Record.Aggregate)
                    && _events.Wants(record) && !_progress.Waits(record) && !_ahead.Contains(record.Position))
                    return new(record);
            }

            _lookedUpTo = from = read.ReachedPosition;
            await Task.Yield();
        }

        return null;
    }

    /// <summary>Where nothing is left that could be tried, it is only asked.</summary>
    async Task CheckAsync()
    {
        try
        {
            await Channel.CheckAsync(_abandon.Token).ConfigureAwait(false);
            CloseCircuit();
        }
        catch (PluginDownException down)
        {
            lock (_gate)
                Open(new(IsRefusal: false, Bounded(down.Message)), doubtful: false);
        }
    }
}
