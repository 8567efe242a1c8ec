using System.Text.Json;

namespace EventDbx.Cli.Tests.Commands;

public sealed class ExportCommandTests : IDisposable
{
    readonly CommandLine _line = new();

    async Task FillAsync()
    {
        _line.Input =
            """{"aggregate_type":"order","aggregate_id":"o-1","event_type":"placed","payload":{"total":1.50,"by":"=Jane"}}""" + "\n" +
            """{"aggregate_type":"item","aggregate_id":"i-1","event_type":"made","payload":{"n":1}}""";
        Assert.Equal(ExitCode.Done, (await _line.RunAsync("import", "-")).Code);
    }

    [Theory]
    [InlineData("wrote orders.csv\nExported 1 aggregate type(s) in CSV format\n", "orders.csv", "__aggregate_id,by,total\no-1,=Jane,1.50\n", "order", "--output", "orders.csv")]
    [InlineData("wrote orders.csv\nExported 1 aggregate type(s) in CSV format\n", "orders.csv", "__aggregate_id,by,total\no-1,'=Jane,1.50\n", "--aggregate", "order", "--output=orders.csv", "--csv-safe", "--format", "CSV")]
    [InlineData("wrote out/order.json\nExported 1 aggregate type(s) in JSON format\n", "out/order.json", "[{\"__aggregate_id\":\"o-1\",\"by\":\"=Jane\",\"total\":\"1.50\"}]\n", "order", "--output", "out", "--format", "json")]
    [InlineData("wrote out/item.csv\nwrote out/order.csv\nExported 2 aggregate type(s) in CSV format\n", "out/item.csv", "__aggregate_id,n\ni-1,1\n", "--all", "--output", "out/")]
    [InlineData("Exported 2 aggregate type(s) to out.zip (zip archive)\n", "out.zip", null, "--all", "--output", "out", "--zip")]
    [InlineData("no aggregates found for 'none'\n", null, null, "none", "--output", "out")]
    [InlineData("no aggregates found\n", null, null, "--all", "--output", "out", "--at", "2001-01-01T00:00:00Z")]
    [InlineData("no events found for 'none'\n", null, null, "none", "--events", "--output", "out")]
    public async Task Export_says_what_it_wrote(string said, string? file, string? content, params string[] arguments)
    {
        await FillAsync();

        var outcome = await _line.RunAsync(["aggregate", "export", .. arguments]);

        Assert.Equal(new Outcome(ExitCode.Done, said, ""), outcome);
        if (file is null)
            Assert.Equal([".eventdbx"], Directory.EnumerateFileSystemEntries(_line.Directory.Path).Select(Path.GetFileName));
        else if (content is null)
            Assert.True(File.Exists(_line.Directory[file]));
        else
            Assert.Equal(content, File.ReadAllText(_line.Directory[file]));
    }

    [Theory]
    [InlineData("`--output PATH`", "order")]
    [InlineData("`--output PATH`", "order", "--output", "")]
    [InlineData("`order` and `--all` exclude each other", "order", "--all", "--output", "x")]
    [InlineData("export what?", "--output", "x")]
    [InlineData("`--output -` is for `--events`", "order", "--output", "-")]
    [InlineData("`--format` is csv or json, not `xml`", "order", "--output", "x", "--format", "xml")]
    [InlineData("`--pretty` is for `--format json`", "order", "--output", "x", "--pretty")]
    [InlineData("`--csv-safe` is for `--format csv`", "order", "--output", "x", "--csv-safe", "--format", "json")]
    [InlineData("`--events` and `--at` exclude each other", "--events", "--output", "x", "--at", "2025-01-01T00:00:00Z")]
    [InlineData("`--events` and `--zip` exclude each other", "--events", "--output", "x", "--zip")]
    [InlineData("`--at`: ", "order", "--output", "x", "--at", "yesterday")]
    [InlineData("unexpected `two`", "order", "two", "--output", "x")]
    public async Task A_command_line_that_contradicts_itself_is_refused(string reason, params string[] arguments)
    {
        var outcome = await _line.RunAsync(["aggregate", "export", .. arguments]);
        Assert.Equal((ExitCode.Usage, ""), (outcome.Code, outcome.Out));
        Assert.Contains(reason, outcome.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_line.Directory.Path));
    }

    [Fact]
    public async Task Where_there_is_no_store_nothing_is_found_and_nothing_made()
    {
        Assert.Equal(new Outcome(ExitCode.Done, "no aggregates found for 'order'\n", ""), await _line.RunAsync("aggregate", "export", "order", "--output", "x"));
        Assert.Equal(new Outcome(ExitCode.Done, "no events found\n", ""), await _line.RunAsync("aggregate", "export", "--events", "--output", "x"));
        Assert.Empty(Directory.EnumerateFileSystemEntries(_line.Directory.Path));
    }

    [Fact]
    public async Task With_json_the_summary_is_an_object()
    {
        await FillAsync();

        var states = JsonDocument.Parse((await _line.RunAsync("aggregate", "export", "--all", "--output", "out", "--json")).Out).RootElement;
        var events = JsonDocument.Parse((await _line.RunAsync("aggregate", "export", "--events", "--output", "events.ndjson", "--json")).Out).RootElement;

        Assert.Equal("files types rows bytes seconds", string.Join(' ', states.EnumerateObject().Select(member => member.Name)));
        Assert.Equal("out/item.csv", states.GetProperty("files")[0].GetProperty("path").GetString());
        Assert.Equal((2, 2), (states.GetProperty("types").GetInt32(), states.GetProperty("rows").GetInt32()));
        Assert.Equal("files events bytes seconds", string.Join(' ', events.EnumerateObject().Select(member => member.Name)));
        Assert.Equal(new FileInfo(_line.Directory["events.ndjson"]).Length, events.GetProperty("bytes").GetInt64());
    }

    [Fact]
    public async Task Events_go_to_standard_output_and_nothing_else_does()
    {
        await FillAsync();

        var outcome = await _line.RunAsync("aggregate", "export", "--events", "--output", "-", "--json");
        var file = await _line.RunAsync("aggregate", "export", "--events", "--all", "--output", "events.ndjson");

        Assert.Equal("wrote events.ndjson\nExported 2 event(s)\n", file.Out);
        Assert.Equal(File.ReadAllText(_line.Directory["events.ndjson"]), outcome.Out);
        Assert.Contains("\"events\": 2", outcome.Error, StringComparison.Ordinal);
        Assert.All(outcome.Out.TrimEnd().Split('\n'), line => Assert.Equal(22, JsonDocument.Parse(line).RootElement.GetProperty("metadata").GetProperty("salt").GetString()!.Length));
    }

    [Fact]
    public async Task On_a_terminal_a_bar_shows_how_far_it_is()
    {
        await FillAsync();
        _line.Terminal = true;

        var outcome = await _line.RunAsync("aggregate", "export", "--all", "--output", "out");

        Assert.Matches(@"\r2 aggregates looked at  [0-9,]+/s", outcome.Error);
        Assert.Matches(@"\r\[█+░*\] +\d+ %  1 aggregates  [0-9,]+/s", outcome.Error);
        Assert.EndsWith("\r\u001b[K", outcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_target_that_is_in_the_way_is_a_failure_that_names_it()
    {
        await FillAsync();
        _line.Directory.Write("taken", "before");

        var outcome = await _line.RunAsync("aggregate", "export", "--all", "--output", "taken");

        Assert.Equal((ExitCode.Failed, ""), (outcome.Code, outcome.Out));
        Assert.Contains("taken is a file; the files of 2 aggregate types go into a directory", outcome.Error, StringComparison.Ordinal);
        Assert.Equal("before", File.ReadAllText(_line.Directory["taken"]));
    }

    public void Dispose() => _line.Dispose();
}
