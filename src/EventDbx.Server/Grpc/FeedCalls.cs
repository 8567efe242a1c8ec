using EventDbx.Protocol;
using EventDbx.Reading;
using EventDbx.Server.Feed;
using Grpc.Core;

namespace EventDbx.Server.Grpc;

/// <summary>The feed as a stream. <see cref="FeedSubscription"/> decides what there is to say, and when.</summary>
internal static class FeedCalls
{
    static readonly WriteOptions Buffered = new(WriteFlags.BufferHint);
    static readonly WriteOptions Flushed = new();

    public static async Task SubscribeAsync(GrpcCall call, SubscribeRequest request, IServerStreamWriter<SubscribeResponse> answers, ServerCallContext context)
    {
        var wanted = new FeedRequest
        {
            Session = call.Session, LookAtToken = call.LookAtToken, After = request.HasAfter ? request.After : null,
            Filter = new()
            {
                AggregateType = request.HasAggregateType ? request.AggregateType : null, EventType = request.HasEventType ? request.EventType : null,
                IncludeControl = request.IncludeControl,
            },
        };
        var subscription = await FeedSubscription.OpenAsync(call.Host, wanted, call.Clock, context.CancellationToken).ConfigureAwait(false);
        await using var _ = subscription.ConfigureAwait(false);
        // Whoever waits for news of an empty feed is to know that it is open.
        await context.WriteResponseHeadersAsync([]).ConfigureAwait(false);
        await foreach (var batch in subscription.ReadAsync(context.CancellationToken).ConfigureAwait(false))
        {
            for (var i = 0; i < batch.Items.Count; i++)
            {
                var item = batch.Items[i];
                var last = i == batch.Items.Count - 1;
                var answer = new SubscribeResponse { Cursor = new FeedCursor(subscription.Epoch, item.Position).ToString(), Position = item.Position, End = last && batch.AtEnd };
                if (item.Event is { } record)
                    answer.Event = Shapes.Event(record);
                else
                    answer.Control = Shapes.Control(item.Control!);
                answers.WriteOptions = last ? Flushed : Buffered;
                await answers.WriteAsync(answer, context.CancellationToken).ConfigureAwait(false);
            }

            if (batch.Items.Count > 0)
                continue;
            answers.WriteOptions = Flushed;
            await answers.WriteAsync(
                new() { Cursor = batch.Reached.ToString(), Position = batch.Reached.Position, End = batch.AtEnd }, context.CancellationToken).ConfigureAwait(false);
        }
    }
}
