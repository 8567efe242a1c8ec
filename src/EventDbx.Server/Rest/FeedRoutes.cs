using System.Buffers;
using EventDbx.Reading;
using EventDbx.Server.Feed;

namespace EventDbx.Server.Rest;

/// <summary>The feed: events of all aggregates in the order of their commit, by pages; <see cref="FeedStream"/> is the same without an end.</summary>
internal static class FeedRoutes
{
    public static async Task ReadAsync(RestCall call)
    {
        var (query, database) = (call.Query, call.Host.Database);
        var (control, salt) = Included(query.Text("include"));
        var filter = new FeedFilter
        {
            AggregateType = query.Text("type"), EventType = query.Text("event_type"),
            IncludeControl = control, WithSalts = salt,
        };
        if (FeedStream.IsWanted(call.Http.Request))
        {
            await FeedStream.RunAsync(call, filter).ConfigureAwait(false);
            return;
        }

        if (call.Http.Request.Headers.ContainsKey(FeedStream.ResumeHeader))
            throw new RefusedException(RefusalCode.InvalidArgument, $"{FeedStream.ResumeHeader} resumes a stream, which is asked for with `Accept: {FeedStream.MediaType}`; a page is asked for with `after`.");
        var after = FeedCursor.Parse(query.Text("after") ?? "0", database.Epoch);
        var take = query.Take(call.Config.PageLimit, call.Config.PageLimit);
        // Who may not read the feed is told so, and not how long it is.
        call.Session.ReadFeed(0, 0, filter);
        await Histories.RefuseGoneAsync(call.Host, after).ConfigureAwait(false);
        var page = call.Session.ReadFeed(after.Position, take, filter);
        var end = page.ReachedPosition >= database.LogSize;
        using var answer = new Answer(call.Http);
        answer.Output.Write("{\"items\":["u8);
        await answer.WriteListAsync(page.Items, (output, item) => WriteItem(output, item, database.Epoch, salt)).ConfigureAwait(false);
        answer.Output.Write("],\"cursor\":"u8);
        RecordJson.WriteText(answer.Output, new FeedCursor(database.Epoch, page.ReachedPosition).ToString());
        answer.Output.Write(end ? ",\"end\":true}"u8 : ",\"end\":false}"u8);
        await answer.EndAsync().ConfigureAwait(false);
    }

    static (bool Control, bool Salt) Included(string? text)
    {
        var (control, salt) = (false, false);
        foreach (var name in text?.Split(',') ?? [])
        {
            (control, salt) = name switch
            {
                "control" when !control => (true, salt),
                "salt" when !salt => (control, true),
                _ => throw QueryParameters.Refused("include", text!, "control, salt, or both with a comma between them"),
            };
        }

        return (control, salt);
    }

    /// <summary>An event or a control entry, with the cursor that goes on behind it.</summary>
    public static void WriteItem(IBufferWriter<byte> output, FeedItem item, uint epoch, bool withSalt)
    {
        output.Write("{\"cursor\":"u8);
        RecordJson.WriteText(output, new FeedCursor(epoch, item.Position).ToString());
        if (item.Event is { } record)
        {
            output.Write(",\"event\":"u8);
            RecordJson.WriteRecord(output, record, withSalt);
        }
        else
        {
            output.Write(",\"control\":"u8);
            RecordJson.WriteControl(output, item.Control!);
        }

        output.Write("}"u8);
    }
}
