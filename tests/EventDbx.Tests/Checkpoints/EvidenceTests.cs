using System.Buffers;
using EventDbx.Access;
using EventDbx.Integrity;
using EventDbx.Reading;
using EventDbx.Storage.Rows;
using EventDbx.Tests.Engine;
using EventDbx.Transfer;

namespace EventDbx.Tests.Checkpoints;

public sealed class EvidenceTests
{
    static readonly AggregateKey A = TestStore.Aggregate("invoice", "i-1");
    static readonly AggregateKey B = TestStore.Aggregate("order", "o-1");
    static readonly AggregateKey C = TestStore.Aggregate("order", "x/2");
    static readonly AggregateKey Archived = TestStore.Aggregate("order", "p-1");
    static readonly AggregateKey Empty = TestStore.Aggregate("order", "o-0");

    readonly FakeSigner _signer = new();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Everything_that_may_be_read_is_proved_in_key_order_archived_or_not(bool encrypted)
    {
        using var store = new TestStore();
        await using var database = await FillAsync(store, encrypted);

        var bundle = await ReadAsync(database.OpenSession(), new());

        Assert.Equal("aggregates", bundle.Scope);
        Assert.Equal([A, B, Archived, C], bundle.Aggregates);
        Assert.Equal(database.LogSize, bundle.Checkpoint.Size);
        Assert.Null(bundle.Since);
    }

    [Fact]
    public async Task A_selection_is_by_name_by_type_or_by_prefix()
    {
        using var store = new TestStore();
        await using var database = await FillAsync(store);
        var session = database.OpenSession();

        Assert.Equal([A, C], (await ReadAsync(session, new() { Aggregates = [C, A, C] })).Aggregates);
        Assert.Equal([B, Archived, C], (await ReadAsync(session, new() { Filter = new() { Type = "order" } })).Aggregates);
        Assert.Equal([A], (await ReadAsync(session, new() { Filter = new() { IdPrefix = "i" } })).Aggregates);
        Assert.Equal([Archived], (await ReadAsync(session, new() { Filter = new() { Archived = true } })).Aggregates);
        Assert.Empty((await ReadAsync(session, new() { Filter = new() { Type = "none" } })).Aggregates);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_whole_log_leaves_nothing_out_control_entries_with_their_salts_among_it(bool encrypted)
    {
        using var store = new TestStore();
        await using var database = await FillAsync(store, encrypted);

        var bundle = await ReadAsync(database.OpenSession(), new() { WholeLog = true, Since = 5 });

        Assert.Equal("log", bundle.Scope);
        Assert.Equal(database.LogSize, bundle.Events + bundle.Control);
        Assert.True(bundle.Control >= 2);
        Assert.Equal(5UL, bundle.Since!.Value.Size);
    }

    [Fact]
    public async Task An_older_checkpoint_is_shown_to_be_continued()
    {
        using var store = new TestStore();
        await using var database = await FillAsync(store);
        var session = database.OpenSession();
        for (var size = 1UL; size <= database.LogSize; size += 7)
            Assert.Equal(size, (await ReadAsync(session, new() { Aggregates = [A], Since = size })).Since!.Value.Size);

        foreach (var size in new[] { 0UL, database.LogSize + 1, ulong.MaxValue })
            Assert.Equal(RefusalCode.InvalidArgument, (await Answers.RefusalOf(session.OpenEvidenceAsync(new() { Since = size }, default))).Code);
    }

    [Fact]
    public async Task What_is_appended_behind_the_checkpoint_is_left_out_whenever_the_view_was_opened()
    {
        using var store = new TestStore();
        var steps = new EngineSteps();
        await using var database = await FillAsync(store, steps: steps);
        var session = database.OpenSession();
        await session.ReadCheckpointAsync(database.LogSize, default);
        var (size, versions) = (database.LogSize, session.GetAggregate(B).Version);

        // The checkpoint is there; before its view is opened the log grows.
        steps.View.Watch = () =>
        {
            steps.View.Watch = null;
            session.AppendAsync(TestStore.Draft(B), default).Wait();
            session.AppendAsync(TestStore.Draft(TestStore.Aggregate("order", "new")), default).Wait();
        };
        var output = new ArrayBufferWriter<byte>();
        using (var reading = await session.OpenEvidenceAsync(new(), default))
        {
            await session.AppendAsync(TestStore.Draft(A), default);
            while (await reading.ReadAsync(output, default))
            {
            }
        }

        Assert.Null(steps.View.Watch);
        var bundle = BundleCheck.Of(output.WrittenSpan, _signer);
        Assert.Equal((size, versions + 1), (bundle.Checkpoint.Size, session.GetAggregate(B).Version));
        Assert.Equal([A, B, Archived, C], bundle.Aggregates);
        // Refused as it is opened: nobody has got a line of it by then.
        Assert.Equal(NotFound, (await Assert.ThrowsAsync<RefusedException>(() => session.OpenEvidenceAsync(new() { Aggregates = [A, Empty] }, default))).Refusal.Code);
    }

    const RefusalCode NotFound = RefusalCode.NotFound;

    [Fact]
    public async Task What_may_not_be_read_is_left_out_of_a_filter_and_refused_by_name()
    {
        using var store = new TestStore();
        await using var database = await FillAsync(store);
        var session = SessionOf(database, ["aggregate.read"], ["aggregate:order:o-*"]);

        Assert.Equal([B], (await ReadAsync(session, new())).Aggregates);
        AssertDenied(await Answers.RefusalOf(session.OpenEvidenceAsync(new() { Aggregates = [B, A] }, default)));
        AssertDenied(await Answers.RefusalOf(session.OpenEvidenceAsync(new() { WholeLog = true }, default)));
        AssertDenied(await Answers.RefusalOf(SessionOf(database, ["aggregate.read"], []).OpenEvidenceAsync(new() { WholeLog = true }, default)));
        AssertDenied(await Answers.RefusalOf(SessionOf(database, ["log.read"], []).OpenEvidenceAsync(new(), default)));
        Assert.Equal(NotFound, (await Answers.RefusalOf(ReadAsync(database.OpenSession(), new() { Aggregates = [TestStore.Aggregate("no", "such")] }))).Code);
        Assert.Equal("log", (await ReadAsync(SessionOf(database, ["log.read", "aggregate.read"], []), new() { WholeLog = true })).Scope);
    }

    [Fact]
    public async Task Hidden_fields_make_evidence_a_matter_for_root()
    {
        using var store = new TestStore();
        await using var database = await FillAsync(store);
        await database.OpenSession().ChangeSchemaAsync(
            "order", _ => EventDbx.Schemas.SchemaJson.ReadDeclaredSchema("""{"aggregate":"order","hidden_fields":["status"],"events":{"placed":{"fields":[]}}}"""u8, new Timestamp(0)), default);
        var session = SessionOf(database, ["*"], []);

        AssertDenied(await Answers.RefusalOf(ReadAsync(session, new())));
        AssertDenied(await Answers.RefusalOf(session.OpenEvidenceAsync(new() { Aggregates = [B] }, default)));
        AssertDenied(await Answers.RefusalOf(session.OpenEvidenceAsync(new() { WholeLog = true }, default)));
        Assert.Equal([A], (await ReadAsync(session, new() { Filter = new() { Type = "invoice" } })).Aggregates);
        Assert.Equal("log", (await ReadAsync(database.OpenSession(), new() { WholeLog = true })).Scope);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Of_an_empty_log_or_without_a_key_there_is_none(bool filled)
    {
        using var store = new TestStore();
        if (filled)
            await (await FillAsync(store)).DisposeAsync();
        await using var database = Database.Open(store.Options() with { Signer = filled ? null : () => _signer });

        var refusal = await Answers.RefusalOf(database.OpenSession().OpenEvidenceAsync(new() { WholeLog = true }, default));

        Assert.Equal(filled ? RefusalCode.Unavailable : RefusalCode.NotFound, refusal.Code);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task No_bundle_is_made_over_a_row_that_was_changed_and_no_file_gets_its_name(bool wholeLog)
    {
        using var store = new TestStore();
        var steps = new EngineSteps();
        await using var database = await FillAsync(store, encrypted: false, steps: steps);
        await database.OpenSession().ReadCheckpointAsync(database.LogSize, default);
        steps.Tamper(Forge);
        var path = Path.Combine(store.Directory, "out", "evidence.ndjson");
        using var reading = await database.OpenSession().OpenEvidenceAsync(new() { WholeLog = wholeLog }, default);

        var refusal = await Answers.RefusalOf(EvidenceExport.ToFileAsync(path, reading, null, default));

        Assert.Equal(RefusalCode.IntegrityViolation, refusal.Code);
        Assert.Matches("was (signed|committed)", refusal.Message);
        Assert.Empty(Directory.GetFiles(Path.GetDirectoryName(path)!));
    }

    /// <summary>The newest event of C with another payload, its hash and root computed anew: only the log's signature knows better.</summary>
    static void Forge(IStorageView view, WritePlan plan)
    {
        var head = HeadRow.TryRead(Checked.Get(view, Family.Heads, C.Row)!.Value)!;
        var (indexKey, logKey) = (Keyspace.Versioned(C, head.Version), Keyspace.Position(head.LastPosition));
        Assert.True(IndexRow.TryRead(Checked.Get(view, Family.Index, indexKey)!.Value, out var index));
        var entry = EntryRow.TryRead(Checked.Get(view, Family.Log, logKey)!.Value)!;
        var body = entry.Body.ToArray();
        body[^3] ^= 1; // Inside the quoted value.
        var salt = body.AsMemory(body.Length - Payload(entry).Length - 16, 16);
        var leaf = entry.Leaf(salt.Span, body.AsSpan(body.Length - Payload(entry).Length));
        var bytes = new byte[IndexRow.EncodedBytes];
        (index with { Leaf = leaf }).Write(bytes);
        Checked.Put(plan, Family.Index, indexKey, bytes);
        Assert.Equal(1UL, head.Version);
        var forged = new EntryRow
        {
            Flags = entry.Flags, Aggregate = entry.Aggregate, Version = entry.Version, Type = entry.Type, EventId = entry.EventId, CreatedAt = entry.CreatedAt,
            Actor = entry.Actor, Note = entry.Note, BatchIndex = entry.BatchIndex, BatchCount = entry.BatchCount, SchemaRevision = entry.SchemaRevision,
            PreviousRoot = entry.PreviousRoot, Root = leaf, Body = body,
        };
        var row = Checked.Open(plan, Family.Log, logKey, forged.EncodedBytes);
        forged.Write(row.Body);
        row.Close();
    }

    static ReadOnlyMemory<byte> Payload(EntryRow entry) =>
        EventDbx.Storage.EventBody.TryOpen(null, entry, out _, out var payload) ? payload : throw new InvalidOperationException("The store is not plain.");

    [Fact]
    public async Task A_file_has_the_lines_and_memory_does_not_grow_with_the_bundle()
    {
        using var store = new TestStore();
        await using var database = await FillAsync(store);
        var session = database.OpenSession();
        for (var i = 0; i < 20; i++)
            await session.AppendBatchAsync([.. Enumerable.Range(0, 150).Select(n => TestStore.Draft(C, $$"""{"n":{{n}},"text":"{{new string('x', 1000)}}"}"""))], default);
        var (path, told) = (Path.Combine(store.Directory, "out.ndjson"), new List<ExportProgress>());
        using var reading = await session.OpenEvidenceAsync(new() { Aggregates = [C] }, default);
        var largest = new Largest(reading);

        var summary = await EvidenceExport.ToFileAsync(path, largest, new Told(told), default);

        Assert.Equal(3001, summary.Rows);
        Assert.Equal(new FileInfo(path).Length, summary.Bytes);
        Assert.Equal(3001UL, BundleCheck.Of(await File.ReadAllBytesAsync(path), _signer).Events);
        Assert.True(summary.Bytes > 5_000_000);
        Assert.InRange(largest.Bytes, 1, 1_500_000);
        Assert.Equal(1, told[^1].Fraction);
        Assert.Equal(told.Select(one => one.Done).Order(), told.Select(one => one.Done));
    }

    [Fact]
    public void The_last_line_of_a_bundle_that_could_not_be_made_says_why()
    {
        var output = new ArrayBufferWriter<byte>();
        EvidenceExport.WriteError(output, new(RefusalCode.IntegrityViolation, "It is \"bent\"."));
        Assert.Equal("""{"error":{"code":"integrity_violation","message":"It is \"bent\"."}}""" + "\n", Encoding.UTF8.GetString(output.WrittenSpan));
    }

    sealed class Largest(IEvidenceReading inner) : IEvidenceReading
    {
        public int Bytes { get; private set; }

        public ulong Events => inner.Events;

        public double? Fraction => inner.Fraction;

        public async ValueTask<bool> ReadAsync(IBufferWriter<byte> output, CancellationToken cancellation)
        {
            var more = await inner.ReadAsync(output, cancellation);
            Bytes = Math.Max(Bytes, ((ArrayBufferWriter<byte>)output).WrittenCount);
            return more;
        }

        public void Dispose() => inner.Dispose();
    }

    sealed class Told(List<ExportProgress> told) : IProgress<ExportProgress>
    {
        public void Report(ExportProgress value) => told.Add(value);
    }

    async Task<BundleCheck> ReadAsync(Session session, EvidenceRequest request)
    {
        var output = new ArrayBufferWriter<byte>();
        using var reading = await session.OpenEvidenceAsync(request, default);
        while (await reading.ReadAsync(output, default))
        {
        }

        Assert.False(await reading.ReadAsync(output, default));
        return BundleCheck.Of(output.WrittenSpan, _signer);
    }

    async Task<Database> FillAsync(TestStore store, bool encrypted = true, EngineSteps? steps = null)
    {
        var database = Database.Open(store.Options(encrypted) with { Signer = () => _signer, WrapEngine = (steps ?? new()).Over });
        var session = database.OpenSession(new Actor("cli", "jane"));
        await session.CreateAsync(Empty, "nothing in it", default);
        for (var i = 0; i < 30; i++)
        {
            await session.AppendAsync(TestStore.Draft(B, $$"""{ "status": "\u00e9 {{i}}" }""") with { Note = i % 3 == 0 ? "née" : null }, default);
            if (i % 5 == 0)
                await session.AppendBatchAsync([TestStore.Draft(A), TestStore.Draft(Archived), TestStore.Draft(A, "[1.50]")], default);
        }

        await session.AppendAsync(TestStore.Draft(C), default);
        await session.ArchiveAsync(Archived, null, default);
        return database;
    }

    static Session SessionOf(Database database, string[] actions, string[] resources) =>
        Grants.TryParse(actions, resources, out var grants, out var refusal) ? database.OpenSession(new Actor("g", "u"), grants, null) : throw new RefusedException(refusal);

    static void AssertDenied(Refusal refusal) => Assert.Equal(RefusalCode.PermissionDenied, refusal.Code);
}
