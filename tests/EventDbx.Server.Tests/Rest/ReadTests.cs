namespace EventDbx.Server.Tests.Rest;

/// <summary>States, lists and events as they are read.</summary>
public class ReadTests(RestServer server) : IClassFixture<RestServer>, IAsyncLifetime
{
    public async ValueTask InitializeAsync()
    {
        if ((await server.GetAsync("/v1/aggregates/order/o-00")).Status == 200)
            return;
        for (var i = 0; i < 12; i++)
            await server.AppendAsync("order", $"o-{i:00}", "order-created", $$"""{"status":"new","total":{{i}}.50,"open":true,"by":null,"lines":[{"sku":"A"}]}""");
        for (var i = 0; i < 7; i++)
            await server.AppendAsync("item", $"i-{i}", "item-added", """{"x":1}""");
        for (var i = 2; i <= 120; i++)
            await server.AppendAsync("item", "i-0", "item-moved", $$"""{"place":{{i}}}""");
        await server.PostAsync("/v1/aggregates/order/o-03/archive", """{"comment":"done"}""");
    }

    public ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        return default;
    }

    static string[] Ids(Reply reply) => [.. reply.Json.EnumerateArray().Select(item => item.GetProperty("aggregate_id").GetString()!)];

    [Fact]
    public async Task A_state_is_shown_as_text_or_typed_whole_or_in_part()
    {
        const string Url = "/v1/aggregates/order/o-01";
        var reply = await server.GetAsync(Url);
        Assert.StartsWith("""{"aggregate_type":"order","aggregate_id":"o-01","version":1,"state":{"by":"","lines":[{"sku":"A"}],"open":"true","status":"new","total":"1.50"},"merkle_root":""", reply.Body, StringComparison.Ordinal);
        Assert.EndsWith("\"archived\":false}", reply.Body, StringComparison.Ordinal);
        Assert.Contains("""{"by":null,"lines":[{"sku":"A"}],"open":true,"status":"new","total":1.50}""", (await server.GetAsync(Url + "?typed=true")).Body, StringComparison.Ordinal);
        Assert.Contains("\"state\":{\"/lines/0/sku\":\"A\",\"total\":\"1.50\"}", (await server.GetAsync(Url + "?fields=total,/lines/0/sku,none&typed=false")).Body, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_state_can_be_read_as_it_was()
    {
        const string Url = "/v1/aggregates/item/i-0";
        var fifth = (await server.GetAsync(Url + "/events/5")).Json;
        var at = fifth.GetProperty("metadata").GetProperty("created_at").GetString()!;
        var asOf = (await server.GetAsync($"{Url}?at={Uri.EscapeDataString(at)}")).Json;
        Assert.True(asOf.GetProperty("version").GetInt32() >= 5);
        var then = (await server.GetAsync(Url + "?version=5")).Json;
        Assert.Equal(("5", fifth.GetProperty("merkle_root").GetString()), (then.GetProperty("state").GetProperty("place").GetString(), then.GetProperty("merkle_root").GetString()));
        Assert.Equal(0, (await server.GetAsync(Url + "?version=0")).Json.GetProperty("version").GetInt32());
        Assert.Equal(120, (await server.GetAsync(Url + "?version=99999")).Json.GetProperty("version").GetInt32());
        Assert.Equal(0, (await server.GetAsync(Url + "?at=2001-01-01T00:00:00Z")).Json.GetProperty("version").GetInt32());
        Assert.Equal(120, (await server.GetAsync(Url + "?at=9999-01-01T00:00:00+01:00")).Json.GetProperty("version").GetInt32());
        Assert.Equal("not_found", (await server.GetAsync("/v1/aggregates/item/none?version=1")).Code);
    }

    [Fact]
    public async Task A_list_has_ten_items_unless_told_otherwise_and_goes_on_behind_its_cursor()
    {
        var all = new List<string>();
        var cursor = "";
        var pages = 0;
        do
        {
            var reply = await server.GetAsync($"/v1/aggregates{(cursor.Length == 0 ? "" : $"?cursor={cursor}")}");
            all.AddRange(Ids(reply));
            cursor = reply["X-Next-Cursor"] ?? "";
            pages++;
        }
        while (cursor.Length > 0);
        Assert.Equal(2, pages);
        Assert.Equal([.. Enumerable.Range(0, 7).Select(i => $"i-{i}"), .. Enumerable.Range(0, 12).Select(i => $"o-{i:00}")], all);
    }

    [Theory]
    [InlineData("take=3", "i-0 i-1 i-2", true)]
    [InlineData("take=3&skip=17", "o-10 o-11", false)]
    [InlineData("take=3&skip=19", "", false)]
    [InlineData("skip=1000000", "", false)]
    [InlineData("take=0", "", false)]
    [InlineData("take=2&type=order", "o-00 o-01", true)]
    [InlineData("type=order&id_prefix=o-1", "o-10 o-11", false)]
    [InlineData("id_prefix=i-6", "i-6", false)]
    [InlineData("archived=true", "o-03", false)]
    [InlineData("archived=false&type=order&take=4", "o-00 o-01 o-02 o-04", true)]
    [InlineData("type=none", "", false)]
    public async Task A_list_can_be_narrowed(string query, string ids, bool more)
    {
        var reply = await server.GetAsync($"/v1/aggregates?{query}");
        Assert.Equal(ids, string.Join(' ', Ids(reply)));
        Assert.Equal(more, reply["X-Next-Cursor"] is not null);
        if (ids.Length == 0)
            Assert.Equal("[]", reply.Body);
    }

    [Fact]
    public async Task More_than_a_page_may_have_is_lowered()
    {
        Assert.Equal(19, Ids(await server.GetAsync("/v1/aggregates?take=18446744073709551615")).Length);
        Assert.Equal(50, (await server.GetAsync("/v1/aggregates/item/i-0/events?take=9999")).Json.GetArrayLength());
        Assert.Equal(50, (await server.GetAsync("/v1/aggregates/item/i-0/events")).Json.GetArrayLength());
    }

    [Fact]
    public async Task Items_of_a_list_have_their_shape_too()
    {
        var reply = await server.GetAsync("/v1/aggregates?type=order&take=1&typed=true&fields=total");
        Assert.Equal("0.50", reply.Json[0].GetProperty("state").GetProperty("total").GetRawText());
        Assert.Single(reply.Json[0].GetProperty("state").EnumerateObject());
    }

    [Fact]
    public async Task Events_come_by_version_and_go_on_behind_their_cursor()
    {
        const string Url = "/v1/aggregates/item/i-0/events";
        var versions = new List<int>();
        for (var cursor = "?take=50"; cursor.Length > 0;)
        {
            var reply = await server.GetAsync(Url + cursor);
            versions.AddRange(reply.Json.EnumerateArray().Select(record => record.GetProperty("version").GetInt32()));
            cursor = reply["X-Next-Cursor"] is { } next ? $"?cursor={next}" : "";
        }

        Assert.Equal(Enumerable.Range(1, 120), versions);
        var skipped = await server.GetAsync(Url + "?skip=118&take=5");
        Assert.Equal([119, 120], skipped.Json.EnumerateArray().Select(record => record.GetProperty("version").GetInt32()));
        Assert.Null(skipped["X-Next-Cursor"]);
        var none = await server.GetAsync(Url + "?take=0");
        Assert.Equal(("[]", null), (none.Body, none["X-Next-Cursor"]));
        Assert.Equal("[]", (await server.GetAsync(Url + "?skip=18446744073709551615")).Body);
        Assert.Equal("not_found", (await server.GetAsync("/v1/aggregates/item/none/events")).Code);
        Assert.Equal("not_found", (await server.GetAsync(Url + "/121")).Code);
        Assert.Equal("not_found", (await server.GetAsync(Url + "/0")).Code);
    }

    [Fact]
    public async Task Lists_and_feed_leave_out_what_a_token_may_not_read()
    {
        var token = await server.IssueAsync(new() { Group = "g", User = "u", Actions = ["aggregate.read", "feed.read"], Resources = ["aggregate:order:o-0?"] });
        Assert.Equal(["o-00", "o-01", "o-02"], Ids(await server.GetAsync("/v1/aggregates?take=3", token)));
        Assert.Equal(["o-08", "o-09"], Ids(await server.GetAsync("/v1/aggregates?skip=8", token)));
        Assert.Equal("[]", (await server.GetAsync("/v1/aggregates?type=item", token)).Body);
        var feed = (await server.GetAsync("/v1/events", token)).Json;
        Assert.All(feed.GetProperty("items").EnumerateArray(), item => Assert.StartsWith("o-0", item.GetProperty("event").GetProperty("aggregate_id").GetString(), StringComparison.Ordinal));
        Assert.Equal(10, feed.GetProperty("items").GetArrayLength());
        Assert.True(feed.GetProperty("end").GetBoolean());
        Assert.Equal("permission_denied", (await server.GetAsync("/v1/events?include=control", token)).Code);
        Assert.Equal("permission_denied", (await server.GetAsync("/v1/aggregates/order/o-10", token)).Code);
        Assert.Equal("permission_denied", (await server.GetAsync("/v1/aggregates/order/no-such", token)).Code);
    }

    [Fact]
    public async Task The_feed_is_read_page_by_page()
    {
        var places = new List<ulong>();
        var after = "0";
        for (var end = false; !end;)
        {
            var page = (await server.GetAsync($"/v1/events?after={after}&take=40")).Json;
            foreach (var item in page.GetProperty("items").EnumerateArray())
            {
                var position = item.GetProperty("event").GetProperty("position").GetUInt64();
                Assert.Equal($"1-{position}", item.GetProperty("cursor").GetString());
                places.Add(position);
            }

            (after, end) = (page.GetProperty("cursor").GetString()!, page.GetProperty("end").GetBoolean());
        }

        Assert.Equal(places.Order().Distinct(), places);
        Assert.Equal(12 + 7 + 119, places.Count);
        var bare = (await server.GetAsync($"/v1/events?after={places[4]}&take=1")).Json.GetProperty("items")[0];
        Assert.Equal(places[5], bare.GetProperty("event").GetProperty("position").GetUInt64());
        var nothing = (await server.GetAsync($"/v1/events?after={after}")).Json;
        Assert.Equal((0, true), (nothing.GetProperty("items").GetArrayLength(), nothing.GetProperty("end").GetBoolean()));
    }

    [Fact]
    public async Task The_feed_can_be_narrowed_and_shows_control_entries_where_asked()
    {
        var items = (await server.GetAsync("/v1/events?type=order&event_type=order-created&take=50")).Json.GetProperty("items");
        Assert.Equal(12, items.GetArrayLength());
        Assert.Equal(0, (await server.GetAsync("/v1/events?type=none")).Json.GetProperty("items").GetArrayLength());
        var all = (await server.GetAsync("/v1/events?include=control&event_type=none")).Json.GetProperty("items").EnumerateArray().ToArray();
        var archive = Assert.Single(all, item => item.GetProperty("control").GetProperty("kind").GetString() == "archive").GetProperty("control");
        Assert.Equal("order/o-03", archive.GetProperty("subject").GetString());
        Assert.Equal("""{"group":"ops","user":"root"}""", archive.GetProperty("issued_by").GetRawText());
    }

    [Theory]
    [InlineData("2-1")]
    [InlineData("0-1")]
    public async Task A_cursor_of_an_epoch_that_never_was_is_gone(string after)
    {
        var reply = await server.GetAsync($"/v1/events?after={after}");
        Assert.Equal((410, "cursor_gone"), (reply.Status, reply.Code));
    }
}
