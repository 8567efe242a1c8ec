using System.Buffers;
using System.Text.Json;
using EventDbx.Transfer;

namespace EventDbx.Cli;

/// <summary>A bundle that a server makes, as it comes: whole lines, and what their first member says of them.</summary>
internal sealed class RemoteEvidence(ServerBody body) : IEvidenceReading
{
    /// <summary>Bytes that are asked for at once.</summary>
    const int PieceBytes = 64 * 1024;

    byte[] _buffer = new byte[2 * PieceBytes];
    int _length;
    bool _ended;

    public ulong Events { get; private set; }

    /// <summary>A server does not say how much there will be.</summary>
    public double? Fraction => null;

    /// <exception cref="RefusedException">The last line says why its maker stopped.</exception>
    /// <exception cref="ServerLostException">It went away before the bundle was whole.</exception>
    public async ValueTask<bool> ReadAsync(IBufferWriter<byte> output, CancellationToken cancellation)
    {
        if (_ended)
            return false;
        while (true)
        {
            if (_buffer.Length - _length < PieceBytes)
                Array.Resize(ref _buffer, 2 * _buffer.Length);
            var read = await body.ReadAsync(_buffer.AsMemory(_length), cancellation).ConfigureAwait(false);
            if (read == 0)
                throw new ServerLostException("The server went away before the evidence was whole.", new EndOfStreamException("The answer ends without its last line."));
            var searched = _length;
            _length += read;
            var lines = _buffer.AsSpan(searched, read).LastIndexOf((byte)'\n') is var newline and >= 0 ? searched + newline + 1 : 0;
            if (lines == 0)
                continue;
            Look(_buffer.AsSpan(0, lines));
            output.Write(_buffer.AsSpan(0, lines));
            _buffer.AsSpan(lines, _length - lines).CopyTo(_buffer);
            _length -= lines;
            return true;
        }
    }

    public void Dispose() => body.Dispose();

    void Look(ReadOnlySpan<byte> lines)
    {
        while (!lines.IsEmpty)
        {
            var line = lines[..(lines.IndexOf((byte)'\n') + 1)];
            lines = lines[line.Length..];
            if (line.StartsWith("{\"record\":"u8))
                Events++;
            else if (line.StartsWith("{\"end\":"u8))
                _ended = true;
            else if (line.StartsWith("{\"error\":"u8))
                throw Refused(line);
        }
    }

    static RefusedException Refused(ReadOnlySpan<byte> line)
    {
        using var json = JsonDocument.Parse(line.ToArray());
        return ServerConnection.Refused(json.RootElement.GetProperty("error"));
    }
}
