using EventDbx.Encryption;
using EventDbx.Merging;
using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Merging;

/// <summary>Two databases, each with a key of its own or none: one that has histories, and one that takes them over.</summary>
internal sealed class MergePair : IAsyncDisposable
{
    readonly TestStore _from = new();
    readonly TestStore _to = new();
    readonly DataKey _fromKey = DataKey.Generate();
    readonly DataKey _toKey = DataKey.Generate();

    public MergePair(bool fromEncrypted = true, bool toEncrypted = true, Func<DatabaseOptions, DatabaseOptions>? receiver = null)
    {
        ToOptions = (receiver ?? (static options => options))(_to.Options(toEncrypted) with { Key = toEncrypted ? _toKey : null });
        FromDatabase = Database.Open(_from.Options(fromEncrypted) with { Key = fromEncrypted ? _fromKey : null });
        ToDatabase = Database.Open(ToOptions);
        From = FromDatabase.OpenSession(new Actor("clerks", "jane"));
        To = ToDatabase.OpenSession(new Actor("replication", "east"));
    }

    public DatabaseOptions ToOptions { get; }

    public Database FromDatabase { get; }

    public Database ToDatabase { get; private set; }

    public Session From { get; }

    public Session To { get; private set; }

    /// <summary>Closes the receiver and opens it again.</summary>
    public async Task ReopenAsync()
    {
        await ToDatabase.DisposeAsync();
        ToDatabase = Database.Open(ToOptions);
        To = ToDatabase.OpenSession(new Actor("replication", "east"));
    }

    public IReadOnlyList<EventRecord> History(AggregateKey aggregate, ulong after = 0, int take = 0) => From.GetHistory(aggregate, after, take);

    /// <summary>Moves everything of an aggregate that is not there yet.</summary>
    public async Task<int> PushAsync(AggregateKey aggregate, int batch = 1000)
    {
        var moved = 0;
        for (var at = VersionIn(To, aggregate); History(aggregate, at, batch) is { Count: > 0 } records; at = records[^1].Version)
            moved += await To.MergeAsync(records, default);
        return moved;
    }

    public static ulong VersionIn(Session session, AggregateKey aggregate) =>
        session.GetPositions(new() { Aggregates = [aggregate] }, null, 1).Positions is [var at] ? at.Version : 0;

    /// <summary>Appends events with everything an event can have, under ids of the client and of the store.</summary>
    public async Task FillAsync(AggregateKey aggregate, int events, int filler = 0)
    {
        for (var i = 0; i < events; i++)
        {
            await From.AppendAsync(
                TestStore.Draft(aggregate, $$"""{"n":{{i}},"f{{i % 7}}":"{{new string('x', filler)}}"}""", i % 2 == 0 ? "placed" : "paid") with
                {
                    Note = i % 3 == 0 ? $"note {i}" : null, EventId = i % 4 == 0 ? Guid.NewGuid() : null,
                },
                default);
        }
    }

    /// <summary>Both have the same of an aggregate: records but for positions, state, root; and the receiver's store is sound.</summary>
    public void AssertSame(params AggregateKey[] aggregates)
    {
        foreach (var aggregate in aggregates)
        {
            Assert.Equal(All(From, aggregate), All(To, aggregate));
            var (theirs, ours) = (From.GetAggregate(aggregate), To.GetAggregate(aggregate));
            Assert.Equal((theirs.Version, theirs.MerkleRoot, theirs.StateAsJson(typed: true)), (ours.Version, ours.MerkleRoot, ours.StateAsJson(typed: true)));
        }

        To.VerifyAll(null, TestContext.Current.CancellationToken);
    }

    static List<string> All(Session session, AggregateKey aggregate)
    {
        var all = new List<string>();
        for (ulong at = 0; session.GetHistory(aggregate, at, 0) is { Count: > 0 } page; at = page[^1].Version)
            all.AddRange(page.Select(record => (record with { Position = 0 }).Text()));
        return all;
    }

    /// <summary>The call is refused with this code, says these words, and the receiver's log is what it was.</summary>
    public async Task AssertRefusedAsync(RefusalCode code, Func<Task> call, params string[] words)
    {
        var before = To.FindLogEnd();
        var refusal = await Answers.RefusalOf(call());
        Assert.Equal((code, before), (refusal.Code, To.FindLogEnd()));
        foreach (var word in words)
            Assert.Contains(word, refusal.Message, StringComparison.OrdinalIgnoreCase);
    }

    public async ValueTask DisposeAsync()
    {
        await FromDatabase.DisposeAsync();
        await ToDatabase.DisposeAsync();
        _from.Dispose();
        _to.Dispose();
        _fromKey.Dispose();
        _toKey.Dispose();
    }
}
