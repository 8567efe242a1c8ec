using EventDbx.Storage;

namespace EventDbx.Tests.Verification;

/// <summary>Writes rows as somebody would who has the store's files and knows the format, but none of its rules.</summary>
internal static class RawRows
{
    /// <summary>One change, through the engine and past everything above it.</summary>
    public static void Write(Database database, Action<WritePlan> change) =>
        database.Engine.Commit(new Planner(change, database.LogSize), sync: false);

    /// <summary>All rows of a family, as they are stored.</summary>
    public static List<Row> All(IStorageEngine engine, Family family)
    {
        using var view = engine.OpenView();
        var rows = new List<Row>();
        for (var cursor = new RowCursor(view, family, [], []); cursor.Peek() is { } row; cursor.Take())
            rows.Add(row);
        return rows;
    }

    /// <summary>The value of a row, without its checksum.</summary>
    public static byte[] Body(Database database, Family family, ReadOnlySpan<byte> key)
    {
        using var view = database.Engine.OpenView();
        return Checked.Get(view, family, key)!.Value.ToArray();
    }

    /// <summary>Changes the body of one row and gives it the checksum it would have.</summary>
    public static void Change(Database database, Family family, byte[] key, Func<byte[], byte[]> change)
    {
        var body = change(Body(database, family, key));
        Write(database, plan => Checked.Put(plan, family, key, body));
    }

    public static void Delete(Database database, Family family, byte[] key) => Write(database, plan => plan.Delete(family, key));

    /// <summary>Plans what it is told, and leaves the size of the log as it is.</summary>
    public sealed class Planner(Action<WritePlan> change, ulong logSize) : IGroupPlanner
    {
        public void Plan(IStorageView view, WritePlan plan)
        {
            change(plan);
            (plan.BaseLogSize, plan.LogSize) = (logSize, logSize);
        }

        public void Forget() => throw new InvalidOperationException("The log has moved under a test.");
    }
}
