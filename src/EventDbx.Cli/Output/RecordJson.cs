using System.Buffers;

namespace EventDbx.Cli.Output;

/// <summary>Records and states in the two shapes in which <c>dbx</c> prints them: the published order, and sorted members.</summary>
internal static class RecordJson
{
    /// <summary>A record in the published order of its members, <c>position</c> last.</summary>
    public static JsonText Record(this JsonText json, EventRecord record)
    {
        json.BeginObject()
            .Member("aggregate_type", record.Aggregate.Type)
            .Member("aggregate_id", record.Aggregate.Id)
            .Member("event_type", record.EventType)
            .Name("payload").Value(record.Payload);
        json.Name("metadata").BeginObject()
            .Member("event_id", record.EventId.ToString("D"))
            .Member("created_at", record.CreatedAt.ToString())
            .Name("issued_by").Actor(record.Actor);
        if (record.Note is not null)
            json.Member("note", record.Note);
        return json.EndObject()
            .Member("version", record.Version)
            .Member("hash", record.Hash.ToString())
            .Member("merkle_root", record.MerkleRoot.ToString())
            .Member("position", record.Position)
            .EndObject();
    }

    /// <summary>A record with its members in the order of their names, at every level.</summary>
    public static JsonText SortedRecord(this JsonText json, EventRecord record)
    {
        json.BeginObject()
            .Member("aggregate_id", record.Aggregate.Id)
            .Member("aggregate_type", record.Aggregate.Type)
            .Member("event_type", record.EventType)
            .Member("hash", record.Hash.ToString())
            .Member("merkle_root", record.MerkleRoot.ToString());
        json.Name("metadata").BeginObject()
            .Member("created_at", record.CreatedAt.ToString())
            .Member("event_id", record.EventId.ToString("D"))
            .Name("issued_by").Actor(record.Actor);
        if (record.Note is not null)
            json.Member("note", record.Note);
        return json.EndObject()
            .Name("payload").Value(record.Payload, sorted: true)
            .Member("position", record.Position)
            .Member("version", record.Version)
            .EndObject();
    }

    /// <summary>An aggregate in the published order of its members.</summary>
    public static JsonText Aggregate(this JsonText json, AggregateState aggregate) => json.BeginObject()
        .Member("aggregate_type", aggregate.Aggregate.Type)
        .Member("aggregate_id", aggregate.Aggregate.Id)
        .Member("version", aggregate.Version)
        .Name("state").State(aggregate)
        .Member("merkle_root", aggregate.MerkleRoot.ToString())
        .Member("archived", aggregate.Archived)
        .EndObject();

    /// <summary>The fields of a state as an object.</summary>
    public static JsonText State(
        this JsonText json, AggregateState aggregate, bool typed = false, FieldSelection? fields = null, bool sorted = false)
    {
        var state = new ArrayBufferWriter<byte>();
        aggregate.WriteState(state, typed, fields);
        return json.Value(state.WrittenMemory, sorted);
    }

    /// <summary>Who did something, or null.</summary>
    public static JsonText Actor(this JsonText json, Actor? actor) => actor is null
        ? json.Value((string?)null)
        : json.BeginObject().Member("group", actor.Group).Member("user", actor.User).EndObject();
}
