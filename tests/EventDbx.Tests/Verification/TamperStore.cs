using EventDbx.Checkpoints;
using EventDbx.Storage;
using EventDbx.Tests.Checkpoints;
using EventDbx.Tests.Crash;
using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Verification;

/// <summary>A store with one of everything, its rows as they were written, and its answers as they must stay.</summary>
internal sealed class TamperStore : IAsyncDisposable
{
    readonly TestStore _directory = new();
    readonly bool _encrypted;
    readonly FakeSigner _signer;

    TamperStore(bool encrypted, string signingKey)
    {
        (_encrypted, _signer) = (encrypted, new(signingKey));
        // The same random bytes and times every time, so that two stores differ by what was appended alone.
        var random = new Random(42);
        Database = Database.Open(Options with { Random = bytes => random.NextBytes(bytes), Clock = Clock });
    }

    TickingClock Clock { get; } = new();

    public Database Database { get; }

    public string Directory => _directory.Directory;

    public DatabaseOptions Options => _directory.Options(_encrypted) with { Signer = () => _signer };

    public bool Encrypted => _encrypted;

    /// <summary>Every row, by family, as it was left.</summary>
    public Dictionary<Family, List<Row>> Rows { get; private set; } = [];

    /// <summary>The same some entries earlier: what a row may be put back to.</summary>
    public Dictionary<Family, List<Row>> OldRows { get; private set; } = [];

    public byte[] OldWatermark { get; private set; } = [];

    /// <summary>The newest checkpoint at that time, as somebody outside has kept it.</summary>
    public Checkpoint Kept { get; private set; } = null!;

    /// <summary>Tokens of which the store remembers something.</summary>
    public static IReadOnlyList<Guid> Tokens { get; } = [new("45c3013e-9b95-4ed0-9af9-1a465f81d3cf"), new("55c3013e-9b95-4ed0-9af9-1a465f81d3cf"), new("65c3013e-9b95-4ed0-9af9-1a465f81d3cf")];

    public IReadOnlyList<string> Answers { get; private set; } = [];

    /// <summary>One of every kind of aggregate and row, some 340 entries in all: a tile of the log tree, but quick to verify.</summary>
    /// <param name="encrypted">Or plain.</param>
    /// <param name="twin">What is different: two stores that differ in it are what somebody makes who computes everything anew.</param>
    /// <param name="beforeTheLast">Done before the last few entries.</param>
    /// <param name="signingKey">Another one: without the log's key.</param>
    public static async Task<TamperStore> SmallAsync(bool encrypted, TamperTwin? twin = null, Action<TamperStore>? beforeTheLast = null, string signingKey = "a key")
    {
        twin ??= new();
        var store = new TamperStore(encrypted, signingKey);
        var (database, session) = (store.Database, store.Database.OpenSession(new Actor("cli", twin.User)));
        var declared = Encoding.UTF8.GetBytes($$$"""{"aggregate":"part","snapshot_threshold":2,"events":{"placed":{"fields":[]}},"column_types":{"n":"{{{twin.ColumnType}}}"}}""");
        await session.ChangeSchemaAsync("part", _ => EventDbx.Schemas.SchemaJson.ReadDeclaredSchema("""{"aggregate":"part","events":{"placed":{"fields":[]}}}"""u8, new Timestamp(0)), default);
        await session.ChangeSchemaAsync("item", _ => EventDbx.Schemas.SchemaJson.ReadDeclaredSchema("""{"aggregate":"item","events":{"placed":{"fields":[]}}}"""u8, new Timestamp(0)), default);
        await session.ChangeSchemaAsync("unit", _ => EventDbx.Schemas.SchemaJson.ReadDeclaredSchema("""{"aggregate":"unit","events":{"placed":{"fields":[]}}}"""u8, new Timestamp(0)), default);
        await session.AppendBatchAsync([.. Enumerable.Range(0, 260).Select(i => Draft("filler", "f", $$"""{"n":{{i}}}"""))], default);
        await database.ReadCheckpointAsync(0, handOut: true, default);
        foreach (var (type, id, events, size) in ((string, string, int, int)[])[("order", "o-1", 3, 1), ("order", "wide", 3, 3000), ("order", "kept", 4, 10), ("order", "kept wide", 2, 3000), ("Ärger/%", "ü:1", 2, 5)])
        {
            for (var i = 0; i < events; i++)
            {
                var special = i == 1 && id == "o-1";
                if (special && twin.Inserted)
                    await session.AppendAsync(Draft(type, id, """{"n":"inserted"}"""), default);
                if (special && twin.Dropped)
                    continue;
                var draft = Draft(type, special && twin.Moved ? "o-2" : id, $$"""{"n":{{i}},"f{{i}}":"{{new string('x', size)}}","total":{{(special ? twin.Total : $"{i}.50")}}}""");
                await session.AppendAsync(draft with { Note = i == 1 ? special ? twin.Note : $"a remark on {id}" : null, EventType = special ? twin.EventType : draft.EventType }, default);
            }

            if (id == "o-1" && twin.Late)
                store.Clock.Advance();
        }

        for (var i = 0; i < 5; i++)
            await session.AppendAsync(Draft("order", "client", $$"""{"n":{{i}}}""") with { EventId = new Guid(i == 2 ? twin.EventId : i + 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11) }, default);
        foreach (var id in (string[])["empty", "made", "empty kept", "gone", "back"])
            await session.CreateAsync(AggregateKey.Create("order", id), "made", default);
        await session.RemoveAsync(AggregateKey.Create("order", "gone"), default);
        await session.AppendBatchAsync([.. ((string[])["made", "o-1", "batch", "batch", "back"]).Select(id => Draft("order", id, """{"in":"a batch"}"""))], default);
        foreach (var (id, place) in ((string[])["o-1", "wide", "kept"]).Select((id, place) => (id, place)))
            await session.SnapshotAsync(AggregateKey.Create("order", id), place == 1 ? null : $"no. {place}", default);
        foreach (var id in (string[])["kept", "kept wide", "empty kept", "back"])
            await session.ArchiveAsync(AggregateKey.Create("order", id), twin.Comment, default);
        await session.RestoreAsync(AggregateKey.Create("order", "back"), null, default);
        foreach (var token in Tokens)
            await database.OpenSession(new Actor("ops", "kim"), EventDbx.Access.Grants.Everything, new(token, 9)).AppendAsync(Draft("order", "counted", "{}") with { EventType = "counted" }, default);
        for (var i = 0; i < 6; i++)
            await session.AppendAsync(Draft("part", $"p-{i % 3}", $$"""{"n":{{i}}}"""), default);
        foreach (var (id, place) in ((string[])["p-0", "p-1", "p-2"]).Select((id, place) => (id, place)))
        {
            await session.AppendAsync(
                new() { Aggregate = AggregateKey.Create("part", id), EventType = "placed", Patch = Encoding.UTF8.GetBytes($$"""[{"op":"add","path":"/n","value":{{place}}}]"""), EventId = new Guid(place + 40, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11) }, default);
        }

        await database.ReadCheckpointAsync(database.LogSize, handOut: true, default);
        store.OldRows = store.ReadRows();
        store.OldWatermark = DirectoryImage.Read(Path.Combine(store.Directory, "watermark"));

        beforeTheLast?.Invoke(store);
        foreach (var id in (string[])["o-1", "wide", "made", "client", "empty", "back"])
            await session.AppendAsync(Draft("order", id, """{"n":"newer","f0":"shorter"}""") with { EventId = id == "client" ? new Guid(99, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11) : null }, default);
        await session.ArchiveAsync(AggregateKey.Create("order", "batch"), null, default);
        await session.ChangeSchemaAsync("part", _ => EventDbx.Schemas.SchemaJson.ReadDeclaredSchema(declared, new Timestamp(0)), default);
        for (var i = 0; i < 6; i++)
            await session.AppendAsync(Draft("part", $"p-{i % 3}", $$"""{"n":{{(twin.ColumnType == "text" ? "\"a\"" : "1")}}}"""), default);
        foreach (var token in Tokens)
            await database.OpenSession(new Actor("ops", "kim"), EventDbx.Access.Grants.Everything, new(token, 9)).AppendAsync(Draft("order", "counted", "{}") with { EventType = "counted" }, default);
        await database.EndTokenAsync(Tokens[2]);
        var note = await database.ReadCheckpointAsync(database.LogSize, handOut: true, default);
        Assert.True(Checkpoint.TryParse(note.Text, out var checkpoint));
        store.Kept = checkpoint;
        return store.Finish();
    }

    /// <summary>An aggregate of more than a thousand versions, so that the engine remembers a state.</summary>
    public static async Task<TamperStore> LongAsync(bool encrypted)
    {
        var store = new TamperStore(encrypted, "a key");
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

        /// <summary>From now on everything is a second later.</summary>
        public void Advance() => Interlocked.Add(ref _calls, 1000);

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

/// <summary>What is different in a store that somebody computed anew from end to end.</summary>
internal sealed record TamperTwin
{
    /// <summary>In the payload of one event.</summary>
    public string Total { get; init; } = "1.50";

    public string EventType { get; init; } = "placed";

    public string? Note { get; init; } = "a remark";

    /// <summary>Who did it all.</summary>
    public string User { get; init; } = "jane";

    /// <summary>Of one event whose client chose it; its first part.</summary>
    public int EventId { get; init; } = 3;

    /// <summary>Of control entries.</summary>
    public string Comment { get; init; } = "done";

    /// <summary>In a schema.</summary>
    public string ColumnType { get; init; } = "json";

    /// <summary>Everything from one event on, by a second.</summary>
    public bool Late { get; init; }

    /// <summary>One event is not there.</summary>
    public bool Dropped { get; init; }

    /// <summary>One event more, in the midst of an aggregate.</summary>
    public bool Inserted { get; init; }

    /// <summary>One event is another aggregate's.</summary>
    public bool Moved { get; init; }
}

/// <summary>One row put, or, without a value, deleted.</summary>
internal readonly record struct RowWrite(Family Family, byte[] Key, byte[]? Value);
