using System.Text.Json;

namespace EventDbx.Cli.Tests.Commands;

/// <summary>Commands that read, on a real store: shapes, pages, the past, and what they leave alone.</summary>
public sealed class AggregateReadTests : IDisposable
{
    readonly CommandLine _line = new();

    [Theory]
    [InlineData("aggregate", "get", "order", "o-1")]
    [InlineData("aggregate", "get", "--aggregate", "order", "--aggregate-id", "o-1", "--json")]
    [InlineData("aggregate", "get", "o-1", "--aggregate", "order", "--version", "99")]
    public async Task Get_shows_the_state_with_sorted_members(params string[] arguments)
    {
        await GivenAnOrderAsync();

        var got = await _line.RunAsync(arguments);

        Assert.Equal(ExitCode.Done, got.Code);
        Assert.Equal(
            """
            {
              "aggregate_id": "o-1",
              "aggregate_type": "order",
              "archived": false,
              "merkle_root": "ROOT",
              "state": {
                "customer": {
                  "name": "Jané",
                  "tags": [
                    "a",
                    {
                      "b": 2
                    }
                  ]
                },
                "gone": "",
                "paid": "true",
                "total": "42.50"
              },
              "version": 2
            }

            """.ReplaceLineEndings("\n"),
            got.Out.Replace(Root(got.Out), "ROOT", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("--version 0", """{}""", 0)]
    [InlineData("--version 1", """{"customer":{"name":"Jané","tags":["a",{"b":2}]},"total":"1"}""", 1)]
    [InlineData("--at 2001-01-01T00:00:00Z", """{}""", 0)]
    [InlineData("--at 9999-01-01T00:00:00+01:00 --fields total", """{"total":"42.50"}""", 2)]
    [InlineData("--typed --fields total,paid,gone", """{"gone":null,"paid":true,"total":42.50}""", 2)]
    [InlineData("--fields /customer/tags/1/b,nothing,/customer/tags/2,/customer/tags/01,total", """{"/customer/tags/1/b":"2","total":"42.50"}""", 2)]
    [InlineData("--fields /customer/tags --typed", """{"/customer/tags":["a",{"b":2}]}""", 2)]
    public async Task Get_shows_the_past_and_parts(string options, string state, int version)
    {
        await GivenAnOrderAsync();

        var got = await _line.RunAsync(["aggregate", "get", "order", "o-1", .. options.Split(' ')]);

        var json = JsonDocument.Parse(got.Out).RootElement;
        Assert.Equal((state, version), (Compact(json.GetProperty("state")), json.GetProperty("version").GetInt32()));
    }

    [Fact]
    public async Task Get_with_events_has_those_up_to_its_version_with_sorted_members()
    {
        await GivenAnOrderAsync();

        var got = await _line.RunAsync("aggregate", "get", "order", "o-1", "--version", "1", "--include-events");

        var json = JsonDocument.Parse(got.Out).RootElement;
        Assert.Equal("aggregate_id aggregate_type archived events merkle_root state version", Names(json));
        var record = Assert.Single(json.GetProperty("events").EnumerateArray());
        Assert.Equal("aggregate_id aggregate_type event_type hash merkle_root metadata payload position version", Names(record));
        Assert.Equal("created_at event_id issued_by", Names(record.GetProperty("metadata")));
        Assert.Equal("""{"customer":{"name":"Jané","tags":["a",{"b":2}]},"total":1}""", Compact(record.GetProperty("payload")));
    }

    [Fact]
    public async Task Replay_prints_records_one_after_another_or_one_array()
    {
        var first = (await GivenAnOrderAsync())[0];
        var second = (await _line.RunAsync("aggregate", "replay", "order", "o-1", "--skip", "1")).Out;

        var all = await _line.RunAsync("aggregate", "replay", "order", "o-1");
        var named = await _line.RunAsync("aggregate", "replay", "--aggregate-id", "o-1", "--aggregate", "order", "--take", "1");
        var array = await _line.RunAsync("aggregate", "replay", "order", "o-1", "--json");

        Assert.Equal(first + second, all.Out);
        Assert.Equal(first, named.Out);
        Assert.StartsWith("[\n  {\n    \"aggregate_type\": \"order\",\n", array.Out, StringComparison.Ordinal);
        Assert.EndsWith("  }\n]\n", array.Out, StringComparison.Ordinal);
        Assert.Equal([1, 2], JsonDocument.Parse(array.Out).RootElement.EnumerateArray().Select(record => record.GetProperty("version").GetInt32()));
        Assert.Equal(new Outcome(ExitCode.Done, "", ""), await _line.RunAsync("aggregate", "replay", "order", "o-1", "--skip", "2"));
        Assert.Equal(new Outcome(ExitCode.Done, "[]\n", ""), await _line.RunAsync("aggregate", "replay", "order", "o-1", "--take", "0", "--json"));
    }

    [Fact]
    public async Task List_prints_lines_and_goes_on_behind_its_cursor()
    {
        await GivenAsync("a/1", "a/2", "b/1", "b/10", "b/2");

        var page = await _line.RunAsync("aggregate", "list", "--take", "2");
        var rest = await _line.RunAsync("aggregate", "list", "--cursor", page.Error.Trim().Split(' ')[^1]);

        Assert.Equal("aggregate_type=a aggregate_id=1 version=1 merkle_root=ROOT archived=false", page.Out.Split('\n')[0].Replace(Line(page.Out), "ROOT", StringComparison.Ordinal));
        Assert.Equal(["a/1", "a/2"], Keys(page.Out));
        Assert.Matches("^next cursor: [A-Za-z0-9_-]+\n$", page.Error);
        Assert.Equal(["b/1", "b/10", "b/2"], Keys(rest.Out));
        Assert.Equal("", rest.Error);
    }

    [Theory]
    [InlineData("--type b", "b/1 b/10 b/2")]
    [InlineData("--type b --id-prefix 1 --skip 1", "b/10")]
    [InlineData("--id-prefix 2", "a/2 b/2")]
    [InlineData("--archived true", "a/2")]
    [InlineData("--archived false --take 3", "a/1 b/1 b/10")]
    [InlineData("--take 0", "")]
    public async Task List_filters(string options, string expected)
    {
        await GivenAsync("a/1", "a/2", "b/1", "b/10", "b/2");
        await _line.RunAsync("aggregate", "archive", "a", "2");

        var listed = await _line.RunAsync(["aggregate", "list", .. options.Split(' ')]);
        var json = await _line.RunAsync(["aggregate", "list", "--json", .. options.Split(' ')]);

        Assert.Equal(expected, string.Join(' ', Keys(listed.Out)));
        Assert.Equal(expected, string.Join(' ', JsonDocument.Parse(json.Out).RootElement.EnumerateArray()
            .Select(item => $"{item.GetProperty("aggregate_type").GetString()}/{item.GetProperty("aggregate_id").GetString()}")));
        Assert.All(JsonDocument.Parse(json.Out).RootElement.EnumerateArray(), item =>
            Assert.Equal("aggregate_type aggregate_id version state merkle_root archived", Names(item)));
    }

    [Fact]
    public async Task List_takes_its_page_from_the_configuration_and_draws_a_table_on_a_terminal()
    {
        await GivenAsync("a/1", "a/2");
        await _line.RunAsync("config", "--list-page-size", "1");
        _line.Terminal = true;

        var listed = await _line.RunAsync("aggregate", "list");

        Assert.Contains("merkle_root", listed.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("version=", listed.Out, StringComparison.Ordinal);
        Assert.StartsWith("next cursor: ", listed.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a b", "c d", "e f")]
    [InlineData("a/b:c%2F", "/", "x:*?")]
    [InlineData("-type", "--id", "-e")]
    [InlineData("注文", "é😀", "bestätigt")]
    [InlineData("a=b", "--", "@x")]
    public async Task Any_name_makes_the_round_trip(string type, string id, string name)
    {
        var applied = await _line.RunAsync("aggregate", "apply", "--", type, id, name);
        var got = await _line.RunAsync("aggregate", "get", "--", type, id);
        var replayed = await _line.RunAsync("aggregate", "replay", "--", type, id);
        var listed = await _line.RunAsync("aggregate", "list");

        Assert.Equal(ExitCode.Done, applied.Code);
        Assert.Equal(applied.Out, replayed.Out);
        var json = JsonDocument.Parse(got.Out).RootElement;
        Assert.Equal((type, id), (json.GetProperty("aggregate_type").GetString(), json.GetProperty("aggregate_id").GetString()));
        Assert.StartsWith($"aggregate_type={type} aggregate_id={id} version=1 ", listed.Out, StringComparison.Ordinal);
        Assert.Contains($"\"event_type\": \"{name}\"", applied.Out, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ExitCode.Done, "", "", "list")]
    [InlineData(ExitCode.Done, "[]\n", "", "list", "--json")]
    [InlineData(ExitCode.Failed, "", "Error: There is no aggregate order/o-1: there is no store yet.\n", "get", "order", "o-1")]
    [InlineData(ExitCode.Failed, "", "Error: There is no aggregate order/o-1: there is no store yet.\n", "replay", "order", "o-1")]
    internal async Task Where_there_is_no_store_a_read_makes_nothing(ExitCode code, string output, string error, params string[] arguments)
    {
        var outcome = await _line.RunAsync(["aggregate", .. arguments]);

        Assert.Equal(new Outcome(code, output, error), outcome);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_line.Directory.Path));
    }

    [Theory]
    [InlineData(ExitCode.Failed, "Error: There is no aggregate order/o-2.\n", "get", "order", "o-2")]
    [InlineData(ExitCode.Failed, "Error: There is no aggregate order/o-2.\n", "replay", "order", "o-2")]
    [InlineData(ExitCode.Failed, "Error: There is no aggregate order/o-2.\n", "get", "order", "o-2", "--version", "0")]
    [InlineData(ExitCode.Usage, "error: ID is missing:", "get", "order")]
    [InlineData(ExitCode.Usage, "error: `--version` and `--at` exclude each other.", "get", "order", "o-1", "--version", "1", "--at", "2025-01-01T00:00:00Z")]
    [InlineData(ExitCode.Usage, "error: `--version` must be a whole number, 0 or more, not `one`.", "get", "order", "o-1", "--version", "one")]
    [InlineData(ExitCode.Usage, "error: `--at`: \"yesterday\" is not a time we keep", "get", "order", "o-1", "--at", "yesterday")]
    [InlineData(ExitCode.Usage, "error: `--fields`: `a.b` is no plain name; as a JSON Pointer it is `/a.b`.", "get", "order", "o-1", "--fields", "a.b")]
    [InlineData(ExitCode.Usage, "error: `--fields`: A field is empty;", "get", "order", "o-1", "--fields", "a,,b")]
    [InlineData(ExitCode.Usage, "error: `--fields`: `/a~2` is no JSON Pointer", "get", "order", "o-1", "--fields", "/a~2")]
    [InlineData(ExitCode.Usage, "error: `--take` must be a whole number, 0 or more, not `-1`.", "replay", "order", "o-1", "--take=-1")]
    [InlineData(ExitCode.Usage, "error: `--archived` must be true or false, not `yes`.", "list", "--archived", "yes")]
    [InlineData(ExitCode.Usage, "error: `--cursor` is what a list ended with", "list", "--cursor", "?")]
    [InlineData(ExitCode.Usage, "error: unexpected `order`: this command takes no values by position.", "list", "order")]
    [InlineData(ExitCode.Usage, "error: `--stage` and `--type` exclude each other.", "list", "--stage", "--type", "order")]
    internal async Task What_makes_no_sense_is_refused(ExitCode code, string reason, params string[] arguments)
    {
        await GivenAsync("order/o-1");

        var refused = await _line.RunAsync(["aggregate", .. arguments]);

        Assert.Equal((code, ""), (refused.Code, refused.Out));
        Assert.StartsWith(reason, refused.Error, StringComparison.Ordinal);
    }

    public void Dispose() => _line.Dispose();

    async Task<string[]> GivenAnOrderAsync()
    {
        var placed = await _line.RunAsync("aggregate", "apply", "order", "o-1", "placed", "--payload", """{"total":1,"customer":{"tags":["a",{"b":2}],"name":"Jané"}}""");
        var paid = await _line.RunAsync("aggregate", "apply", "order", "o-1", "paid", "--payload", """{"total":42.50,"paid":true,"gone":null}""");
        return [placed.Out, paid.Out];
    }

    async Task GivenAsync(params string[] aggregates)
    {
        foreach (var name in aggregates)
            Assert.Equal(ExitCode.Done, (await _line.RunAsync(["aggregate", "apply", .. name.Split('/'), "placed"])).Code);
    }

    static string[] Keys(string lines) =>
        [.. lines.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => string.Join('/', line.Split(' ').Take(2).Select(part => part.Split('=')[1])))];

    static string Names(JsonElement json) => string.Join(' ', json.EnumerateObject().Select(member => member.Name));

    static string Root(string json) => JsonDocument.Parse(json).RootElement.GetProperty("merkle_root").GetString()!;

    static string Line(string lines) => lines.Split("merkle_root=")[1][..64];

    static string Compact(JsonElement json) => new JsonText(pretty: false).Value(json, sorted: true).ToString().TrimEnd('\n');
}
