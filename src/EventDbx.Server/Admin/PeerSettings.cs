using System.Collections.Immutable;
using EventDbx.Server.Configuration;
using EventDbx.Server.Replication;

namespace EventDbx.Server.Admin;

/// <summary>Changes the peers of a configuration, remotes and who is allowed, each change with an entry in the log.</summary>
/// <remarks>The server and a command that has the directory open change them here alike. Where there is no store yet there is no log, and so no entry.</remarks>
public sealed class PeerSettings
{
    readonly ConfigFile _file;
    readonly Action<ServerConfig, string> _accepted;

    /// <param name="file">Where they are kept.</param>
    /// <param name="database">Open in this process; null where there is no store.</param>
    public PeerSettings(ConfigFile file, Database? database)
        : this(file, database is null ? static (_, _) => { } : (config, setting) => Accept(database, config, setting))
    {
    }

    /// <param name="file">Where they are kept.</param>
    /// <param name="accepted">Told the settings, and the name of the one that changed, whose entry is written.</param>
    internal PeerSettings(ConfigFile file, Action<ServerConfig, string> accepted) => (_file, _accepted) = (file, accepted);

    /// <summary>A kind of peers: where they stand in the settings, and what is said of them.</summary>
    sealed record Kind<T>(
        string Plural,
        Func<ServerConfig, ImmutableSortedDictionary<string, T>> Of,
        Func<ServerConfig, ImmutableSortedDictionary<string, T>, ServerConfig> With,
        Func<string, string> Setting,
        Func<T?, T?, bool, byte[]> Body)
        where T : class;

    static readonly Kind<RemoteConfig> Remotes = new(
        "remotes", static config => config.Remotes, static (config, peers) => config with { Remotes = peers }, SettingsRecord.OfRemote,
        static (before, after, failed) => failed ? RemoteRules.FailureOf(before, after) : RemoteRules.BodyOf(before, after));

    static readonly Kind<AllowedPeer> Allowed = new(
        "allowed peers", static config => config.ReplicationAllow, static (config, peers) => config with { ReplicationAllow = peers }, SettingsRecord.OfAllowed, AllowRules.BodyOf);

    /// <summary>Names a remote, or changes it.</summary>
    /// <param name="by">Who does it; null where there is no log.</param>
    /// <param name="name">Of the remote.</param>
    /// <param name="endpoint">See docs/rest.md.</param>
    /// <param name="publicKey">Base64.</param>
    /// <param name="replace">False: one that is there is left, and that is a refusal.</param>
    /// <returns>As it was, null where it was not there; and as it is.</returns>
    /// <exception cref="RefusedException">It is out of form, is there already, or could not be written.</exception>
    public async Task<(RemoteConfig? Before, RemoteConfig After)> PutRemoteAsync(Session? by, string name, string endpoint, string publicKey, bool replace)
    {
        (name, var remote) = (RemoteRules.CheckedName(name), RemoteRules.Checked(endpoint, publicKey));
        // A leader that has moved is followed on.
        var (_, before, after) = await ChangeAsync(
            by, Remotes, peers => Put(peers, name, remote with { Mode = peers.GetValueOrDefault(name)?.Mode ?? RemoteMode.OnDemand }, replace, "remote")).ConfigureAwait(false);
        return (before, after!);
    }

    /// <summary>Forgets a remote.</summary>
    /// <exception cref="RefusedException">There is none of that name, or it could not be written.</exception>
    public async Task RemoveRemoteAsync(Session? by, string name)
    {
        name = name.Trim();
        await ChangeAsync(by, Remotes, peers => peers.ContainsKey(name) ? (name, null) : throw RemoteRules.Absent(name)).ConfigureAwait(false);
    }

    /// <summary>Follows a remote from now on, and nobody else; or, without one, nobody.</summary>
    /// <param name="by">Who does it; null where there is no log.</param>
    /// <param name="name">Of the remote; null: none is followed.</param>
    /// <exception cref="RefusedException">There is none of that name, or it could not be written.</exception>
    public async Task FollowAsync(Session? by, string? name)
    {
        // One at a time, each with its entry; the new one last, so that there are never two.
        while (_file.Reload().Saved.Remotes.FirstOrDefault(remote => remote.Value.Mode == RemoteMode.Follow && remote.Key != name).Key is { } other)
            await ChangeAsync(by, Remotes, peers => SetMode(peers, other, RemoteMode.OnDemand)).ConfigureAwait(false);
        if (name is not null)
            await ChangeAsync(by, Remotes, peers => SetMode(peers, name, RemoteMode.Follow)).ConfigureAwait(false);
    }

    static (string, RemoteConfig?) SetMode(ImmutableSortedDictionary<string, RemoteConfig> peers, string name, RemoteMode mode) =>
        (name, (peers.GetValueOrDefault(name) ?? throw RemoteRules.Absent(name)) with { Mode = mode });

    /// <summary>Allows a node to come, or changes for what.</summary>
    /// <inheritdoc cref="PutRemoteAsync"/>
    public async Task<(AllowedPeer? Before, AllowedPeer After)> AllowAsync(Session? by, string name, string publicKey, bool push, bool pull, bool replace)
    {
        (name, var peer) = (AllowRules.CheckedName(name), AllowRules.Checked(publicKey, push, pull));
        var (_, before, _) = await ChangeAsync(by, Allowed, peers =>
        {
            AllowRules.DemandOnce(peers, name, peer);
            return Put(peers, name, peer, replace, "peer");
        }).ConfigureAwait(false);
        return (before, peer);
    }

    /// <summary>Allows a node nothing any more.</summary>
    /// <param name="by">Who does it; null where there is no log.</param>
    /// <param name="nameOrKey">Which.</param>
    /// <returns>Who it was.</returns>
    /// <exception cref="RefusedException">Nobody has that name or key, or it could not be written.</exception>
    public async Task<(string Name, AllowedPeer Peer)> DenyAsync(Session? by, string nameOrKey)
    {
        var (name, before, _) = await ChangeAsync(by, Allowed, peers => (AllowRules.Find(peers, nameOrKey), null)).ConfigureAwait(false);
        return (name, before!);
    }

    static (string, T?) Put<T>(ImmutableSortedDictionary<string, T> peers, string name, T peer, bool replace, string what)
        where T : class =>
        replace || !peers.ContainsKey(name)
            ? (name, peer)
            : throw new RefusedException(RefusalCode.AlreadyExists, $"{what} '{Rest.Shown.Of(name)}' already exists (use --replace to overwrite).");

    /// <param name="by">Null: no entry.</param>
    /// <param name="kind">Of peers.</param>
    /// <param name="decide">Which one is to be what, null for gone, among those there are by now; what it throws leaves them.</param>
    async Task<(string Name, T? Before, T? After)> ChangeAsync<T>(Session? by, Kind<T> kind, Func<ImmutableSortedDictionary<string, T>, (string Name, T? After)> decide)
        where T : class
    {
        var (name, before, after, noted) = ("", (T?)null, (T?)null, false);
        try
        {
            // The entry is written when the new file lies ready beside the old one: from then on only its name can fail to change.
            var now = await _file.UpdateAsync(Change, by is null ? null : NoteAsync, CancellationToken.None).ConfigureAwait(false);
            if (noted)
                _accepted(now, kind.Setting(name));
            return (name, before, after);
        }
        catch (Exception unwritten) when (unwritten is ConfigException or IOException or UnauthorizedAccessException)
        {
            if (noted && !IsSaved())
                await by!.NoteChangeAsync(SettingChange.Remote, name, kind.Body(before, after, true), CancellationToken.None).ConfigureAwait(false);
            throw new RefusedException(new Refusal(RefusalCode.Unavailable, $"The configuration could not be changed: {unwritten.Message}") { Final = true });
        }

        ServerConfig Change(ServerConfig saved)
        {
            var peers = kind.Of(saved);
            (name, after) = decide(peers);
            before = peers.GetValueOrDefault(name);
            if (Equals(before, after))
                return saved;
            if (before is null && peers.Count >= ServerLimits.PeersMax)
                throw new RefusedException(RefusalCode.LimitExceeded, $"There are {peers.Count} {kind.Plural}; at most {ServerLimits.PeersMax} are kept.");
            return kind.With(saved, after is null ? peers.Remove(name) : peers.SetItem(name, after));
        }

        async Task NoteAsync()
        {
            await by!.NoteChangeAsync(SettingChange.Remote, name, kind.Body(before, after, false), CancellationToken.None).ConfigureAwait(false);
            noted = true;
        }

        bool IsSaved()
        {
            try
            {
                return Equals(kind.Of(_file.Reload().Saved).GetValueOrDefault(name), after);
            }
            catch (ConfigException)
            {
                return false;
            }
        }
    }

    /// <summary>What is not noted down now, the next server finds, and an entry says it once more.</summary>
    static void Accept(Database database, ServerConfig config, string setting)
    {
        try
        {
            new SettingsRecord(database).Accept(config, setting);
        }
        catch (Exception unwritten) when (unwritten is RefusedException or IOException or UnauthorizedAccessException)
        {
        }
    }
}
