using System.Net;
using EventDbx.Server.Configuration;

namespace EventDbx.Server;

/// <summary>Where peers, and programs with commands, come to.</summary>
public static class PeerEndpoint
{
    /// <summary>Of <c>socket.bind_addr</c>.</summary>
    /// <remarks>
    /// Where the setting is as published and nobody has chosen it, the address is that of the server (<c>--bind</c>): one that is kept to this machine does not open 6363 to all. A server on any free port
    /// takes any free port for this, too: several of them run beside each other.
    /// </remarks>
    /// <param name="config">Its settings.</param>
    /// <param name="port">Of the server, for this run; 0: any.</param>
    public static IPEndPoint Of(ServerConfig config, int port)
    {
        var own = IPEndPoint.Parse(config.SocketBindAddr);
        return config.SocketBindAddr == ServerConfig.SocketBindAddrDefault ? new(IPAddress.Parse(config.BindAddr), port == 0 ? 0 : own.Port) : own;
    }
}
