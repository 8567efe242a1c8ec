using EventDbx.Integrity;
using EventDbx.Mirroring;
using EventDbx.Server.Replication;

namespace EventDbx.Server.Tests.Replication;

/// <summary>The database of this process as others see it: each member as the contract of replicas has it.</summary>
public sealed class LocalReplicaTests
{
    static readonly TimeSpan Soon = TimeSpan.FromSeconds(60);

    static CancellationToken None => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Everything_of_one_database_moves_to_another_through_nothing_but_replicas()
    {
        using var east = new Store();
        using var west = new Store(encrypted: false);
        await using var from = east.Open();
        await using var to = west.Open();
        await FillAsync(from);
        await using var source = new LocalReplica(from, new("replication", "west"));
        await using var target = new LocalReplica(to, new("replication", "east"), "replication east");

        Assert.Equal(2, await target.ApplySchemasAsync(await source.PullSchemasAsync(None), replace: false, None));
        var moved = 0;
        await foreach (var position in PositionsAsync(source))
        {
            for (ulong at = 0; at < position.Version;)
            {
                var page = await source.PullEventsAsync(position.Aggregate, at, 7, None);
                Assert.InRange(page.Count, 1, 7);
                moved += await target.ApplyEventsAsync(page, None);
                at = page[^1].Version;
            }

            await target.ApplyMarksAsync((await source.FindMarksAsync(position.Aggregate, None))!, None);
        }

        Assert.Equal(60, moved);
        Assert.Equal(await ListAsync(source), await ListAsync(target));
        Assert.Equal(0, await target.ApplySchemasAsync(await source.PullSchemasAsync(None), replace: true, None));
        to.OpenSession().VerifyAll(null, None);
        var end = await target.IdentifyAsync(None);
        Assert.Equal((to.DatabaseId, 1U, to.LogSize, to.LogRoot, false), (end.DatabaseId, end.Epoch, end.Size, end.Root, end.Encrypted));
        var archive = to.OpenSession().ReadFeed(0, 1000, includeControl: true).Items.Last(item => item.Control?.Kind == "archive").Control!;
        Assert.Equal((new Actor("replication", "east"), "replication east"), (archive.Actor, archive.From));
    }

    [Fact]
    public async Task Roots_at_versions_tell_whether_a_history_is_the_beginning_of_another()
    {
        using var store = new Store();
        await using var database = store.Open();
        await FillAsync(database);
        await using var replica = new LocalReplica(database, new("replication", "west"));
        var order = AggregateKey.Create("order", "o-3");
        var events = await replica.PullEventsAsync(order, 0, 0, None);

        var roots = await replica.FindRootsAsync([(order, 2), (order, 0), (order, 99), (AggregateKey.Create("order", "nobody"), 0)], None);

        Assert.Equal([events[1].MerkleRoot, Hash32.Empty, null, null], roots);
    }

    [Fact]
    public async Task Events_of_several_are_pulled_and_applied_in_one_request()
    {
        using var east = new Store();
        using var west = new Store();
        await using var from = east.Open();
        await using var to = west.Open();
        await FillAsync(from);
        await using var source = new LocalReplica(from, new("replication", "west"));
        await using var target = new LocalReplica(to, new("replication", "east"));
        var places = (await ListAsync(source)).Select(at => (at.Aggregate, 0UL)).ToList();

        var first = await source.PullEventsAsync(places, 10, None);
        Assert.Equal(10, first.Count);
        Assert.Equal(10, await target.ApplyEventsAsync(first, None));
        Assert.Equal(50, await target.ApplyEventsAsync(await source.PullEventsAsync(places, 1000, None), None));
        to.OpenSession().VerifyAll(null, None);
    }

    [Fact]
    public async Task What_is_refused_is_the_answer_of_the_task()
    {
        using var store = new Store();
        await using var database = store.Open();
        await using var replica = new LocalReplica(database, new("replication", "west"));
        var order = AggregateKey.Create("order", "o-1");

        await AssertRefusedAsync(RefusalCode.InvalidArgument, replica.ListPositionsAsync(ReplicaFilter.All, null, 0, None));
        await AssertRefusedAsync(RefusalCode.InvalidArgument, replica.PullEventsAsync(order, 0, -1, None));
        await AssertRefusedAsync(RefusalCode.InvalidArgument, replica.PullEventsAsync([(order, 0)], -1, None));
        await AssertRefusedAsync(RefusalCode.LimitExceeded, replica.FindRootsAsync([.. Enumerable.Repeat((order, 0UL), Limits.PageItemsMax + 1)], None));
        await AssertRefusedAsync(RefusalCode.InvalidArgument, replica.ApplyEventsAsync([], None));
        await AssertRefusedAsync(RefusalCode.InvalidSchema, replica.ApplySchemasAsync("7"u8.ToArray(), replace: false, None));
        await AssertRefusedAsync(RefusalCode.VersionConflict, replica.ApplyMarksAsync(new() { Aggregate = order, Version = 3 }, None));
        Assert.Null(await replica.FindMarksAsync(order, None));
        Assert.Empty(await replica.PullEventsAsync(order, 0, 10, None));
        Assert.Equal(0UL, database.LogSize);
    }

    [Fact]
    public async Task What_was_given_up_before_it_began_does_nothing()
    {
        using var store = new Store();
        await using var database = store.Open();
        await FillAsync(database);
        await using var replica = new LocalReplica(database, new("replication", "west"));
        var events = await replica.PullEventsAsync(AggregateKey.Create("order", "o-3"), 0, 10, None);
        using var west = new Store();
        await using var to = west.Open();
        await using var target = new LocalReplica(to, new("replication", "east"));
        var given = new CancellationToken(canceled: true);

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => replica.IdentifyAsync(given));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => replica.ListPositionsAsync(ReplicaFilter.All, null, 1, given));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => target.ApplyEventsAsync(events, given));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => target.ApplySchemasAsync(ReadOnlyMemory<byte>.Empty, true, given));
        Assert.Equal(0UL, to.LogSize);
        Assert.Equal(3, await target.ApplyEventsAsync(events, None));
    }

    [Fact]
    public async Task A_page_of_the_log_is_waited_for_until_something_comes_or_the_wait_is_over()
    {
        using var store = new Store();
        await using var database = store.Open();
        var clock = new ManualTimer();
        var reads = new List<ulong>();
        await using var replica = new LocalReplica(database, new("replication", "west")) { Clock = clock, ReadLog = Read };

        // Something is there: at once, and without a wait at once.
        await AppendAsync(database, "o-1");
        await replica.PullLogAsync(0, TimeSpan.FromSeconds(10), None).WaitAsync(Soon, None);
        await replica.PullLogAsync(1, TimeSpan.Zero, None).WaitAsync(Soon, None);
        Assert.Equal([0UL, 1], reads);

        var waiting = replica.PullLogAsync(1, TimeSpan.FromDays(1), None);
        Assert.False(waiting.IsCompleted);
        Assert.Equal(ServerLimits.ReplicaLogWaitMax, clock.Due);
        await AppendAsync(database, "o-2");
        await waiting.WaitAsync(Soon, None);
        Assert.Equal([0UL, 1, 1], reads);

        var over = replica.PullLogAsync(2, TimeSpan.FromSeconds(7), None);
        Assert.False(over.IsCompleted);
        Assert.Equal(TimeSpan.FromSeconds(7), clock.Due);
        clock.Fire();
        await over.WaitAsync(Soon, None);
        Assert.Equal([0UL, 1, 1, 2], reads);

        using var given = new CancellationTokenSource();
        var cancelled = replica.PullLogAsync(2, TimeSpan.FromDays(1), given.Token);
        await given.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cancelled.WaitAsync(Soon, None));
        await AssertRefusedAsync(RefusalCode.Diverged, replica.PullLogAsync(3, TimeSpan.FromDays(1), None));
        Assert.Equal(4, reads.Count);

        LogPage Read(ulong after, int bytes)
        {
            Assert.Equal(Limits.PageBytesMax, bytes);
            reads.Add(after);
            return new() { After = after, Entries = [], RootBefore = Hash32.Empty, Root = Hash32.Empty, End = new(database.DatabaseId, 1, database.LogSize, database.LogRoot, true) };
        }
    }

    [Fact]
    public async Task The_log_is_that_of_the_database()
    {
        using var store = new Store();
        await using var database = store.Open();
        await FillAsync(database);
        await using var replica = new LocalReplica(database, new("replication", "west"));

        var page = await replica.PullLogAsync(3, TimeSpan.Zero, None);

        Assert.Equal((3UL, database.LogSize - 3, database.LogRoot), (page.After, (ulong)page.Entries.Count, page.Root));
    }

    static async Task AssertRefusedAsync(RefusalCode code, Task call) => Assert.Equal(code, (await Assert.ThrowsAsync<RefusedException>(() => call.WaitAsync(Soon))).Refusal.Code);

    static async IAsyncEnumerable<ReplicaPosition> PositionsAsync(IReplica replica)
    {
        for (AggregateKey? after = null; ;)
        {
            var page = await replica.ListPositionsAsync(ReplicaFilter.All, after, 4, None);
            foreach (var position in page.Positions)
                yield return position;
            if (!page.More)
                yield break;
            after = page.Positions[^1].Aggregate;
        }
    }

    static async Task<List<ReplicaPosition>> ListAsync(IReplica replica)
    {
        var all = new List<ReplicaPosition>();
        await foreach (var position in PositionsAsync(replica))
            all.Add(position);
        return all;
    }

    static Task<AppendResult> AppendAsync(Database database, string id) => database.OpenSession(new Actor("clerks", "jane")).AppendAsync(
        new() { Aggregate = AggregateKey.Create("order", id), EventType = "placed", Payload = """{"a":1}"""u8.ToArray(), Note = "n" }, None);

    /// <summary>Ids o-0 to o-9, of as many events as their number and three of others; two schemas, one that hides its type; one archived, one empty.</summary>
    static async Task FillAsync(Database database)
    {
        var session = database.OpenSession(new Actor("clerks", "jane"));
        foreach (var type in (string[])["order", "secret"])
            await session.ChangeSchemaAsync(type, book => SchemaOf(type, book), None);
        for (var id = 0; id < 10; id++)
        {
            for (var i = 0; i < id; i++)
                await AppendAsync(database, $"o-{id}");
        }

        for (var i = 0; i < 15; i++)
            await session.AppendAsync(new() { Aggregate = AggregateKey.Create("secret", "s"), EventType = "placed", Payload = "{}"u8.ToArray() }, None);
        await session.CreateAsync(AggregateKey.Create("order", "o-0"), "to come", None);
        await session.ArchiveAsync(AggregateKey.Create("order", "o-5"), "over", None);
        await session.SnapshotAsync(AggregateKey.Create("order", "o-5"), "the end", None);
    }

    static Schemas.AggregateSchema SchemaOf(string type, Schemas.SchemaBook book)
    {
        var schema = Schemas.SchemaChange.Create(book, type, ["placed"], null, default);
        return type == "secret" ? Schemas.SchemaChange.SetHidden(schema, true, default) : schema;
    }

    /// <summary>A clock whose newest timer goes off when it is told to.</summary>
    sealed class ManualTimer : TimeProvider
    {
        Action _fire = static () => { };

        public TimeSpan Due { get; private set; }

        public void Fire() => _fire();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            (Due, _fire) = (dueTime, () => callback(state));
            return new Never();
        }

        sealed class Never : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => ValueTask.CompletedTask;
        }
    }

    sealed class Store(bool encrypted = true) : IDisposable
    {
        readonly string _directory = Directory.CreateTempSubdirectory("eventdbx-test-").FullName;
        readonly Encryption.DataKey _key = Encryption.DataKey.Generate();

        public Database Open() => Database.Open(new() { Directory = _directory, Encrypted = encrypted, Key = encrypted ? _key : null, LockTimeout = TimeSpan.Zero });

        public void Dispose()
        {
            _key.Dispose();
            Directory.Delete(_directory, recursive: true);
        }
    }
}
