namespace EventDbx.Benchmarks.Layout;

/// <summary>Writes groups through the engine as the commit loop does.</summary>
internal sealed class Group(RocksDbEngine engine) : IGroupPlanner
{
    Action<IStorageView, WritePlan>? _fill;
    ulong _logSize;

    public void Commit(bool sync, Action<IStorageView, WritePlan> fill)
    {
        _fill = fill;
        engine.Commit(this, sync);
    }

    public void Plan(IStorageView view, WritePlan plan)
    {
        _fill!(view, plan);
        plan.BaseLogSize = _logSize;
        plan.LogSize = ++_logSize;
    }

    public void Forget() => throw new InvalidOperationException("Nobody else writes here.");
}
