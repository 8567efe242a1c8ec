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

    [Fact]
    public async Task A_cursor_from_before_a_restore_is_gone_and_told_where_to_go_on_and_so_is_one_of_another_restore()
    {
        await using var server = new RestServer();
        await server.InitializeAsync();
        for (var i = 0; i < 4; i++)
            await server.AppendAsync("a", "1", "e", "{}");
        using var copy = new TemporaryDirectory();
        var (id, size, root) = (server.Host.Database.DatabaseId, server.Host.Database.LogSize, server.Host.Database.LogRoot);
        await server.Host.DisposeAsync();
        Copy(server.DataDir, copy.Path);

        var first = await RestoreAsync(3);
        await server.StartAsync();
        foreach (var (cursor, on) in ((string, string)[])[("1-2", $"go on at {first}-2"), ("1-3", $"go on at {first}-3"), ("1-5", $"go on at {first}-3 and read what took its place"), ("1-0", $"go on at {first}-0")])
        {
            var gone = await server.GetAsync($"/v1/events?after={cursor}");
            Assert.Equal((410, "cursor_gone"), (gone.Status, gone.Code));
            Assert.Contains("a backup was restored. The histories part behind position 3", gone.Body, StringComparison.Ordinal);
            Assert.Contains(on, gone.Body, StringComparison.Ordinal);
        }

        foreach (var never in (ulong[])[first - 1, first + 1, 2])
        {
            if (never == 1 || never == first)
                continue;
            var gone = await server.GetAsync($"/v1/events?after={never}-2");
            Assert.Equal((410, "cursor_gone"), (gone.Status, gone.Code));
            Assert.Contains($"Begin again at {first}-0", gone.Body, StringComparison.Ordinal);
        }

        await server.AppendAsync("a", "1", "other", "{}");
        var on3 = await server.GetAsync($"/v1/events?after={first}-3&include=control");
        Assert.Equal((200, $"{first}-4"), (on3.Status, on3.Json.GetProperty("items")[0].GetProperty("cursor").GetString()));
        var reached = on3.Json.GetProperty("cursor").GetString();
        await server.Host.DisposeAsync();

        // The same backup once more: what was handed out since the first time is of a history that is not here any more.
        var second = await RestoreAsync(null);
        Assert.True(second > first);
        await server.StartAsync();
        Assert.Equal((410, "cursor_gone"), (await server.GetAsync($"/v1/events?after={reached}")) is var again ? (again.Status, again.Code) : default);
        Assert.Equal(200, (await server.GetAsync($"/v1/events?after={second}-{size}")).Status);

        async Task<ulong> RestoreAsync(ulong? position)
        {
            var options = new DatabaseOptions { Directory = server.DataDir, Encrypted = false, Clock = server.Clock };
            using var restore = EventDbx.Recovery.StoreRestore.Begin(options);
            Copy(copy.Path, restore.Unpacked);
            var report = restore.Prepare(
                new() { From = restore.Unpacked, DatabaseId = id, Epoch = 1, LogSize = size, LogRoot = root, ToPosition = position, Pieces = ["tokens.json"] }, options, null, TestContext.Current.CancellationToken);
            restore.Commit(["tokens.json"], null, keepOld: false);
            await restore.OpenAsync(options);
            return report.Epoch;
        }

        static void Copy(string from, string to)
        {
            Directory.CreateDirectory(Path.Combine(to, "event_store"));
            foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories).Where(file => Path.GetDirectoryName(Path.GetRelativePath(from, file)) is "" or "event_store"))
                File.Copy(file, Path.Combine(to, Path.GetRelativePath(from, file)), overwrite: true);
        }
    }
}
