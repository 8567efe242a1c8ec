using System.Collections.Immutable;
using EventDbx.Server.Admin;
using EventDbx.Server.Configuration;

namespace EventDbx.Server.Replication;

/// <summary>Who may come, by key, as the configuration has it now: asked at every request.</summary>
/// <param name="settings">Those in force.</param>
internal sealed class PeerBook(LiveSettings settings)
{
    Entries? _entries;

    /// <summary>The peer that has this key; null: nobody who may come, or nobody knows who may.</summary>
    public KnownPeer? Find(PeerKey key)
    {
        if (settings.TryRead() is not { } config)
            return null;
        var entries = _entries;
        if (entries is null || !ReferenceEquals(entries.Of, config.ReplicationAllow))
            _entries = entries = Entries.Read(config.ReplicationAllow);
        return entries.ByKey.GetValueOrDefault(key);
    }

    sealed record Entries(ImmutableSortedDictionary<string, AllowedPeer> Of, Dictionary<PeerKey, KnownPeer> ByKey)
    {
        public static Entries Read(ImmutableSortedDictionary<string, AllowedPeer> allowed)
        {
            Dictionary<PeerKey, KnownPeer> byKey = [];
            foreach (var (name, peer) in allowed)
            {
                if (PeerKey.TryParse(peer.PublicKey, out var key, out _))
                    byKey[key] = new(name, peer.Push, peer.Pull);
            }

            return new(allowed, byKey);
        }
    }
}

/// <param name="Name">By which the configuration knows it.</param>
/// <param name="Push">It may bring events.</param>
/// <param name="Pull">It may fetch them.</param>
internal sealed record KnownPeer(string Name, bool Push, bool Pull);
