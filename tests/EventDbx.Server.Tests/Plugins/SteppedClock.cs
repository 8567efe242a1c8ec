namespace EventDbx.Server.Tests.Plugins;

/// <summary>A clock that stands until it is moved, and whose timers fire when it passes their time.</summary>
internal sealed class SteppedClock : TimeProvider
{
    readonly Lock _gate = new();
    readonly List<Timer> _timers = [];
    long _ticks = new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero).UtcTicks;
    int _armed;

    public DateTimeOffset Now => new(Interlocked.Read(ref _ticks), TimeSpan.Zero);

    /// <summary>How often a timer was set.</summary>
    public int Armed => Volatile.Read(ref _armed);

    public override long TimestampFrequency => TimeSpan.TicksPerSecond;

    public override DateTimeOffset GetUtcNow() => Now;

    public override long GetTimestamp() => Interlocked.Read(ref _ticks);

    /// <summary>Until the first timer is due; null: none is set.</summary>
    public TimeSpan? Left
    {
        get
        {
            lock (_gate)
                return _timers.Count == 0 ? null : TimeSpan.FromTicks(Math.Max(0, _timers.Min(timer => timer.DueAt) - _ticks));
        }
    }

    public void Advance(TimeSpan time)
    {
        List<Timer> due;
        lock (_gate)
        {
            Interlocked.Add(ref _ticks, time.Ticks);
            due = [.. _timers.Where(timer => timer.DueAt <= _ticks).OrderBy(timer => timer.DueAt)];
            foreach (var timer in due)
                timer.Passed(_ticks);
        }

        foreach (var timer in due)
            timer.Fire();
    }

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = new Timer(this, callback, state);
        timer.Change(dueTime, period);
        return timer;
    }

    sealed class Timer(SteppedClock clock, TimerCallback callback, object? state) : ITimer
    {
        TimeSpan _period;

        public long DueAt { get; private set; }

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            var now = dueTime == TimeSpan.Zero;
            lock (clock._gate)
            {
                clock._timers.Remove(this);
                _period = period;
                if (dueTime > TimeSpan.Zero)
                    Set(dueTime);
                else if (now && period > TimeSpan.Zero)
                    Set(period);
            }

            if (now)
                ThreadPool.QueueUserWorkItem(_ => Fire());
            return true;
        }

        public void Fire() => callback(state);

        public void Passed(long now)
        {
            clock._timers.Remove(this);
            if (_period <= TimeSpan.Zero)
                return;
            DueAt = now + _period.Ticks;
            clock._timers.Add(this);
        }

        public void Dispose()
        {
            lock (clock._gate)
                clock._timers.Remove(this);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }

        void Set(TimeSpan time)
        {
            DueAt = clock._ticks + time.Ticks;
            clock._timers.Add(this);
            Interlocked.Increment(ref clock._armed);
        }
    }
}
