namespace EventDbx.Server.Replication.Transfer;

/// <summary>Reads planned events in batches: of one aggregate type each, so that what the receiver counts is counted for its type, and of as many aggregates as fit.</summary>
internal sealed class Batches(Side source, IReadOnlyList<PlannedAggregate> plan, int eventsMax)
{
    int _at;

    /// <summary>The next batch; null at the end.</summary>
    public async Task<IReadOnlyList<EventRecord>?> ReadAsync(CancellationToken cancellation)
    {
        while (_at < plan.Count && plan[_at].Done)
            _at++;
        if (_at == plan.Count)
            return null;
        var (places, end) = Places();
        var events = await source.PullEventsAsync(places, eventsMax, cancellation).ConfigureAwait(false);
        Take(events, end);
        return events;
    }

    (List<(AggregateKey, ulong)> Places, int End) Places()
    {
        List<(AggregateKey, ulong)> places = [];
        ulong events = 0;
        var at = _at;
        for (; at < plan.Count && places.Count < Limits.PageItemsMax && events < (ulong)eventsMax && plan[at].Aggregate.Type == plan[_at].Aggregate.Type; at++)
        {
            // Flags alone, or read already.
            if (plan[at].Done)
                continue;
            places.Add((plan[at].Aggregate, plan[at].Reached));
            events += plan[at].Target - plan[at].Reached;
        }

        return (places, at);
    }

    /// <summary>Notes down how far each aggregate is with these. That they follow one another is looked at here, what they are by the receiver.</summary>
    void Take(IReadOnlyList<EventRecord> events, int end)
    {
        var at = _at;
        foreach (var record in events)
        {
            while (at < end && plan[at].Done && !plan[at].Aggregate.Equals(record.Aggregate))
                at++;
            if (at == end || !plan[at].Aggregate.Equals(record.Aggregate))
                throw source.Lies($"sent an event of {PositionStream.Named(record.Aggregate)} where one of {PositionStream.Named(plan[Math.Min(at, end - 1)].Aggregate)} was due");
            if (record.Version != plan[at].Reached + 1)
                throw source.Lies($"sent version {record.Version} of {PositionStream.Named(record.Aggregate)} where version {plan[at].Reached + 1} was due");
            plan[at].Reached = record.Version;
        }

        if (events.Count == 0)
            throw source.Lies($"has version {plan[_at].Target} of {PositionStream.Named(plan[_at].Aggregate)}, and sent nothing behind version {plan[_at].Reached}");
    }
}
