using System.Text.Json;
using EventDbx.Schemas;

namespace EventDbx.Server.Tests.Rest;

/// <summary>What exports read over HTTP: lists as of a moment, and salts.</summary>
public sealed class ExportReadTests : IAsyncLifetime
{
    readonly RestServer _server = new();

    public ValueTask InitializeAsync() => _server.InitializeAsync();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    [Fact]
    public async Task A_list_as_of_a_moment_is_of_that_moment()
    {
        await _server.AppendAsync("t", "1", "e", """{"a":1}""");
        await _server.AppendAsync("t", "2", "e", """{"a":1}""");
        await _server.SendAsync("PUT", "/v1/aggregates/t/created");
        var then = (await _server.GetAsync("/v1/aggregates/t/2/events/1")).Json.GetProperty("metadata").GetProperty("created_at").GetString()!;
        _server.Clock.Advance(TimeSpan.FromSeconds(5));
        await _server.AppendAsync("t", "1", "e", """{"a":2}""");
        await _server.AppendAsync("t", "3", "e", """{"a":3}""");
        await _server.AppendAsync("t", "created", "e", """{"a":4}""");

        var list = (await _server.GetAsync($"/v1/aggregates?at={then}&typed=true")).Json;
        Assert.Equal(["1 1 1", "2 1 1"], list.EnumerateArray().Select(item => $"{item.GetProperty("aggregate_id").GetString()} {item.GetProperty("version")} {item.GetProperty("state").GetProperty("a")}"));
        foreach (var item in list.EnumerateArray())
        {
            var alone = await _server.GetAsync($"/v1/aggregates/t/{item.GetProperty("aggregate_id").GetString()}?at={then}&typed=true");
            Assert.Equal(alone.Body, item.GetRawText());
        }

        Assert.Equal(4, (await _server.GetAsync("/v1/aggregates")).Json.GetArrayLength());
        Assert.Equal("[]", (await _server.GetAsync("/v1/aggregates?at=2001-01-01T00:00:00Z")).Body);
        var paged = await _server.GetAsync($"/v1/aggregates?at={then}&take=1");
        Assert.Equal("2", (await _server.GetAsync($"/v1/aggregates?at={then}&take=1&cursor={paged["X-Next-Cursor"]}")).Json[0].GetProperty("aggregate_id").GetString());
        Assert.Equal("invalid_argument", (await _server.GetAsync("/v1/aggregates?at=yesterday")).Code);
    }

    [Fact]
    public async Task Salts_come_when_they_are_asked_for_by_who_may_have_them()
    {
        await _server.AppendAsync("t", "1", "e", """{"a":1,"card":2}""");
        await _server.Owner.ArchiveAsync(AggregateKey.Create("t", "1"), null, TestContext.Current.CancellationToken);

        Assert.DoesNotContain("salt", (await _server.GetAsync("/v1/events")).Body, StringComparison.Ordinal);
        var metadata = Events((await _server.GetAsync("/v1/events?include=salt")).Json).Single().GetProperty("metadata");
        Assert.Equal(22, metadata.GetProperty("salt").GetString()!.Length);
        var both = await _server.GetAsync("/v1/events?include=control,salt");
        Assert.Contains("\"kind\":\"archive\"", both.Body, StringComparison.Ordinal);
        Assert.Single(Events(both.Json));
        foreach (var include in (string[])["", "salt,salt", "salts", "control,", "SALT"])
            Assert.Equal("invalid_argument", (await _server.GetAsync($"/v1/events?include={include}")).Code);

        var reader = await _server.TokenForAsync("aggregate.read");
        var auditor = await _server.TokenForAsync("*.*");
        Assert.Equal(200, (await _server.GetAsync("/v1/events", reader)).Status);
        Assert.Equal("permission_denied", (await _server.GetAsync("/v1/events?include=salt", reader)).Code);
        Assert.Equal(200, (await _server.GetAsync("/v1/events?include=salt", auditor)).Status);
        await _server.Owner.ChangeSchemaAsync(
            "t",
            _ => new()
            {
                Aggregate = "t", HiddenFields = ["card"],
                Events = System.Collections.Immutable.ImmutableSortedDictionary<string, EventDefinition>.Empty.Add("e", EventDefinition.Any),
            },
            TestContext.Current.CancellationToken);
        Assert.Equal("permission_denied", (await _server.GetAsync("/v1/events?include=salt", auditor)).Code);
        Assert.Equal(200, (await _server.GetAsync("/v1/events", auditor)).Status);
        Assert.Equal(200, (await _server.GetAsync("/v1/events?include=salt")).Status);
    }

    static IEnumerable<JsonElement> Events(JsonElement page) =>
        page.GetProperty("items").EnumerateArray().Where(item => item.TryGetProperty("event", out _)).Select(item => item.GetProperty("event"));
}
