using System.Buffers.Binary;
using System.Net.Sockets;
using EventDbx.Storage;

namespace EventDbx.Server.Daemon;

/// <summary>Which process a server is, from the server itself: for where its PID file is missing.</summary>
internal static class ServerCall
{
    /// <summary>The server that has the lock, as its PID file would say it; null where it does not answer, or is not certainly that process.</summary>
    /// <remarks>
    /// Lock file and server must name the same process, and the system must say that it is the one at the other end of the socket:
    /// in another container the same number is another process.
    /// </remarks>
    public static async Task<PidFile?> FindAsync(LockHolder holder, string user, CancellationToken cancellation)
    {
        if (holder.Socket is not { } socket)
            return null;
        try
        {
            // Before and after the same process: it is the one that answered in between.
            var before = ProcessIdentity.Find(holder.Pid);
            var status = await StatusQuery.AskAsync(socket, user, cancellation).ConfigureAwait(false);
            return before is { } process && status.Pid == holder.Pid && await PeerOfAsync(socket, cancellation).ConfigureAwait(false) == holder.Pid && process.Runs
                ? new(process.Pid, status.StartedAt.ToString(), process.Start)
                : null;
        }
        catch (DaemonException)
        {
            return null;
        }
    }

    /// <summary>The process that listens there, by the system's word; null where it has none.</summary>
    static async Task<int?> PeerOfAsync(string path, CancellationToken cancellation)
    {
        // (SOL_SOCKET, SO_PEERCRED) begins with the process id; (SOL_LOCAL, LOCAL_PEERPID) is it.
        var (level, name, length) = OperatingSystem.IsLinux() ? (1, 17, 12) : OperatingSystem.IsMacOS() ? (0, 2, 4) : default;
        if (length == 0)
            return null;
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), cancellation).ConfigureAwait(false);
            var peer = new byte[length];
            return socket.GetRawSocketOption(level, name, peer) >= sizeof(int) ? BinaryPrimitives.ReadInt32LittleEndian(peer) : null;
        }
        catch (SocketException)
        {
            return null;
        }
    }
}
