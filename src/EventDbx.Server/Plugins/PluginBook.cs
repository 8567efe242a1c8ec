using System.Buffers;
using System.Collections.Immutable;
using System.Net.Sockets;
using EventDbx.Access;
using EventDbx.Documents;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Plugins;

/// <summary>The plugins as they are kept in <c>plugins.json</c>, sealed where the store is; every change leaves an entry in the log.</summary>
/// <remarks>Thread-safe: one change after the other.</remarks>
internal sealed class PluginBook(IDocuments documents) : IDisposable
{
    public const string DocumentName = "plugins.json";

    static readonly string[] Levels = ["trace", "debug", "info", "warn", "error"];

    /// <summary>What the name of a header consists of (RFC 9110).</summary>
    static readonly SearchValues<char> HeaderName = SearchValues.Create("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

    /// <summary>What is in the name of a parameter that holds a secret, letters and digits alone.</summary>
    static readonly string[] SecretParts = ["token", "secret", "password", "passwd", "apikey", "accesskey", "authkey", "signature", "credential"];

    /// <summary>The whole name of one.</summary>
    static readonly string[] SecretNames = ["key", "sig", "auth", "authorization", "pass", "pwd", "pw", "code"];

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
        return await ReachedAsync<(PluginDefinition, bool)>(
            by,
            (plugins, reached) =>
            {
                var at = plugins.FindIndex(plugin => plugin.Name == name);
                var before = at < 0 ? null : plugins[at];
                if (before is not null && before.Config.Kind != asked.Config.Kind)
                    throw Refused($"plugin name '{Rest.Shown.Of(name)}' is already used by a plugin of type {PluginJson.NameOf(before.Config.Kind)}; remove that one first.");
                if (before is null && plugins.Count >= ServerLimits.PeersMax)
                    throw new RefusedException(RefusalCode.LimitExceeded, $"There are {plugins.Count} plugins; at most {ServerLimits.PeersMax} are kept.");
                var plugin = new PluginDefinition { Enabled = asked.Enabled ?? before?.Enabled ?? true, Name = name, Config = Checked(asked.Config, before?.Config) };
                if (!asked.Unchecked && MustBeReached(plugin, reached))
                    return new() { ToReach = plugin };
                if (before is null)
                    plugins.Add(plugin);
                else
                    plugins[at] = plugin;
                return new() { Result = (plugin, before is null), Entry = (before is null ? "added" : "replaced", plugin) };
            },
            cancellation).ConfigureAwait(false);
    }

    /// <summary>Enables a plugin, which is reached first, even if it is enabled already; or disables it.</summary>
    /// <exception cref="RefusedException">There is none of that name, or it cannot be reached; nothing was changed.</exception>
    public Task<PluginDefinition> EnableAsync(Session by, string name, bool enabled, CancellationToken cancellation) => ReachedAsync<PluginDefinition>(
        by,
        (plugins, reached) =>
        {
            var at = IndexOf(plugins, name);
            var plugin = plugins[at] with { Enabled = enabled };
            if (MustBeReached(plugin, reached))
                return new() { ToReach = plugin };
            plugins[at] = plugin;
            return new() { Result = plugin, Entry = (enabled ? "enabled" : "disabled", plugin) };
        },
        cancellation);

    /// <summary>Removes a plugin that is disabled.</summary>
    /// <exception cref="RefusedException">There is none of that name, or it is enabled.</exception>
    public Task RemoveAsync(Session by, string name, CancellationToken cancellation) => ReachedAsync<bool>(
        by,
        (plugins, _) =>
        {
            var at = IndexOf(plugins, name);
            var plugin = plugins[at];
            if (plugin.Enabled)
                throw Refused($"plugin '{Rest.Shown.Of(name)}' is enabled; disable it before it is removed.");
            plugins.RemoveAt(at);
            return new() { Result = true, Entry = ("removed", plugin) };
        },
        cancellation);

    public void Dispose() => _changing.Dispose();

    /// <summary>What a change comes to.</summary>
    readonly record struct Change<T>
    {
        /// <summary>Set: nothing was changed, and it is to be reached before it can be.</summary>
        public PluginDefinition? ToReach { get; init; }

        public T Result { get; init; }

        /// <summary>For the log, where the document is another one than before.</summary>
        public (string Action, PluginDefinition Plugin) Entry { get; init; }
    }

    static bool MustBeReached(PluginDefinition plugin, (string, int)? reached) => plugin.Enabled && plugin.Config.Target is { } target && target != reached;

    /// <summary>Changes; what has to be reached for it is reached while others may change, and all is looked at again afterwards.</summary>
    async Task<T> ReachedAsync<T>(Session by, Func<List<PluginDefinition>, (string, int)?, Change<T>> change, CancellationToken cancellation)
    {
        (string, int)? reached = null;
        while (true)
        {
            var outcome = await ChangeAsync(by, plugins => change(plugins, reached), cancellation).ConfigureAwait(false);
            if (outcome.ToReach is not { } plugin)
                return outcome.Result;
            await ReachAsync(plugin, cancellation).ConfigureAwait(false);
            reached = plugin.Config.Target;
        }
    }

    async Task<Change<T>> ChangeAsync<T>(Session by, Func<List<PluginDefinition>, Change<T>> change, CancellationToken cancellation)
    {
        await _changing.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            var document = documents.Read(DocumentName);
            var plugins = PluginJson.ReadAll(document.Content);
            var before = PluginJson.WriteAll(plugins);
            var outcome = change(plugins);
            var after = PluginJson.WriteAll(plugins);
            if (outcome.ToReach is not null || after.AsSpan().SequenceEqual(before))
                return outcome;
            // Rehearsed, so that the log takes no entry of what cannot be done.
            if (!documents.CanReplace(DocumentName, after, document))
                throw Meanwhile();
            var (action, plugin) = outcome.Entry;
            await NoteAsync(by, action, plugin).ConfigureAwait(false);
            await CarryThroughAsync(by, outcome.Entry, after, document).ConfigureAwait(false);
            return outcome;
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

    /// <summary>Replaces the document; where that fails, an entry takes back the one that said so.</summary>
    async Task CarryThroughAsync(Session by, (string Action, PluginDefinition Plugin) entry, byte[] after, Document read)
    {
        try
        {
            if (!documents.TryReplace(DocumentName, after, read))
                throw Meanwhile();
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException or RefusedException)
        {
            if (!Holds(after))
                await NoteAsync(by, "failed", entry.Plugin, not: entry.Action).ConfigureAwait(false);
            throw;
        }
    }

    /// <summary>A replacement of which it is not known whether a power cut takes it back is there all the same.</summary>
    bool Holds(byte[] content)
    {
        try
        {
            return documents.Read(DocumentName).Content is { } now && now.AsSpan().SequenceEqual(content);
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException or RefusedException)
        {
            return false;
        }
    }

    static RefusedException Meanwhile() => new(RefusalCode.Overloaded, $"Somebody else has changed {DocumentName} meanwhile. Try again.");

    static int IndexOf(List<PluginDefinition> plugins, string name) => plugins.FindIndex(plugin => plugin.Name == name) is >= 0 and var at
        ? at
        : throw new RefusedException(RefusalCode.NotFound, $"no plugin named '{Rest.Shown.Of(name)}' is configured{NearestName.Hint(name, plugins.Select(plugin => plugin.Name ?? ""))}.");

    /// <summary>The entry: of headers their names alone.</summary>
    /// <param name="by">Who does it.</param>
    /// <param name="action">What.</param>
    /// <param name="plugin">As it is then.</param>
    /// <param name="not">What did not come to pass, of an action that failed.</param>
    static Task NoteAsync(Session by, string action, PluginDefinition plugin, string? not = null)
    {
        var output = new ArrayBufferWriter<byte>();
        var members = new JsonMembers(output);
        members.Text("action"u8, action);
        if (not is not null)
            members.Text("not"u8, not);
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
                return config with { Headers = config.Headers.ToImmutableSortedDictionary(header => header.Key, header => HeaderOf(header.Key, header.Value, config, before), StringComparer.OrdinalIgnoreCase) };
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
        if (SecretIn(uri.Query) is { } parameter)
            throw Refused($"`config.endpoint` has `{Rest.Shown.Of(parameter)}` in its query, which looks like a secret, and endpoints are shown; send it as a header, which is kept as one.");
    }

    /// <summary>The first parameter of a query whose name says that its value is a secret; null where there is none.</summary>
    static string? SecretIn(string query)
    {
        foreach (var part in query.TrimStart('?').Split('&', ';'))
        {
            var name = Uri.UnescapeDataString(part.Split('=')[0]);
            var letters = string.Concat(name.Where(char.IsLetterOrDigit)).ToLowerInvariant();
            if (SecretNames.Contains(letters) || SecretParts.Any(secret => letters.Contains(secret, StringComparison.Ordinal)))
                return name;
        }

        return null;
    }

    static string HeaderOf(string name, string value, PluginConfig config, PluginConfig? before)
    {
        if (name.Length is 0 or > Limits.TypeBytesMax || name.AsSpan().ContainsAnyExcept(HeaderName))
            throw Refused($"`config.headers`: \"{Rest.Shown.Of(name)}\" is no name of a header.");
        if (value == PluginJson.Hidden)
        {
            var kept = before?.Headers.GetValueOrDefault(name) ?? throw Refused($"`config.headers`: \"{name}\" is \"{value}\", which stands for the value that is there, and there is none.");
            // Whoever may not see a secret must not have it sent to a place of theirs either.
            return before.Origin == config.Origin ? kept : throw Refused(
                $"`config.headers`: \"{name}\" is \"{value}\", and a value is kept for the scheme, host and port it was given for alone; the endpoint has others now. Send the value.");
        }

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
