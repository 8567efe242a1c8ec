using System.Collections.Immutable;
using EventDbx.Backups;
using EventDbx.Server.Plugins;

namespace EventDbx.Server.Backups;

/// <summary>The plugins of a store that is not encrypted, as a backup without keys has them: with the names of what is secret, without its values, and disabled, for with blank ones nothing may be sent.</summary>
internal static class BlankPlugins
{
    /// <param name="document">The document as it lies there.</param>
    public static BackupBlank Of(byte[] document)
    {
        List<PluginDefinition> plugins;
        try
        {
            plugins = PluginJson.ReadAll(document);
        }
        catch (RefusedException)
        {
            return new(null, "it cannot be read, may hold secrets of plugins, and the backup was to be without keys");
        }

        List<string> names = [];
        for (var i = 0; i < plugins.Count; i++)
        {
            if (!HasSecrets(plugins[i]))
                continue;
            names.Add($"`{plugins[i].Label}`");
            plugins[i] = Blank(plugins[i]);
        }

        return names.Count == 0 ? new(document, null)
            : new(PluginJson.WriteAll(plugins), $"{BackupOmission.BlankedBegins}it has no secrets of the plugins {string.Join(", ", names)}, which are disabled in it until they are set up again");
    }

    static bool HasSecrets(PluginDefinition plugin) =>
        !SecretMask.SecretsOf(plugin.Config).IsEmpty || plugin.Config.Program is { Args.IsEmpty: false } || plugin.Unknown != UnknownMembers.None || plugin.Config.Unknown != UnknownMembers.None;

    static PluginDefinition Blank(PluginDefinition plugin) => plugin with
    {
        Enabled = false, Unknown = UnknownMembers.None,
        Config = plugin.Config with
        {
            Headers = Blank(plugin.Config.Headers), SigningSecret = null, Unknown = UnknownMembers.None,
            // What is passed on the command line is shown to nobody either.
            Program = plugin.Config.Program is { } program ? program with { Args = [], Env = Blank(program.Env) } : null,
        },
    };

    static ImmutableSortedDictionary<string, string> Blank(ImmutableSortedDictionary<string, string> values) =>
        values.ToImmutableSortedDictionary(static pair => pair.Key, static pair => SecretMask.IsPublic(pair.Key) ? pair.Value : "", values.KeyComparer);
}
