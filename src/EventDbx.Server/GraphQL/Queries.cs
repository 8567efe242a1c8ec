using EventDbx.Reading;
using EventDbx.Server.Rest;
using EventDbx.Verification;
using GraphQL;
using GraphQL.Types;

namespace EventDbx.Server.GraphQL;

/// <summary>The fields that read: each asks <see cref="Session"/> once, from one consistent view.</summary>
internal static class Queries
{
    public static ObjectGraphType Build(AnswerTypes types)
    {
        var root = new ObjectGraphType { Name = "Query", Description = "What can be read. What a token may not read is not in lists; asked for by name it is `permission_denied`." };
        QueryArgument[] list =
        [
            Fields.Argument("skip", types.Int, "How many to leave out. They are walked over: prefer the cursor."),
            Fields.Argument("take", types.Int, "How many at most; 0 is none. Lowered to the server's `page_limit`. Default: `list_page_size`."),
            Fields.Argument("type", types.Text, "Only of this type."),
            Fields.Argument("id_prefix", types.Text, "Only ids that begin with this."),
            Fields.Argument("archived", types.Truth, "Only archived ones, or only the others."),
            Fields.Argument("cursor", types.Text, "The `next_cursor` of the page before; instead of `skip`."),
            Fields.Argument("at", types.Text, "As they were at a moment (RFC 3339), without those that had no event yet."),
        ];
        QueryArgument[] name = Name(types);
        QueryArgument[] events =
        [
            .. name,
            Fields.Argument("skip", types.Int, "How many of the first events to leave out."),
            Fields.Argument("take", types.Int, "How many at most; 0 is none. Lowered to the server's `page_limit`, which is the default."),
            Fields.Argument("cursor", types.Text, "The `next_cursor` of the page before; instead of `skip`."),
        ];
        root.AddField(Fields.Of("aggregates", Fields.ListOf(types.Aggregate), "Aggregates by type and id, in the order of their UTF-8. For more than a page ask `aggregatesPage`.",
            static c => List(c, c.Asks("state")).Items, list));
        root.AddField(Fields.Of("aggregatesPage", Fields.NotNull(types.AggregatePage), "The same with the cursor of the next page.", static c => List(c, c.Asks("state", "items")), list));
        root.AddField(Fields.Of("aggregate", types.Aggregate, "One aggregate, now or earlier; null where there is none, or none that this token is shown.", One,
            [
                .. name,
                Fields.Argument("version", types.Long, "As it was at a version: beyond the end, as it is now; 0, before its first event."),
                Fields.Argument("at", types.Text, "As it was at a moment (RFC 3339)."),
            ]));
        root.AddField(Fields.Of("aggregateEvents", Fields.ListOf(types.Event), "Events of an aggregate, oldest first. For more than a page ask `aggregateEventsPage`.", static c => Events(c).Items, events));
        root.AddField(Fields.Of("aggregateEventsPage", Fields.NotNull(types.EventPage), "The same with the cursor of the next page.", static c => Events(c), events));
        root.AddField(Fields.Of("event", Fields.NotNull(types.Event), "One event.", Event, [.. name, Fields.Argument("version", Fields.NotNull(types.Long), "Which: 1 is the first.")]));
        root.AddField(Fields.Of("snapshots", Fields.NotNull(types.SnapshotPage), "Snapshots of an aggregate, oldest first.", Snapshots,
            [
                .. name,
                Fields.Argument("take", types.Int, "How many at most; 0 is none. Lowered to the server's `page_limit`, which is the default."),
                Fields.Argument("cursor", types.Text, "The `next_cursor` of the page before."),
            ]));
        root.AddField(Fields.OfAsync("verifyAggregate", Fields.NotNull(types.Verified), "Computes hashes, roots and state again from the events, and trusts nothing.", VerifyAsync,
            [.. name, Fields.Argument("level", types.Level, "How thoroughly. Default: `full`.")]));
        return root;
    }

    /// <summary>The two arguments that name an aggregate.</summary>
    public static QueryArgument[] Name(AnswerTypes types) =>
    [
        Fields.Argument("aggregate_type", Fields.NotNull(types.Text), "Its type, at most 256 bytes of UTF-8."),
        Fields.Argument("aggregate_id", Fields.NotNull(types.Text), "Its id within the type, at most 512 bytes of UTF-8."),
    ];

    static AggregatePage List(IResolveFieldContext context, bool withState)
    {
        var call = context.Call();
        call.DemandRoom();
        var cursor = context.Cursor();
        var filter = new AggregateFilter { Type = context.Text("type"), IdPrefix = context.Text("id_prefix"), Archived = context.Truth("archived") };
        return call.Session.GetAggregates(
            filter, cursor is null ? null : Cursors.ReadAggregates(cursor), context.Skip() ?? 0, context.Take(call.Config.ListPageSize), withState, context.At(), call.Cancellation);
    }

    static object? One(IResolveFieldContext context)
    {
        var call = context.Call();
        call.DemandRoom();
        var (version, at) = (context.Long("version"), context.At());
        if (version is not null && at is not null)
            throw new RefusedException(RefusalCode.InvalidArgument, "`version` and `at` both say when; give one of them.");
        var aggregate = context.Aggregate();
        try
        {
            return version is { } number ? call.Session.GetAggregate(aggregate, number)
                : at is { } time ? call.Session.GetAggregate(aggregate, time)
                : call.Session.GetAggregate(aggregate);
        }
        catch (RefusedException refused) when (refused.Refusal.Code == RefusalCode.NotFound)
        {
            return null;
        }
    }

    static EventPage Events(IResolveFieldContext context)
    {
        var call = context.Call();
        call.DemandRoom();
        var from = context.Cursor() is { } cursor ? Cursors.ReadEvents(cursor) : (ulong)(context.Skip() ?? 0) + 1;
        var take = context.Take(call.Config.PageLimit);
        var page = call.Session.GetEvents(context.Aggregate(), from, take);
        call.Gather(page.Items);
        return take > 0 ? page : page with { NextVersion = null };
    }

    static EventRecord Event(IResolveFieldContext context)
    {
        var call = context.Call();
        call.DemandRoom();
        var record = call.Session.GetEvent(context.Aggregate(), context.Long("version")!.Value);
        call.Gather(record.Payload.Length);
        return record;
    }

    static SnapshotPage Snapshots(IResolveFieldContext context)
    {
        var call = context.Call();
        call.DemandRoom();
        return call.Session.GetSnapshots(context.Aggregate(), context.Cursor() is { } cursor ? Cursors.ReadSnapshots(cursor) : null, context.Take(call.Config.PageLimit));
    }

    static async Task<object?> VerifyAsync(IResolveFieldContext context)
    {
        var call = context.Call();
        call.WatchToken();
        return await call.Session.VerifyAsync(context.Aggregate(), (VerifyLevel?)context.Value("level") ?? VerifyLevel.Full, call.Cancellation).ConfigureAwait(false);
    }
}
