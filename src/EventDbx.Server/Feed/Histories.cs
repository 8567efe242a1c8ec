using System.Runtime.CompilerServices;
using System.Text.Json;
using EventDbx.Access;
using EventDbx.Reading;

namespace EventDbx.Server.Feed;

/// <summary>Where the histories of two epochs part: what a cursor from before a loss, a restore, or the promotion of a mirror has still in common with what is there now.</summary>
internal static class Histories
{
    const string LossKind = "accepted_loss";

    static readonly ConditionalWeakTable<Database, Lazy<Epochs>> Found = [];

    /// <summary>A cursor that may go on from its position: of this epoch, or of an older one whose entries up to there are those of this one.</summary>
    /// <exception cref="RefusedException">
    /// <see cref="RefusalCode.CursorGone"/>: it is of another epoch, and what followed it there does not follow it here. <see cref="RefusalCode.InvalidArgument"/>: beyond the log.
    /// </exception>
    public static async Task RefuseGoneAsync(ServerHost host, FeedCursor cursor)
    {
        var database = host.Database;
        var epoch = database.Epoch;
        if (cursor.Epoch == epoch)
        {
            if (cursor.Position > database.LogSize && database.Mirror.Following is { } leader)
                throw new RefusedException(RefusalCode.Unavailable, $"`after` is {cursor}, and this mirror of '{leader}' has reached {epoch}-{database.LogSize}. Ask again when it has caught up.");
            if (cursor.Position > database.LogSize)
                throw new RefusedException(RefusalCode.InvalidArgument, $"`after` is {cursor}, and the log ends at {epoch}-{database.LogSize}. Nothing has been there yet.");
            return;
        }

        if (cursor.Epoch > epoch || cursor.Epoch == 0)
            throw Gone(cursor, $"is of an epoch that this database has not had; it is in epoch {epoch}. Was it given by another one, or before a backup was restored? Begin again at {epoch}-0.");
        var starts = await Found.GetValue(database, static key => new(() => new(key))).Value.ReadAsync(epoch).ConfigureAwait(false);
        // A restore draws its number: one in between is that of another restore, or of a leader whose entries never came here.
        if (cursor.Epoch > 1 && starts.Count > 0 && !starts.Exists(start => start.Epoch == cursor.Epoch))
            throw Gone(cursor, $"is of an epoch that this database has not had; it is in epoch {epoch}. It was given before another backup was restored, or by another node. Begin again at {epoch}-0.");
        var since = starts.FindAll(start => start.Epoch > cursor.Epoch);
        // What a mirror had when it was made the leader is what its leader had, entry for entry: there a cursor goes on. After a loss or a restore somebody has to know of it.
        if (since.Count > 0 && since.TrueForAll(start => start.Cause == Cause.Promotion && cursor.Position <= start.Kept))
            return;
        var parted = since.OrderBy(static start => start.Kept).Select(static start => (EpochOfLog?)start).FirstOrDefault();
        throw Gone(cursor, parted is not { } at
            ? $"is from before a loss that was accepted; the database is in epoch {epoch} now, and does not know where the histories part. Begin again at {epoch}-0."
            : $"is from before {NameOf(at.Cause)}. The histories part behind position {at.Kept}: " + (cursor.Position <= at.Kept
                ? $"all it has read is as it was, go on at {epoch}-{cursor.Position}."
                : $"what it has read beyond is {(at.Cause == Cause.Promotion ? "not here" : "gone")}, go on at {epoch}-{at.Kept} and read what took its place."));
    }

    static string NameOf(Cause cause) => cause switch
    {
        Cause.Loss => "a loss that was accepted",
        Cause.Restore => "a backup was restored",
        Cause.Promotion => "this database was made the leader",
    };

    static RefusedException Gone(FeedCursor cursor, string why) => new(RefusalCode.CursorGone, $"The cursor {cursor} {why}");

    enum Cause
    {
        Loss,
        Restore,
        Promotion,
    }

    /// <summary>An epoch, as the log says where it begins.</summary>
    readonly record struct EpochOfLog(uint Epoch, ulong Kept, Cause Cause);

    /// <summary>What the log tells of its epochs; read once for each that the database is in, when the first such cursor comes.</summary>
    sealed class Epochs(Database database)
    {
        readonly Lock _gate = new();
        (uint Epoch, Task<List<EpochOfLog>> Starts)? _read;

        public Task<List<EpochOfLog>> ReadAsync(uint epoch)
        {
            lock (_gate)
            {
                // One that failed is tried again.
                if (_read is not { Starts.IsFaulted: false } read || read.Epoch != epoch)
                    _read = read = (epoch, Task.Run(Search));
                return read.Starts;
            }
        }

        List<EpochOfLog> Search()
        {
            var session = database.OpenSession();
            var starts = new List<EpochOfLog>();
            // No event has an empty type, so only control entries come.
            var filter = new FeedFilter { EventType = "", IncludeControl = true };
            var end = database.LogSize;
            for (var reached = 0UL; reached < end;)
            {
                var page = session.ReadFeed(reached, Limits.PageItemsMax, filter);
                foreach (var item in page.Items)
                {
                    if (item.Control is not { Kind: LossKind or ControlKinds.Epoch } start)
                        continue;
                    using var body = JsonDocument.Parse(start.Body);
                    var cause = start.Kind == LossKind ? Cause.Loss : body.RootElement.GetProperty("cause").ValueEquals("restore"u8) ? Cause.Restore : Cause.Promotion;
                    starts.Add(new(body.RootElement.GetProperty("epoch").GetUInt32(), body.RootElement.GetProperty("kept").GetUInt64(), cause));
                }

                reached = page.ReachedPosition;
            }

            return starts;
        }
    }
}
