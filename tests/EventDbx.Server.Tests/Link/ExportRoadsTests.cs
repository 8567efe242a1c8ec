using EventDbx.Cli.Output;
using EventDbx.Schemas;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Tests.Link;

/// <summary>Exports from the directory and through a server: the same files, and the same refusals.</summary>
[CiTier("It starts servers and commands as processes, for seconds each.")]
public sealed class ExportRoadsTests
{
    [Fact]
    public async Task Every_export_is_the_same_with_the_server_running_and_with_it_stopped()
    {
        using var line = new CommandLine();
        await FillAsync(line);
        string[][] exports =
        [
            ["order", "--output", "OUT/orders.csv"],
            ["--all", "--output", "OUT/csv", "--csv-safe"],
            ["--all", "--output", "OUT/json", "--format", "json", "--pretty"],
            ["--all", "--output", "OUT/then", "--at", "2020-01-03T00:00:00Z"],
            ["--all", "--output", "OUT/never", "--at", "2001-01-01T00:00:00Z"],
            ["none", "--output", "OUT/none"],
            ["--events", "--output", "OUT/events.ndjson"],
            ["a/b ü", "--events", "--output", "OUT/some.ndjson"],
        ];

        var direct = await RunAsync("direct");
        List<string> served;
        await using (await RunningServer.StartAsync(line))
            served = await RunAsync("served");

        Assert.Equal(direct, served);
        Assert.Equal(Fingerprint("direct"), Fingerprint("served"));
        Assert.Equal("__aggregate_id,n\nr-1,1\nr-2,1\n", File.ReadAllText(line.Directory["served/then/old.csv"]));
        Assert.False(Directory.Exists(line.Directory["served/never"]));

        async Task<List<string>> RunAsync(string into)
        {
            List<string> said = [];
            foreach (var export in exports)
            {
                var outcome = await line.RunAsync(["aggregate", "export", .. export.Select(argument => argument.Replace("OUT", into, StringComparison.Ordinal))]);
                said.Add($"{outcome.Code} {outcome.Out.Replace(into, "OUT", StringComparison.Ordinal)} {outcome.Error}");
            }

            return said;
        }

        string Fingerprint(string into) => line.Directory.Fingerprint(into).Replace(into + "/", "", StringComparison.Ordinal);
    }

    [Theory, InlineData(false), InlineData(true)]
    public async Task Events_go_from_one_server_or_directory_to_another_with_hashes_and_roots(bool served)
    {
        using var line = new CommandLine();
        using var other = new CommandLine();
        await FillAsync(line);
        // The other store is there, and empty of events.
        await other.RunAsync("aggregate", "create", "order", "o-1");
        await other.RunAsync("aggregate", "remove", "order", "o-1");
        await using var from = served ? await RunningServer.StartAsync(line) : null;
        await using var into = served ? await RunningServer.StartAsync(other) : null;

        other.Input = (await line.RunAsync("aggregate", "export", "--events", "--output", "-")).Out;
        var imported = await other.RunAsync("import", "-");

        Assert.StartsWith("imported 407 lines: 407 events appended, 0 known, ", imported.Out, StringComparison.Ordinal);
        Assert.DoesNotContain("salt", imported.Out, StringComparison.Ordinal);
        string[] list = ["aggregate", "list", "--take", "1000", "--archived", "false"];
        var (left, right) = ((await line.RunAsync(list)).Out, (await other.RunAsync(list)).Out);
        Assert.Equal(left.Split('\n').Where(row => !row.Contains("version=0", StringComparison.Ordinal)), right.Split('\n').Where(row => !row.Contains("aggregate_id=closed", StringComparison.Ordinal)));
        Assert.Equal((await line.RunAsync("aggregate", "replay", "old", "r-1")).Out.Split("\"position\"")[0], (await other.RunAsync("aggregate", "replay", "old", "r-1")).Out.Split("\"position\"")[0]);
        Assert.Equal(ExitCode.Done, (await other.RunAsync("verify", "--all")).Code);
    }

    [Fact]
    public async Task A_token_exports_what_it_may_see_and_no_salts_where_something_is_hidden()
    {
        using var line = new CommandLine();
        await FillAsync(line);
        await using var server = await RunningServer.StartAsync(line);
        var all = (await server.IssueAsync(new() { Group = "team", User = "kim", Actions = ["*"], TtlSeconds = 0 })).Token;
        var some = (await server.IssueAsync(new() { Group = "team", User = "kim", Actions = ["aggregate.read"], Resources = ["aggregate:old:*"], TtlSeconds = 0 })).Token;

        Assert.Equal("wrote some/old.csv\nExported 1 aggregate type(s) in CSV format\n", (await line.RunAsync("aggregate", "export", "--all", "--output", "some", "--token", some)).Out);
        Assert.Equal(ExitCode.Done, (await ExportEventsAsync(all)).Code);
        Assert.Contains("does not allow", (await ExportEventsAsync(some)).Error, StringComparison.Ordinal);

        await server.Database.OpenSession().ChangeSchemaAsync(
            "old",
            _ => new()
            {
                Aggregate = "old", HiddenFields = ["n"],
                Events = System.Collections.Immutable.ImmutableSortedDictionary<string, global::EventDbx.Schemas.EventDefinition>.Empty.Add("made", global::EventDbx.Schemas.EventDefinition.Any),
            },
            TestContext.Current.CancellationToken);
        var refused = await ExportEventsAsync(all);
        Assert.Equal((ExitCode.Failed, ""), (refused.Code, refused.Out));
        Assert.Contains("Schemas hide fields or types here", refused.Error, StringComparison.Ordinal);
        Assert.False(File.Exists(line.Directory["events.ndjson"]));
        await line.RunAsync("aggregate", "export", "old", "--output", "hidden.csv", "--token", all);
        Assert.Equal("__aggregate_id\nr-1\nr-2\n", File.ReadAllText(line.Directory["hidden.csv"]));
        Assert.Equal(ExitCode.Done, (await line.RunAsync("aggregate", "export", "--events", "--output", "all.ndjson")).Code);

        async Task<Outcome> ExportEventsAsync(string token)
        {
            File.Delete(line.Directory["events.ndjson"]);
            return await line.RunAsync("aggregate", "export", "--events", "--output", "events.ndjson", "--token", token);
        }
    }

    static async Task FillAsync(CommandLine line)
    {
        await line.RunAsync("aggregate", "create", "order", "created");
        var requests = Enumerable.Range(0, 400).Select(i =>
            $$$"""{"aggregate_type":"order","aggregate_id":"o-{{{i % 150}}}","event_type":"placed","payload":{"total":{{{i}}}.50,"f{{{i % 3}}}":"=a,\"\u00fc😀","o":{"x":[1,{}]}},"note":"n{{{i}}}"}""");
        var records = Enumerable.Range(1, 4).Select(i =>
            $$"""{"aggregate_type":"old","aggregate_id":"r-{{1 + (i % 2)}}","event_type":"made","payload":{"n":{{(i + 1) / 2}} },"metadata":{"event_id":"01890a5d-ac96-774b-bcce-b302099a805{{i}}","created_at":"2020-01-0{{i}}T03:04:05Z","issued_by":{"group":"g","user":"u"} } }""");
        var odd = (string[])
        [
            """{"aggregate_type":"a/b ü","aggregate_id":" x% ","event_type":"made","payload":[1.0,null]}""",
            """{"aggregate_type":"a b_ü","aggregate_id":"x","event_type":"made","payload":null}""",
            """{"aggregate_type":"order","aggregate_id":"closed","event_type":"placed","payload":{"total":"-1"}}""",
        ];
        line.Input = string.Join('\n', [.. requests, .. records, .. odd]);
        Assert.StartsWith("imported 407 lines: 407 events appended", (await line.RunAsync("import", "-")).Out, StringComparison.Ordinal);
        await line.RunAsync("aggregate", "archive", "order", "closed");
    }
}
