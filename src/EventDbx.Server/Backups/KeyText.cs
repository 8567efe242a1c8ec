using System.Text;
using EventDbx.Server.Configuration;

namespace EventDbx.Server.Backups;

/// <summary>The keys and secrets of an installation, as they stand in files, and whether one stands in another file: the last look before a backup without keys.</summary>
internal static class KeyText
{
    /// <summary>Bytes of a file that is looked into: configurations, notes and scripts are smaller; what is larger was not written by hand.</summary>
    const int FileBytesMax = 1024 * 1024;

    /// <summary>Characters of a text that is looked for: a key has 44, and what is much shorter may stand anywhere.</summary>
    const int CharactersMin = 16;

    /// <summary>Those that the configuration holds, those of the environment above it, and that of its key file.</summary>
    public static IReadOnlyList<string> Of(ConfigFile file, string? keyFile)
    {
        HashSet<string> found = new(StringComparer.Ordinal);
        foreach (var config in (ServerConfig[])[file.Saved, file.Config])
        {
            string?[] secrets =
            [
                config.DataEncryptionKey, config.DataEncryptionKeyNext, .. config.DataEncryptionKeysRetired, config.AuthSecret, config.AuthPreviousSecret, config.AdminMasterKeyHash,
            ];
            foreach (var text in secrets)
                Add(text);
        }

        if (keyFile is not null && new FileInfo(keyFile) is { Exists: true, Length: <= FileBytesMax })
            Add(File.ReadAllText(keyFile));
        return [.. found];

        void Add(string? text)
        {
            if (text?.Trim() is { Length: >= CharactersMin } trimmed)
                found.Add(trimmed);
        }
    }

    /// <summary>Whether one of them stands in a file.</summary>
    /// <exception cref="IOException">It cannot be read.</exception>
    public static bool IsIn(string path, IReadOnlyList<string> keys)
    {
        if (keys.Count == 0 || new FileInfo(path) is not { Exists: true, Length: > 0 and <= FileBytesMax, LinkTarget: null })
            return false;
        try
        {
            var content = File.ReadAllBytes(path).AsSpan();
            foreach (var key in keys)
            {
                if (content.IndexOf(Encoding.UTF8.GetBytes(key)) >= 0)
                    return true;
            }
        }
        catch (Exception cause) when (cause is FileNotFoundException or DirectoryNotFoundException or UnauthorizedAccessException)
        {
            // It has gone meanwhile, or may not be read: it is not taken either.
        }

        return false;
    }
}
