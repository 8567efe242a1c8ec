using EventDbx.Storage;

namespace EventDbx.Server.Tests.Rest;

/// <summary>What a test does to the store under a server.</summary>
internal sealed class Troubles
{
    public Action? OnCommit { get; set; }

    public Action? OnView { get; set; }

    public Action? OnVerifyFiles { get; set; }

    /// <summary>The writer stands still until the answer is called.</summary>
    public Action HoldCommits()
    {
        var released = new ManualResetEventSlim();
        OnCommit = released.Wait;
        return released.Set;
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
        inner.Commit(planner, sync);
    }

    public void Sync() => inner.Sync();

    public void Dispose() => inner.Dispose();
}
