using System.Net;
using System.Security.Cryptography.X509Certificates;
using EventDbx.Server.Configuration;

namespace EventDbx.Server.Plugins;

/// <summary>What the plugins of one open directory work with.</summary>
internal sealed record PluginSurroundings
{
    public required Database Database { get; init; }

    /// <summary>Absolute. <c>plugins/</c> in it holds what is installed.</summary>
    public required string DataDirectory { get; init; }

    /// <summary>The settings as they are now: <c>plugin_max_attempts</c>, addresses that are allowed.</summary>
    public required Func<ServerConfig> Settings { get; init; }

    public required TimeProvider Clock { get; init; }

    /// <summary>Told what happens; null: nobody is told.</summary>
    public Action<LogLine>? Log { get; init; }

    /// <summary>From 0 up to 1: scatters tries.</summary>
    public required Func<double> Jitter { get; init; }

    /// <summary>Finds the addresses of a name; throws <see cref="System.Net.Sockets.SocketException"/> where it has none.</summary>
    public Func<string, CancellationToken, Task<IPAddress[]>> Resolve { get; init; } = Dns.GetHostAddressesAsync;

    /// <summary>Whose certificates are believed; null: whose the system believes.</summary>
    public X509Certificate2Collection? TrustedRoots { get; init; }
}
