using System.Net.Sockets;

namespace EventDbx.Cli;

/// <summary>The socket on which a server listens for commands about its directory.</summary>
internal static class ServerSocket
{
    /// <summary>A connection; null where nobody listens: the file of a server that was killed is still there.</summary>
    public static async ValueTask<Socket?> TryConnectAsync(string path, CancellationToken cancellation)
    {
        if (!File.Exists(path))
            return null;
        try
        {
            return await ConnectAsync(path, cancellation).ConfigureAwait(false);
        }
        catch (Exception nobody) when (nobody is SocketException or ArgumentException)
        {
            return null;
        }
    }

    /// <exception cref="SocketException">Nobody listens.</exception>
    public static async Task<Socket> ConnectAsync(string path, CancellationToken cancellation)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellation).ConfigureAwait(false);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
