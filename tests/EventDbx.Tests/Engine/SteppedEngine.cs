namespace EventDbx.Tests.Engine;

/// <summary>The engine's steps as a test sees them: each can be held, made to fail, and is counted.</summary>
/// <remarks>Given to a database as <c>WrapEngine = steps.Over</c>; sits between the commit loop and the real engine.</remarks>
internal sealed class EngineSteps
{
    /// <summary>Before a group is planned and written.</summary>
    public Step Commit { get; } = new();

    /// <summary>After a group was written (and synced, unless the sync is a step of its own).</summary>
    public Step Committed { get; } = new();

    /// <summary>Before a sync of its own; with <see cref="SplitsCommits"/>, before that of every commit.</summary>
    public Step Sync { get; } = new();

    /// <summary>Before a view is opened.</summary>
    public Step View { get; } = new();

    /// <summary>Writes a durable commit in two steps, so that a test can stand between the write and its sync.</summary>
    public bool SplitsCommits { get; init; }

    /// <summary>Every group is planned once in vain, as on an engine whose base has moved.</summary>
    public bool PlansTwice { get; init; }

    /// <summary>What lies below.</summary>
    public IStorageEngine Inner { get; private set; } = null!;

    public IStorageEngine Over(IStorageEngine engine) => new Engine(this, Inner = engine);

    /// <summary>Writes past the commit loop, as an editor of the disk would; the log is not touched.</summary>
    public void Tamper(Action<IStorageView, WritePlan> script) => Inner.Commit(new Editor(script), sync: true);

    sealed class Editor(Action<IStorageView, WritePlan> script) : IGroupPlanner
    {
        public void Plan(IStorageView view, WritePlan plan)
        {
            script(view, plan);
            var size = LogTreeStore.Load(view).Size;
            (plan.BaseLogSize, plan.LogSize) = (size, size);
        }

        public void Forget() { }
    }

    sealed class Engine(EngineSteps steps, IStorageEngine inner) : IStorageEngine
    {
        public long BytesOnDisk => inner.BytesOnDisk;

        public IStorageView OpenView()
        {
            steps.View.Pass();
            return inner.OpenView();
        }

        public void Commit(IGroupPlanner planner, bool sync)
        {
            steps.Commit.Pass();
            if (steps.PlansTwice)
                PlanInVain(planner);
            inner.Commit(planner, sync && !steps.SplitsCommits);
            if (sync && steps.SplitsCommits)
                Sync();
            steps.Committed.Pass();
        }

        void PlanInVain(IGroupPlanner planner)
        {
            using var view = inner.OpenView();
            planner.Plan(view, new());
            planner.Forget();
        }

        public void Sync()
        {
            steps.Sync.Pass();
            inner.Sync();
        }

        public void Dispose() => inner.Dispose();
    }
}

/// <summary>One place the writer comes by.</summary>
internal sealed class Step
{
    volatile Action? _wait;
    int _arrivals;

    /// <summary>How often it was come to.</summary>
    public int Arrivals => Volatile.Read(ref _arrivals);

    /// <summary>Thrown at whoever comes by next, and at everybody after.</summary>
    public Exception? Failure { get; set; }

    /// <summary>Run by whoever comes by, before anything else.</summary>
    public Action? Watch { get; set; }

    /// <summary>From now on whoever comes by waits until the hold is disposed.</summary>
    public Held Hold()
    {
        var held = new Held();
        _wait = held.Wait;
        return held;
    }

    public void Pass()
    {
        Interlocked.Increment(ref _arrivals);
        Watch?.Invoke();
        _wait?.Invoke();
        if (Failure is { } failure)
            throw failure;
    }
}

/// <summary>A step that is being held.</summary>
internal sealed class Held : IDisposable
{
    readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly TaskCompletionSource _released = new();

    /// <summary>Completes once somebody stands there.</summary>
    public Task Reached => _reached.Task.WaitAsync(TimeSpan.FromSeconds(30));

    public void Wait()
    {
        _reached.TrySetResult();
        _released.Task.Wait();
    }

    /// <summary>Lets everybody go on.</summary>
    public void Release() => _released.TrySetResult();

    public void Dispose() => Release();
}
