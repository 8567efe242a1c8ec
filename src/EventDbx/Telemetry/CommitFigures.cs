namespace EventDbx.Telemetry;

/// <summary>What one group was, told by the writer once it is committed and before anybody of it is answered.</summary>
/// <param name="Commits">In the group, those that were refused included.</param>
/// <param name="Appended">New events.</param>
/// <param name="Known">Appends whose event id was known, and that were answered with the original.</param>
/// <param name="Entries">By which the log grew: events and control entries.</param>
/// <param name="Bytes">Of the rows that the store was given; 0 where nothing was written.</param>
/// <param name="PlanTicks">Of <see cref="System.Diagnostics.Stopwatch"/>: from the first commit to a plan of all of them.</param>
/// <param name="WriteTicks">The same, for the batch and its sync.</param>
internal readonly record struct GroupFigures(int Commits, int Appended, int Known, ulong Entries, int Bytes, long PlanTicks, long WriteTicks);

/// <summary>What the writer has done since the open. Written by the writer alone, read by whoever asks, without a lock.</summary>
internal sealed class CommitFigures
{
    long _groups;
    long _appended;
    long _known;
    long _controls;
    long _bytes;

    public long Groups => Volatile.Read(ref _groups);

    public long Appended => Volatile.Read(ref _appended);

    public long Known => Volatile.Read(ref _known);

    /// <summary>Entries that are no events.</summary>
    public long Controls => Volatile.Read(ref _controls);

    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Of a group that wrote nothing.</summary>
    public void AddKnown(int known) => Volatile.Write(ref _known, _known + known);

    public void Add(in GroupFigures group)
    {
        Volatile.Write(ref _groups, _groups + 1);
        Volatile.Write(ref _appended, _appended + group.Appended);
        Volatile.Write(ref _known, _known + group.Known);
        Volatile.Write(ref _controls, _controls + (long)group.Entries - group.Appended);
        Volatile.Write(ref _bytes, _bytes + group.Bytes);
    }
}
