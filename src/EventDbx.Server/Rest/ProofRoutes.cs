namespace EventDbx.Server.Rest;

/// <summary>Proofs about one aggregate, for whoever checks them without this server. Source: docs/proofs.md.</summary>
internal static class ProofRoutes
{
    public static async Task EventAsync(RestCall call)
    {
        var receipt = await call.Session.ProveEventAsync(
            call.Aggregate, EventRoutes.VersionOf(call), call.Query.Number("size"), call.Cancellation).ConfigureAwait(false);
        await Answer.OneAsync(call.Http, receipt, ProofJson.Write).ConfigureAwait(false);
    }

    public static async Task AggregateAsync(RestCall call)
    {
        var proof = await call.Session.ProveAggregateAsync(
            call.Aggregate, LogRoutes.Needed(call.Query, "from", "the version whose root is known"), call.Query.Number("to"), call.Cancellation).ConfigureAwait(false);
        await Answer.OneAsync(call.Http, proof, ProofJson.Write).ConfigureAwait(false);
    }
}
