using EventDbx.Protocol;

namespace EventDbx.Server.Grpc;

/// <summary>Appends that are answered one by one.</summary>
internal static class AppendCalls
{
    public static async Task<AppendEventResponse> AppendAsync(GrpcCall call, AppendEventRequest request, CancellationToken cancellation) =>
        Shapes.Appended(await call.Session.AppendAsync(Shapes.Draft(request), cancellation).ConfigureAwait(false));

    public static async Task<AppendEventsResponse> AppendBatchAsync(GrpcCall call, AppendEventsRequest request, CancellationToken cancellation)
    {
        var drafts = new EventDraft[request.Events.Count];
        for (var i = 0; i < drafts.Length; i++)
        {
            try
            {
                drafts[i] = Shapes.Draft(request.Events[i]);
            }
            catch (RefusedException refused)
            {
                throw new RefusedException(refused.Refusal with { Operation = i });
            }
        }

        var results = await call.Session.AppendBatchAsync(drafts, cancellation).ConfigureAwait(false);
        var answer = new AppendEventsResponse();
        answer.Results.Capacity = results.Count;
        foreach (var result in results)
            answer.Results.Add(request.Minimal ? new() { Known = !result.Appended } : Shapes.Appended(result));
        return answer;
    }
}
