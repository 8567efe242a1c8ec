using System.Buffers.Binary;

namespace EventDbx.Protocol.CapnProto;

/// <summary>Reads a message of any number of segments in place. Nothing is believed: every pointer is held against its segment before it is followed.</summary>
/// <remarks>
/// Structs may be longer or shorter than we know; what they do not have reads as zero, and a null pointer as the empty text, list or struct.
/// Not thread-safe: it counts what is read (<see cref="MessageLimits.TraversalFactor"/>).
/// </remarks>
public sealed class MessageReader
{
    readonly ReadOnlyMemory<byte>[] _segments;
    long _wordsLeft;

    internal MessageReader(ReadOnlyMemory<byte>[] segments)
    {
        _segments = segments;
        var words = segments.Sum(static segment => (long)segment.Length / MessageLimits.WordBytes);
        _wordsLeft = Math.Min(MessageLimits.WordsMax, words * MessageLimits.TraversalFactor);
    }

    /// <summary>A message with its frame, and nothing behind it.</summary>
    /// <exception cref="MessageException">It is none.</exception>
    public static MessageReader Read(ReadOnlyMemory<byte> frame)
    {
        var (message, bytes) = FrameTable.Read(frame.Span) is { } table && table.FrameBytes <= frame.Length
            ? (new MessageReader(table.Split(frame)), table.FrameBytes) : throw new MessageException("The message ends within its frame.");
        return bytes == frame.Length ? message : throw new MessageException($"{frame.Length - bytes} bytes stand behind the message.");
    }

    /// <summary>Its root struct; where there is none, an empty one.</summary>
    /// <exception cref="MessageException">It is none.</exception>
    public StructReader Root => ReadStruct(new(0, 0, 1), 0, MessageLimits.DepthMax);

    /// <summary>Pointers that stand behind each other in a segment.</summary>
    internal readonly record struct PointerPlace(int Segment, int FirstWord, int Count);

    /// <summary>An object: its first word, and the pointer that describes it, whose offset says nothing any more.</summary>
    readonly record struct Target(int Segment, long Word, ulong Shape);

    internal ReadOnlySpan<byte> BytesOf(int segment) => _segments[segment].Span;

    internal ReadOnlyMemory<byte> MemoryOf(int segment) => _segments[segment];

    internal StructReader ReadStruct(PointerPlace pointers, int index, int depth)
    {
        if (Follow(pointers, index, depth) is not { } target)
            return default;
        if (Pointer.KindOf(target.Shape) != Pointer.StructKind)
            throw new MessageException("Where a struct belongs, there is something else.");
        var (dataWords, pointerCount) = (Pointer.DataWordsOf(target.Shape), Pointer.PointersOf(target.Shape));
        var word = Inside(target.Segment, target.Word, dataWords + pointerCount);
        Spend(dataWords + pointerCount);
        return new(this, target.Segment, word * MessageLimits.WordBytes, dataWords * MessageLimits.WordBytes, new(target.Segment, word + dataWords, pointerCount), depth - 1);
    }

    internal StructListReader ReadStructs(PointerPlace pointers, int index, int depth)
    {
        if (FollowList(pointers, index, depth) is not { } target)
            return default;
        var (size, count) = (Pointer.SizeOf(target.Shape), Pointer.CountOf(target.Shape));
        if (size == Pointer.Composite)
        {
            var tagWord = Inside(target.Segment, target.Word, 1L + count);
            var tag = WordAt(target.Segment, tagWord);
            var (elements, dataWords, pointerCount) = (Pointer.OffsetOf(tag), Pointer.DataWordsOf(tag), Pointer.PointersOf(tag));
            if (Pointer.KindOf(tag) != Pointer.StructKind || elements < 0 || (long)elements * (dataWords + pointerCount) > count)
                throw new MessageException("A list of structs has more elements than words for them.");
            // Elements without a size cost whoever goes through them all the same.
            Spend(Math.Max(1L + count, elements));
            return new(this, target.Segment, (tagWord + 1) * MessageLimits.WordBytes, elements, (dataWords + pointerCount) * MessageLimits.WordBytes, dataWords * MessageLimits.WordBytes, pointerCount, depth - 1);
        }

        // A list of numbers or pointers where structs belong: their first member. Bits do not become structs.
        if (size == Pointer.Bits)
            throw new MessageException("Where a list of structs belongs, there is a list of bits.");
        var isPointers = size == Pointer.Pointers;
        var step = isPointers ? MessageLimits.WordBytes : ElementBytes(size);
        var words = (((long)count * step) + 7) / MessageLimits.WordBytes;
        var first = Inside(target.Segment, target.Word, words);
        Spend(Math.Max(words, count));
        return new(this, target.Segment, first * MessageLimits.WordBytes, count, step, isPointers ? 0 : step, isPointers ? 1 : 0, depth - 1);
    }

    internal PointerListReader ReadPointers(PointerPlace pointers, int index, int depth)
    {
        if (FollowList(pointers, index, depth) is not { } target)
            return default;
        if (Pointer.SizeOf(target.Shape) != Pointer.Pointers)
            throw new MessageException("Where a list of texts belongs, there is a list of something else.");
        var count = Pointer.CountOf(target.Shape);
        var first = Inside(target.Segment, target.Word, count);
        Spend(count);
        return new(this, new(target.Segment, first, count), depth - 1);
    }

    internal ReadOnlyMemory<byte> ReadBytes(PointerPlace pointers, int index, int depth, bool terminated)
    {
        if (FollowList(pointers, index, depth) is not { } target)
            return default;
        if (Pointer.SizeOf(target.Shape) != Pointer.Bytes)
            throw new MessageException("Where text or data belongs, there is a list of something else.");
        var count = Pointer.CountOf(target.Shape);
        var words = ((long)count + 7) / MessageLimits.WordBytes;
        var first = Inside(target.Segment, target.Word, words);
        Spend(words);
        var bytes = _segments[target.Segment].Slice(first * MessageLimits.WordBytes, count);
        if (!terminated)
            return bytes;
        return count > 0 && bytes.Span[^1] == 0 ? bytes[..^1] : throw new MessageException("A text does not end with a zero.");
    }

    internal PointerKind KindOf(PointerPlace pointers, int index, int depth)
    {
        if (Follow(pointers, index, depth) is not { } target)
            return PointerKind.Null;
        return Pointer.KindOf(target.Shape) == Pointer.StructKind ? PointerKind.Struct : Pointer.SizeOf(target.Shape) switch
        {
            Pointer.Bytes => PointerKind.Bytes,
            Pointer.Pointers => PointerKind.Pointers,
            _ => PointerKind.OtherList,
        };
    }

    Target? FollowList(PointerPlace pointers, int index, int depth) => Follow(pointers, index, depth) is not { } target ? null
        : Pointer.KindOf(target.Shape) == Pointer.ListKind ? target : throw new MessageException("Where a list or text belongs, there is something else.");

    /// <summary>Null: the pointer is, or there is none of that index.</summary>
    Target? Follow(PointerPlace pointers, int index, int depth)
    {
        if (index >= pointers.Count)
            return null;
        if (depth <= 0)
            throw new MessageException($"The message is deeper than {MessageLimits.DepthMax} pointers.");
        var place = Inside(pointers.Segment, (long)pointers.FirstWord + index, 1);
        var word = WordAt(pointers.Segment, place);
        if (word == 0)
            return null;
        if (Pointer.KindOf(word) != Pointer.FarKind)
            return Near(pointers.Segment, place, word);

        var (segment, at) = Far(word);
        Spend(Pointer.IsDouble(word) ? 2 : 1);
        var pad = WordAt(segment, Inside(segment, at, Pointer.IsDouble(word) ? 2 : 1));
        if (!Pointer.IsDouble(word))
        {
            if (pad == 0)
                return null;
            return Pointer.KindOf(pad) is Pointer.StructKind or Pointer.ListKind ? Near(segment, at, pad) : throw new MessageException("A far pointer leads to another one.");
        }

        if (Pointer.KindOf(pad) != Pointer.FarKind || Pointer.IsDouble(pad))
            throw new MessageException("A double-far pointer leads to no far pointer.");
        var shape = WordAt(segment, at + 1);
        if (Pointer.KindOf(shape) is not (Pointer.StructKind or Pointer.ListKind))
            throw new MessageException("A double-far pointer describes neither a struct nor a list.");
        var (contentSegment, content) = Far(pad);
        return new(contentSegment, content, shape);
    }

    static Target Near(int segment, int place, ulong word) => Pointer.KindOf(word) is Pointer.StructKind or Pointer.ListKind
        ? new(segment, (long)place + 1 + Pointer.OffsetOf(word), word) : throw new MessageException("There is a pointer of a kind that no data has.");

    (int Segment, int Word) Far(ulong word) => Pointer.SegmentOf(word) < (uint)_segments.Length
        ? ((int)Pointer.SegmentOf(word), Pointer.FarOffsetOf(word)) : throw new MessageException($"A pointer leads to segment {Pointer.SegmentOf(word)} of {_segments.Length}.");

    /// <summary>The first word, where all of them lie in the segment.</summary>
    int Inside(int segment, long word, long words) => word >= 0 && word + words <= _segments[segment].Length / MessageLimits.WordBytes
        ? (int)word : throw new MessageException("A pointer leads out of its segment.");

    ulong WordAt(int segment, int word) => BinaryPrimitives.ReadUInt64LittleEndian(_segments[segment].Span[(word * MessageLimits.WordBytes)..]);

    void Spend(long words)
    {
        if ((_wordsLeft -= words) < 0)
            throw new MessageException("More is read from the message than it has: its pointers share what they point to.");
    }

    /// <summary>Of lists of numbers: 0, 1, 2, 4, 8 by the size in the pointer.</summary>
    static int ElementBytes(int size) => size == 0 ? 0 : 1 << (size - 2);
}

/// <summary>What a pointer leads to.</summary>
public enum PointerKind
{
    Null,
    Struct,

    /// <summary>A text, or data.</summary>
    Bytes,

    /// <summary>A list of texts, of data or of lists.</summary>
    Pointers,
    OtherList,
}
