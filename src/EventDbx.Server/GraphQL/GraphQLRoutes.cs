using System.Buffers;
using EventDbx.Server.Connections;
using EventDbx.Server.Rest;
using GraphQL;
using Microsoft.AspNetCore.Http;

namespace EventDbx.Server.GraphQL;

/// <summary>GraphQL over HTTP: what comes by POST, and what stands at the same path for browsers and sockets.</summary>
internal static class GraphQLRoutes
{
    public static async Task PostAsync(RestCall call)
    {
        var surface = call.Host.GraphQL;
        var form = AcceptedForm.Of(call.Http.Request.Headers.Accept);
        // A body that is no such request is refused like that of any route; what follows is GraphQL's own.
        var request = GraphQLRequest.Read(call.Body);
        var token = RestSurface.TokenOf(call.Http.Request.Headers.Authorization);
        var graph = surface.Begin(
            call.Session.From(OriginOf(call.Http)), token is null ? null : () => call.Host.Tokens.Authenticate(token), call.Http.RequestAborted);
        await using var _ = graph.ConfigureAwait(false);
        if (form == AcceptedForm.EventStream)
        {
            await EventStream.AnswerAsync(call, surface, graph, request).ConfigureAwait(false);
            return;
        }

        PreparedQuery query;
        try
        {
            query = surface.Prepare(request);
            if (query.IsSubscription)
                throw new RefusedException(RefusalCode.InvalidArgument, "A subscription is answered without an end: send the request with `Accept: text/event-stream`, or over a WebSocket (graphql-transport-ws).");
        }
        catch (RefusedException refused)
        {
            using var refusal = new Answer(call.Http, form == AcceptedForm.ResponseJson ? RestRefusals.StatusOf(refused.Refusal.Code) : StatusCodes.Status200OK) { ContentType = form };
            GraphQLSurface.WriteRefusal(refusal.Output, refused.Refusal);
            await refusal.EndAsync().ConfigureAwait(false);
            return;
        }

        var result = await GraphQLSurface.RunAsync(query, graph).ConfigureAwait(false);
        if (graph.Withdrawn is { } withdrawn)
            throw withdrawn;
        using var answer = new Answer(call.Http, form == AcceptedForm.ResponseJson && !result.Executed ? StatusCodes.Status400BadRequest : StatusCodes.Status200OK) { ContentType = form };
        surface.Write(answer.Output, result, graph);
        await answer.EndAsync().ConfigureAwait(false);
    }

    /// <summary>A socket, where the request asks for one; otherwise the page. A query in the address is never run: a link must not.</summary>
    public static Task GetAsync(RestCall call)
    {
        if (Surfaces.RefusalOf(Surface.GraphQL, call.Config) is { } off)
            throw new RefusedException(off);
        return call.Http.WebSockets.IsWebSocketRequest ? GraphQLSocket.AcceptAsync(call) : GraphQLPage.ShowAsync(call);
    }

    public static Task PageAsync(RestCall call)
    {
        if (Surfaces.RefusalOf(Surface.GraphQL, call.Config) is { } off)
            throw new RefusedException(off);
        return GraphQLPage.ShowAsync(call);
    }

    /// <summary>From where, for the log: <c>socket</c>, <c>graphql 192.0.2.1</c>.</summary>
    public static string OriginOf(HttpContext http) => http.Features.Get<Arrival>()?.Door is Door.Socket
        ? AdminEntry.OriginOf(Door.Socket, null)
        : $"graphql {AdminEntry.Shown(http.Connection.RemoteIpAddress)}";
}
