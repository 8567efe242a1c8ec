using System.Buffers;
using System.Globalization;
using EventDbx.Server.Feed;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Net.Http.Headers;

namespace EventDbx.Server.Rest;

/// <summary>The feed as server-sent events: a subscription for whoever speaks HTTP, browsers and <c>curl -N</c> included.</summary>
/// <remarks>
/// <code>
/// retry: 1000
///
/// id: 1-42
/// event: event                       or control
/// data: {"cursor":"1-42","event":{…}}  as an item of a page
///
/// id: 1-57
/// event: heartbeat                   where nothing came for a while: what was filtered away counts as read
/// data: {"cursor":"1-57"}
///
/// event: error                       the last one: {"code":…,"message":…,"retryable":…}
/// </code>
/// Source: the HTML standard, "Server-sent events". A client that resumes sends the last <c>id</c> as <c>Last-Event-ID</c>.
/// </remarks>
internal static class FeedStream
{
    public const string MediaType = "text/event-stream";

    public const string ResumeHeader = "Last-Event-ID";

    /// <summary>Whether a stream is wanted, and not a page: it is named, and preferred to JSON. <c>*/*</c> is a page.</summary>
    public static bool IsWanted(HttpRequest request)
    {
        var accept = request.Headers.Accept;
        if (accept.Count == 0 || !MediaTypeHeaderValue.TryParseList(accept, out var types))
            return false;
        var (stream, page) = (0.0, 0.0);
        foreach (var type in types)
        {
            if (type.MediaType.Equals(MediaType, StringComparison.OrdinalIgnoreCase))
                stream = Math.Max(stream, type.Quality ?? 1);
            else if (type.MediaType.Equals(Answer.Json, StringComparison.OrdinalIgnoreCase))
                page = Math.Max(page, type.Quality ?? 1);
        }

        return stream > page;
    }

    /// <summary>Streams until the client goes, the token is refused or the server stops.</summary>
    /// <exception cref="RefusedException">Nothing was sent so far.</exception>
    public static async Task RunAsync(RestCall call, EventDbx.Reading.FeedFilter filter)
    {
        var http = call.Http;
        if (call.Query.Text("take") is { } take)
            throw QueryParameters.Refused("take", take, $"nothing with `Accept: {MediaType}`: a stream has no end. Close it when you have enough");
        var subscription = await FeedSubscription.OpenAsync(
            call.Host, new() { Session = call.Session, LookAtToken = LookOf(call), After = ResumeAt(call), Filter = filter }, call.Clock, http.RequestAborted).ConfigureAwait(false);
        await using var _ = subscription.ConfigureAwait(false);
        using var answer = new Answer(http) { ContentType = MediaType };
        SetHeaders(http);
        if (http.Request.Method == "HEAD")
        {
            await answer.SendAsync().ConfigureAwait(false);
            return;
        }

        try
        {
            var refused = await WriteAsync(answer, subscription, filter.WithSalts).ConfigureAwait(false);
            using var late = new CancellationTokenSource(ServerLimits.LastWordsTimeout, call.Clock);
            answer.Cancellation = late.Token;
            answer.Output.Write("event: error\ndata: "u8);
            RestRefusals.Write(answer.Output, refused);
            answer.Output.Write("\n\n"u8);
            await answer.SendAsync().ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            // It has to end, and the client does not take what was sent before: only a cut is left, wherever in an event that is.
            http.Abort();
        }
    }

    /// <summary>All of it, up to the refusal that is to be told.</summary>
    static async Task<Refusal> WriteAsync(Answer answer, FeedSubscription subscription, bool withSalts)
    {
        answer.Cancellation = subscription.Ended;
        answer.Output.Write("retry: "u8);
        RecordJson.WriteNumber(answer.Output, (ulong)ServerLimits.StreamRetry.TotalMilliseconds);
        answer.Output.Write("\n\n"u8);
        await answer.SendAsync().ConfigureAwait(false);
        var batches = subscription.ReadAsync().GetAsyncEnumerator();
        await using var _ = batches.ConfigureAwait(false);
        while (true)
        {
            try
            {
                await batches.MoveNextAsync().ConfigureAwait(false);
            }
            catch (RefusedException refused)
            {
                return refused.Refusal;
            }

            var batch = batches.Current;
            foreach (var item in batch.Items)
            {
                WriteHead(answer.Output, batch.Reached with { Position = item.Position }, item.Event is null ? "control"u8 : "event"u8);
                FeedRoutes.WriteItem(answer.Output, item, batch.Reached.Epoch, withSalts);
                answer.Output.Write("\n\n"u8);
                await answer.SendPieceAsync().ConfigureAwait(false);
            }

            if (batch.Items.Count == 0)
            {
                WriteHead(answer.Output, batch.Reached, "heartbeat"u8);
                answer.Output.Write("{\"cursor\":"u8);
                RecordJson.WriteText(answer.Output, batch.Reached.ToString());
                answer.Output.Write("}\n\n"u8);
            }

            await answer.SendAsync().ConfigureAwait(false);
        }
    }

    static void WriteHead(IBufferWriter<byte> output, FeedCursor cursor, ReadOnlySpan<byte> name)
    {
        output.Write("id: "u8);
        RecordJson.WriteNumber(output, cursor.Epoch);
        output.Write("-"u8);
        RecordJson.WriteNumber(output, cursor.Position);
        output.Write("\nevent: "u8);
        output.Write(name);
        output.Write("\ndata: "u8);
    }

    /// <summary>Of an answer without an end, in GraphQL as well.</summary>
    public static void SetHeaders(HttpContext http)
    {
        var headers = http.Response.Headers;
        headers.CacheControl = "no-store";
        // Proxies that gather answers before they hand them on would hand on nothing.
        headers["X-Accel-Buffering"] = "no";
        // Who takes nothing is paused, however long, and not cut off for it: what that costs is bounded, and in a crowd it is the first to go.
        if (http.Features.Get<IHttpMinResponseDataRateFeature>() is { } rate && HttpProtocol.IsHttp11(http.Request.Protocol))
            rate.MinDataRate = null;
    }

    static Action? LookOf(RestCall call) => RestSurface.TokenOf(call.Http.Request.Headers.Authorization) is { } token
        ? () => call.Host.Tokens.Authenticate(token)
        : null;

    /// <summary>Where it begins. A browser asks for the same address again and says in the header how far it has come, so the header is further than <c>after</c>.</summary>
    static string? ResumeAt(RestCall call)
    {
        var given = call.Http.Request.Headers[ResumeHeader];
        var after = call.Query.Text("after");
        if (given.Count == 0)
            return after;
        if (given is not [{ } last])
            throw new RefusedException(RefusalCode.InvalidArgument, $"{ResumeHeader} stands {given.Count.ToString(CultureInfo.InvariantCulture)} times; send it once.");
        var epoch = call.Host.Database.Epoch;
        var resumed = FeedCursor.Parse(last, epoch, ResumeHeader);
        if (after is not null && FeedCursor.Parse(after, epoch) is var first && first.Epoch == resumed.Epoch && resumed.Position < first.Position)
        {
            throw new RefusedException(
                RefusalCode.InvalidArgument, $"{ResumeHeader} is {resumed} and `after` is {first}: what was read last lies before where it is to begin. Send one of them.");
        }

        return last;
    }
}
