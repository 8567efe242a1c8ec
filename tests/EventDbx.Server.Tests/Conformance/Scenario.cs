using System.Globalization;
using System.Text.Json.Nodes;

namespace EventDbx.Server.Tests.Conformance;

/// <summary>A life of some aggregates, written once; every way in lives it and must see the same.</summary>
internal static class Scenario
{
    /// <summary>Names that are hard on something: paths, queries, command lines, encodings.</summary>
    public static IReadOnlyList<(string Type, string Id)> OddNames { get; } =
    [
        ("a/b", "c/d"), ("a", "b/c/d"), ("a%2Fb", "c%2Fd"), ("a%252Fb", "c"), ("50%", "100%"), ("a:b", "c:d"), ("who?", "what?x=1"), ("a#b", "c#d"),
        ("two words", " leading and trailing "), ("-x", "--help"), ("größe", "日本語"), ("🙂", "a+b&c=d"), ("...", "..a"), ("\"q\"", "back\\slash"), ("*", "?*"), ("~", "'"), ("verify", "events"),
    ];

    static Guid Id(int number) => new($"01890a5d-ac96-774b-bcce-{number.ToString("x12", CultureInfo.InvariantCulture)}");

    /// <param name="driver">The way in.</param>
    /// <param name="thorough">Every verb on every odd name.</param>
    public static async Task<Transcript> RunAsync(IDriver driver, bool thorough)
    {
        var seen = new Transcript(driver.EntriesBefore);
        await NothingYetAsync(driver, seen);
        await AppendsAsync(driver, seen);
        await TimeTravelAsync(driver, seen);
        await LifeAsync(driver, seen);
        await PatchesAsync(driver, seen);
        await SchemasAsync(driver, seen);
        await ImportsAsync(driver, seen);
        await ProofsAsync(driver, seen);
        await ListsAsync(driver, seen);
        await OddNamesAsync(driver, seen, thorough);
        await RefusalsAsync(driver, seen);
        seen.Note("verify all", await driver.VerifyAllAsync());
        return seen;
    }

    static async Task NothingYetAsync(IDriver driver, Transcript seen)
    {
        seen.Note("create the first", await driver.CreateAsync("order", "o-0", "reserved"));
        seen.Note("a list of one", await driver.ListAsync(new()));
        seen.Note("get what is not there", await driver.GetAsync("order", "nothing"));
        seen.Note("replay what is not there", await driver.ReplayAsync("order", "nothing", 0, 10));
        seen.Note("verify what is not there", await driver.VerifyAsync("order", "nothing", quick: false));
        seen.Note("archive what is not there", await driver.ArchiveAsync("order", "nothing", null));
    }

    static async Task AppendsAsync(IDriver driver, Transcript seen)
    {
        var placed = new Append("order", "o-1", "order-placed", """{ "customer": {"name":"Jané 🙂"}, "total": 42.50, "big": 123456789012345678901234567890, "open": true, "gone": null }""")
        {
            EventId = Id(1), Note = "by phone",
        };
        seen.Note("append", await driver.AppendAsync(placed));
        seen.Note("the same once more", await driver.AppendAsync(placed));
        seen.Note("the same id with other content", await driver.AppendAsync(placed with { Payload = "{}" }));
        seen.Note("the same id with another note", await driver.AppendAsync(placed with { Note = null }));
        seen.Note("expected version 1", await driver.AppendAsync(new("order", "o-1", "order-paid", """{"total":"none","paid":[1,2,{"a":null}]}""") { EventId = Id(2), ExpectedVersion = 1 }));
        seen.Note("expected version 1 again", await driver.AppendAsync(new("order", "o-1", "order-paid", "{}") { EventId = Id(3), ExpectedVersion = 1 }));
        seen.Note("a repeat does not look at the expected version", await driver.AppendAsync(placed with { ExpectedVersion = 0 }));
        seen.Note("expected version 0 of a new one", await driver.AppendAsync(new("order", "o-2", "order-placed", "7") { EventId = Id(4), ExpectedVersion = 0 }));
        seen.Note("expected version 0 of an old one", await driver.AppendAsync(new("order", "o-2", "order-placed", "8") { EventId = Id(5), ExpectedVersion = 0 }));
        seen.Note("null changes nothing", await driver.AppendAsync(new("order", "o-2", "order-noted", "null") { EventId = Id(6) }));
        seen.Note("get", await driver.GetAsync("order", "o-1"));
        seen.Note("get typed", await driver.GetAsync("order", "o-1", typed: true));
        seen.Note("get fields", await driver.GetAsync("order", "o-1", fields: "total,/customer/name,/paid/2,absent"));
        seen.Note("get fields typed", await driver.GetAsync("order", "o-1", fields: "big,open,gone", typed: true));
        seen.Note("get a value that is no object", await driver.GetAsync("order", "o-2", typed: true));
    }

    static async Task TimeTravelAsync(IDriver driver, Transcript seen)
    {
        foreach (var version in (ulong[])[0, 1, 2, 99])
            seen.Note($"get at version {version}", await driver.GetAsync("order", "o-1", version: version));
        var events = (JsonArray)(await driver.ReplayAsync("order", "o-1", 0, 100))!;
        seen.Note("replay", events);
        foreach (var record in events)
            seen.Note("get at the time of an event", await driver.GetAsync("order", "o-1", at: record!["metadata"]!["created_at"]!.GetValue<string>()));
        seen.Note("get before everything", await driver.GetAsync("order", "o-1", at: "2001-01-01T00:00:00Z"));
        seen.Note("get after everything", await driver.GetAsync("order", "o-1", at: "2999-01-01T00:00:00Z"));
        seen.Note("replay the second", await driver.ReplayAsync("order", "o-1", 1, 1));
        seen.Note("replay none", await driver.ReplayAsync("order", "o-1", 0, 0));
        seen.Note("replay beyond the end", await driver.ReplayAsync("order", "o-1", 9, 1));
        seen.Note("one event", await driver.GetEventAsync("order", "o-1", 2));
        seen.Note("an event that is not there", await driver.GetEventAsync("order", "o-1", 3));
        seen.Note("verify", await driver.VerifyAsync("order", "o-1", quick: false));
        seen.Note("verify quickly", await driver.VerifyAsync("order", "o-1", quick: true));
    }

    static async Task LifeAsync(IDriver driver, Transcript seen)
    {
        seen.Note("create once more", await driver.CreateAsync("order", "o-0", null));
        seen.Note("create over events", await driver.CreateAsync("order", "o-1", null));
        seen.Note("get the empty one", await driver.GetAsync("order", "o-0"));
        seen.Note("remove the empty one", await driver.RemoveAsync("order", "o-0"));
        seen.Note("remove it again", await driver.RemoveAsync("order", "o-0"));
        seen.Note("remove one with events", await driver.RemoveAsync("order", "o-1"));
        seen.Note("archive", await driver.ArchiveAsync("order", "o-2", "year closed"));
        seen.Note("archive again", await driver.ArchiveAsync("order", "o-2", null));
        seen.Note("append to the archived", await driver.AppendAsync(new("order", "o-2", "order-noted", "{}") { EventId = Id(20) }));
        seen.Note("a repeat on the archived", await driver.AppendAsync(new("order", "o-2", "order-placed", "7") { EventId = Id(4), ExpectedVersion = 0 }));
        seen.Note("get the archived", await driver.GetAsync("order", "o-2"));
        seen.Note("replay the archived", await driver.ReplayAsync("order", "o-2", 0, 100));
        seen.Note("verify the archived", await driver.VerifyAsync("order", "o-2", quick: false));
        seen.Note("restore", await driver.RestoreAsync("order", "o-2", "reopened"));
        seen.Note("restore again", await driver.RestoreAsync("order", "o-2", null));
        seen.Note("append to the restored", await driver.AppendAsync(new("order", "o-2", "order-noted", """{"again":1}""") { EventId = Id(21), ExpectedVersion = 2 }));
        seen.Note("archive for the lists", await driver.ArchiveAsync("order", "o-2", null));
    }

    static async Task PatchesAsync(IDriver driver, Transcript seen)
    {
        Append Patch(int id, string operations) => new("order", "o-4", "order-changed", "") { Patch = operations, EventId = Id(id) };
        var first = Patch(30, """[{"op":"add","path":"/address","value":{"city":"Tacoma","zip":"98402"}},{"op":"add","path":"/tags","value":["a"]}]""");
        seen.Note("a patch that makes an aggregate", await driver.AppendAsync(first));
        seen.Note("a patch of a part", await driver.AppendAsync(Patch(31, """[ {"op": "replace", "path": "/address/city", "value": "Spokane"}, {"op": "add", "path": "/tags/-", "value": 1.50} ]""") with { ExpectedVersion = 1, Note = "moved" }));
        seen.Note("a patch once more", await driver.AppendAsync(first with { ExpectedVersion = 0 }));
        seen.Note("the same id with another patch", await driver.AppendAsync(Patch(30, """[{"op":"add","path":"/other","value":1}]""")));
        seen.Note("the same id with a payload", await driver.AppendAsync(first with { Patch = null, Payload = "{}" }));
        seen.Note("a patch that expects another version", await driver.AppendAsync(Patch(32, """[{"op":"add","path":"/x","value":1}]""") with { ExpectedVersion = 9 }));
        seen.Note("a patch of what is not there", await driver.AppendAsync(Patch(33, """[{"op":"replace","path":"/nowhere","value":1}]""")));
        seen.Note("a patch that removes", await driver.AppendAsync(Patch(34, """[{"op":"remove","path":"/tags"}]""")));
        seen.Note("a patch of everything", await driver.AppendAsync(Patch(35, """[{"op":"replace","path":"","value":{}}]""")));
        seen.Note("an empty patch", await driver.AppendAsync(Patch(36, "[]")));
        seen.Note("a patch that is no array", await driver.AppendAsync(Patch(37, """{"op":"add","path":"/x","value":1}""")));
        seen.Note("what the patches made", await driver.GetAsync("order", "o-4", typed: true));
        seen.Note("what the patches say", await driver.ReplayAsync("order", "o-4", 0, 10));
    }

    static async Task SchemasAsync(IDriver driver, Transcript seen)
    {
        await driver.ApplySchemasAsync("""
            {"invoice":{"events":{"invoice-made":{"fields":["total","email"]},"invoice-noted":{}},
             "column_types":{"total":{"type":"decimal(12,2)","required":true},"email":{"type":"text","format":"email"},"remark":"text"}}}
            """);
        Append Of(int id, string eventType, string payload) => new("invoice", "n-1", eventType, payload) { EventId = Id(id) };
        seen.Note("an event as its schema wants it", await driver.AppendAsync(Of(40, "invoice-made", """{"total":12.50,"email":"a@example.com"}""")));
        seen.Note("a schema violation", await driver.AppendAsync(Of(41, "invoice-made", """{"total":"much","email":"nobody"}""")));
        seen.Note("an event that the schema does not have", await driver.AppendAsync(Of(42, "invoice-burnt", "{}")));
        seen.Note("a patch that breaks the schema", await driver.AppendAsync(Of(43, "invoice-noted", "") with { Patch = """[{"op":"replace","path":"/total","value":true}]""" }));
        seen.Note("a repeat does not look at the schema", await driver.AppendAsync(Of(40, "invoice-made", """{"total":12.50,"email":"a@example.com"}""")));
        seen.Note("what was taken", await driver.ReplayAsync("invoice", "n-1", 0, 10));
    }

    static async Task ImportsAsync(IDriver driver, Transcript seen)
    {
        string[] lines = [.. Enumerable.Range(0, 12).Select(i =>
            $$"""{"aggregate_type":"item","aggregate_id":"i-{{i / 2:00}}","event_type":"made","payload":{"n":{{i}}},"event_id":"{{Id(100 + i)}}"}""")];
        seen.Note("import", await driver.ImportAsync(lines));
        seen.Note("import again", await driver.ImportAsync(lines));
        seen.Note("import something to an archived one", await driver.ImportAsync(
            [$$"""{"aggregate_type":"order","aggregate_id":"o-2","event_type":"late","payload":{},"event_id":"{{Id(130)}}"}"""]));
        seen.Note("import with a misspelt member", await driver.ImportAsync(
            [$$"""{"aggregate_type":"order","aggregate_id":"o-3","event_type":"late","payload":{},"event_id":"{{Id(131)}}","expectedVersion":1}"""]));
        string[] records =
        [
            $$$"""{"aggregate_type":"moved","aggregate_id":"m-1","event_type":"made","payload":{"from":"elsewhere"},"metadata":{"event_id":"{{{Id(140)}}}","created_at":"2020-01-02T03:04:05Z","issued_by":{"group":"old","user":"hand"},"note":"kept"}}""",
            $$$"""{"aggregate_type":"moved","aggregate_id":"m-1","event_type":"made","payload":{"n":1.0},"metadata":{"event_id":"{{{Id(141)}}}","created_at":"2020-01-02T03:04:05.123Z","issued_by":null}}""",
        ];
        seen.Note("import records", await driver.ImportAsync(records));
        seen.Note("import records again", await driver.ImportAsync(records));
        seen.Note("replay the imported", await driver.ReplayAsync("moved", "m-1", 0, 10));
        seen.Note("get the imported", await driver.GetAsync("moved", "m-1", at: "2020-01-02T03:04:05.1Z", typed: true));
        seen.Note("an imported event is an event", await driver.AppendAsync(new("item", "i-05", "made", """{"n":11}""") { EventId = Id(111) }));
    }

    static async Task ProofsAsync(IDriver driver, Transcript seen)
    {
        seen.Note("a receipt", await driver.ProveEventAsync("order", "o-1", 1));
        seen.Note("a receipt in a larger tree", await driver.ProveEventAsync("order", "o-1", 1, size: 2));
        seen.Note("a receipt in a smaller tree", await driver.ProveEventAsync("order", "o-1", 2, size: 1));
        seen.Note("a receipt of an archived one", await driver.ProveEventAsync("order", "o-2", 3));
        seen.Note("a receipt of what is not there", await driver.ProveEventAsync("order", "o-1", 9));
        seen.Note("a receipt of nothing", await driver.ProveEventAsync("order", "nothing", 1));
        seen.Note("two roots", await driver.ProveAggregateAsync("order", "o-2", 1, 3));
        seen.Note("the newest root", await driver.ProveAggregateAsync("order", "o-2", 2));
        seen.Note("a root that is not there", await driver.ProveAggregateAsync("order", "o-2", 2, 4));
        seen.Note("the roots of nothing", await driver.ProveAggregateAsync("order", "nothing", 1));
        seen.Note("evidence", await driver.EvidenceAsync("order", "o-2", "o-1"));
        seen.Note("evidence of nothing", await driver.EvidenceAsync("order", "o-1", "nothing"));
        seen.Note("evidence of what has no name", await driver.EvidenceAsync("order", ".."));
    }

    static async Task ListsAsync(IDriver driver, Transcript seen)
    {
        seen.Note("list everything", await driver.ListAsync(new()));
        seen.Note("list none", await driver.ListAsync(new() { Take = 0 }));
        seen.Note("list a type", await driver.ListAsync(new() { Type = "item" }));
        seen.Note("list a prefix", await driver.ListAsync(new() { Type = "item", IdPrefix = "i-0", Skip = 1, Take = 2 }));
        seen.Note("list the archived", await driver.ListAsync(new() { Archived = true }));
        seen.Note("list the others", await driver.ListAsync(new() { Archived = false, Take = 3 }));
        seen.Note("list what is not there", await driver.ListAsync(new() { Type = "no such" }));
        string? cursor = null;
        for (var page = 1; ; page++)
        {
            var answer = seen.Note($"page {page}", await driver.ListAsync(new() { Take = 3, Cursor = cursor }))!;
            cursor = answer["cursor"]?.GetValue<string>();
            if (cursor is null)
                break;
        }
    }

    static async Task OddNamesAsync(IDriver driver, Transcript seen, bool thorough)
    {
        foreach (var (type, id) in OddNames)
        {
            var (step, number) = ($"`{type}` `{id}`", 1000 + seen.Lines.Count);
            seen.Note($"append {step}", await driver.AppendAsync(new(type, id, type, new JsonObject { ["name"] = id }.ToJsonString()) { EventId = Id(number), ExpectedVersion = 0, Note = id }));
            if (!thorough)
                continue;
            seen.Note($"get {step}", await driver.GetAsync(type, id));
            seen.Note($"replay {step}", await driver.ReplayAsync(type, id, 0, 10));
            seen.Note($"verify {step}", await driver.VerifyAsync(type, id, quick: true));
            seen.Note($"list {step}", await driver.ListAsync(new() { Type = type, IdPrefix = id }));
        }

        seen.Note("list the odd ones", await driver.ListAsync(new()));
        seen.Note("archive an odd one", await driver.ArchiveAsync("a/b", "c/d", "a/b?c#d"));
        seen.Note("restore an odd one", await driver.RestoreAsync("a/b", "c/d", null));
        seen.Note("create and remove an odd one", await driver.CreateAsync("%2F", "/%", null));
        seen.Note("remove an odd one", await driver.RemoveAsync("%2F", "/%"));
    }

    static async Task RefusalsAsync(IDriver driver, Transcript seen)
    {
        seen.Note("a long type", await driver.AppendAsync(new(new('t', 257), "x", "made", "{}") { EventId = Id(200) }));
        seen.Note("a long id", await driver.AppendAsync(new("order", new('i', 513), "made", "{}") { EventId = Id(200) }));
        seen.Note("a long event type", await driver.AppendAsync(new("order", "x", new('e', 257), "{}") { EventId = Id(200) }));
        seen.Note("a type of two dots", await driver.AppendAsync(new("..", "x", "made", "{}") { EventId = Id(200) }));
        seen.Note("a control character", await driver.AppendAsync(new("order", "a\tb", "made", "{}") { EventId = Id(200) }));
        seen.Note("a long note", await driver.AppendAsync(new("order", "x", "made", "{}") { EventId = Id(200), Note = new('n', 129) }));
        seen.Note("a note of 128 characters beyond the first plane", await driver.AppendAsync(new("order", "x", "made", "{}") { EventId = Id(201), Note = string.Concat(Enumerable.Repeat("🙂", 128)) }));
        seen.Note("a long comment", await driver.CreateAsync("order", "y", new('c', 129)));
        seen.Note("a deep payload", await driver.AppendAsync(new("order", "x", "made", new string('[', 64) + new string(']', 64)) { EventId = Id(202) }));
        seen.Note("a payload too deep", await driver.AppendAsync(new("order", "x", "made", new string('[', 65) + new string(']', 65)) { EventId = Id(203) }));
        seen.Note("a payload with a member twice", await driver.AppendAsync(new("order", "x", "made", """{"a":{"b":1,"b":2}}""") { EventId = Id(204) }));
        seen.Note("a payload with half a pair", await driver.AppendAsync(new("order", "x", "made", """{"a":"\ud800"}""") { EventId = Id(205) }));
        seen.Note("get what they left", await driver.GetAsync("order", "x", typed: true));
    }
}
