using GraphQL;
using GraphQL.Types;

namespace EventDbx.Server.GraphQL;

/// <summary>The fields that write. Those of one request run one after the other; each is committed by itself.</summary>
internal static class Mutations
{
    const string Type = "aggregate_type", Id = "aggregate_id", Event = "event_type", Payload = "payload", Patch = "patch", Note = "note", EventId = "event_id", Expected = "expected_version";

    public static ObjectGraphType Build(AnswerTypes types)
    {
        var root = new ObjectGraphType
        {
            Name = "Mutation",
            Description = "What can be changed. The fields of a request run in their order, and each is committed by itself: for all or nothing use `appendEvents`.",
        };
        var input = Input(types);
        QueryArgument[] named = Queries.Name(types);
        QueryArgument[] commented = [.. named, Fields.Argument("comment", types.Text, "Kept in the log with it; at most 128 characters.")];
        root.AddField(Fields.OfAsync("appendEvent", Fields.NotNull(types.Event), "Appends one event, and answers once it is on disk. A known `event_id` answers with its original.", AppendAsync,
            Fields.Argument("input", Fields.NotNull(input), "The event.")));
        root.AddField(Fields.OfAsync("appendEvents", Fields.NotNull(types.Appended), "Appends up to 1,000 events, all or nothing, one after the other in the log.", AppendAllAsync,
            Fields.Argument("input", Fields.ListOf(input), "The events. An error says in `extensions.operation` which of them it was.")));
        root.AddField(Fields.OfAsync("createAggregate", Fields.NotNull(types.Aggregate), "Makes an aggregate without events, at version 0. An append does so by itself.", static c =>
            LifeAsync(c, static (session, aggregate, comment, cancellation) => session.CreateAsync(aggregate, comment, cancellation)), commented));
        root.AddField(Fields.OfAsync("removeAggregate", Fields.NotNull(types.Truth), "Removes an aggregate that has no events, and answers true.", RemoveAsync, named));
        root.AddField(Fields.OfAsync("archiveAggregate", Fields.NotNull(types.Aggregate), "From then on it takes no appends; it can be read and verified. Twice is once.", static c =>
            LifeAsync(c, static (session, aggregate, comment, cancellation) => session.ArchiveAsync(aggregate, comment, cancellation)), commented));
        root.AddField(Fields.OfAsync("restoreAggregate", Fields.NotNull(types.Aggregate), "Brings an archived aggregate back. One that is not archived stays as it is.", static c =>
            LifeAsync(c, static (session, aggregate, comment, cancellation) => session.RestoreAsync(aggregate, comment, cancellation)), commented));
        root.AddField(Fields.OfAsync("createSnapshot", Fields.NotNull(types.Snapshot), "Keeps the state of an aggregate as it is now.", SnapshotAsync, commented));
        return root;
    }

    static InputObjectGraphType Input(AnswerTypes types)
    {
        var input = new InputObjectGraphType { Name = "AppendEventInput", Description = "An event to append, with a payload or a patch." };
        input.AddField(Member(Type, Fields.NotNull(types.Text), "Type of the aggregate, at most 256 bytes of UTF-8."));
        input.AddField(Member(Id, Fields.NotNull(types.Text), "Id of the aggregate within the type, at most 512 bytes of UTF-8."));
        input.AddField(Member(Event, Fields.NotNull(types.Text), "What happened, at most 256 bytes of UTF-8."));
        input.AddField(Member(Payload, types.Json, "Any JSON of at most 1 MiB; the members of an object become fields of the state. `null` changes no state. Beside a patch, null counts as not given."));
        input.AddField(Member(Patch, types.Json, "Instead of a payload: a JSON Patch (RFC 6902) with `add` and `replace`, applied to the state that the append commits on."));
        input.AddField(Member(Note, types.Text, "A remark that is kept with the event; at most 128 characters."));
        input.AddField(Member(EventId, types.Text, "A UUID of yours: the same append may then be sent again, and is done once."));
        input.AddField(Member(Expected, types.Long, "Append only if the aggregate is at this version; 0: it has no events. Otherwise the error is `version_conflict`, with `extensions.actual_version`."));
        return input;
    }

    static FieldType Member(string name, IGraphType type, string description) => new() { Name = name, ResolvedType = type, Description = description };

    static async Task<object?> AppendAsync(IResolveFieldContext context)
    {
        var call = context.Call();
        var result = await call.Session.AppendAsync(Draft((IDictionary<string, object?>)context.Value("input")!), call.Cancellation).ConfigureAwait(false);
        call.Gather(result.Record.Payload.Length);
        return result.Record;
    }

    static async Task<object?> AppendAllAsync(IResolveFieldContext context)
    {
        var call = context.Call();
        var drafts = new List<EventDraft>();
        foreach (var item in (System.Collections.IEnumerable)context.Value("input")!)
        {
            try
            {
                drafts.Add(Draft((IDictionary<string, object?>)item));
            }
            catch (RefusedException refused)
            {
                throw new RefusedException(refused.Refusal with { Operation = drafts.Count });
            }
        }

        var results = await call.Session.AppendBatchAsync(drafts, call.Cancellation).ConfigureAwait(false);
        foreach (var result in results)
            call.Gather(result.Record.Payload.Length);
        return results;
    }

    static EventDraft Draft(IDictionary<string, object?> input)
    {
        var patch = (input.TryGetValue(Patch, out var patched) ? (RawJson?)patched : null)?.Text;
        ReadOnlyMemory<byte>? payload = input.TryGetValue(Payload, out var sent) && (sent is not null || patch is null) ? ((RawJson?)sent ?? RawJson.Null).Text : null;
        return new()
        {
            Aggregate = AggregateKey.Create((string?)input[Type], (string?)input[Id]),
            EventType = (string)input[Event]!,
            Payload = payload ?? (patch is null
                ? throw new RefusedException(RefusalCode.InvalidPayload, "`payload` and `patch` are missing, and an event takes one of them; send `payload: null` for an event that changes no state.")
                : default),
            Patch = patch,
            Note = input.TryGetValue(Note, out var note) ? (string?)note : null,
            EventId = !input.TryGetValue(EventId, out var id) || id is null ? null
                : EventIds.TryParse((string)id, out var parsed, out var refusal) ? parsed : throw new RefusedException(refusal),
            ExpectedVersion = input.TryGetValue(Expected, out var version) ? (ulong?)version : null,
        };
    }

    static async Task<object?> LifeAsync(IResolveFieldContext context, Func<Session, AggregateKey, string?, CancellationToken, Task<AggregateState>> run)
    {
        var call = context.Call();
        return await run(call.Session, context.Aggregate(), context.Text("comment"), call.Cancellation).ConfigureAwait(false);
    }

    static async Task<object?> RemoveAsync(IResolveFieldContext context)
    {
        var call = context.Call();
        await call.Session.RemoveAsync(context.Aggregate(), call.Cancellation).ConfigureAwait(false);
        return true;
    }

    static async Task<object?> SnapshotAsync(IResolveFieldContext context)
    {
        var call = context.Call();
        return await call.Session.SnapshotAsync(context.Aggregate(), context.Text("comment"), call.Cancellation).ConfigureAwait(false);
    }
}
