using System.Buffers.Binary;

namespace EventDbx.Benchmarks.Layout;

/// <summary>One event on its way into the log.</summary>
internal readonly record struct LoggedEvent(ulong Position, byte[] Aggregate, int Version, byte[] Row);

/// <summary>A way to keep events so that both an aggregate and the whole feed can be read.</summary>
internal interface ILogLayout
{
    void Append(WritePlan plan, in LoggedEvent logged);

    /// <returns>Events read.</returns>
    int ReadAggregate(IStorageView view, byte[] aggregate, int fromVersion, int count);

    /// <returns>Rows read; 0 at the end.</returns>
    int ReadFeed(IStorageView view, ulong fromPosition, int count);
}

/// <summary>Events in the order of their commit; an index says where an aggregate's events are.</summary>
internal sealed class CommitOrder : ILogLayout
{
    readonly byte[] _indexRow = new byte[48];

    public void Append(WritePlan plan, in LoggedEvent logged)
    {
        // Position, created_at, leaf hash: as random as a hash.
        logged.Row.AsSpan(0, 48).CopyTo(_indexRow);
        BinaryPrimitives.WriteUInt64BigEndian(_indexRow, logged.Position);
        plan.Put(Family.Log, Keys.Number(logged.Position), logged.Row);
        plan.Put(Family.Index, Keys.Version(logged.Aggregate, logged.Version), _indexRow);
    }

    public int ReadAggregate(IStorageView view, byte[] aggregate, int fromVersion, int count)
    {
        var index = view.Range(Family.Index, Keys.Version(aggregate, fromVersion), Keys.After(aggregate), count, int.MaxValue);
        var positions = new byte[index.Count][];
        for (var i = 0; i < positions.Length; i++)
            positions[i] = index[i].Value[..8];
        return view.GetMany(Family.Log, positions).Count(static row => row is not null);
    }

    public int ReadFeed(IStorageView view, ulong fromPosition, int count) =>
        view.Range(Family.Log, Keys.Number(fromPosition), [], count, int.MaxValue).Count;
}

/// <summary>Events beside their aggregate; an index says what was committed at each position.</summary>
internal sealed class ByAggregate : ILogLayout
{
    public void Append(WritePlan plan, in LoggedEvent logged)
    {
        var key = Keys.Version(logged.Aggregate, logged.Version);
        plan.Put(Family.Log, key, logged.Row);
        // The leaf hash is kept once here as well: 32 bytes of it, then the key.
        var target = plan.Put(Family.Index, Keys.Number(logged.Position), 40 + key.Length);
        logged.Row.AsSpan(0, 40).CopyTo(target);
        key.CopyTo(target[40..]);
    }

    public int ReadAggregate(IStorageView view, byte[] aggregate, int fromVersion, int count) =>
        view.Range(Family.Log, Keys.Version(aggregate, fromVersion), Keys.After(aggregate), count, int.MaxValue).Count;

    public int ReadFeed(IStorageView view, ulong fromPosition, int count)
    {
        var index = view.Range(Family.Index, Keys.Number(fromPosition), [], count, int.MaxValue);
        var keys = new byte[index.Count][];
        for (var i = 0; i < keys.Length; i++)
            keys[i] = index[i].Value[40..];
        return view.GetMany(Family.Log, keys).Count(static row => row is not null);
    }
}
