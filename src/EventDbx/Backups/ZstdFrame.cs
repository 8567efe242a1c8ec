using ZstdSharp.Unsafe;

using static ZstdSharp.Unsafe.Methods;

namespace EventDbx.Backups;

/// <summary>Reads what one Zstd frame holds, and knows where it ends: a stream is that frame and nothing else.</summary>
internal sealed unsafe class ZstdFrame : IDisposable
{
    /// <summary>2^27 bytes, what <c>zstd</c> itself takes without being asked: a frame cannot have more of memory.</summary>
    const int WindowLogMax = 27;

    readonly Stream _source;
    readonly IProgress<long>? _progress;
    readonly byte[] _input = new byte[128 * 1024];
    ZSTD_DCtx_s* _context = ZSTD_createDCtx();
    int _at, _filled;
    bool _ended;
    long _consumed;

    public ZstdFrame(Stream source, IProgress<long>? progress)
    {
        (_source, _progress) = (source, progress);
        _ = ZSTD_DCtx_setParameter(_context, ZSTD_dParameter.ZSTD_d_windowLogMax, WindowLogMax);
    }

    /// <summary>Some bytes; 0 at the end of the frame.</summary>
    /// <exception cref="RefusedException">They are not what was compressed, or end before the frame does.</exception>
    public int Read(Span<byte> target)
    {
        while (!_ended && !target.IsEmpty)
        {
            if (_at == _filled && !Fill())
                throw Damage.Of(_consumed == 0 ? "it is empty" : $"it ends after {_consumed} bytes, before its last file");
            var written = Unpack(target);
            if (written > 0)
                return written;
        }

        return 0;
    }

    /// <summary>Nothing may follow the frame.</summary>
    /// <exception cref="RefusedException">Something does, or the frame has not ended.</exception>
    public void End()
    {
        Span<byte> one = stackalloc byte[1];
        if (Read(one) != 0 || _at < _filled || Fill())
            throw Damage.Of("something follows where it should end");
    }

    public void Dispose()
    {
        _ = ZSTD_freeDCtx(_context);
        _context = null;
    }

    bool Fill()
    {
        (_at, _filled) = (0, _source.Read(_input));
        _consumed += _filled;
        _progress?.Report(_consumed);
        return _filled > 0;
    }

    int Unpack(Span<byte> target)
    {
        fixed (byte* from = _input, to = target)
        {
            var input = new ZSTD_inBuffer_s { src = from, size = (nuint)_filled, pos = (nuint)_at };
            var output = new ZSTD_outBuffer_s { dst = to, size = (nuint)target.Length };
            var left = ZSTD_decompressStream(_context, &output, &input);
            if (ZSTD_isError(left))
                throw Damage.Of($"it cannot be unpacked ({ZSTD_getErrorName(left)})");
            _at = (int)input.pos;
            _ended = left == 0;
            return (int)output.pos;
        }
    }
}
