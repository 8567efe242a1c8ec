using System.Collections.Immutable;
using EventDbx.Server.Configuration;

namespace EventDbx.Cli;

/// <summary>The peers of a node, remotes and who is allowed, wherever they are changed: by a server, or in the configuration.</summary>
internal interface IPeers
{
    Task<ImmutableSortedDictionary<string, RemoteConfig>> GetRemotesAsync(CancellationToken cancellation);

    /// <summary>Names a remote; one that is there is left, unless it is to be replaced.</summary>
    Task<RemoteConfig> PutRemoteAsync(string name, string endpoint, string publicKey, bool replace, CancellationToken cancellation);

    Task RemoveRemoteAsync(string name, CancellationToken cancellation);

    Task<ImmutableSortedDictionary<string, AllowedPeer>> GetAllowedAsync(CancellationToken cancellation);

    /// <summary>Allows a node to come; one that is there is left, unless it is to be replaced.</summary>
    Task<AllowedPeer> AllowAsync(string name, AllowedPeer peer, bool replace, CancellationToken cancellation);

    /// <summary>Allows a node nothing any more, and says who it was.</summary>
    Task<(string Name, AllowedPeer Peer)> DenyAsync(string nameOrKey, CancellationToken cancellation);
}
