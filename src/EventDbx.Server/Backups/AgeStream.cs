using System.Buffers.Binary;
using NSec.Cryptography;

namespace EventDbx.Server.Backups;

/// <summary>The payload of a file of age: chunks of 64 KiB, each sealed under its number and whether it is the last.</summary>
internal static class AgeChunk
{
    public const int Bytes = 64 * 1024;
    public const int TagBytes = 16;

    /// <summary>11 bytes of a number, big-endian, and 1 for the last chunk.</summary>
    public static void Nonce(Span<byte> nonce, ulong number, bool last)
    {
        nonce.Clear();
        BinaryPrimitives.WriteUInt64BigEndian(nonce[3..], number);
        nonce[11] = last ? (byte)1 : (byte)0;
    }
}

/// <summary>Encrypts what is written to it. Until <see cref="Finish"/> has returned no reader takes the output for whole.</summary>
internal sealed class AgeWriter : WriteOnlyStream
{
    readonly Stream _output;
    readonly Key _key;
    readonly byte[] _chunk = new byte[AgeChunk.Bytes];
    readonly byte[] _sealed = new byte[AgeChunk.Bytes + AgeChunk.TagBytes];
    int _filled;
    ulong _number;

    /// <param name="output">Where to. It is not closed.</param>
    /// <param name="passphrase">Whoever has it can read it.</param>
    /// <param name="workFactor">What a guess costs.</param>
    public AgeWriter(Stream output, string passphrase, int workFactor = ServerLimits.AgeWorkFactor)
    {
        (_output, (var header, _key)) = (output, AgeHeader.Make(passphrase, workFactor));
        output.Write(header);
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            // Not before there is more: the last chunk may be a full one.
            if (_filled == _chunk.Length)
                Seal(last: false);
            var part = Math.Min(buffer.Length, _chunk.Length - _filled);
            buffer[..part].CopyTo(_chunk.AsSpan(_filled));
            _filled += part;
            buffer = buffer[part..];
        }
    }

    /// <summary>Writes the last chunk.</summary>
    public void Finish() => Seal(last: true);

    public override void Flush()
    {
        // A chunk goes when it is full.
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
            _key.Dispose();
        base.Dispose(disposing);
    }

    void Seal(bool last)
    {
        Span<byte> nonce = stackalloc byte[12];
        AgeChunk.Nonce(nonce, _number++, last);
        var ciphertext = _sealed.AsSpan(0, _filled + AgeChunk.TagBytes);
        AgeHeader.Cipher.Encrypt(_key, nonce, [], _chunk.AsSpan(0, _filled), ciphertext);
        _output.Write(ciphertext);
        _filled = 0;
    }
}

/// <summary>Decrypts a file of age. Not a byte is given out that was not authenticated; that it is cut short is found where it ends.</summary>
internal sealed class AgeReader : ReadOnlyStream
{
    readonly Stream _source;
    readonly Key _key;
    readonly byte[] _plain = new byte[AgeChunk.Bytes];
    byte[] _now = new byte[AgeChunk.Bytes + AgeChunk.TagBytes];
    byte[] _next = new byte[AgeChunk.Bytes + AgeChunk.TagBytes];
    int _nowLength, _nextLength, _at, _filled;
    ulong _number;
    bool _ended;

    /// <param name="source">From its beginning. It is closed with this.</param>
    /// <param name="passphrase">That it was encrypted to.</param>
    /// <exception cref="RefusedException">See <see cref="AgeHeader.Read"/>.</exception>
    public AgeReader(Stream source, string passphrase)
    {
        (_source, _key) = (source, AgeHeader.Read(source, passphrase));
        _nextLength = source.ReadAtLeast(_next, _next.Length, throwOnEndOfStream: false);
    }

    public override int Read(Span<byte> buffer)
    {
        if (_at == _filled && !_ended)
            Open();
        var part = Math.Min(buffer.Length, _filled - _at);
        _plain.AsSpan(_at, part).CopyTo(buffer);
        _at += part;
        return part;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _key.Dispose();
            _source.Dispose();
        }

        base.Dispose(disposing);
    }

    void Open()
    {
        (_now, _nowLength, _next) = (_next, _nextLength, _now);
        _nextLength = _nowLength < _now.Length ? 0 : _source.ReadAtLeast(_next, _next.Length, throwOnEndOfStream: false);
        _ended = _nextLength == 0;
        Span<byte> nonce = stackalloc byte[12];
        AgeChunk.Nonce(nonce, _number, _ended);
        // Only a file of nothing ends with an empty chunk.
        if (_nowLength < AgeChunk.TagBytes || (_nowLength == AgeChunk.TagBytes && _number > 0)
            || !AgeHeader.Cipher.Decrypt(_key, nonce, [], _now.AsSpan(0, _nowLength), _plain.AsSpan(0, _nowLength - AgeChunk.TagBytes)))
            throw AgeHeader.Damaged($"chunk {_number} does not open: it was changed, or the file was cut there");
        (_at, _filled, _number) = (0, _nowLength - AgeChunk.TagBytes, _number + 1);
    }
}
