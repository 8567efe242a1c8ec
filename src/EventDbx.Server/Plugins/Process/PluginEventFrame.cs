using System.Buffers;
using System.Globalization;
using System.Text.Json;
using EventDbx.Protocol.CapnProto;

namespace EventDbx.Server.Plugins.Process;

/// <summary>A delivery as the frame of an event: <c>proto/plugin.capnp</c>.</summary>
internal static class PluginEventFrame
{
    /// <summary>Writes it; valid until the message is used again.</summary>
    /// <exception cref="MessageException">It has more than a message may.</exception>
    public static ReadOnlyMemory<byte> Write(MessageWriter message, Delivery delivery, ulong sequence)
    {
        var record = delivery.Record;
        var state = delivery.FindState();
        return PluginFrames.WriteEvent(message, new()
        {
            Sequence = sequence,
            AggregateType = record.Aggregate.Type, AggregateId = record.Aggregate.Id, EventType = record.EventType, EventVersion = record.Version,
            EventId = record.EventId.ToString("D", CultureInfo.InvariantCulture),
            CreatedAtEpochMicros = MicrosOf(record.CreatedAt),
            PayloadJson = record.Payload, MetadataJson = MetadataOf(delivery.Json),
            Hash = record.Hash.ToString(), MerkleRoot = record.MerkleRoot.ToString(),
            StateVersion = state?.Version ?? 0, StateArchived = state?.Archived ?? false, StateMerkleRoot = state?.MerkleRoot.ToString() ?? "",
            StateEntries = state is null ? [] : EntriesOf(state),
            SchemaJson = delivery.FindSchema(),
        });
    }

    /// <summary>Cut off towards the past, before 1970 too.</summary>
    static long MicrosOf(Timestamp time) => (time.Ticks100ns - (((time.Ticks100ns % 10) + 10) % 10)) / 10;

    /// <summary><c>metadata</c> of the record, as it stands there.</summary>
    static ReadOnlyMemory<byte> MetadataOf(ReadOnlyMemory<byte> record)
    {
        Utf8JsonReader json = new(record.Span, new JsonReaderOptions { MaxDepth = ServerLimits.RequestDepthMax });
        json.Read();
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var isIt = json.ValueTextEquals("metadata"u8);
            json.Read();
            var from = (int)json.TokenStartIndex;
            json.Skip();
            if (isIt)
                return record[from..(int)json.BytesConsumed];
        }

        throw new InvalidOperationException("A record has no metadata.");
    }

    /// <summary>Scalars as their text, null as the empty one, lists and objects as JSON: what the state is where every value is a string.</summary>
    static List<(ReadOnlyMemory<byte>, ReadOnlyMemory<byte>)> EntriesOf(AggregateState state)
    {
        ArrayBufferWriter<byte> output = new(512);
        state.WriteState(output);
        var text = output.WrittenMemory;
        Utf8JsonReader json = new(text.Span, new JsonReaderOptions { MaxDepth = ServerLimits.RequestDepthMax });
        List<(ReadOnlyMemory<byte>, ReadOnlyMemory<byte>)> entries = [];
        json.Read();
        while (json.Read() && json.TokenType == JsonTokenType.PropertyName)
        {
            var key = TextOf(ref json, text);
            json.Read();
            if (json.TokenType == JsonTokenType.String)
            {
                entries.Add((key, TextOf(ref json, text)));
                continue;
            }

            var from = (int)json.TokenStartIndex;
            json.Skip();
            entries.Add((key, text[from..(int)json.BytesConsumed]));
        }

        return entries;
    }

    static ReadOnlyMemory<byte> TextOf(ref Utf8JsonReader json, ReadOnlyMemory<byte> text)
    {
        if (!json.ValueIsEscaped)
            return text.Slice((int)json.TokenStartIndex + 1, json.ValueSpan.Length);
        var unescaped = new byte[json.ValueSpan.Length];
        return unescaped.AsMemory(0, json.CopyString(unescaped));
    }
}
