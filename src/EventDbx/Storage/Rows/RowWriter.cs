using System.Buffers.Binary;
using System.Text;

namespace EventDbx.Storage.Rows;

/// <summary>Writes a row field by field into exactly enough space.</summary>
internal ref struct RowWriter(Span<byte> target)
{
    Span<byte> _rest = target;

    public readonly int Left => _rest.Length;

    public void U8(byte value)
    {
        _rest[0] = value;
        _rest = _rest[1..];
    }

    public void U16(ushort value)
    {
        BinaryPrimitives.WriteUInt16BigEndian(_rest, value);
        _rest = _rest[2..];
    }

    public void U32(uint value)
    {
        BinaryPrimitives.WriteUInt32BigEndian(_rest, value);
        _rest = _rest[4..];
    }

    public void U64(ulong value)
    {
        BinaryPrimitives.WriteUInt64BigEndian(_rest, value);
        _rest = _rest[8..];
    }

    public void I64(long value) => U64((ulong)value);

    public void Bytes(ReadOnlySpan<byte> value)
    {
        value.CopyTo(_rest);
        _rest = _rest[value.Length..];
    }

    /// <summary>u16 length, bytes.</summary>
    public void Short(ReadOnlySpan<byte> value)
    {
        U16(checked((ushort)value.Length));
        Bytes(value);
    }

    /// <summary>u16 length, UTF-8.</summary>
    public void Short(string value)
    {
        var bytes = Encoding.UTF8.GetBytes(value, _rest[2..]);
        U16(checked((ushort)bytes));
        _rest = _rest[bytes..];
    }

    /// <summary>u32 length, bytes.</summary>
    public void Long(ReadOnlySpan<byte> value)
    {
        U32((uint)value.Length);
        Bytes(value);
    }

    /// <summary>u32 length, UTF-8.</summary>
    public void Long(string value)
    {
        var bytes = Encoding.UTF8.GetBytes(value, _rest[4..]);
        U32((uint)bytes);
        _rest = _rest[bytes..];
    }

    public void Hash(in Hash32 value)
    {
        value.Write(_rest);
        _rest = _rest[Hash32.Length..];
    }

    public void Id(Guid value)
    {
        value.TryWriteBytes(_rest, bigEndian: true, out _);
        _rest = _rest[16..];
    }

    /// <summary>Hands out the next bytes to be filled by the caller.</summary>
    public Span<byte> Take(int bytes)
    {
        var taken = _rest[..bytes];
        _rest = _rest[bytes..];
        return taken;
    }

    /// <summary>The row must be full: a size that was computed wrongly is our bug, found before anything is written.</summary>
    public readonly void Done()
    {
        if (!_rest.IsEmpty)
            throw new InvalidOperationException($"A row was sized {_rest.Length} bytes too large.");
    }
}

/// <summary>Reads a row field by field. Whatever the bytes are, it does not throw: <see cref="Ok"/> turns false.</summary>
internal ref struct RowReader(ReadOnlyMemory<byte> row)
{
    int _at;

    public bool Ok { get; private set; } = true;

    /// <summary>Whether everything was read, and nothing was missing.</summary>
    public readonly bool Finished => Ok && _at == row.Length;

    ReadOnlySpan<byte> Next(int bytes)
    {
        if (!Ok || bytes < 0 || row.Length - _at < bytes)
        {
            Ok = false;
            return default;
        }

        var next = row.Span.Slice(_at, bytes);
        _at += bytes;
        return next;
    }

    public byte U8() => Next(1) is { Length: 1 } next ? next[0] : (byte)0;

    public ushort U16() => Next(2) is { Length: 2 } next ? BinaryPrimitives.ReadUInt16BigEndian(next) : (ushort)0;

    public uint U32() => Next(4) is { Length: 4 } next ? BinaryPrimitives.ReadUInt32BigEndian(next) : 0;

    public ulong U64() => Next(8) is { Length: 8 } next ? BinaryPrimitives.ReadUInt64BigEndian(next) : 0;

    public long I64() => (long)U64();

    public Hash32 Hash() => Next(Hash32.Length) is { Length: Hash32.Length } next ? Hash32.Read(next) : default;

    public Guid Id() => Next(16) is { Length: 16 } next ? new Guid(next, bigEndian: true) : default;

    public ReadOnlyMemory<byte> Bytes(int bytes)
    {
        var from = _at;
        return Next(bytes).Length == bytes && Ok ? row.Slice(from, bytes) : default;
    }

    public ReadOnlyMemory<byte> Short() => Bytes(U16());

    public ReadOnlyMemory<byte> Long()
    {
        var bytes = U32();
        if (bytes <= int.MaxValue)
            return Bytes((int)bytes);
        Ok = false;
        return default;
    }

    public ReadOnlyMemory<byte> Rest() => Bytes(row.Length - _at);

    /// <summary>UTF-8 text; text that is not valid UTF-8 makes the row unreadable.</summary>
    public string Text()
    {
        var bytes = Short().Span;
        if (!System.Text.Unicode.Utf8.IsValid(bytes))
            Ok = false;
        return Ok ? Encoding.UTF8.GetString(bytes) : "";
    }
}
