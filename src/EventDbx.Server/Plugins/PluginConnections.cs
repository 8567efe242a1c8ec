using System.Net;
using System.Net.Sockets;

namespace EventDbx.Server.Plugins;

/// <summary>How every plugin that is reached over a network is connected to: within a time, and to no address that is blocked.</summary>
internal static class PluginConnections
{
    /// <summary>A connection.</summary>
    /// <exception cref="PluginDownException">There is none, with the reason: nobody there, no name, no time, a blocked address.</exception>
    public static async Task<Socket> ConnectAsync(this PluginSurroundings surroundings, string host, int port, CancellationToken cancellation)
    {
        using var late = new CancellationTokenSource(ServerLimits.PluginReachedWithin, surroundings.Clock);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellation, late.Token);
        try
        {
            return await AddressRules.Of(surroundings).ConnectAsync(host, port, surroundings.Resolve, either.Token).ConfigureAwait(false);
        }
        catch (AddressBlockedException blocked)
        {
            throw new PluginDownException(blocked.Message, blocked);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw new PluginDownException(FormattableString.Invariant($"{host}:{port}: no connection within {ServerLimits.PluginReachedWithin.TotalSeconds:0} s"));
        }
    }

    /// <summary>What HTTP and gRPC go out by: no proxy, no cookies, no redirects of its own accord, no address that is blocked.</summary>
    public static SocketsHttpHandler NewHandler(this PluginSurroundings surroundings)
    {
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = DecompressionMethods.None,
            ConnectTimeout = ServerLimits.PluginReachedWithin,
            // A name may have moved; nobody tells a connection that is kept.
            PooledConnectionLifetime = ServerLimits.PluginConnectionLifetime,
            ConnectCallback = async (context, cancellation) => new NetworkStream(
                await surroundings.ConnectAsync(context.DnsEndPoint.Host, context.DnsEndPoint.Port, cancellation).ConfigureAwait(false), ownsSocket: true),
        };
        if (surroundings.TrustedRoots is { } roots)
        {
            handler.SslOptions.CertificateChainPolicy = new()
            {
                TrustMode = System.Security.Cryptography.X509Certificates.X509ChainTrustMode.CustomRootTrust,
                RevocationMode = System.Security.Cryptography.X509Certificates.X509RevocationMode.NoCheck,
            };
            handler.SslOptions.CertificateChainPolicy.CustomTrustStore.AddRange(roots);
        }

        return handler;
    }
}
