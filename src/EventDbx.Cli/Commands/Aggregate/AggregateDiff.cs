using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace EventDbx.Cli.Commands.Aggregate;

/// <summary><c>dbx aggregate diff</c>: what changed between two versions, by which event, when and by whom.</summary>
internal static class AggregateDiff
{
    /// <summary>Where a payload that is no object goes.</summary>
    const string WholeValue = "_value";

    static readonly Option<ulong?> From = Options.Version("--from", "The version before; 0 is before the first event.");
    static readonly Option<ulong?> To = Options.Version("--to", "The version after (default: the newest).");

    /// <param name="Before">As JSON; null where the field was not there.</param>
    /// <param name="After">As JSON.</param>
    /// <param name="By">The event that made it so.</param>
    sealed record Change(string Field, string? Before, string After, EventRecord By);

    public static Verb Create() => new(
        "diff", "Show which fields changed between two versions: by which event, when and by whom.", Slot.AggregateType, Slot.AggregateId)
    {
        Remarks = ["A field that was set to what it was already has not changed. The event is the last one that changed the field."],
        Examples =
        [
            new("dbx aggregate diff order o-1 --from 3 --to 7", "What the versions 4 to 7 did."),
            new("dbx aggregate diff --aggregate order --aggregate-id o-1 --from 0 --json", "Everything that ever was set, as JSON."),
        ],
        Options = { From, To, AccessToken.Option },
        Check = call =>
        {
            if (call.Get(From) is not { } from)
                throw new UsageException("`--from` is missing: give it a version.");
            if (call.Get(To) < from)
                throw new UsageException($"`--from {from}` is behind `--to {call.Get(To)}`.");
        },
        Run = RunAsync,
    };

    static Task<ExitCode> RunAsync(Call call, CancellationToken cancellation)
    {
        var aggregate = call.Aggregate;
        return Link.ToExistingAsync(
            call, aggregate,
            async store =>
            {
                var from = call.Get(From)!.Value;
                var now = (await store.GetAggregateAsync(aggregate, null, null, cancellation).ConfigureAwait(false)).Version;
                var to = Math.Min(call.Get(To) ?? now, now);
                if (from > now)
                    throw new RefusedException(RefusalCode.NotFound, $"{aggregate} has no version {from}; it is at version {now}.");
                var changes = await FindAsync(store, aggregate, from, to, cancellation).ConfigureAwait(false);
                await (call.Json ? call.Shell.Out.WriteAsync(Json(aggregate, from, to, changes)) : Table(changes).WriteAsync(call.Shell)).ConfigureAwait(false);
                return ExitCode.Done;
            },
            cancellation);
    }

    /// <summary>Folds the events between both, with an eye on what each field was before.</summary>
    static async Task<List<Change>> FindAsync(IStore store, AggregateKey aggregate, ulong from, ulong to, CancellationToken cancellation)
    {
        var before = Fields(Encoding.UTF8.GetBytes(
            (await store.GetAggregateAsync(aggregate, from, null, cancellation).ConfigureAwait(false)).StateAsJson(typed: true)));
        var after = new Dictionary<string, (string Value, EventRecord By)>(StringComparer.Ordinal);
        await foreach (var record in AggregateReplay.ReadAsync(store, aggregate, (long)from, (long)(to - from), cancellation).ConfigureAwait(false))
        {
            foreach (var (field, value) in Fields(record.Payload))
            {
                var known = after.TryGetValue(field, out var last) ? last.Value : before.GetValueOrDefault(field);
                if (known != value)
                    after[field] = (value, record);
            }
        }

        return
        [
            .. after.Where(field => before.GetValueOrDefault(field.Key) != field.Value.Value)
                .Select(field => new Change(field.Key, before.GetValueOrDefault(field.Key), field.Value.Value, field.Value.By))
                .OrderBy(change => change.Field, JsonText.Utf8Order),
        ];
    }

    /// <summary>What a payload sets. Literals are compared as they were sent, as the state keeps them.</summary>
    static Dictionary<string, string> Fields(ReadOnlyMemory<byte> json)
    {
        using var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = 2 * Limits.PayloadDepthMax });
        var root = document.RootElement;
        return root.ValueKind switch
        {
            JsonValueKind.Null => [],
            JsonValueKind.Object => root.EnumerateObject().ToDictionary(member => member.Name, member => Text(member.Value), StringComparer.Ordinal),
            _ => new(StringComparer.Ordinal) { [WholeValue] = Text(root) },
        };

        static string Text(JsonElement value) => Encoding.UTF8.GetString(JsonMarshal.GetRawUtf8Value(value));
    }

    static Table Table(List<Change> changes)
    {
        var table = new Table("field", "before", "after", "version", "event", "created_at", "issued_by");
        foreach (var change in changes)
        {
            table.Add(
                change.Field, change.Before ?? "(none)", change.After, $"{change.By.Version}", change.By.EventType, change.By.CreatedAt.ToString(),
                change.By.Actor is { } actor ? $"{actor.Group}:{actor.User}" : "(nobody)");
        }

        return table;
    }

    static string Json(AggregateKey aggregate, ulong from, ulong to, List<Change> changes)
    {
        var json = new JsonText().BeginObject()
            .Member("aggregate_id", aggregate.Id)
            .Member("aggregate_type", aggregate.Type)
            .Name("changes").BeginArray();
        foreach (var change in changes)
        {
            json.BeginObject().Name("after").Value(Encoding.UTF8.GetBytes(change.After));
            json = change.Before is { } before ? json.Name("before").Value(Encoding.UTF8.GetBytes(before)) : json.Member("before", null);
            json.Name("event").BeginObject()
                .Member("created_at", change.By.CreatedAt.ToString())
                .Member("event_id", EventIds.Format(change.By.EventId))
                .Member("event_type", change.By.EventType)
                .Name("issued_by").Actor(change.By.Actor)
                .Member("version", change.By.Version)
                .EndObject();
            json.Member("field", change.Field).EndObject();
        }

        return json.EndArray().Member("from", from).Member("to", to).EndObject().ToString();
    }
}
