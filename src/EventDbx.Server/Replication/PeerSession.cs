using EventDbx.Protocol.CapnProto;

namespace EventDbx.Server.Replication;

/// <summary>One session, as who was dialled has it: request, answer, request, answer, as long as the peer may.</summary>
/// <param name="channel">To a peer that has proven its key.</param>
/// <param name="key">That key.</param>
/// <param name="peers">Who may do what, now.</param>
/// <param name="replica">Ours.</param>
internal sealed class PeerSession(PeerChannel channel, PeerKey key, PeerBook peers, IReplica replica)
{
    /// <summary>Requests that were answered, refusals among them.</summary>
    public long Requests { get; private set; }

    /// <summary>Serves until the peer is done, says nothing, may not come any more, or <paramref name="closing"/>.</summary>
    /// <param name="closing">No further request is read: the server stops.</param>
    /// <param name="gone">Nobody is there to take an answer.</param>
    /// <exception cref="IOException">The connection is gone, or the peer is too slow.</exception>
    /// <exception cref="MessageException">It says something that is no message.</exception>
    public async Task ServeAsync(CancellationToken closing, CancellationToken gone)
    {
        channel.Trust();
        while (true)
        {
            channel.Patience = ServerLimits.SessionQuietTimeout;
            MessageReader? request;
            using (var ended = CancellationTokenSource.CreateLinkedTokenSource(closing, gone))
                request = await channel.ReadAsync(ended.Token).ConfigureAwait(false);
            if (request is null)
                return;
            channel.Patience = ServerLimits.SessionAnswerTimeout;
            var goesOn = await AnswerAsync(request, closing, gone).ConfigureAwait(false);
            Requests++;
            if (!goesOn)
                return;
        }
    }

    async Task<bool> AnswerAsync(MessageReader request, CancellationToken closing, CancellationToken gone)
    {
        // Asked anew each time: what `remote deny` takes away is gone with the next request.
        var peer = peers.Find(key);
        Func<MessageWriter, ReadOnlyMemory<byte>> answer;
        try
        {
            if (peer is null)
                throw new RefusedException(RefusalCode.PermissionDenied, "The key of this node is not allowed here any more.");
            var kind = ReplicationFrames.KindOfRequest(request);
            Demand(peer, kind);
            using var given = CancellationTokenSource.CreateLinkedTokenSource(closing, gone);
            answer = await ReplicaAnswers.ToAsync(kind, request, replica, given.Token).ConfigureAwait(false);
        }
        catch (RefusedException refused)
        {
            answer = Refusal(refused.Refusal);
        }
        catch (MessageException malformed)
        {
            answer = Refusal(new(RefusalCode.InvalidArgument, $"The request is malformed: {malformed.Message}"));
        }
        catch (OperationCanceledException) when (closing.IsCancellationRequested)
        {
            answer = Refusal(new(RefusalCode.Unavailable, "The server is stopping. Try again in a moment."));
        }

        try
        {
            await channel.WriteAsync(answer, gone).ConfigureAwait(false);
        }
        catch (RefusedException tooLarge)
        {
            await channel.WriteAsync(Refusal(tooLarge.Refusal), gone).ConfigureAwait(false);
        }

        return peer is not null;
    }

    static Func<MessageWriter, ReadOnlyMemory<byte>> Refusal(Refusal refusal)
    {
        var wire = WireRecords.Of(refusal);
        return message => ReplicationFrames.WriteRefusal(message, wire);
    }

    /// <summary>Whether the peer may ask this, before more of it is looked at.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.PermissionDenied"/>.</exception>
    static void Demand(KnownPeer peer, ReplicationRequestKind kind)
    {
        var (allowed, right) = kind switch
        {
            ReplicationRequestKind.ApplyEvents or ReplicationRequestKind.ApplyMarks or ReplicationRequestKind.ApplySchemas => (peer.Push, "--push"),
            ReplicationRequestKind.PullEvents or ReplicationRequestKind.PullEventsOf or ReplicationRequestKind.FindMarks or ReplicationRequestKind.PullLog => (peer.Pull, "--pull"),
            // Whoever pushes compares first: where the aggregates stand, and the schemas.
            ReplicationRequestKind.Identify or ReplicationRequestKind.ListPositions or ReplicationRequestKind.ListPositionPage or ReplicationRequestKind.FindRoots
                or ReplicationRequestKind.PullSchemas => (peer.Push || peer.Pull, "--push or --pull"),
        };
        if (!allowed)
        {
            throw new RefusedException(RefusalCode.PermissionDenied,
                $"The peer '{Rest.Shown.Of(peer.Name)}' may not do that here: it takes `dbx remote allow` with {right} on the other node. It may {(peer.Push ? "push" : "pull")}.");
        }
    }
}
