using System.Net.Security;
using EventDbx.Protocol.CapnProto;

namespace EventDbx.Server.Replication;

/// <summary>Message after message inside TLS, each way. One reader and one writer at a time.</summary>
internal sealed class PeerChannel : IAsyncDisposable
{
    /// <summary>A writer that has written more than this is not kept: most messages are small, and its memory stays.</summary>
    const int KeptBytesMax = 256 * 1024;

    readonly PeerStream _stream;
    readonly SslStream _tls;
    readonly FrameReader _reader;
    MessageWriter _writer = new();

    /// <param name="stream">Beneath TLS; disposed with this.</param>
    /// <param name="tls">Authenticated; the same.</param>
    public PeerChannel(PeerStream stream, SslStream tls)
    {
        (_stream, _tls) = (stream, tls);
        _reader = new(tls) { BytesMax = ServerLimits.SessionHelloBytesMax };
    }

    /// <summary>How long nothing may come, or go.</summary>
    public TimeSpan Patience
    {
        get => _stream.Patience;
        set => _stream.Patience = value;
    }

    /// <summary>Bytes of messages that came.</summary>
    public long BytesRead => _reader.BytesRead;

    /// <summary>Bytes of messages that went.</summary>
    public long BytesWritten { get; private set; }

    /// <summary>The other end is known: its messages may be large.</summary>
    public void Trust() => _reader.BytesMax = ServerLimits.SessionMessageBytesMax;

    /// <summary>The next message; null where the other end is done.</summary>
    /// <exception cref="MessageException">What comes is none.</exception>
    /// <exception cref="IOException">The connection is gone, or nothing comes.</exception>
    public ValueTask<MessageReader?> ReadAsync(CancellationToken cancellation) => _reader.ReadAsync(cancellation);

    /// <summary>Writes a message.</summary>
    /// <param name="write">Writes it into what it is given, and returns its frame.</param>
    /// <param name="cancellation">Gives it up.</param>
    /// <exception cref="IOException">The connection is gone, or nothing is taken.</exception>
    /// <exception cref="RefusedException"><see cref="RefusalCode.RequestTooLarge"/>: it would be larger than a message may be; nothing of it was sent.</exception>
    public async ValueTask WriteAsync(Func<MessageWriter, ReadOnlyMemory<byte>> write, CancellationToken cancellation)
    {
        ReadOnlyMemory<byte> frame;
        try
        {
            frame = write(_writer);
        }
        catch (MessageException)
        {
            frame = default;
        }

        if (frame.Length is 0 or > ServerLimits.SessionMessageBytesMax)
        {
            _writer = new();
            throw new RefusedException(RefusalCode.RequestTooLarge, $"The message would have more than {ServerLimits.SessionMessageBytesMax / 1024 / 1024} MiB, which is what a session takes: ask for less, or send less, at once.");
        }

        await _tls.WriteAsync(frame, cancellation).ConfigureAwait(false);
        await _tls.FlushAsync(cancellation).ConfigureAwait(false);
        BytesWritten += frame.Length;
        if (frame.Length > KeptBytesMax)
            _writer = new();
    }

    /// <summary>Tells the other end that nothing more comes.</summary>
    public async ValueTask EndAsync()
    {
        try
        {
            await _tls.ShutdownAsync().ConfigureAwait(false);
        }
        catch (Exception gone) when (gone is IOException or OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
            // Nobody is there to hear it.
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _tls.DisposeAsync().ConfigureAwait(false);
        await _stream.DisposeAsync().ConfigureAwait(false);
    }
}
