namespace EventDbx.Protocol.CapnProto;

/// <summary>What the server and a process plugin say to each other: <c>proto/plugin.capnp</c>.</summary>
/// <remarks>
/// <code>
/// PluginEnvelope 1/1   tag u16 0 bits 0-15: 0 init, 1 event, 2 ack, 3 error; all of them ptr 0
/// PluginInit     0/3   name, version, target
/// PluginEvent    5/11  see <see cref="PluginEvent"/>
/// StateEntry     0/2   key, value
/// PluginAck      1/0   sequence
/// PluginError    1/1   sequence; message
/// </code>
/// Later releases of others have PluginInit @3 transport (ptr 3) and PluginEvent @16 extensionsJson (ptr 11): longer structs are read, and what we do not know is passed over.
/// </remarks>
public static class PluginFrames
{
    /// <summary>Where the sequence of an event stands in a frame that <see cref="WriteEvent"/> has written: frame, root pointer, envelope.</summary>
    public const int SequenceOffset = 8 + 8 + 16;

    const int EnvelopeData = 1, EnvelopePointers = 1;

    public static ReadOnlyMemory<byte> WriteInit(MessageWriter message, PluginInit init)
    {
        var place = Begin(message, PluginMessageKind.Init).SetStruct(0, 0, 3);
        place.SetText(0, init.PluginName);
        place.SetText(1, init.Version);
        place.SetText(2, init.Target);
        return message.Frame;
    }

    public static ReadOnlyMemory<byte> WriteEvent(MessageWriter message, PluginEvent e)
    {
        var place = Begin(message, PluginMessageKind.Event).SetStruct(0, 5, 11);
        place.SetUInt64(0, e.Sequence);
        place.SetUInt64(1, e.EventVersion);
        place.SetInt64(2, e.CreatedAtEpochMicros);
        place.SetUInt64(3, e.StateVersion);
        place.SetBool(4 * 64, e.StateArchived);
        place.SetText(0, e.AggregateType);
        place.SetText(1, e.AggregateId);
        place.SetText(2, e.EventType);
        place.SetText(3, e.EventId);
        place.SetText(4, e.PayloadJson.Span);
        place.SetText(5, e.MetadataJson.Span);
        place.SetText(6, e.Hash);
        place.SetText(7, e.MerkleRoot);
        place.SetText(8, e.StateMerkleRoot);
        var entries = place.SetStructs(9, e.StateEntries.Count, 0, 2);
        for (var i = 0; i < entries.Count; i++)
        {
            entries[i].SetText(0, e.StateEntries[i].Key.Span);
            entries[i].SetText(1, e.StateEntries[i].Value.Span);
        }

        place.SetText(10, e.SchemaJson.Span);
        return message.Frame;
    }

    public static ReadOnlyMemory<byte> WriteAck(MessageWriter message, ulong sequence)
    {
        Begin(message, PluginMessageKind.Ack).SetStruct(0, 1, 0).SetUInt64(0, sequence);
        return message.Frame;
    }

    public static ReadOnlyMemory<byte> WriteError(MessageWriter message, ulong sequence, string reason)
    {
        var place = Begin(message, PluginMessageKind.Error).SetStruct(0, 1, 1);
        place.SetUInt64(0, sequence);
        place.SetText(0, reason);
        return message.Frame;
    }

    /// <summary>What a message says.</summary>
    /// <exception cref="MessageException">It is no envelope, or of a kind that we do not know.</exception>
    public static PluginMessage Read(MessageReader message)
    {
        var envelope = message.Root;
        var kind = (PluginMessageKind)envelope.GetUInt16(0);
        var place = envelope.GetStruct(0);
        return kind switch
        {
            PluginMessageKind.Init => new(kind) { Init = new(place.GetText(0), place.GetText(1), place.GetText(2)) },
            PluginMessageKind.Event => new(kind) { Event = ReadEvent(place) },
            PluginMessageKind.Ack => new(kind) { Sequence = place.GetUInt64(0) },
            PluginMessageKind.Error => new(kind) { Sequence = place.GetUInt64(0), Reason = place.GetText(0) },
            _ => throw new MessageException($"An envelope holds init, event, ack or error, not {(int)kind}."),
        };
    }

    static StructWriter Begin(MessageWriter message, PluginMessageKind kind)
    {
        var envelope = message.SetRoot(EnvelopeData, EnvelopePointers);
        envelope.SetUInt16(0, (ushort)kind);
        return envelope;
    }

    static PluginEvent ReadEvent(StructReader place)
    {
        var list = place.GetStructs(9);
        var entries = new (ReadOnlyMemory<byte>, ReadOnlyMemory<byte>)[list.Count];
        for (var i = 0; i < entries.Length; i++)
            entries[i] = (list[i].GetUtf8(0), list[i].GetUtf8(1));
        return new()
        {
            Sequence = place.GetUInt64(0), AggregateType = place.GetText(0), AggregateId = place.GetText(1), EventType = place.GetText(2),
            EventVersion = place.GetUInt64(1), EventId = place.GetText(3), CreatedAtEpochMicros = place.GetInt64(2),
            PayloadJson = place.GetUtf8(4), MetadataJson = place.GetUtf8(5), Hash = place.GetText(6), MerkleRoot = place.GetText(7),
            StateVersion = place.GetUInt64(3), StateArchived = place.GetBool(4 * 64), StateMerkleRoot = place.GetText(8), StateEntries = entries, SchemaJson = place.GetUtf8(10),
        };
    }
}

/// <summary>What an envelope holds.</summary>
public enum PluginMessageKind
{
    Init = 0,
    Event = 1,
    Ack = 2,
    Error = 3,
}

/// <summary>An envelope that was read.</summary>
public sealed record PluginMessage(PluginMessageKind Kind)
{
    /// <summary>Of an init.</summary>
    public PluginInit? Init { get; init; }

    /// <summary>Of an event.</summary>
    public PluginEvent? Event { get; init; }

    /// <summary>Of an ack or error.</summary>
    public ulong Sequence { get; init; }

    /// <summary>Of an error.</summary>
    public string Reason { get; init; } = "";
}

/// <summary>The first message after every start.</summary>
/// <param name="PluginName">The installed plugin, not the instance.</param>
/// <param name="Version">Its version.</param>
/// <param name="Target">For which machines it is built: <c>linux-x86_64</c>.</param>
public sealed record PluginInit(string PluginName, string Version, string Target);

/// <summary>An event on its way to a plugin. JSON and values of the state are UTF-8.</summary>
public sealed record PluginEvent
{
    /// <summary>0 after every start, one more with every event.</summary>
    public required ulong Sequence { get; init; }

    public required string AggregateType { get; init; }

    public required string AggregateId { get; init; }

    public required string EventType { get; init; }

    public required ulong EventVersion { get; init; }

    public required string EventId { get; init; }

    /// <summary>Since 1970-01-01Z; what is finer is cut off.</summary>
    public required long CreatedAtEpochMicros { get; init; }

    public required ReadOnlyMemory<byte> PayloadJson { get; init; }

    /// <summary>As <c>metadata</c> of the published record.</summary>
    public required ReadOnlyMemory<byte> MetadataJson { get; init; }

    /// <summary>In small hex.</summary>
    public required string Hash { get; init; }

    /// <summary>The same.</summary>
    public required string MerkleRoot { get; init; }

    /// <summary>Of the state that is sent along; 0 where the aggregate is gone.</summary>
    public required ulong StateVersion { get; init; }

    public required bool StateArchived { get; init; }

    public required string StateMerkleRoot { get; init; }

    /// <summary>In the order of keys. Scalars are their text, lists and objects their JSON, null is empty.</summary>
    public required IReadOnlyList<(ReadOnlyMemory<byte> Key, ReadOnlyMemory<byte> Value)> StateEntries { get; init; }

    /// <summary>Empty where there is no schema.</summary>
    public required ReadOnlyMemory<byte> SchemaJson { get; init; }
}
