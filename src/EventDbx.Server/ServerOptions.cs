using System.Net;
using EventDbx.Server.Configuration;
using EventDbx.Server.Tokens;
using Microsoft.Extensions.Logging;

namespace EventDbx.Server;

/// <summary>How to start a <see cref="ServerHost"/>.</summary>
public sealed record ServerOptions
{
    /// <summary>The settings in effect: page sizes are read from here, addresses from the members below.</summary>
    public required ServerConfig Config { get; init; }

    /// <summary>Where the settings are kept, for what is changed or takes effect while the server runs; null: nowhere, as where it is embedded.</summary>
    public ConfigFile? ConfigFile { get; init; }

    /// <summary>How the data directory is opened. Where it names no <see cref="DatabaseOptions.Socket"/>, <see cref="SocketPath"/> is taken.</summary>
    public required DatabaseOptions Database { get; init; }

    /// <summary>How tokens are signed.</summary>
    public required AuthSettings Auth { get; init; }

    /// <summary>Where to listen.</summary>
    public IPAddress Bind { get; init; } = IPAddress.Any;

    /// <summary>0: any that is free; <see cref="ServerHost.Port"/> tells which.</summary>
    public int Port { get; init; } = 7070;

    /// <summary>Where peers come to, for replication; null: nowhere. Port 0: any that is free; <see cref="ServerHost.PeerPort"/> tells which.</summary>
    public IPEndPoint? PeerEndPoint { get; init; }

    /// <summary>Carries out a command that came by the port of replication, as its token; null: none is. Its time is up when it is cancelled.</summary>
    public Func<Replication.CommandRequest, CancellationToken, Task<Replication.CommandOutcome>>? RunCommand { get; init; }

    /// <summary>Where to listen for commands of this machine; null: nowhere. Only the owner of the file can reach it.</summary>
    public string? SocketPath { get; init; }

    /// <summary>As <c>dbx --version</c> prints it.</summary>
    public required string Version { get; init; }

    /// <summary>Told what happens; called from many threads, and must not block. Null: nobody is told.</summary>
    public Action<LogLine>? Log { get; init; }

    /// <summary>Nothing below this level is told. Each request is a line at <see cref="LogLevel.Debug"/>.</summary>
    public LogLevel LogFrom { get; init; } = LogLevel.Information;

    /// <summary>While the log grows, a checkpoint is signed as often as this; null: only when somebody asks.</summary>
    public TimeSpan? CheckpointInterval { get; init; } = ServerLimits.CheckpointInterval;

    /// <summary>How long whoever waits for a cosigned checkpoint waits for the quorum.</summary>
    public TimeSpan QuorumTimeout { get; init; } = Witness.WitnessLimits.QuorumTimeout;

    /// <summary>Between two exports of metrics to a collector.</summary>
    internal TimeSpan TelemetryInterval { get; init; } = ServerLimits.TelemetryInterval;

    /// <summary>How long a backup waits for whoever takes it.</summary>
    internal TimeSpan BackupPatience { get; init; } = ServerLimits.BackupAnswerTimeout;

    public TimeProvider Clock { get; init; } = TimeProvider.System;

    /// <summary>How many connections the TCP ports take; null: as many as <see cref="ServerLimits"/> and the system allow.</summary>
    internal Connections.ConnectionLimits? ConnectionLimits { get; init; }

    /// <summary>How many connections the port of replication takes; null: as <see cref="ServerLimits"/> say.</summary>
    internal Connections.ConnectionLimits? PeerLimits { get; init; }

    /// <summary>What a session serves; null: the database.</summary>
    internal Func<Database, Actor, Replication.IReplica>? OpenReplica { get; init; }

    /// <summary>Opens the way to a plugin; null: as its kind says.</summary>
    internal Func<Plugins.PluginDefinition, Plugins.IPluginChannel>? OpenPlugin { get; init; }

    /// <summary>Opens sessions with remotes, for push, pull and the follower; null: as nodes do.</summary>
    internal Replication.Dial? Dial { get; init; }

    /// <summary>Changes bounds of connections: tests do not wait as long as people may.</summary>
    internal Action<Microsoft.AspNetCore.Server.Kestrel.Core.KestrelServerLimits>? ChangeLimits { get; init; }
}
