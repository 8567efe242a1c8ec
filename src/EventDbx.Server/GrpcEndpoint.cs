using System.Net;
using EventDbx.Server.Configuration;

namespace EventDbx.Server;

/// <summary>Where gRPC listens by itself.</summary>
internal static class GrpcEndpoint
{
    /// <summary>Of <c>grpc.bind_addr</c>; null where gRPC shares the main port, or is off.</summary>
    /// <remarks>
    /// It shares where the port is that of the server: the address is the server's then. It shares as well where the setting is as
    /// published and nobody has chosen it: a server that is moved to another port, or to this machine, does not open 7070 to all for gRPC.
    /// </remarks>
    public static IPEndPoint? Of(ServerOptions options) =>
        Of(options.Config) is { } own && (own.Port == 0 || own.Port != options.Port) ? own : null; // 0 is any, and not the same one.

    /// <summary>The same, by the settings alone.</summary>
    public static IPEndPoint? Of(ServerConfig config)
    {
        if (!config.ApiGrpc || config.GrpcBindAddr == ServerConfig.GrpcBindAddrDefault)
            return null;
        var own = IPEndPoint.Parse(config.GrpcBindAddr);
        return own.Port != 0 && own.Port == config.Port ? null : own;
    }
}
