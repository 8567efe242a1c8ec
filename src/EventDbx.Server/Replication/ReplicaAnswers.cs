using EventDbx.Integrity;
using EventDbx.Protocol.CapnProto;

namespace EventDbx.Server.Replication;

/// <summary>From a request of a session to its answer, by what the database says.</summary>
internal static class ReplicaAnswers
{
    /// <summary>Carries a request out.</summary>
    /// <param name="kind">Which.</param>
    /// <param name="request">All of it.</param>
    /// <param name="replica">Ours.</param>
    /// <param name="cancellation">Gives up what only looks. What writes is carried through once it has begun: it is history then, answered or not.</param>
    /// <returns>Writes the answer.</returns>
    /// <exception cref="RefusedException">The request is refused.</exception>
    /// <exception cref="MessageException">It is malformed.</exception>
    public static async Task<Func<MessageWriter, ReadOnlyMemory<byte>>> ToAsync(ReplicationRequestKind kind, MessageReader request, IReplica replica, CancellationToken cancellation)
    {
        switch (kind)
        {
            case ReplicationRequestKind.Identify:
                var end = WireRecords.Of(await replica.IdentifyAsync(cancellation).ConfigureAwait(false));
                return message => ReplicationFrames.WriteLogEnd(message, end);
            case ReplicationRequestKind.ListPositions:
                var all = await ListAllAsync(replica, cancellation).ConfigureAwait(false);
                return message => ReplicationFrames.WritePositions(message, all, more: false);
            case ReplicationRequestKind.ListPositionPage:
                var page = await ListPageAsync(ReplicationFrames.ReadPositionQuestion(request), replica, cancellation).ConfigureAwait(false);
                WirePosition[] positions = [.. page.Positions.Select(WireRecords.Of)];
                return message => ReplicationFrames.WritePositions(message, positions, page.More);
            case ReplicationRequestKind.FindRoots:
                var found = await replica.FindRootsAsync(PlacesOf(ReplicationFrames.ReadRootsQuestion(request)), cancellation).ConfigureAwait(false);
                ReadOnlyMemory<byte>[] roots = [.. found.Select(static root => root is { } there ? WireRecords.Of(there) : default)];
                return message => ReplicationFrames.WriteRoots(message, roots);
            case ReplicationRequestKind.PullEvents:
                var (from, limit) = ReplicationFrames.ReadEventsQuestion(request);
                return Events(await replica.PullEventsAsync(WireRecords.Read(from.Aggregate), from.Version, LimitOf(limit), cancellation).ConfigureAwait(false));
            case ReplicationRequestKind.PullEventsOf:
                var (places, limitOfAll) = ReplicationFrames.ReadEventsOfQuestion(request);
                return Events(await replica.PullEventsAsync(PlacesOf(places), LimitOf(limitOfAll), cancellation).ConfigureAwait(false));
            case ReplicationRequestKind.ApplyEvents:
                var (sequence, sent) = ReplicationFrames.ReadApply(request);
                var appended = (uint)await replica.ApplyEventsAsync(WireRecords.Read(sent), CancellationToken.None).ConfigureAwait(false);
                return message => ReplicationFrames.WriteApplied(message, sequence, appended);
            case ReplicationRequestKind.FindMarks:
                var marks = await replica.FindMarksAsync(WireRecords.Read(ReplicationFrames.ReadMarksQuestion(request)), cancellation).ConfigureAwait(false);
                var wire = marks is null ? null : WireRecords.Of(marks);
                return message => ReplicationFrames.WriteMarks(message, wire);
            case ReplicationRequestKind.ApplyMarks:
                var changed = await replica.ApplyMarksAsync(WireRecords.Read(ReplicationFrames.ReadApplyMarks(request)), CancellationToken.None).ConfigureAwait(false);
                return message => ReplicationFrames.WriteMarksApplied(message, changed);
            case ReplicationRequestKind.PullSchemas:
                var schemas = await replica.PullSchemasAsync(cancellation).ConfigureAwait(false);
                return message => ReplicationFrames.WriteSchemas(message, schemas.Span);
            case ReplicationRequestKind.ApplySchemas:
                var (json, merge) = ReplicationFrames.ReadApplySchemas(request);
                var types = (uint)await replica.ApplySchemasAsync(json, replace: !merge, CancellationToken.None).ConfigureAwait(false);
                return message => ReplicationFrames.WriteSchemasApplied(message, types);
            case ReplicationRequestKind.PullLog:
                var (after, milliseconds) = ReplicationFrames.ReadLogQuestion(request);
                var wait = TimeSpan.FromMilliseconds(milliseconds);
                var log = WireRecords.Of(await replica.PullLogAsync(after, wait < ServerLimits.ReplicaLogWaitMax ? wait : ServerLimits.ReplicaLogWaitMax, cancellation).ConfigureAwait(false));
                return message => ReplicationFrames.WriteLogPage(message, log);
            default:
                throw new MessageException($"Request {(int)kind} is none that this version knows.");
        }
    }

    static Func<MessageWriter, ReadOnlyMemory<byte>> Events(IReadOnlyList<EventRecord> records)
    {
        var wire = WireRecords.Of(records);
        return message => ReplicationFrames.WriteEvents(message, wire);
    }

    static Task<PositionPage> ListPageAsync(WirePositionQuestion question, IReplica replica, CancellationToken cancellation)
    {
        if (question.Types.Count + question.Aggregates.Count is var names && names > ServerLimits.SessionFilterMax)
            throw new RefusedException(RefusalCode.LimitExceeded, $"{names} types and aggregates are named; at most {ServerLimits.SessionFilterMax} are. Transfer them in several runs.");
        if (question.Take is 0 or > Limits.PageItemsMax)
            throw new RefusedException(RefusalCode.InvalidArgument, $"A page has 1 to {Limits.PageItemsMax} positions, not {question.Take}.");
        var filter = new ReplicaFilter { Types = question.Types, Aggregates = [.. question.Aggregates.Select(static one => WireRecords.Read(one))] };
        return replica.ListPositionsAsync(filter, question.After is { } after ? WireRecords.Read(after) : null, (int)question.Take, cancellation);
    }

    /// <summary>All of them at once, as the reference asks: within what one answer may be.</summary>
    static async Task<IReadOnlyList<WirePosition>> ListAllAsync(IReplica replica, CancellationToken cancellation)
    {
        List<WirePosition> all = [];
        AggregateKey? after = null;
        for (var more = true; more;)
        {
            var page = await replica.ListPositionsAsync(ReplicaFilter.All, after, Limits.PageItemsMax, cancellation).ConfigureAwait(false);
            all.AddRange(page.Positions.Select(WireRecords.Of));
            if (all.Count > ServerLimits.SessionFilterMax)
                throw new RefusedException(RefusalCode.LimitExceeded, $"There are more than {ServerLimits.SessionFilterMax} aggregates; ask for them by pages (request {(int)ReplicationRequestKind.ListPositionPage}).");
            (after, more) = (page.Positions.Count > 0 ? page.Positions[^1].Aggregate : after, page.More && page.Positions.Count > 0);
        }

        return all;
    }

    static (AggregateKey Aggregate, ulong Version)[] PlacesOf(IReadOnlyList<WirePlace> asked)
    {
        if (asked.Count > Limits.PageItemsMax)
            throw new RefusedException(RefusalCode.LimitExceeded, $"{asked.Count} aggregates are asked for at once; at most {Limits.PageItemsMax} are.");
        var places = new (AggregateKey, ulong)[asked.Count];
        for (var i = 0; i < places.Length; i++)
            places[i] = (WireRecords.Read(asked[i].Aggregate), asked[i].Version);
        return places;
    }

    /// <summary>0 is as many as there may be.</summary>
    static int LimitOf(uint asked) => asked is 0 or > Limits.BatchEventsMax ? Limits.BatchEventsMax : (int)asked;
}
