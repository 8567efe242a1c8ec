using System.Buffers;
using System.Text.Json;
using EventDbx.Access;
using EventDbx.Checkpoints;
using EventDbx.Integrity;
using EventDbx.Storage.Rows;
using EventDbx.Tests.Engine;

namespace EventDbx.Tests.Checkpoints;

/// <summary>What a session proves, checked as an outsider would: from the documents, by docs/proofs.md.</summary>
public sealed class ProofTests
{
    static readonly AggregateKey Order = TestStore.Aggregate();
    static readonly AggregateKey Other = TestStore.Aggregate("order", "o-2");

    readonly FakeSigner _signer = new();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_receipt_of_every_event_in_every_tree_opens_its_entry_and_leads_to_the_checkpoint(bool archived)
    {
        using var store = new TestStore();
        await using var database = Open(store);
        await FillAsync(database);
        if (archived)
            await database.OpenSession().ArchiveAsync(Order, null, default);
        var session = database.OpenSession();

        for (var version = 1UL; version <= 20; version++)
        {
            foreach (var size in new ulong?[] { null, version, 20, Math.Min(20, version + 3) })
            {
                var receipt = ThroughJson(await session.ProveEventAsync(Order, version, size, default));

                Assert.Equal(version, receipt.Record.Version);
                Assert.Equal(size ?? version, receipt.Aggregate.Size);
                AssertHolds(receipt, database.LogOrigin);
            }
        }
    }

    [Fact]
    public async Task The_first_version_alone_in_the_log_has_empty_paths()
    {
        using var store = new TestStore();
        await using var database = Open(store);
        await database.OpenSession().AppendAsync(TestStore.Draft(Order), default);

        var receipt = ThroughJson(await database.OpenSession().ProveEventAsync(Order, 1, null, default));

        Assert.Empty(receipt.AggregatePath);
        Assert.Empty(receipt.LogPath);
        Assert.Equal(Hash32.Empty, receipt.PreviousRoot);
        AssertHolds(receipt, database.LogOrigin);
    }

    [Fact]
    public async Task A_receipt_covers_an_event_that_no_checkpoint_had_seen_yet()
    {
        using var store = new TestStore();
        await using var database = Open(store);
        var session = database.OpenSession();
        await session.AppendAsync(TestStore.Draft(Order), default);
        var early = await session.ProveEventAsync(Order, 1, null, default);
        await session.AppendAsync(TestStore.Draft(Order), default);

        var late = await session.ProveEventAsync(Order, 2, null, default);
        AssertHolds(ThroughJson(late), database.LogOrigin);
        Assert.StartsWith($"{database.LogOrigin}\n1\n", early.Checkpoint.Text, StringComparison.Ordinal);
        Assert.StartsWith($"{database.LogOrigin}\n2\n", late.Checkpoint.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_history_that_is_too_long_to_be_proved_at_once_is_proved_in_its_turn_and_the_wait_can_be_ended()
    {
        using var store = new TestStore();
        await using var database = Open(store);
        var session = database.OpenSession();
        while (database.LogSize <= Limits.ProofVersionsAtOnce)
            await session.AppendBatchAsync([.. Enumerable.Range(0, Limits.BatchEventsMax).Select(_ => TestStore.Draft(Order))], default);
        var newest = database.LogSize;

        AssertHolds(ThroughJson(await session.ProveEventAsync(Order, newest, null, default)), database.LogOrigin);
        AssertHolds(ThroughJson(await session.ProveEventAsync(Order, 5_001, newest, default)), database.LogOrigin);
        var proof = await session.ProveAggregateAsync(Order, 4_097, null, default);
        Assert.True(MerkleProof.Extends(4_097, newest, proof.From.Root, proof.To.Root, [.. proof.Path]));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => session.ProveAggregateAsync(Order, 4_097, null, new CancellationToken(canceled: true)));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => session.ProveEventAsync(Order, newest, null, new CancellationToken(canceled: true)));
    }

    [Fact]
    public async Task What_cannot_be_proved_is_refused_with_what_can()
    {
        using var store = new TestStore();
        await using (var database = Open(store))
        {
            await FillAsync(database);
            var session = database.OpenSession();
            await session.CreateAsync(TestStore.Aggregate("order", "empty"), null, default);

            Assert.Equal(RefusalCode.NotFound, (await Answers.RefusalOf(session.ProveEventAsync(Order, 21, null, default))).Code);
            Assert.Equal(RefusalCode.NotFound, (await Answers.RefusalOf(session.ProveEventAsync(Order, 0, null, default))).Code);
            Assert.Equal(RefusalCode.NotFound, (await Answers.RefusalOf(session.ProveEventAsync(TestStore.Aggregate("order", "none"), 1, null, default))).Code);
            Assert.Equal(RefusalCode.NotFound, (await Answers.RefusalOf(session.ProveAggregateAsync(TestStore.Aggregate("order", "none"), 1, null, default))).Code);
            Assert.Contains("5 to 20", (await Answers.RefusalOf(session.ProveEventAsync(Order, 5, 4, default))).Message, StringComparison.Ordinal);
            Assert.Contains("5 to 20", (await Answers.RefusalOf(session.ProveEventAsync(Order, 5, 21, default))).Message, StringComparison.Ordinal);
            foreach (var (from, to) in new (ulong, ulong?)[] { (0, 20), (0, null), (6, 5), (1, 21), (21, null) })
                Assert.Equal(RefusalCode.InvalidArgument, (await Answers.RefusalOf(session.ProveAggregateAsync(Order, from, to, default))).Code);
            Assert.Equal(RefusalCode.InvalidArgument, (await Answers.RefusalOf(session.ProveAggregateAsync(TestStore.Aggregate("order", "empty"), 1, null, default))).Code);
            foreach (var (from, to) in new (ulong, ulong?)[] { (0, 5), (0, null), (6, 5), (1, database.LogSize + 1), (database.LogSize + 1, null) })
                Assert.Equal(RefusalCode.InvalidArgument, Answers.RefusalOf(() => session.ProveLog(from, to)).Code);
            Assert.Equal(RefusalCode.NotFound, Answers.RefusalOf(() => session.ReadTile(0, 0, (int)database.LogSize + 1)).Code);
            Assert.Equal(RefusalCode.NotFound, Answers.RefusalOf(() => session.ReadTile(1, 0, 1)).Code);
        }

        await using (var database = store.Open())
            Assert.Equal(RefusalCode.Unavailable, (await Answers.RefusalOf(database.OpenSession().ProveEventAsync(Order, 1, null, default))).Code);
    }

    [Fact]
    public async Task Two_roots_of_an_aggregate_and_of_the_log_are_shown_to_be_one_history()
    {
        using var store = new TestStore();
        await using var database = Open(store);
        await FillAsync(database);
        var session = database.OpenSession();
        for (var from = 1UL; from <= 20; from += 3)
        {
            for (var to = from; to <= 20; to += 4)
            {
                var proof = ThroughJson(await session.ProveAggregateAsync(Order, from, to, default));
                Assert.Equal((Order, from, to), (proof.Aggregate, proof.From.Size, proof.To.Size));
                Assert.Equal(session.GetEvent(Order, from).MerkleRoot, proof.From.Root);
                Assert.Equal(session.GetEvent(Order, to).MerkleRoot, proof.To.Root);
                Assert.True(MerkleProof.Extends(from, to, proof.From.Root, proof.To.Root, [.. proof.Path]));
            }
        }

        for (var from = 1UL; from <= database.LogSize; from += 5)
        {
            var proof = ThroughJson(session.ProveLog(from, null));
            Assert.Equal((database.LogOrigin, database.LogSize, database.LogRoot), (proof.Origin, proof.To.Size, proof.To.Root));
            Assert.True(MerkleProof.Extends(from, proof.To.Size, proof.From.Root, proof.To.Root, [.. proof.Path]));
        }

        Assert.Equal(20UL, (await session.ProveAggregateAsync(Order, 7, null, default)).To.Size);
        Assert.Equal((int)database.LogSize * Hash32.Length, session.ReadTile(0, 0, (int)database.LogSize).Length);
    }

    [Fact]
    public async Task Who_has_log_read_on_two_aggregates_gets_checkpoints_and_tiles_and_nothing_of_the_whole_log()
    {
        using var store = new TestStore();
        await using var database = Open(store);
        await FillAsync(database);
        var auditor = SessionOf(database, ["log.read", "aggregate.read"], ["aggregate:order:o-1", "aggregate:order:o-3"]);

        Assert.NotNull(await auditor.ReadCheckpointAsync(0, default));
        Assert.NotNull(auditor.ProveLog(1, null));
        Assert.NotEmpty(auditor.ReadTile(0, 0, 1));
        Assert.NotEmpty(auditor.ReadLogKey());
        Assert.NotNull(await auditor.ProveEventAsync(Order, 1, null, default));
        AssertDenied(await Answers.RefusalOf(auditor.ProveEventAsync(Other, 1, null, default)));
        AssertDenied(await Answers.RefusalOf(auditor.ProveAggregateAsync(Other, 1, null, default)));
        AssertDenied(await Answers.RefusalOf(auditor.VerifyAllAsync(null, default)));
        AssertDenied(Answers.RefusalOf(() => auditor.ReadFeed(0, 10, new Reading.FeedFilter { WithSalts = true })));
    }

    [Fact]
    public async Task Who_may_only_read_an_aggregate_gets_its_receipts_and_not_the_log()
    {
        using var store = new TestStore();
        await using var database = Open(store);
        await FillAsync(database);
        var reader = SessionOf(database, ["aggregate.read"], []);

        Assert.NotNull(await reader.ProveEventAsync(Order, 1, null, default));
        AssertDenied(await Answers.RefusalOf(CallAsync(() => reader.ReadCheckpointAsync(0, default))));
        AssertDenied(Answers.RefusalOf(() => reader.ProveLog(1, null)));
        AssertDenied(Answers.RefusalOf(() => reader.ReadTile(0, 0, 1)));
        AssertDenied(Answers.RefusalOf(() => reader.ReadLogKey()));
        AssertDenied(await Answers.RefusalOf(SessionOf(database, ["log.read"], []).ProveEventAsync(Order, 1, null, default)));
    }

    [Fact]
    public async Task A_receipt_of_an_event_with_hidden_fields_is_for_root_alone()
    {
        using var store = new TestStore();
        await using var database = Open(store);
        await FillAsync(database);
        var root = database.OpenSession();
        await DeclareAsync(root, "order", """{"aggregate":"order","hidden_fields":["status"],"events":{"placed":{"fields":[]}}}""");
        var reader = SessionOf(database, ["*"], []);

        var refusal = await Answers.RefusalOf(reader.ProveEventAsync(Order, 1, null, default));
        Assert.Equal(RefusalCode.PermissionDenied, refusal.Code);
        Assert.Contains("hides fields", refusal.Message, StringComparison.Ordinal);
        Assert.NotNull(await reader.ProveAggregateAsync(Order, 1, null, default));
        AssertHolds(ThroughJson(await root.ProveEventAsync(Order, 1, null, default)), database.LogOrigin);

        await DeclareAsync(root, "order", """{"aggregate":"order","hidden":true,"events":{"placed":{"fields":[]}}}""");
        Assert.Equal(RefusalCode.NotFound, (await Answers.RefusalOf(reader.ProveEventAsync(Order, 1, null, default))).Code);
        Assert.Equal(RefusalCode.NotFound, (await Answers.RefusalOf(reader.ProveAggregateAsync(Order, 1, null, default))).Code);
    }

    [Fact]
    public async Task No_proof_is_handed_out_over_rows_that_were_changed()
    {
        using var store = new TestStore();
        var steps = new EngineSteps();
        await using var database = Open(store, steps);
        await FillAsync(database);
        var session = database.OpenSession();
        await session.ReadCheckpointAsync(0, default);
        steps.Tamper((view, plan) =>
        {
            var key = Keyspace.Versioned(Order, 3);
            Assert.True(IndexRow.TryRead(Checked.Get(view, Family.Index, key)!.Value, out var index));
            var forged = new byte[IndexRow.EncodedBytes];
            (index with { Leaf = Hash32.Empty }).Write(forged);
            Checked.Put(plan, Family.Index, key, forged);
        });

        AssertViolation(await Answers.RefusalOf(session.ProveEventAsync(Order, 3, null, default)));
        AssertViolation(await Answers.RefusalOf(session.ProveEventAsync(Order, 5, null, default)));
        AssertViolation(await Answers.RefusalOf(session.ProveEventAsync(Order, 1, 20, default)));
        // Another aggregate's event is as it was, but its way through the log leads past that row.
        AssertViolation(await Answers.RefusalOf(session.ProveEventAsync(Other, 1, null, default)));
        AssertViolation(await Answers.RefusalOf(session.ProveAggregateAsync(Order, 2, 20, default)));
        AssertViolation(Answers.RefusalOf(() => session.ProveLog(1, null)));
        AssertViolation(Answers.RefusalOf(() => session.ProveLog(1, database.LogSize)));
        AssertViolation(Answers.RefusalOf(() => session.ProveLog(5, 7)));
        AssertViolation(Answers.RefusalOf(() => session.ReadTile(0, 0, 1)));

        static void AssertViolation(Refusal refusal) => Assert.Equal(RefusalCode.IntegrityViolation, refusal.Code);
    }

    [Fact]
    public async Task A_document_that_is_another_or_was_bent_is_not_read()
    {
        using var store = new TestStore();
        await using var database = Open(store);
        await FillAsync(database);
        var receipt = Encoding.UTF8.GetString(Write(output => ProofJson.Write(output, database.OpenSession().ProveEventAsync(Order, 7, 20, default).GetAwaiter().GetResult())));
        ProofJson.ReadReceipt(JsonDocument.Parse(receipt).RootElement);
        foreach (var (old, bent) in new[]
        {
            ("eventdbx-receipt/1", "eventdbx-receipt/2"), ("\"prev_root\"", "\"prev\""), ("tlog-proof@v1", "tlog-proof@v2"), ("index ", "index 0"),
            ("\"size\":20", "\"size\":-20"), ("\"path\":\"", "\"path\":\"A"), ("\\n\\n— ", "\\n— "), ("\"position\":", "\"position\":1"),
        })
        {
            var document = receipt.Replace(old, bent, StringComparison.Ordinal);
            Assert.NotEqual(receipt, document);
            Assert.Throws<FormatException>(() => ProofJson.ReadReceipt(JsonDocument.Parse(document).RootElement));
        }
    }

    /// <summary>Steps 1 to 5 of docs/proofs.md, section 2.</summary>
    void AssertHolds(EventReceipt receipt, string origin)
    {
        var record = receipt.Record;
        var leaf = EntryHash.OfEvent(
            record.Aggregate, record.Version, Encoding.UTF8.GetBytes(record.EventType), record.EventId, record.CreatedAt.Ticks100ns, record.Actor, record.Note,
            receipt.PreviousRoot, record.Payload.Span, record.Salt.Span);
        Assert.Equal(record.Hash, leaf);
        Assert.True(MerkleProof.Includes(record.Version - 1, receipt.Aggregate.Size, leaf, receipt.Aggregate.Root, [.. receipt.AggregatePath]));
        if (receipt.Aggregate.Size == record.Version)
        {
            Assert.Equal(record.MerkleRoot, receipt.Aggregate.Root);
            Assert.Equal(receipt.PreviousRoot, receipt.AggregatePath.Count == 0 ? Hash32.Empty : receipt.AggregatePath.Skip(1).Aggregate(receipt.AggregatePath[0], (root, node) => MerkleNode.Join(node, root)));
        }

        Assert.True(Checkpoint.TryParse(receipt.Checkpoint.Text, out var checkpoint));
        Assert.True(MerkleProof.Includes(record.Position - 1, checkpoint.Size, leaf, checkpoint.Root, [.. receipt.LogPath]));
        Assert.Equal(origin, checkpoint.Origin);
        Assert.True(_signer.Verifies(origin, receipt.Checkpoint));
    }

    static EventReceipt ThroughJson(EventReceipt receipt) => ProofJson.ReadReceipt(JsonDocument.Parse(Write(output => ProofJson.Write(output, receipt))).RootElement);

    static AggregateConsistency ThroughJson(AggregateConsistency proof) =>
        ProofJson.ReadAggregateConsistency(JsonDocument.Parse(Write(output => ProofJson.Write(output, proof))).RootElement);

    static LogConsistency ThroughJson(LogConsistency proof) =>
        ProofJson.ReadLogConsistency(JsonDocument.Parse(Write(output => ProofJson.Write(output, proof))).RootElement);

    static byte[] Write(Action<IBufferWriter<byte>> write)
    {
        var output = new ArrayBufferWriter<byte>();
        write(output);
        return output.WrittenSpan.ToArray();
    }

    Database Open(TestStore store, EngineSteps? steps = null) =>
        Database.Open(store.Options() with { Signer = () => _signer, WrapEngine = (steps ?? new()).Over });

    /// <summary>Twenty versions of one aggregate, among those of another and control entries.</summary>
    static async Task FillAsync(Database database)
    {
        var session = database.OpenSession(new Actor("cli", "jane"));
        await session.CreateAsync(Order, "made", default);
        for (var i = 0; i < 20; i++)
        {
            await session.AppendAsync(TestStore.Draft(Order, $$"""{ "status": "né \" {{i}}", "n": 1.50e3 }""") with { Note = i % 2 == 0 ? "note" : null }, default);
            if (i % 4 == 0)
                await session.AppendAsync(TestStore.Draft(Other), default);
        }
    }

    static async Task DeclareAsync(Session session, string type, string schema) => await session.ChangeSchemaAsync(
        type, _ => EventDbx.Schemas.SchemaJson.ReadDeclaredSchema(Encoding.UTF8.GetBytes(schema), new Timestamp(0)), default);

    static Session SessionOf(Database database, string[] actions, string[] resources) =>
        Grants.TryParse(actions, resources, out var grants, out var refusal) ? database.OpenSession(new Actor("g", "u"), grants, null) : throw new RefusedException(refusal);

    static async Task CallAsync(Func<Task> call) => await call();

    static void AssertDenied(Refusal refusal) => Assert.Equal(RefusalCode.PermissionDenied, refusal.Code);
}
