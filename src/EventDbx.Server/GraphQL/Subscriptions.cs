using EventDbx.Reading;
using GraphQL;
using GraphQL.Resolvers;
using GraphQL.Types;

namespace EventDbx.Server.GraphQL;

/// <summary>The feed as a field. It is resolved once to learn what is asked for, then once for each item: the stream itself is not the library's.</summary>
internal static class Subscriptions
{
    public static ObjectGraphType Build(AnswerTypes types)
    {
        var root = new ObjectGraphType { Name = "Subscription", Description = "What comes by itself: over a WebSocket (`graphql-transport-ws`), or as the answer to a POST that accepts `text/event-stream`." };
        var field = Fields.Of(
            "events", Fields.NotNull(types.Fed), "Events of all aggregates in the order of their commit: first those there are, then those that come, without an end. Needs `feed.read`.", Resolve,
            Fields.Argument("after", types.Text, "The `cursor` of the last item that was handled, or a position. Without it the feed begins at its beginning."),
            Fields.Argument("type", types.Text, "Only of aggregates of this type."),
            Fields.Argument("event_type", types.Text, "Only events of this type."),
            Fields.Argument("heartbeat", types.Truth, "Where nothing comes for a while, an item without an event: its cursor has moved past what was not asked for. Without it the connection is kept alive below GraphQL."));
        field.StreamResolver = new Unused();
        root.AddField(field);
        return root;
    }

    static object? Resolve(IResolveFieldContext context)
    {
        var call = context.Call();
        if (call.Item is { } item)
        {
            call.Gather(item.Event?.Payload.Length ?? 0);
            return item;
        }

        call.Start = new(
            context.Text("after"), new FeedFilter { AggregateType = context.Text("type"), EventType = context.Text("event_type") }, context.Truth("heartbeat") ?? false);
        return null;
    }

    /// <summary>The library wants one, and never asks it: an item is resolved like the field of a query.</summary>
    sealed class Unused : ISourceStreamResolver
    {
        public ValueTask<IObservable<object?>> ResolveAsync(IResolveFieldContext context) => throw new NotSupportedException("The feed is streamed by its surface.");
    }
}
