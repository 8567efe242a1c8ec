using System.Text;
using EventDbx.Transfer;

namespace EventDbx.Tests.Engine;

public sealed class ImportTests
{
    const string Line = """{"aggregate_type":"order","aggregate_id":"o-1","event_type":"placed","payload":{"n":1}}""";

    static MemoryStream Input(params string[] lines) => new MemoryStream(Encoding.UTF8.GetBytes(string.Join('\n', lines)));

    [Fact]
    public async Task The_public_log_is_imported_whole_and_a_second_run_adds_nothing()
    {
        var log = Path.Combine(TestData.Folder("receipt"), "events.ndjson");
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        for (var run = 1; run <= 2; run++)
        {
            await using var file = File.OpenRead(log);
            var summary = await new Importer(session, null).RunAsync(file, default);
            Assert.Equal((8577L, run == 1 ? 8577L : 0, run == 1 ? 1434 : 0), (summary.Lines, summary.Appended, summary.Aggregates));
            // The events, and one control entry for the run that added them.
            Assert.Equal(8578UL, database.LogSize);
        }

        var state = session.GetAggregate(TestStore.Aggregate("permit", "case-891")).StateAsJson();
        Assert.Contains("\"activity\":{\"instance\":", state, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Equal_lines_are_distinct_events_and_still_only_once()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();

        var first = await new Importer(session, null).RunAsync(Input(Line, Line, "", Line), default);
        var second = await new Importer(session, null).RunAsync(Input(Line, Line, Line, Line), default);

        Assert.Equal((3L, 3L, 0L), (first.Lines, first.Appended, first.Known));
        Assert.Equal((4L, 1L, 3L), (second.Lines, second.Appended, second.Known));
    }

    [Fact]
    public async Task A_byte_order_mark_and_line_ends_of_another_system_are_no_part_of_a_line()
    {
        using var store = new TestStore();
        await using var database = store.Open();

        var summary = await new Importer(database.OpenSession(), null).RunAsync(Input($"\ufeff{Line}\r", $"{Line}\r"), default);

        Assert.Equal(2, summary.Appended);
    }

    [Fact]
    public async Task A_refused_line_is_named_and_everything_before_it_is_stored()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        var misspelt = Line.Replace("\"payload\"", "\"expectedVersion\":3,\"payload\"", StringComparison.Ordinal);

        var refused = await Assert.ThrowsAsync<ImportRefusedException>(() => new Importer(session, null).RunAsync(Input(Line, Line, misspelt, Line), default));

        Assert.Equal((3, RefusalCode.UnknownMember), (refused.Line, refused.Refusal.Code));
        Assert.Equal(2UL, session.GetAggregate(TestStore.Aggregate()).Version);
    }

    [Fact]
    public async Task A_conflict_inside_a_batch_is_named_by_its_line()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        var conflicting = Line.Replace("\"payload\"", "\"expected_version\":7,\"payload\"", StringComparison.Ordinal);

        var refused = await Assert.ThrowsAsync<ImportRefusedException>(() => new Importer(session, null).RunAsync(Input(Line, Line, conflicting, Line), default));

        Assert.Equal((3, RefusalCode.VersionConflict), (refused.Line, refused.Refusal.Code));
        Assert.Equal(2UL, session.GetAggregate(TestStore.Aggregate()).Version);
    }

    [Fact]
    public async Task Two_records_of_one_id_are_refused_with_both_lines_and_the_same_record_twice_is_one()
    {
        using var store = new TestStore();
        await using var database = store.Open();
        var session = database.OpenSession();
        static string Record(int version) =>
            $$$"""{"aggregate_type":"order","aggregate_id":"o-1","event_type":"placed","payload":{"n":1},"metadata":{"event_id":"01890a5d-ac96-774b-bcce-b302099a8057","created_at":"2025-01-01T00:00:00Z","issued_by":null},"version":{{{version}}}}""";

        var first = await new Importer(session, null).RunAsync(Input(Record(1), Record(1)), default);
        Assert.Equal((1L, 1L), (first.Appended, first.Known));
        var refused = await Assert.ThrowsAsync<ImportRefusedException>(() => new Importer(session, null).RunAsync(Input(Line, "", Record(1), Line, Record(2)), default));

        Assert.Equal((5, RefusalCode.IdempotencyConflict), (refused.Line, refused.Refusal.Code));
        Assert.Contains("lines 3 and 5", refused.Message, StringComparison.Ordinal);
        Assert.Contains("known there as version 1", refused.Message, StringComparison.Ordinal);
        session.VerifyAll(null, default);
    }
}
