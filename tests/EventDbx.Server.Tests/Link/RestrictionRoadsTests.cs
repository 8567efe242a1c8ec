using System.Text;
using System.Text.Json;
using EventDbx.Cli.Output;
using EventDbx.Schemas;
using EventDbx.Server.Tests.Rest;
using EventDbx.Staging;

namespace EventDbx.Server.Tests.Link;

/// <summary>Restriction modes and changes of schemas, on every road into a store.</summary>
[CiTier("It starts servers and commands as processes, for seconds each.")]
public sealed class RestrictionRoadsTests
{
    const string Append = """{"aggregate_type":"order","aggregate_id":"o-1","event_type":"placed","payload":{}}""";

    const string Record = """{"aggregate_type":"order","aggregate_id":"o-1","event_type":"placed","payload":{},"metadata":{"event_id":"01890a5d-ac96-774b-bcce-b302099a8057","created_at":"2026-01-01T00:00:00Z","issued_by":null}}""";

    [Theory]
    [InlineData("config", false)]
    [InlineData("config", true)]
    [InlineData("EVENTDBX_RESTRICT", false)]
    [InlineData("EVENTDB_RESTRICT", false)]
    [InlineData("EVENTFUL_RESTRICT", false)]
    public async Task Strict_refuses_an_undeclared_type_on_every_road_of_the_command_line_and_stores_nothing(string source, bool running)
    {
        using var line = new CommandLine();
        await line.RunAsync("config", "--encryption", "off", "--restrict", source == "config" ? "enforced" : "off");
        await line.RunAsync("schema", "create", "declared", "--events", "placed");
        // Staged before strict was chosen, for the commit.
        await File.WriteAllBytesAsync(
            Path.Combine(line.DataDirectory, "staged_events.json"),
            StagedJson.WriteAll([new(new() { Aggregate = AggregateKey.Create("order", "o-1"), EventType = "placed", Payload = "{}"u8.ToArray(), EventId = Guid.CreateVersion7() }, null)]),
            TestContext.Current.CancellationToken);
        if (source != "config")
            line.Environment[source] = "STRICT";
        await using var server = running ? await RunningServer.StartAsync(line) : null;

        line.Input = Append + "\n";
        string[][] roads =
        [
            ["aggregate", "apply", "order", "o-1", "placed"],
            ["aggregate", "apply", "order", "o-1", "placed", "--patch", """[{"op":"add","path":"/a","value":1}]"""],
            ["aggregate", "apply", "order", "o-1", "placed", "--stage"],
            ["aggregate", "commit"],
            ["import", "-"],
        ];
        foreach (var road in roads)
            IsRefused(await line.RunAsync([.. road, "--json"]), string.Join(' ', road));
        line.Input = Record + "\n";
        IsRefused(await line.RunAsync("import", "-", "--json"), "import of a record");

        Assert.Equal(ExitCode.Failed, (await line.RunAsync("aggregate", "get", "order", "o-1")).Code);
        Assert.Equal(ExitCode.Done, (await line.RunAsync("aggregate", "apply", "declared", "d-1", "placed")).Code);
        Assert.Equal(ExitCode.Done, (await line.RunAsync("verify", "--all")).Code);

        static void IsRefused(Outcome outcome, string road)
        {
            Assert.True(outcome.Code == ExitCode.Failed && outcome.Out.Length == 0, $"{road}: {outcome}");
            Assert.Equal("schema_violation", JsonDocument.Parse(outcome.Error).RootElement.GetProperty("code").GetString());
            Assert.Contains("restrict=strict", outcome.Error, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Strict_refuses_an_undeclared_type_on_every_route_and_stores_nothing()
    {
        await using var server = new RestServer(options => options with { Restriction = Restriction.Strict });
        await server.InitializeAsync();
        var size = server.Host.Database.LogSize;
        (string Target, string Body)[] routes =
        [
            ("/v1/events", Append), ("/v1/events", Append.Replace("payload\":{}", """patch":[{"op":"add","path":"/a","value":1}]""", StringComparison.Ordinal)),
            ("/v1/events/batch", $$"""{"events":[{{Append}}]}"""), ("/v1/records", $$"""{"records":[{{Record}}]}"""), ("/v1/staged", Append),
        ];

        foreach (var (target, body) in routes)
        {
            var reply = await server.PostAsync(target, body);
            Assert.Equal((400, "schema_violation"), (reply.Status, reply.Code));
        }

        Assert.Equal(size, server.Host.Database.LogSize);
        Assert.Equal("[]", (await server.GetAsync("/v1/staged")).Body);
        Assert.Equal("strict", (await server.GetAsync("/admin/status")).Json.GetProperty("restriction").GetString());
        Assert.Equal(201, (await server.PostAsync("/admin/schemas", """{"aggregate":"order","events":["placed"]}""")).Status);
        Assert.Equal(200, (await server.PostAsync("/v1/events", Append)).Status);
    }

    [Fact]
    public async Task A_schema_changed_by_a_command_is_enforced_by_the_server_at_the_next_append_and_stands_in_its_log()
    {
        using var line = new CommandLine();
        await line.RunAsync("aggregate", "create", "order", "o-1");
        await using var server = await RunningServer.StartAsync(line);
        var session = server.Database.OpenSession();
        Task<AppendResult> AppendAsync() => session.AppendAsync(
            new() { Aggregate = AggregateKey.Create("order", "o-1"), EventType = "placed", Payload = """{"total":"much"}"""u8.ToArray() }, TestContext.Current.CancellationToken);
        await AppendAsync();

        Assert.Equal(ExitCode.Done, (await line.RunAsync("schema", "create", "order", "--events", "placed")).Code);
        await AppendAsync();
        Assert.Equal(ExitCode.Done, (await line.RunAsync("schema", "field", "set", "order", "total", "integer")).Code);

        var refused = await Assert.ThrowsAsync<RefusedException>(AppendAsync);
        Assert.Equal("total", Assert.Single(refused.Refusal.Violations!).Path);
        var changes = session.ReadFeed(0, 100, includeControl: true).Items.Where(item => item.Control?.Kind == "schema_change").Select(item => item.Control!).ToList();
        Assert.Equal(["order", "order"], changes.Select(change => change.Subject));
        Assert.All(changes, change => Assert.Equal("cli", change.Actor!.Group));
        Assert.Contains("integer", Encoding.UTF8.GetString(changes[1].Body.Span), StringComparison.Ordinal);
        Assert.Contains("integer", await File.ReadAllTextAsync(Path.Combine(line.DataDirectory, "schemas.json"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Sixteen_schema_adds_at_once_lose_none(bool running)
    {
        using var line = new CommandLine();
        await line.RunAsync("schema", "create", "order", "--events", "placed");
        await using var server = running ? await RunningServer.StartAsync(line) : null;

        var added = await Task.WhenAll(Enumerable.Range(0, 16).Select(
            n => Task.Run(() => line.RunAsync("schema", "add", "order", $"event-{n}", "--lock-timeout", "60"), TestContext.Current.CancellationToken)));

        Assert.All(added, outcome => Assert.True(outcome.Code == ExitCode.Done, outcome.Error));
        var shown = JsonDocument.Parse((await line.RunAsync("schema", "show", "order")).Out).RootElement;
        Assert.Equal(17, shown.GetProperty("events").EnumerateObject().Count());
    }
}
