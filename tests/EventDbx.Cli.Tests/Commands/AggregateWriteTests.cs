using System.Text.Json;

namespace EventDbx.Cli.Tests.Commands;

/// <summary>Commands that write, on a real store: what they print, and what they refuse.</summary>
public sealed class AggregateWriteTests : IDisposable
{
    readonly CommandLine _line = new();

    [Theory]
    [InlineData("aggregate", "apply", "order", "o-1", "order-paid", "--field", "by=card", "--field", "sum= 4=2 ", "--field", "by=cash", "--note", "ok")]
    [InlineData("aggregate", "apply", "--aggregate", "order", "--aggregate-id=o-1", "--event", "order-paid", "--field=by=cash", "--field", "sum=4=2", "--note=ok")]
    [InlineData("aggregate", "apply", "--event", "order-paid", "order", "--payload", """{"by":"cash","sum":"4=2"}""", "o-1", "--note", "ok")]
    public async Task Apply_prints_the_record_in_the_published_order(params string[] arguments)
    {
        var applied = await _line.RunAsync(arguments);

        Assert.Equal(ExitCode.Done, applied.Code);
        var record = JsonDocument.Parse(applied.Out).RootElement;
        Assert.Equal(
            "aggregate_type aggregate_id event_type payload metadata version hash merkle_root position",
            string.Join(' ', record.EnumerateObject().Select(member => member.Name)));
        Assert.Equal("event_id created_at issued_by note", string.Join(' ', record.GetProperty("metadata").EnumerateObject().Select(m => m.Name)));
        Assert.Equal($$"""{"group":"cli","user":"{{Environment.UserName}}"}""", Compact(record.GetProperty("metadata").GetProperty("issued_by")));
        Assert.Equal(("""{"by":"cash","sum":"4=2"}""", 1, 1), (Compact(record.GetProperty("payload")), record.GetProperty("version").GetInt32(), record.GetProperty("position").GetInt32()));
        Assert.StartsWith("{\n  \"aggregate_type\": \"order\",\n", applied.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_first_write_makes_a_key_and_says_where_it_lies_and_the_second_says_nothing()
    {
        var first = await _line.RunAsync("aggregate", "apply", "order", "o-1", "placed");
        var second = await _line.RunAsync("aggregate", "apply", "order", "o-1", "placed");

        Assert.StartsWith($"A data encryption key was made. It lies in {_line.ConfigPath}", first.Error, StringComparison.Ordinal);
        Assert.Equal((ExitCode.Done, ""), (second.Code, second.Error));
        Assert.DoesNotContain(ConfigFile.Hidden, _line.ConfigText, StringComparison.Ordinal);
    }

    [Theory, InlineData("-"), InlineData("@payload.json")]
    public async Task A_payload_comes_from_standard_input_or_a_file_and_keeps_its_literals(string given)
    {
        const string payload = """{ "b": 1.50, "a": [123456789012345678901234567890], "ü": "né😀\u0041" }""";
        _line.Input = payload;
        _line.Directory.Write("payload.json", payload);

        var applied = await _line.RunAsync("aggregate", "apply", "order", "o-1", "placed", "--payload", given);

        Assert.Contains(
            "  \"payload\": {\n    \"b\": 1.50,\n    \"a\": [\n      123456789012345678901234567890\n    ],\n    \"ü\": \"né😀\\u0041\"\n  },\n",
            applied.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_payload_and_fields_the_payload_is_empty() =>
        Assert.Contains("\"payload\": {},", (await _line.RunAsync("aggregate", "apply", "order", "o-1", "placed")).Out, StringComparison.Ordinal);

    [Fact]
    public async Task A_known_event_id_gives_its_event_and_appends_nothing()
    {
        string[] append = ["aggregate", "apply", "order", "o-1", "placed", "--event-id", "01890A5D-AC96-774B-BCCE-B302099A8057"];

        var first = await _line.RunAsync(append);
        await _line.RunAsync("aggregate", "apply", "order", "o-1", "paid");
        var again = await _line.RunAsync(append);
        var other = await _line.RunAsync([.. append, "--note", "other"]);

        Assert.Contains("\"event_id\": \"01890a5d-ac96-774b-bcce-b302099a8057\"", first.Out, StringComparison.Ordinal);
        Assert.Equal(first.Out, again.Out);
        Assert.Equal("This event id is known: this is its event, and nothing was appended.\n", again.Error);
        Assert.Equal((ExitCode.Failed, ""), (other.Code, other.Out));
        Assert.Equal(2, JsonDocument.Parse((await _line.RunAsync("aggregate", "get", "order", "o-1")).Out).RootElement.GetProperty("version").GetInt32());
    }

    [Fact]
    public async Task An_expected_version_that_is_not_there_is_refused_with_the_actual_one()
    {
        await _line.RunAsync("aggregate", "apply", "order", "o-1", "placed", "--expected-version", "0");

        var text = await _line.RunAsync("aggregate", "apply", "order", "o-1", "paid", "--expected-version", "0");
        var json = await _line.RunAsync("aggregate", "apply", "order", "o-1", "paid", "--expected-version", "7", "--json");

        Assert.Equal((ExitCode.Failed, ""), (text.Code, text.Out));
        Assert.StartsWith("Error: order/o-1 is at version 1; ", text.Error, StringComparison.Ordinal);
        Assert.StartsWith("""{"code":"version_conflict","message":"order/o-1 is at version 1; """, json.Error, StringComparison.Ordinal);
        Assert.EndsWith(""","retryable":false,"actual_version":1}""" + "\n", json.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(ExitCode.Failed, "Error: The patch has no operation", "--patch", "[]")]
    [InlineData(ExitCode.Failed, "Error: The patch is not JSON", "--patch", "[")]
    [InlineData(ExitCode.Failed, "Error: Operation 1 is `remove`", "--patch", """[{"op":"remove","path":"/a"}]""", "--stage")]
    [InlineData(ExitCode.Usage, "error: `--patch` and `--payload` exclude each other.", "--patch", "[]", "--payload", "{}")]
    [InlineData(ExitCode.Usage, "error: `--patch` and `--field` exclude each other.", "--patch", "[]", "--field", "a=b")]
    [InlineData(ExitCode.Usage, "error: `--token -` and `--patch -` would both read standard input", "--patch", "-", "--token", "-")]
    [InlineData(ExitCode.Usage, "error: unknown option `--feild`; did you mean `--field`?", "--feild", "a=b")]
    [InlineData(ExitCode.Usage, "error: `--field` needs a value: KEY=VALUE.", "--field")]
    [InlineData(ExitCode.Usage, "error: `--field` takes KEY=VALUE, not `a`.", "--field", "a")]
    [InlineData(ExitCode.Usage, "error: `--field` takes KEY=VALUE, not ` =b`.", "--field", " =b")]
    [InlineData(ExitCode.Usage, "error: `--field` and `--payload` exclude each other.", "--field", "a=b", "--payload", "{}")]
    [InlineData(ExitCode.Usage, "error: `--expected-version` must be a whole number, 0 or more, not `-1`.", "--expected-version=-1")]
    [InlineData(ExitCode.Usage, "error: `--event-id`: event_id is not a UUID", "--event-id", "7")]
    [InlineData(ExitCode.Usage, "error: unexpected `x`: TYPE is given as --aggregate already.", "--aggregate", "order", "x")]
    [InlineData(ExitCode.Usage, "error: `--lock-timeout` is a number of seconds, such as 5 or 0.5, not `soon`.", "--lock-timeout", "soon")]
    [InlineData(ExitCode.Failed, "Error: The payload is not accepted at byte", "--payload", "{'a':1}")]
    [InlineData(ExitCode.Failed, "Error: The payload is empty", "--payload", "")]
    [InlineData(ExitCode.Failed, "Error: The note has 129 characters", "--note", LongNote)]
    [InlineData(ExitCode.Failed, "Error: There is no file missing.json.", "--payload", "@missing.json")]
    internal async Task What_apply_does_not_take_is_refused_and_leaves_nothing_behind(ExitCode code, string reason, params string[] options)
    {
        string[] names = options[0] == "--aggregate" ? ["o-1", "placed"] : ["order", "o-1", "placed"];

        var refused = await _line.RunAsync(["aggregate", "apply", .. names, .. options]);

        Assert.Equal((code, ""), (refused.Code, refused.Out));
        Assert.StartsWith(reason, refused.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_line.Directory.Path));
    }

    const string LongNote = "123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789";

    [Theory]
    [InlineData("Error: aggregate_type is empty;", "", "o-1", "placed")]
    [InlineData("Error: aggregate_id holds the control character U+000A", "order", "o\n1", "placed")]
    [InlineData("Error: aggregate_id is \"..\"", "order", "..", "placed")]
    [InlineData("Error: event_type is empty;", "order", "o-1", "")]
    public async Task A_name_that_cannot_be_stored_is_refused(string reason, params string[] names)
    {
        var refused = await _line.RunAsync(["aggregate", "apply", .. names]);

        Assert.Equal((ExitCode.Failed, ""), (refused.Code, refused.Out));
        Assert.StartsWith(reason, refused.Error, StringComparison.Ordinal);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_line.Directory.Path));
    }

    [Fact]
    public async Task An_aggregate_is_made_archived_restored_and_removed()
    {
        string[] name = ["order", "o 1"], named = ["--aggregate", "order", "--aggregate-id", "o 1"];

        var made = await _line.RunAsync(["aggregate", "create", .. name, "--comment", "reserved"]);
        var twice = await _line.RunAsync(["aggregate", "create", .. named]);
        var archived = await _line.RunAsync(["aggregate", "archive", .. name, "--comment", "year closed"]);
        var closed = await _line.RunAsync(["aggregate", "apply", .. named, "--event", "placed"]);
        var restored = await _line.RunAsync(["aggregate", "restore", .. named]);
        var again = await _line.RunAsync(["aggregate", "archive", .. named, "--json"]);
        await _line.RunAsync(["aggregate", "restore", .. name]);
        var removed = await _line.RunAsync(["aggregate", "remove", .. named]);
        var gone = await _line.RunAsync(["aggregate", "remove", .. name]);

        Assert.Equal("aggregate_type=order aggregate_id=o 1 version=0 merkle_root=e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 archived=false\n", made.Out);
        Assert.Equal((ExitCode.Failed, ""), (twice.Code, twice.Out));
        Assert.Equal("aggregate_type=order aggregate_id=o 1 archived=true comment=year closed\n", archived.Out);
        Assert.Equal(new Outcome(ExitCode.Failed, "", "Error: order/o 1 is archived and takes no events; restore it first.\n"), closed);
        Assert.Equal("aggregate_type=order aggregate_id=o 1 archived=false comment=\n", restored.Out);
        Assert.Equal("""{"aggregate_id":"o 1","aggregate_type":"order","archived":true,"comment":null}""", Compact(JsonDocument.Parse(again.Out).RootElement));
        Assert.Equal("aggregate_type=order aggregate_id=o 1 removed\n", removed.Out);
        Assert.Equal(new Outcome(ExitCode.Failed, "", "Error: There is no aggregate order/o 1.\n"), gone);
    }

    [Fact]
    public async Task An_aggregate_with_events_is_not_removed()
    {
        await _line.RunAsync("aggregate", "apply", "order", "o-1", "placed");

        var refused = await _line.RunAsync("aggregate", "remove", "order", "o-1", "--json");

        Assert.Equal((ExitCode.Failed, ""), (refused.Code, refused.Out));
        Assert.StartsWith("""{"code":"not_empty",""", refused.Error, StringComparison.Ordinal);
    }

    [Theory, InlineData("archive"), InlineData("restore"), InlineData("remove")]
    public async Task What_changes_an_aggregate_makes_no_store_to_find_that_it_is_not_there(string verb)
    {
        var refused = await _line.RunAsync("aggregate", verb, "order", "o-1");

        Assert.Equal(new Outcome(ExitCode.Failed, "", "Error: There is no aggregate order/o-1: there is no store yet.\n"), refused);
        Assert.Empty(Directory.EnumerateFileSystemEntries(_line.Directory.Path));
    }

    public void Dispose() => _line.Dispose();

    static string Compact(JsonElement json) => new JsonText(pretty: false).Value(json).ToString().TrimEnd('\n');
}
