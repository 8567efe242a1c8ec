using System.Buffers;
using System.Text.Json;

namespace EventDbx.Events;

/// <summary>Snapshots as they stand on every wire, members in their published order, and back.</summary>
public static class SnapshotJson
{
    /// <summary><c>aggregate_type</c>, <c>aggregate_id</c>, <c>version</c>, <c>state</c>, <c>merkle_root</c>, <c>created_at</c>, <c>comment</c>. No <c>state</c> where it is withheld.</summary>
    public static void Write(IBufferWriter<byte> output, Snapshot snapshot, bool typed = false, FieldSelection? fields = null)
    {
        var state = snapshot.State;
        output.Write("{\"aggregate_type\":"u8);
        RecordJson.WriteText(output, state.Aggregate.Type);
        output.Write(",\"aggregate_id\":"u8);
        RecordJson.WriteText(output, state.Aggregate.Id);
        output.Write(",\"version\":"u8);
        RecordJson.WriteNumber(output, state.Version);
        if (!state.StateWithheld)
        {
            output.Write(",\"state\":"u8);
            state.WriteState(output, typed, fields);
        }

        output.Write(",\"merkle_root\":"u8);
        RecordJson.WriteText(output, state.MerkleRoot.ToString());
        output.Write(",\"created_at\":"u8);
        RecordJson.WriteText(output, snapshot.CreatedAt.ToString());
        output.Write(",\"comment\":"u8);
        if (snapshot.Comment is null)
            output.Write("null"u8);
        else
            RecordJson.WriteText(output, snapshot.Comment);
        output.Write("}"u8);
    }

    /// <summary>A snapshot as <see cref="Write"/> writes it typed and whole. Whether it was automatic only its comment says.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static Snapshot Read(JsonElement json)
    {
        try
        {
            return new(
                RecordJson.ReadState(json, archived: false),
                Timestamp.TryParse(json.GetProperty("created_at").GetString()!, out var time, out _) ? time : throw new FormatException("`created_at` is no time."),
                json.GetProperty("comment").GetString(),
                Automatic: false);
        }
        catch (Exception cause) when (cause is KeyNotFoundException or InvalidOperationException)
        {
            throw new FormatException($"This is no snapshot: {cause.Message}", cause);
        }
    }
}
