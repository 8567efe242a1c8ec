using System.Globalization;
using EventDbx.Server.Admin;
using EventDbx.Server.Connections;
using EventDbx.Server.Rest;
using EventDbx.Server.Telemetry;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using Google.Protobuf;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Grpc;

/// <summary>From a gRPC call to its answer, in this order, so that nothing is paid for a call that will be refused.</summary>
/// <remarks>
/// <code>
/// door, switch   whether gRPC is served here at all          UNIMPLEMENTED
/// method         of the closed table                         UNIMPLEMENTED
/// who            token, or the owner's socket                UNAUTHENTICATED   no byte of a message was read so far
/// may they       the action of the method                    PERMISSION_DENIED
/// message        bounded and counted                         RESOURCE_EXHAUSTED, UNAVAILABLE, INVALID_ARGUMENT
/// the method     Session, write                              whatever the session says
/// </code>
/// </remarks>
internal sealed class GrpcSurface
{
    const string ContentType = "application/grpc";

    // Made for the first call: together they are a quarter of the work of a start, and many a server is never called.
    readonly Lazy<GrpcServices> _services;
    Lazy<Dictionary<string, (GrpcMethod Method, RequestDelegate Run)>> _methods = null!;

    readonly Func<Door, bool> _serves;

    /// <param name="host">Whose surface it is.</param>
    /// <param name="options">Of the host.</param>
    /// <param name="budget">What the bodies of all requests together may hold.</param>
    /// <param name="serves">Whether gRPC is served to what comes by a door.</param>
    public GrpcSurface(ServerHost host, ServerOptions options, BodyBudget budget, Func<Door, bool> serves)
    {
        (Host, Options, Budget, _serves) = (host, options, budget, serves);
        _services = new(() => new(this, host, options.Clock));
    }

    public ServerHost Host { get; }

    public ServerOptions Options { get; }

    public GrpcServices Services => _services.Value;

    /// <summary>Whether the methods are bound: there was a call.</summary>
    public bool IsBound => _methods.IsValueCreated;

    /// <summary>What all requests together may hold, on every surface.</summary>
    public BodyBudget Budget { get; }

    /// <summary>What the appends of all streams may hold besides.</summary>
    public AppendRoom AppendRoom { get; } = new(ServerLimits.AppendStreamsBytesMax);

    /// <summary>Whether a request is for this surface.</summary>
    public static bool Takes(HttpContext http)
    {
        if (!HttpProtocol.IsHttp2(http.Request.Protocol) || http.Request.ContentType is not { } type || !type.StartsWith(ContentType, StringComparison.OrdinalIgnoreCase))
            return false;
        return type.Length == ContentType.Length || type[ContentType.Length] is '+' or ';';
    }

    public static void AddServices(IServiceCollection services, ILoggingBuilder logging)
    {
        // What it has to say of clients that leave, or send nonsense, is an error to it; what is one to us, we say.
        logging.AddFilter("Grpc", LogLevel.None);
        services.AddGrpc(SetOptions);
    }

    static void SetOptions(GrpcServiceOptions grpc)
    {
        grpc.MaxReceiveMessageSize = Limits.RequestBytesMax;
        // Pages and states have bounds of their own.
        grpc.MaxSendMessageSize = null;
        grpc.CompressionProviders = [new BoundedGzip()];
        grpc.EnableDetailedErrors = false;
    }

    /// <summary>Binds the methods by what is there then, when the first call comes. Routing would only find again what the table knows.</summary>
    public void BindBy(IServiceProvider services) => _methods = new(() => Bind(services));

    Dictionary<string, (GrpcMethod Method, RequestDelegate Run)> Bind(IServiceProvider services)
    {
        var endpoints = new Endpoints(services);
        foreach (var definition in Services.Definitions)
            endpoints.MapGrpcService(definition);
        var bound = endpoints.DataSources.SelectMany(source => source.Endpoints).OfType<RouteEndpoint>()
            .ToDictionary(endpoint => endpoint.RoutePattern.RawText!, endpoint => endpoint.RequestDelegate!, StringComparer.Ordinal);
        return Services.Methods.ToDictionary(method => method.Path, method => (method, bound[method.Path]), StringComparer.Ordinal);
    }

    public async Task AnswerAsync(HttpContext http)
    {
        var connection = http.Features.Get<OpenConnection>();
        // Nothing of it was done, and its client may send it again by itself: to another connection, or another server.
        if ((Host.Stopping || connection?.TryBegin() == false) && Http2Stream.TryRefuse(http))
            return;
        var start = Host.Requests.Begin(http);
        GrpcMethod? method = null;
        GrpcCall? call = null;
        var underWay = connection;
        try
        {
            (method, var run) = Find(http);
            call = new(this, http, method, method.Access is null ? null : TokenOf(http));
            if (method.Access is null)
            {
                // Only who proves to be somebody keeps a connection by not taking answers.
                End();
                call.CutOff?.LastWordsAt(Host.Ending);
            }
            else
            {
                call.Enter();
                WatchedAnswer.Watch(http);
            }

            Deadline.Check(http.Request.Headers);
            http.Features.Set(call);
            using var body = new MessageBody(http, method.Access is null ? null : Budget, Options.Clock, isStream: method.Kind is MethodType.DuplexStreaming or MethodType.ClientStreaming);
            http.Features.Set<IRequestBodyPipeFeature>(body);
            await run(http).ConfigureAwait(false);
            // What is not taken yet of a stream that has ended keeps no server from stopping.
            call.CutOff?.LastWordsAt(Host.Ending);
            if (!http.RequestAborted.IsCancellationRequested)
                Complete(http);
        }
        catch (RefusedException refused)
        {
            if (refused.Refusal.Code == RefusalCode.Unauthenticated)
                End();
            Refuse(http, GrpcRefusals.Exception(refused.Refusal));
        }
        catch (RpcException refused)
        {
            End();
            Refuse(http, refused);
        }
        finally
        {
            End();
            Ended(http, start, method, call);
        }

        void End()
        {
            underWay?.End();
            underWay = null;
        }
    }

    /// <summary>What a call ends with for what was thrown.</summary>
    public RpcException Refused(GrpcCall call, ServerCallContext context, Exception thrown)
    {
        switch (thrown)
        {
            case RpcException refused:
                return refused;
            case OperationCanceledException when call.Withdrawn is { } withdrawn:
                return GrpcRefusals.Exception(withdrawn.Refusal);
            case OperationCanceledException or ConnectionResetException or ConnectionAbortedException or InvalidOperationException when call.IsGivenUp(context):
                // Nobody is there to hear it, or the framework has told them that the deadline has passed.
                return new(new(StatusCode.Cancelled, "The call was given up."));
        }

        return GrpcRefusals.Exception(RefusalOf(call, thrown));
    }

    /// <summary>What is said of what was thrown. A fault of ours is written down.</summary>
    public Refusal RefusalOf(GrpcCall call, Exception thrown)
    {
        if (RestRefusals.Of(thrown, Host.Stopping) is { } refusal)
            return refusal;
        Options.Log?.Invoke(new(
            Timestamp.From(Options.Clock.GetUtcNow()), LogLevel.Error, "grpc", $"{call.Method.Path} failed: {thrown.GetType().Name}: {thrown.Message}", thrown));
        return new(RefusalCode.Internal, "The server failed at this request, and has written down why. Nothing is known about whether it took effect.");
    }

    /// <summary>Who comes, and whether they may use this method at all.</summary>
    /// <exception cref="RefusedException">Not.</exception>
    public Session SessionOf(HttpContext http, string? token, GrpcMethod method)
    {
        var arrival = http.Features.Get<Arrival>();
        var session = token is not null ? Host.Tokens.Authenticate(token) : Host.Database.OpenSession(new Actor("cli", RestSurface.UserOf(http.Request.Headers)));
        session.Demand(method.Access!.Value);
        return method.LeavesEntry ? session.From(AdminEntry.OriginOf(arrival?.Door ?? Door.Main, http.Connection.RemoteIpAddress, "grpc")) : session;
    }

    /// <summary>The token; null for the owner on the socket.</summary>
    static string? TokenOf(HttpContext http)
    {
        var given = http.Request.Headers.Authorization;
        if (given.Count == 0 && http.Features.Get<Arrival>() is { OwnerOnly: true })
            return null;
        return RestSurface.TokenOf(given) ?? throw new RefusedException(RefusalCode.Unauthenticated, given.Count == 0
            ? "This method needs a token: send the metadata `authorization: Bearer TOKEN`."
            : "The metadata `authorization` is not `Bearer TOKEN`, once.");
    }

    (GrpcMethod Method, RequestDelegate Run) Find(HttpContext http)
    {
        var arrival = http.Features.Get<Arrival>();
        if (!_serves(arrival?.Door ?? Door.Main))
            throw GrpcRefusals.Exception(new(RefusalCode.NotFound, "gRPC is not served on this port: it has one of its own (grpc.bind_addr)."), StatusCode.Unimplemented);
        // The socket is how commands reach the server, whatever it serves to others.
        if (arrival is not { OwnerOnly: true } && Surfaces.RefusalOf(Surface.Grpc, Options.Config) is { } off)
            throw GrpcRefusals.Exception(off, StatusCode.Unimplemented);
        if (!HttpMethods.IsPost(http.Request.Method))
            throw GrpcRefusals.Exception(new(RefusalCode.MethodNotAllowed, $"A gRPC call is a POST; this is {Shown.Of(http.Request.Method)}."));
        if (http.Request.ContentType![ContentType.Length..] is var format && format.StartsWith('+') && !format.StartsWith("+proto", StringComparison.OrdinalIgnoreCase))
            throw GrpcRefusals.Exception(new(RefusalCode.UnsupportedMediaType, $"The messages are {Shown.Of(http.Request.ContentType)}; this server reads application/grpc, which is application/grpc+proto."));
        if (!_methods.Value.TryGetValue(http.Request.Path.Value ?? "", out var found))
        {
            throw GrpcRefusals.Exception(new(
                RefusalCode.MethodNotAllowed, $"There is no method {Shown.Of(http.Request.Path.Value ?? "")}. The services are {string.Join(", ", GrpcServices.Descriptors.Select(service => service.FullName))}; reflection lists their methods."));
        }

        return found;
    }

    /// <summary>Ends a call before the framework has it, or after it did not end it.</summary>
    static void Refuse(HttpContext http, RpcException refused)
    {
        if (http.RequestAborted.IsCancellationRequested)
            return;
        if (http.Response.HasStarted)
        {
            http.Abort();
            return;
        }

        http.Response.StatusCode = StatusCodes.Status200OK;
        http.Response.ContentType = ContentType;
        SetStatus(http.Response.Headers, refused.StatusCode, refused.Status.Detail, refused.Trailers.GetValueBytes(GrpcRefusals.DetailsTrailer));
    }

    /// <summary>A status that the framework gave by itself gets its details, and the code that is ours.</summary>
    void Complete(HttpContext http)
    {
        if (TrailersOf(http) is not { } trailers || StatusIn(trailers) is not { } status || status == StatusCode.OK || trailers.ContainsKey(GrpcRefusals.DetailsTrailer))
            return;
        if (http.Features.Get<IHttpResponseTrailersFeature>()?.Trailers.IsReadOnly == true)
            return; // The deadline has passed: that is all said and sent.
        var refusal = GrpcRefusals.OfFramework(status, Uri.UnescapeDataString(trailers["grpc-message"].ToString()));
        if (refusal.Code == RefusalCode.Internal)
            Options.Log?.Invoke(new(Timestamp.From(Options.Clock.GetUtcNow()), LogLevel.Error, "grpc", $"{http.Request.Path} failed outside of its method: {Uri.UnescapeDataString(trailers["grpc-message"].ToString())}", null));
        var told = status is StatusCode.DeadlineExceeded or StatusCode.Cancelled or StatusCode.Unimplemented ? status : GrpcRefusals.StatusOf(refusal.Code);
        SetStatus(trailers, told, refusal.Message, GrpcRefusals.Details(refusal, told).ToByteArray());
    }

    static void SetStatus(IHeaderDictionary trailers, StatusCode status, string message, byte[]? details)
    {
        trailers["grpc-status"] = ((int)status).ToString(CultureInfo.InvariantCulture);
        trailers["grpc-message"] = Text.Encode(message);
        if (details is not null)
            trailers[GrpcRefusals.DetailsTrailer] = Convert.ToBase64String(details);
    }

    /// <summary>Where the status stands: in the headers where nothing else was sent.</summary>
    static IHeaderDictionary? TrailersOf(HttpContext http) =>
        http.Response.HasStarted && !http.Response.Headers.ContainsKey("grpc-status") ? http.Features.Get<IHttpResponseTrailersFeature>()?.Trailers : http.Response.Headers;

    static StatusCode? StatusIn(IHeaderDictionary trailers) =>
        int.TryParse(trailers["grpc-status"].ToString(), NumberStyles.None, CultureInfo.InvariantCulture, out var status) ? (StatusCode)status : null;

    void Ended(HttpContext http, RequestStart start, GrpcMethod? method, GrpcCall? call)
    {
        var trailers = TrailersOf(http);
        var status = http.RequestAborted.IsCancellationRequested ? StatusCode.Cancelled : trailers is null ? StatusCode.Unknown : StatusIn(trailers) ?? StatusCode.Unknown;
        Host.Requests.Ended(new(Surface.Grpc, method?.KindName ?? "unknown", method?.Path, NameOf(status), Options.Clock.GetElapsedTime(start.At))
        {
            Start = start, Http = http, Actor = call?.Actor, TakesLong = method is { Kind: not MethodType.Unary } or { Name: "VerifyAggregate" },
            Code = status == StatusCode.OK || trailers is null ? null : GrpcRefusals.CodeIn(trailers[GrpcRefusals.DetailsTrailer].ToString()),
        });
    }

    /// <summary>As the specification writes it.</summary>
    public static string NameOf(StatusCode status) => status switch
    {
        StatusCode.OK => "OK",
        StatusCode.Cancelled => "CANCELLED",
        StatusCode.Unknown => "UNKNOWN",
        StatusCode.InvalidArgument => "INVALID_ARGUMENT",
        StatusCode.DeadlineExceeded => "DEADLINE_EXCEEDED",
        StatusCode.NotFound => "NOT_FOUND",
        StatusCode.AlreadyExists => "ALREADY_EXISTS",
        StatusCode.PermissionDenied => "PERMISSION_DENIED",
        StatusCode.Unauthenticated => "UNAUTHENTICATED",
        StatusCode.ResourceExhausted => "RESOURCE_EXHAUSTED",
        StatusCode.FailedPrecondition => "FAILED_PRECONDITION",
        StatusCode.Aborted => "ABORTED",
        StatusCode.OutOfRange => "OUT_OF_RANGE",
        StatusCode.Unimplemented => "UNIMPLEMENTED",
        StatusCode.Internal => "INTERNAL",
        StatusCode.Unavailable => "UNAVAILABLE",
        StatusCode.DataLoss => "DATA_LOSS",
    };

    /// <summary>Gathers what the framework maps.</summary>
    sealed class Endpoints(IServiceProvider services) : IEndpointRouteBuilder
    {
        public IServiceProvider ServiceProvider => services;

        public ICollection<EndpointDataSource> DataSources { get; } = [];

        public IApplicationBuilder CreateApplicationBuilder() => new ApplicationBuilder(services);
    }
}
