using System.Collections.Immutable;
using EventDbx.Server.Configuration;
using EventDbx.Server.Replication;

namespace EventDbx.Cli.Commands.Remote;

/// <summary>Peers as <c>dbx</c> prints them.</summary>
internal static class RemoteText
{
    /// <summary>Where a fingerprint would stand: the file was edited, and what is there is no key.</summary>
    const string NoKey = "(no key)";

    public static string Fingerprint(string publicKey) => PeerKey.FingerprintOf(publicKey) ?? NoKey;

    /// <summary><c>push</c>, <c>pull</c>, <c>push,pull</c>; <c>nothing</c> where somebody edited the file so.</summary>
    public static string Rights(AllowedPeer peer) => (peer.Push, peer.Pull) switch
    {
        (true, true) => "push,pull",
        (true, false) => "push",
        (false, true) => "pull",
        (false, false) => "nothing",
    };

    /// <summary><c>follow</c>; null where nothing goes on by itself.</summary>
    public static string? Mode(RemoteConfig remote) => remote.Mode == RemoteMode.Follow ? "follow" : null;

    public static JsonText Remote(JsonText json, RemoteConfig remote)
    {
        json.Member("endpoint", remote.Endpoint).Member("public_key", remote.PublicKey).Member("fingerprint", PeerKey.FingerprintOf(remote.PublicKey));
        return Mode(remote) is { } mode ? json.Member("mode", mode) : json;
    }

    public static JsonText Allowed(JsonText json, AllowedPeer peer) => json
        .Member("public_key", peer.PublicKey).Member("fingerprint", PeerKey.FingerprintOf(peer.PublicKey)).Member("push", peer.Push).Member("pull", peer.Pull);

    /// <summary>One peer with its name.</summary>
    public static string Json<T>(string name, T peer, Func<JsonText, T, JsonText> write) =>
        write(new JsonText().BeginObject().Member("name", name), peer).EndObject().ToString();

    /// <summary>An object of peers by name.</summary>
    public static string Json<T>(ImmutableSortedDictionary<string, T> peers, Func<JsonText, T, JsonText> write)
    {
        var json = new JsonText().BeginObject();
        foreach (var (name, peer) in peers.OrderBy(peer => peer.Key, JsonText.Utf8Order))
            write(json.Name(name).BeginObject(), peer).EndObject();
        return json.EndObject().ToString();
    }
}
