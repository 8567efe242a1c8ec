namespace EventDbx.Storage;

/// <summary>What a new store begins with: what it is, and an empty log.</summary>
internal sealed class NewStorePlanner(StoreRow row) : IGroupPlanner
{
    public void Plan(IStorageView view, WritePlan plan)
    {
        Checked.Put(plan, Family.Meta, Keyspace.StoreRow, row.Write());
        LogTreeStore.PutSize(plan, new());
    }

    public void Forget() { }
}
