using System.Globalization;
using System.Text;
using EventDbx.Integrity;
using EventDbx.Mirroring;
using EventDbx.Server.Replication;
using EventDbx.Server.Replication.Transfer;

namespace EventDbx.Server.Tests.Replication.Transfer;

/// <summary>What a transfer keeps in memory: a batch or two, and the plan; not what goes over.</summary>
public sealed class TransferMemoryTests
{
    [Fact]
    public async Task Two_hundred_megabytes_of_events_go_over_in_a_few()
    {
        const int aggregates = 20_000, each = 10;
        var (source, receiver) = (new EndlessReplica(aggregates, each), new EndlessReplica(0, 0));
        var before = GC.GetTotalMemory(forceFullCollection: true);

        var run = new PushPull(new() { Direction = TransferDirection.Push, Remote = "east" }, source, receiver, TimeProvider.System, static _ => { });
        await run.RunAsync(TestContext.Current.CancellationToken);

        Assert.Equal((ulong)(aggregates * each), run.Report.Events!.Events);
        Assert.Equal(aggregates * each, receiver.Taken);
        // The plan has 300 bytes for each of 20,000: 6 MB.
        Assert.InRange(receiver.Peak - before, long.MinValue, 60L * 1024 * 1024);
    }

    /// <summary>Makes what it is asked for, and keeps nothing of what it is given.</summary>
    sealed class EndlessReplica(int aggregates, int each) : IReplica
    {
        static readonly byte[] Payload = Encoding.ASCII.GetBytes($"\"{new string('x', 1000)}\"");

        int _batches;

        public int Taken { get; private set; }

        public long Peak { get; private set; }

        public Task<LogEnd> IdentifyAsync(CancellationToken cancellation) => throw new InvalidOperationException();

        public Task<PositionPage> ListPositionsAsync(ReplicaFilter filter, AggregateKey? after, int take, CancellationToken cancellation)
        {
            var first = after is null ? 0 : int.Parse(after.Id, CultureInfo.InvariantCulture) + 1;
            var page = Enumerable.Range(first, Math.Min(take, aggregates - first)).Select(n => new ReplicaPosition(Key(n), (ulong)each, Hash32.Empty, false, 0)).ToList();
            return Task.FromResult(new PositionPage(page, first + page.Count < aggregates));
        }

        public Task<IReadOnlyList<EventRecord>> PullEventsAsync(AggregateKey aggregate, ulong from, int limit, CancellationToken cancellation) => Task.FromResult<IReadOnlyList<EventRecord>>(
            [.. Enumerable.Range((int)from + 1, Math.Min(limit, each - (int)from)).Select(version => new EventRecord
            {
                Aggregate = aggregate, EventType = "happened", Payload = (byte[])Payload.Clone(), EventId = Guid.CreateVersion7(), CreatedAt = new(1), Version = (ulong)version, Hash = Hash32.Empty, MerkleRoot = Hash32.Empty, Position = 1,
            })]);

        public Task<int> ApplyEventsAsync(IReadOnlyList<EventRecord> events, CancellationToken cancellation)
        {
            Taken += events.Count;
            if (++_batches % 100 == 0)
                Peak = Math.Max(Peak, GC.GetTotalMemory(forceFullCollection: true));
            return Task.FromResult(events.Count);
        }

        public Task<AggregateMarks?> FindMarksAsync(AggregateKey aggregate, CancellationToken cancellation) => Task.FromResult<AggregateMarks?>(new() { Aggregate = aggregate, Version = (ulong)each });

        public Task<IReadOnlyList<Hash32?>> FindRootsAsync(IReadOnlyList<(AggregateKey Aggregate, ulong Version)> places, CancellationToken cancellation) => throw new InvalidOperationException();

        public Task<bool> ApplyMarksAsync(AggregateMarks marks, CancellationToken cancellation) => throw new InvalidOperationException();

        public Task<ReadOnlyMemory<byte>> PullSchemasAsync(CancellationToken cancellation) => throw new InvalidOperationException();

        public Task<int> ApplySchemasAsync(ReadOnlyMemory<byte> schemas, bool replace, CancellationToken cancellation) => throw new InvalidOperationException();

        public Task<LogPage> PullLogAsync(ulong after, TimeSpan wait, CancellationToken cancellation) => throw new InvalidOperationException();

        public ValueTask DisposeAsync() => default;

        static AggregateKey Key(int n) => AggregateKey.Create("order", n.ToString("d8", CultureInfo.InvariantCulture));
    }
}
