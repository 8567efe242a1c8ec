using System.Text;
using EventDbx.Access;
using EventDbx.Events;
using EventDbx.Schemas;
using EventDbx.Storage;

namespace EventDbx.Tests.Engine;

/// <summary>Schemas in force: changed in the log's order, held against every event, whichever way it comes.</summary>
public sealed class SchemaEnforcementTests
{
    static readonly AggregateKey Order = TestStore.Aggregate();

    const string Declared = """
        {"aggregate":"order","snapshot_threshold":3,"locked":false,"field_locks":["tenant"],"hidden":false,"hidden_fields":["card"],
         "column_types":{"total":{"type":"decimal(12,2)","required":true},"email":{"type":"text","format":"email"}},
         "events":{"placed":{"fields":[]},"paid":{"fields":[]}},
         "created_at":"2025-01-01T00:00:00Z","updated_at":"2025-01-01T00:00:00Z"}
        """;

    static AggregateSchema Schema(string json = Declared) => SchemaJson.ReadSchema(Encoding.UTF8.GetBytes(json));

    static Task<AggregateSchema?> DeclareAsync(Session session, AggregateSchema? schema = null, string type = "order") =>
        session.ChangeSchemaAsync(type, _ => schema ?? Schema(), default);

    static async Task<Refusal?> RefusalOf(Func<Task> act)
    {
        try
        {
            await act();
            return null;
        }
        catch (RefusedException refused)
        {
            return refused.Refusal;
        }
    }

    [Fact]
    public async Task A_change_is_in_force_for_the_next_append_stands_in_the_log_and_survives_a_reopen()
    {
        using var store = new TestStore();
        await using (var database = store.Open())
        {
            var session = database.OpenSession(new Actor("cli", "jane"));
            await session.AppendAsync(TestStore.Draft(Order, """{"total":"much"}"""), default);
            await DeclareAsync(session);
            var refused = await RefusalOf(() => session.AppendAsync(TestStore.Draft(Order, """{"total":"much","email":"nowhere","tenant":1}"""), default));
            Assert.Equal(RefusalCode.SchemaViolation, refused!.Value.Code);
            Assert.Equal(["tenant", "email", "total"], refused.Value.Violations!.Select(v => v.Path));
            await session.AppendAsync(TestStore.Draft(Order, """{"total":12.50}"""), default);
            Assert.Equal("schema_change", session.ReadFeed(1, 1, true).Items[0].Control!.Kind);
            session.VerifyAll(null, default);
        }

        Assert.Contains("decimal(12,2)", File.ReadAllText(Path.Combine(store.Directory, "schemas.json")), StringComparison.Ordinal);
        await using var again = store.Open();
        var next = again.OpenSession();
        Assert.Equal(Schema(), next.GetSchemas().Find("order")!.Schema);
        Assert.NotNull(await RefusalOf(() => next.AppendAsync(TestStore.Draft(Order, """{"total":1.234}"""), default)));
        await DeclareAsync(next, null!, "order");
        next.VerifyAll(null, default);
    }

    [Theory]
    [InlineData(Restriction.Off, true, true)]
    [InlineData(Restriction.Default, true, false)]
    [InlineData(Restriction.Strict, false, false)]
    public async Task Each_mode_takes_what_it_says(Restriction mode, bool undeclared, bool breaking)
    {
        using var store = new TestStore();
        await using var database = Database.Open(store.Options() with { Restriction = mode });
        var session = database.OpenSession();
        await DeclareAsync(session);

        Assert.Equal(undeclared, await RefusalOf(() => session.AppendAsync(TestStore.Draft(TestStore.Aggregate("invoice", "i-1")), default)) is null);
        Assert.Equal(breaking, await RefusalOf(() => session.AppendAsync(TestStore.Draft(Order, """{"total":"much"}"""), default)) is null);
        Assert.Null(await RefusalOf(() => session.AppendAsync(TestStore.Draft(Order, """{"total":1}"""), default)));
        session.VerifyAll(null, default);
    }

    [Fact]
    public async Task Strict_refuses_an_undeclared_type_by_every_way_in_and_stores_nothing()
    {
        using var store = new TestStore();
        await using var database = Database.Open(store.Options() with { Restriction = Restriction.Strict });
        var session = database.OpenSession();
        var draft = TestStore.Draft(Order);
        Func<Task>[] ways =
        [
            () => session.AppendAsync(draft, default),
            () => session.AppendBatchAsync([draft], default),
            () => session.AppendAsync(new EventDraft { Aggregate = Order, EventType = "placed", Patch = """[{"op":"add","path":"/a","value":1}]"""u8.ToArray() }, default),
            () => session.ImportAsync([new() { Draft = draft with { EventId = Guid.CreateVersion7() }, CreatedAt = new Timestamp(1), Version = 1 }], default),
            () => session.StageAsync(draft, default),
        ];

        foreach (var way in ways)
            Assert.Equal(RefusalCode.SchemaViolation, (await RefusalOf(way))?.Code);
        Assert.Equal(0UL, database.LogSize);
        Assert.Empty(session.GetStaged());
    }

    [Fact]
    public async Task A_patch_is_held_against_the_schema_by_what_it_leads_to()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        await DeclareAsync(session, Schema("""
            {"aggregate":"order","snapshot_threshold":null,"locked":false,"field_locks":[],"hidden":false,"hidden_fields":[],
             "column_types":{"contact":{"type":"object","properties":{"zip":{"type":"text","length":{"min":5,"max":5}}}}},
             "events":{"placed":{"fields":[]}},"created_at":"2025-01-01T00:00:00Z","updated_at":"2025-01-01T00:00:00Z"}
            """));
        await session.AppendAsync(TestStore.Draft(Order, """{"contact":{"zip":"97201"}}"""), default);
        EventDraft Patch(string zip) => new() { Aggregate = Order, EventType = "placed", Patch = Encoding.UTF8.GetBytes($$"""[{"op":"replace","path":"/contact/zip","value":"{{zip}}"}]""") };

        Assert.Equal("contact.zip", Assert.Single((await RefusalOf(() => session.AppendAsync(Patch("1"), default)))!.Value.Violations!).Path);
        Assert.Null(await RefusalOf(() => session.AppendAsync(Patch("12345"), default)));
    }

    [Fact]
    public async Task A_known_event_id_is_answered_whatever_the_schema_has_become()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        var draft = TestStore.Draft(Order, """{"total":"much"}""") with { EventId = Guid.CreateVersion7() };
        await session.AppendAsync(draft, default);
        await DeclareAsync(session);

        Assert.False((await session.AppendAsync(draft, default)).Appended);
    }

    [Fact]
    public async Task Writers_and_a_change_at_once_leave_no_event_behind_the_change_that_breaks_it()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        using var stop = new CancellationTokenSource();
        var writers = Enumerable.Range(0, 8).Select(n => Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
                await RefusalOf(() => session.AppendAsync(TestStore.Draft(TestStore.Aggregate("order", $"o-{n}"), """{"total":"much"}"""), default));
        })).ToArray();
        while (database.LogSize < 200)
            await Task.Yield();
        await DeclareAsync(session);
        var size = database.LogSize;
        await RefusalOf(() => session.AppendAsync(TestStore.Draft(Order, """{"total":1}"""), default));
        await stop.CancelAsync();
        await Task.WhenAll(writers);

        var all = new List<global::EventDbx.Reading.FeedItem>();
        for (ulong after = 0; session.ReadFeed(after, 1000, true) is { Items.Count: > 0 } page; after = page.ReachedPosition)
            all.AddRange(page.Items);
        var changed = all.FindIndex(item => item.Control?.Kind == "schema_change");
        Assert.All(all.Skip(changed + 1), item => Assert.Equal("""{"total":1}""", Encoding.UTF8.GetString(item.Event!.Payload.Span)));
        session.VerifyAll(null, default);
    }

    [Theory]
    [InlineData(true, 0)]
    [InlineData(true, 5000)]
    [InlineData(false, 5000)]
    [InlineData(false, 15_000)]
    public async Task Automatic_snapshots_are_in_the_commit_and_hold_the_state_of_the_version_that_crosses(bool encrypted, int filler)
    {
        using var store = new TestStore();
        await using var database = store.Open(encrypted);
        var session = database.OpenSession();
        await DeclareAsync(session, Schema() with { ColumnTypes = Column.None });
        string Payload(int n) => $$"""{"n":{{n}},"m{{n % 4}}":"{{new string((char)('a' + n), filler)}}","m{{(n + 1) % 4}}":{{n}}}""";

        await session.AppendBatchAsync([.. Enumerable.Range(1, 10).Select(n => TestStore.Draft(Order, Payload(n)))], default);
        Assert.Equal(3, session.GetSnapshots(Order, null, 10).Items.Count);
        for (var n = 11; n <= 14; n++)
            await session.AppendAsync(TestStore.Draft(Order, Payload(n)), default);
        await Task.WhenAll(Enumerable.Range(15, 40).Select(n => session.AppendAsync(TestStore.Draft(Order, Payload(n % 20)), default)));

        var kept = session.GetSnapshots(Order, null, 100).Items;
        Assert.Equal(Enumerable.Range(1, 18).Select(n => (ulong)(3 * n)), kept.Select(snapshot => snapshot.State.Version));
        RequireCrossingStates(session, kept);
    }

    [Fact]
    public async Task Automatic_snapshots_of_large_states_follow_behind_the_commit()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        await DeclareAsync(session, Schema() with { ColumnTypes = Column.None });
        await session.AppendBatchAsync(
            [.. Enumerable.Range(1, 7).Select(n => TestStore.Draft(Order, $$"""{"n":{{n}},"f":"{{new string('x', Limits.SnapshotInCommitBytesMax)}}"}"""))], default);
        IReadOnlyList<Snapshot> kept;
        while ((kept = session.GetSnapshots(Order, null, 10).Items).Count < 2)
            await Task.Yield();

        RequireCrossingStates(session, kept);
    }

    [Fact]
    public async Task A_damaged_state_row_refuses_no_append_at_a_version_that_crosses()
    {
        using var store = new TestStore();
        var steps = new EngineSteps();
        await using var database = Database.Open(store.Options() with { WrapEngine = steps.Over });
        var session = database.OpenSession();
        await DeclareAsync(session, Schema() with { ColumnTypes = Column.None });
        await session.AppendAsync(TestStore.Draft(Order, $$"""{"a":"{{new string('x', 5000)}}","b":1}"""), default);
        await session.AppendAsync(TestStore.Draft(Order, """{"c":1}"""), default);
        steps.Tamper(static (view, plan) => plan.Delete(Family.State, view.Range(Family.State, Keyspace.FirstName, [], 1, int.MaxValue)[0].Key));

        Assert.Equal(3UL, (await session.AppendAsync(TestStore.Draft(Order, """{"d":1}"""), default)).Record.Version);
        Assert.Equal(4UL, (await session.AppendAsync(TestStore.Draft(Order, """{"d":2}"""), default)).Record.Version);
        Assert.Equal(RefusalCode.IntegrityViolation, Assert.Throws<RefusedException>(() => session.VerifyAll(null, default)).Refusal.Code);
    }

    static void RequireCrossingStates(Session session, IReadOnlyList<Snapshot> kept)
    {
        foreach (var snapshot in kept)
        {
            Assert.True(snapshot.Automatic);
            Assert.Equal($"auto snapshot v{snapshot.State.Version}", snapshot.Comment);
            var folded = new SortedDictionary<string, string>(StringComparer.Ordinal);
            foreach (var record in session.GetEvents(Order, 1, (int)snapshot.State.Version).Items)
            {
                foreach (var member in System.Text.Json.JsonDocument.Parse(record.Payload).RootElement.EnumerateObject())
                    folded[member.Name] = member.Value.GetRawText();
            }

            Assert.Equal($"{{{string.Join(',', folded.Select(field => $"\"{field.Key}\":{field.Value}"))}}}", snapshot.State.StateAsJson(typed: true));
            Assert.Equal(session.GetEvent(Order, snapshot.State.Version).MerkleRoot, snapshot.State.MerkleRoot);
        }

        session.VerifyAll(null, default);
    }

    [Fact]
    public async Task Hidden_types_and_fields_are_shown_to_root_alone()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var root = database.OpenSession();
        await DeclareAsync(root, Schema() with { ColumnTypes = Column.None, FieldLocks = Utf8Order.NoNames });
        await DeclareAsync(root, Schema() with { Aggregate = "secret", Hidden = true, ColumnTypes = Column.None }, "secret");
        var secret = TestStore.Aggregate("secret", "s-1");
        await root.AppendAsync(TestStore.Draft(Order, """{"card":"4111","total":1,"z":{"card":2}}"""), default);
        await root.AppendAsync(TestStore.Draft(secret), default);
        Assert.True(Grants.TryParse(["*"], [], out var all, out _));
        var session = database.OpenSession(new Actor("ops", "kim"), all, null);

        Assert.Equal("""{"total":1,"z":{"card":2}}""", session.GetAggregate(Order).StateAsJson(typed: true));
        Assert.Equal("""{"total":1,"z":{"card":2}}""", Encoding.UTF8.GetString(session.GetEvent(Order, 1).Payload.Span));
        Assert.Equal("""{"total":1,"z":{"card":2}}""", Encoding.UTF8.GetString(session.GetEvents(Order, 1, 5).Items[0].Payload.Span));
        Assert.Equal(Order, Assert.Single(session.GetAggregates(new(), null, 0, 10).Items).Aggregate);
        Assert.Equal(Order, Assert.Single(session.ReadFeed(0, 10, false).Items).Event!.Aggregate);
        Assert.Equal(RefusalCode.NotFound, (await RefusalOf(() => Task.FromResult(session.GetAggregate(secret))))?.Code);
        Assert.Equal(RefusalCode.NotFound, (await RefusalOf(() => session.VerifyAsync(secret, global::EventDbx.Verification.VerifyLevel.Full, default)))?.Code);
        Assert.Contains("4111", root.GetAggregate(Order).StateAsJson(), StringComparison.Ordinal);
        Assert.Equal(2, root.GetAggregates(new(), null, 0, 10).Items.Count);
    }

    [Fact]
    public async Task Only_root_changes_schemas_and_what_cannot_be_enforced_is_not_taken()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        Assert.True(Grants.TryParse(["*"], [], out var all, out _));
        var session = database.OpenSession(new Actor("ops", "kim"), all, null);

        Assert.Equal(RefusalCode.PermissionDenied, (await RefusalOf(() => DeclareAsync(session)))?.Code);
        Assert.Equal(RefusalCode.InvalidSchema, (await RefusalOf(() => DeclareAsync(database.OpenSession(), type: "other")))?.Code);
        Assert.Equal(0UL, database.LogSize);
    }

    [Fact]
    public async Task Sixteen_changes_at_once_lose_none()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        await DeclareAsync(session);
        await Task.WhenAll(Enumerable.Range(0, 16).Select(n => Task.Run(() => session.ChangeSchemaAsync(
            "order", book => SchemaChange.AddEvents(book.Get("order"), [$"event-{n}"], new Timestamp(n)), default))));

        Assert.Equal(18, session.GetSchemas().Get("order").Events.Count);
        Assert.Equal(17UL, database.LogSize);
    }

    [Fact]
    public async Task Schemas_survive_a_recovery_and_a_row_that_the_log_does_not_lead_to_is_found()
    {
        using var store = new TestStore();
        await using (var database = store.Open())
        {
            var session = database.OpenSession();
            await DeclareAsync(session);
            await session.AppendAsync(TestStore.Draft(Order, """{"total":1}"""), default);
        }

        File.Delete(Path.Combine(store.Directory, "event_store", "CURRENT"));
        EventDbx.Recovery.StoreRecovery.AcceptLoss(store.Options());
        await using var recovered = store.Open();
        Assert.Equal(Schema(), recovered.OpenSession().GetSchemas().Get("order"));
        recovered.OpenSession().VerifyAll(null, default);

        recovered.Engine.Commit(new Foreign(), sync: true);
        var found = await RefusalOf(() => Task.FromResult(recovered.OpenSession().VerifyAll(null, default)));
        Assert.Equal(RefusalCode.IntegrityViolation, found?.Code);
    }

    [Fact]
    public async Task A_schemas_file_that_says_otherwise_is_set_aside_and_written_anew()
    {
        using var store = new TestStore();
        await using (var database = store.Open())
            await DeclareAsync(database.OpenSession());
        var path = Path.Combine(store.Directory, "schemas.json");
        var inForce = File.ReadAllText(path);
        File.WriteAllText(path, "{}");
        await using (store.Open())
        {
        }

        Assert.Equal(inForce, File.ReadAllText(path));
        Assert.Equal("{}", File.ReadAllText(path + ".replaced"));
    }

    sealed class Foreign : IGroupPlanner
    {
        public void Plan(IStorageView view, WritePlan plan)
        {
            Checked.Put(plan, Family.Meta, Keyspace.SchemaRow("invoice"), new EventDbx.Storage.Rows.SchemaRow(1, "{}"u8.ToArray()).Write());
            var log = LogTreeStore.Load(view);
            (plan.BaseLogSize, plan.LogSize) = (log.Size, log.Size);
        }

        public void Forget() { }
    }
}
