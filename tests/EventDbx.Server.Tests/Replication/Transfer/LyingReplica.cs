using EventDbx.Integrity;
using EventDbx.Mirroring;
using EventDbx.Server.Replication;

namespace EventDbx.Server.Tests.Replication.Transfer;

/// <summary>Answers in the form that is due, and says what cannot be.</summary>
internal sealed class LyingReplica(MemoryReplica honest, string lie) : IReplica
{
    public Task<LogEnd> IdentifyAsync(CancellationToken cancellation) => honest.IdentifyAsync(cancellation);

    public async Task<PositionPage> ListPositionsAsync(ReplicaFilter filter, AggregateKey? after, int take, CancellationToken cancellation)
    {
        var page = await honest.ListPositionsAsync(filter, after, take, cancellation);
        return lie switch
        {
            "out of order" => page with { Positions = [.. page.Positions.Reverse()] },
            "no end" => new([], true),
            "foreign" => page with { Positions = [.. page.Positions, page.Positions[0] with { Aggregate = AggregateKey.Create("other", "x") }] },
            "more" => new([], false),
            _ => page,
        };
    }

    public async Task<IReadOnlyList<Hash32?>> FindRootsAsync(IReadOnlyList<(AggregateKey Aggregate, ulong Version)> places, CancellationToken cancellation) =>
        lie == "roots" ? [] : await honest.FindRootsAsync(places, cancellation);

    public Task<IReadOnlyList<EventRecord>> PullEventsAsync(AggregateKey aggregate, ulong from, int limit, CancellationToken cancellation) =>
        PullEventsAsync([(aggregate, from)], limit, cancellation);

    public async Task<IReadOnlyList<EventRecord>> PullEventsAsync(IReadOnlyList<(AggregateKey Aggregate, ulong From)> places, int limit, CancellationToken cancellation)
    {
        var events = await honest.PullEventsAsync(places, limit, cancellation);
        return lie switch
        {
            "nothing" => [],
            "gap" => [.. events.Skip(1)],
            "alien" => [events[0] with { Aggregate = AggregateKey.Create("alien", "a") }],
            _ => events,
        };
    }

    public async Task<int> ApplyEventsAsync(IReadOnlyList<EventRecord> events, CancellationToken cancellation) =>
        lie == "more" ? events.Count + 1 : await honest.ApplyEventsAsync(events, cancellation);

    public Task<AggregateMarks?> FindMarksAsync(AggregateKey aggregate, CancellationToken cancellation) => honest.FindMarksAsync(aggregate, cancellation);

    public Task<bool> ApplyMarksAsync(AggregateMarks marks, CancellationToken cancellation) => honest.ApplyMarksAsync(marks, cancellation);

    public Task<ReadOnlyMemory<byte>> PullSchemasAsync(CancellationToken cancellation) => honest.PullSchemasAsync(cancellation);

    public Task<int> ApplySchemasAsync(ReadOnlyMemory<byte> schemas, bool replace, CancellationToken cancellation) => honest.ApplySchemasAsync(schemas, replace, cancellation);

    public Task<LogPage> PullLogAsync(ulong after, TimeSpan wait, CancellationToken cancellation) => honest.PullLogAsync(after, wait, cancellation);

    public ValueTask DisposeAsync() => honest.DisposeAsync();
}
