using System.Globalization;
using System.Net.Sockets;
using EventDbx.Server.Admin;
using EventDbx.Server.Connections;
using EventDbx.Server.Telemetry;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server.Rest;

/// <summary>From a request to an answer, in this order, so that nothing is paid for a request that will be refused.</summary>
/// <remarks>
/// <code>
/// route          of the raw target                          404, 405
/// who            token, admin key, or the owner's socket    401, 429  no byte of the body was read so far
/// may they       the action of the route                    403
/// query          every parameter known, and once            400
/// content type                                              415
/// body           bounded, in rented memory                  413, 408, 503
/// the route      parse, Session, write                      whatever the session says
/// </code>
/// A refusal that leaves a body unread closes the connection: it would have to be read to its end to find the next request. Over
/// HTTP/2 only the request ends with it; a short body is passed over first, unlooked at.
/// </remarks>
internal sealed class RestSurface(ServerHost host, ServerOptions options, BodyBudget budget)
{
    const string Scheme = "Bearer";

    public async Task AnswerAsync(HttpContext http)
    {
        // A client of HTTP/2 that was told of the stop sends it elsewhere; one of HTTP/1.1 sent it before it could be told.
        if (host.Stopping && Http2Stream.TryRefuse(http))
            return;
        if (HttpProtocol.IsHttp11(http.Request.Protocol) && http.Features.Get<IHttpMinResponseDataRateFeature>() is { } rate)
            rate.MinDataRate = host.AnswerRate;
        var connection = http.Features.Get<OpenConnection>();
        var entered = connection?.TryBegin() != false;
        if (!entered && Http2Stream.TryRefuse(http))
            return;
        var start = host.Requests.Begin(http);
        if (!entered)
        {
            // It is being closed in favour of another; nothing of this request is done. What was answered before is not cut off.
            http.Response.Headers.Connection = "close";
            var closing = new RefusedException(RefusalCode.Overloaded, "The connection is being closed in favour of others, and nothing of this request was done. Send it again.");
            Ended(http, start, null, null, await RefuseAsync(http, closing).ConfigureAwait(false));
            return;
        }

        RestRoute? route = null;
        Session? session = null;
        RefusalCode? refused = null;
        var underWay = connection;
        try
        {
            if (!RequestTarget.TryParse(http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget, out var target))
                throw NoRoute(http);
            if (DoorOf(http) == Door.Grpc && !ServedBesideGrpc(target.Segments))
                throw new RefusedException(RefusalCode.NotFound, $"This port serves gRPC alone (grpc.bind_addr). REST and GraphQL are on port {host.Port.ToString(CultureInfo.InvariantCulture)}.");
            route = RestRoutes.Find(http.Request.Method, target.Segments, out var allow);
            if (DoorOf(http) == Door.Admin && !AdminEntry.Serves(target.Segments))
                (route, allow) = (null, "");
            if (route is null)
                throw allow.Length == 0 ? NoRoute(http) : NoMethod(http, allow);
            // Only who proves to be somebody keeps a connection by not taking answers.
            if (route.IsOpen(options.Config) || (route.TakesSockets && http.WebSockets.IsWebSocketRequest))
                End();
            else
                session = await EnterAsync(http, route).ConfigureAwait(false);
            await RunAsync(http, route, target, session).ConfigureAwait(false);
        }
        catch (Exception thrown)
        {
            if (thrown is RefusedException { Refusal.Code: RefusalCode.Unauthenticated or RefusalCode.TooManyRequests } || route is null)
                End();
            refused = await RefuseAsync(http, thrown).ConfigureAwait(false);
        }
        finally
        {
            End();
            Ended(http, start, route, session, refused);
        }

        void End()
        {
            underWay?.End();
            underWay = null;
        }
    }

    void Ended(HttpContext http, RequestStart start, RestRoute? route, Session? session, RefusalCode? refused) => host.Requests.Ended(
        new(route?.Surface ?? Surface.Server, http.Request.Method, route?.Template, StatusText.Of(http.Response.StatusCode), options.Clock.GetElapsedTime(start.At))
        {
            Start = start, Code = refused, Actor = session?.Actor, Http = http, TakesLong = route?.TakesLong == true || IsEndless(http.Response),
        });

    /// <summary>An answer that goes on for as long as there is something to say.</summary>
    static bool IsEndless(HttpResponse response) => response.StatusCode == StatusCodes.Status101SwitchingProtocols
        || response.ContentType is { } type && (type.StartsWith("text/event-stream", StringComparison.Ordinal) || type.StartsWith(Answer.JsonLines, StringComparison.Ordinal));

    async Task RunAsync(HttpContext http, RestRoute route, RequestTarget target, Session? session)
    {
        if (session is not null)
            WatchedAnswer.Watch(http);
        var call = new RestCall(http, host, options, route, target.Segments) { Query = QueryParameters.Parse(target.Query, route.Parameters) };
        await using var _ = call.ConfigureAwait(false);
        if (session is not null)
            call.Session = session;
        if (!route.Conditional)
            RefuseConditions(http.Request, route);
        if (!TakesBody(http, route))
        {
            await AnswerAsync(call).ConfigureAwait(false);
            return;
        }

        using var body = await RequestBody.ReadAsync(http, budget, options.Clock).ConfigureAwait(false);
        // A body may have taken its time: the token is to be good when the request is run, not when it began.
        if (session is not null)
            call.Session = await EnterAsync(http, route).ConfigureAwait(false);
        call.Body = body.Bytes;
        await AnswerAsync(call).ConfigureAwait(false);
    }

    static async Task AnswerAsync(RestCall call)
    {
        try
        {
            await call.Route.Run(call).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (call.Withdrawn is { } refused)
        {
            throw refused;
        }
    }

    /// <summary>Who comes, and whether they may use this route at all.</summary>
    ValueTask<Session> EnterAsync(HttpContext http, RestRoute route) => route.IsAdmin && AdminEntry.KeyOf(http, DoorOf(http), host.Admin) is { } key
        ? EnterWithKeyAsync(http, key)
        : new(Enter(http, route));

    /// <summary>Whoever has the master key is root, by whichever surfaces the port serves besides.</summary>
    async ValueTask<Session> EnterWithKeyAsync(HttpContext http, string key)
    {
        var address = http.Connection.RemoteIpAddress;
        var session = await host.Admin.AdmitAsync(key, DoorOf(http), address, http.RequestAborted).ConfigureAwait(false);
        return session.From(AdminEntry.OriginOf(Door.Admin, address));
    }

    Session Enter(HttpContext http, RestRoute route)
    {
        var session = Authenticate(http);
        // The socket is how commands reach the server, whatever it serves to others.
        if (http.Features.Get<Arrival>() is not { OwnerOnly: true } && Surfaces.RefusalOf(route.Surface, options.Config) is { } off)
            throw new RefusedException(off);
        if (route.Access.RootMay is { } what)
            session.DemandRoot(what);
        else if (route.Access.IsLogProofs)
            session.DemandLogProofs();
        else if (route.Access.Action is { } action)
            session.Demand(action);
        return route.LeavesEntry ? session.From(AdminEntry.OriginOf(DoorOf(http), http.Connection.RemoteIpAddress)) : session;
    }

    Session Authenticate(HttpContext http)
    {
        var headers = http.Request.Headers;
        var given = headers.Authorization;
        if (given.Count == 0 && http.Features.Get<Arrival>() is { OwnerOnly: true })
            return host.Database.OpenSession(new Actor("cli", UserOf(headers)));
        if (TokenOf(given) is not { } token)
        {
            throw new RefusedException(RefusalCode.Unauthenticated, given.Count == 0
                ? "This route needs a token: send `Authorization: Bearer TOKEN`."
                : "The header Authorization is not `Bearer TOKEN`, once.");
        }

        return host.Tokens.Authenticate(token);
    }

    /// <summary>The token in the header Authorization; null where that is not <c>Bearer TOKEN</c>, once.</summary>
    internal static string? TokenOf(Microsoft.Extensions.Primitives.StringValues given) =>
        given.Count == 1 && given[0] is { } text && text.StartsWith(Scheme + " ", StringComparison.OrdinalIgnoreCase) ? text[(Scheme.Length + 1)..].Trim() : null;

    /// <summary>Who sits at the other end of the socket says so itself: only the owner of the directory can get there.</summary>
    internal static string UserOf(IHeaderDictionary headers) => headers["X-EventDBX-User"] is [{ Length: > 0 } user] ? user : Environment.UserName;

    /// <summary>A condition that would be ignored must not be: its sender relies on it.</summary>
    static void RefuseConditions(HttpRequest request, RestRoute route)
    {
        if (route.Method == "GET")
            return;
        var given = request.Headers.IfMatch.Count > 0 ? "If-Match"
            : request.Headers.IfNoneMatch.Count > 0 ? "If-None-Match"
            : request.Headers.ContainsKey(IdempotencyKey.Header) ? IdempotencyKey.Header
            : null;
        if (given is not null)
            throw new RefusedException(RefusalCode.InvalidArgument, $"{route.Method} {route.Template} does not heed {given}, which only POST /v1/events does. Send the request without it.");
    }

    static bool TakesBody(HttpContext http, RestRoute route)
    {
        if (!RequestBody.IsThere(http))
        {
            return route.Body == RestBody.Required
                ? throw new RefusedException(RefusalCode.InvalidPayload, "The request has no body; send a JSON object.")
                : false;
        }

        if (route.Body == RestBody.None)
            throw new RefusedException(RefusalCode.InvalidArgument, $"{route.Method} {route.Template} takes no body, and this request has one.");
        if (!IsJson(http.Request.ContentType))
        {
            throw new RefusedException(RefusalCode.UnsupportedMediaType, http.Request.ContentType is { Length: > 0 } type
                ? $"The body is {Shown.Of(type)}; this route reads application/json in UTF-8."
                : "The body has no Content-Type; this route reads application/json.");
        }

        return true;
    }

    static bool IsJson(string? contentType)
    {
        if (string.Equals(contentType, "application/json", StringComparison.OrdinalIgnoreCase))
            return true;
        if (!Microsoft.Net.Http.Headers.MediaTypeHeaderValue.TryParse(contentType, out var type))
            return false;
        return type.Type.Equals("application", StringComparison.OrdinalIgnoreCase)
            && (type.SubType.Equals("json", StringComparison.OrdinalIgnoreCase) || type.SubType.EndsWith("+json", StringComparison.OrdinalIgnoreCase))
            && (!type.Charset.HasValue || type.Charset.Value.AsSpan().Trim('"').Equals("utf-8", StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>Answers with a refusal; says which, or null where nobody is there to hear it.</summary>
    async Task<RefusalCode?> RefuseAsync(HttpContext http, Exception thrown)
    {
        if (http.RequestAborted.IsCancellationRequested || thrown is ConnectionResetException or ConnectionAbortedException)
            return null; // Nobody is there to hear it.
        var failed = thrown as PreconditionFailedException;
        if ((failed?.Refusal ?? RestRefusals.Of(thrown, host.Stopping)) is not { } refusal)
        {
            refusal = new(RefusalCode.Internal, "The server failed at this request, and has written down why. Nothing is known about whether it took effect.");
            options.Log?.Invoke(Line(LogLevel.Error, $"{http.Request.Method} failed: {thrown.GetType().Name}: {thrown.Message}", thrown));
        }

        if (http.Response.HasStarted)
        {
            // The head is gone and says that all is well; only a cut tells otherwise.
            http.Abort();
            return refusal.Code;
        }

        var headers = http.Response.Headers;
        headers.ContentLength = null;
        headers.ETag = default;
        switch (refusal.Code)
        {
            case RefusalCode.Overloaded:
                headers.RetryAfter = "1";
                break;
            case RefusalCode.TooManyRequests:
                headers.RetryAfter = AdminEntry.RetryAfter;
                break;
            case RefusalCode.Unauthenticated:
                headers.WWWAuthenticate = Scheme;
                break;
        }

        if (RequestBody.IsThere(http) && !RequestBody.WasRead(http))
        {
            RequestBody.LeaveUnread(http);
            // What was thrown while it was read has begun to read it.
            if (refusal.Code is not (RefusalCode.RequestTooLarge or RefusalCode.RequestTimeout or RefusalCode.Overloaded))
                await RequestBody.PassOverAsync(http, options.Clock).ConfigureAwait(false);
        }

        try
        {
            await Answer.OneAsync(
                http, refusal, static (output, said) => RestRefusals.Write(output, said),
                failed is null ? RestRefusals.StatusOf(refusal.Code) : StatusCodes.Status412PreconditionFailed).ConfigureAwait(false);
        }
        catch (Exception gone) when (gone is OperationCanceledException or IOException or SocketException)
        {
            // Nobody is there to hear it.
        }

        return refusal.Code;
    }

    /// <summary>What whoever watches over the port of gRPC asks it.</summary>
    static bool ServedBesideGrpc(string[] segments) => segments is ["health"] or ["ready"];

    static Door DoorOf(HttpContext http) => http.Features.Get<Arrival>()?.Door ?? Door.Main;

    static RefusedException NoRoute(HttpContext http) => new(
        RefusalCode.NotFound, $"There is no route {Shown.Of(http.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget)}. Names in a path are percent-encoded, and no path ends with a slash.");

    static RefusedException NoMethod(HttpContext http, string allow)
    {
        http.Response.Headers.Allow = allow;
        return new(RefusalCode.MethodNotAllowed, $"This path does not take {Shown.Of(http.Request.Method)}; it takes {allow}.");
    }

    LogLine Line(LogLevel level, string message, Exception? failure = null) => new(Timestamp.From(options.Clock.GetUtcNow()), level, "rest", message, failure);
}
