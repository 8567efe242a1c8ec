using System.Runtime.CompilerServices;
using System.Text.Json;
using EventDbx.Reading;

namespace EventDbx.Server.Feed;

/// <summary>Where the histories of two epochs part: what a cursor from before a loss has still in common with what is there now.</summary>
internal static class Histories
{
    const string LossKind = "accepted_loss";

    static readonly ConditionalWeakTable<Database, Lazy<Task<List<(uint Epoch, ulong Kept)>>>> Found = [];

    /// <exception cref="RefusedException">
    /// <see cref="RefusalCode.CursorGone"/>: it is of another epoch. <see cref="RefusalCode.InvalidArgument"/>: beyond the log.
    /// </exception>
    public static async Task RefuseGoneAsync(ServerHost host, FeedCursor cursor)
    {
        var database = host.Database;
        if (cursor.Epoch == database.Epoch)
        {
            if (cursor.Position > database.LogSize)
                throw new RefusedException(RefusalCode.InvalidArgument, $"`after` is {cursor}, and the log ends at {database.Epoch}-{database.LogSize}. Nothing has been there yet.");
            return;
        }

        if (cursor.Epoch > database.Epoch || cursor.Epoch == 0)
            throw Gone(cursor, $"is of an epoch that this database has not had; it is in epoch {database.Epoch}. Was it given by another one?");
        var losses = await Found.GetValue(database, static key => new(() => Task.Run(() => Search(key)))).Value.ConfigureAwait(false);
        var parted = losses.Where(loss => loss.Epoch > cursor.Epoch).Select(loss => (ulong?)loss.Kept).Min();
        throw Gone(cursor, parted is not { } kept
            ? $"is from before a loss that was accepted; the database is in epoch {database.Epoch} now, and does not know where the histories part. Begin again at {database.Epoch}-0."
            : cursor.Position <= kept
                ? $"is from before a loss that was accepted. The histories part behind position {kept}: all it has read is as it was, go on at {database.Epoch}-{cursor.Position}."
                : $"is from before a loss that was accepted. The histories part behind position {kept}: what it has read beyond is gone, go on at {database.Epoch}-{kept} and read what took its place.");
    }

    static RefusedException Gone(FeedCursor cursor, string why) => new(RefusalCode.CursorGone, $"The cursor {cursor} {why}");

    /// <summary>Reads the log for the losses it tells of: once, when the first such cursor comes.</summary>
    static List<(uint Epoch, ulong Kept)> Search(Database database)
    {
        var session = database.OpenSession();
        var losses = new List<(uint, ulong)>();
        // No event has an empty type, so only control entries come.
        var filter = new FeedFilter { EventType = "", IncludeControl = true };
        var end = database.LogSize;
        for (var reached = 0UL; reached < end;)
        {
            var page = session.ReadFeed(reached, Limits.PageItemsMax, filter);
            foreach (var item in page.Items)
            {
                if (item.Control is { Kind: LossKind } loss)
                {
                    using var body = JsonDocument.Parse(loss.Body);
                    losses.Add((body.RootElement.GetProperty("epoch").GetUInt32(), body.RootElement.GetProperty("kept").GetUInt64()));
                }
            }

            reached = page.ReachedPosition;
        }

        return losses;
    }
}
