using EventDbx.Mirroring;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.Feed;

/// <summary>Cursors of one history, told to a server that has another one.</summary>
public sealed class HistoriesTests
{
    [Fact]
    public async Task A_cursor_of_the_old_leader_is_gone_where_the_promoted_mirror_parts_from_it()
    {
        await using var leader = new RestServer();
        await leader.InitializeAsync();
        await leader.AppendAsync("a", "1", "e", "{}");
        await using var mirror = new RestServer(static options => options with { Follow = "berlin" });
        await mirror.StartAsync();
        var page = leader.Host.Database.ReadLog(0, int.MaxValue);
        var kept = page.End.Size;
        await mirror.Host.Database.Mirror.BeginAsync(new("berlin", "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo"), page.End, page.RootBefore, default);
        await mirror.Host.Database.Mirror.ApplyAsync(page, default);
        await leader.AppendAsync("a", "1", "e", "{}");
        var root = await mirror.IssueAsync(new() { Group = "ops", User = "root", Root = true, TtlSeconds = 0 });
        Assert.Equal((200, 409), ((await mirror.GetAsync($"/v1/events?after=1-{kept}", root)).Status, (await mirror.SendAsync("POST", "/v1/events", """{"aggregate_type":"a","aggregate_id":"1","event_type":"e","payload":{}}""", token: root)).Status));

        await mirror.Host.Database.Mirror.PromoteAsync(null, null, default);

        var within = await mirror.GetAsync($"/v1/events?after=1-{kept - 1}", root);
        Assert.Equal((410, "cursor_gone"), (within.Status, within.Code));
        Assert.Contains("made the leader", within.Body, StringComparison.Ordinal);
        Assert.Contains($"go on at 2-{kept - 1}.", within.Body, StringComparison.Ordinal);
        var beyond = await mirror.GetAsync($"/v1/events?after=1-{kept + 1}", root);
        Assert.Contains($"part behind position {kept}: what it has read beyond is not here, go on at 2-{kept} ", beyond.Body, StringComparison.Ordinal);
        Assert.Equal(200, (await mirror.GetAsync($"/v1/events?after=2-{kept}", root)).Status);
        Assert.Equal(200, (await leader.GetAsync($"/v1/events?after=1-{kept + 1}")).Status);
        Assert.Equal(200, (await mirror.SendAsync("POST", "/v1/events", """{"aggregate_type":"a","aggregate_id":"1","event_type":"e","payload":{}}""", token: root)).Status);
    }
}
