using EventDbx.Encryption;
using EventDbx.Reading;
using EventDbx.Server.Tests.Rest;

namespace EventDbx.Server.Tests.Feed;

/// <summary>What a page of a stream costs.</summary>
public sealed class PageCostTests
{
    const int Events = 300, EventBytes = 16_000;

    static readonly FeedFilter s_all = new();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_page_of_a_stream_fetches_no_more_than_it_holds(bool encrypted)
    {
        await using var server = encrypted ? new RestServer(static options => options with { Encrypted = true, Key = DataKey.Generate() }) : new RestServer();
        await server.InitializeAsync();
        var filler = new string('x', EventBytes);
        var events = string.Join(',', Enumerable.Range(0, 30).Select(i => $$$"""{"aggregate_type":"big","aggregate_id":"b-{{{i % 3}}}","event_type":"grew","payload":{"text":"{{{filler}}}"}}"""));
        for (var i = 0; i < Events; i++)
            await server.AppendAsync("big", $"b-{i % 3}", "grew", $$"""{"text":"{{filler}}"}""");
        var owner = server.Owner;
        owner.ReadFeed(0, ServerLimits.FeedStreamItems, s_all, ServerLimits.FeedStreamBytes);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var page = owner.ReadFeed(0, ServerLimits.FeedStreamItems, s_all, ServerLimits.FeedStreamBytes);
        var allocated = GC.GetAllocatedBytesForCurrentThread() - before;
        Assert.InRange(page.Items.Count, 4, 6);
        // As it was read, and as it was opened.
        Assert.InRange(allocated, ServerLimits.FeedStreamBytes, 4 * ServerLimits.FeedStreamBytes);

        // A batch goes beyond it, to its end and not to that of the log.
        var first = server.Host.Database.LogSize;
        Assert.Equal(200, (await server.PostAsync("/v1/events/batch", $$"""{"events":[{{events}}]}""")).Status);
        await server.AppendAsync("big", "b-0", "grew", "{}");
        page = owner.ReadFeed(first, ServerLimits.FeedStreamItems, s_all, ServerLimits.FeedStreamBytes);
        Assert.Equal((30, first + 30), (page.Items.Count, page.ReachedPosition));
        page = owner.ReadFeed(first, 1, s_all, ServerLimits.FeedStreamBytes);
        Assert.Equal((30, first + 30), (page.Items.Count, page.ReachedPosition));

        // A stream reads it in parts, one behind the other.
        var (reached, parts) = (first, 0);
        for (; reached < first + 30; parts++)
        {
            page = owner.ReadFeed(reached, ServerLimits.FeedStreamItems, s_all, ServerLimits.FeedStreamBytes, batchesWhole: false);
            Assert.InRange(page.Items.Count, 1, 6);
            Assert.Equal(Enumerable.Range(1, page.Items.Count).Select(i => reached + (ulong)i), page.Items.Select(item => item.Position));
            reached = page.ReachedPosition;
        }

        Assert.InRange(parts, 6, 8);
        page = owner.ReadFeed(first, ServerLimits.FeedStreamItems, s_all, ServerLimits.FeedStreamBytes);
        Assert.Equal((30, first + 30), (page.Items.Count, page.ReachedPosition));
        page = owner.ReadFeed(first - 1, 1, s_all, 1);
        Assert.Equal((1, first), (page.Items.Count, page.ReachedPosition));
    }
}
