using System.Collections.Immutable;

namespace EventDbx.Server.Configuration;

/// <summary>What goes on between this node and a remote by itself.</summary>
public enum RemoteMode
{
    /// <summary>Nothing: it is pushed to and pulled from when somebody asks.</summary>
    OnDemand,

    /// <summary>This node is its mirror, and follows its log (docs/replication.md).</summary>
    Follow,
}

/// <summary>A peer to replicate with.</summary>
public sealed record RemoteConfig
{
    public string Endpoint { get; init; } = "";

    /// <summary>Ed25519 public key, base64.</summary>
    public string PublicKey { get; init; } = "";

    /// <summary>At most one remote is followed.</summary>
    public RemoteMode Mode { get; init; }

    /// <summary>How <see cref="RemoteMode.Follow"/> is written; the other one is not.</summary>
    internal const string Follow = "follow";
}

/// <summary>A node that may come to this one.</summary>
public sealed record AllowedPeer
{
    /// <summary>Ed25519 public key, base64: who it is.</summary>
    public string PublicKey { get; init; } = "";

    /// <summary>Whether it may bring events.</summary>
    public bool Push { get; init; }

    /// <summary>Whether it may fetch them.</summary>
    public bool Pull { get; init; }
}

/// <summary>The settings of <c>config.toml</c>, with their published defaults. <see cref="ConfigKeys"/> has their names and bounds.</summary>
public sealed record ServerConfig
{
    /// <summary>The published <see cref="ListPageSize"/>.</summary>
    public const int ListPageSizeDefault = 10;

    /// <summary>Of the listener that REST, GraphQL and gRPC share.</summary>
    public int Port { get; init; } = 7070;

    /// <summary>The address of that listener; <c>0.0.0.0</c> is every one of this machine.</summary>
    public string BindAddr { get; init; } = "0.0.0.0";

    /// <summary>Absolute. Holds <c>event_store/</c> and the files beside it.</summary>
    public required string DataDir { get; init; }

    /// <summary>Aggregates whose heads are kept in memory; 0 keeps none.</summary>
    public int CacheThreshold { get; init; } = Limits.HeadCacheDefault;

    /// <summary>For new schemas: a snapshot every so many versions.</summary>
    public long? SnapshotThreshold { get; init; }

    /// <summary>Base64 of 32 bytes.</summary>
    public string? DataEncryptionKey { get; init; }

    /// <summary>The key that is to replace it, while a rotation is unfinished; base64 of 32 bytes.</summary>
    public string? DataEncryptionKeyNext { get; init; }

    /// <summary>Keys that rotations have replaced, the newest last; base64 of 32 bytes each. They open stores that were not rotated.</summary>
    public ConfigList DataEncryptionKeysRetired { get; init; } = ConfigList.Empty;

    /// <summary>A file that holds the key instead; relative to the configuration's directory unless absolute.</summary>
    public string? DataEncryptionKeyFile { get; init; }

    /// <summary>A program and its arguments, which prints the key instead; empty: none.</summary>
    public ConfigList DataEncryptionKeyCommand { get; init; } = ConfigList.Empty;

    /// <summary>False (<c>encryption = "off"</c>) is a choice made when a store is created.</summary>
    public bool Encryption { get; init; } = true;

    public Durability Durability { get; init; } = Durability.Sync;

    /// <summary>Milliseconds between syncs in relaxed mode: what a crash may take back.</summary>
    public int RelaxedIntervalMs { get; init; } = 50;

    /// <summary>RFC 3339, set when the file is made.</summary>
    public string? CreatedAt { get; init; }

    /// <summary>RFC 3339, set at every save.</summary>
    public string? UpdatedAt { get; init; }

    public Restriction Restrict { get; init; } = Restriction.Default;

    /// <summary>Items on a page of aggregates when the caller names no number.</summary>
    public int ListPageSize { get; init; } = ListPageSizeDefault;

    /// <summary>Items on a page at most; more asked for is lowered, not refused.</summary>
    public int PageLimit { get; init; } = Limits.PageItemsMax;

    /// <summary>Attempts before an event that a plugin refuses becomes a dead letter.</summary>
    public int PluginMaxAttempts { get; init; } = 10;

    /// <summary>Addresses and networks that plugins may be at although they are blocked otherwise (docs/decisions/0025).</summary>
    public ConfigList PluginAllowedAddresses { get; init; } = ConfigList.Empty;

    /// <summary>Relative to <see cref="DataDir"/> unless absolute.</summary>
    public string ReplicationIdentityKey { get; init; } = "replication.key";

    public string ReplicationBindAddr { get; init; } = "0.0.0.0:7443";

    public string GrpcBindAddr { get; init; } = GrpcBindAddrDefault;

    /// <summary>As published: gRPC shares the port of the rest, whichever that is.</summary>
    internal const string GrpcBindAddrDefault = "0.0.0.0:7070";

    /// <summary>The published <see cref="SocketBindAddr"/>.</summary>
    public const string SocketBindAddrDefault = "0.0.0.0:6363";

    /// <summary>Where peers come to: see <see cref="PeerEndpoint"/>.</summary>
    public string SocketBindAddr { get; init; } = SocketBindAddrDefault;

    public bool ApiRest { get; init; } = true;

    public bool ApiGraphQL { get; init; } = true;

    public bool ApiGrpc { get; init; } = true;

    /// <summary>Whether pages without data (the reference, the document it shows, the GraphQL page) are shown without a token.</summary>
    public bool ApiPublicDocs { get; init; } = true;

    /// <summary>Whether the TCP ports speak TLS.</summary>
    public bool TlsEnabled { get; init; }

    /// <summary>PEM; relative to the directory of the configuration unless absolute. Null: a certificate is made in the data directory.</summary>
    public string? TlsCertFile { get; init; }

    /// <summary>Of its key.</summary>
    public string? TlsKeyFile { get; init; }

    /// <summary>PEM: the CA that must have issued the certificates of clients; null: clients need none.</summary>
    public string? TlsClientCaFile { get; init; }

    public bool AdminEnabled { get; init; }

    public string AdminBindAddr { get; init; } = "127.0.0.1";

    /// <summary>0 shares the main listener.</summary>
    public int AdminPort { get; init; } = 7171;

    /// <summary>Argon2id, as a PHC string.</summary>
    public string? AdminMasterKeyHash { get; init; }

    public string AuthIssuer { get; init; } = "eventdbx://self";

    public string AuthAudience { get; init; } = "eventdbx-clients";

    /// <summary>Base64; signs tokens.</summary>
    public string? AuthSecret { get; init; }

    public string? AuthKeyId { get; init; }

    /// <summary>Base64; the secret before <see cref="AuthSecret"/>. Tokens that it signed are taken until <see cref="AuthPreviousUntil"/>.</summary>
    public string? AuthPreviousSecret { get; init; }

    public string? AuthPreviousKeyId { get; init; }

    /// <summary>RFC 3339, UTC.</summary>
    public string? AuthPreviousUntil { get; init; }

    public int AuthDefaultTtlSecs { get; init; } = 3600;

    public int AuthClockSkewSecs { get; init; } = 30;

    /// <summary>Origin of the checkpoints in the first epoch; null: <c>eventdbx.local/</c> and the database id.</summary>
    public string? LogOrigin { get; init; }

    /// <summary>Witnesses that are asked to cosign checkpoints, each as <c>VKEY URL</c>.</summary>
    public ConfigList LogWitnesses { get; init; } = ConfigList.Empty;

    /// <summary>How many of them must have cosigned a checkpoint for which somebody waits; 0: none.</summary>
    public int LogQuorum { get; init; }

    /// <summary>Milliseconds from which on a request is a warning in the log; 0: none is.</summary>
    public int SlowRequestMs { get; init; } = 1000;

    /// <summary>Whether <c>/metrics</c> answers without a token.</summary>
    public bool MetricsPublic { get; init; }

    /// <summary>The URL of a collector that gets metrics and traces by OTLP; null: none does.</summary>
    public string? TelemetryOtlpEndpoint { get; init; }

    /// <summary><c>grpc</c> or <c>http/protobuf</c>.</summary>
    public string TelemetryOtlpProtocol { get; init; } = Telemetry.OtlpSettings.Grpc;

    /// <summary>Headers for the collector, as <c>name=value</c> with commas between them.</summary>
    public string? TelemetryOtlpHeaders { get; init; }

    /// <summary>What the collector knows this server as.</summary>
    public string TelemetryServiceName { get; init; } = "eventdbx";

    /// <summary>Of 1,000 requests so many are traced. A request that says that it is part of a trace goes the way of that trace.</summary>
    public int TelemetrySamplePermille { get; init; } = 1000;

    /// <summary>By name.</summary>
    public ImmutableSortedDictionary<string, RemoteConfig> Remotes { get; init; } =
        ImmutableSortedDictionary.Create<string, RemoteConfig>(StringComparer.Ordinal);

    /// <summary>The name of the remote that is followed; null: none is.</summary>
    public string? Followed => Remotes.FirstOrDefault(static remote => remote.Value.Mode == RemoteMode.Follow).Key;

    /// <summary>Who may push to this node, or pull from it, by name; nobody else.</summary>
    public ImmutableSortedDictionary<string, AllowedPeer> ReplicationAllow { get; init; } = Nobody;

    static readonly ImmutableSortedDictionary<string, AllowedPeer> Nobody = ImmutableSortedDictionary.Create<string, AllowedPeer>(StringComparer.Ordinal);
}

/// <summary>Paths of settings.</summary>
internal static class ConfigPaths
{
    /// <summary>The same settings, with the paths of TLS files absolute.</summary>
    public static ServerConfig WithFullTlsPaths(this ServerConfig config, string directory)
    {
        return config with { TlsCertFile = Full(config.TlsCertFile), TlsKeyFile = Full(config.TlsKeyFile), TlsClientCaFile = Full(config.TlsClientCaFile) };

        string? Full(string? path) => path is null ? null : Path.GetFullPath(path, directory);
    }
}

/// <summary>The configuration cannot be used as it stands. The message names file, line and key.</summary>
public sealed class ConfigException : Exception
{
    public ConfigException(string message) : base(message) { }

    public ConfigException(string message, Exception cause) : base(message, cause) { }
}
