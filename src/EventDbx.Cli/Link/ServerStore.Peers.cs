using System.Collections.Immutable;
using System.Text.Json;
using EventDbx.Server.Configuration;

namespace EventDbx.Cli;

/// <summary>The peers of a node, by its server.</summary>
internal sealed partial class ServerStore : IPeers
{
    const string Remotes = "/admin/remotes";

    const string Allowed = "/admin/replication/allowed";

    public Task<ImmutableSortedDictionary<string, RemoteConfig>> GetRemotesAsync(CancellationToken cancellation) =>
        server.AskAsync(HttpMethod.Get, Remotes, null, again: true, static (json, _) => ByName(json, Remote), cancellation);

    public Task<RemoteConfig> PutRemoteAsync(string name, string endpoint, string publicKey, bool replace, CancellationToken cancellation) => server.AskAsync(
        HttpMethod.Put, Named(Remotes, name, replace),
        Utf8(new JsonText(pretty: false).BeginObject().Member("endpoint", endpoint).Member("public_key", publicKey).EndObject()), again: replace,
        static (json, _) => Remote(json), cancellation);

    public Task RemoveRemoteAsync(string name, CancellationToken cancellation) =>
        server.AskAsync(HttpMethod.Delete, Named(Remotes, name, replace: true), null, again: false, Nothing, cancellation);

    public Task<ImmutableSortedDictionary<string, AllowedPeer>> GetAllowedAsync(CancellationToken cancellation) =>
        server.AskAsync(HttpMethod.Get, Allowed, null, again: true, static (json, _) => ByName(json, Peer), cancellation);

    public Task<AllowedPeer> AllowAsync(string name, AllowedPeer peer, bool replace, CancellationToken cancellation) => server.AskAsync(
        HttpMethod.Put, Named(Allowed, name, replace),
        Utf8(new JsonText(pretty: false).BeginObject().Member("public_key", peer.PublicKey).Member("push", peer.Push).Member("pull", peer.Pull).EndObject()), again: replace,
        static (json, _) => Peer(json), cancellation);

    public Task<(string Name, AllowedPeer Peer)> DenyAsync(string nameOrKey, CancellationToken cancellation) => server.AskAsync(
        HttpMethod.Delete, Named(Allowed, nameOrKey, replace: true), null, again: false, static (json, _) => (json.GetProperty("name").GetString()!, Peer(json)), cancellation);

    static string Named(string path, string name, bool replace) =>
        new Query($"{path}/{Uri.EscapeDataString(name.Trim())}").With("create", replace ? null : "true").ToString();

    static ReadOnlyMemory<byte> Utf8(JsonText json) => System.Text.Encoding.UTF8.GetBytes(json.ToString());

    static RemoteConfig Remote(JsonElement json) => new()
    {
        Endpoint = json.GetProperty("endpoint").GetString()!, PublicKey = json.GetProperty("public_key").GetString()!,
        Mode = json.TryGetProperty("mode", out var mode) && mode.GetString() == "follow" ? RemoteMode.Follow : RemoteMode.OnDemand,
    };

    static AllowedPeer Peer(JsonElement json) => new()
    {
        PublicKey = json.GetProperty("public_key").GetString()!, Push = json.GetProperty("push").GetBoolean(), Pull = json.GetProperty("pull").GetBoolean(),
    };

    static ImmutableSortedDictionary<string, T> ByName<T>(JsonElement json, Func<JsonElement, T> read) =>
        json.EnumerateObject().ToImmutableSortedDictionary(member => member.Name, member => read(member.Value), StringComparer.Ordinal);
}
