using EventDbx.Protocol;
using EventDbx.Reading;
using EventDbx.Server.Rest;

namespace EventDbx.Server.Grpc;

/// <summary>States, events, lists, and the life of an aggregate.</summary>
internal static class AggregateCalls
{
    public static Task<ListAggregatesResponse> ListAsync(GrpcCall call, ListAggregatesRequest request, CancellationToken cancellation)
    {
        RefuseBoth(request.Skip, request.HasCursor);
        var fields = Shapes.Fields(request.HasFields, request.Fields);
        var filter = new AggregateFilter
        {
            Type = request.HasAggregateType ? request.AggregateType : null, IdPrefix = request.HasIdPrefix ? request.IdPrefix : null,
            Archived = request.HasArchived ? request.Archived : null,
        };
        var page = call.Session.GetAggregates(
            filter, request.HasCursor ? Cursors.ReadAggregates(request.Cursor) : null, request.Skip,
            Shapes.Take(request.Take, call.Config.ListPageSize, call.Config.PageLimit), withState: true, Shapes.Time(request.HasAt, request.At), cancellation);
        var answer = new ListAggregatesResponse();
        foreach (var state in page.Items)
            answer.Aggregates.Add(Shapes.Aggregate(state, request.Typed, fields));
        if (page.Next is { } next)
            answer.NextCursor = Cursors.OfAggregates(next);
        return Task.FromResult(answer);
    }

    public static Task<GetAggregateResponse> GetAsync(GrpcCall call, GetAggregateRequest request, CancellationToken cancellation)
    {
        if (request.HasVersion && request.HasAt)
            throw new RefusedException(RefusalCode.InvalidArgument, "`version` and `at` both say when; give one of them.");
        var (fields, at) = (Shapes.Fields(request.HasFields, request.Fields), Shapes.Time(request.HasAt, request.At));
        var aggregate = AggregateKey.Create(request.AggregateType, request.AggregateId);
        var state = request.HasVersion ? call.Session.GetAggregate(aggregate, request.Version)
            : at is { } time ? call.Session.GetAggregate(aggregate, time)
            : call.Session.GetAggregate(aggregate);
        return Task.FromResult(new GetAggregateResponse { Aggregate = Shapes.Aggregate(state, request.Typed, fields) });
    }

    public static Task<ListEventsResponse> ListEventsAsync(GrpcCall call, ListEventsRequest request, CancellationToken cancellation)
    {
        RefuseBoth(request.Skip, request.HasCursor);
        var page = call.Session.GetEvents(
            AggregateKey.Create(request.AggregateType, request.AggregateId),
            request.HasCursor ? Cursors.ReadEvents(request.Cursor) : (ulong)request.Skip + 1,
            Shapes.Take(request.Take, call.Config.PageLimit, call.Config.PageLimit));
        var answer = new ListEventsResponse();
        foreach (var record in page.Items)
            answer.Events.Add(Shapes.Event(record));
        if (page.NextVersion is { } next)
            answer.NextCursor = Cursors.OfEvents(next);
        return Task.FromResult(answer);
    }

    public static Task<GetEventResponse> GetEventAsync(GrpcCall call, GetEventRequest request, CancellationToken cancellation) =>
        Task.FromResult(new GetEventResponse { Event = Shapes.Event(call.Session.GetEvent(AggregateKey.Create(request.AggregateType, request.AggregateId), request.Version)) });

    public static async Task<VerifyAggregateResponse> VerifyAsync(GrpcCall call, VerifyAggregateRequest request, CancellationToken cancellation)
    {
        var level = request.Level switch
        {
            Protocol.VerifyLevel.Full => Verification.VerifyLevel.Full,
            Protocol.VerifyLevel.Quick => Verification.VerifyLevel.Quick,
            var other => throw new RefusedException(RefusalCode.InvalidArgument, $"`level` is {(int)other}; it takes VERIFY_LEVEL_FULL (0) or VERIFY_LEVEL_QUICK (1)."),
        };
        var watch = call.WatchToken(cancellation);
        try
        {
            var result = await call.Session.VerifyAsync(AggregateKey.Create(request.AggregateType, request.AggregateId), level, watch?.Ended ?? cancellation).ConfigureAwait(false);
            return new() { MerkleRoot = result.MerkleRoot.ToString(), Version = result.Version, Archived = result.Archived, EventsChecked = result.EventsChecked };
        }
        finally
        {
            call.Withdrawn = watch?.Refused;
            if (watch is not null)
                await watch.DisposeAsync().ConfigureAwait(false);
        }
    }

    public static async Task<CreateAggregateResponse> CreateAsync(GrpcCall call, CreateAggregateRequest request, CancellationToken cancellation) => new()
    {
        Aggregate = Shapes.Aggregate(await call.Session.CreateAsync(
            AggregateKey.Create(request.AggregateType, request.AggregateId), request.HasComment ? request.Comment : null, cancellation).ConfigureAwait(false)),
    };

    public static async Task<RemoveAggregateResponse> RemoveAsync(GrpcCall call, RemoveAggregateRequest request, CancellationToken cancellation)
    {
        await call.Session.RemoveAsync(AggregateKey.Create(request.AggregateType, request.AggregateId), cancellation).ConfigureAwait(false);
        return new();
    }

    public static async Task<ArchiveAggregateResponse> ArchiveAsync(GrpcCall call, ArchiveAggregateRequest request, CancellationToken cancellation) => new()
    {
        Aggregate = Shapes.Aggregate(await call.Session.ArchiveAsync(
            AggregateKey.Create(request.AggregateType, request.AggregateId), request.HasComment ? request.Comment : null, cancellation).ConfigureAwait(false)),
    };

    public static async Task<RestoreAggregateResponse> RestoreAsync(GrpcCall call, RestoreAggregateRequest request, CancellationToken cancellation) => new()
    {
        Aggregate = Shapes.Aggregate(await call.Session.RestoreAsync(
            AggregateKey.Create(request.AggregateType, request.AggregateId), request.HasComment ? request.Comment : null, cancellation).ConfigureAwait(false)),
    };

    public static async Task<CreateSnapshotResponse> CreateSnapshotAsync(GrpcCall call, CreateSnapshotRequest request, CancellationToken cancellation)
    {
        var fields = Shapes.Fields(request.HasFields, request.Fields);
        var snapshot = await call.Session.SnapshotAsync(
            AggregateKey.Create(request.AggregateType, request.AggregateId), request.HasComment ? request.Comment : null, cancellation).ConfigureAwait(false);
        return new() { Snapshot = Shapes.Snapshot(snapshot, request.Typed, fields) };
    }

    public static Task<ListSnapshotsResponse> ListSnapshotsAsync(GrpcCall call, ListSnapshotsRequest request, CancellationToken cancellation)
    {
        var fields = Shapes.Fields(request.HasFields, request.Fields);
        var page = call.Session.GetSnapshots(
            AggregateKey.Create(request.AggregateType, request.AggregateId), request.HasCursor ? Cursors.ReadSnapshots(request.Cursor) : null,
            Shapes.Take(request.Take, call.Config.PageLimit, call.Config.PageLimit));
        var answer = new ListSnapshotsResponse();
        foreach (var snapshot in page.Items)
            answer.Snapshots.Add(Shapes.Snapshot(snapshot, request.Typed, fields));
        if (page.Next is { } next)
            answer.NextCursor = Cursors.OfSnapshots(next);
        return Task.FromResult(answer);
    }

    static void RefuseBoth(uint skip, bool cursor)
    {
        if (skip > 0 && cursor)
            throw new RefusedException(RefusalCode.InvalidArgument, "`skip` and `cursor` both say where the page begins; give one of them.");
    }
}
