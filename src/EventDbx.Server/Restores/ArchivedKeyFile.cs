using EventDbx.Backups;

namespace EventDbx.Server.Restores;

/// <summary>A key file that lay in the data directory, in a backup that was unpacked: for whoever restores it, and whoever proves that it can be.</summary>
public static class ArchivedKeyFile
{
    /// <summary>Bytes of one: a key has 44.</summary>
    internal const int BytesMax = 4096;

    /// <summary>Finds it by the name that the configuration in the backup has for it.</summary>
    /// <param name="named">The setting <c>data_encryption_key_file</c>.</param>
    /// <param name="contents">The backup.</param>
    /// <returns>Where it lies now; null where it is not in the backup.</returns>
    public static string? Find(string named, BackupContents contents) => Find(named, contents.DataDirectory, contents.Manifest.ConfigPath, contents.Manifest.DataDir);

    /// <summary>The same, from a configuration and for a data directory that may be others by now.</summary>
    /// <param name="named">The setting.</param>
    /// <param name="unpacked">The unpacked data directory.</param>
    /// <param name="configPath">Of the configuration, to which a relative name is relative; null: not known.</param>
    /// <param name="dataDirectory">In which it may lie; null: not known.</param>
    public static string? Find(string named, string unpacked, string? configPath, string? dataDirectory)
    {
        if (dataDirectory is null || Path.GetDirectoryName(configPath ?? dataDirectory) is not { } from || !Path.IsPathFullyQualified(from) || !Path.IsPathFullyQualified(dataDirectory))
            return null;
        var relative = Path.GetRelativePath(dataDirectory, Path.GetFullPath(named, from));
        return !relative.StartsWith("..", StringComparison.Ordinal) && !Path.IsPathRooted(relative)
            && Path.Combine(unpacked, relative) is var path && new FileInfo(path) is { Exists: true, Length: <= BytesMax } ? path : null;
    }
}
