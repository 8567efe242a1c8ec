using System.Collections.Immutable;
using EventDbx.Server.Admin;
using EventDbx.Server.Configuration;

namespace EventDbx.Cli;

/// <summary>The peers as the configuration of this machine has them, where no server runs.</summary>
/// <param name="file">The configuration.</param>
/// <param name="database">Open here, for the entries of changes; null where nothing is changed, or there is no store and so no log.</param>
/// <param name="session">Who asks; null where <paramref name="database"/> is.</param>
internal sealed class SavedPeers(ConfigFile file, Database? database, Session? session) : IPeers
{
    /// <summary>In the words of the server, which refuses the same.</summary>
    const string ManageRemotes = "manage remotes";

    readonly PeerSettings _settings = new(file, database);

    public Task<ImmutableSortedDictionary<string, RemoteConfig>> GetRemotesAsync(CancellationToken cancellation)
    {
        session?.DemandRoot(ManageRemotes);
        return Task.FromResult(file.Config.Remotes);
    }

    public async Task<RemoteConfig> PutRemoteAsync(string name, string endpoint, string publicKey, bool replace, CancellationToken cancellation)
    {
        session?.DemandRoot(ManageRemotes);
        return (await _settings.PutRemoteAsync(session, name, endpoint, publicKey, replace).ConfigureAwait(false)).After;
    }

    public Task RemoveRemoteAsync(string name, CancellationToken cancellation)
    {
        session?.DemandRoot(ManageRemotes);
        return _settings.RemoveRemoteAsync(session, name);
    }

    public Task<ImmutableSortedDictionary<string, AllowedPeer>> GetAllowedAsync(CancellationToken cancellation)
    {
        session?.DemandRoot(ManageRemotes);
        return Task.FromResult(file.Config.ReplicationAllow);
    }

    public async Task<AllowedPeer> AllowAsync(string name, AllowedPeer peer, bool replace, CancellationToken cancellation)
    {
        session?.DemandRoot(ManageRemotes);
        return (await _settings.AllowAsync(session, name, peer.PublicKey, peer.Push, peer.Pull, replace).ConfigureAwait(false)).After;
    }

    public Task<(string Name, AllowedPeer Peer)> DenyAsync(string nameOrKey, CancellationToken cancellation)
    {
        session?.DemandRoot(ManageRemotes);
        return _settings.DenyAsync(session, nameOrKey);
    }
}
