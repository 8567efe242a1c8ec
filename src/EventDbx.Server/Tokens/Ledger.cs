using EventDbx.Integrity;

namespace EventDbx.Server.Tokens;

/// <summary>All tokens at one moment; never changes.</summary>
internal sealed class Ledger
{
    readonly Dictionary<Hash32, TokenEntry> _byHash;
    readonly Dictionary<Guid, TokenEntry> _byId;

    public Ledger(IReadOnlyList<TokenEntry> entries)
    {
        Entries = entries;
        _byHash = new(entries.Count);
        _byId = new(entries.Count);
        foreach (var entry in entries)
        {
            _byHash.Add(entry.Record.Sha256, entry);
            _byId.Add(entry.Record.Jti, entry);
        }
    }

    /// <summary>In the order of their issue.</summary>
    public IReadOnlyList<TokenEntry> Entries { get; }

    public TokenEntry? Find(Hash32 sha256) => _byHash.GetValueOrDefault(sha256);

    public TokenEntry? Find(Guid jti) => _byId.GetValueOrDefault(jti);
}
