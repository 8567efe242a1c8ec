using System.Text;
using EventDbx.Events;
using EventDbx.Schemas;
using EventDbx.Transfer;

namespace EventDbx.Tests.Engine;

/// <summary>Patches are evaluated by the writer, on the state they commit on.</summary>
public sealed class PatchTests
{
    static readonly AggregateKey Order = TestStore.Aggregate();

    static EventDraft Patch(string patch, AggregateKey? aggregate = null) => new()
    {
        Aggregate = aggregate ?? Order, EventType = "changed", Patch = Encoding.UTF8.GetBytes(patch),
    };

    static string Text(ReadOnlyMemory<byte> utf8) => Encoding.UTF8.GetString(utf8.Span);

    [Theory]
    [InlineData(true, 0)]
    [InlineData(true, 5000)]
    [InlineData(false, 0)]
    [InlineData(false, 5000)]
    public async Task The_event_holds_the_whole_top_level_values_that_the_patch_touches(bool encrypted, int filler)
    {
        using var store = new TestStore();
        await using var database = store.Open(encrypted);
        var session = database.OpenSession();
        await session.AppendAsync(TestStore.Draft(Order, $$"""{"contact":{"city":"Portland","zip":"97201"},"status":"active","number":"42","filler":"{{new string('x', filler)}}"}"""), default);

        var result = await session.AppendAsync(Patch("""[{"op":"replace","path":"/contact/city","value":"Spokane"},{"op":"add","path":"/tags","value":[1.50]}]"""), default);

        Assert.Equal("""{"contact":{"city":"Spokane","zip":"97201"},"tags":[1.50]}""", Text(result.Record.Payload));
        var state = session.GetAggregate(Order);
        Assert.Contains("\"number\":\"42\"", state.StateAsJson(typed: true), StringComparison.Ordinal);
        Assert.Contains("\"tags\":[1.50]", state.StateAsJson(typed: true), StringComparison.Ordinal);
        session.VerifyAll(null, default);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5000)]
    public async Task Many_patches_at_once_lose_none_of_each_other(int filler)
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        await session.AppendAsync(TestStore.Draft(Order, $$"""{"list":[],"text":"42","filler":"{{new string('x', filler)}}"}"""), default);

        await Task.WhenAll(Enumerable.Range(0, 64).Select(i => Task.Run(() => session.AppendAsync(
            Patch($$"""[{"op":"add","path":"/list/-","value":{{i}}}]"""), default))));

        var state = session.GetAggregate(Order);
        Assert.Equal(65UL, state.Version);
        var listed = System.Text.Json.JsonDocument.Parse(state.StateAsJson(typed: true)).RootElement.GetProperty("list").EnumerateArray().Select(item => item.GetInt32());
        Assert.Equal(Enumerable.Range(0, 64), listed.Order());
        session.VerifyAll(null, default);
    }

    [Fact]
    public async Task All_patches_of_one_commit_share_what_patterns_may_take_on_the_writer()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        await session.ChangeSchemaAsync("order", _ => SchemaJson.ReadDeclaredSchema("""
            {"aggregate":"order","events":{"placed":{},"changed":{}},
             "column_types":{"p":{"type":"object","properties":{"t":{"type":"text","regex":["(?:a?){480}b"]}}}}}
            """u8, default), default);
        await session.AppendAsync(TestStore.Draft(Order, $$$"""{"p":{"t":"{{{new string('a', 15_000)}}}b"}}"""), default);
        var patch = Patch("""[{"op":"add","path":"/p/n","value":1}]""");

        await session.AppendAsync(patch, default);
        await session.AppendAsync(patch, default);
        var refused = (await Assert.ThrowsAsync<RefusedException>(() => session.AppendBatchAsync([patch, patch], default))).Refusal;

        Assert.Equal((RefusalCode.SchemaViolation, 1, "p.t"), (refused.Code, refused.Operation, Assert.Single(refused.Violations!).Path));
        Assert.Equal(3UL, session.GetAggregate(Order).Version);
    }

    [Fact]
    public async Task A_patch_reaches_into_twice_what_an_event_takes_and_no_further()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        for (var i = 0; i < 4; i++)
            await session.AppendAsync(TestStore.Draft(Order, $$$"""{"f{{{i}}}":[0,"{{{new string('x', 700_000)}}}"]}"""), default);
        string Replace(string path) => $$"""{"op":"replace","path":"{{path}}","value":1}""";

        // Some 1.4 MB, made small by the patch itself; then some 2.1 MB; then the same, set whole: that needs no reading.
        Assert.Equal("""{"f0":[0,1],"f1":[0,1]}""", Text((await session.AppendAsync(Patch($"[{Replace("/f0/1")},{Replace("/f1/1")}]"), default)).Record.Payload));
        await session.AppendAsync(TestStore.Draft(Order, $$"""{"f0":["{{new string('x', 700_000)}}"]}"""), default);
        var refused = (await Assert.ThrowsAsync<RefusedException>(() => session.AppendAsync(Patch($"[{Replace("/f0/0")},{Replace("/f2/1")},{Replace("/f3/1")}]"), default))).Refusal;
        Assert.Equal(RefusalCode.LimitExceeded, refused.Code);
        Assert.Equal("""{"f0":1,"f2":1,"f3":1}""", Text((await session.AppendAsync(Patch($"[{Replace("/f0")},{Replace("/f2")},{Replace("/f3")}]"), default)).Record.Payload));
        Assert.Equal(RefusalCode.InvalidPatch, (await Assert.ThrowsAsync<RefusedException>(() => session.AppendAsync(Patch($"[{Replace("/f9")}]"), default))).Refusal.Code);
        session.VerifyAll(null, default);
    }

    [Fact]
    public async Task A_patch_that_pushes_a_long_array_aside_too_often_is_refused_and_appending_to_it_is_not()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        await session.AppendAsync(TestStore.Draft(Order, $$"""{"list":[{{string.Join(',', Enumerable.Repeat('1', 300_000))}}]}"""), default);
        EventDraft Insert(string at, int times) => Patch("[" + string.Join(',', Enumerable.Repeat($$"""{"op":"add","path":"/list/{{at}}","value":2}""", times)) + "]");

        Assert.Equal(RefusalCode.LimitExceeded, (await Assert.ThrowsAsync<RefusedException>(() => session.AppendAsync(Insert("0", 100), default))).Refusal.Code);
        await session.AppendAsync(Insert("0", 50), default);
        await session.AppendAsync(Insert("-", 1000), default);
        Assert.Equal(3UL, session.GetAggregate(Order).Version);
    }

    [Fact]
    public async Task A_batch_of_patches_is_bounded_by_what_they_lead_to()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        await session.AppendAsync(TestStore.Draft(Order, $$$"""{"big":{"n":0,"t":"{{{new string('x', 1_000_000)}}}"}}"""), default);
        EventDraft[] Patches(int count) => [.. Enumerable.Range(1, count).Select(i => Patch($$"""[{"op":"replace","path":"/big/n","value":{{i}}}]"""))];

        Assert.Equal(16, (await session.AppendBatchAsync(Patches(16), default)).Count);
        var refused = (await Assert.ThrowsAsync<RefusedException>(() => session.AppendBatchAsync(Patches(17), default))).Refusal;

        Assert.Equal((RefusalCode.LimitExceeded, 16), (refused.Code, refused.Operation));
        Assert.Equal(17UL, session.GetAggregate(Order).Version);
        Assert.Equal(18UL, (await session.AppendAsync(TestStore.Draft(Order), default)).Record.Version);
        session.VerifyAll(null, default);
    }

    [Fact]
    public async Task A_batch_that_makes_the_store_write_too_much_is_refused_and_the_writer_goes_on()
    {
        using var store = new TestStore();
        await using var database = store.Open(encrypted: false);
        var session = database.OpenSession();
        var wide = AggregateKey.Create(new string('t', 256), new string('i', 512));
        EventDraft Event(int fields) => TestStore.Draft(wide, "{" + string.Join(',', Enumerable.Range(0, fields).Select(n => $"\"{n}\":1")) + "}");
        await session.AppendBatchAsync([Event(1000), Event(1000)], default);

        var refused = (await Assert.ThrowsAsync<RefusedException>(() => session.AppendBatchAsync([.. Enumerable.Repeat(Event(1000), 1000)], default))).Refusal;

        Assert.Equal(RefusalCode.LimitExceeded, refused.Code);
        Assert.InRange(refused.Operation!.Value, 10, 999);
        Assert.Equal(2UL, session.GetAggregate(wide).Version);
        Assert.Equal(3UL, (await session.AppendAsync(Event(1), default)).Record.Version);
        session.VerifyAll(null, default);
    }

    [Fact]
    public async Task Writers_that_expect_a_version_and_try_again_lose_none()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        await session.AppendAsync(TestStore.Draft(Order, """{"sum":[]}"""), default);

        await Task.WhenAll(Enumerable.Range(0, 64).Select(i => Task.Run(async () =>
        {
            while (true)
            {
                try
                {
                    var version = session.GetAggregate(Order).Version;
                    await session.AppendAsync(Patch($$"""[{"op":"add","path":"/sum/-","value":{{i}}}]""") with { ExpectedVersion = version }, default);
                    return;
                }
                catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.VersionConflict)
                {
                }
            }
        })));

        Assert.Equal(65UL, session.GetAggregate(Order).Version);
    }

    [Theory]
    [InlineData(10)]
    [InlineData(5000)]
    public async Task In_a_batch_a_patch_sees_what_stands_before_it(int filler)
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        await session.AppendBatchAsync(
            [
                TestStore.Draft(Order, $$"""{"a":{"x":1},"filler":"{{new string('y', filler)}}"}"""),
                Patch("""[{"op":"add","path":"/a/y","value":2}]"""),
                TestStore.Draft(Order, """{"b":[]}"""),
                Patch("""[{"op":"add","path":"/a/z","value":3},{"op":"add","path":"/b/-","value":"b"}]"""),
            ],
            default);

        var state = session.GetAggregate(Order).StateAsJson(typed: true);
        Assert.Contains("""
            "a":{"x":1,"y":2,"z":3},"b":["b"]
            """, state, StringComparison.Ordinal);
        session.VerifyAll(null, default);
    }

    [Fact]
    public async Task A_repeated_patch_gets_its_original_and_another_one_under_its_id_is_a_conflict()
    {
        using var store = new TestStore();
        var id = Guid.CreateVersion7();
        var draft = Patch("""[{"op":"add","path":"/list","value":[]}]""") with { EventId = id };
        EventRecord original;
        await using (var database = store.Open())
        {
            var session = database.OpenSession();
            original = (await session.AppendAsync(draft, default)).Record;
            await session.AppendAsync(Patch("""[{"op":"add","path":"/list/-","value":1}]"""), default);
        }

        await using var again = store.Open();
        var repeated = await again.OpenSession().AppendAsync(draft with { Patch = Encoding.UTF8.GetBytes("""[ { "op":"add", "path":"/list", "value":[] } ]""") }, default);
        Assert.False(repeated.Appended);
        Assert.Equal(original.Hash, repeated.Record.Hash);
        foreach (var other in (EventDraft[])[Patch("""[{"op":"add","path":"/list","value":[1]}]"""), TestStore.Draft(Order, Text(original.Payload), "changed")])
        {
            var refused = await Assert.ThrowsAsync<RefusedException>(() => again.OpenSession().AppendAsync(other with { EventId = id }, default));
            Assert.Equal(RefusalCode.IdempotencyConflict, refused.Refusal.Code);
        }

        // A record of it, which brings the payload, is known all the same; and everything is what was committed.
        var record = new EventImport { Draft = TestStore.Draft(Order, Text(original.Payload), "changed") with { EventId = id }, CreatedAt = original.CreatedAt, Version = 1 };
        Assert.False((await again.OpenSession().ImportAsync([record], default))[0].Appended);
        again.OpenSession().VerifyAll(null, default);
    }

    [Fact]
    public async Task The_fingerprint_of_a_patch_survives_a_recovery()
    {
        using var store = new TestStore();
        var draft = Patch("""[{"op":"add","path":"/list","value":[]}]""") with { EventId = Guid.CreateVersion7() };
        await using (var database = store.Open())
            await database.OpenSession().AppendAsync(draft, default);
        File.Delete(Path.Combine(store.Directory, "event_store", "CURRENT"));
        EventDbx.Recovery.StoreRecovery.AcceptLoss(store.Options());

        await using var recovered = store.Open();
        Assert.False((await recovered.OpenSession().AppendAsync(draft, default)).Appended);
        recovered.OpenSession().VerifyAll(null, default);
    }

    [Theory]
    [InlineData("[]", "at least one")]
    [InlineData("{}", "array")]
    [InlineData("""[{"op":"remove","path":"/status"}]""", "`remove`")]
    [InlineData("""[{"op":"add","path":"","value":{}}]""", "whole state")]
    [InlineData("""[{"op":"replace","path":"/absent","value":1}]""", "nothing at /absent")]
    [InlineData("""[{"op":"add","path":"/status/x","value":1}]""", "no members")]
    public async Task A_patch_that_is_none_or_does_not_apply_is_refused_and_nothing_is_written(string patch, string said)
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        await session.AppendAsync(TestStore.Draft(Order), default);

        var refused = await Assert.ThrowsAsync<RefusedException>(() => session.AppendAsync(Patch(patch), default));

        Assert.Equal(RefusalCode.InvalidPatch, refused.Refusal.Code);
        Assert.Contains(said, refused.Message, StringComparison.Ordinal);
        Assert.Equal(1UL, database.LogSize);
    }

    [Fact]
    public async Task A_payload_beside_a_patch_is_refused()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var both = Patch("""[{"op":"add","path":"/a","value":1}]""") with { Payload = "{}"u8.ToArray() };

        var refused = await Assert.ThrowsAsync<RefusedException>(() => database.OpenSession().AppendAsync(both, default));
        Assert.Equal(RefusalCode.InvalidPatch, refused.Refusal.Code);
        Assert.Equal(RefusalCode.InvalidPatch, both.Check()!.Value.Code);
    }
}
