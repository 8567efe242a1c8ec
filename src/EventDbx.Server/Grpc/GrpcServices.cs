using EventDbx.Protocol;
using EventDbx.Protocol.Replication;
using Google.Protobuf;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Grpc.Reflection;
using HealthService = Grpc.Health.V1.Health;
using ReplicationService = EventDbx.Protocol.Replication.Replication;

namespace EventDbx.Server.Grpc;

/// <summary>Every method there is: routing, access, both names of the service and the test of credentials read this table.</summary>
/// <remarks>Bound by hand: the framework would look for the methods by reflection, which the native build does not have.</remarks>
internal sealed class GrpcServices
{
    /// <summary>The published name, and the one of the published examples: the same methods.</summary>
    public static IReadOnlyList<string> EventServices { get; } = [EventService.Descriptor.FullName, Protocol.Alias.EventService.Descriptor.FullName];

    /// <summary>What reflection shows.</summary>
    public static IReadOnlyList<ServiceDescriptor> Descriptors { get; } =
    [
        EventService.Descriptor, Protocol.Alias.EventService.Descriptor, ReplicationService.Descriptor, HealthService.Descriptor,
        global::Grpc.Reflection.V1Alpha.ServerReflection.Descriptor, global::Grpc.Reflection.V1.ServerReflection.Descriptor,
    ];

    readonly GrpcSurface _surface;
    readonly List<GrpcMethod> _methods = [];
    readonly List<ServerServiceDefinition> _definitions = [];
    ServerServiceDefinition.Builder _builder = null!;
    string _service = "";

    public GrpcServices(GrpcSurface surface, ServerHost host, TimeProvider clock)
    {
        _surface = surface;
        foreach (var service in EventServices)
            BindEvents(service);
        BindReplication(ReplicationService.Descriptor.FullName);
        var health = new HealthCalls(host, clock);
        Bind(HealthService.Descriptor, HealthService.BindService(health));
        Bind(global::Grpc.Reflection.V1Alpha.ServerReflection.Descriptor, global::Grpc.Reflection.V1Alpha.ServerReflection.BindService(new ReflectionServiceImpl(Descriptors)));
        Bind(global::Grpc.Reflection.V1.ServerReflection.Descriptor, global::Grpc.Reflection.V1.ServerReflection.BindService(new ReflectionV1ServiceImpl(Descriptors)));
    }

    public IReadOnlyList<GrpcMethod> Methods => _methods;

    public IReadOnlyList<ServerServiceDefinition> Definitions => _definitions;

    void BindEvents(string service)
    {
        (_service, _builder) = (service, ServerServiceDefinition.CreateBuilder());
        const AccessAction read = AccessAction.AggregateRead, append = AccessAction.AggregateAppend, archive = AccessAction.AggregateArchive;
        Unary("Health", null, HealthRequest.Parser, static (_, _, _) => Task.FromResult(new HealthResponse { Status = "ok" }));
        Unary("AppendEvent", append, AppendEventRequest.Parser, AppendCalls.AppendAsync);
        Unary("AppendEvents", append, AppendEventsRequest.Parser, AppendCalls.AppendBatchAsync);
        Duplex<AppendStreamRequest, AppendStreamResponse>("AppendStream", append, AppendStreamRequest.Parser, static (call, requests, answers, context) => new AppendStream(call, context).RunAsync(requests, answers));
        Stream<SubscribeRequest, SubscribeResponse>("Subscribe", AccessAction.FeedRead, SubscribeRequest.Parser, FeedCalls.SubscribeAsync);
        Unary("ListAggregates", read, ListAggregatesRequest.Parser, AggregateCalls.ListAsync);
        Unary("GetAggregate", read, GetAggregateRequest.Parser, AggregateCalls.GetAsync);
        Unary("ListEvents", read, ListEventsRequest.Parser, AggregateCalls.ListEventsAsync);
        Unary("GetEvent", read, GetEventRequest.Parser, AggregateCalls.GetEventAsync);
        Unary("VerifyAggregate", read, VerifyAggregateRequest.Parser, AggregateCalls.VerifyAsync);
        Unary("CreateAggregate", archive, CreateAggregateRequest.Parser, AggregateCalls.CreateAsync, leavesEntry: true);
        Unary("RemoveAggregate", archive, RemoveAggregateRequest.Parser, AggregateCalls.RemoveAsync, leavesEntry: true);
        Unary("ArchiveAggregate", archive, ArchiveAggregateRequest.Parser, AggregateCalls.ArchiveAsync, leavesEntry: true);
        Unary("RestoreAggregate", archive, RestoreAggregateRequest.Parser, AggregateCalls.RestoreAsync, leavesEntry: true);
        Unary("CreateSnapshot", archive, CreateSnapshotRequest.Parser, AggregateCalls.CreateSnapshotAsync, leavesEntry: true);
        Unary("ListSnapshots", read, ListSnapshotsRequest.Parser, AggregateCalls.ListSnapshotsAsync);
        _definitions.Add(_builder.Build());
    }

    void BindReplication(string service)
    {
        (_service, _builder) = (service, ServerServiceDefinition.CreateBuilder());
        Collect<EventBatch, ReplicationAck>("ApplyEvents", AccessAction.RecordsImport, EventBatch.Parser, ReplicationCalls.ApplyAsync);
        Unary("Heartbeat", AccessAction.RecordsImport, HeartbeatRequest.Parser, ReplicationCalls.HeartbeatAsync);
        _definitions.Add(_builder.Build());
    }

    /// <summary>An open service of others.</summary>
    void Bind(ServiceDescriptor service, ServerServiceDefinition definition)
    {
        foreach (var method in service.Methods)
        {
            _methods.Add(new(service.FullName, method.Name, (method.IsClientStreaming, method.IsServerStreaming) switch
            {
                (false, false) => MethodType.Unary,
                (true, false) => MethodType.ClientStreaming,
                (false, true) => MethodType.ServerStreaming,
                (true, true) => MethodType.DuplexStreaming,
            }, Access: null));
        }

        _definitions.Add(definition);
    }

    void Unary<TRequest, TAnswer>(
        string name, AccessAction? access, MessageParser<TRequest> parser, Func<GrpcCall, TRequest, CancellationToken, Task<TAnswer>> run, bool leavesEntry = false)
        where TRequest : class, IMessage<TRequest>, IRequest where TAnswer : class, IMessage<TAnswer> =>
        _builder.AddMethod(Method<TRequest, TAnswer>(name, MethodType.Unary, access, parser, leavesEntry), async (request, context) =>
        {
            var call = GrpcCall.Of(context);
            try
            {
                return await run(call, request, context.CancellationToken).ConfigureAwait(false);
            }
            catch (Exception thrown)
            {
                throw _surface.Refused(call, context, thrown);
            }
        });

    void Stream<TRequest, TAnswer>(
        string name, AccessAction? access, MessageParser<TRequest> parser, Func<GrpcCall, TRequest, IServerStreamWriter<TAnswer>, ServerCallContext, Task> run)
        where TRequest : class, IMessage<TRequest>, IRequest where TAnswer : class, IMessage<TAnswer> =>
        _builder.AddMethod(Method<TRequest, TAnswer>(name, MethodType.ServerStreaming, access, parser, leavesEntry: false), async (request, answers, context) =>
        {
            var call = GrpcCall.Of(context);
            try
            {
                await run(call, request, answers, context).ConfigureAwait(false);
            }
            catch (Exception thrown)
            {
                throw _surface.Refused(call, context, thrown);
            }
        });

    void Collect<TRequest, TAnswer>(
        string name, AccessAction? access, MessageParser<TRequest> parser, Func<GrpcCall, IAsyncStreamReader<TRequest>, ServerCallContext, Task<TAnswer>> run)
        where TRequest : class, IMessage<TRequest>, IRequest where TAnswer : class, IMessage<TAnswer> =>
        _builder.AddMethod(Method<TRequest, TAnswer>(name, MethodType.ClientStreaming, access, parser, leavesEntry: false), async (requests, context) =>
        {
            var call = GrpcCall.Of(context);
            try
            {
                return await run(call, requests, context).ConfigureAwait(false);
            }
            catch (Exception thrown)
            {
                throw _surface.Refused(call, context, thrown);
            }
        });

    void Duplex<TRequest, TAnswer>(
        string name, AccessAction? access, MessageParser<TRequest> parser,
        Func<GrpcCall, IAsyncStreamReader<TRequest>, IServerStreamWriter<TAnswer>, ServerCallContext, Task> run)
        where TRequest : class, IMessage<TRequest>, IRequest where TAnswer : class, IMessage<TAnswer> =>
        _builder.AddMethod(Method<TRequest, TAnswer>(name, MethodType.DuplexStreaming, access, parser, leavesEntry: false), async (requests, answers, context) =>
        {
            var call = GrpcCall.Of(context);
            try
            {
                await run(call, requests, answers, context).ConfigureAwait(false);
            }
            catch (Exception thrown)
            {
                throw _surface.Refused(call, context, thrown);
            }
        });

    Method<TRequest, TAnswer> Method<TRequest, TAnswer>(string name, MethodType kind, AccessAction? access, MessageParser<TRequest> parser, bool leavesEntry)
        where TRequest : class, IMessage<TRequest>, IRequest where TAnswer : class, IMessage<TAnswer>
    {
        _methods.Add(new(_service, name, kind, access, leavesEntry));
        return new(kind, _service, name, Messages.Requests(parser), Messages.Answers<TAnswer>());
    }
}
