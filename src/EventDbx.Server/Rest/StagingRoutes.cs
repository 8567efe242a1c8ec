using System.Buffers;
using EventDbx.Staging;
using Microsoft.AspNetCore.Http;

namespace EventDbx.Server.Rest;

/// <summary>Appends that wait, and are committed together.</summary>
internal static class StagingRoutes
{
    public static async Task StageAsync(RestCall call)
    {
        var staged = await call.Session.StageAsync(AppendRequests.ReadOne(call.Body), call.Cancellation).ConfigureAwait(false);
        await Answer.OneAsync(call.Http, staged, StagedJson.Write, StatusCodes.Status201Created).ConfigureAwait(false);
    }

    public static async Task ListAsync(RestCall call)
    {
        using var answer = new Answer(call.Http);
        answer.Output.Write("["u8);
        await answer.WriteListAsync(call.Session.GetStaged(), StagedJson.Write).ConfigureAwait(false);
        answer.Output.Write("]"u8);
        await answer.EndAsync().ConfigureAwait(false);
    }

    public static Task UnstageAsync(RestCall call)
    {
        var text = call.Segment(2, "The event id in the path");
        return EventIds.TryParse(text, out var id, out var refusal)
            ? UnstageAsync(call, id)
            : throw new RefusedException(refusal with { Message = $"The event id in the path: {refusal.Message}" });
    }

    public static Task UnstageAllAsync(RestCall call) => UnstageAsync(call, null);

    public static async Task CommitAsync(RestCall call)
    {
        var results = await call.Session.CommitStagedAsync(call.Cancellation).ConfigureAwait(false);
        await EventRoutes.ShowAsync(call, results).ConfigureAwait(false);
    }

    static async Task UnstageAsync(RestCall call, Guid? id)
    {
        var taken = await call.Session.UnstageAsync(id, call.Cancellation).ConfigureAwait(false);
        await Answer.OneAsync(call.Http, taken, static (output, count) =>
        {
            output.Write("{\"unstaged\":"u8);
            RecordJson.WriteNumber(output, (ulong)count);
            output.Write("}"u8);
        }).ConfigureAwait(false);
    }
}
