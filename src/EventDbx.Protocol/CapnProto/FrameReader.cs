namespace EventDbx.Protocol.CapnProto;

/// <summary>Reads message after message from a stream.</summary>
/// <remarks>A message is bounded before memory is taken for it, and memory is taken as its bytes come: who says 64 MiB and sends ten costs ten.</remarks>
public sealed class FrameReader
{
    const int PieceBytes = 64 * 1024;

    readonly Stream _stream;
    ReadOnlyMemory<byte> _first;
    byte[] _bytes = new byte[1024];

    /// <param name="stream">Not disposed.</param>
    /// <param name="first">What was read of it already, at most four bytes.</param>
    public FrameReader(Stream stream, ReadOnlyMemory<byte> first = default)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(first.Length, 4);
        (_stream, _first) = (stream, first);
    }

    /// <summary>Bytes of a message with its frame that are read at most; what would be longer is refused before it is read.</summary>
    public int BytesMax { get; set; } = int.MaxValue;

    /// <summary>Bytes that were read of it, those that were read before not among them.</summary>
    public long BytesRead { get; private set; }

    /// <summary>The next message; null where the stream ends between two.</summary>
    /// <exception cref="MessageException">What comes is no message, or ends within one.</exception>
    public async ValueTask<MessageReader?> ReadAsync(CancellationToken cancellation)
    {
        _first.CopyTo(_bytes);
        var read = _first.Length;
        _first = default;
        if (read < 4)
            read += await _stream.ReadAtLeastAsync(_bytes.AsMemory(read, 4 - read), 4 - read, throwOnEndOfStream: false, cancellation).ConfigureAwait(false);
        if (read == 0)
            return null;
        if (read < 4)
            throw Cut();
        var table = FrameTable.BytesOf(_bytes);
        await FillAsync(4, table, cancellation).ConfigureAwait(false);
        var frame = FrameTable.Read(_bytes.AsSpan(0, table))!;
        if (frame.FrameBytes > BytesMax)
            throw new MessageException($"A message has at most {BytesMax} bytes here, not {frame.FrameBytes}.");
        await FillAsync(table, frame.FrameBytes, cancellation).ConfigureAwait(false);
        // The message keeps its bytes; the next one gets its own.
        var message = new MessageReader(frame.Split(_bytes.AsMemory(0, frame.FrameBytes)));
        BytesRead += frame.FrameBytes;
        _bytes = new byte[1024];
        return message;
    }

    async ValueTask FillAsync(int from, int to, CancellationToken cancellation)
    {
        while (from < to)
        {
            var piece = Math.Min(to - from, PieceBytes);
            if (_bytes.Length < from + piece)
                Array.Resize(ref _bytes, Math.Min(Math.Max(from + piece, _bytes.Length * 2), Math.Max(to, from + piece)));
            var read = await _stream.ReadAsync(_bytes.AsMemory(from, Math.Min(to, _bytes.Length) - from), cancellation).ConfigureAwait(false);
            if (read == 0)
                throw Cut();
            from += read;
        }
    }

    static MessageException Cut() => new("The stream ends within a message.");
}
