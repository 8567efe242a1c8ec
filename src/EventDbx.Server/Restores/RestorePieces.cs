using EventDbx.Backups;
using EventDbx.Server.Admin;
using EventDbx.Server.Backups;
using EventDbx.Server.Checkpoints;
using EventDbx.Server.Daemon;
using EventDbx.Server.Plugins;
using EventDbx.Server.Tls;
using EventDbx.Server.Tokens;
using EventDbx.Storage;

namespace EventDbx.Server.Restores;

/// <summary>Which files beside the store come along with a restore, and which of the old ones go with it.</summary>
public static class RestorePieces
{
    /// <summary>Where a backup has the data directory.</summary>
    const string Data = "data/";

    /// <summary>What one machine has for itself: of a backup it is not taken, whoever made that.</summary>
    static readonly string[] OwnOfMachine = [PidFile.Name, SocketPlace.FileName, KeyFile.LogFileName, TlsFiles.OwnKeyName, "watermark", "logs", "upgrade-state.json", BackupRecord.FileName];

    /// <summary>What belongs to a store as it was: where a backup has none of it, there was none.</summary>
    public static IReadOnlyList<string> OfOldStore { get; } =
    [
        LedgerJson.DocumentName, PluginBook.DocumentName, SettingsRecord.DocumentName, "schemas.json", "schemas.json.replaced", "staged_events.json", "verify.progress",
        "jwt_revocations.json", "plugin_queue.json", "plugins", "event_store.new", BackupRecord.FileName,
    ];

    /// <summary>Names in an unpacked data directory, those that come along and those that do not.</summary>
    /// <param name="directory">The unpacked data directory.</param>
    public static (IReadOnlyList<string> Taken, IReadOnlyList<string> Left) In(string directory)
    {
        List<string> taken = [], left = [];
        foreach (var name in Directory.EnumerateFileSystemEntries(directory).Select(static path => Path.GetFileName(path)).Order(StringComparer.Ordinal))
        {
            if (name != "event_store")
                (IsTaken(name) ? taken : left).Add(name);
        }

        return (taken, left);
    }

    /// <summary>Names in a data directory, beside the store, that a restore moves where they are there.</summary>
    /// <param name="manifest">Of the backup.</param>
    public static IReadOnlyList<string> ReplacedBy(BackupManifest manifest) =>
    [
        .. manifest.Files.Where(static file => file.Path.StartsWith(Data, StringComparison.Ordinal)).Select(static file => file.Path[Data.Length..].Split('/')[0]).Where(IsTaken)
            .Concat(OfOldStore).Distinct(StringComparer.Ordinal),
    ];

    // Names that differ in case alone are one on some file systems.
    static bool IsTaken(string name) => !name.StartsWith("event_store", StringComparison.OrdinalIgnoreCase) && !name.StartsWith("config.toml", StringComparison.OrdinalIgnoreCase)
        && !name.EndsWith(DurableFile.TemporarySuffix, StringComparison.OrdinalIgnoreCase) && !name.EndsWith(".lock", StringComparison.OrdinalIgnoreCase)
        && !OwnOfMachine.Contains(name, StringComparer.OrdinalIgnoreCase);
}
