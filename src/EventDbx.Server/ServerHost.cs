using EventDbx.Server.Admin;
using EventDbx.Server.Checkpoints;
using EventDbx.Server.Connections;
using EventDbx.Server.Daemon;
using EventDbx.Server.Feed;
using EventDbx.Server.Grpc;
using EventDbx.Server.GraphQL;
using EventDbx.Server.Plugins;
using EventDbx.Server.Replication.Transfer;
using EventDbx.Server.Replication.Following;
using EventDbx.Server.Rest;
using EventDbx.Server.Telemetry;
using EventDbx.Server.Tls;
using EventDbx.Server.Tokens;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server;

/// <summary>A running server: one open data directory, and the listeners through which others reach it.</summary>
public sealed class ServerHost : IAsyncDisposable
{
    /// <summary>How long <see cref="DisposeAsync"/> lets requests finish.</summary>
    static readonly TimeSpan DisposeDeadline = TimeSpan.FromSeconds(5);

    readonly ServerOptions _options;
    readonly WebApplication _app;
    readonly Listeners _listeners;
    readonly ServerTls? _tls;
    readonly RestSurface _rest;
    readonly GrpcSurface _grpc;
    readonly OtlpExport? _otlp;
    readonly Dispatcher _dispatcher;
    readonly Timestamp _startedAt;
    readonly long _started;
    readonly CancellationTokenSource _ending = new();
    readonly Lock _stopping = new();
    Task? _stopped;

    ServerHost(ServerOptions options, Database database, TokenAuthority tokens, ServerTls? tls)
    {
        (_options, Database, Tokens, _tls) = (options, database, tokens, tls);
        _listeners = new(
            new(options.Bind, options.Port), GrpcEndpoint.Of(options), options.SocketPath, tls,
            new(options.ConnectionLimits ?? ConnectionLimits.OfPorts(OperatingSystem.IsWindows() ? null : Posix.DescriptorsMax()), options.Clock, options.Log),
            new(ConnectionLimits.OfSocket, options.Clock, options.Log),
            new(ConnectionLimits.OfAdmin, options.Clock, options.Log),
            options.PeerEndPoint is not { } at ? null : new(
                new(at.Address, at.Port), new(options.PeerLimits ?? ConnectionLimits.OfPeers, options.Clock, options.Log), (connection, open, opening) => Peers!.ServeAsync(connection, open, opening)));
        _startedAt = Timestamp.From(options.Clock.GetUtcNow());
        _started = options.Clock.GetTimestamp();
        if (WitnessAddress.Of(options.Config) is { Count: > 0 } witnesses)
            Cosigning = new(database, witnesses, options.Config.LogQuorum, options.QuorumTimeout, options.Clock, options.Log);
        Telemetry = new(database);
        Requests = new(options, Telemetry.Meter, Telemetry.Spans);
        Reference = new(options.Version);
        var bodies = new BodyBudget();
        _rest = new(this, options, bodies);
        _grpc = new(this, options, bodies, _listeners.ServesGrpc);
        GraphQL = new(this, options, bodies);
        Telemetry.Observe(this, options, _listeners.ConnectionsBy, () => bodies.Held + AppendBytesHeld);
        _otlp = OtlpExport.Start(options, [database.Meter, Telemetry.Meter], [database.Activities, Telemetry.Spans]);
        Admin = new(options, database, _rest.AnswerAsync, (listen, http2) => _listeners.Guard(listen, new(Door.Admin), http2), encrypted: tls is not null);
        Commands = new(options, tokens);
        Peers = new(options, database, Admin.Settings, Commands);
        _dispatcher = new(Admin.Surroundings, Admin.Plugins, database.Deliveries, options.OpenPlugin ?? (plugin => PluginChannels.Open(plugin, Admin.Surroundings)));
        Plugins = new PluginControl(Admin.Surroundings, Admin.Plugins, _dispatcher);
        var dial = options.Dial ?? TransferDesk.DialFrom(Replication.NodeIdentity.PathOf(options.Config, options.Database.Directory), options.Clock);
        Transfers = new(database, Admin.Settings.Read, dial, options.Clock);
        Telemetry.Observe(_dispatcher, database);
        Follower = new(MirrorStore.Of(database), new() { Settings = Admin.Surroundings.Settings, Dial = dial, Clock = options.Clock, Jitter = Admin.Surroundings.Jitter, Log = options.Log });
        Telemetry.Observe(Follower);
        _app = Build();
    }

    /// <summary>The open data directory.</summary>
    public Database Database { get; }

    /// <summary>Who may come, and as whom.</summary>
    public TokenAuthority Tokens { get; }

    /// <summary>The witnesses, and how far they are; null where none are configured.</summary>
    internal Cosigning? Cosigning { get; }

    /// <summary>The Admin API: its key, its listener, the settings that it changes.</summary>
    internal AdminSurface Admin { get; }

    /// <summary>The port of replication: who comes, and what they are answered.</summary>
    internal Replication.PeerGate Peers { get; }

    /// <summary>Commands that come by it.</summary>
    internal Replication.CommandGate Commands { get; }

    /// <summary>The plugins: how they are set up, and what they have yet to take.</summary>
    internal IPluginControl Plugins { get; }

    /// <summary>Push and pull.</summary>
    internal TransferDesk Transfers { get; }

    /// <summary>Keeps the store up with its leader, where it is a mirror.</summary>
    internal Follower Follower { get; }

    /// <summary>Null while all is well; else what is wrong, in a sentence.</summary>
    internal string? Unhealthy => Database.Unhealthy ?? Follower.Trouble;

    /// <summary>Every gRPC method, as the table has it.</summary>
    internal IReadOnlyList<GrpcMethod> GrpcMethods => _grpc.Services.Methods;

    /// <summary>Whether gRPC was called yet, and so is there in memory.</summary>
    internal bool IsGrpcBound => _grpc.IsBound;

    /// <summary>What the appends of streams hold that are under way, as <see cref="AppendRoom"/> counts it.</summary>
    internal long AppendBytesHeld => _grpc.AppendRoom.Held;

    /// <summary>GraphQL, by POST and by WebSocket.</summary>
    internal GraphQLSurface GraphQL { get; }

    /// <summary>What it tells of itself, in numbers.</summary>
    internal ServerMeter Telemetry { get; }

    internal TimeSpan Uptime => _options.Clock.GetElapsedTime(_started);

    /// <summary>Told of every request that was answered.</summary>
    internal RequestLog Requests { get; }

    /// <summary>Cancelled when a stop begins: answers without an end have to end then.</summary>
    internal CancellationToken Ending => _ending.Token;

    /// <summary>What the routes are, for programs and for people.</summary>
    internal OpenApi.Reference Reference { get; }

    /// <summary>Subscriptions to the feed, over every surface.</summary>
    internal SubscriptionCount Subscriptions { get; } = new(ServerLimits.SubscriptionsMax);

    /// <summary>The TCP port it really listens on.</summary>
    public int Port => _listeners.Port;

    /// <summary>The port of replication; null: there is none.</summary>
    public int? PeerPort => _listeners.PeerPort;

    /// <summary>The port of gRPC, where it has one of its own.</summary>
    internal int? GrpcPort => _listeners.GrpcPort;

    /// <summary>Those of its addresses, but that of the Admin API, that other machines can reach and read along at.</summary>
    internal IReadOnlyList<string> InClear => _listeners.InClear;

    /// <summary>Whether gRPC is served to what comes by a door.</summary>
    internal bool ServesGrpc(Door door) => _listeners.ServesGrpc(door);

    /// <summary>Whether it is on its way down: it takes no new connections.</summary>
    public bool Stopping => _stopped is not null;

    /// <summary>Opens the database and the tokens, then the listeners. When it returns, requests are answered.</summary>
    /// <exception cref="StoreRefusedException">The directory was not opened.</exception>
    /// <exception cref="TlsException">A certificate or key cannot be used; nothing is left open.</exception>
    /// <exception cref="IOException">An address is taken; nothing is left open.</exception>
    public static async Task<ServerHost> StartAsync(ServerOptions options, CancellationToken cancellation)
    {
        // It may replay, check and wait for a lock: not on the caller's thread.
        var database = await Task.Run(() => Database.Open(options.Database with
        {
            Socket = options.Database.Socket ?? options.SocketPath,
            Signer = options.Database.Signer ?? (() => KeyFile.OfLogThatHasSigned(options.Database.Directory)),
            NewSigner = options.Database.NewSigner ?? (options.Database.Signer is null ? () => KeyFile.OfLog(options.Database.Directory) : null),
            LogOrigin = options.Database.LogOrigin ?? options.Config.LogOrigin,
            NoteVerifier = options.Database.NoteVerifier ?? Checkpoints.NoteKey.Verifies,
            Follow = options.Database.Follow ?? options.Config.Followed,
            CheckpointInterval = options.Database.CheckpointInterval ?? options.CheckpointInterval,
            WriterFailed = cause => options.Log?.Invoke(new(
                Timestamp.From(options.Clock.GetUtcNow()), LogLevel.Critical, "engine",
                $"The writer has stopped and takes no more writes: {cause.Message} Mend the cause and restart the server, which checks the store.", cause)),
        }), cancellation)
            .ConfigureAwait(false);
        ServerHost? host = null;
        ServerTls? tls = null;
        try
        {
            Replication.NodeIdentity.Ensure(Replication.NodeIdentity.PathOf(options.Config, options.Database.Directory));
            // Within the lock of the directory: two servers that start at once make one certificate.
            tls = ServerTls.Open(options.Config, options.Bind, options.Clock, options.Log);
            host = new ServerHost(options, database, TokenAuthority.Open(database, options.Auth, options.Clock, options.ConfigFile), tls);
            await host.Admin.StartAsync(cancellation).ConfigureAwait(false);
            await host._app.StartAsync(cancellation).ConfigureAwait(false);
            // When requests are answered: no plugin, however slow, keeps the server from starting.
            await host._dispatcher.StartAsync().ConfigureAwait(false);
            host.Follower.Start();
            return host;
        }
        catch
        {
            if (host is not null)
            {
                await host.StopAsync(TimeSpan.Zero).ConfigureAwait(false);
                throw;
            }

            tls?.Dispose();
            await database.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>What it is right now.</summary>
    public ServerStatus Status() => new()
    {
        Version = _options.Version,
        Pid = Environment.ProcessId,
        Addresses = Admin.Address is { } admin ? [.. _listeners.Addresses, admin] : _listeners.Addresses,
        Port = Port,
        Exposure = _listeners.Exposure,
        Tls = _tls?.Status,
        StartedAt = _startedAt,
        Uptime = Uptime,
        Restriction = Database.Restriction,
        Durability = Database.Durability,
        Encryption = Database.Encrypted,
        DataDir = Path.GetFullPath(_options.Database.Directory),
        DatabaseId = Database.DatabaseId,
        Epoch = Database.Epoch,
        LogSize = Database.LogSize,
        LogRoot = Database.LogRoot.ToString(),
        Connections = _listeners.Connections,
        Unhealthy = Unhealthy,
        Follows = Follower.Status,
        LogOriginWaiting = Database.LogOriginWaiting,
        Checkpoint = FindCheckpoint(),
    };

    /// <summary>Null where there is none yet, and where its row cannot be read, which health tells.</summary>
    internal CheckpointStatus? FindCheckpoint()
    {
        try
        {
            return Database.FindCheckpoint() is not { } newest ? null : new()
            {
                Size = newest.Checkpoint.Size, Origin = newest.Checkpoint.Origin, At = newest.SignedAt,
                Cosigned = Cosigning?.CountOf(newest.Note) ?? 0, Witnesses = Cosigning?.Witnesses ?? 0, Troubles = Cosigning?.Troubles ?? [],
            };
        }
        catch (RefusedException)
        {
            return null;
        }
    }

    /// <summary>Takes no new connections, lets requests finish until the deadline, cuts off the rest, and closes the database.</summary>
    /// <remarks>Every caller waits for the same stop; the first one's deadline counts.</remarks>
    public Task StopAsync(TimeSpan deadline)
    {
        lock (_stopping)
            return _stopped ??= Task.Run(() => CloseAsync(deadline));
    }

    public async ValueTask DisposeAsync() => await StopAsync(DisposeDeadline).ConfigureAwait(false);

    async Task CloseAsync(TimeSpan deadline)
    {
        try
        {
            await _ending.CancelAsync().ConfigureAwait(false);
            using var late = new CancellationTokenSource(deadline, _options.Clock);
            await _app.StopAsync(late.Token).ConfigureAwait(false);
        }
        finally
        {
            await Follower.StopAsync(deadline < ServerLimits.FollowerStopWithin ? deadline : ServerLimits.FollowerStopWithin).ConfigureAwait(false);
            // Behind the last request, so that what it appended is still on its way; what is not taken in time goes at the next start.
            await _dispatcher.StopAsync(deadline < ServerLimits.PluginStopWithin ? deadline : ServerLimits.PluginStopWithin).ConfigureAwait(false);
            await _app.DisposeAsync().ConfigureAwait(false);
            await _dispatcher.DisposeAsync().ConfigureAwait(false);
            await Follower.DisposeAsync().ConfigureAwait(false);
            await Admin.DisposeAsync().ConfigureAwait(false);
            if (_otlp is not null)
                await _otlp.DisposeAsync().ConfigureAwait(false);
            Requests.Dispose();
            Telemetry.Dispose();
            Peers.Dispose();
            Commands.Dispose();
            _listeners.Remove();
            _listeners.Dispose();
            _tls?.Dispose();
            if (Cosigning is not null)
                await Cosigning.DisposeAsync().ConfigureAwait(false);
            await Tokens.DisposeAsync().ConfigureAwait(false);
            await Database.DisposeAsync().ConfigureAwait(false);
            _ending.Dispose();
        }
    }

    WebApplication Build()
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        var http2 = new PriorKnowledge();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            SetLimits(kestrel.Limits);
            _options.ChangeLimits?.Invoke(kestrel.Limits);
            AnswerRate = TakeAnswerRate(kestrel.Limits);
            kestrel.AddServerHeader = false;
            http2.Configure(kestrel);
            _listeners.Configure(kestrel, http2);
        });
        http2.Configure(builder.Services);
        builder.Services.Configure<SocketTransportOptions>(_listeners.Configure);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = Timeout.InfiniteTimeSpan);
        // Signals belong to the process, which may embed us.
        builder.Services.AddSingleton<IHostLifetime, NoSignals>();
        GrpcSurface.AddServices(builder.Services, builder.Logging);
        if (_options.Log is { } log)
            builder.Logging.AddProvider(new FrameworkLog(log, _options.Clock));
        var app = builder.Build();
        _grpc.BindBy(app.Services);
        // Only makes the upgrade possible: who may is asked by the route.
        app.UseWebSockets(new() { KeepAliveInterval = TimeSpan.Zero });
        app.Run(http => GrpcSurface.Takes(http) ? _grpc.AnswerAsync(http) : _rest.AnswerAsync(http));
        return app;
    }

    internal static void SetLimits(KestrelServerLimits limits)
    {
        // Connections are counted by address and closed by age: Listeners.
        limits.MaxConcurrentConnections = null;
        // Counted by whoever upgrades: GraphQLSurface.
        limits.MaxConcurrentUpgradedConnections = null;
        limits.MaxRequestBodySize = Limits.RequestBytesMax;
        limits.MaxRequestLineSize = ServerLimits.RequestLineBytesMax;
        limits.MaxRequestHeadersTotalSize = ServerLimits.HeaderBytesMax;
        limits.MaxRequestHeaderCount = ServerLimits.HeadersMax;
        limits.RequestHeadersTimeout = ServerLimits.HeadersTimeout;
        limits.KeepAliveTimeout = ServerLimits.IdleTimeout;
        // Streams that are reset as fast as they are opened: Kestrel counts them until their request has ended, and closes the
        // connection (ENHANCE_YOUR_CALM) of who goes on beyond twice this. Headers without end: their bytes, number and time above.
        limits.Http2.MaxStreamsPerConnection = ServerLimits.StreamsPerConnectionMax;
        limits.Http2.MaxFrameSize = ServerLimits.FrameBytesMax;
        limits.Http2.HeaderTableSize = ServerLimits.HeaderTableBytes;
        limits.Http2.MaxRequestHeaderFieldSize = ServerLimits.HeaderBytesMax;
        limits.Http2.InitialStreamWindowSize = ServerLimits.StreamWindowBytes;
        limits.Http2.InitialConnectionWindowSize = ServerLimits.ConnectionWindowBytes;
        limits.Http2.KeepAlivePingDelay = ServerLimits.PingDelay;
        limits.Http2.KeepAlivePingTimeout = ServerLimits.PingTimeout;
    }

    /// <summary>The least rate at which an answer over HTTP/1.1 has to be taken; null: any. <see cref="Rest.RestSurface"/> sets it on each.</summary>
    internal MinDataRate? AnswerRate { get; private set; }

    /// <summary>Takes it from what holds for every version: over HTTP/2 it would cut a whole connection for one stream that waits for its client, and no stream can be spared.</summary>
    internal static MinDataRate? TakeAnswerRate(KestrelServerLimits limits)
    {
        var rate = limits.MinResponseDataRate;
        limits.MinResponseDataRate = null;
        return rate;
    }

    /// <summary>A lifetime that waits for nothing and listens to no signal.</summary>
    internal sealed class NoSignals : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
