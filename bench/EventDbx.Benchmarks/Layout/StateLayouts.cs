using System.Buffers;
using System.Text.Json;

namespace EventDbx.Benchmarks.Layout;

/// <summary>One field as an event sets it.</summary>
internal readonly record struct Field(byte[] Name, byte[] Value);

/// <summary>A way to keep the fields of an aggregate.</summary>
internal interface IStateLayout
{
    void Set(IStorageView view, WritePlan plan, byte[] aggregate, ReadOnlySpan<Field> fields);

    /// <summary>The state as one JSON object.</summary>
    byte[] Read(IStorageView view, byte[] aggregate);
}

/// <summary>All fields in one sealed row: a change reads, opens, merges, seals and writes it whole.</summary>
internal sealed class BlobState(Seal seal) : IStateLayout
{
    readonly ArrayBufferWriter<byte> _merged = new();

    public void Set(IStorageView view, WritePlan plan, byte[] aggregate, ReadOnlySpan<Field> fields)
    {
        _merged.ResetWrittenCount();
        var stored = view.Get(Family.State, aggregate);
        _merged.Write("{"u8);
        if (stored is not null)
            CopyOthers(seal.Open(aggregate, stored), fields);
        foreach (var field in fields)
            Write(field.Name, field.Value);
        _merged.Write("}"u8);
        plan.Put(Family.State, aggregate, seal.Close(aggregate, _merged.WrittenSpan));
    }

    public byte[] Read(IStorageView view, byte[] aggregate) => seal.Open(aggregate, view.Get(Family.State, aggregate)!);

    void CopyOthers(ReadOnlySpan<byte> old, ReadOnlySpan<Field> fields)
    {
        Utf8JsonReader reader = new(old);
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isSet = false;
            foreach (var field in fields)
                isSet |= reader.ValueTextEquals(field.Name);
            var from = (int)reader.TokenStartIndex;
            reader.Read();
            if (isSet)
                continue;
            Separate();
            _merged.Write(old[from..(int)reader.BytesConsumed]);
        }
    }

    void Write(byte[] name, byte[] value)
    {
        Separate();
        _merged.Write("\""u8);
        _merged.Write(name);
        _merged.Write("\":"u8);
        _merged.Write(value);
    }

    void Separate()
    {
        if (_merged.WrittenCount > 1)
            _merged.Write(","u8);
    }
}

/// <summary>Each field in a sealed row of its own: a change writes what it changes; a read gathers.</summary>
internal sealed class RowState(Seal seal) : IStateLayout
{
    public void Set(IStorageView view, WritePlan plan, byte[] aggregate, ReadOnlySpan<Field> fields)
    {
        foreach (var field in fields)
        {
            byte[] key = [.. aggregate, 0, .. seal.Name(field.Name)];
            byte[] value = seal.IsPlain ? field.Value : [.. "\""u8, .. field.Name, .. "\":"u8, .. field.Value];
            plan.Put(Family.State, key, seal.Close(key, value));
        }
    }

    public byte[] Read(IStorageView view, byte[] aggregate)
    {
        ArrayBufferWriter<byte> state = new(4096);
        state.Write("{"u8);
        foreach (var row in view.Range(Family.State, aggregate, Keys.After(aggregate), int.MaxValue, int.MaxValue))
        {
            if (state.WrittenCount > 1)
                state.Write(","u8);
            if (seal.IsPlain)
            {
                state.Write("\""u8);
                state.Write(row.Key.AsSpan(aggregate.Length + 1));
                state.Write("\":"u8);
            }
            state.Write(seal.Open(row.Key, row.Value));
        }
        state.Write("}"u8);
        return state.WrittenSpan.ToArray();
    }
}
