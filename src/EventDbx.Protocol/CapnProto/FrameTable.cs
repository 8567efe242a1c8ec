using System.Buffers.Binary;

namespace EventDbx.Protocol.CapnProto;

/// <summary>What stands before the segments of a message in a stream: how many there are, and their words.</summary>
internal sealed class FrameTable
{
    readonly int[] _words;

    FrameTable(int[] words) => _words = words;

    /// <summary>Bytes of the table, padding included.</summary>
    public int TableBytes => BytesOf(_words.Length);

    /// <summary>Bytes of table and segments.</summary>
    public int FrameBytes => TableBytes + (_words.Sum() * MessageLimits.WordBytes);

    /// <summary>Bytes of the table that begins so.</summary>
    /// <param name="first">Its first four bytes.</param>
    /// <exception cref="MessageException">It has too many segments.</exception>
    public static int BytesOf(ReadOnlySpan<byte> first)
    {
        var less = BinaryPrimitives.ReadUInt32LittleEndian(first);
        return less < MessageLimits.SegmentsMax ? BytesOf((int)less + 1) : throw new MessageException($"A message has at most {MessageLimits.SegmentsMax} segments, not {less + 1L}.");
    }

    /// <summary>The table at the beginning of some bytes; null: it is not all there yet.</summary>
    /// <exception cref="MessageException">The message would be too large.</exception>
    public static FrameTable? Read(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length < 4)
            return null;
        var length = BytesOf(bytes);
        if (bytes.Length < length)
            return null;
        var words = new int[BinaryPrimitives.ReadUInt32LittleEndian(bytes) + 1];
        long all = 0;
        for (var i = 0; i < words.Length; i++)
        {
            var segment = BinaryPrimitives.ReadUInt32LittleEndian(bytes[(4 + (4 * i))..]);
            if ((all += segment) > MessageLimits.WordsMax)
                throw new MessageException($"A message has at most {MessageLimits.WordsMax} words, not {all} or more.");
            words[i] = (int)segment;
        }

        return new(words);
    }

    /// <summary>The segments of a frame that is all there.</summary>
    public ReadOnlyMemory<byte>[] Split(ReadOnlyMemory<byte> frame)
    {
        var segments = new ReadOnlyMemory<byte>[_words.Length];
        var at = TableBytes;
        for (var i = 0; i < segments.Length; i++)
        {
            segments[i] = frame.Slice(at, _words[i] * MessageLimits.WordBytes);
            at += segments[i].Length;
        }

        return segments;
    }

    static int BytesOf(int segments) => (4 + (4 * segments) + 7) / 8 * 8;
}
