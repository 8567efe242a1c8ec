using System.Collections.Immutable;

namespace EventDbx.Server.Plugins;

/// <summary>By what a plugin is reached.</summary>
internal enum PluginKind
{
    Tcp,
    Http,
    Grpc,
    Log,

    /// <summary>A program of the plugin directory; only the command line sets one up.</summary>
    Process,
}

/// <summary>One plugin: a member of the array in <c>plugins.json</c>.</summary>
internal sealed record PluginDefinition
{
    public required bool Enabled { get; init; }

    /// <summary>Unique; null in documents of older versions.</summary>
    public required string? Name { get; init; }

    public required PluginConfig Config { get; init; }

    /// <summary>Aggregate types whose events it gets; empty: all.</summary>
    public ImmutableArray<string> Types { get; init; } = [];

    /// <summary>Event types that it gets; empty: all.</summary>
    public ImmutableArray<string> Events { get; init; } = [];

    /// <summary>An event that is given up holds its aggregate, until somebody retries or clears it.</summary>
    public bool HoldOnDead { get; init; }

    /// <summary>The state sent along is that after the event, and not the newest.</summary>
    public bool ExactState { get; init; }
}

/// <summary>How it is reached. Which members count, its kind says.</summary>
internal sealed record PluginConfig
{
    public required PluginKind Kind { get; init; }

    /// <summary>Of <see cref="PluginKind.Tcp"/>.</summary>
    public string Host { get; init; } = "";

    /// <summary>The same.</summary>
    public int Port { get; init; }

    /// <summary>Of <see cref="PluginKind.Http"/> and <see cref="PluginKind.Grpc"/>, as it was given.</summary>
    public string Endpoint { get; init; } = "";

    /// <summary>Of <see cref="PluginKind.Http"/> and <see cref="PluginKind.Grpc"/>. Their values are secrets.</summary>
    public ImmutableSortedDictionary<string, string> Headers { get; init; } = ImmutableSortedDictionary.Create<string, string>(StringComparer.OrdinalIgnoreCase);

    /// <summary>Of <see cref="PluginKind.Http"/>: where the endpoint names no scheme.</summary>
    public bool Https { get; init; }

    /// <summary>Of <see cref="PluginKind.Http"/>: signs each request; null: none is signed. A secret.</summary>
    public string? SigningSecret { get; init; }

    /// <summary>Of <see cref="PluginKind.Http"/>: whether it goes where it is sent on to; each step is held against the addresses that are blocked.</summary>
    public bool FollowRedirects { get; init; }

    /// <summary>Of <see cref="PluginKind.Log"/>.</summary>
    public string Level { get; init; } = "info";

    /// <summary>The same; null: <c>aggregate=… id=… event=…</c>.</summary>
    public string? Template { get; init; }

    /// <summary>Of <see cref="PluginKind.Process"/>: all of it, as it stands in the document.</summary>
    public ReadOnlyMemory<byte> Process { get; init; }

    /// <summary>The same, read.</summary>
    public ProcessSettings? Program { get; init; }

    /// <summary>Where it is reached: host and port; null for what is reached in no network.</summary>
    public (string Host, int Port)? Target => Kind switch
    {
        PluginKind.Tcp => (Host, Port),
        PluginKind.Http => HttpTarget,
        PluginKind.Grpc => Uri.TryCreate(Endpoint, UriKind.Absolute, out var uri) ? (uri.IdnHost, uri.Port > 0 ? uri.Port : uri.Scheme is "https" or "grpcs" ? 443 : 80) : null,
        _ => null,
    };

    /// <summary>Of <see cref="PluginKind.Http"/>: to whom its headers are sent, and whether in clear.</summary>
    public (string Scheme, string Host, int Port)? Origin => HttpUri is { } uri ? (uri.Scheme, uri.IdnHost, uri.Port) : null;

    (string, int)? HttpTarget => HttpUri is { } uri ? (uri.IdnHost, uri.Port) : null;

    Uri? HttpUri => Uri.TryCreate(
        Endpoint.Contains("://", StringComparison.Ordinal) ? Endpoint : $"{(Https ? "https" : "http")}://{Endpoint}", UriKind.Absolute, out var uri) ? uri : null;
}

/// <summary>Which program a process plugin is, and how it is started.</summary>
internal sealed record ProcessSettings
{
    /// <summary>The installed plugin, by its name in the registry.</summary>
    public required string Plugin { get; init; }

    public required string Version { get; init; }

    public ImmutableArray<string> Args { get; init; } = [];

    /// <summary>Added to what it inherits. Their values are secrets.</summary>
    public ImmutableSortedDictionary<string, string> Env { get; init; } = ImmutableSortedDictionary.Create<string, string>(StringComparer.Ordinal);

    /// <summary>Null: where it is installed.</summary>
    public string? WorkingDir { get; init; }
}
