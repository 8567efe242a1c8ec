using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using EventDbx.Server.Configuration;
using EventDbx.Server.Connections;
using EventDbx.Server.Daemon;
using EventDbx.Server.Tls;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
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

    /// <summary>The TCP port of gRPC, where it has one of its own. It serves nothing else but <c>/health</c>.</summary>
    Grpc,

    /// <summary>The TCP port of replication, by which no requests of HTTP come.</summary>
    Peers,
}

/// <summary>Which listener a connection came by. Set by the listener itself, so no header can claim it.</summary>
internal sealed record Arrival(Door Door)
{
    public bool OwnerOnly => Door == Door.Socket;
}

/// <summary>The addresses a server listens on: one TCP port, and where wanted another one for gRPC, and a socket in the file system.</summary>
/// <remarks>
/// The socket is bound inside a directory that only its owner may enter, made 0600 there, and then moved to its place: at no
/// moment can anybody else open it, whatever the umask. The move also replaces what a killed server left behind.
/// Each TCP port speaks HTTP/1.1 and HTTP/2: told apart in clear text by the first bytes of a connection, under TLS by ALPN.
/// What comes over the network is counted apart from what comes by the socket, and what comes to the port of the Admin API apart
/// from both: no crowd outside keeps the owner out, and none at one port those of the other.
/// </remarks>
/// <param name="main">The address and the TCP port; port 0: any.</param>
/// <param name="grpc">Those of gRPC; null: it shares the main ones.</param>
/// <param name="socketPath">The socket in the file system; null: none.</param>
/// <param name="tls">What the TCP ports speak; null: clear text.</param>
/// <param name="strangers">Counts what comes by TCP.</param>
/// <param name="owners">Counts what comes by the socket.</param>
/// <param name="admins">Counts what comes by the port of the Admin API, where it has one of its own.</param>
/// <param name="peers">The port of replication; null: there is none.</param>
internal sealed partial class Listeners(
    IPEndPoint main, IPEndPoint? grpc, string? socketPath, ServerTls? tls, ConnectionTable strangers, ConnectionTable owners, ConnectionTable admins, PeerDoor? peers = null) : IDisposable
{
    const UnixFileMode OwnerOnlyFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    const UnixFileMode OwnerOnlyDirectory = OwnerOnlyFile | UnixFileMode.UserExecute;

    /// <summary>The real one, once bound.</summary>
    public int Port { get; private set; } = main.Port;

    /// <summary>That of gRPC, the real one once bound; null: it has none of its own.</summary>
    public int? GrpcPort { get; private set; } = grpc?.Port;

    public int Connections => strangers.Count + owners.Count + admins.Count + ConnectionsBy(Door.Peers);

    /// <summary>Open right now, of those that came by one kind of door.</summary>
    public int ConnectionsBy(Door door) => door switch
    {
        // What comes by the port of gRPC is counted with what comes by the main one.
        Door.Main or Door.Grpc => strangers.Count,
        Door.Socket => owners.Count,
        Door.Admin => admins.Count,
        Door.Peers => peers?.Table.Count ?? 0,
    };

    public Exposure Exposure => Ports.All(static port => IPAddress.IsLoopback(port.Address)) ? Exposure.Loopback : tls is null ? Exposure.Plaintext : Exposure.Tls;

    /// <summary>The main one first, then that of gRPC, that of replication, then the socket.</summary>
    public IReadOnlyList<string> Addresses => [.. Ports.Select(Shown), .. PeerAddresses, .. socketPath is null ? (string[])[] : [$"unix:{socketPath}"]];

    /// <summary>Those that other machines can reach, and read along at.</summary>
    public IReadOnlyList<string> InClear => tls is not null ? [] : [.. Ports.Where(static port => !IPAddress.IsLoopback(port.Address)).Select(Shown)];

    IEnumerable<IPEndPoint> Ports => grpc is null ? [new(main.Address, Port)] : [new(main.Address, Port), new(grpc.Address, GrpcPort!.Value)];

    /// <summary>Whether gRPC is served to what comes by a door: by its own where it has one, by the main one otherwise; and to the owner's commands.</summary>
    public bool ServesGrpc(Door door) => door switch
    {
        Door.Main => grpc is null,
        Door.Grpc or Door.Socket => true,
        Door.Admin or Door.Peers => false,
    };

    string Shown(IPEndPoint port) => $"{(tls is null ? "http" : "https")}://{port}";

    /// <exception cref="IOException">The path of the socket is longer than such a path may be.</exception>
    public void Configure(KestrelServerOptions kestrel, PriorKnowledge http2)
    {
        if (socketPath is not null && Encoding.UTF8.GetByteCount(socketPath) is var length && length > ServerLimits.SocketPathBytesMax)
            throw new IOException($"The path of the socket, {socketPath}, has {length} bytes; this system takes {ServerLimits.SocketPathBytesMax}. Choose a shorter one.");
        kestrel.Listen(main, listen => Guard(listen, new(Door.Main), http2));
        if (grpc is not null)
            kestrel.Listen(grpc, listen => Guard(listen, new(Door.Grpc), http2));
        ListenToPeers(kestrel);
        if (socketPath is not null)
            kestrel.ListenUnixSocket(socketPath, listen => Guard(listen, new(Door.Socket), http2, owners, tls: null));
    }

    public void Configure(SocketTransportOptions transport) => transport.CreateBoundListenSocket = endpoint => endpoint switch
    {
        UnixDomainSocketEndPoint => BindInPrivate(socketPath!),
        IPEndPoint address when ReferenceEquals(address, grpc) => BindForGrpc(address),
        IPEndPoint address when ReferenceEquals(address, peers?.Address) => BindForPeers(address),
        IPEndPoint address => BindTo(address),
        _ => SocketTransportOptions.CreateDefaultBoundListenSocket(endpoint),
    };

    /// <summary>The file of the socket goes with the server.</summary>
    public void Remove()
    {
        if (socketPath is not null)
            File.Delete(socketPath);
    }

    public void Dispose()
    {
        strangers.Dispose();
        owners.Dispose();
        admins.Dispose();
        peers?.Table.Dispose();
    }

    /// <summary>What every connection of a TCP port passes before its first request: its door is noted, it is counted, it has to speak, and TLS.</summary>
    /// <param name="listen">The port.</param>
    /// <param name="arrival">Whose door it is.</param>
    /// <param name="http2">Of the same Kestrel.</param>
    public void Guard(ListenOptions listen, Arrival arrival, PriorKnowledge http2) =>
        Guard(listen, arrival, http2, arrival.Door == Door.Admin ? admins : strangers, tls);

    static void Guard(ListenOptions listen, Arrival arrival, PriorKnowledge http2, ConnectionTable table, ServerTls? tls)
    {
        // TLS offers in ALPN what stands here; in clear text the first bytes tell.
        listen.Protocols = tls is null ? HttpProtocols.Http1 : HttpProtocols.Http1AndHttp2;
        listen.Use(next => async connection =>
        {
            connection.Features.Set(arrival);
            var lifetime = connection.Features.Get<IConnectionLifetimeNotificationFeature>();
            var open = new OpenConnection(
                table, ClientAddress.Of(connection.RemoteEndPoint),
                () => connection.Abort(new("Closed in favour of others, or for its silence.")), lifetime is null ? null : lifetime.RequestClose);
            if (!table.TryEnter(open))
            {
                connection.Abort(new("Too many connections, all of them in use."));
                return;
            }

            connection.Features.Set(open);
            var transport = new WatchedTransport(connection.Transport, open);
            connection.Transport = transport;
            connection.Features.Set(transport);
            using var quiet = QuietEnd.Await(connection, open, transport);
            try
            {
                if (await FirstBytes.PeekAsync(connection, secure: tls is not null).ConfigureAwait(false) is not { } opening)
                    return;
                table.Spoke(open);
                transport.SpeaksHttp2 = tls is null && opening == Opening.Http2;
                if (transport.SpeaksHttp2)
                    await http2.ServeAsync(connection).ConfigureAwait(false);
                else if (tls is null || opening == Opening.Tls)
                    await next(connection).ConfigureAwait(false);
                else
                    await FirstBytes.RefusePlaintextAsync(connection, opening).ConfigureAwait(false);
                if (transport.SpeaksHttp2)
                    await transport.LingerAsync(connection.ConnectionClosed).ConfigureAwait(false);
            }
            finally
            {
                // What was answered last may not have been taken yet: until it is, the connection is there, and counted.
                var handedOver = connection.DisposeAsync();
                if (!handedOver.IsCompleted)
                    open.Stalls();
                await handedOver.ConfigureAwait(false);
                table.Leave(open);
            }
        });
        if (tls is null)
            return;
        tls.Secure(listen);
        listen.Use(next => connection =>
        {
            // Now, for once TLS has ended nothing tells it any more.
            if (connection.Features.Get<ITlsApplicationProtocolFeature>() is { } chosen && connection.Features.Get<WatchedTransport>() is { } transport)
                transport.SpeaksHttp2 = chosen.ApplicationProtocol.Span.SequenceEqual("h2"u8);
            return next(connection);
        });
    }

    Socket BindTo(IPEndPoint address)
    {
        var socket = SocketTransportOptions.CreateDefaultBoundListenSocket(address);
        Port = ((IPEndPoint)socket.LocalEndPoint!).Port;
        return socket;
    }

    Socket BindForGrpc(IPEndPoint address)
    {
        var socket = BindAsAsked(
            "gRPC", address,
            $"Another program may have the port; `dbx config --grpc-bind IP:PORT` chooses another one, `dbx config --grpc-bind {ServerConfig.GrpcBindAddrDefault}` shares the main one.");
        GrpcPort = ((IPEndPoint)socket.LocalEndPoint!).Port;
        return socket;
    }

    /// <exception cref="DaemonException">It cannot be listened on. Whoever looks for it there is not to look in vain.</exception>
    static Socket BindAsAsked(string what, IPEndPoint address, string advice)
    {
        try
        {
            return SocketTransportOptions.CreateDefaultBoundListenSocket(address);
        }
        catch (SocketException refused)
        {
            throw new DaemonException($"{what} cannot listen on {address}: {refused.Message}. {advice}", refused);
        }
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
