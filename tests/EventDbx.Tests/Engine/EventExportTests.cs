using EventDbx.Reading;
using EventDbx.TestKit;
using EventDbx.Transfer;

namespace EventDbx.Tests.Engine;

/// <summary>Events as a file, and back.</summary>
public sealed class EventExportTests : IDisposable
{
    readonly TemporaryDirectory _out = new();

    [Theory, InlineData(true, false), InlineData(false, true)]
    public async Task Into_an_empty_store_they_come_with_the_same_hashes_and_roots(bool from, bool into)
    {
        using var one = new TestStore();
        using var other = new TestStore();
        await using var source = one.Open(from);
        var session = source.OpenSession(new("shop", "jane"));
        await FillAsync(session, source.OpenSession());
        Assert.Equal(await CountAsync(session), (await new EventExporter(session, null).ToFileAsync(_out["events.ndjson"], null, default)).Rows);

        await using var copy = other.Open(into);
        var taken = copy.OpenSession(new("cli", "other"));
        await using (var file = File.OpenRead(_out["events.ndjson"]))
            Assert.Equal(0, (await new Importer(taken, null).RunAsync(file, default)).NewHashes);
        await using (var file = File.OpenRead(_out["events.ndjson"]))
            Assert.Equal(0, (await new Importer(taken, null).RunAsync(file, default)).Appended);

        var (left, right) = (Aggregates(session), Aggregates(taken));
        Assert.Equal(left.Select(item => (item.Aggregate, item.Version, item.MerkleRoot, item.StateAsJson(true))), right.Select(item => (item.Aggregate, item.Version, item.MerkleRoot, item.StateAsJson(true))));
        Assert.Equal(Events(session).Select(Shown), Events(taken).Select(Shown));
        taken.VerifyAll(null, default);

        // Exported once more they are the same but for their places in the log.
        await new EventExporter(taken, null).ToFileAsync(_out["again.ndjson"], null, default);
        Assert.Equal(Lines("events.ndjson"), Lines("again.ndjson"));
    }

    [Fact]
    public async Task Of_one_type_they_are_those_of_that_type()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        await FillAsync(database.OpenSession(), database.OpenSession());
        var summary = await new EventExporter(database.OpenSession(), null).ToFileAsync(_out["events.ndjson"], "permit/ü", default);
        Assert.Equal(3, summary.Rows);
        Assert.All(File.ReadAllLines(_out["events.ndjson"]), line => Assert.StartsWith("{\"aggregate_type\":\"permit/ü\"", line, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Without_events_no_file_is_made_and_the_one_that_is_there_stays()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        await session.CreateAsync(TestStore.Aggregate(), null, default);
        _out.Write("there", "before");

        Assert.Empty((await new EventExporter(session, null).ToFileAsync(_out["deep/events"], null, default)).Files);
        Assert.Empty((await new EventExporter(session, null).ToFileAsync(_out["there"], null, default)).Files);
        Assert.Equal(["there"], Directory.EnumerateFileSystemEntries(_out.Path).Select(Path.GetFileName));
        Assert.Equal("before", File.ReadAllText(_out["there"]));
        await Assert.ThrowsAsync<IOException>(() => new EventExporter(session, null).ToFileAsync(_out.Path, null, default));
    }

    [Fact]
    public async Task A_source_that_loses_a_salt_or_goes_away_leaves_no_file()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        var record = (await session.AppendAsync(TestStore.Draft(TestStore.Aggregate()), default)).Record;

        var refused = await Assert.ThrowsAsync<RefusedException>(() =>
            new EventExporter(new Failing([record with { Salt = default }]), null).ToFileAsync(_out["events"], null, default));
        Assert.Equal(RefusalCode.Internal, refused.Refusal.Code);
        await Assert.ThrowsAsync<IOException>(() =>
            new EventExporter(new Failing([.. Enumerable.Repeat(record, 1000)]), null).ToFileAsync(_out["events"], null, default));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_out.Path));
    }

    static async Task FillAsync(Session session, Session owner)
    {
        await owner.CreateAsync(TestStore.Aggregate("order", "created"), null, default);
        for (var i = 0; i < 1200; i++)
        {
            await session.AppendAsync(
                TestStore.Draft(TestStore.Aggregate("order", $"o-{i % 17}"), $$$"""{"n":{{{i}}}.50,"f{{{i % 5}}}":"\u00fc😀{{{i}}}","o":{"x":[{{{i}}}]}}""") with { Note = i % 3 == 0 ? "by phone ü" : null }, default);
        }

        await owner.AppendBatchAsync([.. Enumerable.Range(0, 3).Select(i => TestStore.Draft(TestStore.Aggregate("permit/ü", " a b%"), i == 1 ? "null" : "[1]"))], default);
        await owner.ArchiveAsync(TestStore.Aggregate("order", "o-3"), "closed", default);
    }

    static Task<long> CountAsync(Session session) => Task.FromResult((long)Events(session).Count);

    static List<EventRecord> Events(Session session)
    {
        var events = new List<EventRecord>();
        for (var reached = 0UL; ;)
        {
            var page = session.ReadFeed(reached, 1000, includeControl: false);
            events.AddRange(page.Items.Select(item => item.Event!));
            if (page.ReachedPosition == reached)
                return events;
            reached = page.ReachedPosition;
        }
    }

    static string Shown(EventRecord record) =>
        $"{record.Aggregate} {record.Version} {record.EventType} {Encoding.UTF8.GetString(record.Payload.Span)} {record.EventId} {record.CreatedAt} {record.Actor} {record.Note} {record.Hash} {record.MerkleRoot} {Convert.ToHexString(record.Salt.Span)}";

    static List<AggregateState> Aggregates(Session session) =>
        [.. session.GetAggregates(new AggregateFilter(), null, 0, 1000, withState: true).Items.Where(item => item.Version > 0)];

    string[] Lines(string name) => [.. File.ReadAllLines(_out[name]).Select(line => line[..line.LastIndexOf(",\"position\"", StringComparison.Ordinal)])];

    public void Dispose() => _out.Dispose();

    /// <summary>Gives its events, and then fails.</summary>
    sealed class Failing(IReadOnlyList<EventRecord> events) : IExportSource
    {
        public IStateReading ReadStates(Timestamp? at) => throw new IOException("gone");

        public Task<EventSlice> ReadEventsAsync(string? type, string? after, CancellationToken cancellation) =>
            after is null ? Task.FromResult(new EventSlice(events, "1", End: false, null)) : throw new IOException("gone");
    }
}
