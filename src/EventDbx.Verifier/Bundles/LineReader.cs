namespace EventDbx.Verifier.Bundles;

/// <summary>Lines of a stream, one after the other, in memory that is bounded by the longest that is allowed.</summary>
/// <param name="progress">Told the bytes read so far, after each read.</param>
internal sealed class LineReader(Stream stream, Action<long>? progress)
{
    byte[] _buffer = new byte[64 * 1024];
    int _begin;
    int _end;
    long _read;
    bool _ended;

    /// <summary>Which line was read last, from 1.</summary>
    public ulong Number { get; private set; }

    /// <summary>Whether the last line had a newline; the last one of a file that was cut off has none.</summary>
    public bool Terminated { get; private set; }

    /// <summary>The next line without its newline; null at the end. Its bytes are good until the next call.</summary>
    /// <exception cref="RefutedException">A line is longer than <see cref="Limits.DocumentBytesMax"/>.</exception>
    public ReadOnlyMemory<byte>? Next()
    {
        var searched = 0;
        while (true)
        {
            var newline = _buffer.AsSpan(_begin + searched, _end - _begin - searched).IndexOf((byte)'\n');
            searched = newline >= 0 ? searched + newline : _end - _begin;
            if (searched > Limits.DocumentBytesMax)
                throw new RefutedException($"The bundle is malformed: line {Number + 1} has more than {Limits.DocumentBytesMax} bytes.");
            if (newline >= 0)
                return Take(searched, terminated: true);
            if (_ended && searched == 0)
                return null;
            if (_ended)
                return Take(searched, terminated: false);
            Fill();
        }
    }

    ReadOnlyMemory<byte> Take(int length, bool terminated)
    {
        var line = _buffer.AsMemory(_begin, length);
        _begin += length + (terminated ? 1 : 0);
        Number++;
        Terminated = terminated;
        return line;
    }

    void Fill()
    {
        if (_begin > 0)
        {
            _buffer.AsSpan(_begin, _end - _begin).CopyTo(_buffer);
            (_begin, _end) = (0, _end - _begin);
        }

        if (_end == _buffer.Length)
            Array.Resize(ref _buffer, Math.Min(2 * _buffer.Length, Limits.DocumentBytesMax + (64 * 1024)));
        var count = stream.Read(_buffer, _end, _buffer.Length - _end);
        _ended = count == 0;
        _end += count;
        _read += count;
        progress?.Invoke(_read);
    }
}
