using EventDbx.Access;
using EventDbx.Checkpoints;
using EventDbx.Transfer;

namespace EventDbx;

/// <summary>Evidence: many events with their proofs under one checkpoint.</summary>
public sealed partial class Session
{
    /// <summary>Begins a bundle of what is synced by now, under a checkpoint that covers it. What is appended meanwhile is no part of it.</summary>
    /// <param name="request">Of what. By name, every aggregate must be readable, with every field; of a filter, what this caller may not read is left out.</param>
    /// <param name="cancellation">Ends the wait for the checkpoint.</param>
    /// <returns>Holds a view of the store until it is disposed.</returns>
    /// <exception cref="RefusedException">Not all of it may be read; the log is empty; there is no key to sign with.</exception>
    public async Task<IEvidenceReading> OpenEvidenceAsync(EvidenceRequest request, CancellationToken cancellation)
    {
        DemandEvidence(request);
        var size = _database.LogSize;
        if (request.Since is { } since && (since == 0 || since > size))
            throw new RefusedException(RefusalCode.InvalidArgument, $"There is no checkpoint of {since} entries to begin from: the log has {size}, and nothing follows from an empty one.");
        var note = await _database.ReadCheckpointAsync(size, handOut: true, cancellation).ConfigureAwait(false);
        if (!Checkpoint.TryParse(note.Text, out var checkpoint))
            throw Violation.Of("The newest checkpoint cannot be read.");
        // Opened after the checkpoint: what it covers is in there.
        var reader = new StoreReader(_database.Engine.OpenScan(), _database.Keyring, walk: true);
        try
        {
            // Before a line of it is anywhere.
            foreach (var aggregate in request.WholeLog ? [] : request.Aggregates ?? [])
            {
                var head = reader.FindHead(aggregate) ?? throw NotFound(aggregate);
                if (reader.VersionAtPosition(aggregate, head.Head.Version, checkpoint.Size) == 0)
                    throw AggregateEvidence.HasNoEvent(aggregate, checkpoint);
            }

            return request.WholeLog
                ? new LogEvidence(_database, reader, note, checkpoint, request)
                : new AggregateEvidence(_database, reader, note, checkpoint, request, Sight);
        }
        catch
        {
            reader.Dispose();
            throw;
        }
    }

    void DemandEvidence(EvidenceRequest request)
    {
        if (request.WholeLog)
        {
            Demand(AccessAction.FeedRead);
            Demand(AccessAction.LogRead);
            if (Sight.HidesAnything)
                throw new RefusedException(RefusalCode.PermissionDenied, "Schemas hide fields or types here, and this token is not shown them: evidence of the whole log is for root tokens and the owner.");
            return;
        }

        Demand(AccessAction.AggregateRead);
        foreach (var aggregate in request.Aggregates ?? [])
            DemandWhole(aggregate);
        if ((CheckText("type", request.Filter.Type) ?? CheckText("id_prefix", request.Filter.IdPrefix)) is { } refusal)
            throw new RefusedException(refusal);
    }
}
