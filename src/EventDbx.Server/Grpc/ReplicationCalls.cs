using EventDbx.Protocol.Replication;
using EventDbx.Transfer;
using Grpc.Core;

namespace EventDbx.Server.Grpc;

/// <summary>Takes up events from a peer: <c>POST /v1/records</c> as a stream, so that one server can be the gRPC plugin of another.</summary>
internal static class ReplicationCalls
{
    public static async Task<ReplicationAck> ApplyAsync(GrpcCall call, IAsyncStreamReader<EventBatch> batches, ServerCallContext context)
    {
        var watch = call.WatchToken(context.CancellationToken);
        try
        {
            using var ended = CancellationTokenSource.CreateLinkedTokenSource(watch?.Ended ?? context.CancellationToken, call.Host.Ending);
            return await ApplyAsync(call, batches, ended.Token).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (watch?.Refused is { } refused)
        {
            throw refused;
        }
        catch (OperationCanceledException) when (call.Host.Ending.IsCancellationRequested && !context.CancellationToken.IsCancellationRequested)
        {
            throw new RefusedException(RefusalCode.Unavailable, "The server is stopping. Batches may have been applied without an answer: send all of them again in a moment.");
        }
        finally
        {
            if (watch is not null)
                await watch.DisposeAsync().ConfigureAwait(false);
        }
    }

    static async Task<ReplicationAck> ApplyAsync(GrpcCall call, IAsyncStreamReader<EventBatch> batches, CancellationToken ended)
    {
        var session = call.Session;
        var ack = new ReplicationAck();
        while (await batches.MoveNext(ended).ConfigureAwait(false))
        {
            var batch = batches.Current;
            // A batch of a stream is in memory until it is on disk, whatever else is.
            var held = (long)batch.CalculateSize() * ServerLimits.AppendStreamCost;
            await call.AppendRoom.EnterAsync(held, ended).ConfigureAwait(false);
            try
            {
                await ApplyAsync(session, batch, ack).ConfigureAwait(false);
            }
            finally
            {
                call.AppendRoom.Give(held);
            }
        }

        return ack;
    }

    static async Task ApplyAsync(Session session, EventBatch batch, ReplicationAck ack)
    {
        if (batch.Events.Count > 0)
        {
            // Not cancelled with the call: what was taken is committed, and will be known when it is sent again.
            var records = RecordsOf(batch);
            var results = await session.ImportAsync(records, CancellationToken.None).ConfigureAwait(false);
            for (var i = 0; i < results.Count; i++)
            {
                var appended = results[i].Appended;
                ack.Known += appended ? 0UL : 1;
                ack.Appended += appended ? 1UL : 0;
                ack.Rehashed += appended && records[i].Salt.IsEmpty ? 1UL : 0;
            }
        }

        ack.AppliedSequence = batch.Sequence;
    }

    static EventImport[] RecordsOf(EventBatch batch)
    {
        if (batch.Events.Count > Limits.BatchEventsMax)
            throw new RefusedException(RefusalCode.LimitExceeded, $"The batch has {batch.Events.Count} events; at most {Limits.BatchEventsMax} are one. Send several of them.");
        var records = new EventImport[batch.Events.Count];
        for (var i = 0; i < records.Length; i++)
        {
            var sent = batch.Events[i];
            try
            {
                records[i] = ImportLine.ReadRecord(
                    AggregateKey.Create(sent.AggregateType, sent.AggregateId), sent.EventType, sent.Version, sent.Payload.Memory, sent.Metadata.Memory, sent.Hash, sent.MerkleRoot);
            }
            catch (RefusedException refused)
            {
                throw new RefusedException(refused.Refusal with { Operation = i });
            }
        }

        return records;
    }

    public static Task<HeartbeatResponse> HeartbeatAsync(GrpcCall call, HeartbeatRequest request, CancellationToken cancellation) =>
        // How much is written here is the business of who sees all of it.
        Task.FromResult(new HeartbeatResponse { AppliedSequence = call.Session.Grants.Unrestricted ? call.Host.Database.LogSize : 0 });
}
