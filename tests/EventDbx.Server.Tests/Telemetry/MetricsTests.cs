using System.Globalization;
using EventDbx.Server.Feed;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.Telemetry;

/// <summary>What <c>/metrics</c> says is what was done.</summary>
public sealed class MetricsTests
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task The_page_equals_number_by_number_what_was_done_and_a_restart_begins_anew_where_positions_go_on()
    {
        await using var server = Quiet();
        await server.InitializeAsync();
        await DoAsync(server);

        var page = await ReadAsync(server, requests: 37);

        Same(
            new()
            {
                ["""{outcome="appended"}"""] = 9, ["""{outcome="known"}"""] = 1,
                ["""{outcome="refused",code="archived"}"""] = 1, ["""{outcome="refused",code="invalid_name"}"""] = 1,
                ["""{outcome="refused",code="permission_denied"}"""] = 1, ["""{outcome="refused",code="version_conflict"}"""] = 3,
            },
            page.Of("dbx_appends_total"));
        // Control entries: three tokens, and an archive.
        Same(new() { ["""{kind="event"}"""] = 9, ["""{kind="control"}"""] = 4 }, page.Of("dbx_commit_entries_total"));
        Assert.Equal(13, page["dbx_log_position"]);
        Same(
            new()
            {
                [Labels("rest", "POST", "/v1/events", 200)] = 7, [Labels("rest", "POST", "/v1/events", 409)] = 1, [Labels("rest", "POST", "/v1/events", 400)] = 1,
                [Labels("rest", "POST", "/v1/events", 403)] = 3, [Labels("rest", "POST", "/v1/events", 401)] = 3,
                [Labels("rest", "POST", "/v1/events/batch", 200)] = 1, [Labels("rest", "POST", "/v1/events/batch", 409)] = 1,
                [Labels("rest", "POST", "/v1/aggregates/{type}/{id}/archive", 200)] = 1,
                [Labels("rest", "GET", "/v1/aggregates/{type}/{id}", 200)] = 3, [Labels("rest", "GET", "/v1/aggregates/{type}/{id}", 404)] = 2,
                [Labels("rest", "HEAD", "/v1/aggregates/{type}/{id}", 200)] = 1, [Labels("rest", "GET", "/v1/aggregates", 200)] = 1,
                [Labels("server", "GET", "/health", 200)] = 2, [Labels("server", "GET", "none", 404)] = 5, [Labels("server", "PATCH", "none", 405)] = 1,
                [Labels("server", "other", "none", 405)] = 4,
            },
            page.Of("dbx_requests_total").Where(series => !series.Key.Contains("/metrics", StringComparison.Ordinal)).ToDictionary());
        Same(
            new()
            {
                [Refused("rest", "archived")] = 1, [Refused("rest", "invalid_name")] = 1, [Refused("rest", "not_found")] = 2, [Refused("rest", "permission_denied")] = 2,
                [Refused("rest", "unauthenticated")] = 3, [Refused("rest", "version_conflict")] = 2, [Refused("server", "method_not_allowed")] = 5, [Refused("server", "not_found")] = 5,
            },
            page.Of("dbx_requests_refused_total"));
        // A request with a body is looked at twice, unless the first look turns it away: 13 and 1 with a good token; 8 had none, and so have those for this page.
        var scrapes = page.Of("dbx_requests_total").Where(series => series.Key.Contains("/metrics", StringComparison.Ordinal)).Sum(series => series.Value) + 1;
        Same(new() { ["""{outcome="good"}"""] = (2 * 13) + 1 + 8 + scrapes, ["""{outcome="malformed"}"""] = 1, ["""{outcome="unknown"}"""] = 1, ["""{outcome="refused"}"""] = 0 }, page.Of("dbx_tokens_checked_total"));
        // Every request but the page itself is under way no more, and those with a template have been timed.
        Assert.Equal(1, page["dbx_requests_under_way"]);
        Assert.Equal(7 + 2 + 1 + 2 + 3, page["""dbx_request_duration_seconds_count{surface="rest",method="POST",route="/v1/events"}"""]);
        // Groups: nine commits of appends and control entries were written one by one, and what the tokens need besides.
        Assert.Equal(page["dbx_commit_groups_total"], page["dbx_commit_group_size_count"]);
        Assert.Equal(page["dbx_commit_groups_total"], page["dbx_commit_sync_duration_seconds_count"]);
        Assert.Equal(page["dbx_commit_groups_total"], page["dbx_commit_group_size_sum"]);
        Assert.InRange(page["dbx_commit_written_bytes_total"] ?? 0, 9 * 100, 1_000_000);
        Assert.InRange(page["dbx_commit_last_timestamp_seconds"] ?? 0, 1.7e9, 1e11);
        Assert.Equal((1, 1, 0, 0), (page["dbx_writer_up"], page["dbx_healthy"], page["dbx_queue_commits"], page["dbx_queue_size_bytes"]));
        Assert.Equal(1, page[$$"""dbx_build_info{version="2.1.0-test",runtime="{{System.Runtime.InteropServices.RuntimeInformation.FrameworkDescription}}"}"""]);
        Assert.Equal(1, page[$$"""dbx_database_info{database_id="{{server.Host.Database.DatabaseId}}",encryption="off",durability="sync",restrict="default"}"""]);

        await server.Host.DisposeAsync();
        await server.StartAsync();
        var again = MetricsPage.Parse((await server.GetAsync("/metrics")).Body);

        Same(new() { ["""{outcome="appended"}"""] = 0, ["""{outcome="known"}"""] = 0 }, again.Of("dbx_appends_total"));
        Assert.Equal((13, 0, null), (again["dbx_log_position"], again["dbx_commit_groups_total"], again["dbx_commit_last_timestamp_seconds"]));
        Assert.Empty(again.Of("dbx_requests_total"));
        Assert.True(again["dbx_uptime_seconds"] < page["dbx_uptime_seconds"] + 60);
    }

    /// <summary>37 requests, and three tokens without a request.</summary>
    static async Task DoAsync(RestServer server)
    {
        const string id = "01890a5d-ac96-774b-bcce-b302099a8058";
        var other = await server.TokenForAsync("aggregate.append", "aggregate:other:*");
        var reader = await server.TokenForAsync("aggregate.read");
        for (var i = 0; i < 4; i++)
            await server.AppendAsync("order", i.ToString(CultureInfo.InvariantCulture), "placed", """{"a":1}""");
        await AppendsAsync(server, 200, "once", more: $",\"event_id\":\"{id}\"");
        await AppendsAsync(server, 200, "once", more: $",\"event_id\":\"{id}\"");
        await AppendsAsync(server, 409, "0", more: ",\"expected_version\":7");
        await AppendsAsync(server, 400, "0", eventType: "");
        await AppendsAsync(server, 200, "x", type: "other", token: other);
        await AppendsAsync(server, 403, "0", token: other);
        await AppendsAsync(server, 403, "0", token: reader);
        await AppendsAsync(server, 401, "0", token: null);
        await AppendsAsync(server, 401, "0", token: "nonsense");
        await AppendsAsync(server, 401, "0", token: reader[..^3] + "AAA");
        const string e = """{"aggregate_type":"order","aggregate_id":"b","event_type":"placed","payload":{}""";
        Assert.Equal(200, (await server.PostAsync("/v1/events/batch", $$"""{"events":[{{e}}},{{e}}},{{e}}}]}""")).Status);
        Assert.Equal(409, (await server.PostAsync("/v1/events/batch", $$"""{"events":[{{e}}},{{e}},"expected_version":1}]}""")).Status);
        Assert.Equal(200, (await server.SendAsync("POST", "/v1/aggregates/order/1/archive")).Status);
        await AppendsAsync(server, 403, "1");
        for (var i = 0; i < 3; i++)
            Assert.Equal(200, (await server.GetAsync("/v1/aggregates/order/0")).Status);
        Assert.Equal(200, (await server.SendAsync("HEAD", "/v1/aggregates/order/0")).Status);
        Assert.Equal(200, (await server.GetAsync("/v1/aggregates", reader)).Status);
        // Names that a client chose are in no label: all of these are the same to it.
        foreach (var target in (string[])["/v1/aggregates/order/none", "/v1/aggregates/other/none"])
            Assert.Equal(404, (await server.GetAsync(target)).Status);
        for (var i = 0; i < 5; i++)
            Assert.Equal(404, (await server.GetAsync($"/made-up-{i}", token: null)).Status);
        for (var i = 0; i < 4; i++)
            Assert.Equal(405, (await server.SendAsync($"BREW{i}", "/health", token: null)).Status);
        Assert.Equal(405, (await server.SendAsync("PATCH", "/health", token: null)).Status);
        for (var i = 0; i < 2; i++)
            Assert.Equal(200, (await server.GetAsync("/health", token: null)).Status);
    }

    static async Task AppendsAsync(RestServer server, int status, string id, string type = "order", string eventType = "placed", string more = "", string? token = "root") =>
        Assert.Equal(status, (await server.SendAsync(
            "POST", "/v1/events", $$"""{"aggregate_type":"{{type}}","aggregate_id":"{{id}}","event_type":"{{eventType}}","payload":{}{{more}}}""", token)).Status);

    [Fact]
    public async Task Each_server_of_a_process_tells_of_itself_alone()
    {
        await using var one = Quiet();
        await using var other = Quiet();
        await one.InitializeAsync();
        await other.InitializeAsync();
        for (var i = 0; i < 3; i++)
            await one.AppendAsync("t", "1", "e", "{}");
        await other.AppendAsync("t", "1", "e", "{}");

        Assert.Equal(3, MetricsPage.Parse((await one.GetAsync("/metrics")).Body)["""dbx_appends_total{outcome="appended"}"""]);
        Assert.Equal(1, MetricsPage.Parse((await other.GetAsync("/metrics")).Body)["""dbx_appends_total{outcome="appended"}"""]);
        await one.Host.DisposeAsync();
        Assert.Equal(1, MetricsPage.Parse((await other.GetAsync("/metrics")).Body)["""dbx_appends_total{outcome="appended"}"""]);
        await one.StartAsync();
    }

    [Theory]
    [InlineData(null, false)]
    [InlineData("*/*", false)]
    [InlineData("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", false)]
    [InlineData("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2", true)]
    [InlineData("application/openmetrics-text", true)]
    [InlineData("application/openmetrics-text;version=2.0.0,text/plain;q=0.1", false)]
    [InlineData("application/openmetrics-text;version=1.0.0;q=0.2,text/plain;q=0.9", false)]
    [InlineData("application/openmetrics-text;version=1.0.0;q=0", false)]
    public async Task The_form_is_what_the_scraper_asks_for(string? accept, bool openMetrics)
    {
        await using var server = Quiet();
        await server.InitializeAsync();
        await server.AppendAsync("t", "1", "e", "{}");

        var reply = await server.SendAsync("GET", "/metrics", headers: accept is null ? [] : [("Accept", accept)]);

        Assert.Equal(openMetrics ? "application/openmetrics-text; version=1.0.0; charset=utf-8" : "text/plain; version=0.0.4; charset=utf-8", reply["Content-Type"]);
        var page = MetricsPage.Parse(reply.Body, openMetrics);
        Assert.Equal(1, page["""dbx_appends_total{outcome="appended"}"""]);
        Assert.Equal("counter", page.Families[openMetrics ? "dbx_appends" : "dbx_appends_total"]);
        Assert.Equal(openMetrics, page["""dbx_commit_group_size_bucket{le="1.0"}"""] == 2);
        Assert.Equal(!openMetrics, page["""dbx_commit_group_size_bucket{le="1"}"""] == 2);
    }

    [Fact]
    public async Task The_page_needs_a_good_token_whatever_it_allows_and_none_where_it_is_public_or_by_the_socket()
    {
        await using var server = Quiet();
        await server.InitializeAsync();
        var weak = await server.TokenForAsync("aggregate.append", "aggregate:nothing:*");
        Assert.Equal(401, (await server.GetAsync("/metrics", token: null)).Status);
        Assert.Equal(401, (await server.GetAsync("/metrics", token: "nonsense")).Status);
        Assert.Equal(200, (await server.GetAsync("/metrics", weak)).Status);
        Assert.Equal(("", 200), (await server.SendAsync("HEAD", "/metrics") is var head ? head.Body : "?", head.Status));
        Assert.Equal("no-store", (await server.GetAsync("/metrics"))["Cache-Control"]);
        Assert.Equal(400, (await server.GetAsync("/metrics?name=x")).Status);

        await File.WriteAllTextAsync(server.ConfigPath, "[metrics]\npublic = true\n", Cancellation);
        await server.Host.DisposeAsync();
        await server.StartAsync();
        Assert.Equal(200, (await server.GetAsync("/metrics", token: null)).Status);
        Assert.Equal(401, (await server.GetAsync("/v1/aggregates", token: null)).Status);
    }

    [Fact]
    public async Task How_far_the_slowest_subscription_is_behind_is_told()
    {
        await using var server = Quiet();
        await server.InitializeAsync();
        for (var i = 0; i < 5; i++)
            await server.AppendAsync("t", "1", "e", "{}");
        Assert.Equal((0, 0), await LagAsync(server));
        await using var slow = await SubscribeAsync(server, "2");
        await using var fast = await SubscribeAsync(server, "0");
        await using var reading = fast.ReadAsync(Cancellation).GetAsyncEnumerator(Cancellation);
        Assert.True(await reading.MoveNextAsync());
        Assert.Equal(6UL, reading.Current.Reached.Position);

        Assert.Equal((2, 4), await LagAsync(server));
        Assert.True((await PageAsync(server))["dbx_feed_lag_seconds"] > 0);
        await slow.DisposeAsync();
        Assert.Equal((1, 0), await LagAsync(server));
        Assert.Equal(0, (await PageAsync(server))["dbx_feed_lag_seconds"]);
    }

    static async Task<(double?, double?)> LagAsync(RestServer server) => await PageAsync(server) is var page ? (page["dbx_subscriptions"], page["dbx_feed_lag_positions"]) : default;

    static Task<FeedSubscription> SubscribeAsync(RestServer server, string after) => FeedSubscription.OpenAsync(
        server.Host, new() { Session = server.Owner, LookAtToken = null, After = after, Filter = new() }, server.Clock, Cancellation);

    [Fact]
    public async Task Many_scrapes_at_once_are_all_whole_while_appends_go_on()
    {
        await using var server = Quiet();
        await server.InitializeAsync();
        using var done = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var appending = Task.Run(async () =>
        {
            var appended = 0;
            for (; !done.IsCancellationRequested; appended++)
                await server.AppendAsync("t", "1", "e", "{}");
            return appended;
        }, Cancellation);
        var last = 0.0;
        for (var round = 0; round < 8; round++)
        {
            foreach (var reply in await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => server.GetAsync("/metrics"))))
                last = Math.Max(last, MetricsPage.Parse(reply.Body)["""dbx_appends_total{outcome="appended"}"""] ?? 0);
        }

        await done.CancelAsync();
        var all = await appending;
        Assert.InRange(last, 0, all);
        Assert.Equal(all, (await PageAsync(server))["""dbx_appends_total{outcome="appended"}"""]);
    }

    /// <summary>As text, so that a failure shows which number it is.</summary>
    static void Same(Dictionary<string, double> expected, Dictionary<string, double> actual) => Assert.Equal(Lines(expected), Lines(actual));

    static string Lines(Dictionary<string, double> series) =>
        string.Join('\n', series.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => string.Create(CultureInfo.InvariantCulture, $"{pair.Key} {pair.Value}")));

    internal static RestServer Quiet() => new() { ChangeOptions = static options => options with { CheckpointInterval = null } };

    internal static async Task<MetricsPage> PageAsync(RestServer server) => MetricsPage.Parse((await server.GetAsync("/metrics")).Body);

    /// <summary>A request is counted when its answer has been handed over, which its client may have first: until so many have been.</summary>
    static async Task<MetricsPage> ReadAsync(RestServer server, int requests)
    {
        using var late = new CancellationTokenSource(TimeSpan.FromMinutes(1));
        while (true)
        {
            var page = await PageAsync(server);
            var counted = page.Of("dbx_requests_total").Where(series => !series.Key.Contains("/metrics", StringComparison.Ordinal)).Sum(series => series.Value);
            Assert.True(counted <= requests, $"{counted} requests");
            if (counted.Equals(requests) && page["dbx_requests_under_way"] == 1)
                return page;
            late.Token.ThrowIfCancellationRequested();
        }
    }

    static string Labels(string surface, string method, string route, int status) =>
        string.Create(CultureInfo.InvariantCulture, $$"""{surface="{{surface}}",method="{{method}}",route="{{route}}",status="{{status}}"}""");

    static string Refused(string surface, string code) => $$"""{surface="{{surface}}",code="{{code}}"}""";
}
