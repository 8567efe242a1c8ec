using EventDbx.Integrity;
using EventDbx.Mirroring;
using EventDbx.Server.Replication;

namespace EventDbx.Server.Tests.Replication.Transfer;

/// <summary>Lists aggregates that are made up as they are asked for, one page after the other: to no end, unless one is given. Has nothing else.</summary>
/// <param name="position">The n-th, from 0; ascending.</param>
/// <param name="end">How many there are.</param>
internal sealed class EndlessReplica(Func<int, ReplicaPosition> position, int end = int.MaxValue) : IReplica
{
    /// <summary>How many were listed.</summary>
    public int Listed { get; private set; }

    public Task<PositionPage> ListPositionsAsync(ReplicaFilter filter, AggregateKey? after, int take, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var page = Enumerable.Range(Listed, Math.Min(take, end - Listed)).Select(position).ToList();
        Listed += page.Count;
        return Task.FromResult(new PositionPage(page, Listed < end));
    }

    public Task<LogEnd> IdentifyAsync(CancellationToken cancellation) => throw new NotSupportedException();

    public Task<IReadOnlyList<Hash32?>> FindRootsAsync(IReadOnlyList<(AggregateKey Aggregate, ulong Version)> places, CancellationToken cancellation) => throw new NotSupportedException();

    public Task<IReadOnlyList<EventRecord>> PullEventsAsync(AggregateKey aggregate, ulong from, int limit, CancellationToken cancellation) => throw new NotSupportedException();

    public Task<IReadOnlyList<EventRecord>> PullEventsAsync(IReadOnlyList<(AggregateKey Aggregate, ulong From)> places, int limit, CancellationToken cancellation) => throw new NotSupportedException();

    public Task<int> ApplyEventsAsync(IReadOnlyList<EventRecord> events, CancellationToken cancellation) => throw new NotSupportedException();

    public Task<AggregateMarks?> FindMarksAsync(AggregateKey aggregate, CancellationToken cancellation) => throw new NotSupportedException();

    public Task<bool> ApplyMarksAsync(AggregateMarks marks, CancellationToken cancellation) => throw new NotSupportedException();

    public Task<ReadOnlyMemory<byte>> PullSchemasAsync(CancellationToken cancellation) => throw new NotSupportedException();

    public Task<int> ApplySchemasAsync(ReadOnlyMemory<byte> schemas, bool replace, CancellationToken cancellation) => throw new NotSupportedException();

    public Task<LogPage> PullLogAsync(ulong after, TimeSpan wait, CancellationToken cancellation) => throw new NotSupportedException();

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
