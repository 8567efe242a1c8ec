using EventDbx.Integrity;
using EventDbx.Merging;
using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Merging;

/// <summary>What two databases compare before anything moves.</summary>
public sealed class PositionTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Positions_have_every_aggregate_in_key_order_page_by_page(bool encrypted)
    {
        using var store = new TestStore();
        await using var database = store.Open(encrypted);
        var session = database.OpenSession();
        var all = await FillAsync(session);

        foreach (var take in (int[])[1, 2, 7, 1000, int.MaxValue])
            Assert.Equal(all, Read(session, new(), take));
        var behind = session.GetPositions(new(), AggregateKey.Create("日", "z"), 5);
        Assert.Equal((0, false), (behind.Positions.Count, behind.More));
    }

    [Fact]
    public async Task A_filter_by_types_and_names_finds_what_a_look_at_everything_finds()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        var all = await FillAsync(session);
        string[] types = ["a", "ab", "b", "hidden", "none", "é"];
        var nobody = AggregateKey.Create("b", "nobody");

        await Effort.SeededAsync(random =>
        {
            for (var round = 0; round < Effort.Choose(200, 2000, 20_000); round++)
            {
                var filter = new HistoryFilter
                {
                    Types = [.. types.Where(_ => random.Next(3) == 0)],
                    Aggregates = [.. all.Where(_ => random.Next(8) == 0).Select(at => at.Aggregate), .. random.Next(2) == 0 ? (AggregateKey[])[nobody, nobody] : []],
                };
                var named = filter.Aggregates.Select(aggregate => aggregate.Type).ToHashSet();
                var expected = all.Where(at => filter.Types.Count + filter.Aggregates.Count == 0 || (named.Contains(at.Aggregate.Type)
                    ? filter.Aggregates.Contains(at.Aggregate) : filter.Types.Contains(at.Aggregate.Type)));
                Assert.Equal(expected, Read(session, filter, random.Next(1, 9)));
            }

            return Task.CompletedTask;
        });
        var much = Answers.RefusalOf(() => session.GetPositions(new() { Types = [.. Enumerable.Repeat("a", Limits.MergeFilterMax + 1)] }, null, 1));
        Assert.Equal(RefusalCode.LimitExceeded, much.Code);
        Assert.Throws<ArgumentOutOfRangeException>(() => session.GetPositions(new(), null, 0));
    }

    [Fact]
    public async Task Roots_at_versions_are_those_of_the_events_and_null_where_there_is_none()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        var all = await FillAsync(session);
        List<(AggregateKey Aggregate, ulong Version)> places = [];
        List<Hash32?> expected = [];
        foreach (var at in all)
        {
            places.Add((at.Aggregate, 0));
            expected.Add(Hash32.Empty);
            foreach (var record in session.GetHistory(at.Aggregate, 0, 0))
            {
                places.Add((at.Aggregate, record.Version));
                expected.Add(record.MerkleRoot);
            }

            places.Add((at.Aggregate, at.Version + 1));
            expected.Add(null);
            places.Add((at.Aggregate, ulong.MaxValue));
            expected.Add(null);
        }

        places.Add((AggregateKey.Create("b", "nobody"), 0));
        places.Add((AggregateKey.Create("b", "nobody"), 1));
        expected.AddRange([null, null]);

        Assert.InRange(places.Count, 100, Limits.PageItemsMax);
        Assert.Equal(expected, session.FindRoots(places));
        Assert.Equal(RefusalCode.LimitExceeded, Answers.RefusalOf(() => session.FindRoots([.. Enumerable.Repeat(places[0], Limits.PageItemsMax + 1)])).Code);
    }

    [Fact]
    public async Task History_is_read_from_a_version_on_with_its_salts()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        var order = TestStore.Aggregate();
        for (var i = 0; i < 12; i++)
            await session.AppendAsync(TestStore.Draft(order), default);

        Assert.Equal([4UL, 5, 6], session.GetHistory(order, 3, 3).Select(record => record.Version));
        Assert.All(session.GetHistory(order, 0, 0), record => Assert.Equal(16, record.Salt.Length));
        Assert.Empty(session.GetHistory(order, 12, 0));
        Assert.Empty(session.GetHistory(order, ulong.MaxValue, 0));
        Assert.Empty(session.GetHistory(TestStore.Aggregate("order", "nobody"), 0, 10));
        Assert.Throws<ArgumentOutOfRangeException>(() => session.GetHistory(order, 0, -1));
    }

    static List<HistoryPosition> Read(Session session, HistoryFilter filter, int take)
    {
        var all = new List<HistoryPosition>();
        for (AggregateKey? after = null; ;)
        {
            var page = session.GetPositions(filter, after, take);
            Assert.InRange(page.Positions.Count, page.More ? take : 0, take);
            all.AddRange(page.Positions);
            if (!page.More)
                return all;
            after = all[^1].Aggregate;
        }
    }

    /// <summary>Active, archived, empty and hidden ones, of types that are the beginning of one another.</summary>
    static async Task<List<HistoryPosition>> FillAsync(Session session)
    {
        await session.MergeSchemasAsync("""{"hidden":{"aggregate":"hidden","snapshot_threshold":null,"locked":false,"field_locks":[],"hidden":true,"hidden_fields":[],"column_types":{},"events":{"placed":{"fields":[]}},"created_at":"2026-01-01T00:00:00Z","updated_at":"2026-01-01T00:00:00Z"}}"""u8.ToArray(), replace: false, default);
        var all = new List<HistoryPosition>();
        foreach (var type in (string[])["a", "ab", "a-b", "b", "hidden", "é"])
        {
            for (var id = 0; id < 9; id++)
            {
                var aggregate = AggregateKey.Create(type, $"i-{id}");
                if (id % 4 == 0)
                    await session.CreateAsync(aggregate, null, default);
                for (var events = id % 4; events > 0; events--)
                    await session.AppendAsync(TestStore.Draft(aggregate), default);
                for (var snapshots = id % 5; snapshots > 3; snapshots--)
                    await session.SnapshotAsync(aggregate, null, default);
                if (id % 3 == 0)
                    await session.ArchiveAsync(aggregate, null, default);
                if (id == 6)
                    await session.SnapshotAsync(aggregate, null, default);
                if (id == 8)
                    await session.AppendAsync(TestStore.Draft(aggregate), default);
                var now = session.GetAggregate(aggregate);
                all.Add(new(aggregate, now.Version, now.MerkleRoot, now.Archived, id switch { 4 or 6 => 1, _ => 0 }));
            }
        }

        return [.. all.OrderBy(at => at.Aggregate)];
    }
}
