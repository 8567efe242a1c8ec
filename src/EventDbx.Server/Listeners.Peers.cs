using System.Net;
using System.Net.Sockets;
using EventDbx.Server.Connections;
using EventDbx.Server.Daemon;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace EventDbx.Server;

/// <summary>The port of replication: what comes by it is no HTTP, and is counted apart from all else.</summary>
/// <param name="Address">Where; port 0: any.</param>
/// <param name="Table">Counts what comes.</param>
/// <param name="Serve">Serves a connection that has said something, until it ends.</param>
internal sealed record PeerDoor(IPEndPoint Address, ConnectionTable Table, Func<ConnectionContext, OpenConnection, Opening, Task> Serve);

internal sealed partial class Listeners
{
    /// <summary>The port of replication, the real one once bound; null: there is none.</summary>
    public int? PeerPort { get; private set; } = peers?.Address.Port;

    IEnumerable<string> PeerAddresses => peers is null ? [] : [$"tcp://{new IPEndPoint(peers.Address.Address, PeerPort!.Value)}"];

    void ListenToPeers(KestrelServerOptions kestrel)
    {
        if (peers is not { } door)
            return;
        kestrel.Listen(door.Address, listen =>
        {
            // Nothing of HTTP follows.
            listen.Protocols = HttpProtocols.Http1;
            listen.Use(_ => connection => ServeAsync(door, connection));
        });
    }

    static async Task ServeAsync(PeerDoor door, ConnectionContext connection)
    {
        var lifetime = connection.Features.Get<IConnectionLifetimeNotificationFeature>();
        var open = new OpenConnection(
            door.Table, ClientAddress.Of(connection.RemoteEndPoint),
            () => connection.Abort(new("Closed in favour of others, or for its silence.")), lifetime is null ? null : lifetime.RequestClose);
        if (!door.Table.TryEnter(open))
        {
            connection.Abort(new("Too many connections, all of them in use."));
            return;
        }

        connection.Transport = new WatchedTransport(connection.Transport, open);
        try
        {
            if (await FirstBytes.PeekAsync(connection, secure: true).ConfigureAwait(false) is not { } opening)
                return;
            door.Table.Spoke(open);
            await door.Serve(connection, open, opening).ConfigureAwait(false);
        }
        finally
        {
            var handedOver = connection.DisposeAsync();
            if (!handedOver.IsCompleted)
                open.Stalls();
            await handedOver.ConfigureAwait(false);
            door.Table.Leave(open);
        }
    }

    Socket BindForPeers(IPEndPoint address)
    {
        var socket = BindAsAsked(
            "Replication", address,
            "Another program may have the port, or another server of this machine: `dbx config --socket-bind IP:PORT` chooses another one for this one.");
        PeerPort = ((IPEndPoint)socket.LocalEndPoint!).Port;
        return socket;
    }
}
