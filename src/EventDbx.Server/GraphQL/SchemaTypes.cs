using EventDbx.Reading;
using EventDbx.Server.Rest;
using EventDbx.Verification;
using GraphQL;
using GraphQL.Types;

namespace EventDbx.Server.GraphQL;

/// <summary>The types that answers are made of: members as REST has them, each read from the record that the engine gave.</summary>
internal sealed class AnswerTypes
{
    public AnswerTypes()
    {
        Actor = Named("Actor", "Who did something.");
        Actor.AddField(Fields.Of("group", NotNull(Text), "The group.", static c => ((Actor)c.Source!).Group));
        Actor.AddField(Fields.Of("user", NotNull(Text), "The user.", static c => ((Actor)c.Source!).User));

        Metadata = Named("EventMetadata", "What stands in an event beside its payload.");
        Metadata.AddField(Fields.Of("event_id", NotNull(Text), "The UUID that makes a repeated append the same append.", static c => Record(c).EventId.ToString("D")));
        Metadata.AddField(Fields.Of("created_at", NotNull(Text), "When it was committed: RFC 3339, UTC.", static c => Record(c).CreatedAt.ToString()));
        Metadata.AddField(Fields.Of("issued_by", Actor, "Who appended it; null where nobody is known.", static c => Record(c).Actor));
        Metadata.AddField(Fields.Of("note", Text, "What was said with it.", static c => Record(c).Note));

        Event = Named("Event", "One committed event.");
        Event.AddField(Fields.Of("aggregate_type", NotNull(Text), "Type of its aggregate.", static c => Record(c).Aggregate.Type));
        Event.AddField(Fields.Of("aggregate_id", NotNull(Text), "Id of its aggregate within the type.", static c => Record(c).Aggregate.Id));
        Event.AddField(Fields.Of("event_type", NotNull(Text), "What happened.", static c => Record(c).EventType));
        Event.AddField(Fields.Of("payload", Json, "As it was sent, without the white space. A payload may be JSON `null`.", static c => new RawJson(Record(c).Payload)));
        Event.AddField(Fields.Of("metadata", NotNull(Metadata), "Id, time, actor, note.", static c => c.Source));
        Event.AddField(Fields.Of("version", NotNull(Long), "1 for the first event of the aggregate, then without gaps.", static c => Record(c).Version));
        Event.AddField(Fields.Of("hash", NotNull(Text), "The leaf hash, 64 hexadecimal digits.", static c => Record(c).Hash.ToString()));
        Event.AddField(Fields.Of("merkle_root", NotNull(Text), "The Merkle root of the aggregate after this event.", static c => Record(c).MerkleRoot.ToString()));
        Event.AddField(Fields.Of("position", NotNull(Long), "Place in the log of the whole database.", static c => Record(c).Position));

        Aggregate = Named("Aggregate", "One aggregate at one version.");
        AddState(Aggregate, static c => (AggregateState)c.Source!);
        Aggregate.AddField(Fields.Of("archived", NotNull(Truth), "Whether it is archived now, whatever version was asked for.", static c => ((AggregateState)c.Source!).Archived));

        Snapshot = Named("Snapshot", "The state of an aggregate that was kept at one version.");
        AddState(Snapshot, static c => ((Snapshot)c.Source!).State);
        Snapshot.AddField(Fields.Of("created_at", NotNull(Text), "When it was taken.", static c => ((Snapshot)c.Source!).CreatedAt.ToString()));
        Snapshot.AddField(Fields.Of("comment", Text, "What was said when it was taken.", static c => ((Snapshot)c.Source!).Comment));

        AggregatePage = PageOf<AggregatePage>("AggregatePage", Aggregate, "aggregates", static page => page.Items, static page => page.Next is { } next ? Cursors.OfAggregates(next) : null);
        EventPage = PageOf<EventPage>("EventPage", Event, "events", static page => page.Items, static page => page.NextVersion is { } next ? Cursors.OfEvents(next) : null);
        SnapshotPage = PageOf<SnapshotPage>("SnapshotPage", Snapshot, "snapshots", static page => page.Items, static page => page.Next is { } next ? Cursors.OfSnapshots(next) : null);

        Verified = Named("VerifyResult", "An aggregate whose hashes, roots and state were computed again from its events. One that does not agree is the error `integrity_violation`.");
        Verified.AddField(Fields.Of("merkle_root", NotNull(Text), "The root that was found.", static c => ((VerifyResult)c.Source!).MerkleRoot.ToString()));
        Verified.AddField(Fields.Of("version", NotNull(Long), "The version it has.", static c => ((VerifyResult)c.Source!).Version));
        Verified.AddField(Fields.Of("archived", NotNull(Truth), "Whether it is archived.", static c => ((VerifyResult)c.Source!).Archived));
        Verified.AddField(Fields.Of("events_checked", NotNull(Long), "Events that were looked at.", static c => ((VerifyResult)c.Source!).EventsChecked));

        Level = new EnumerationGraphType { Name = "VerifyLevel", Description = "How much a verify looks at." };
        Level.Add(new EnumValueDefinition("full", VerifyLevel.Full) { Description = "Every event." });
        Level.Add(new EnumValueDefinition("quick", VerifyLevel.Quick) { Description = "The newest event and the root." });

        Appended = Named("AppendEventsResult", "A batch that was committed: all of it, or nothing.");
        Appended.AddField(Fields.Of("events", Fields.ListOf(Event), "One for each of the input, in its order.", static c => ((IReadOnlyList<AppendResult>)c.Source!).Select(static result => result.Record).ToList()));
        Appended.AddField(Fields.Of("known", Fields.ListOf(Int), "Places in the input, from 0, whose event id was known: those show the original, and nothing was written for them.",
            static c => ((IReadOnlyList<AppendResult>)c.Source!).Index().Where(static one => !one.Item.Appended).Select(static one => one.Index).ToList()));

        Fed = Named("FeedItem", "An entry of the feed.");
        Fed.AddField(Fields.Of("cursor", NotNull(Text), "Where to go on: send it as `after`.", static c => ((FedItem)c.Source!).Cursor.ToString()));
        Fed.AddField(Fields.Of("position", NotNull(Long), "Everything in the log up to here has been shown, or was not asked for.", static c => ((FedItem)c.Source!).Cursor.Position));
        Fed.AddField(Fields.Of("event", Event, "The event; null in a heartbeat.", static c => ((FedItem)c.Source!).Event));
    }

    public StringGraphType Text { get; } = new();

    public IntGraphType Int { get; } = new();

    public BooleanGraphType Truth { get; } = new();

    public LongScalar Long { get; } = new();

    public JsonScalar Json { get; } = new();

    public ObjectGraphType Actor { get; }

    public ObjectGraphType Metadata { get; }

    public ObjectGraphType Event { get; }

    public ObjectGraphType Aggregate { get; }

    public ObjectGraphType Snapshot { get; }

    public ObjectGraphType AggregatePage { get; }

    public ObjectGraphType EventPage { get; }

    public ObjectGraphType SnapshotPage { get; }

    public ObjectGraphType Verified { get; }

    public EnumerationGraphType Level { get; }

    public ObjectGraphType Appended { get; }

    public ObjectGraphType Fed { get; }

    static NonNullGraphType NotNull(IGraphType type) => Fields.NotNull(type);

    static ObjectGraphType Named(string name, string description) => new() { Name = name, Description = description };

    static EventRecord Record(IResolveFieldContext context) => (EventRecord)context.Source!;

    void AddState(ObjectGraphType type, Func<IResolveFieldContext, AggregateState> of)
    {
        type.AddField(Fields.Of("aggregate_type", NotNull(Text), "Its type.", c => of(c).Aggregate.Type));
        type.AddField(Fields.Of("aggregate_id", NotNull(Text), "Its id within the type.", c => of(c).Aggregate.Id));
        type.AddField(Fields.Of("version", NotNull(Long), "Events it has; 0: it was created, and has none yet.", c => of(c).Version));
        type.AddField(Fields.Of(
            "state", Json, "An object with the fields in the order of their names. Null where the token may act on the aggregate and not read it.", c => StateOf(c, of(c)),
            Fields.Argument("typed", Truth, "Values as the JSON they are. Without it scalars are strings, as published."),
            Fields.Argument("fields", new ListGraphType(new NonNullGraphType(Text)), "Only these: names of fields, or JSON Pointers such as `/address/city`.")));
        type.AddField(Fields.Of("merkle_root", NotNull(Text), "The Merkle root over its events, 64 hexadecimal digits.", c => of(c).MerkleRoot.ToString()));
    }

    static RawJson? StateOf(IResolveFieldContext context, AggregateState state)
    {
        if (state.StateWithheld)
            return null;
        var call = context.Call();
        call.DemandRoom();
        using var output = new PooledBuffer();
        state.WriteState(output, context.Truth("typed") ?? false, context.Selection());
        call.Gather(output.Length);
        return new(output.Written.ToArray());
    }

    ObjectGraphType PageOf<T>(string name, IGraphType item, string what, Func<T, object?> items, Func<T, string?> next)
    {
        var type = Named(name, $"A page of {what}.");
        type.AddField(Fields.Of("items", Fields.ListOf(item), "May be short, or empty, and still not be the last.", c => items((T)c.Source!)));
        type.AddField(Fields.Of("next_cursor", Text, "Send it as `cursor` for the next page; null: there is none.", c => next((T)c.Source!)));
        return type;
    }
}
