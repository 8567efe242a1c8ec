using EventDbx.Server.Checkpoints;
using EventDbx.Server.Telemetry;

namespace EventDbx.Server.Configuration;

/// <summary>One key of <c>config.toml</c>: its name, and its way into and out of a <see cref="ServerConfig"/>.</summary>
/// <param name="Name">With its table: <c>admin.port</c>.</param>
/// <param name="Get">The value as <see cref="long"/>, <see cref="bool"/>, <see cref="string"/> or <see cref="ConfigList"/>; null when it is not to be written.</param>
/// <param name="Set">Checks the value; throws <see cref="ConfigValueException"/>.</param>
public sealed record ConfigKey(
    string Name,
    Func<ServerConfig, object?> Get,
    Func<ServerConfig, ConfigValue, ServerConfig> Set)
{
    /// <summary>Never shown unless asked for, and never quoted in a message.</summary>
    public bool Secret { get; init; }

    /// <summary>What is shown of a value that is a secret in part; null: all of it, or, of a <see cref="Secret"/>, nothing.</summary>
    public Func<object, object>? Shown { get; init; }

    /// <summary>Whether a value may be quoted as it is.</summary>
    public bool Quotable => !Secret && Shown is null;

    /// <summary>Older spellings that are read, and kept where they stand.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    /// <summary>An older form of these keys: read, never written, and removed once one of them is changed.</summary>
    public IReadOnlyList<string> OlderFormOf { get; init; } = [];

    /// <summary>Says something about the file, and is no setting: no variable of the environment stands for it.</summary>
    public bool FileOnly { get; init; }

    /// <summary>The part before the last dot, or nothing for a key at the top.</summary>
    public string Table => Name.LastIndexOf('.') is var dot and > 0 ? Name[..dot] : "";

    /// <summary>The part after the last dot.</summary>
    public string Leaf => Name[(Name.LastIndexOf('.') + 1)..];
}

/// <summary>Every key of <c>config.toml</c>, in the order in which they are written.</summary>
public static class ConfigKeys
{
    static readonly string[] Surfaces = ["api.rest", "api.graphql", "api.grpc"];

    public static IReadOnlyList<ConfigKey> All { get; } =
    [
        new("port", c => (long)c.Port, (c, v) => c with { Port = v.Integer(1, 65_535) }),
        new("bind_addr", c => c.BindAddr, (c, v) => c with { BindAddr = v.Address() }),
        new("data_dir", c => c.DataDir, (c, v) => c with { DataDir = v.Text("the path of a directory") }),
        new("cache_threshold", c => (long)c.CacheThreshold, (c, v) => c with { CacheThreshold = v.Integer(0, int.MaxValue) })
        {
            Aliases = ["memory_threshold"],
        },
        new("snapshot_threshold", c => c.SnapshotThreshold, (c, v) => c with { SnapshotThreshold = v.Long(1, long.MaxValue) }),
        new("data_encryption_key", c => c.DataEncryptionKey, (c, v) => c with { DataEncryptionKey = StoreKey.Checked(v) })
        {
            Secret = true,
        },
        new("data_encryption_key_next", c => c.DataEncryptionKeyNext, (c, v) => c with { DataEncryptionKeyNext = StoreKey.Checked(v) })
        {
            Secret = true,
            FileOnly = true,
        },
        new("data_encryption_keys_retired", c => c.DataEncryptionKeysRetired.Count == 0 ? null : c.DataEncryptionKeysRetired,
            (c, v) => c with { DataEncryptionKeysRetired = StoreKey.CheckedRetired(v) })
        {
            Secret = true,
            FileOnly = true,
        },
        new("data_encryption_key_file", c => c.DataEncryptionKeyFile, (c, v) => c with { DataEncryptionKeyFile = v.Text("the path of a file") }),
        new("data_encryption_key_command", c => c.DataEncryptionKeyCommand.Count == 0 ? null : c.DataEncryptionKeyCommand,
            (c, v) => c with { DataEncryptionKeyCommand = v.Texts("a list of strings: a program and its arguments") })
        {
            // Its arguments may be secrets: a token, say.
            Shown = value => new ConfigList([((ConfigList)value)[0], .. ((ConfigList)value).Skip(1).Select(_ => ConfigFile.Hidden)]),
        },
        new("encryption", c => c.Encryption ? "on" : "off",
            (c, v) => c with { Encryption = v.OneOf(("on", true), ("off", false)) }),
        new("durability", c => c.Durability == Durability.Sync ? "sync" : "relaxed",
            (c, v) => c with { Durability = v.OneOf(("sync", Durability.Sync), ("relaxed", Durability.Relaxed)) }),
        new("relaxed_interval_ms", c => (long)c.RelaxedIntervalMs, (c, v) => c with { RelaxedIntervalMs = v.Integer(1, 60_000) }),
        new("created_at", c => c.CreatedAt, (c, v) => c with { CreatedAt = v.Text("a time in quotes") }) { FileOnly = true },
        new("updated_at", c => c.UpdatedAt, (c, v) => c with { UpdatedAt = v.Text("a time in quotes") }) { FileOnly = true },
        new("restrict", c => NameOf(c.Restrict), (c, v) => c with { Restrict = RestrictionOf(v) }),
        new("list_page_size", c => (long)c.ListPageSize, (c, v) => c with { ListPageSize = v.Integer(1, 1_000_000) }),
        new("page_limit", c => (long)c.PageLimit, (c, v) => c with { PageLimit = v.Integer(1, 1_000_000) }),
        new("plugin_max_attempts", c => (long)c.PluginMaxAttempts,
            (c, v) => c with { PluginMaxAttempts = Math.Max(1, v.Integer(0, int.MaxValue)) }),
        new("plugin_allowed_addresses", c => c.PluginAllowedAddresses.Count == 0 ? null : c.PluginAllowedAddresses,
            (c, v) => c with { PluginAllowedAddresses = Plugins.AddressRules.Checked(v) }),
        new("replication.identity_key", c => c.ReplicationIdentityKey, (c, v) => c with { ReplicationIdentityKey = Replication.NodeIdentity.CheckedPath(v) }),
        new("replication.bind_addr", c => c.ReplicationBindAddr, (c, v) => c with { ReplicationBindAddr = v.Endpoint() }),
        new("grpc.bind_addr", c => c.GrpcBindAddr, (c, v) => c with { GrpcBindAddr = v.Endpoint() }),
        new("socket.bind_addr", c => c.SocketBindAddr, (c, v) => c with { SocketBindAddr = v.Endpoint() }),
        new("api", _ => null, WithSurfaces) { Aliases = ["api_mode"], OlderFormOf = Surfaces },
        new("api.rest", c => c.ApiRest, (c, v) => c with { ApiRest = v.Truth() }),
        new("api.graphql", c => c.ApiGraphQL, (c, v) => c with { ApiGraphQL = v.Truth() }),
        new("api.grpc", c => c.ApiGrpc, (c, v) => c with { ApiGrpc = v.Truth() }),
        new("api.public_docs", c => c.ApiPublicDocs, (c, v) => c with { ApiPublicDocs = v.Truth() }),
        new("grpc.enabled", _ => null, (c, v) => c with { ApiGrpc = v.Truth() || c.ApiGrpc }) { OlderFormOf = Surfaces },
        new("tls.enabled", c => c.TlsEnabled, (c, v) => c with { TlsEnabled = v.Truth() }),
        new("tls.cert_file", c => c.TlsCertFile, (c, v) => c with { TlsCertFile = v.Text("the path of a file") }),
        new("tls.key_file", c => c.TlsKeyFile, (c, v) => c with { TlsKeyFile = v.Text("the path of a file") }),
        new("tls.client_ca_file", c => c.TlsClientCaFile, (c, v) => c with { TlsClientCaFile = v.Text("the path of a file") }),
        new("admin.enabled", c => c.AdminEnabled, (c, v) => c with { AdminEnabled = v.Truth() }),
        new("admin.bind_addr", c => c.AdminBindAddr, (c, v) => c with { AdminBindAddr = v.Address() }),
        new("admin.port", c => (long)c.AdminPort, (c, v) => c with { AdminPort = v.Integer(0, 65_535) }),
        new("admin.master_key_hash", c => c.AdminMasterKeyHash,
            (c, v) => c with { AdminMasterKeyHash = MasterKeyHash.Checked(v) })
        {
            Secret = true,
        },
        new("auth.issuer", c => c.AuthIssuer, (c, v) => c with { AuthIssuer = v.Text("a name") }),
        new("auth.audience", c => c.AuthAudience, (c, v) => c with { AuthAudience = v.Text("a name") }),
        new("auth.secret", c => c.AuthSecret, (c, v) => c with { AuthSecret = v.Text("a secret in base64") }) { Secret = true },
        new("auth.key_id", c => c.AuthKeyId, (c, v) => c with { AuthKeyId = v.Text("a name") }),
        new("auth.previous_secret", c => c.AuthPreviousSecret, (c, v) => c with { AuthPreviousSecret = v.Text("a secret in base64") }) { Secret = true },
        new("auth.previous_key_id", c => c.AuthPreviousKeyId, (c, v) => c with { AuthPreviousKeyId = v.Text("a name") }),
        new("auth.previous_until", c => c.AuthPreviousUntil, (c, v) => c with { AuthPreviousUntil = Tokens.RetiredSecret.CheckedUntil(v) }),
        new("auth.default_ttl_secs", c => (long)c.AuthDefaultTtlSecs,
            (c, v) => c with { AuthDefaultTtlSecs = Math.Max(60, v.Integer(0, int.MaxValue)) }),
        new("auth.clock_skew_secs", c => (long)c.AuthClockSkewSecs,
            (c, v) => c with { AuthClockSkewSecs = Math.Min(300, v.Integer(0, int.MaxValue)) }),

        new("log.origin", c => c.LogOrigin, (c, v) => c with { LogOrigin = WitnessAddress.CheckedOrigin(v) }),
        new("log.witnesses", c => c.LogWitnesses.Count == 0 ? null : c.LogWitnesses, (c, v) => c with { LogWitnesses = WitnessAddress.Checked(v) }),
        new("log.quorum", c => (long)c.LogQuorum, (c, v) => c with { LogQuorum = v.Integer(0, SignedNote.SignaturesMax - 1) }),
        new("log.slow_request_ms", c => (long)c.SlowRequestMs, (c, v) => c with { SlowRequestMs = v.Integer(0, int.MaxValue) }),

        new("metrics.public", c => c.MetricsPublic, (c, v) => c with { MetricsPublic = v.Truth() }),
        new("telemetry.otlp_endpoint", c => c.TelemetryOtlpEndpoint, (c, v) => c with { TelemetryOtlpEndpoint = OtlpSettings.CheckedEndpoint(v) }),
        new("telemetry.otlp_protocol", c => c.TelemetryOtlpProtocol,
            (c, v) => c with { TelemetryOtlpProtocol = v.OneOf((OtlpSettings.Grpc, OtlpSettings.Grpc), (OtlpSettings.Http, OtlpSettings.Http)) }),
        // They are how one proves to a collector who one is.
        new("telemetry.otlp_headers", c => c.TelemetryOtlpHeaders, (c, v) => c with { TelemetryOtlpHeaders = OtlpSettings.CheckedHeaders(v) }) { Secret = true },
        new("telemetry.service_name", c => c.TelemetryServiceName, (c, v) => c with { TelemetryServiceName = v.Text("a name") }),
        new("telemetry.sample_permille", c => (long)c.TelemetrySamplePermille, (c, v) => c with { TelemetrySamplePermille = v.Integer(0, 1000) }),

        // Plugins once stood here; they are read from their own file now, and what stands here is left alone.
        new("plugins", _ => null, (c, _) => c) { FileOnly = true },
    ];

    /// <summary>The key of that name; the name is one of <see cref="All"/>.</summary>
    public static ConfigKey Named(string name) => All.Single(key => key.Name == name);

    /// <summary>A mode as it is written: <c>off</c>, <c>default</c>, <c>strict</c>.</summary>
    public static string NameOf(Restriction mode) => mode switch
    {
        Restriction.Off => "off",
        Restriction.Default => "default",
        Restriction.Strict => "strict",
    };

    /// <summary>The published spellings. An unknown one is refused: enforcement must not weaken by a slip.</summary>
    static Restriction RestrictionOf(ConfigValue value) => value.Content switch
    {
        true => Restriction.Default,
        false => Restriction.Off,
        string text => text.Trim().ToLowerInvariant() switch
        {
            "off" or "false" or "0" or "no" or "none" or "unrestricted" or "dev" => Restriction.Off,
            "default" or "true" or "1" or "yes" or "on" or "prod" or "restricted" or "hybrid" => Restriction.Default,
            "strict" or "all" or "enforced" => Restriction.Strict,
            _ => throw new ConfigValueException("\"off\", \"default\" or \"strict\""),
        },
        _ => throw new ConfigValueException("\"off\", \"default\" or \"strict\""),
    };

    /// <summary>Exactly the named surfaces: <c>rest</c>, <c>graphql</c>, <c>grpc</c>, <c>all</c>, or several with commas.</summary>
    static ServerConfig WithSurfaces(ServerConfig config, ConfigValue value)
    {
        const string what = "\"rest\", \"graphql\", \"grpc\" or \"all\"; several with commas";
        config = config with { ApiRest = false, ApiGraphQL = false, ApiGrpc = false };
        foreach (var surface in value.Text(what).Split(',', StringSplitOptions.TrimEntries))
        {
            config = surface switch
            {
                "rest" => config with { ApiRest = true },
                "graphql" => config with { ApiGraphQL = true },
                "grpc" => config with { ApiGrpc = true },
                "all" => config with { ApiRest = true, ApiGraphQL = true, ApiGrpc = true },
                _ => throw new ConfigValueException(what),
            };
        }

        return config;
    }
}
