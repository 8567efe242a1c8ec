using EventDbx.Delivery;

namespace EventDbx.Server.Plugins;

/// <summary>An aggregate that waits, as its courier knows it.</summary>
internal sealed class WaitingEntry
{
    public required WaitingAggregate Row { get; set; }

    /// <summary>When it is tried again: a timestamp of the clock, which no change of the time of day moves.</summary>
    public long DueAt { get; set; }

    /// <summary>What the plugin had taken when it was down last for this one; null: it never was.</summary>
    public long? DownAt { get; set; }
}

/// <summary>What a courier knows of its plugin's queue, and what of that is yet to be kept.</summary>
/// <remarks>Thread-safe but for <see cref="LoadAsync"/> and <see cref="SaveAsync"/>, which have one caller.</remarks>
internal sealed class DeliveryProgress(IDeliveryQueue queue, string plugin, TimeProvider clock)
{
    readonly Lock _gate = new();
    readonly Dictionary<AggregateKey, WaitingEntry> _waiting = [];
    readonly PriorityQueue<WaitingEntry, long> _due = new();
    /// <summary>What is to be written of whom, and which position the other end has to have before that may be.</summary>
    readonly Dictionary<AggregateKey, ulong> _changed = [];
    readonly Dictionary<ulong, DeadLetter> _dead = [];
    readonly HashSet<ulong> _cleared = [];
    Task _saving = Task.CompletedTask;
    /// <summary>Of the commit under way: not counted by the queue yet.</summary>
    int _burying;
    long _savedAt;
    long _lookedAt;

    /// <summary>The cursor that was given to be kept last.</summary>
    public ulong Kept { get; private set; }

    /// <summary>Aggregates that wait.</summary>
    public int Count
    {
        get
        {
            lock (_gate)
                return _waiting.Count;
        }
    }

    /// <summary>Reads what is kept, and forgets what is not.</summary>
    /// <returns>The cursor; null: there never was one.</returns>
    public async Task<ulong?> LoadAsync()
    {
        // What was under way may be in, or not: it is over before anything is read.
        await _saving.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        lock (_gate)
        {
            (_saving, _burying) = (Task.CompletedTask, 0);
            _waiting.Clear();
            _due.Clear();
            _changed.Clear();
            _dead.Clear();
            _cleared.Clear();
            var now = Timestamp.From(clock.GetUtcNow());
            const int PageRows = 1_000;
            AggregateKey? after = null;
            while (queue.GetWaiting(plugin, after, PageRows) is { Count: > 0 } rows)
            {
                foreach (var row in rows)
                {
                    // A time of day that was set back keeps nobody waiting.
                    var left = TimeSpan.FromTicks(Math.Clamp(row.NextAttemptAt.Ticks100ns - now.Ticks100ns, 0, 2 * ServerLimits.PluginRetryMax.Ticks));
                    Put(new() { Row = row, DueAt = After(left) });
                }

                after = rows[^1].Aggregate;
            }
        }

        var cursor = queue.FindCursor(plugin);
        Kept = cursor ?? 0;
        _savedAt = clock.GetTimestamp();
        return cursor;
    }

    /// <summary>The cursor was kept elsewhere, further back.</summary>
    public void Moved(ulong cursor) => Kept = cursor;

    /// <summary>The timestamp of the clock in a while.</summary>
    public long After(TimeSpan time) => clock.GetTimestamp() + (long)(time.TotalSeconds * clock.TimestampFrequency);

    public WaitingEntry? Find(AggregateKey aggregate)
    {
        lock (_gate)
            return _waiting.GetValueOrDefault(aggregate);
    }

    /// <summary>Whether an event waits behind one that was refused.</summary>
    public bool Waits(EventRecord record)
    {
        lock (_gate)
            return _waiting.TryGetValue(record.Aggregate, out var entry) && record.Version >= entry.Row.Version;
    }

    /// <summary>The one that is due first, of those that are not held; null: none waits for its time.</summary>
    public WaitingEntry? FindFirst()
    {
        lock (_gate)
        {
            while (_due.TryPeek(out var entry, out var dueAt))
            {
                if (entry.DueAt == dueAt && !entry.Row.Held && _waiting.GetValueOrDefault(entry.Row.Aggregate) == entry)
                    return entry;
                _due.Dequeue();
            }

            return null;
        }
    }

    /// <summary>Until that one is due.</summary>
    public TimeSpan? FindLeft() => FindFirst() is not { } first ? null
        : TimeSpan.FromSeconds(Math.Max(0, first.DueAt - clock.GetTimestamp()) / (double)clock.TimestampFrequency);

    /// <summary>An aggregate waits, or waits otherwise than before.</summary>
    /// <param name="row">As it is now.</param>
    /// <param name="pause">Until it is tried.</param>
    /// <param name="handed">The last position that was handed over of it, and which may not be known to have arrived; 0: none.</param>
    /// <param name="downAt">Of <see cref="WaitingEntry.DownAt"/>.</param>
    public void Set(WaitingAggregate row, TimeSpan pause, ulong handed, long? downAt = null)
    {
        lock (_gate)
        {
            Put(new() { Row = row, DueAt = After(pause), DownAt = downAt });
            Changed(row.Aggregate, handed);
        }
    }

    /// <summary>An aggregate waits no more.</summary>
    public void Release(AggregateKey aggregate, ulong handed)
    {
        lock (_gate)
        {
            if (_waiting.Remove(aggregate))
                Changed(aggregate, handed);
        }
    }

    public void Bury(DeadLetter letter)
    {
        lock (_gate)
        {
            _dead[letter.Position] = letter;
            _cleared.Remove(letter.Position);
        }
    }

    public void Clear(ulong position)
    {
        lock (_gate)
        {
            _dead.Remove(position);
            _cleared.Add(position);
        }
    }

    /// <summary>Whether so many more aggregates may wait, and as many events be dead.</summary>
    public bool HasRoomFor(int more)
    {
        lock (_gate)
            return _waiting.Count + more <= Limits.DeliveryWaitingMax && HasGraveFor(more);
    }

    /// <summary>Whether so many more events may be dead.</summary>
    public bool HasGraveFor(int more)
    {
        lock (_gate)
            return queue.Count(plugin).Dead + _dead.Count + _burying + more <= Limits.DeliveryDeadMax;
    }

    /// <summary>Until it is worth another look whether more can be kept; null: there is nothing to keep.</summary>
    public TimeSpan? LeftToKeep(ulong cursor)
    {
        lock (_gate)
            return cursor <= Kept && _changed.Count == 0 ? null : ServerLimits.PluginCursorInterval - clock.GetElapsedTime(_lookedAt);
    }

    /// <summary>Begins to keep all that can be kept, once what was begun before is kept. So one commit is under way at most.</summary>
    /// <param name="cursor">Up to where everything is done.</param>
    /// <param name="unsettled">The first position of which it is not known whether the other end has it.</param>
    /// <param name="now">Whether something was handed over: otherwise a cursor that moved waits for its time.</param>
    public async Task SaveAsync(ulong cursor, ulong? unsettled, bool now)
    {
        await _saving.ConfigureAwait(false);
        _burying = 0;
        if (Take(cursor, unsettled, now) is { } change)
            _saving = KeepAsync(change);
    }

    /// <summary>In as many commits as it takes; the cursor moves with the last, when all is kept that it passes over.</summary>
    async Task KeepAsync(DeliveryChange change)
    {
        const int PartRows = Limits.DeliveryChangesMax / 4;
        while (change.Waiting.Count > PartRows || change.Released.Count > PartRows || change.Dead.Count > PartRows || change.Cleared.Count > PartRows)
        {
            await queue.SaveAsync(plugin, new()
            {
                Waiting = [.. change.Waiting.Take(PartRows)], Released = [.. change.Released.Take(PartRows)],
                Dead = [.. change.Dead.Take(PartRows)], Cleared = [.. change.Cleared.Take(PartRows)],
            }).ConfigureAwait(false);
            change = change with
            {
                Waiting = [.. change.Waiting.Skip(PartRows)], Released = [.. change.Released.Skip(PartRows)],
                Dead = [.. change.Dead.Skip(PartRows)], Cleared = [.. change.Cleared.Skip(PartRows)],
            };
        }

        await queue.SaveAsync(plugin, change).ConfigureAwait(false);
    }

    /// <summary>Until that is kept.</summary>
    public Task FlushAsync() => _saving;

    DeliveryChange? Take(ulong cursor, ulong? unsettled, bool now)
    {
        lock (_gate)
        {
            _lookedAt = clock.GetTimestamp();
            if (unsettled is { } first && cursor >= first)
                cursor = first > 0 ? first - 1 : 0;
            // It never goes back: what is unsettled before it has a row of its own.
            cursor = Math.Max(cursor, Kept);
            List<WaitingAggregate> waiting = [];
            List<AggregateKey> released = [];
            foreach (var (aggregate, handed) in _changed)
            {
                if (handed > 0 && unsettled <= handed)
                    continue;
                if (_waiting.TryGetValue(aggregate, out var entry))
                    waiting.Add(entry.Row);
                else
                    released.Add(aggregate);
            }

            var moves = cursor > Kept && (now || clock.GetElapsedTime(_savedAt) >= ServerLimits.PluginCursorInterval);
            if (!moves && waiting.Count == 0 && released.Count == 0 && _dead.Count == 0 && _cleared.Count == 0)
                return null;
            foreach (var row in waiting)
                _changed.Remove(row.Aggregate);
            foreach (var aggregate in released)
                _changed.Remove(aggregate);
            var change = new DeliveryChange
            {
                Cursor = cursor > Kept ? cursor : null, Waiting = waiting, Released = released, Dead = [.. _dead.Values], Cleared = [.. _cleared],
            };
            _burying = _dead.Count;
            _dead.Clear();
            _cleared.Clear();
            Kept = cursor;
            _savedAt = clock.GetTimestamp();
            return change;
        }
    }

    void Put(WaitingEntry entry)
    {
        _waiting[entry.Row.Aggregate] = entry;
        if (!entry.Row.Held)
            _due.Enqueue(entry, entry.DueAt);
    }

    void Changed(AggregateKey aggregate, ulong handed) =>
        _changed[aggregate] = Math.Max(handed, _changed.GetValueOrDefault(aggregate));
}
