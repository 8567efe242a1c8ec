using System.Buffers.Binary;

namespace EventDbx.Storage;

/// <summary>Puts and deletes to be written together, in one growing buffer: nothing is allocated per row.</summary>
/// <remarks>
/// <code>
/// operation  kind u8 (1 put, 2 delete) | family u8 | key length i32 | value length i32 | key | value
/// </code>
/// In memory only, so the integers are the machine's.
/// </remarks>
internal sealed class WritePlan
{
    const int HeaderBytes = 10;
    byte[] _buffer = new byte[64 * 1024];

    /// <summary>Log size the plan was made on. An engine refuses a plan whose base has moved.</summary>
    public ulong BaseLogSize { get; set; }

    /// <summary>Log size once written. Every change of a head or a state grows the log, so this base is enough.</summary>
    public ulong LogSize { get; set; }

    public int Bytes { get; private set; }

    public int Operations { get; private set; }

    public bool IsEmpty => Operations == 0;

    public void Clear()
    {
        (Bytes, Operations, BaseLogSize, LogSize) = (0, 0, 0, 0);
        if (_buffer.Length > 16 * 1024 * 1024)
            _buffer = new byte[64 * 1024];
    }

    /// <summary>A place to come back to.</summary>
    public (int Bytes, int Operations) Mark() => (Bytes, Operations);

    /// <summary>Drops everything put since the mark.</summary>
    public void RollBackTo((int Bytes, int Operations) mark) => (Bytes, Operations) = mark;

    public void Delete(Family family, ReadOnlySpan<byte> key) => Add(2, family, key, 0);

    public void Put(Family family, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value) =>
        value.CopyTo(Add(1, family, key, value.Length));

    /// <summary>Reserves the place of a value that the caller writes before anything else is added.</summary>
    public Span<byte> Put(Family family, ReadOnlySpan<byte> key, int valueBytes) => Add(1, family, key, valueBytes);

    Span<byte> Add(byte kind, Family family, ReadOnlySpan<byte> key, int valueBytes)
    {
        var needed = checked(Bytes + HeaderBytes + key.Length + valueBytes);
        if (needed > _buffer.Length)
            Array.Resize(ref _buffer, Math.Max(needed, (int)Math.Min(Array.MaxLength, _buffer.Length * 2L)));
        var at = _buffer.AsSpan(Bytes);
        at[0] = kind;
        at[1] = (byte)family;
        BinaryPrimitives.WriteInt32LittleEndian(at[2..], key.Length);
        BinaryPrimitives.WriteInt32LittleEndian(at[6..], valueBytes);
        key.CopyTo(at[HeaderBytes..]);
        Bytes = needed;
        Operations++;
        return at.Slice(HeaderBytes + key.Length, valueBytes);
    }

    public Enumerator GetEnumerator() => new(_buffer.AsSpan(0, Bytes));

    /// <summary>One operation; valid until the plan is changed.</summary>
    public readonly ref struct Operation(bool isPut, Family family, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        public bool IsPut { get; } = isPut;

        public Family Family { get; } = family;

        public ReadOnlySpan<byte> Key { get; } = key;

        public ReadOnlySpan<byte> Value { get; } = value;
    }

    public ref struct Enumerator(ReadOnlySpan<byte> rest)
    {
        ReadOnlySpan<byte> _rest = rest;

        public Operation Current { get; private set; }

        public bool MoveNext()
        {
            if (_rest.IsEmpty)
                return false;
            var keyBytes = BinaryPrimitives.ReadInt32LittleEndian(_rest[2..]);
            var valueBytes = BinaryPrimitives.ReadInt32LittleEndian(_rest[6..]);
            Current = new(_rest[0] == 1, (Family)_rest[1], _rest.Slice(HeaderBytes, keyBytes), _rest.Slice(HeaderBytes + keyBytes, valueBytes));
            _rest = _rest[(HeaderBytes + keyBytes + valueBytes)..];
            return true;
        }
    }
}
