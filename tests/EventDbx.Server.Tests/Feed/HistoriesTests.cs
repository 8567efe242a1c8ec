using EventDbx.Mirroring;
using EventDbx.Server.Feed;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.Feed;

/// <summary>Cursors of one history, told to a server that has another one.</summary>
public sealed class HistoriesTests
{
    [Fact]
    public async Task A_cursor_of_the_old_leader_goes_on_up_to_where_the_promoted_mirror_parts_from_it_and_is_gone_behind_that()
    {
        await using var leader = new RestServer();
        await leader.InitializeAsync();
        await leader.AppendAsync("a", "1", "e", "{}");
        await using var mirror = new RestServer(static options => options with { Follow = "berlin" });
        await mirror.StartAsync();
        var page = leader.Host.Database.ReadLog(0, int.MaxValue);
        var kept = page.End.Size;
        await mirror.Host.Database.Mirror.BeginAsync(new("berlin", "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo"), page.End, page.RootBefore, TestContext.Current.CancellationToken);
        await mirror.Host.Database.Mirror.ApplyAsync(page, TestContext.Current.CancellationToken);
        await leader.AppendAsync("a", "1", "e", "{}");
        var root = await mirror.IssueAsync(new() { Group = "ops", User = "root", Root = true, TtlSeconds = 0 });
        Assert.Equal((200, 409), ((await mirror.GetAsync($"/v1/events?after=1-{kept}", root)).Status, (await mirror.SendAsync("POST", "/v1/events", """{"aggregate_type":"a","aggregate_id":"1","event_type":"e","payload":{}}""", token: root)).Status));

        await mirror.Host.Database.Mirror.PromoteAsync(null, null, TestContext.Current.CancellationToken);

        foreach (var position in (ulong[])[0, kept - 1, kept])
        {
            var within = await mirror.GetAsync($"/v1/events?after=1-{position}&include=control", root);
            Assert.Equal((200, $"2-{position + 1}"), (within.Status, within.Json.GetProperty("items")[0].GetProperty("cursor").GetString()));
            Assert.Equal($"2-{kept + 1}", within.Json.GetProperty("cursor").GetString());
            await using var subscription = await FeedSubscription.OpenAsync(
                mirror.Host, new() { Session = mirror.Owner, LookAtToken = null, After = $"1-{position}", Filter = new() { IncludeControl = true } }, mirror.Clock, TestContext.Current.CancellationToken);
            Assert.Equal(new FeedCursor(2, position), subscription.Reached);
        }

        var beyond = await mirror.GetAsync($"/v1/events?after=1-{kept + 1}", root);
        Assert.Equal((410, "cursor_gone"), (beyond.Status, beyond.Code));
        Assert.Contains("made the leader", beyond.Body, StringComparison.Ordinal);
        Assert.Equal(RefusalCode.CursorGone, (await Assert.ThrowsAsync<RefusedException>(() => FeedSubscription.OpenAsync(
            mirror.Host, new() { Session = mirror.Owner, LookAtToken = null, After = $"1-{kept + 1}", Filter = new() }, mirror.Clock, TestContext.Current.CancellationToken))).Refusal.Code);
        Assert.Equal((410, "cursor_gone"), (await mirror.GetAsync("/v1/events?after=3-1", root)) is var later ? (later.Status, later.Code) : default);
        Assert.Contains($"part behind position {kept}: what it has read beyond is not here, go on at 2-{kept} ", beyond.Body, StringComparison.Ordinal);
        Assert.Equal(200, (await mirror.GetAsync($"/v1/events?after=2-{kept}", root)).Status);
        Assert.Equal(200, (await leader.GetAsync($"/v1/events?after=1-{kept + 1}")).Status);
        Assert.Equal(200, (await mirror.SendAsync("POST", "/v1/events", """{"aggregate_type":"a","aggregate_id":"1","event_type":"e","payload":{}}""", token: root)).Status);
    }
}
