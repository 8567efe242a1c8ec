namespace EventDbx.Tests.Checkpoints;

/// <summary>A clock that a test moves, with timers that fire when it has been moved beyond them.</summary>
internal sealed class SteppedClock : TimeProvider
{
    readonly Lock _gate = new();
    readonly List<Timer> _waiting = [];
    TaskCompletionSource _set = new(TaskCreationOptions.RunContinuationsAsynchronously);
    DateTimeOffset _now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    /// <summary>Timers that wait.</summary>
    public int Waiting
    {
        get
        {
            lock (_gate)
                return _waiting.Count;
        }
    }

    public override DateTimeOffset GetUtcNow()
    {
        lock (_gate)
            return _now;
    }

    /// <summary>Completes once somebody waits for a timer.</summary>
    public async Task TimerSetAsync()
    {
        while (true)
        {
            Task set;
            lock (_gate)
            {
                if (_waiting.Count > 0)
                    return;
                set = _set.Task;
            }

            await set.WaitAsync(TimeSpan.FromSeconds(60));
        }
    }

    public void Advance(TimeSpan by)
    {
        List<Timer> due;
        lock (_gate)
        {
            _now += by;
            due = [.. _waiting.Where(timer => timer.At <= _now)];
            _waiting.RemoveAll(due.Contains);
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
        public DateTimeOffset At { get; private set; }

        public void Fire() => callback(state);

        public bool Change(TimeSpan dueTime, TimeSpan period)
        {
            lock (clock._gate)
            {
                clock._waiting.Remove(this);
                if (dueTime == Timeout.InfiniteTimeSpan)
                    return true;
                At = clock._now + dueTime;
                clock._waiting.Add(this);
                clock._set.TrySetResult();
                clock._set = new(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            return true;
        }

        public void Dispose()
        {
            lock (clock._gate)
                clock._waiting.Remove(this);
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
