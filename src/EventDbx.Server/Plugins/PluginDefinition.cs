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

    /// <summary>What it is called: its name, or, of one without, its kind.</summary>
    public string Label => Name ?? PluginJson.NameOf(Config.Kind);

    /// <summary>Aggregate types whose events it gets; empty: all.</summary>
    public ImmutableArray<string> Types { get; init; } = [];

    /// <summary>Event types that it gets; empty: all.</summary>
    public ImmutableArray<string> Events { get; init; } = [];

    /// <summary>An event that is given up holds its aggregate, until somebody retries or clears it.</summary>
    public bool HoldOnDead { get; init; }

    /// <summary>The state sent along is that after the event, and not the newest.</summary>
    public bool ExactState { get; init; }

    /// <summary>Members of the document that we do not know, to be written back as they are.</summary>
    public UnknownMembers Unknown { get; init; } = UnknownMembers.None;
}

/// <summary>Members of an object that nobody here knows: a newer version, or another hand, may.</summary>
/// <param name="Members">Each with its value as JSON.</param>
internal sealed record UnknownMembers(ImmutableArray<(string Name, string Json)> Members)
{
    public static UnknownMembers None { get; } = new([]);
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

    /// <summary>Of <see cref="PluginKind.Process"/>.</summary>
    public ProcessSettings? Program { get; init; }

    /// <summary>As in <see cref="PluginDefinition.Unknown"/>.</summary>
    public UnknownMembers Unknown { get; init; } = UnknownMembers.None;

    /// <summary>Where it is reached: host and port; null for what is reached in no network.</summary>
    public (string Host, int Port)? Target => Kind == PluginKind.Tcp ? (Host, Port) : Uri is { } uri ? (uri.IdnHost, uri.Port) : null;

    /// <summary>Of <see cref="PluginKind.Http"/> and <see cref="PluginKind.Grpc"/>: to whom its headers are sent, and whether in clear.</summary>
    public (string Scheme, string Host, int Port)? Origin => Uri is { } uri ? (uri.Scheme, uri.IdnHost, uri.Port) : null;

    /// <summary>
    /// Of <see cref="PluginKind.Http"/> and <see cref="PluginKind.Grpc"/>: the endpoint in full, of scheme <c>http</c> or <c>https</c> (<c>grpc</c> and <c>grpcs</c> are those two); null where it is no URL.
    /// </summary>
    public Uri? Uri
    {
        get
        {
            var text = Kind switch
            {
                PluginKind.Http when !Endpoint.Contains("://", StringComparison.Ordinal) => $"{(Https ? "https" : "http")}://{Endpoint}",
                PluginKind.Grpc when Endpoint.StartsWith("grpc://", StringComparison.OrdinalIgnoreCase) => $"http{Endpoint["grpc".Length..]}",
                PluginKind.Grpc when Endpoint.StartsWith("grpcs://", StringComparison.OrdinalIgnoreCase) => $"https{Endpoint["grpcs".Length..]}",
                PluginKind.Http or PluginKind.Grpc => Endpoint,
                _ => "",
            };
            return System.Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri.Host.Length > 0 ? uri : null;
        }
    }
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
