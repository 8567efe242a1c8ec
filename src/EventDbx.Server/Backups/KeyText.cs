using EventDbx.Documents;
using EventDbx.Server.Checkpoints;
using EventDbx.Server.Configuration;
using EventDbx.Server.Plugins;
using EventDbx.Server.Replication;

namespace EventDbx.Server.Backups;

/// <summary>The keys and secrets of an installation as texts, for the last look before a backup without keys. The data keys that a database works with it knows itself.</summary>
internal static class KeyText
{
    /// <summary>Bytes of a file that holds one key: the longest are those of TLS, with their chain.</summary>
    const int FileBytesMax = 64 * 1024;

    /// <summary>Those that the configuration holds, those of the environment above it, those in files that it names, and those of plugins.</summary>
    /// <param name="file">The configuration; null: there is none.</param>
    /// <param name="dataDirectory">The data directory.</param>
    /// <param name="documents">Where plugins are kept.</param>
    public static IEnumerable<string> Of(ConfigFile? file, string dataDirectory, IDocuments documents) =>
        (file is null ? [] : Of(file)).Concat(OfFiles(file, dataDirectory)).Concat(OfPlugins(documents));

    /// <summary>Those that stand in the configuration itself, or in variables above it.</summary>
    public static IEnumerable<string> Of(ConfigFile file)
    {
        foreach (var config in (ServerConfig[])[file.Saved, file.Config])
        {
            string?[] secrets =
            [
                config.DataEncryptionKey, config.DataEncryptionKeyNext, .. config.DataEncryptionKeysRetired, config.AuthSecret, config.AuthPreviousSecret, config.AdminMasterKeyHash,
                config.TelemetryOtlpHeaders, .. (config.TelemetryOtlpHeaders ?? "").Split(',').SelectMany(static header => SecretMask.PartsOf(header[(header.IndexOf('=', StringComparison.Ordinal) + 1)..])),
            ];
            foreach (var text in secrets)
            {
                if (text is not null)
                    yield return text;
            }
        }
    }

    static IEnumerable<string> OfFiles(ConfigFile? file, string dataDirectory)
    {
        List<string?> texts = [];
        foreach (var config in file is null ? (ServerConfig[])[] : [file.Saved, file.Config])
        {
            var besides = Path.GetDirectoryName(file!.Path)!;
            if (config.DataEncryptionKeyFile is { } key)
                texts.Add(Read(Path.GetFullPath(key, besides)) is { } content ? Encoding.UTF8.GetString(content) : null);
            if (config.TlsKeyFile is { } tls)
                texts.Add(Read(Path.GetFullPath(tls, besides)) is { } content ? Encoding.UTF8.GetString(content) : null);
        }

        // 32 bytes, as they are.
        var identity = file is null ? Path.Combine(dataDirectory, "replication.key") : NodeIdentity.PathOf(file.Config, dataDirectory);
        texts.Add(Read(identity) is { } seed ? Convert.ToBase64String(seed) : null);
        if (Read(Path.Combine(dataDirectory, KeyFile.LogFileName)) is { } signing)
        {
            var text = Encoding.UTF8.GetString(signing).Trim();
            texts.Add(text);
            // PRIVATE+KEY+NAME+ID+BASE64: the kind in a byte, and the seed.
            var bytes = new byte[text.Length];
            if (Convert.TryFromBase64String(text.Split('+', 5)[^1], bytes, out var count) && count > 1)
                texts.AddRange([Convert.ToBase64String(bytes.AsSpan(0, count)), Convert.ToBase64String(bytes.AsSpan(1, count - 1))]);
        }

        return texts.OfType<string>();
    }

    static IEnumerable<string> OfPlugins(IDocuments documents)
    {
        try
        {
            return PluginJson.ReadAll(documents.Read(PluginBook.DocumentName).Content).SelectMany(static plugin => SecretMask.SecretsOf(plugin.Config)).Where(static value => !IsPlace(value));
        }
        catch (Exception unreadable) when (unreadable is RefusedException or IOException or UnauthorizedAccessException)
        {
            // Nobody can read it: sealed, it gives nothing away; plain, it is left out as a whole.
            return [];
        }
    }

    /// <summary>Whether it is a place, paths of this machine or the root of an address, and so stands in other settings and programs as well.</summary>
    static bool IsPlace(string value) => value.Split(Path.PathSeparator).Any(static path => Path.IsPathFullyQualified(path) && Path.Exists(path))
        || (value.Contains("://", StringComparison.Ordinal) && Uri.TryCreate(value, UriKind.Absolute, out var address) && address is { Host.Length: > 0, UserInfo: "", Query: "", Fragment: "", AbsolutePath: "/" });

    static byte[]? Read(string path)
    {
        try
        {
            return new FileInfo(path) is { Exists: true, Length: > 0 and <= FileBytesMax } ? File.ReadAllBytes(path) : null;
        }
        catch (Exception cause) when (cause is IOException or UnauthorizedAccessException)
        {
            // It has gone meanwhile, or may not be read: nor is it taken.
            return null;
        }
    }
}
