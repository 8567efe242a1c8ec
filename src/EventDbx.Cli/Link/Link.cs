using System.Net.Sockets;
using EventDbx.Recovery;
using EventDbx.Server.Checkpoints;
using EventDbx.Server.Configuration;
using EventDbx.Server.Plugins;
using EventDbx.Server.Replication;
using EventDbx.Server.Replication.Transfer;
using EventDbx.Server.Tokens;
using EventDbx.Storage;

namespace EventDbx.Cli;

/// <summary>From a command line to a store: the one a server has open, here or elsewhere, or the data directory itself; and the orderly end of it.</summary>
/// <remarks>
/// Where the command line names a server elsewhere (<see cref="RemoteServer"/>), nothing of this machine is looked at.
/// A server that has the directory says in its lock file on which socket it listens. Where one accepts, the command goes there, and
/// needs no key; otherwise it opens the directory. What the lock file says counts only while this very file is locked: in a copy of
/// the directory it still names the server of the original. While somebody else has the directory, both are tried until <c>--lock-timeout</c> is over,
/// so that a server which is just starting, or stopping, is met one way or the other.
/// </remarks>
internal static class Link
{
    /// <summary>The hidden command with which the program checks a store in a process of its own.</summary>
    public const string Inspect = "__inspect";

    static readonly TimeSpan LockTimeoutDefault = TimeSpan.FromSeconds(5);

    /// <summary>How long to wait for the lock before looking for a server again.</summary>
    static readonly TimeSpan Slice = TimeSpan.FromMilliseconds(250);

    /// <summary>Runs on a store that is there; otherwise nothing is made and the answer is <paramref name="absent"/>.</summary>
    public static Task<ExitCode> ToExistingAsync(
        Call call, Func<IStore, Task<ExitCode>> act, Func<ExitCode> absent, CancellationToken cancellation) =>
        RunAsync(call, act, absent, Caller.OfCommand, cancellation);

    /// <summary>The same for what is about one aggregate: where there is no store, there is no such aggregate.</summary>
    public static Task<ExitCode> ToExistingAsync(Call call, AggregateKey aggregate, Func<IStore, Task<ExitCode>> act, CancellationToken cancellation) =>
        ToExistingAsync(
            call, act, () => throw new RefusedException(RefusalCode.NotFound, $"There is no aggregate {aggregate}: there is no store yet."), cancellation);

    /// <summary>Runs on the store, which is made if there is none.</summary>
    public static Task<ExitCode> ToAnyAsync(Call call, Func<IStore, Task<ExitCode>> act, CancellationToken cancellation) =>
        RunAsync(call, act, absent: null, Caller.OfCommand, cancellation);

    /// <summary>Runs on the store and its tokens, as the owner unless the command line itself gives a token; without <paramref name="absent"/> the store is made if there is none.</summary>
    public static Task<ExitCode> ToTokensAsync(
        Call call, Func<IStore, Task<ExitCode>> act, Func<ExitCode>? absent, CancellationToken cancellation) =>
        RunAsync(call, act, absent, Caller.OwnerOfTokens, cancellation);

    /// <summary>Runs on the peers of the node, as its owner unless the command line itself gives a token. Nothing is made: where there is no store, the configuration alone is changed.</summary>
    /// <param name="call">The command line.</param>
    /// <param name="reading">Whether nothing is changed: then, as the owner, the configuration is enough, whoever has the directory open.</param>
    /// <param name="act">What to do.</param>
    /// <param name="cancellation">Gives it up.</param>
    public static async Task<ExitCode> ToPeersAsync(Call call, bool reading, Func<IPeers, Task<ExitCode>> act, CancellationToken cancellation)
    {
        if (RemoteServer.Of(call) is { } elsewhere)
        {
            var remote = await OpenAsync(elsewhere, call, cancellation).ConfigureAwait(false);
            await using (remote.ConfigureAwait(false))
                return await act(remote).ConfigureAwait(false);
        }

        var token = call.Has(AccessToken.Option) ? await AccessToken.ReadAsync(call, cancellation).ConfigureAwait(false) : null;
        var file = call.LoadConfig();
        var directory = file.Config.DataDir;
        var server = await ReachServerAsync(directory, cancellation).ConfigureAwait(false);
        if (server is null && !Database.ExistsIn(directory))
        {
            return token is null
                ? await act(new SavedPeers(file, null, null)).ConfigureAwait(false)
                : throw Commands.Token.TokenCommand.NoneYet();
        }

        if (server is null && reading && token is null)
            return await act(new SavedPeers(file, null, null)).ConfigureAwait(false);
        var store = server is { } reached ? OpenServer(reached, call, token) : await OpenAsync(call, file, token, Caller.OfCommand, cancellation).ConfigureAwait(false);
        await using (store.ConfigureAwait(false))
            return await act(store is DirectStore direct ? direct.PeersOf(file) : (ServerStore)store).ConfigureAwait(false);
    }

    /// <summary>Runs on what makes a mirror of a store, or a leader of a mirror, as the owner unless the command line itself gives a token.</summary>
    /// <param name="call">The command line.</param>
    /// <param name="follow">Whom the store is to follow: it is made where there is none, without a history of its own. Null: a store is needed, and opened as it is.</param>
    /// <param name="act">What to do.</param>
    /// <param name="cancellation">Gives it up.</param>
    public static async Task<ExitCode> ToFollowingAsync(Call call, string? follow, Func<IFollowing, Task<ExitCode>> act, CancellationToken cancellation)
    {
        if (RemoteServer.Of(call) is { } elsewhere)
        {
            var remote = await OpenAsync(elsewhere, call, cancellation).ConfigureAwait(false);
            await using (remote.ConfigureAwait(false))
                return await act(remote).ConfigureAwait(false);
        }

        var token = call.Has(AccessToken.Option) ? await AccessToken.ReadAsync(call, cancellation).ConfigureAwait(false) : null;
        var file = call.LoadConfig();
        var server = await ReachServerAsync(file.Config.DataDir, cancellation).ConfigureAwait(false);
        // Whom a database follows stands in its configuration: in that of another one it would stop that one's writes at its next start.
        if (server is null && file.Config.DataDir != file.ConfiguredDataDir)
        {
            throw new RefusedException(
                RefusalCode.InvalidArgument,
                $"`{GlobalOptions.DataDir.Name}` names another directory than the configuration {file.Path}, which says whom its database follows. Give this one a configuration of its own: `{GlobalOptions.Config.Name} FILE`, with its `data_dir`.");
        }

        if (server is null && !Database.ExistsIn(file.Config.DataDir))
        {
            if (follow is null)
                throw new RefusedException(RefusalCode.NotFound, "There is no store yet, and so no mirror to promote.");
            if (token is not null)
                throw Commands.Token.TokenCommand.NoneYet();
            // Before a store and its key are made.
            if (!file.Config.Remotes.ContainsKey(follow))
                throw new RefusedException(RefusalCode.NotFound, $"no remote named '{follow}' is configured.");
        }

        var store = server is { } reached
            ? OpenServer(reached, call, token)
            : await OpenAsync(call, file, token, Caller.OfCommand, cancellation, follow).ConfigureAwait(false);
        await using (store.ConfigureAwait(false))
            return await act(store is DirectStore direct ? direct.FollowingOf(file, call.Shell) : (ServerStore)store).ConfigureAwait(false);
    }

    /// <summary>How this command line opens the data directory. A key that is made for a new store is announced.</summary>
    public static async Task<DatabaseOptions> OptionsAsync(Call call, ConfigFile file, CancellationToken cancellation)
    {
        var config = file.Config;
        var choice = await StoreKey.ChooseAsync(file, call.Shell.Environment(StoreKey.Variable), cancellation).ConfigureAwait(false);
        if (choice.Notice is not null)
            await call.NoteAsync(choice.Notice).ConfigureAwait(false);
        return OptionsWithoutKey(call, file) with
        {
            Key = choice.Key,
            NextKey = choice.NextKey,
            RetiredKeys = choice.RetiredKeys,
            Encrypted = choice.Encrypted,
            Durability = config.Durability,
            RelaxedInterval = TimeSpan.FromMilliseconds(config.RelaxedIntervalMs),
            Restriction = config.Restrict,
            HeadCacheEntries = config.CacheThreshold,
            Signer = () => KeyFile.OfLogThatHasSigned(config.DataDir),
            NewSigner = () => KeyFile.OfLog(config.DataDir),
            NoteVerifier = NoteKey.Verifies,
            LogOrigin = config.LogOrigin,
            Follow = config.Followed,
            Locked = () => ConfigStillThere.Demand(file),
        };
    }

    /// <summary>The same for what reads the files alone: no key is looked for, and none is made.</summary>
    public static DatabaseOptions OptionsWithoutKey(Call call, ConfigFile file) => OptionsWithoutKey(call, file.Config.DataDir);

    /// <summary>The same for a directory whose configuration is not known yet.</summary>
    public static DatabaseOptions OptionsWithoutKey(Call call, string directory) => new()
    {
        Directory = directory,
        LockTimeout = call.Get(GlobalOptions.LockTimeout) ?? LockTimeoutDefault,
        Holder = call.CommandName,
        Check = StoreCheck.InChild(call.Shell.Self[0], [.. call.Shell.Self.Skip(1), Inspect]),
        Progress = call.Shell.ErrorIsTerminal ? call.Shell.Error.WriteLine : null,
        Clock = call.Shell.Clock,
        Config = call.ConfigPlace,
    };

    /// <summary>As whom a command comes.</summary>
    enum Caller
    {
        /// <summary>As the token that the command line gives; without one as the owner.</summary>
        OfCommand,

        /// <summary>To manage tokens: as the owner, unless the command line itself gives a token.</summary>
        OwnerOfTokens,
    }

    static async Task<ExitCode> RunAsync(Call call, Func<IStore, Task<ExitCode>> act, Func<ExitCode>? absent, Caller caller, CancellationToken cancellation)
    {
        if (RemoteServer.Of(call) is { } elsewhere)
        {
            var remote = await OpenAsync(elsewhere, call, cancellation).ConfigureAwait(false);
            await using (remote.ConfigureAwait(false))
                return await act(remote).ConfigureAwait(false);
        }

        // Who has the directory may manage its tokens, whatever token commands about data come with.
        var token = caller == Caller.OwnerOfTokens && !call.Has(AccessToken.Option) ? null : await AccessToken.ReadAsync(call, cancellation).ConfigureAwait(false);
        var file = call.LoadConfig();
        var directory = file.Config.DataDir;
        var server = await ReachServerAsync(directory, cancellation).ConfigureAwait(false);
        if (server is null && absent is not null && !Database.ExistsIn(directory))
            return absent();
        var store = server is { } reached
            ? OpenServer(reached, call, token)
            : await OpenAsync(call, file, token, caller, cancellation).ConfigureAwait(false);
        await using (store.ConfigureAwait(false))
            return await act(store).ConfigureAwait(false);
    }

    /// <summary>The store that a server elsewhere has open.</summary>
    static async Task<ServerStore> OpenAsync(RemoteServer server, Call call, CancellationToken cancellation) => new(
        await ConnectAsync(server, call, cancellation).ConfigureAwait(false));

    /// <summary>A connection to a server elsewhere, as the token that the command line gives. Nothing is sent so far.</summary>
    /// <exception cref="UsageException">It gives none.</exception>
    public static async Task<ServerConnection> ConnectAsync(RemoteServer server, Call call, CancellationToken cancellation)
    {
        var token = await AccessToken.ReadAsync(call, cancellation).ConfigureAwait(false)
            ?? throw new UsageException(
                $"{server.Url} needs a token: `{AccessToken.Option.Name} TOKEN`, or {AccessToken.Variable}. `dbx token generate` on the machine of the server makes one.");
        if (server.IsInClear)
            await call.NoteAsync($"Warning: {server.Url} does not encrypt: the token and everything else can be read on the way.").ConfigureAwait(false);
        return new(new RemoteEndpoint(server), token, Environment.UserName, call.Shell.ServerPatience, call.Shell.Clock);
    }

    /// <summary>The directory, once it is free; or the server that has it, once it listens.</summary>
    static async Task<IStore> OpenAsync(Call call, ConfigFile file, string? token, Caller caller, CancellationToken cancellation, string? follow = null)
    {
        long? began = null;
        while (true)
        {
            var options = await OptionsAsync(call, file, cancellation).ConfigureAwait(false);
            using var keys = new KeysInHand(options);
            began ??= options.Clock.GetTimestamp();
            try
            {
                return await OpenAsync(call, file, options with { Follow = follow ?? options.Follow }, began.Value, token, caller, cancellation).ConfigureAwait(false);
            }
            catch (StoreRefusedException refused) when (refused.ConfigReplaced && options.Clock.GetElapsedTime(began.Value) < options.LockTimeout)
            {
                // Whoever had the directory has replaced keys or secrets: a restore, a rotation. Those of now are as good as if it had been waited for before anything was read.
                var now = file.Reload();
                if (now.Config.DataDir != file.Config.DataDir)
                    throw;
                file = now;
            }
        }
    }

    static async Task<IStore> OpenAsync(
        Call call, ConfigFile file, DatabaseOptions options, long began, string? token, Caller caller, CancellationToken cancellation)
    {
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            var left = options.LockTimeout - options.Clock.GetElapsedTime(began);
            try
            {
                var database = Database.Open(options with { LockTimeout = left < Slice ? (left > TimeSpan.Zero ? left : TimeSpan.Zero) : Slice });
                if (database.OpenedWith == KeyAtHand.Retired)
                    await call.NoteAsync($"The store in {options.Directory} opens with a retired key, one of data_encryption_keys_retired in {file.Path}. `dbx key rotate` gives it the key of now.").ConfigureAwait(false);
                return await OpenDirectAsync(database, options.Clock, file, token, caller, cancellation).ConfigureAwait(false);
            }
            catch (StoreRefusedException refused) when (refused.InUse && left > TimeSpan.Zero)
            {
                if (await ReachServerAsync(options.Directory, cancellation).ConfigureAwait(false) is { } server)
                    return OpenServer(server, call, token);
            }
        }
    }

    static async Task<IStore> OpenDirectAsync(
        Database database, TimeProvider clock, ConfigFile file, string? token, Caller caller, CancellationToken cancellation)
    {
        TokenAuthority? tokens = null;
        try
        {
            // Here, and not where the configuration is loaded: who only looks at a directory makes nothing in it.
            NodeIdentity.Ensure(NodeIdentity.PathOf(file.Config));
            if (token is not null || caller == Caller.OwnerOfTokens)
                tokens = TokenAuthority.Open(database, await AuthSettings.EnsureAsync(file, cancellation).ConfigureAwait(false), clock, file);
            var session = (token is null ? database.OpenSession(new("cli", Environment.UserName)) : tokens!.Authenticate(token)).From("directory");
            var transfers = new TransferDesk(database, () => file.Config, TransferDesk.DialFrom(NodeIdentity.PathOf(file.Config), clock), clock);
            return new DirectStore(database, tokens, session, new PluginDesk(database, file.Config, clock), transfers);
        }
        catch
        {
            if (tokens is not null)
                await tokens.DisposeAsync().ConfigureAwait(false);
            await database.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    // A method of its own: the types of HTTP are loaded where they are needed.
    static ServerStore OpenServer((Socket Socket, LockHolder By) server, Call call, string? token) =>
        new(new ServerConnection(new SocketEndpoint(server.Socket, server.By, Environment.UserName), token, Environment.UserName, call.Shell.ServerPatience, call.Shell.Clock));

    static async Task<(Socket Socket, LockHolder By)?> ReachServerAsync(string directory, CancellationToken cancellation)
    {
        // Whether the lock is held is asked by trying to take it: not where nobody says that there is a server.
        if (Database.ReadHolder(directory)?.Socket is null || Database.FindHolder(directory) is not { Socket: { } path } holder)
            return null;
        if (await ServerSocket.TryConnectAsync(path, cancellation).ConfigureAwait(false) is not { } socket)
            return null;
        // Once more: for a moment it may have been held by another command that asked the same, and the text be that of a copy.
        if (Database.FindHolder(directory) == holder)
            return (socket, holder);
        socket.Dispose();
        return null;
    }
}
