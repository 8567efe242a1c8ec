using System.Buffers;
using Microsoft.AspNetCore.Http;

namespace EventDbx.Server.Rest;

/// <summary>Snapshots: taken, and listed.</summary>
internal static class SnapshotRoutes
{
    public static async Task TakeAsync(RestCall call)
    {
        var (fields, typed) = AggregateRoutes.Shape(call.Query);
        var comment = AppendRequests.ReadComment(call.Body);
        var snapshot = await call.Session.SnapshotAsync(call.Aggregate, comment, call.Cancellation).ConfigureAwait(false);
        await Answer.OneAsync(
            call.Http, snapshot, (output, taken) => SnapshotJson.Write(output, taken, typed, fields), StatusCodes.Status201Created).ConfigureAwait(false);
    }

    public static async Task ListAsync(RestCall call)
    {
        var query = call.Query;
        var (fields, typed) = AggregateRoutes.Shape(query);
        var after = query.Text("cursor") is { } cursor ? Cursors.ReadSnapshots(cursor) : null;
        var page = call.Session.GetSnapshots(call.Aggregate, after, query.Take(call.Config.PageLimit, call.Config.PageLimit));
        if (page.Next is { } next)
            call.Http.Response.Headers["X-Next-Cursor"] = Cursors.OfSnapshots(next);
        using var answer = new Answer(call.Http);
        answer.Output.Write("["u8);
        await answer.WriteListAsync(page.Items, (output, item) => SnapshotJson.Write(output, item, typed, fields)).ConfigureAwait(false);
        answer.Output.Write("]"u8);
        await answer.EndAsync().ConfigureAwait(false);
    }
}
