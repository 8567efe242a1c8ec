namespace EventDbx.Server.Replication.Transfer;

/// <summary>An aggregate that has something to go over.</summary>
internal sealed class PlannedAggregate
{
    public required AggregateKey Aggregate { get; init; }

    /// <summary>Version that the receiver has, or will have when what was read is applied.</summary>
    public required ulong Reached { get; set; }

    /// <summary>Version that the sender had when it was compared.</summary>
    public required ulong Target { get; init; }

    /// <summary>Whether it has to be made, or its archive flag differs, or the sender has more snapshots.</summary>
    public required bool Marks { get; init; }

    public bool Done => Reached >= Target;
}

/// <summary>What a comparison came to: counts of everything that differs, and the first of the aggregates themselves.</summary>
/// <remarks>
/// An aggregate costs about 300 bytes here, so no more than <see cref="ServerLimits.TransferPlanMax"/> are kept: where more differ, the rest is compared again when these are through.
/// </remarks>
internal sealed class Plan
{
    readonly SortedDictionary<string, ulong> _types = new(TypeOrder);

    /// <summary>By bytes of UTF-8, as lists are ordered everywhere.</summary>
    public static Comparer<string> TypeOrder { get; } = Comparer<string>.Create(static (left, right) => Encoding.UTF8.GetBytes(left).AsSpan().SequenceCompareTo(Encoding.UTF8.GetBytes(right)));

    public List<PlannedAggregate> Kept { get; } = [];

    /// <summary>Aggregates that differ behind the last one that was kept.</summary>
    public bool More { get; private set; }

    public ulong Events { get; private set; }

    public ulong Marks { get; private set; }

    public bool IsEmpty => Events == 0 && Marks == 0;

    public bool IsFull => Kept.Count >= ServerLimits.TransferPlanMax;

    /// <returns>False, and nothing changed: there are <see cref="ServerLimits.TransferTypesMax"/> types already, and this is another one.</returns>
    public bool TryAdd(PlannedAggregate planned)
    {
        if (!TryCount(planned.Aggregate.Type, planned.Target - planned.Reached))
            return false;
        if (planned.Marks)
            Marks++;
        if (IsFull)
            More = true;
        else
            Kept.Add(planned);
        return true;
    }

    /// <summary>There may be more of them: nobody looked.</summary>
    public void Cut() => More = true;

    bool TryCount(string type, ulong events)
    {
        if (events == 0)
            return true;
        var known = _types.TryGetValue(type, out var counted);
        if (!known && _types.Count == ServerLimits.TransferTypesMax)
            return false;
        Events += events;
        _types[type] = counted + events;
        return true;
    }

    public IReadOnlyList<TypeCount> Types => [.. _types.Select(static type => new TypeCount(type.Key, type.Value))];
}
