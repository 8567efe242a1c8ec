using System.Buffers;
using System.Collections.Immutable;
using System.Net.Sockets;
using EventDbx.Access;
using EventDbx.Documents;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Admin;

/// <summary>The plugins as they are kept in <c>plugins.json</c>, sealed where the store is; every change leaves an entry in the log.</summary>
/// <remarks>Thread-safe: one change after the other.</remarks>
internal sealed class PluginBook(IDocuments documents) : IDisposable
{
    public const string DocumentName = "plugins.json";

    static readonly string[] Levels = ["trace", "debug", "info", "warn", "error"];

    /// <summary>What the name of a header consists of (RFC 9110).</summary>
    static readonly SearchValues<char> HeaderName = SearchValues.Create("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

    readonly SemaphoreSlim _changing = new(1, 1);

    /// <summary>In the order of their names.</summary>
    public IReadOnlyList<PluginDefinition> List() =>
        [.. PluginJson.ReadAll(documents.Read(DocumentName).Content).OrderBy(plugin => plugin.Name, StringComparer.Ordinal)];

    /// <summary>Sets a plugin up, new or instead of the one of that name. Where it is to be enabled, it is reached first.</summary>
    /// <param name="by">Who does it.</param>
    /// <param name="name">Of the plugin.</param>
    /// <param name="asked">As it is to be; where it does not say, an existing one stays enabled or disabled, and a new one is enabled.</param>
    /// <returns>As it is now, and whether it is new.</returns>
    /// <exception cref="RefusedException">Nothing was changed.</exception>
    public async Task<(PluginDefinition Plugin, bool IsNew)> SetAsync(Session by, string name, PluginUpsert asked, CancellationToken cancellation)
    {
        name = CheckedName(name);
        if (!string.IsNullOrWhiteSpace(asked.Name) && asked.Name.Trim() != name)
            throw Refused($"plugin name '{Rest.Shown.Of(asked.Name.Trim())}' does not match path parameter '{Rest.Shown.Of(name)}'.");
        return await ChangeAsync(
            async plugins =>
            {
                var at = plugins.FindIndex(plugin => plugin.Name == name);
                var before = at < 0 ? null : plugins[at];
                if (before is not null && before.Config.Kind != asked.Config.Kind)
                    throw Refused($"plugin name '{Rest.Shown.Of(name)}' is already used by a plugin of type {PluginJson.NameOf(before.Config.Kind)}; remove that one first.");
                if (before is null && plugins.Count >= ServerLimits.PeersMax)
                    throw new RefusedException(RefusalCode.LimitExceeded, $"There are {plugins.Count} plugins; at most {ServerLimits.PeersMax} are kept.");
                var plugin = new PluginDefinition { Enabled = asked.Enabled ?? before?.Enabled ?? true, Name = name, Config = Checked(asked.Config, before?.Config) };
                if (plugin.Enabled)
                    await ReachAsync(plugin, cancellation).ConfigureAwait(false);
                await NoteAsync(by, before is null ? "added" : "replaced", plugin).ConfigureAwait(false);
                if (before is null)
                    plugins.Add(plugin);
                else
                    plugins[at] = plugin;
                return (plugin, before is null);
            },
            cancellation).ConfigureAwait(false);
    }

    /// <summary>Enables a plugin, which is reached first, even if it is enabled already; or disables it.</summary>
    /// <exception cref="RefusedException">There is none of that name, or it cannot be reached; nothing was changed.</exception>
    public Task<PluginDefinition> EnableAsync(Session by, string name, bool enabled, CancellationToken cancellation) => ChangeAsync(
        async plugins =>
        {
            var at = IndexOf(plugins, name);
            if (enabled)
                await ReachAsync(plugins[at], cancellation).ConfigureAwait(false);
            if (plugins[at].Enabled == enabled)
                return plugins[at];
            plugins[at] = plugins[at] with { Enabled = enabled };
            await NoteAsync(by, enabled ? "enabled" : "disabled", plugins[at]).ConfigureAwait(false);
            return plugins[at];
        },
        cancellation);

    /// <summary>Removes a plugin that is disabled.</summary>
    /// <exception cref="RefusedException">There is none of that name, or it is enabled.</exception>
    public Task RemoveAsync(Session by, string name, CancellationToken cancellation) => ChangeAsync(
        async plugins =>
        {
            var at = IndexOf(plugins, name);
            if (plugins[at].Enabled)
                throw Refused($"plugin '{Rest.Shown.Of(name)}' is enabled; disable it before it is removed.");
            await NoteAsync(by, "removed", plugins[at]).ConfigureAwait(false);
            plugins.RemoveAt(at);
            return true;
        },
        cancellation);

    public void Dispose() => _changing.Dispose();

    async Task<T> ChangeAsync<T>(Func<List<PluginDefinition>, Task<T>> change, CancellationToken cancellation)
    {
        await _changing.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            var document = documents.Read(DocumentName);
            var plugins = PluginJson.ReadAll(document.Content);
            var before = plugins.ToArray();
            var result = await change(plugins).ConfigureAwait(false);
            if (!plugins.SequenceEqual(before) && !documents.TryReplace(DocumentName, PluginJson.WriteAll(plugins), document))
                throw new RefusedException(RefusalCode.Overloaded, $"Somebody else has changed {DocumentName} meanwhile. Try again.");
            return result;
        }
        catch (Exception unwritten) when (unwritten is IOException or UnauthorizedAccessException)
        {
            throw new RefusedException(new Refusal(RefusalCode.Unavailable, $"{DocumentName} could not be changed: {unwritten.Message}") { Final = true });
        }
        finally
        {
            _changing.Release();
        }
    }

    static int IndexOf(List<PluginDefinition> plugins, string name) => plugins.FindIndex(plugin => plugin.Name == name) is >= 0 and var at
        ? at
        : throw new RefusedException(RefusalCode.NotFound, $"no plugin named '{Rest.Shown.Of(name)}' is configured.");

    /// <summary>The entry: of headers their names alone.</summary>
    static Task NoteAsync(Session by, string action, PluginDefinition plugin)
    {
        var output = new ArrayBufferWriter<byte>();
        var members = new JsonMembers(output);
        members.Text("action"u8, action);
        members.Text("type"u8, PluginJson.NameOf(plugin.Config.Kind));
        members.Truth("enabled"u8, plugin.Enabled);
        if (plugin.Config.Target is var (host, port))
            members.Text("target"u8, FormattableString.Invariant($"{host}:{port}"));
        if (!plugin.Config.Headers.IsEmpty)
            members.Texts("headers"u8, [.. plugin.Config.Headers.Keys]);
        members.End();
        return by.NoteChangeAsync(SettingChange.Plugin, plugin.Name!, output.WrittenMemory, CancellationToken.None);
    }

    static string CheckedName(string name)
    {
        if (string.IsNullOrWhiteSpace(name))
            throw Refused("plugin name cannot be empty.");
        return Names.Check("The name of a plugin", name.Trim(), Limits.TypeBytesMax) is { } refusal ? throw new RefusedException(refusal) : name.Trim();
    }

    static PluginConfig Checked(PluginConfig config, PluginConfig? before)
    {
        switch (config.Kind)
        {
            case PluginKind.Tcp when Uri.CheckHostName(config.Host) == UriHostNameType.Unknown:
                throw Refused($"`config.host` is a name or an address, not \"{Rest.Shown.Of(config.Host)}\".");
            case PluginKind.Http or PluginKind.Grpc:
                CheckEndpoint(config);
                return config with { Headers = config.Headers.ToImmutableSortedDictionary(header => header.Key, header => HeaderOf(header.Key, header.Value, before), StringComparer.OrdinalIgnoreCase) };
            case PluginKind.Log when !Levels.Contains(config.Level):
                throw Refused($"`config.level` is {string.Join(", ", Levels)}, not \"{Rest.Shown.Of(config.Level)}\".");
            default:
                return config;
        }
    }

    static void CheckEndpoint(PluginConfig config)
    {
        string[] schemes = config.Kind == PluginKind.Http ? ["http", "https"] : ["http", "https", "grpc", "grpcs"];
        var hasScheme = config.Endpoint.Contains("://", StringComparison.Ordinal);
        var text = hasScheme || config.Kind == PluginKind.Grpc ? config.Endpoint : "http://" + config.Endpoint;
        if (!Uri.TryCreate(text, UriKind.Absolute, out var uri) || !schemes.Contains(uri.Scheme) || uri.Host.Length == 0)
            throw Refused($"`config.endpoint` is a URL of {string.Join(", ", schemes)}{(config.Kind == PluginKind.Http ? ", or host and path" : "")}, not \"{Rest.Shown.Of(config.Endpoint)}\".");
        // It is shown in lists, and a password in it would be.
        if (uri.UserInfo.Length > 0)
            throw Refused("`config.endpoint` names a user; send it as a header, which is kept as a secret.");
    }

    static string HeaderOf(string name, string value, PluginConfig? before)
    {
        if (name.Length is 0 or > Limits.TypeBytesMax || name.AsSpan().ContainsAnyExcept(HeaderName))
            throw Refused($"`config.headers`: \"{Rest.Shown.Of(name)}\" is no name of a header.");
        if (value == PluginJson.Hidden)
            return before?.Headers.GetValueOrDefault(name) ?? throw Refused($"`config.headers`: \"{name}\" is \"{value}\", which stands for the value that is there, and there is none.");
        return value.AsSpan().ContainsAnyInRange('\0', '\x1f') || value.Contains('\x7f', StringComparison.Ordinal)
            ? throw Refused($"`config.headers`: the value of \"{name}\" holds control characters.")
            : value;
    }

    static async Task ReachAsync(PluginDefinition plugin, CancellationToken cancellation)
    {
        if (plugin.Config.Target is not var (host, port))
            return;
        using var late = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        late.CancelAfter(ServerLimits.PluginReachedWithin);
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(host.Trim('[', ']'), port, late.Token).ConfigureAwait(false);
        }
        catch (SocketException cause)
        {
            throw Unreached(plugin, host, port, cause.Message);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            throw Unreached(plugin, host, port, FormattableString.Invariant($"no answer within {ServerLimits.PluginReachedWithin.TotalSeconds:0} s"));
        }
    }

    static RefusedException Unreached(PluginDefinition plugin, string host, int port, string why) =>
        Refused(FormattableString.Invariant($"failed to establish connection for '{plugin.Name}' at {host}:{port}: {why}. Nothing was changed; send \"enabled\": false to keep it disabled."));

    static RefusedException Refused(string message) => new(RefusalCode.InvalidArgument, message);
}
