using System.Globalization;
using EventDbx.Server.Checkpoints;

namespace EventDbx.Server.Rest;

/// <summary>What the log says about itself to those outside: checkpoints, their consistency, tiles. Nothing here shows content.</summary>
internal static class LogRoutes
{
    /// <summary>The value of <c>wait</c>: for a checkpoint that covers everything that was acknowledged before the request.</summary>
    const string WaitForCheckpoint = "checkpoint";

    public static async Task CheckpointAsync(RestCall call)
    {
        var note = Waits(call)
            ? await CoveringAsync(call, call.Host.Database.LogSize).ConfigureAwait(false)
            : await call.Session.ReadCheckpointAsync(0, call.Cancellation).ConfigureAwait(false);
        // The newest one: whoever keeps it keeps a copy, and asks again.
        call.Http.Response.Headers.CacheControl = "no-store";
        await SendAsync(call, note.ToString()).ConfigureAwait(false);
    }

    public static Task KeyAsync(RestCall call) => SendAsync(call, call.Session.ReadLogKey() + "\n");

    public static Task ConsistencyAsync(RestCall call) =>
        Answer.OneAsync(call.Http, call.Session.ProveLog(Needed(call.Query, "from", "the entries of the older checkpoint"), call.Query.Number("to")), ProofJson.Write);

    public static Task TileAsync(RestCall call)
    {
        call.Session.DemandLogProofs();
        var segments = call.Tail(3);
        if (!TilePath.TryParse(segments[0], segments[1..], out var tile))
        {
            throw new RefusedException(
                RefusalCode.InvalidArgument,
                $"`{Shown.Of(string.Join('/', segments.ToArray()))}` is no tile. A tile is its level from 0 to {TilePath.Levels - 1}, and its index in groups of three digits, as in 0/x001/234; one that is not full has its width behind it, as in 0/x001/235.p/17.");
        }

        var bytes = call.Session.ReadTile(tile.Level, tile.Index, tile.Width);
        // Within an epoch no leaf changes; the next epoch has another origin, and a mirror of its own.
        call.Http.Response.Headers.CacheControl = string.Create(CultureInfo.InvariantCulture, $"private, max-age={ServerLimits.ImmutableFor.TotalSeconds:0}, immutable");
        return Answer.BytesAsync(call.Http, bytes, Answer.Bytes);
    }

    /// <summary>Waits until a signed checkpoint covers an entry that was appended, for a caller who need not see it.</summary>
    public static async Task CoverAsync(RestCall call, ulong position)
    {
        call.WatchToken();
        var database = call.Host.Database;
        var note = await database.ReadCheckpointAsync(position, handOut: false, call.Cancellation).ConfigureAwait(false);
        if (call.Host.Cosigning is { } witnesses)
            await witnesses.InQuorumAsync(note, position, call.Cancellation).ConfigureAwait(false);
    }

    /// <summary>Waits for a checkpoint of that many entries, with the cosignatures that a quorum asks for.</summary>
    public static async Task<SignedNote> CoveringAsync(RestCall call, ulong size)
    {
        call.WatchToken();
        var note = await call.Session.ReadCheckpointAsync(size, call.Cancellation).ConfigureAwait(false);
        return call.Host.Cosigning is { } witnesses ? await witnesses.InQuorumAsync(note, size, call.Cancellation).ConfigureAwait(false) : note;
    }

    /// <summary>Whether the caller waits for a checkpoint.</summary>
    public static bool Waits(RestCall call) => call.Query.Text("wait") switch
    {
        null => false,
        WaitForCheckpoint => true,
        var text => throw QueryParameters.Refused("wait", text, WaitForCheckpoint),
    };

    /// <summary>A number that a proof begins with.</summary>
    public static ulong Needed(QueryParameters query, string name, string what) => query.Number(name)
        ?? throw new RefusedException(RefusalCode.InvalidArgument, $"The parameter `{name}` is missing: {what}.");

    static Task SendAsync(RestCall call, string text) => Answer.BytesAsync(call.Http, Encoding.UTF8.GetBytes(text), Answer.Text);
}
