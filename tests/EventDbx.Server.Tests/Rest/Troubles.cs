using EventDbx.Storage;

namespace EventDbx.Server.Tests.Rest;

/// <summary>What a test does to the store under a server.</summary>
internal sealed class Troubles
{
    public Action? OnCommit { get; set; }

    /// <summary>Called on the writer with each plan that makes the log longer: what it holds has been taken, and is not committed yet.</summary>
    public Action? OnPlanned { get; set; }

    public Action? OnView { get; set; }

    public Action? OnVerifyFiles { get; set; }

    /// <summary>The writer stands still until the answer is called.</summary>
    public Action HoldCommits()
    {
        var released = new ManualResetEventSlim();
        OnCommit = released.Wait;
        return released.Set;
    }

    /// <summary>The writer stands still with the first append that it takes, or another entry of the log, until it is released.</summary>
    /// <remarks>Other commits, as of a checkpoint, come when they come: a test that cares for an append waits for that.</remarks>
    public (Task Taken, Action Release) HoldAppends()
    {
        var taken = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var released = new ManualResetEventSlim();
        OnPlanned = () =>
        {
            taken.TrySetResult();
            released.Wait();
        };
        return (taken.Task.WaitAsync(TimeSpan.FromMinutes(1)), released.Set);
    }
}

/// <summary>A store that has them.</summary>
internal sealed class Troubled(IStorageEngine inner, Troubles troubles) : IStorageEngine
{
    public long BytesOnDisk => inner.BytesOnDisk;

    public IStorageView OpenView()
    {
        troubles.OnView?.Invoke();
        return inner.OpenView();
    }

    public void VerifyFiles()
    {
        troubles.OnVerifyFiles?.Invoke();
        inner.VerifyFiles();
    }

    public void Commit(IGroupPlanner planner, bool sync)
    {
        troubles.OnCommit?.Invoke();
        inner.Commit(new Told(planner, troubles), sync);
    }

    public void Sync() => inner.Sync();

    public void Dispose() => inner.Dispose();

    sealed class Told(IGroupPlanner inner, Troubles troubles) : IGroupPlanner
    {
        public void Plan(IStorageView view, WritePlan plan)
        {
            inner.Plan(view, plan);
            if (plan.LogSize > plan.BaseLogSize)
                troubles.OnPlanned?.Invoke();
        }

        public void Forget() => inner.Forget();
    }
}
