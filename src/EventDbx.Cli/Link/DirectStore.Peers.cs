using EventDbx.Server.Configuration;

namespace EventDbx.Cli;

/// <summary>The peers of a node, in the configuration beside the store.</summary>
internal sealed partial class DirectStore
{
    /// <summary>Those of a configuration; changes leave their entries in this store.</summary>
    public IPeers PeersOf(ConfigFile file) => new SavedPeers(file, database, session);
}
