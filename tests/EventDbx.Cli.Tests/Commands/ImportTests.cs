using System.Text.Json;

namespace EventDbx.Cli.Tests.Commands;

public sealed class ImportTests : IDisposable
{
    readonly CommandLine _line = new();

    [Theory, InlineData("import", "orders.ndjson"), InlineData("import", "--file", "orders.ndjson"), InlineData("import", "-"), InlineData("import", "--file=-")]
    public async Task Import_says_what_it_did_and_a_second_run_adds_nothing(params string[] arguments)
    {
        _line.Input = Request("o-1", "1") + "\n" + Request("o-2", "1.50") + Request("o-1", "1");
        _line.Directory.Write("orders.ndjson", _line.Input);

        var first = await _line.RunAsync(arguments);
        var second = await _line.RunAsync([.. arguments, "--json"]);

        Assert.Matches(@"^imported 3 lines: 3 events appended, 0 known, 2 aggregates in \d+\.?\d* s \([0-9,]+ events/s\)\n$", first.Out);
        Assert.Equal(ExitCode.Done, first.Code);
        var json = JsonDocument.Parse(second.Out).RootElement;
        Assert.Equal("lines appended known new_hashes aggregates seconds", string.Join(' ', json.EnumerateObject().Select(member => member.Name)));
        Assert.Equal((3, 0, 3), (json.GetProperty("lines").GetInt32(), json.GetProperty("appended").GetInt32(), json.GetProperty("known").GetInt32()));
        Assert.Equal("", second.Error);
    }

    [Theory]
    [InlineData("""{"aggregate_type":"order","aggregate_id":"o-1","event_type":"placed","payload":1,"expectedVersion":2}""", "`expectedVersion` is no member of an append request")]
    [InlineData("""{"aggregate_type":"order","aggregate_id":"o-1","event_type":"placed"}""", "The line has no `payload`")]
    [InlineData("""{"aggregate_type":"order","aggregate_id":"..","event_type":"placed","payload":1}""", "aggregate_id is \"..\"")]
    [InlineData("""{"aggregate_type":"order","aggregate_id":"o-1","event_type":"placed","payload":{"a":1,"a":2}}""", "The line is not one JSON object with distinct members")]
    [InlineData("""{"aggregate_type":"order","aggregate_id":"o-1","event_type":"placed","payload":1,"expected_version":7}""", "order/o-1 is at version 1")]
    [InlineData("not json", "The line is not one JSON object")]
    public async Task A_line_that_is_refused_is_named_and_what_stands_before_it_is_stored(string bad, string reason)
    {
        _line.Directory.Write("orders.ndjson", $"{Request("o-1", "1")}\n{bad}\n{Request("o-3", "1")}");

        var refused = await _line.RunAsync("import", "orders.ndjson");
        var json = await _line.RunAsync("import", "orders.ndjson", "--json");
        var mended = File.ReadAllText(_line.Directory["orders.ndjson"]).Replace(bad + "\n", "", StringComparison.Ordinal);
        _line.Directory.Write("orders.ndjson", mended);
        var done = await _line.RunAsync("import", "orders.ndjson");

        Assert.Equal((ExitCode.Failed, ""), (refused.Code, refused.Out));
        Assert.Contains($"Error: orders.ndjson, line 3: {reason}", refused.Error, StringComparison.Ordinal);
        Assert.Contains(" Stored so far: 1 line; 1 appended, 0 known. ", refused.Error, StringComparison.Ordinal);
        Assert.Contains(" Stored so far: 1 line; 0 appended, 1 known. ", json.Error, StringComparison.Ordinal);
        Assert.StartsWith("imported 2 lines: 1 events appended, 1 known, 1 aggregates", done.Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("missing.ndjson", "Error: There is no file missing.ndjson.\n")]
    [InlineData("missing/file.ndjson", "Error: There is no file missing/file.ndjson.\n")]
    [InlineData(".", "Error: . is a directory; import takes a file with one JSON object a line.\n")]
    public async Task What_is_no_file_is_refused_and_nothing_is_made(string file, string reason)
    {
        Assert.Equal(new Outcome(ExitCode.Failed, "", reason), await _line.RunAsync("import", file));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_line.Directory.Path));
    }

    [Fact]
    public async Task An_empty_file_is_said_to_be_empty_and_makes_nothing()
    {
        _line.Directory.Write("empty.ndjson", "");

        var outcome = await _line.RunAsync("import", "empty.ndjson");

        Assert.Equal((ExitCode.Done, "empty.ndjson is empty: there is nothing to import.\n"), (outcome.Code, outcome.Error));
        Assert.StartsWith("imported 0 lines: 0 events appended, 0 known, 0 aggregates", outcome.Out, StringComparison.Ordinal);
        Assert.False(Directory.Exists(_line.Directory[".eventdbx"]));
    }

    [Fact]
    public async Task Records_that_were_printed_come_back_as_they_were_but_for_their_hash()
    {
        await _line.RunAsync("aggregate", "apply", "order", "o-1", "placed", "--payload", """{"b":1.50,"a":"ü😀"}""", "--note", "by phone");
        var record = (await _line.RunAsync("aggregate", "replay", "order", "o-1")).Out;
        _line.Directory.Write("records.ndjson", JsonDocument.Parse(record).RootElement is var json ? new JsonText(pretty: false).Value(json).ToString() : "");

        var imported = await _line.RunAsync("import", "records.ndjson", "--data-dir", "other", "--config", "other.toml");
        var again = (await _line.RunAsync("aggregate", "replay", "order", "o-1", "--data-dir", "other", "--config", "other.toml")).Out;

        Assert.Contains("; 1 records came without their salt and have a new hash\n", imported.Out, StringComparison.Ordinal);
        Assert.Equal(WithoutHashes(record), WithoutHashes(again));
    }

    [Fact]
    public async Task On_a_terminal_a_bar_shows_how_far_it_is()
    {
        new ReceiptGenerator(1, 100, 1200).WriteFile(_line.Directory["receipts.ndjson"]);
        _line.Terminal = true;

        var imported = await _line.RunAsync("import", "receipts.ndjson");

        Assert.Matches(@"\r\[█+░*\] +\d+ %  [0-9,]+ events  [0-9,]+/s", imported.Error);
        Assert.EndsWith("\r\u001b[K", imported.Error, StringComparison.Ordinal);
    }

    public void Dispose() => _line.Dispose();

    static string Request(string id, string total) =>
        $$$"""{"aggregate_type":"order","aggregate_id":"{{{id}}}","event_type":"placed","payload":{"total":{{{total}}}}}""" + "\n";

    static string WithoutHashes(string record) => string.Join('\n', record.Split('\n').Where(line =>
        !line.Contains("\"hash\"", StringComparison.Ordinal) && !line.Contains("\"merkle_root\"", StringComparison.Ordinal)));
}
