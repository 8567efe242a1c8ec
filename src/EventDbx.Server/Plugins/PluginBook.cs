using System.Buffers;
using EventDbx.Access;
using EventDbx.Documents;
using EventDbx.Server.Tokens;

namespace EventDbx.Server.Plugins;

/// <summary>The plugins as they are kept in <c>plugins.json</c>, sealed where the store is; every change leaves an entry in the log.</summary>
/// <remarks>Thread-safe: one change after the other.</remarks>
/// <param name="surroundings">What plugins work with: one that is to be enabled is reached with it.</param>
/// <param name="documents">Where they are kept; null: where all documents of the database are.</param>
internal sealed class PluginBook(PluginSurroundings surroundings, IDocuments? documents = null) : IDisposable
{
    public const string DocumentName = "plugins.json";

    readonly IDocuments _documents = documents ?? surroundings.Database.Documents;
    readonly SemaphoreSlim _changing = new(1, 1);

    /// <summary>In the order of their names.</summary>
    public IReadOnlyList<PluginDefinition> List() =>
        [.. PluginJson.ReadAll(_documents.Read(DocumentName).Content).OrderBy(plugin => plugin.Label, StringComparer.Ordinal)];

    /// <summary>Sets a plugin up, new or instead of the one of that name. Where it is to be enabled, it is reached first.</summary>
    /// <param name="by">Who does it.</param>
    /// <param name="name">Of the plugin.</param>
    /// <param name="asked">As it is to be; where it does not say, an existing one stays enabled or disabled, and a new one is enabled.</param>
    /// <returns>As it is now, and whether it is new.</returns>
    /// <exception cref="RefusedException">Nothing was changed.</exception>
    public async Task<(PluginDefinition Plugin, bool IsNew)> SetAsync(Session by, string name, PluginUpsert asked, CancellationToken cancellation)
    {
        name = PluginRules.CheckedName(name);
        if (!string.IsNullOrWhiteSpace(asked.Name) && asked.Name.Trim() != name)
            throw PluginRules.Refused($"plugin name '{Rest.Shown.Of(asked.Name.Trim())}' does not match path parameter '{Rest.Shown.Of(name)}'.");
        return await ReachedAsync<(PluginDefinition, bool)>(
            by,
            (plugins, reached) =>
            {
                var at = plugins.FindIndex(plugin => plugin.Label == name);
                var before = at < 0 ? null : plugins[at];
                if (before is not null && before.Config.Kind != asked.Config.Kind)
                    throw PluginRules.Refused($"plugin name '{Rest.Shown.Of(name)}' is already used by a plugin of type {PluginJson.NameOf(before.Config.Kind)}; remove that one first.");
                if (before is null && plugins.Count >= ServerLimits.PeersMax)
                    throw new RefusedException(RefusalCode.LimitExceeded, $"There are {plugins.Count} plugins; at most {ServerLimits.PeersMax} are kept.");
                var plugin = new PluginDefinition
                {
                    Enabled = asked.Enabled ?? before?.Enabled ?? true, Name = name, Config = PluginRules.Checked(asked.Config, before?.Config, AddressRules.Of(surroundings)),
                    Types = PluginRules.CheckedNames("types", asked.Types) ?? before?.Types ?? [], Events = PluginRules.CheckedNames("events", asked.Events) ?? before?.Events ?? [],
                    HoldOnDead = asked.HoldOnDead ?? before?.HoldOnDead ?? false, ExactState = asked.ExactState ?? before?.ExactState ?? false, Unknown = before?.Unknown ?? UnknownMembers.None,
                };
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
                throw PluginRules.Refused($"plugin '{Rest.Shown.Of(name)}' is enabled; disable it before it is removed.");
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

    static bool MustBeReached(PluginDefinition plugin, string? reached) => plugin.Enabled && PluginJson.Identity(plugin) != reached;

    /// <summary>Changes; what has to be reached for it is reached while others may change, and all is looked at again afterwards.</summary>
    async Task<T> ReachedAsync<T>(Session by, Func<List<PluginDefinition>, string?, Change<T>> change, CancellationToken cancellation)
    {
        string? reached = null;
        while (true)
        {
            var outcome = await ChangeAsync(by, plugins => change(plugins, reached), cancellation).ConfigureAwait(false);
            if (outcome.ToReach is not { } plugin)
                return outcome.Result;
            await ReachAsync(plugin, cancellation).ConfigureAwait(false);
            reached = PluginJson.Identity(plugin);
        }
    }

    async Task<Change<T>> ChangeAsync<T>(Session by, Func<List<PluginDefinition>, Change<T>> change, CancellationToken cancellation)
    {
        await _changing.WaitAsync(cancellation).ConfigureAwait(false);
        try
        {
            var document = _documents.Read(DocumentName);
            var plugins = PluginJson.ReadAll(document.Content);
            var before = PluginJson.WriteAll(plugins);
            var outcome = change(plugins);
            var after = PluginJson.WriteAll(plugins);
            if (outcome.ToReach is not null || after.AsSpan().SequenceEqual(before))
                return outcome;
            // Rehearsed, so that the log takes no entry of what cannot be done.
            if (!_documents.CanReplace(DocumentName, after, document))
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
            if (!_documents.TryReplace(DocumentName, after, read))
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
            return _documents.Read(DocumentName).Content is { } now && now.AsSpan().SequenceEqual(content);
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException or RefusedException)
        {
            return false;
        }
    }

    static RefusedException Meanwhile() => new(RefusalCode.Overloaded, $"Somebody else has changed {DocumentName} meanwhile. Try again.");

    static int IndexOf(List<PluginDefinition> plugins, string name) => plugins.FindIndex(plugin => plugin.Label == name) is >= 0 and var at
        ? at
        : throw NoneNamed(name, plugins);

    /// <summary>There is no such plugin; one whose name is nearly that may be meant.</summary>
    public static RefusedException NoneNamed(string name, IEnumerable<PluginDefinition> plugins, string which = "plugin") => new(
        RefusalCode.NotFound,
        $"no {which} named '{Rest.Shown.Of(name)}' is configured{(NearestName.Hint(name, plugins.Select(plugin => plugin.Label)) is { Length: > 0 } hint ? hint : ".")}");

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
        return by.NoteChangeAsync(SettingChange.Plugin, plugin.Label, output.WrittenMemory, CancellationToken.None);
    }

    /// <summary>What the plugin says when it is asked whether it is there: a socket, a server, a program.</summary>
    async Task ReachAsync(PluginDefinition plugin, CancellationToken cancellation)
    {
        try
        {
            var channel = PluginChannels.Open(plugin, surroundings);
            await using var _ = channel.ConfigureAwait(false);
            await channel.CheckAsync(cancellation).ConfigureAwait(false);
        }
        catch (PluginDownException down)
        {
            throw PluginRules.Refused(
                $"failed to establish connection for '{Rest.Shown.Of(plugin.Label)}': {down.Message.TrimEnd('.')}. Nothing was changed; a plugin that is not there yet is set up disabled.");
        }
    }
}
