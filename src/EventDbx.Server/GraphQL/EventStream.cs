using System.Buffers;
using EventDbx.Server.Rest;
using GraphQL;

namespace EventDbx.Server.GraphQL;

/// <summary>GraphQL over server-sent events, a request for each operation ("distinct connections"): <c>next</c> for each result, then <c>complete</c>.</summary>
internal static class EventStream
{
    public static async Task AnswerAsync(RestCall call, GraphQLSurface surface, GraphQLCall graph, GraphQLRequest request)
    {
        call.Http.Response.Headers.CacheControl = "no-store";
        // Proxies that gather an answer would keep it for good.
        call.Http.Response.Headers["X-Accel-Buffering"] = "no";
        using var answer = new Answer(call.Http) { ContentType = AcceptedForm.EventStream };
        try
        {
            var query = surface.Prepare(request);
            if (query.IsSubscription)
            {
                await SubscribeAsync(answer, surface, graph, query).ConfigureAwait(false);
            }
            else
            {
                var result = await GraphQLSurface.RunAsync(query, graph).ConfigureAwait(false);
                if (graph.Withdrawn is { } withdrawn)
                    throw withdrawn;
                Next(answer, surface, result, graph);
            }
        }
        catch (Exception thrown) when (!call.Http.RequestAborted.IsCancellationRequested)
        {
            answer.Output.Write("event: next\ndata: "u8);
            GraphQLSurface.WriteRefusal(answer.Output, surface.RefusalOf(thrown));
            answer.Output.Write("\n\n"u8);
        }

        answer.Output.Write("event: complete\ndata:\n\n"u8);
        await answer.EndAsync().ConfigureAwait(false);
    }

    static async Task SubscribeAsync(Answer answer, GraphQLSurface surface, GraphQLCall graph, PreparedQuery query)
    {
        var (feed, result) = await surface.SubscribeAsync(query, graph).ConfigureAwait(false);
        if (feed is null)
        {
            Next(answer, surface, result, graph);
            return;
        }

        await using var _ = feed.ConfigureAwait(false);
        // The client learns that it is subscribed before anything has happened.
        answer.Output.Write(":\n\n"u8);
        await answer.SendAsync().ConfigureAwait(false);
        await foreach (var batch in feed.ReadAsync().ConfigureAwait(false))
        {
            await foreach (var shown in GraphQLSurface.ShowAsync(query, graph, feed.Epoch, batch).ConfigureAwait(false))
            {
                Next(answer, surface, shown, graph);
                graph.Release();
                await answer.SendPieceAsync().ConfigureAwait(false);
            }

            if (batch.Items.Count == 0 && !graph.Start!.Heartbeats)
                answer.Output.Write(":\n\n"u8);
            await answer.SendAsync().ConfigureAwait(false);
        }
    }

    /// <summary>No JSON of ours has a line break in it, so a result is one line.</summary>
    static void Next(Answer answer, GraphQLSurface surface, ExecutionResult result, GraphQLCall graph)
    {
        answer.Output.Write("event: next\ndata: "u8);
        surface.Write(answer.Output, result, graph);
        answer.Output.Write("\n\n"u8);
    }
}
