using System.Buffers;
using EventDbx.Schemas;

namespace EventDbx.Server.Plugins;

/// <summary>One event on its way to a plugin, with what some kinds send along.</summary>
/// <param name="record">The event, unfiltered.</param>
/// <param name="state">Finds the state to send: the newest, or, with <c>exact_state</c>, the one after the event. Null where the aggregate is gone.</param>
/// <param name="schema">Finds the schema of its type as JSON; empty where there is none.</param>
internal sealed class Delivery(EventRecord record, Func<AggregateState?> state, Func<ReadOnlyMemory<byte>> schema)
{
    byte[]? _json;

    public EventRecord Record => record;

    /// <summary>The published <c>EventRecord</c> as JSON in one line, without its end.</summary>
    public ReadOnlyMemory<byte> Json => _json ??= ToJson();

    /// <summary>Looked up each time: ask once.</summary>
    public AggregateState? FindState() => state();

    /// <summary>The same.</summary>
    public ReadOnlyMemory<byte> FindSchema() => schema();

    byte[] ToJson()
    {
        var output = new ArrayBufferWriter<byte>(512);
        RecordJson.WriteRecord(output, record);
        return output.WrittenSpan.ToArray();
    }
}
