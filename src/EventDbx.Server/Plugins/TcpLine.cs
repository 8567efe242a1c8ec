using System.Net.Sockets;

namespace EventDbx.Server.Plugins;

/// <summary>How a connection ended.</summary>
internal enum TcpEnd
{
    /// <summary>The receiver had everything, and ended its side.</summary>
    Settled,

    /// <summary>It was reset, or ended before the receiver had everything.</summary>
    Broken,

    /// <summary>The receiver did not end its side in time.</summary>
    Silent,
}

/// <summary>One connection to a receiver of lines. Reads along, only to see its end; what the receiver says is dropped.</summary>
/// <remarks>One caller at a time.</remarks>
internal sealed class TcpLine : IDisposable
{
    readonly Socket _socket;
    readonly TimeProvider _clock;

    public TcpLine(Socket socket, TimeProvider clock)
    {
        (_socket, _clock) = (socket, clock);
        // A machine that vanished says nothing; it is asked.
        socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
        Ended = WatchAsync();
    }

    /// <summary>Done when the receiver's side has ended: true in good order, false by a reset or here. Never fails.</summary>
    public Task<bool> Ended { get; }

    /// <summary>Sends all of it.</summary>
    /// <exception cref="SocketException">The connection is broken.</exception>
    /// <exception cref="PluginDownException">The receiver takes nothing for <see cref="ServerLimits.PluginWriteWithin"/>.</exception>
    public async Task WriteAsync(ReadOnlyMemory<byte> lines, CancellationToken cancellation)
    {
        while (!lines.IsEmpty)
        {
            using var late = new CancellationTokenSource(ServerLimits.PluginWriteWithin, _clock);
            using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, late.Token);
            try
            {
                lines = lines[await _socket.SendAsync(lines, either.Token).ConfigureAwait(false)..];
            }
            catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
            {
                throw new PluginDownException(FormattableString.Invariant($"it took nothing for {ServerLimits.PluginWriteWithin.TotalSeconds:0} s"));
            }
        }
    }

    /// <summary>Whether the receiver ends its side within a time although nothing was ended here: it wants no more on this connection, or failed at what it has.</summary>
    public async Task<bool> EndsByItselfAsync(TimeSpan within, CancellationToken cancellation)
    {
        try
        {
            await Ended.WaitAsync(within, _clock, cancellation).ConfigureAwait(false);
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    /// <summary>Ends what is sent, and waits for the receiver's own end.</summary>
    public async Task<TcpEnd> EndAsync(CancellationToken cancellation)
    {
        using var late = new CancellationTokenSource(ServerLimits.PluginEndWithin, _clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, late.Token);
        try
        {
            _socket.Shutdown(SocketShutdown.Send);
            if (!await Ended.WaitAsync(either.Token).ConfigureAwait(false))
                return TcpEnd.Broken;
            // A receiver that closed by itself while the last lines were under way answers them with a reset, which may be behind its end.
            while (!IsClosed())
                await Task.Delay(TimeSpan.FromMilliseconds(1), _clock, either.Token).ConfigureAwait(false);
            return _socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error) is 0 ? TcpEnd.Settled : TcpEnd.Broken;
        }
        catch (SocketException)
        {
            return TcpEnd.Broken;
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return TcpEnd.Silent;
        }
    }

    public void Dispose() => _socket.Dispose();

    async Task<bool> WatchAsync()
    {
        var dropped = new byte[256];
        try
        {
            while (await _socket.ReceiveAsync(dropped).ConfigureAwait(false) > 0)
            {
            }

            return true;
        }
        catch (Exception broken) when (broken is SocketException or ObjectDisposedException)
        {
            return false;
        }
    }

    /// <summary>Whether both ends are acknowledged, or the connection was reset. Elsewhere than on Linux the system does not tell, and the receiver's end has to do.</summary>
    bool IsClosed()
    {
        const int tcp = 6, info = 11;
        const byte timeWait = 6, closed = 7;
        if (!OperatingSystem.IsLinux())
            return true;
        Span<byte> state = stackalloc byte[8];
        return _socket.GetRawSocketOption(tcp, info, state) == 0 || state[0] is timeWait or closed;
    }
}
