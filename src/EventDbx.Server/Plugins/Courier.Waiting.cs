using EventDbx.Delivery;

namespace EventDbx.Server.Plugins;

/// <summary>Aggregates that wait: tried when their time comes, and caught up with once their event is taken.</summary>
internal sealed partial class Courier
{
    /// <summary>Some of those that are due; whether there was one.</summary>
    async Task<bool> TryWaitingAsync()
    {
        var (tried, before) = (false, _attempts.Taken);
        for (var i = 0; i < ServerLimits.PluginTriesPerRound && _attempts.Taken - before < ServerLimits.PluginCatchUpEvents && !_circuit.IsOpen && !_stop.IsCancellationRequested; i++)
        {
            if (_progress.FindFirst() is not { } entry || _progress.FindLeft() > TimeSpan.Zero)
                break;
            tried = true;
            await TryAsync(entry).ConfigureAwait(false);
        }

        return tried;
    }

    /// <summary>The event that was refused, by itself; and when it is taken, those that came meanwhile.</summary>
    async Task TryAsync(WaitingEntry entry)
    {
        var row = entry.Row;
        var aggregate = row.Aggregate;
        var (next, handed, budget, single) = (row.Version, 0UL, ServerLimits.PluginCatchUpEvents, false);
        if (row.Attempts >= AttemptsMax && _progress.HasGraveFor(1))
        {
            if (!await BuryAsync(row).ConfigureAwait(false))
                return;
            next++;
        }

        while (true)
        {
            var isRow = next == row.Version && row.Attempts > 0;
            var take = isRow || single ? 1 : Math.Min(Channel.BatchMax, budget);
            // One more: the next one is named where others have their turn first.
            var found = _events.FindEvents(aggregate, next, Math.Max(1, take) + 1);
            if (found is null || (isRow && found.Count == 0))
            {
                _log.Gone(aggregate);
                _progress.Release(aggregate, handed: 0);
                return;
            }

            // What the log has beyond the walk comes with it.
            var batch = found.Take(Math.Max(1, take)).Where(record => record.Position <= _reached || (isRow && record.Version == next)).ToList();
            if (batch.Count == 0)
            {
                _progress.Release(aggregate, handed);
                return;
            }

            // A try that was not made counts for nothing.
            if (_stop.IsCancellationRequested && next == row.Version)
                return;
            if ((!isRow && budget <= 0) || _stop.IsCancellationRequested)
            {
                Postpone(batch[0], handed);
                return;
            }

            var wanted = batch.Where(_events.Wants).ToList();
            var outcome = wanted.Count == 0 ? new(0, null) : await HandOverAsync([.. wanted.Select(record => _events.Prepare(record))]).ConfigureAwait(false);
            foreach (var record in wanted.Take(outcome.Taken))
            {
                handed = record.Position;
                if (record.Position > _reached)
                    _ahead.Add(record.Position);
            }

            budget -= batch.Count;
            if (outcome.Failure is not { } failure)
            {
                if (wanted.Count > 0)
                    CloseCircuit();
                next = batch[^1].Version + 1;
                continue;
            }

            var failed = wanted[outcome.Taken];
            if (!failure.IsRefusal)
            {
                if (!IsItsOwnFault(entry, failed, ref failure, handed))
                    return;
            }
            else if (outcome.Taken == 0 && wanted.Count > 1)
            {
                single = true;
                continue;
            }

            if (failure.IsRefusal)
                CloseCircuit(); // It is there.
            Refuse(failed, failure, (failed.Version == row.Version ? row.Attempts : 0) + 1, handed, failure.IsRefusal ? entry.DownAt : _attempts.Taken);
            return;
        }
    }

    /// <summary>Gives an event up. That is kept before anything behind it is handed over: a crash must not bring it back behind those.</summary>
    /// <returns>Whether its aggregate goes on.</returns>
    async Task<bool> BuryAsync(WaitingAggregate row)
    {
        _progress.Bury(new()
        {
            Position = row.Position, Aggregate = row.Aggregate, Version = row.Version, EventId = row.EventId, EventType = row.EventType,
            Attempts = row.Attempts, LastError = row.LastError, At = Timestamp.From(_clock.GetUtcNow()),
        });
        _log.Dead(row);
        if (row.Position > _reached)
            _ahead.Add(row.Position);
        if (_plugin.HoldOnDead)
            _progress.Set(row with { Held = true }, TimeSpan.Zero, handed: 0);
        await SaveAsync(handedOver: true).ConfigureAwait(false);
        await _progress.FlushAsync().ConfigureAwait(false);
        return !_plugin.HoldOnDead;
    }

    /// <summary>The plugin is down for this one. Where others were taken since that happened to it last, it is the event that cannot be taken.</summary>
    /// <remarks>Otherwise nothing counts, and the circuit opens; but an event of another aggregate is tried as soon as there is one.</remarks>
    bool IsItsOwnFault(WaitingEntry entry, EventRecord failed, ref DeliveryFailure failure, ulong handed)
    {
        var row = entry.Row;
        if (failed.Version == row.Version && failure.RetryAfter is null && entry.DownAt < _attempts.Taken)
        {
            failure = failure with { Reason = Bounded($"only this event fails: {failure.Reason}") };
            return true;
        }

        var attempts = failed.Version == row.Version ? row.Attempts : 0;
        var pause = Backoff.OfRefusals.After(Math.Max(1, attempts), _surroundings.Jitter());
        _progress.Set(
            new()
            {
                Aggregate = failed.Aggregate, Version = failed.Version, Position = failed.Position, EventId = failed.EventId, EventType = failed.EventType,
                Attempts = attempts, NextAttemptAt = Timestamp.From(_clock.GetUtcNow() + pause), LastError = failure.Reason,
            },
            pause, handed, downAt: _attempts.Taken);
        lock (_gate)
            Open(failure, doubtful: true);
        return false;
    }

    /// <summary>It goes on with that event, after others have had their turn.</summary>
    void Postpone(EventRecord next, ulong handed) => _progress.Set(
        new()
        {
            Aggregate = next.Aggregate, Version = next.Version, Position = next.Position, EventId = next.EventId, EventType = next.EventType,
            Attempts = 0, NextAttemptAt = Timestamp.From(_clock.GetUtcNow()), LastError = "",
        },
        TimeSpan.Zero, handed);
}
