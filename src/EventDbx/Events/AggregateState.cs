using System.Buffers;
using System.Text;

namespace EventDbx.Events;

/// <summary>One aggregate at one version.</summary>
public sealed record AggregateState
{
    public required AggregateKey Aggregate { get; init; }

    /// <summary>0 for an aggregate that was created and has no events yet.</summary>
    public required ulong Version { get; init; }

    /// <summary>The fields as one blob (<see cref="StateText"/>); empty where only the head was asked for.</summary>
    internal ReadOnlyMemory<byte> Fields { get; init; } = StateText.Empty;

    /// <summary>The caller may act on the aggregate and not read it: nothing is said of its state.</summary>
    public bool StateWithheld { get; init; }

    public required Hash32 MerkleRoot { get; init; }

    /// <summary>Whether it is archived now, whatever version was asked for.</summary>
    public required bool Archived { get; init; }

    /// <summary>When its first event (or its creation) was committed.</summary>
    public required Timestamp CreatedAt { get; init; }

    /// <summary>When the event of <see cref="Version"/> was committed.</summary>
    public required Timestamp UpdatedAt { get; init; }

    /// <summary>The same with the members of a payload put in, as an event would.</summary>
    /// <exception cref="RefusedException"><see cref="RefusalCode.IntegrityViolation"/>: it is none that we would have stored.</exception>
    public AggregateState With(ReadOnlySpan<byte> payload)
    {
        var fold = new Reading.StateFold(Fields.ToArray());
        fold.Apply(payload);
        return this with { Fields = fold.Fields };
    }

    /// <summary>Writes the state as a JSON object, members in UTF-8 order.</summary>
    /// <param name="target">Receives UTF-8.</param>
    /// <param name="typed">True: scalars as JSON. False: scalars as strings, <c>null</c> as the empty string.</param>
    /// <param name="fields">Only these parts of it; null is all of it.</param>
    public void WriteState(IBufferWriter<byte> target, bool typed = false, FieldSelection? fields = null) =>
        StateJson.Write(target, Fields.Span, typed, fields);

    /// <summary>The state as JSON text: <see cref="WriteState"/>.</summary>
    public string StateAsJson(bool typed = false)
    {
        var text = new ArrayBufferWriter<byte>();
        WriteState(text, typed);
        return Encoding.UTF8.GetString(text.WrittenSpan);
    }
}
