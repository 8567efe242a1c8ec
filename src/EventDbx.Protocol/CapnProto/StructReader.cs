using System.Buffers.Binary;
using System.Text;
using PointerPlace = EventDbx.Protocol.CapnProto.MessageReader.PointerPlace;

namespace EventDbx.Protocol.CapnProto;

/// <summary>A struct of a message. The default value is an empty one.</summary>
public readonly struct StructReader
{
    static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    readonly MessageReader? _message;
    readonly int _segment;
    readonly int _at;
    readonly int _dataBytes;
    readonly PointerPlace _pointers;
    readonly int _depth;

    internal StructReader(MessageReader message, int segment, int at, int dataBytes, PointerPlace pointers, int depth) =>
        (_message, _segment, _at, _dataBytes, _pointers, _depth) = (message, segment, at, dataBytes, pointers, depth);

    public ushort GetUInt16(int index) => Data(index, 2) is { IsEmpty: false } data ? BinaryPrimitives.ReadUInt16LittleEndian(data) : (ushort)0;

    public uint GetUInt32(int index) => Data(index, 4) is { IsEmpty: false } data ? BinaryPrimitives.ReadUInt32LittleEndian(data) : 0;

    public int GetInt32(int index) => (int)GetUInt32(index);

    public ulong GetUInt64(int index) => Data(index, 8) is { IsEmpty: false } data ? BinaryPrimitives.ReadUInt64LittleEndian(data) : 0;

    public long GetInt64(int index) => (long)GetUInt64(index);

    public bool GetBool(int bit) => Data(bit / 8, 1) is { IsEmpty: false } data && (data[0] & (1 << (bit % 8))) != 0;

    /// <summary>UTF-8 without the zero at its end, as it lies there: not yet known to be text.</summary>
    /// <exception cref="MessageException">There is something else.</exception>
    public ReadOnlyMemory<byte> GetUtf8(int slot) => _message?.ReadBytes(_pointers, slot, _depth, terminated: true) ?? default;

    /// <exception cref="MessageException">There is something else, or no UTF-8.</exception>
    public string GetText(int slot) => TextOf(GetUtf8(slot).Span);

    /// <exception cref="MessageException">It is no UTF-8.</exception>
    internal static string TextOf(ReadOnlySpan<byte> utf8)
    {
        try
        {
            return Strict.GetString(utf8);
        }
        catch (DecoderFallbackException)
        {
            throw new MessageException("A text is not UTF-8.");
        }
    }

    public ReadOnlyMemory<byte> GetData(int slot) => _message?.ReadBytes(_pointers, slot, _depth, terminated: false) ?? default;

    public StructReader GetStruct(int slot) => _message?.ReadStruct(_pointers, slot, _depth) ?? default;

    public StructListReader GetStructs(int slot) => _message?.ReadStructs(_pointers, slot, _depth) ?? default;

    /// <summary>A list of texts.</summary>
    public PointerListReader GetPointers(int slot) => _message?.ReadPointers(_pointers, slot, _depth) ?? default;

    /// <summary>What a pointer leads to, before it is read.</summary>
    public PointerKind KindOf(int slot) => _message?.KindOf(_pointers, slot, _depth) ?? PointerKind.Null;

    ReadOnlySpan<byte> Data(int index, int bytes) =>
        _message is not null && (index + 1) * bytes <= _dataBytes ? _message.BytesOf(_segment).Slice(_at + (index * bytes), bytes) : default;
}

/// <summary>A list of structs. The default value is an empty one.</summary>
public readonly struct StructListReader
{
    readonly MessageReader? _message;
    readonly int _segment;
    readonly int _at;
    readonly int _step;
    readonly int _dataBytes;
    readonly int _pointers;
    readonly int _depth;

    internal StructListReader(MessageReader message, int segment, int at, int count, int step, int dataBytes, int pointers, int depth) =>
        (_message, _segment, _at, Count, _step, _dataBytes, _pointers, _depth) = (message, segment, at, count, step, dataBytes, pointers, depth);

    public int Count { get; }

    public StructReader this[int index]
    {
        get
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count);
            var at = _at + (index * _step);
            // Only elements with pointers begin at a word; of the others none is asked for.
            return new(_message!, _segment, at, _dataBytes, new(_segment, (at + _dataBytes) / MessageLimits.WordBytes, _pointers), _depth);
        }
    }
}

/// <summary>A list of texts, or of data. The default value is an empty one.</summary>
public readonly struct PointerListReader
{
    readonly MessageReader? _message;
    readonly PointerPlace _pointers;
    readonly int _depth;

    internal PointerListReader(MessageReader message, PointerPlace pointers, int depth) => (_message, _pointers, _depth) = (message, pointers, depth);

    public int Count => _pointers.Count;

    public ReadOnlyMemory<byte> GetUtf8(int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count);
        return _message!.ReadBytes(_pointers, index, _depth, terminated: true);
    }

    /// <exception cref="MessageException">There is something else, or no UTF-8.</exception>
    public string GetText(int index) => StructReader.TextOf(GetUtf8(index).Span);

    /// <exception cref="MessageException">There is something else.</exception>
    public ReadOnlyMemory<byte> GetData(int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count);
        return _message!.ReadBytes(_pointers, index, _depth, terminated: false);
    }
}
