namespace EventDbx.Server.Plugins;

/// <summary>Handing over a page, and finding out what it is that fails.</summary>
internal sealed partial class Courier
{
    readonly PluginFigures _attempts;
    /// <summary>Up to where no event of another aggregate was found, while one is looked for.</summary>
    ulong _lookedUpTo;
    /// <summary>Those that were found there, and failed as well.</summary>
    readonly List<PluginPageItem> _beyond = [];
    readonly Witnesses _witnesses = new();

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
                Fail(batch[outcome.Taken], failure, isAlone: batch.Count == 1);
                if (IsOpen())
                    return;
                size = int.MaxValue;
            }
            else if (outcome.Together > 1)
            {
                // Nobody is blamed for it who was not handed over alone.
                (size, smallUpTo) = (outcome.Together / 2, Math.Max(smallUpTo, end));
            }
            else
            {
                Refuse(batch[outcome.Taken], failure);
                Settle(batch, outcome);
                size = int.MaxValue;
            }
        }
    }

    /// <summary>What became of those behind one that was refused: they are not handed over again.</summary>
    void Settle(List<PluginPageItem> batch, DeliveryOutcome outcome)
    {
        for (var i = 0; i < outcome.Behind?.Count; i++)
        {
            var item = batch[outcome.Taken + 1 + i];
            if (outcome.Behind[i] is { } refusal)
                Refuse(item, refusal);
            item.IsDone = true;
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
        var outcome = await HandOverAsync([.. batch.Select(item => _events.Prepare(item.Record))], _abandon.Token).ConfigureAwait(false);
        for (var i = 0; i < outcome.Taken; i++)
            batch[i].IsDone = true;
        return outcome;
    }

    /// <summary>To the channel, and counted. What it says is put right where it cannot be.</summary>
    async Task<DeliveryOutcome> HandOverAsync(IReadOnlyList<Delivery> batch, CancellationToken cancellation)
    {
        var outcome = await Channel.DeliverAsync(batch, cancellation).ConfigureAwait(false);
        var taken = Math.Clamp(outcome.Taken, 0, batch.Count);
        var failure = taken == batch.Count ? null
            : outcome.Failure is not { } said ? new(IsRefusal: false, FormattableString.Invariant($"it took {taken} of {batch.Count} events and did not say why"))
            : said with { Reason = Bounded(said.Reason) };
        _attempts.Count(taken, failure);
        var behind = failure is { IsRefusal: true } ? outcome.Behind?.Take(batch.Count - taken - 1).Select(static one => one is null ? null : one with { Reason = Bounded(one.Reason) }).ToList() : null;
        var takenBehind = 0;
        foreach (var one in behind ?? [])
        {
            _attempts.Count(one is null ? 1 : 0, one);
            takenBehind += one is null ? 1 : 0;
        }

        lock (_gate)
        {
            _unkept += taken + takenBehind;
            if (taken > 0 || failure is { IsRefusal: true })
                _witnesses.Answer();
        }

        return failure is null ? new(taken, null) : new(taken, failure) { Together = Math.Min(outcome.Together, batch.Count - taken), Behind = behind };
    }

    static string Bounded(string reason)
    {
        var end = Limits.DeliveryErrorCharactersMax;
        return string.IsNullOrWhiteSpace(reason) ? "it gave no reason"
            : reason.Length <= end ? reason
            : $"{reason[..(char.IsHighSurrogate(reason[end - 2]) ? end - 2 : end - 1)]}…";
    }

    /// <summary>
    /// The plugin is down for an event. Where that happens to it again and again, and others were answered in between, it is set aside: its aggregate waits, and
    /// nothing counts against it yet. Otherwise the circuit opens.
    /// </summary>
    void Fail(PluginPageItem item, DeliveryFailure failure, bool isAlone, bool isProbe = false)
    {
        lock (_gate)
        {
            var answered = _witnesses.Answered;
            var isSuspect = isAlone && item.Downs >= ServerLimits.PluginSuspectFailures && item.DownAt < answered && failure.RetryAfter is null;
            _witnesses.Fail(item.Record.Aggregate);
            if (isSuspect)
            {
                item.IsDone = true;
                SetAside(item.Record, failure, attempts: 0, handed: 0, answered, doubts: 1);
                return;
            }

            (item.Downs, item.DownAt) = (item.Downs + 1, answered);
            // The first lane that finds out says so; a probe says it each time.
            if (!_circuit.IsOpen || isProbe)
                Open(failure, doubtful: false);
        }
    }

    /// <summary>An aggregate waits, and what failed of it does not count.</summary>
    void SetAside(EventRecord record, DeliveryFailure failure, int attempts, ulong handed, long downAt, int doubts)
    {
        _lastError = failure.Reason;
        var pause = Backoff.OfRefusals.After(Math.Max(1, attempts + doubts), _surroundings.Jitter());
        _progress.Set(
            new()
            {
                Aggregate = record.Aggregate, Version = record.Version, Position = record.Position, EventId = record.EventId, EventType = record.EventType,
                Attempts = attempts, NextAttemptAt = Timestamp.From(_clock.GetUtcNow() + pause), LastError = failure.Reason,
            },
            pause, handed, downAt, doubts);
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
            _beyond.Clear();
            if (_circuit.Close() is { } open)
                _log.Back(open, Behind);
        }
    }

    ulong Behind => _database.LogSize is var size && size > _reached ? size - _reached : 0;

    /// <summary>An event of the feed is refused for the first time.</summary>
    void Refuse(PluginPageItem item, DeliveryFailure failure)
    {
        item.IsDone = true;
        Refuse(item.Record, failure, attempts: 1, handed: 0, downAt: null);
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
        if (_page is not null && await FindProbeAsync(_page).ConfigureAwait(false) is { } item)
        {
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

    /// <summary>One event, alone.</summary>
    async Task ProbeAsync(PluginPageItem item)
    {
        var outcome = await HandOverAsync([item]).ConfigureAwait(false);
        if (outcome.Failure is { IsRefusal: false } down)
        {
            Fail(item, down, isAlone: true, isProbe: true);
            return;
        }

        if (item.Record.Position > Math.Max(_reached, _page!.Reached))
            _ahead.Add(item.Record.Position);
        if (outcome.Failure is { } refusal)
            Refuse(item, refusal);
        CloseCircuit();
    }

    /// <summary>
    /// Which event a probe tries. The same one, until it has failed so often that it may be its own fault; then, each after a pause in which a plugin that dies
    /// of an event is up again, the first one of another aggregate, and so on. Whichever is taken shows that the plugin is there.
    /// </summary>
    async Task<PluginPageItem?> FindProbeAsync(PluginPage page)
    {
        PluginPageItem? begun = null, least = null;
        HashSet<AggregateKey> seen = [];
        foreach (var item in page.Items.Concat(_beyond))
        {
            if (!item.IsDone && _progress.Waits(item.Record))
                item.IsDone = true;
            // Of an aggregate the first one only.
            if (item.IsDone || !seen.Add(item.Record.Aggregate))
                continue;
            if (item.Downs < ServerLimits.PluginSuspectFailures && item.Downs > (begun?.Downs ?? -1))
                begun = item;
            if (item.Downs < (least?.Downs ?? int.MaxValue))
                least = item;
        }

        if (page.FindOpen() is null)
            return null;
        if (begun is not null)
            return begun;
        if (await FindBeyondAsync(page, seen).ConfigureAwait(false) is not { } beyond)
            return least;
        _beyond.Add(beyond);
        return beyond;
    }

    /// <summary>The first event behind the page that is of none of these aggregates.</summary>
    async Task<PluginPageItem?> FindBeyondAsync(PluginPage page, HashSet<AggregateKey> seen)
    {
        var from = Math.Max(_lookedUpTo, page.Reached);
        for (var pages = 0; pages < ServerLimits.PluginLookAheadPages && from < _database.LogSize; pages++)
        {
            var read = _events.ReadFeed(from);
            foreach (var ahead in read.Items)
            {
                if (ahead.Event is { } record && !seen.Contains(record.Aggregate) && _events.Wants(record) && !_progress.Waits(record) && !_ahead.Contains(record.Position))
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
