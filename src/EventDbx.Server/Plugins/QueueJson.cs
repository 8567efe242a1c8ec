using System.Buffers;
using EventDbx.Delivery;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Plugins;

/// <summary>What waits and what is dead, on the wire and in <c>--json</c>: the published members first, then ours.</summary>
internal static class QueueJson
{
    /// <summary><c>{"pending":1,"dead":1,"pending_events":[…],"dead_events":[…]}</c>.</summary>
    public static void Write(IBufferWriter<byte> output, QueueView queue)
    {
        output.Write("{\"pending\":"u8);
        RecordJson.WriteNumber(output, (ulong)queue.Counts.Waiting);
        output.Write(",\"dead\":"u8);
        RecordJson.WriteNumber(output, (ulong)queue.Counts.Dead);
        output.Write(",\"pending_events\":["u8);
        for (var i = 0; i < queue.Waiting.Count; i++)
        {
            if (i > 0)
                output.Write(","u8);
            Write(output, queue.Waiting[i].Plugin, queue.Waiting[i].Entry);
        }

        output.Write("],\"dead_events\":["u8);
        for (var i = 0; i < queue.Dead.Count; i++)
        {
            if (i > 0)
                output.Write(","u8);
            var members = new JsonMembers(output);
            Dead(ref members, queue.Dead[i].Plugin, queue.Dead[i].Entry);
            members.End();
        }

        output.Write("]}"u8);
    }

    /// <summary>What became of one that was tried again: the entry, then <c>failure</c> and <c>gone</c>.</summary>
    public static void WriteRetry(IBufferWriter<byte> output, RetryResult result)
    {
        var members = new JsonMembers(output);
        Dead(ref members, result.Plugin, result.Entry);
        members.TextOrNull("failure"u8, result.Failure);
        members.Truth("gone"u8, result.Gone);
        members.End();
    }

    static void Write(IBufferWriter<byte> output, string plugin, WaitingAggregate entry)
    {
        var members = new JsonMembers(output);
        Event(ref members, entry.EventId, entry.Aggregate, entry.EventType, entry.Attempts);
        members.Text("plugin"u8, plugin);
        members.Number("version"u8, entry.Version);
        members.Number("position"u8, entry.Position);
        members.Text("last_error"u8, entry.LastError);
        // Given up and held, it is tried when somebody says so.
        members.Time("next_attempt_at"u8, entry.Held ? null : entry.NextAttemptAt);
        members.Truth("held"u8, entry.Held);
        members.End();
    }

    static void Dead(ref JsonMembers members, string plugin, DeadLetter entry)
    {
        Event(ref members, entry.EventId, entry.Aggregate, entry.EventType, entry.Attempts);
        members.Text("plugin"u8, plugin);
        members.Number("version"u8, entry.Version);
        members.Number("position"u8, entry.Position);
        members.Text("last_error"u8, entry.LastError);
        members.Time("dead_at"u8, entry.At);
    }

    static void Event(ref JsonMembers members, Guid id, AggregateKey aggregate, string type, int attempts)
    {
        members.Text("event_id"u8, EventIds.Format(id));
        members.Text("aggregate_type"u8, aggregate.Type);
        members.Text("aggregate_id"u8, aggregate.Id);
        members.Text("event_type"u8, type);
        members.Number("attempts"u8, (ulong)attempts);
    }
}
