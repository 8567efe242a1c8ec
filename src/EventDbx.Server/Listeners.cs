using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace EventDbx.Server;

/// <summary>The listeners that a connection can come by.</summary>
internal enum Door
{
    /// <summary>The TCP port of every surface.</summary>
    Main,

    /// <summary>The socket in the file system, which only the owner of the directory can open.</summary>
    Socket,

    /// <summary>The TCP port of the Admin API, where it has one of its own.</summary>
    Admin,
}

/// <summary>Which listener a connection came by. Set by the listener itself, so no header can claim it.</summary>
internal sealed record Arrival(Door Door)
{
    public bool OwnerOnly => Door == Door.Socket;
}

/// <summary>The addresses a server listens on: one TCP port, and where wanted a socket in the file system.</summary>
/// <remarks>
/// The socket is bound inside a directory that only its owner may enter, made 0600 there, and then moved to its place: at no
/// moment can anybody else open it, whatever the umask. The move also replaces what a killed server left behind.
/// </remarks>
internal sealed class Listeners(IPAddress bind, int port, string? socketPath)
{
    const UnixFileMode OwnerOnlyFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    const UnixFileMode OwnerOnlyDirectory = OwnerOnlyFile | UnixFileMode.UserExecute;

    int _connections;

    /// <summary>The real one, once bound.</summary>
    public int Port { get; private set; } = port;

    public int Connections => Volatile.Read(ref _connections);

    public Exposure Exposure => IPAddress.IsLoopback(bind) ? Exposure.Loopback : Exposure.Plaintext;

    public IReadOnlyList<string> Addresses => socketPath is null
        ? [$"http://{new IPEndPoint(bind, Port)}"]
        : [$"http://{new IPEndPoint(bind, Port)}", $"unix:{socketPath}"];

    /// <exception cref="IOException">The path of the socket is longer than such a path may be.</exception>
    public void Configure(KestrelServerOptions kestrel)
    {
        if (socketPath is not null && Encoding.UTF8.GetByteCount(socketPath) is var length && length > ServerLimits.SocketPathBytesMax)
            throw new IOException($"The path of the socket, {socketPath}, has {length} bytes; this system takes {ServerLimits.SocketPathBytesMax}. Choose a shorter one.");
        kestrel.Listen(bind, Port, listen => Prepare(listen, new(Door.Main)));
        if (socketPath is not null)
            kestrel.ListenUnixSocket(socketPath, listen => Prepare(listen, new(Door.Socket)));
    }

    public void Configure(SocketTransportOptions transport) => transport.CreateBoundListenSocket = endpoint => endpoint switch
    {
        UnixDomainSocketEndPoint => BindInPrivate(socketPath!),
        IPEndPoint address => BindTo(address),
        _ => SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint),
    };

    /// <summary>The file of the socket goes with the server.</summary>
    public void Remove()
    {
        if (socketPath is not null)
            File.Delete(socketPath);
    }

    void Prepare(ListenOptions listen, Arrival arrival)
    {
        listen.Protocols = HttpProtocols.Http1;
        listen.Use(next => async connection =>
        {
            connection.Features.Set(arrival);
            Interlocked.Increment(ref _connections);
            try
            {
                await next(connection).ConfigureAwait(false);
            }
            finally
            {
                Interlocked.Decrement(ref _connections);
            }
        });
    }

    Socket BindTo(IPEndPoint address)
    {
        var socket = SocketTransportOptions.CreateDefaultBoundListenSocket(address);
        Port = ((IPEndPoint)socket.LocalEndPoint!).Port;
        return socket;
    }

    static Socket BindInPrivate(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            File.Delete(path);
            return SocketTransportOptions.CreateDefaultBoundListenSocket(new UnixDomainSocketEndPoint(path));
        }

        // No longer than the path itself where its name has 8 letters or more, as dbx.sock has: the limit of the platform is near.
        var room = Path.Combine(Path.GetDirectoryName(path)!, $".{RandomNumberGenerator.GetHexString(5, lowercase: true)}");
        Directory.CreateDirectory(room, OwnerOnlyDirectory);
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            var inside = Path.Combine(room, "s");
            socket.Bind(new UnixDomainSocketEndPoint(inside));
            File.SetUnixFileMode(inside, OwnerOnlyFile);
            File.Move(inside, path, overwrite: true);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
        finally
        {
            Directory.Delete(room, recursive: true);
        }
    }
}
