using System.Net;
using System.Net.Sockets;

namespace EventDbx.Server.Tests.Replication.Following;

/// <summary>A wire between a follower and its leader that can be cut, and led to another port.</summary>
internal sealed class CutWire : IAsyncDisposable
{
    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly CancellationTokenSource _ending = new();
    readonly List<Socket> _open = [];
    readonly Task _accepting;

    public CutWire()
    {
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _accepting = AcceptAsync();
    }

    public int Port { get; }

    /// <summary>Where the leader listens now; 0: nowhere.</summary>
    public int Target { get; set; }

    /// <summary>Bytes after which the next connection is cut; 0: it is not.</summary>
    public long CutAfter { get; set; }

    /// <summary>Cuts every connection that is open.</summary>
    public void Cut()
    {
        lock (_open)
        {
            foreach (var socket in _open)
                socket.Dispose();
            _open.Clear();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        _listener.Dispose();
        Cut();
        await _accepting;
        _ending.Dispose();
    }

    async Task AcceptAsync()
    {
        try
        {
            while (!_ending.IsCancellationRequested)
                _ = CarryAsync(await _listener.AcceptSocketAsync(_ending.Token));
        }
        catch (Exception ended) when (ended is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The test is over.
        }
    }

    async Task CarryAsync(Socket near)
    {
        var far = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        near.NoDelay = true;
        lock (_open)
            _open.AddRange([near, far]);
        try
        {
            var left = CutAfter;
            CutAfter = 0;
            await far.ConnectAsync(IPAddress.Loopback, Target, _ending.Token);
            await Task.WhenAny(CopyAsync(near, far, long.MaxValue), CopyAsync(far, near, left > 0 ? left : long.MaxValue));
        }
        catch (Exception lost) when (lost is SocketException or ObjectDisposedException or OperationCanceledException or ArgumentOutOfRangeException)
        {
            // Nobody there, or cut.
        }
        finally
        {
            near.Dispose();
            far.Dispose();
        }
    }

    async Task CopyAsync(Socket from, Socket to, long left)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (left > 0 && await from.ReceiveAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, left)), _ending.Token) is > 0 and var read)
            {
                await to.SendAsync(buffer.AsMemory(0, read), _ending.Token);
                left -= read;
            }
        }
        catch (Exception cut) when (cut is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // Cut.
        }
    }
}
