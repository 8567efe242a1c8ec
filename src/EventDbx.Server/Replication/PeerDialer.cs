using System.Net;
using System.Net.Sockets;
using EventDbx.Server.Admin;

namespace EventDbx.Server.Replication;

/// <summary>Opens sessions with other nodes.</summary>
/// <param name="identity">Ours, read when a session begins.</param>
/// <param name="clock">For what takes too long.</param>
public sealed class PeerDialer(Func<NodeIdentity> identity, TimeProvider clock)
{
    static readonly string[] Schemes = ["tcp", "capnp", "grpc", "grpcs"];

    /// <summary>A <see cref="Dial"/>: <c>tcp://HOST:PORT</c>, or as older documents have it <c>capnp</c>, <c>grpc</c>, <c>grpcs</c>, or no scheme at all; it is one session whichever.</summary>
    /// <param name="endpoint">An address that stands for all of a machine, 0.0.0.0 or [::], is this one.</param>
    /// <param name="key">Pinned: nobody else is talked to.</param>
    /// <param name="cancellation">Gives it up.</param>
    /// <exception cref="RefusedException">
    /// <see cref="RefusalCode.InvalidArgument"/>: the endpoint is none. <see cref="RefusalCode.PermissionDenied"/>: the other end refuses this node. <see cref="RefusalCode.Unauthenticated"/>: it is another one.
    /// <see cref="RefusalCode.Unavailable"/>: this node has no key to show.
    /// </exception>
    /// <exception cref="ReplicaLostException">It cannot be reached, or speaks something else; the endpoint is named.</exception>
    public async Task<IReplica> DialAsync(string endpoint, PeerKey key, CancellationToken cancellation)
    {
        try
        {
            return await BeginAsync(PlaceOf(endpoint), key, cancellation).ConfigureAwait(false);
        }
        catch (ReplicaLostException lost)
        {
            throw new ReplicaLostException(lost.Why, lost.InnerException ?? lost, endpoint.Trim());
        }
    }

    async Task<IReplica> BeginAsync((string Host, int Port) place, PeerKey key, CancellationToken cancellation)
    {
        var own = Identity();
        var stream = await ConnectAsync(place.Host, place.Port, cancellation).ConfigureAwait(false);
        using var late = new CancellationTokenSource(ServerLimits.SessionHandshakeTimeout, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellation);
        try
        {
            return new RemoteReplica(await SessionHandshake.DialAsync(stream, own, key, either.Token).ConfigureAwait(false));
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new ReplicaLostException(FormattableString.Invariant($"The session did not begin within {ServerLimits.SessionHandshakeTimeout.TotalSeconds:0} s."));
        }
    }

    /// <summary>Host, of IPv6 without its brackets, and port.</summary>
    /// <exception cref="RefusedException">It is no endpoint.</exception>
    internal static (string Host, int Port) PlaceOf(string endpoint)
    {
        var text = endpoint.Trim();
        if (text.Length == 0)
            throw new RefusedException(RefusalCode.InvalidArgument, "remote endpoint cannot be empty.");
        if (text.IndexOf("://", StringComparison.Ordinal) is var at and >= 0)
        {
            if (!Schemes.Contains(text[..at], StringComparer.OrdinalIgnoreCase))
                throw new RefusedException(RefusalCode.InvalidArgument, $"unsupported replication endpoint scheme: {Rest.Shown.Of(text)}");
            text = text[(at + 3)..].TrimEnd('/');
        }

        var (host, port) = RemoteRules.PlaceOf(text);
        return (host.Trim('[', ']'), port);
    }

    NodeIdentity Identity()
    {
        try
        {
            return identity();
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            throw new RefusedException(new Refusal(RefusalCode.Unavailable, $"This node has no key to show to others: {unreadable.Message}") { Final = true });
        }
    }

    async Task<PeerStream> ConnectAsync(string host, int port, CancellationToken cancellation)
    {
        using var late = new CancellationTokenSource(ServerLimits.SessionConnectTimeout, clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(late.Token, cancellation);
        Socket? socket = null;
        try
        {
            if (IPAddress.TryParse(host, out var address))
            {
                address = address.Equals(IPAddress.Any) ? IPAddress.Loopback : address.Equals(IPAddress.IPv6Any) ? IPAddress.IPv6Loopback : address;
                socket = new(address.AddressFamily, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                await socket.ConnectAsync(address, port, either.Token).ConfigureAwait(false);
            }
            else
            {
                // Every address of the name, one after the other.
                socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                await socket.ConnectAsync(host, port, either.Token).ConfigureAwait(false);
            }

            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            var network = new NetworkStream(socket, ownsSocket: true);
            return new(network, network, clock, ServerLimits.SessionAnswerTimeout);
        }
        catch (Exception failed) when (failed is SocketException or IOException or OperationCanceledException && !cancellation.IsCancellationRequested)
        {
            socket?.Dispose();
            throw new ReplicaLostException(
                failed is OperationCanceledException ? FormattableString.Invariant($"It did not take the connection within {ServerLimits.SessionConnectTimeout.TotalSeconds:0} s.") : failed.Message, failed);
        }
        catch
        {
            socket?.Dispose();
            throw;
        }
    }
}
