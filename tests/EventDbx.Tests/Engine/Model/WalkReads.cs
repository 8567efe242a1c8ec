using EventDbx.Integrity;
using EventDbx.Reading;
using EventDbx.Storage.Rows;

namespace EventDbx.Tests.Engine.Model;

/// <summary>Reads everything a session can read, and compares it with the model.</summary>
internal sealed class WalkReads(Database database, Session session, SessionModel model)
{
    /// <summary>A few reads, chosen by chance.</summary>
    public void Look(Random random)
    {
        var key = WalkNames.Aggregates[random.Next(WalkNames.Aggregates.Count)];
        if (model.Find(key) is { } wanted)
            CheckAggregate(wanted, random);
        else
            CheckAbsent(key);
        CheckList(random);
        CheckFeed(random.Next(1, 8), includeControl: random.Next(2) == 0);
    }

    /// <summary>Every aggregate as it is now.</summary>
    public void CheckHeads()
    {
        foreach (var key in WalkNames.Aggregates)
        {
            if (model.Find(key) is { } wanted)
                AssertNow(wanted, session.GetAggregate(key));
            else
                CheckAbsent(key);
        }
    }

    /// <summary>Every aggregate at every version, every event, the feed, and the log's root computed anew.</summary>
    public void CheckAll()
    {
        CheckHeads();
        foreach (var wanted in model.Aggregates.Values)
        {
            for (var version = 0UL; version <= wanted.Version; version++)
                AssertAt(wanted, version, session.GetAggregate(wanted.Key, version));
            Assert.Equal(wanted.Events.Select(e => e.Answer), session.GetEvents(wanted.Key, 1, 1000).Items.Select(e => e.Text()));
        }

        CheckFeed(1, includeControl: true);
        CheckFeed(1000, includeControl: false);
        CheckLog();
        Assert.Null(database.Unhealthy);
    }

    public static void AssertNow(ModelAggregate wanted, AggregateState state)
    {
        AssertAt(wanted, wanted.Version, state);
        Assert.Equal((wanted.CreatedAt, wanted.UpdatedAt), (state.CreatedAt, state.UpdatedAt));
    }

    static void AssertAt(ModelAggregate wanted, ulong version, AggregateState state)
    {
        Assert.Equal((wanted.Key, version, wanted.Archived), (state.Aggregate, state.Version, state.Archived));
        Assert.Equal(wanted.State(version, typed: true), state.StateAsJson(typed: true));
        Assert.Equal(wanted.State(version, typed: false), state.StateAsJson());
        // The answer of a create or archive may come before those of the events that the model has not learnt yet.
        if (version == 0 || wanted.Events[(int)version - 1].Answer is not null)
            Assert.Equal(version == 0 ? Hash32.Empty : wanted.Events[(int)version - 1].Root, state.MerkleRoot);
        Assert.Equal(version == 0 ? wanted.CreatedAt : wanted.Events[(int)version - 1].CreatedAt, state.UpdatedAt);
    }

    void CheckAggregate(ModelAggregate wanted, Random random)
    {
        AssertNow(wanted, session.GetAggregate(wanted.Key));
        var version = (ulong)random.NextInt64(0, (long)wanted.Version + 3);
        AssertAt(wanted, Math.Min(version, wanted.Version), session.GetAggregate(wanted.Key, version));
        var moment = wanted.Events.Count == 0 ? wanted.CreatedAt : wanted.Events[random.Next(wanted.Events.Count)].CreatedAt;
        var at = new Timestamp(moment.Ticks100ns + random.Next(-1, 2));
        AssertAt(wanted, (ulong)wanted.Events.Count(e => e.CreatedAt.CompareTo(at) <= 0), session.GetAggregate(wanted.Key, at));

        var (from, take) = ((ulong)random.NextInt64(0, (long)wanted.Version + 3), random.Next(0, 9));
        var page = session.GetEvents(wanted.Key, from, take);
        var events = wanted.Events.Where(e => e.Version >= from).Take(take).ToList();
        Assert.Equal(events.Select(e => e.Answer), page.Items.Select(e => e.Text()));
        var next = events.Count == 0 ? Math.Max(1, from) : events[^1].Version + 1;
        Assert.Equal(next <= wanted.Version ? next : null, page.NextVersion);
        if (version >= 1 && version <= wanted.Version)
            Assert.Equal(wanted.Events[(int)version - 1].Answer, session.GetEvent(wanted.Key, version).Text());
        else
            Assert.Equal(RefusalCode.NotFound, Answers.RefusalOf(() => session.GetEvent(wanted.Key, version)).Code);
    }

    void CheckAbsent(AggregateKey key)
    {
        foreach (var read in (Action[])
        [
            () => session.GetAggregate(key), () => session.GetAggregate(key, 1), () => session.GetAggregate(key, Timestamp.MaxValue),
            () => session.GetEvents(key, 1, 1), () => session.GetEvent(key, 1),
        ])
            Assert.Equal(RefusalCode.NotFound, Answers.RefusalOf(read).Code);
    }

    void CheckList(Random random)
    {
        var filter = new AggregateFilter
        {
            Type = random.Next(3) == 0 ? WalkNames.Aggregates[random.Next(WalkNames.Aggregates.Count)].Type : null,
            IdPrefix = random.Next(4) switch { 0 => "1", 1 => "10", _ => null },
            Archived = random.Next(3) switch { 0 => true, 1 => false, _ => null },
        };
        var wanted = model.Aggregates.Values
            .Where(a => (filter.Type ?? a.Key.Type) == a.Key.Type && (filter.Archived ?? a.Archived) == a.Archived
                && a.Key.Id.StartsWith(filter.IdPrefix ?? "", StringComparison.Ordinal))
            .OrderBy(a => a.Key.Type, Utf8Order.Instance).ThenBy(a => a.Key.Id, Utf8Order.Instance).ToList();
        var (skip, take) = (random.Next(4), random.Next(5));
        AssertHeads(wanted.Skip(skip).Take(take), session.GetAggregates(filter, null, skip, take).Items);

        List<AggregateState> walked = [];
        take = random.Next(1, 4);
        for (byte[]? after = null; ;)
        {
            var page = session.GetAggregates(filter, after, 0, take);
            walked.AddRange(page.Items);
            Assert.True(page.Items.Count == take || page.Next is null);
            if ((after = page.Next) is null)
                break;
        }

        AssertHeads(wanted, walked);
    }

    static void AssertHeads(IEnumerable<ModelAggregate> wanted, IEnumerable<AggregateState> heads) => Assert.Equal(
        wanted.Select(a => (a.Key, a.Version, a.Archived, a.CreatedAt, a.UpdatedAt)),
        heads.Select(a => (a.Aggregate, a.Version, a.Archived, a.CreatedAt, a.UpdatedAt)));

    /// <summary>Pages put together are the log; none ends within a batch, and none is longer than it must be.</summary>
    void CheckFeed(int take, bool includeControl)
    {
        var reached = 0UL;
        List<FeedItem> all = [];
        while (reached < (ulong)model.Log.Count)
        {
            var page = session.ReadFeed(reached, take, includeControl);
            Assert.True(page.ReachedPosition > reached, "a page makes way");
            var last = model.Log[(int)page.ReachedPosition - 1];
            Assert.Equal(last.BatchCount, last.BatchIndex);
            Assert.True(page.Items.Count <= take || page.Items.Count - last.BatchCount < take, "only a batch goes beyond the bound");
            all.AddRange(page.Items);
            reached = page.ReachedPosition;
        }

        var wanted = model.Log.Select((entry, i) => (Position: (ulong)i + 1, Entry: entry)).Where(e => includeControl || e.Entry.Event is not null);
        Assert.Equal(
            wanted.Select(e => (e.Position, e.Entry.Event?.Answer ?? $"{e.Entry.Kind} {e.Entry.Subject}")),
            all.Select(i => (i.Position, i.Event?.Text() ?? $"{i.Control!.Kind} {i.Control.Subject}")));
        Assert.Empty(session.ReadFeed(reached, take, includeControl).Items);
    }

    void CheckLog()
    {
        using var view = database.Engine.OpenView();
        var rows = view.Range(Family.Log, Keyspace.Position(1), [], int.MaxValue, int.MaxValue);
        Assert.Equal(model.Log.Count, rows.Count);
        List<byte[]> leaves = [];
        foreach (var (row, wanted) in rows.Zip(model.Log))
        {
            var entry = EntryRow.TryRead(Checked.Body(Family.Log, row.Key, row.Value))!;
            Assert.Equal((wanted.BatchIndex, wanted.BatchCount), (entry.BatchIndex, entry.BatchCount));
            leaves.Add(wanted.Event?.Leaf
                ?? Naive.ControlLeaf(entry.Type, entry.Subject, entry.CreatedAt, entry.Actor, entry.Body.ToArray(), entry.Salt.ToArray()));
        }

        Assert.Equal(Naive.Root(leaves), database.LogRoot);
    }
}
