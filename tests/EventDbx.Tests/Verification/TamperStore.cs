using EventDbx.Storage;
using EventDbx.Tests.Crash;
using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Verification;

/// <summary>A store with one of everything, its rows as they were written, and its answers as they must stay.</summary>
internal sealed class TamperStore : IAsyncDisposable
{
    readonly TestStore _directory = new();
    readonly bool _encrypted;

    TamperStore(bool encrypted)
    {
        _encrypted = encrypted;
        // The same random bytes and times every time, so that two stores differ by what was appended alone.
        var random = new Random(42);
        Database = Database.Open(Options with { Random = bytes => random.NextBytes(bytes), Clock = new TickingClock() });
    }

    public Database Database { get; }

    public string Directory => _directory.Directory;

    public DatabaseOptions Options => _directory.Options(_encrypted);

    public bool Encrypted => _encrypted;

    /// <summary>Every row, by family, as it was left.</summary>
    public Dictionary<Family, List<Row>> Rows { get; private set; } = [];

    /// <summary>The same some entries earlier: what a row may be put back to.</summary>
    public Dictionary<Family, List<Row>> OldRows { get; private set; } = [];

    public byte[] OldWatermark { get; private set; } = [];

    public IReadOnlyList<string> Answers { get; private set; } = [];

    /// <summary>One of every kind of aggregate, some 340 entries in all: a tile of the log tree, but quick to verify.</summary>
    /// <param name="encrypted">Or plain.</param>
    /// <param name="total">Of one event: two stores that differ in it are what somebody makes who computes everything anew.</param>
    /// <param name="beforeTheLast">Done before the last few entries.</param>
    public static async Task<TamperStore> SmallAsync(bool encrypted, string total = "1.50", Action<Database>? beforeTheLast = null)
    {
        var store = new TamperStore(encrypted);
        var session = store.Database.OpenSession(new Actor("cli", "jane"));
        await session.AppendBatchAsync([.. Enumerable.Range(0, 260).Select(i => Draft("filler", "f", $$"""{"n":{{i}}}"""))], default);
        foreach (var (type, id, events, size) in ((string, string, int, int)[])[("order", "o-1", 3, 1), ("order", "wide", 3, 3000), ("order", "kept", 4, 10), ("order", "kept wide", 2, 3000), ("Ärger/%", "ü:1", 2, 5)])
        {
            for (var i = 0; i < events; i++)
                await session.AppendAsync(Draft(type, id, $$"""{"n":{{i}},"f{{i}}":"{{new string('x', size)}}","total":{{(i == 1 && id == "o-1" ? total : $"{i}.50")}}}""") with { Note = i == 1 ? "a remark" : null }, default);
        }

        for (var i = 0; i < 5; i++)
            await session.AppendAsync(Draft("order", "client", $$"""{"n":{{i}}}""") with { EventId = new Guid(i + 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11) }, default);
        foreach (var id in (string[])["empty", "made", "empty kept", "gone", "back"])
            await session.CreateAsync(AggregateKey.Create("order", id), "made", default);
        await session.RemoveAsync(AggregateKey.Create("order", "gone"), default);
        await session.AppendBatchAsync([.. ((string[])["made", "o-1", "batch", "batch", "back"]).Select(id => Draft("order", id, """{"in":"a batch"}"""))], default);
        foreach (var id in (string[])["kept", "kept wide", "empty kept", "back"])
            await session.ArchiveAsync(AggregateKey.Create("order", id), "done", default);
        await session.RestoreAsync(AggregateKey.Create("order", "back"), null, default);
        store.OldRows = store.ReadRows();
        store.OldWatermark = DirectoryImage.Read(Path.Combine(store.Directory, "watermark"));

        beforeTheLast?.Invoke(store.Database);
        foreach (var id in (string[])["o-1", "wide", "made", "client", "empty", "back"])
            await session.AppendAsync(Draft("order", id, """{"n":"newer","f0":"shorter"}""") with { EventId = id == "client" ? new Guid(99, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11) : null }, default);
        await session.ArchiveAsync(AggregateKey.Create("order", "batch"), null, default);
        return store.Finish();
    }

    /// <summary>An aggregate of more than a thousand versions, so that the engine remembers a state.</summary>
    public static async Task<TamperStore> LongAsync(bool encrypted)
    {
        var store = new TamperStore(encrypted);
        var session = store.Database.OpenSession();
        await session.AppendAsync(Draft("order", "short", """{"n":0}"""), default);
        await session.AppendBatchAsync([.. Enumerable.Range(0, 1000).Select(i => Draft("order", "long", $$"""{"n":{{i}},"f{{i % 7}}":{{i}}}"""))], default);
        store.OldRows = store.ReadRows();
        await session.AppendBatchAsync([.. Enumerable.Range(0, 1000).Select(i => Draft("order", "long", $$"""{"m":{{i}}}"""))], default);
        await session.AppendAsync(Draft("order", "long", """{"m":"last"}"""), default);
        return store.Finish();
    }

    sealed class TickingClock : TimeProvider
    {
        long _calls;

        public override DateTimeOffset GetUtcNow() => new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero).AddMilliseconds(Interlocked.Increment(ref _calls));
    }

    static EventDraft Draft(string type, string id, string payload) => TestStore.Draft(AggregateKey.Create(type, id), payload);

    TamperStore Finish()
    {
        Rows = ReadRows();
        Answers = TamperAnswers.All(Database);
        Database.OpenSession().VerifyAll(null, default);
        return this;
    }

    public byte[]? Value(Family family, byte[] key) => Rows[family].Find(row => row.Key.AsSpan().SequenceEqual(key)) is { Key: not null } found ? found.Value : null;

    /// <summary>Writes a cell's rows, does something, and puts everything back.</summary>
    public T With<T>(IReadOnlyList<RowWrite> writes, Func<T> act)
    {
        RawRows.Write(Database, plan => Put(plan, writes));
        try
        {
            return act();
        }
        finally
        {
            RawRows.Write(Database, plan => Put(plan, [.. writes.Select(write => write with { Value = Value(write.Family, write.Key) })]));
        }
    }

    /// <summary>Closes it as a proper stop does.</summary>
    public async Task CloseAsync() => await Database.DisposeAsync();

    public static void Put(WritePlan plan, IEnumerable<RowWrite> writes)
    {
        foreach (var (family, key, value) in writes)
        {
            if (value is null)
                plan.Delete(family, key);
            else
                plan.Put(family, key, value);
        }
    }

    Dictionary<Family, List<Row>> ReadRows() => Families.All.ToDictionary(family => family, family => RawRows.All(Database.Engine, family));

    public async ValueTask DisposeAsync()
    {
        await Database.DisposeAsync();
        _directory.Dispose();
    }
}

/// <summary>One row put, or, without a value, deleted.</summary>
internal readonly record struct RowWrite(Family Family, byte[] Key, byte[]? Value);
