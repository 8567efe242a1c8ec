using System.Text;
using EventDbx.Access;
using EventDbx.Events;
using EventDbx.Reading;
using EventDbx.Schemas;

namespace EventDbx.Tests.Engine;

/// <summary>What schemas hide, and what a token may not read, is told by no answer and no refusal.</summary>
public sealed class HiddenTests
{
    static readonly AggregateKey Order = TestStore.Aggregate();
    static readonly AggregateKey Secret = TestStore.Aggregate("secret", "s-1");
    static readonly Actor Kim = new("ops", "kim");

    static EventDraft Patch(AggregateKey aggregate, string patch) => new() { Aggregate = aggregate, EventType = "placed", Patch = Encoding.UTF8.GetBytes(patch) };

    static Session Open(Database database, params string[] actions)
    {
        Assert.True(Grants.TryParse(actions, [], out var grants, out var refusal), refusal.Message);
        return database.OpenSession(Kim, grants, null);
    }

    static async Task<Refusal> RefusalOf(Func<Task> act) => (await Assert.ThrowsAsync<RefusedException>(act)).Refusal;

    static async Task<Session> DeclareAsync(Database database)
    {
        var root = database.OpenSession();
        await root.ChangeSchemaAsync("order", [SchemaEdit.Create(["placed"], null), SchemaEdit.SetFieldHidden("card", true)], default);
        await root.ChangeSchemaAsync("secret", [SchemaEdit.Create(["placed"], null), SchemaEdit.SetHidden(true)], default);
        await root.AppendAsync(TestStore.Draft(Order, """{"card":{"visa":"4111"},"total":1}"""), default);
        await root.AppendAsync(TestStore.Draft(Secret, """{"word":"sesame"}"""), default);
        return root;
    }

    [Fact]
    public async Task A_hidden_type_is_not_there_for_any_verb_of_its_life()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var root = await DeclareAsync(database);
        var session = Open(database, "aggregate.*");
        var size = database.LogSize;

        foreach (var aggregate in (AggregateKey[])[Secret, TestStore.Aggregate("secret", "absent")])
        {
            Assert.Equal(RefusalCode.NotFound, (await RefusalOf(() => session.RestoreAsync(aggregate, null, default))).Code);
            Assert.Equal(RefusalCode.NotFound, (await RefusalOf(() => session.ArchiveAsync(aggregate, null, default))).Code);
            Assert.Equal(RefusalCode.NotFound, (await RefusalOf(() => session.RemoveAsync(aggregate, default))).Code);
            Assert.Equal(RefusalCode.NotFound, (await RefusalOf(() => session.SnapshotAsync(aggregate, null, default))).Code);
        }

        // Whether it exists makes no difference to a creation either.
        var existing = await RefusalOf(() => session.CreateAsync(Secret, null, default));
        Assert.Equal(existing, await RefusalOf(() => session.CreateAsync(TestStore.Aggregate("secret", "absent"), null, default)));
        Assert.Equal(RefusalCode.PermissionDenied, existing.Code);
        Assert.Equal(size, database.LogSize);
        Assert.Contains("sesame", (await root.RestoreAsync(Secret, null, default)).StateAsJson(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_may_archive_and_not_read_is_answered_without_the_state()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        await DeclareAsync(database);
        var session = Open(database, "aggregate.archive");
        var reader = Open(database, "aggregate.archive", "aggregate.append");

        var restored = await session.RestoreAsync(Order, null, default);
        var kept = await session.SnapshotAsync(Order, null, default);
        var archived = await session.ArchiveAsync(Order, null, default);

        Assert.All([restored, kept.State, archived], state => Assert.Equal((true, 1UL, "{}"), (state.StateWithheld, state.Version, state.StateAsJson())));
        var json = new System.Buffers.ArrayBufferWriter<byte>();
        RecordJson.WriteState(json, archived);
        SnapshotJson.Write(json, kept);
        Assert.DoesNotContain("state\"", Encoding.UTF8.GetString(json.WrittenSpan), StringComparison.Ordinal);
        Assert.Equal("""{"total":"1"}""", (await reader.RestoreAsync(Order, null, default)).StateAsJson());
    }

    [Fact]
    public async Task Appends_to_a_hidden_type_are_taken_and_tell_nothing_of_what_is_there()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        await DeclareAsync(database);
        var session = Open(database, "aggregate.append");

        var conflict = await RefusalOf(() => session.AppendAsync(TestStore.Draft(Secret) with { ExpectedVersion = 77 }, default));
        var inBatch = await RefusalOf(() => session.AppendBatchAsync([TestStore.Draft(Order), TestStore.Draft(Secret) with { ExpectedVersion = 77 }], default));

        Assert.Equal((RefusalCode.VersionConflict, null), (conflict.Code, conflict.ActualVersion));
        Assert.DoesNotContain("version 1", conflict.Message, StringComparison.Ordinal);
        Assert.Equal((RefusalCode.VersionConflict, null, 1), (inBatch.Code, inBatch.ActualVersion, inBatch.Operation));
        Assert.Equal(1UL, (await RefusalOf(() => session.AppendAsync(TestStore.Draft(Order) with { ExpectedVersion = 77 }, default))).ActualVersion);
        Assert.Equal("""{"own":1}""", Encoding.UTF8.GetString((await session.AppendAsync(TestStore.Draft(Secret, """{"own":1}"""), default)).Record.Payload.Span));
    }

    [Theory]
    [InlineData("/card/visa/x")]
    [InlineData("/card/amex")]
    [InlineData("/card")]
    public async Task A_patch_of_what_is_hidden_is_refused_before_it_is_looked_at(string path)
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var root = await DeclareAsync(database);
        var session = Open(database, "aggregate.append");
        var patch = Patch(Order, $$"""[{"op":"add","path":"/total","value":2},{"op":"replace","path":"{{path}}","value":1}]""");
        var size = database.LogSize;

        var refused = await RefusalOf(() => session.AppendAsync(patch, default));
        Assert.Equal(RefusalCode.PermissionDenied, refused.Code);
        Assert.Equal(refused, await RefusalOf(() => session.StageAsync(patch, default)));
        Assert.Equal(refused with { Operation = 1 }, await RefusalOf(() => session.AppendBatchAsync([TestStore.Draft(Order), patch], default)));
        Assert.Equal(refused, await RefusalOf(() => session.AppendAsync(Patch(Secret, """[{"op":"add","path":"/word","value":1}]"""), default)));

        Assert.Equal(size, database.LogSize);
        Assert.Equal("""{"total":2}""", Encoding.UTF8.GetString((await session.AppendAsync(Patch(Order, """[{"op":"replace","path":"/total","value":2}]"""), default)).Record.Payload.Span));
        await root.AppendAsync(Patch(Order, """[{"op":"add","path":"/card/amex","value":1}]"""), default);
    }

    [Fact]
    public async Task A_known_event_id_says_nothing_about_hidden_content_to_anybody_but_its_sender()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var root = await DeclareAsync(database);
        var session = Open(database, "aggregate.append");
        var (theirs, own, open) = (Guid.CreateVersion7(), Guid.CreateVersion7(), Guid.CreateVersion7());
        await root.AppendAsync(TestStore.Draft(Order, """{"card":"4711"}""") with { EventId = theirs }, default);
        await root.AppendAsync(TestStore.Draft(Secret, """{"pin":1}""") with { EventId = theirs }, default);
        await root.AppendAsync(TestStore.Draft(Order, """{"total":3}""") with { EventId = open }, default);
        await session.AppendAsync(TestStore.Draft(Order, """{"card":"4712"}""") with { EventId = own }, default);

        var wrong = await RefusalOf(() => session.AppendAsync(TestStore.Draft(Order, """{"card":"4710"}""") with { EventId = theirs }, default));
        Assert.Equal(RefusalCode.IdempotencyConflict, wrong.Code);
        Assert.Equal(wrong, await RefusalOf(() => session.AppendAsync(TestStore.Draft(Order, """{"card":"4711"}""") with { EventId = theirs }, default)));
        Assert.Equal(RefusalCode.IdempotencyConflict, (await RefusalOf(() => session.AppendAsync(TestStore.Draft(Secret, """{"pin":1}""") with { EventId = theirs }, default))).Code);
        Assert.Equal(wrong with { Operation = null }, (await RefusalOf(() => session.StageAsync(TestStore.Draft(Order, """{"card":"4711"}""") with { EventId = theirs }, default))) with { Operation = null });

        // One's own, and what is not hidden, is answered as ever.
        Assert.False((await session.AppendAsync(TestStore.Draft(Order, """{"card":"4712"}""") with { EventId = own }, default)).Appended);
        Assert.False((await session.AppendAsync(TestStore.Draft(Order, """{"total":3}""") with { EventId = open }, default)).Appended);
        Assert.False((await root.AppendAsync(TestStore.Draft(Order, """{"card":"4711"}""") with { EventId = theirs }, default)).Appended);
    }

    [Fact]
    public async Task A_hidden_value_hides_every_payload_that_is_no_object()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var root = database.OpenSession();
        await root.ChangeSchemaAsync("order", [SchemaEdit.Create(["placed"], null), SchemaEdit.SetFieldHidden("_value", true)], default);
        await root.AppendAsync(TestStore.Draft(Order, "\"sesame\""), default);
        await root.AppendAsync(TestStore.Draft(Order, """{"open":1}"""), default);
        await root.StageAsync(TestStore.Draft(Order, "[\"staged\"]"), default);
        var session = Open(database, "*");
        static string Text(ReadOnlyMemory<byte> payload) => Encoding.UTF8.GetString(payload.Span);

        Assert.Equal("null", Text(session.GetEvent(Order, 1).Payload));
        Assert.Equal(["null", """{"open":1}"""], session.GetEvents(Order, 1, 10).Items.Select(record => Text(record.Payload)));
        Assert.Equal(["null", """{"open":1}"""], session.ReadFeed(0, 10, false).Items.Select(item => Text(item.Event!.Payload)));
        Assert.Equal("null", Text(Assert.Single(session.GetStaged()).Draft.Payload));
        Assert.Equal("""{"open":"1"}""", session.GetAggregate(Order).StateAsJson());
        Assert.Equal("\"sesame\"", Text(root.GetEvent(Order, 1).Payload));
        Assert.Equal("""["staged"]""", Text(Assert.Single(root.GetStaged()).Draft.Payload));
    }

    [Fact]
    public async Task The_cursor_of_a_list_does_not_name_what_is_not_shown_and_leads_on_all_the_same()
    {
        using var store = new TestStore();
        await using var database = store.Open(encrypted: false);
        var root = database.OpenSession();
        await root.ChangeSchemaAsync("payroll", [SchemaEdit.Create(["placed"], null), SchemaEdit.SetHidden(true)], default);
        for (var i = 0; i < Limits.ListScanMax + 500; i += 500)
            await root.AppendBatchAsync([.. Enumerable.Range(i, 500).Select(n => TestStore.Draft(TestStore.Aggregate("payroll", $"employee-{n}")))], default);
        await root.AppendAsync(TestStore.Draft(TestStore.Aggregate("zebra", "z")), default);
        var session = Open(database, "aggregate.read");

        var page = session.GetAggregates(new AggregateFilter(), null, 0, 10);
        Assert.Empty(page.Items);
        Assert.DoesNotContain("employee", Encoding.Latin1.GetString(page.Next!), StringComparison.Ordinal);
        Assert.Equal("zebra", Assert.Single(session.GetAggregates(new AggregateFilter(), page.Next, 0, 10).Items).Aggregate.Type);
        page.Next![^1] ^= 1;
        Assert.Equal(RefusalCode.InvalidArgument, Assert.Throws<RefusedException>(() => session.GetAggregates(new AggregateFilter(), page.Next, 0, 10)).Refusal.Code);
        Assert.Contains("employee", Encoding.Latin1.GetString(root.GetAggregates(new AggregateFilter(), null, 0, 10).Next!), StringComparison.Ordinal);
    }
}
