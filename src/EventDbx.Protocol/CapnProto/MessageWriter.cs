using System.Buffers.Binary;
using System.Numerics;

namespace EventDbx.Protocol.CapnProto;

/// <summary>Writes messages of one segment, objects in the order in which they are begun: the same calls make the same bytes.</summary>
/// <remarks>
/// <code>
/// u32 0   u32 words     the frame: segments less one, words of the only one
/// root pointer          the first word of the segment
/// objects               each behind the one before
/// </code>
/// Reused: <see cref="SetRoot"/> begins the next message. Source: the encoding specification of Cap'n Proto.
/// </remarks>
public sealed class MessageWriter
{
    const int FrameBytes = 8;
    const int FirstBytes = 1024;

    byte[] _bytes = new byte[FirstBytes];
    int _used;

    /// <summary>The message with its frame; valid until the next <see cref="SetRoot"/>.</summary>
    public ReadOnlyMemory<byte> Frame
    {
        get
        {
            BinaryPrimitives.WriteUInt32LittleEndian(_bytes, 0);
            BinaryPrimitives.WriteUInt32LittleEndian(_bytes.AsSpan(4), (uint)((_used - FrameBytes) / MessageLimits.WordBytes));
            return _bytes.AsMemory(0, _used);
        }
    }

    /// <summary>Begins a message.</summary>
    /// <param name="dataWords">Words of numbers in its root struct.</param>
    /// <param name="pointers">Pointers in it.</param>
    public StructWriter SetRoot(int dataWords, int pointers)
    {
        _used = FrameBytes;
        var root = Allocate(1);
        return NewStruct(root, dataWords, pointers);
    }

    internal StructWriter NewStruct(int slot, int dataWords, int pointers)
    {
        var at = Allocate(dataWords + pointers);
        // A struct of no size has no place: -1 says so.
        var offset = dataWords + pointers == 0 ? -1 : OffsetOf(slot, at);
        Put(slot, Pointer.Struct(offset, dataWords, pointers));
        return new(this, at, dataWords, pointers);
    }

    internal StructListWriter NewStructs(int slot, int count, int dataWords, int pointers)
    {
        var words = (long)count * (dataWords + pointers);
        var at = Allocate(checked(1 + Bounded(words)));
        Put(slot, Pointer.List(OffsetOf(slot, at), Pointer.Composite, (int)words));
        Put(at, Pointer.Struct(count, dataWords, pointers));
        return new(this, at + MessageLimits.WordBytes, count, dataWords, pointers);
    }

    internal PointerListWriter NewPointers(int slot, int count)
    {
        var at = Allocate(count);
        Put(slot, Pointer.List(OffsetOf(slot, at), Pointer.Pointers, count));
        return new(this, at, count);
    }

    internal void NewBytes(int slot, ReadOnlySpan<byte> bytes, bool terminated)
    {
        var length = checked(bytes.Length + (terminated ? 1 : 0));
        var at = Allocate(WordsOf(length));
        Put(slot, Pointer.List(OffsetOf(slot, at), Pointer.Bytes, length));
        bytes.CopyTo(_bytes.AsSpan(at));
    }

    internal void NewText(int slot, ReadOnlySpan<char> text)
    {
        var length = System.Text.Encoding.UTF8.GetByteCount(text);
        var at = Allocate(WordsOf(checked(length + 1)));
        Put(slot, Pointer.List(OffsetOf(slot, at), Pointer.Bytes, length + 1));
        System.Text.Encoding.UTF8.GetBytes(text, _bytes.AsSpan(at, length));
    }

    internal Span<byte> At(int place, int length) => _bytes.AsSpan(place, length);

    void Put(int place, ulong word) => BinaryPrimitives.WriteUInt64LittleEndian(_bytes.AsSpan(place), word);

    static int OffsetOf(int slot, int target) => ((target - slot) / MessageLimits.WordBytes) - 1;

    static int WordsOf(int bytes) => (int)(((long)bytes + 7) / MessageLimits.WordBytes);

    static int Bounded(long words) => words <= MessageLimits.WordsMax ? (int)words : throw TooLarge();

    /// <summary>Zeroed words at the end; returns the place of the first.</summary>
    int Allocate(int words)
    {
        var at = _used;
        if (((at - FrameBytes) / MessageLimits.WordBytes) + (long)words > MessageLimits.WordsMax)
            throw TooLarge();
        _used += words * MessageLimits.WordBytes;
        if (_used > _bytes.Length)
            Array.Resize(ref _bytes, (int)Math.Min(BitOperations.RoundUpToPowerOf2((uint)_used), FrameBytes + (MessageLimits.WordsMax * (uint)MessageLimits.WordBytes)));
        _bytes.AsSpan(at, _used - at).Clear();
        return at;
    }

    static MessageException TooLarge() => new($"The message is larger than {MessageLimits.WordsMax} words ({MessageLimits.WordsMax / 131_072} MiB).");
}

/// <summary>A struct in the making.</summary>
public readonly struct StructWriter
{
    readonly MessageWriter _message;
    readonly int _at;
    readonly int _dataWords;
    readonly int _pointers;

    internal StructWriter(MessageWriter message, int at, int dataWords, int pointers) => (_message, _at, _dataWords, _pointers) = (message, at, dataWords, pointers);

    public void SetUInt16(int index, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(Data(index, 2), value);

    public void SetUInt32(int index, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(Data(index, 4), value);

    public void SetInt32(int index, int value) => BinaryPrimitives.WriteInt32LittleEndian(Data(index, 4), value);

    public void SetUInt64(int index, ulong value) => BinaryPrimitives.WriteUInt64LittleEndian(Data(index, 8), value);

    public void SetInt64(int index, long value) => BinaryPrimitives.WriteInt64LittleEndian(Data(index, 8), value);

    /// <param name="bit">From the beginning of the numbers.</param>
    public void SetBool(int bit, bool value)
    {
        var place = Data(bit / 8, 1);
        place[0] = (byte)(value ? place[0] | (1 << (bit % 8)) : place[0] & ~(1 << (bit % 8)));
    }

    /// <summary>Also an empty text takes a word: it is there.</summary>
    public void SetText(int slot, ReadOnlySpan<byte> utf8) => _message.NewBytes(PlaceOf(slot), utf8, terminated: true);

    public void SetText(int slot, ReadOnlySpan<char> text) => _message.NewText(PlaceOf(slot), text);

    public void SetData(int slot, ReadOnlySpan<byte> data) => _message.NewBytes(PlaceOf(slot), data, terminated: false);

    public StructWriter SetStruct(int slot, int dataWords, int pointers) => _message.NewStruct(PlaceOf(slot), dataWords, pointers);

    public StructListWriter SetStructs(int slot, int count, int dataWords, int pointers) => _message.NewStructs(PlaceOf(slot), count, dataWords, pointers);

    /// <summary>A list of texts, of data, of lists.</summary>
    public PointerListWriter SetPointers(int slot, int count) => _message.NewPointers(PlaceOf(slot), count);

    Span<byte> Data(int index, int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((index + 1) * bytes, _dataWords * MessageLimits.WordBytes);
        return _message.At(_at + (index * bytes), bytes);
    }

    int PlaceOf(int slot)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(slot, _pointers);
        return _at + ((_dataWords + slot) * MessageLimits.WordBytes);
    }
}

/// <summary>A list of structs in the making.</summary>
public readonly struct StructListWriter
{
    readonly MessageWriter _message;
    readonly int _at;
    readonly int _dataWords;
    readonly int _pointers;

    internal StructListWriter(MessageWriter message, int at, int count, int dataWords, int pointers) =>
        (_message, _at, Count, _dataWords, _pointers) = (message, at, count, dataWords, pointers);

    public int Count { get; }

    public StructWriter this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count);
            return new(_message, _at + (index * (_dataWords + _pointers) * MessageLimits.WordBytes), _dataWords, _pointers);
        }
    }
}

/// <summary>A list of texts, or of data, in the making.</summary>
public readonly struct PointerListWriter
{
    readonly MessageWriter _message;
    readonly int _at;

    internal PointerListWriter(MessageWriter message, int at, int count) => (_message, _at, Count) = (message, at, count);

    public int Count { get; }

    public void SetText(int index, ReadOnlySpan<byte> utf8)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count);
        _message.NewBytes(_at + (index * MessageLimits.WordBytes), utf8, terminated: true);
    }

    public void SetText(int index, ReadOnlySpan<char> text)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count);
        _message.NewText(_at + (index * MessageLimits.WordBytes), text);
    }

    public void SetData(int index, ReadOnlySpan<byte> data)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count);
        _message.NewBytes(_at + (index * MessageLimits.WordBytes), data, terminated: false);
    }
}
