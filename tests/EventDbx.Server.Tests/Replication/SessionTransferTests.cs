using System.Text;
using EventDbx.Server.Replication;

namespace EventDbx.Server.Tests.Replication;

/// <summary>Two databases that meet in a session: what is true comes across whole, and what is not leaves nothing.</summary>
public sealed class SessionTransferTests
{
    static readonly AggregateKey One = AggregateKey.Create("order", "o-1");

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>A server with a database of its own behind its sessions; what goes out may be changed on its way.</summary>
    static Task<PeerStage> StartAsync(Func<EventRecord, EventRecord>? lie = null) => PeerStage.StartAsync(change: options => options with
    {
        OpenReplica = (database, actor) => lie is null ? new LocalReplica(database, actor) : new Liar(new LocalReplica(database, actor), lie),
    });

    static async Task FillAsync(PeerStage stage)
    {
        for (var i = 1; i <= 3; i++)
            await stage.Server.AppendAsync("order", "o-1", "made", $$"""{"n":{{i}},"text":"für"}""");
    }

    [Fact]
    public async Task Events_come_across_with_all_that_identifies_them_both_ways()
    {
        await using var east = await StartAsync();
        await using var west = await StartAsync();
        await FillAsync(east);
        await using var remote = await east.DialAsync();
        await using var back = await west.DialAsync();
        var expected = east.Server.Owner.GetEvents(One, 1, 10).Items;

        // Pulled from the one, pushed to the other, and once more.
        var events = await remote.PullEventsAsync(One, 0, 10, Cancellation);
        Assert.Equal(3, await back.ApplyEventsAsync(events, Cancellation));
        Assert.Equal(0, await back.ApplyEventsAsync(events, Cancellation));
        var there = Assert.Single((await back.ListPositionsAsync(ReplicaFilter.All, null, 10, Cancellation)).Positions);
        var roots = await back.FindRootsAsync([(One, 3), (One, 4)], Cancellation);

        var actual = west.Server.Owner.GetEvents(One, 1, 10).Items;
        Assert.Equal(3, actual.Count);
        Assert.All(expected.Zip(actual), static pair =>
        {
            Assert.Equal((pair.First.Hash, pair.First.MerkleRoot, pair.First.EventId, pair.First.CreatedAt, pair.First.Actor, pair.First.Note), (pair.Second.Hash, pair.Second.MerkleRoot, pair.Second.EventId, pair.Second.CreatedAt, pair.Second.Actor, pair.Second.Note));
            Assert.Equal(pair.First.Payload.ToArray(), pair.Second.Payload.ToArray());
        });
        Assert.Equal((One, 3UL, expected[^1].MerkleRoot), (there.Aggregate, there.Version, there.Root));
        Assert.Equal([expected[^1].MerkleRoot, null], roots);
    }

    [Theory]
    [InlineData("note")]
    [InlineData("actor")]
    [InlineData("time")]
    [InlineData("payload")]
    [InlineData("type")]
    [InlineData("hash")]
    [InlineData("root")]
    public async Task What_a_peer_changes_is_refused_and_nothing_is_written(string what)
    {
        await using var east = await StartAsync(record => record.Version != 2 ? record : what switch
        {
            "note" => record with { Note = "another" },
            "actor" => record with { Actor = new("ops", "somebody else") },
            "time" => record with { CreatedAt = new(record.CreatedAt.Ticks100ns + 1) },
            "payload" => record with { Payload = Encoding.UTF8.GetBytes("{\"n\":9}") },
            "type" => record with { EventType = "unmade" },
            "hash" => record with { Hash = FakeReplica.HashOf(1) },
            _ => record with { MerkleRoot = FakeReplica.HashOf(1) },
        });
        await using var west = await StartAsync();
        await FillAsync(east);
        await using var remote = await east.DialAsync();
        await using var back = await west.DialAsync();
        var size = west.Server.Host.Database.LogSize;

        var events = await remote.PullEventsAsync(One, 0, 10, Cancellation);
        var refused = await Assert.ThrowsAsync<RefusedException>(() => back.ApplyEventsAsync(events, Cancellation));

        Assert.Equal(RefusalCode.IntegrityViolation, refused.Refusal.Code);
        Assert.Contains("o-1", refused.Message, StringComparison.Ordinal);
        Assert.Equal(size, west.Server.Host.Database.LogSize);
        // The session goes on, and the truth is still taken.
        Assert.Empty((await back.ListPositionsAsync(ReplicaFilter.All, null, 10, Cancellation)).Positions);
    }

    sealed class Liar(LocalReplica truth, Func<EventRecord, EventRecord> lie) : IReplica
    {
        public Task<Mirroring.LogEnd> IdentifyAsync(CancellationToken cancellation) => truth.IdentifyAsync(cancellation);

        public Task<PositionPage> ListPositionsAsync(ReplicaFilter filter, AggregateKey? after, int take, CancellationToken cancellation) => truth.ListPositionsAsync(filter, after, take, cancellation);

        public Task<IReadOnlyList<Integrity.Hash32?>> FindRootsAsync(IReadOnlyList<(AggregateKey Aggregate, ulong Version)> places, CancellationToken cancellation) => truth.FindRootsAsync(places, cancellation);

        public async Task<IReadOnlyList<EventRecord>> PullEventsAsync(AggregateKey aggregate, ulong from, int limit, CancellationToken cancellation) =>
            [.. (await truth.PullEventsAsync(aggregate, from, limit, cancellation)).Select(lie)];

        public Task<int> ApplyEventsAsync(IReadOnlyList<EventRecord> events, CancellationToken cancellation) => truth.ApplyEventsAsync(events, cancellation);

        public Task<AggregateMarks?> FindMarksAsync(AggregateKey aggregate, CancellationToken cancellation) => truth.FindMarksAsync(aggregate, cancellation);

        public Task<bool> ApplyMarksAsync(AggregateMarks marks, CancellationToken cancellation) => truth.ApplyMarksAsync(marks, cancellation);

        public Task<ReadOnlyMemory<byte>> PullSchemasAsync(CancellationToken cancellation) => truth.PullSchemasAsync(cancellation);

        public Task<int> ApplySchemasAsync(ReadOnlyMemory<byte> schemas, bool replace, CancellationToken cancellation) => truth.ApplySchemasAsync(schemas, replace, cancellation);

        public Task<Mirroring.LogPage> PullLogAsync(ulong after, TimeSpan wait, CancellationToken cancellation) => truth.PullLogAsync(after, wait, cancellation);

        public ValueTask DisposeAsync() => truth.DisposeAsync();
    }
}
