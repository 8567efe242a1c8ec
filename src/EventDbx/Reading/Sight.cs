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

    public bool Shows(AggregateKey aggregate) => grants.Reaches(aggregate) && (grants.Root || schemas.IsEmpty || schemas.Find(aggregate.Type, out _) is not { Schema.Hidden: true });

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
                : draft.Payload.Span[0] == (byte)'{' ? draft with { Payload = Without(draft.Payload, hidden) }
                : draft,
        };
    }

    /// <summary>The event without hidden fields. Its hash is that of the whole.</summary>
    public EventRecord Of(EventRecord record)
    {
        var hidden = HiddenFields(record.Aggregate);
        return hidden.IsEmpty || record.Payload.Span[0] != (byte)'{' ? record : record with { Payload = Without(record.Payload, hidden), Salt = default };
    }

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
