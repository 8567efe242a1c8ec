using System.Buffers;
using System.Collections.Immutable;
using System.Text.Json;
using EventDbx.Access;
using EventDbx.Schemas;
using EventDbx.Staging;

namespace EventDbx.Reading;

/// <summary>What one caller is shown: what its grants reach, without the types and fields that schemas hide. Root is shown everything.</summary>
internal readonly struct Sight(Grants grants, SchemaSet schemas)
{
    public static Sight OfEverything { get; } = new(Grants.Everything, SchemaSet.Empty);

    /// <summary>Whether there is a type or a field that this caller is not shown, though its grants reach it.</summary>
    public bool HidesAnything => !grants.Root && schemas.HidesAnything;

    public bool Shows(AggregateKey aggregate) => grants.Reaches(aggregate) && ShowsType(aggregate);

    /// <summary>Whether every field of the aggregate's type is shown: only then can its events be proved.</summary>
    public bool ShowsAllOf(AggregateKey aggregate) => Shows(aggregate) && HiddenFields(aggregate).IsEmpty;

    /// <summary>The state without hidden fields.</summary>
    public AggregateState Of(AggregateState state)
    {
        var hidden = HiddenFields(state.Aggregate);
        if (hidden.IsEmpty)
            return state;
        var fields = new List<(byte[] Name, ReadOnlyMemory<byte> Value)>();
        var any = false;
        foreach (var field in StateText.Fields(state.Fields.Span))
        {
            if (hidden.Contains(Encoding.UTF8.GetString(field.Name)))
                any = true;
            else
                fields.Add((field.Name.ToArray(), field.Value.ToArray()));
        }

        return any ? state with { Fields = StateText.Build(fields) } : state;
    }

    /// <summary>The same; and nothing of the state to who may act on the aggregate but not read it.</summary>
    public AggregateState OfAnswer(AggregateState state) => grants.Allows(AccessAction.AggregateRead, state.Aggregate)
        ? Of(state)
        : state with { Fields = StateText.Empty, StateWithheld = true };

    public Snapshot OfAnswer(Snapshot snapshot) => snapshot with { State = OfAnswer(snapshot.State) };

    public Snapshot Of(Snapshot snapshot) => snapshot with { State = Of(snapshot.State) };

    /// <summary>The staged event without hidden fields: of a patch, without the operations on them.</summary>
    public StagedEvent Of(StagedEvent staged)
    {
        var (draft, hidden) = (staged.Draft, HiddenFields(staged.Draft.Aggregate));
        if (hidden.IsEmpty)
            return staged;
        return staged with
        {
            Draft = draft.Patch is { } patch ? draft with { Patch = JsonPatch.Without(patch, hidden) }
                : draft with { Payload = Shown(draft.Payload, hidden) },
        };
    }

    /// <summary>The event without hidden fields. Its hash is that of the whole.</summary>
    public EventRecord Of(EventRecord record)
    {
        var hidden = HiddenFields(record.Aggregate);
        return hidden.IsEmpty ? record : record with { Payload = Shown(record.Payload, hidden), Salt = default };
    }

    /// <summary>Whether a payload sets nothing that this caller is not shown.</summary>
    public bool ShowsAll(AggregateKey aggregate, in JsonPayload payload)
    {
        if (!ShowsType(aggregate))
            return false;
        var hidden = HiddenFields(aggregate);
        if (hidden.IsEmpty)
            return true;
        foreach (ref readonly var member in payload.Members)
        {
            if (hidden.Contains(Encoding.UTF8.GetString(payload.NameOf(member))))
                return false;
        }

        return true;
    }

    /// <summary>Whether a patch reaches into nothing that this caller is not shown.</summary>
    public bool ShowsAll(AggregateKey aggregate, JsonPatch patch)
    {
        if (!ShowsType(aggregate))
            return false;
        var hidden = HiddenFields(aggregate);
        return hidden.IsEmpty || !patch.Operations.Any(operation => hidden.Contains(operation.Steps[0]));
    }

    /// <summary>Whether the type is not hidden from this caller, whatever its grants reach.</summary>
    public bool ShowsType(AggregateKey aggregate) => grants.Root || schemas.IsEmpty || schemas.Find(aggregate.Type, out _) is not { Schema.Hidden: true };

    /// <summary>The payload without hidden fields. One that is no object is the field <c>_value</c>: hidden, nothing of it is left.</summary>
    static ReadOnlyMemory<byte> Shown(ReadOnlyMemory<byte> payload, ImmutableSortedSet<string> hidden) =>
        payload.Span[0] == (byte)'{' ? Without(payload, hidden)
        : hidden.Contains(ValueField) ? "null"u8.ToArray()
        : payload;

    static readonly string ValueField = Encoding.UTF8.GetString(JsonPayload.ValueField);

    ImmutableSortedSet<string> HiddenFields(AggregateKey aggregate) =>
        grants.Root || schemas.IsEmpty || schemas.Find(aggregate.Type, out _) is not { } schema ? [] : schema.Schema.HiddenFields;

    static ReadOnlyMemory<byte> Without(ReadOnlyMemory<byte> payload, ImmutableSortedSet<string> hidden)
    {
        var output = new ArrayBufferWriter<byte>(payload.Length);
        var reader = new Utf8JsonReader(payload.Span, new JsonReaderOptions { MaxDepth = Limits.PayloadDepthMax });
        reader.Read();
        var any = false;
        var separator = "{"u8;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!;
            var start = (int)reader.TokenStartIndex;
            reader.Read();
            reader.Skip();
            if (hidden.Contains(name))
            {
                any = true;
                continue;
            }

            output.Write(separator);
            output.Write(payload.Span[start..(int)reader.BytesConsumed]);
            separator = ","u8;
        }

        output.Write(separator.Length == 1 && separator[0] == (byte)'{' ? "{}"u8 : "}"u8);
        return any ? output.WrittenMemory : payload;
    }
}
