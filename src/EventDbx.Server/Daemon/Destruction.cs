using EventDbx.Server.Checkpoints;
using EventDbx.Server.Configuration;
using EventDbx.Server.Logs;
using EventDbx.Server.Tls;
using EventDbx.Storage;

namespace EventDbx.Server.Daemon;

/// <summary>What a destroy removes, and what it leaves: everything that is ours by its name, nothing else, and no link is followed.</summary>
public sealed class Destruction
{
    /// <summary>One of them says that a directory is a data directory.</summary>
    public static IReadOnlyList<string> Marks { get; } = ["event_store", "watermark", "event_store.lock"];

    static readonly string[] OwnFiles =
    [
        "event_store.inventory", "event_store.swap", "watermark", "tokens.json", "jwt_revocations.json", "schemas.json", "settings.json", "plugins.json", "plugin_queue.json",
        "staged_events.json", "schemas.json.replaced", "verify.progress", PidFile.Name, SocketPlace.FileName, "replication.key", "replication.pub", "upgrade-state.json", Backups.BackupRecord.FileName, KeyFile.LogFileName,
        TlsFiles.OwnCertificateName, TlsFiles.OwnKeyName,
    ];

    static readonly string[] OwnDirectories =
        ["event_store", "event_store.new", "event_store.salvage", "event_store.trial", "event_store.best", "event_store.staged", "plugins"];

    /// <summary>Stores that <c>dbx recover</c> and <c>dbx restore --keep-old</c> put aside.</summary>
    static readonly string[] AsidePrefixes = ["event_store.lost-", "event_store.before-"];

    readonly bool _hasData;

    Destruction(string dataDirectory, bool hasData, string? configFile, string? otherStore, IReadOnlyList<string> otherConfigs) =>
        (DataDirectory, _hasData, ConfigFile, OtherStore, OtherConfigs) = (dataDirectory, hasData, configFile, otherStore, otherConfigs);

    /// <summary>Absolute.</summary>
    public string DataDirectory { get; }

    /// <summary>Null: it stays, for it belongs to another data directory.</summary>
    public string? ConfigFile { get; }

    /// <summary>Further configurations that go, for they belong to the store: one of its own in its directory, and those that restores have replaced and kept.</summary>
    public IReadOnlyList<string> OtherConfigs { get; }

    /// <summary>The directory of another store that the configuration belongs to, which is why it stays; null where there is none.</summary>
    public string? OtherStore { get; }

    /// <summary>Works out what would be removed; changes nothing.</summary>
    /// <param name="file">The configuration, with the data directory of this run.</param>
    /// <param name="home">The user's home directory; null when there is none.</param>
    /// <exception cref="DaemonException">The directory is not recognisably one of ours, or too much else is in it.</exception>
    public static Destruction Plan(ConfigFile file, string? home)
    {
        var directory = Path.TrimEndingDirectorySeparator(file.Config.DataDir);
        if (directory == Path.GetPathRoot(directory))
            throw Refused(directory, "it is the root of the file system");
        if (!string.IsNullOrEmpty(home) && (Path.GetFullPath(home) + Path.DirectorySeparatorChar).StartsWith(directory + Path.DirectorySeparatorChar, StringComparison.Ordinal))
            throw Refused(directory, "it is the home directory, or one above it");
        if (new DirectoryInfo(directory).LinkTarget is { } target)
            throw Refused(directory, $"it is a link, to {target}; name that directory itself, with --data-dir");

        var hasData = HasMark(directory);
        var besideConfig = file.Exists && directory == Path.GetDirectoryName(file.Path);
        if (!hasData && !besideConfig && Directory.Exists(directory) && Directory.EnumerateFileSystemEntries(directory).Any())
            throw Refused(directory, $"it is not recognisably a data directory: it has none of {string.Join(", ", Marks)}");

        // With the configuration goes the key: where it is that of another store, it stays.
        string[] users = [file.ConfiguredDataDir, file.SavedDataDir, Path.GetDirectoryName(file.Path)!];
        var other = users.Select(Path.TrimEndingDirectorySeparator).FirstOrDefault(user => user != directory && Database.ExistsIn(user));
        var config = file.Exists && other is null ? file.Path : null;
        return new(directory, hasData, config, file.Exists ? other : null, FindOtherConfigs(file, directory, config));
    }

    static List<string> FindOtherConfigs(ConfigFile file, string directory, string? config)
    {
        List<string> found = [];
        var own = Path.Combine(directory, "config.toml");
        // A restore beside another store puts it there.
        if (own != config && own != file.RealPath && new FileInfo(own) is { Exists: true, LinkTarget: null } && file.Another(own) is { Exists: true } named && Path.TrimEndingDirectorySeparator(named.SavedDataDir) == directory)
            found.Add(own);
        foreach (var beside in ((string?[])[config, .. found]).OfType<string>().ToList())
            found.AddRange(KeptBeside(beside).Where(kept => !IsOfAnotherStore(file.Another(kept), directory)));
        return found;
    }

    static bool IsOfAnotherStore(ConfigFile? kept, string directory) => kept is not null && Path.TrimEndingDirectorySeparator(kept.SavedDataDir) is var named && named != directory && Database.ExistsIn(named);

    /// <summary>What restores have kept of a configuration, in order.</summary>
    static IEnumerable<string> KeptBeside(string config) => new DirectoryInfo(Path.GetDirectoryName(config)!).EnumerateFiles(Path.GetFileName(config) + ".*")
        .Where(static file => file.LinkTarget is null && Restores.RestoredConfig.IsKept(file.Name)).Select(static file => file.FullName).Order(StringComparer.Ordinal);

    /// <summary>Removes it.</summary>
    /// <param name="timeout">How long to wait for another process that has the directory open.</param>
    /// <returns>What is left in the directories, because it is not ours.</returns>
    /// <exception cref="StoreRefusedException">Another process has it open; nothing was removed.</exception>
    public IReadOnlyList<string> Run(TimeSpan timeout)
    {
        if (_hasData)
        {
            var lockFile = Path.Combine(DataDirectory, "event_store.lock");
            using (Database.Hold(DataDirectory, "dbx destroy", timeout))
            {
                foreach (var entry in new DirectoryInfo(DataDirectory).EnumerateFileSystemInfos().ToList())
                    RemoveOwn(entry);
                // Last, and while it is held: who finds it gone finds everything gone.
                if (!OperatingSystem.IsWindows())
                    File.Delete(lockFile);
            }

            // There an open file cannot be deleted.
            if (OperatingSystem.IsWindows())
                File.Delete(lockFile);
        }

        List<string> left = [];
        if (ConfigFile is not null)
        {
            if (new FileInfo(ConfigFile).LinkTarget is { } target)
            {
                var named = Path.GetFullPath(target, Path.GetDirectoryName(ConfigFile)!);
                left.Add(named);
                if (Directory.Exists(Path.GetDirectoryName(named)))
                    left.AddRange(KeptBeside(named));
            }

            foreach (var path in (string[])[ConfigFile, ConfigFile + DurableFile.TemporarySuffix, ConfigFile + ".lock"])
                File.Delete(path);
        }

        foreach (var path in OtherConfigs)
            File.Delete(path);
        foreach (var directory in ((string[])[DataDirectory, Path.GetDirectoryName(ConfigFile) ?? DataDirectory]).Distinct())
        {
            if (!Directory.Exists(directory))
                continue;
            var foreign = Directory.GetFileSystemEntries(directory).Order(StringComparer.Ordinal).ToList();
            // A configuration may lie anywhere, as in a project's folder: what is beside it there is nobody's business.
            if (foreign.Count == 0 && (directory == DataDirectory || Path.GetFileName(directory) == Configuration.ConfigFile.RootName))
                Directory.Delete(directory);
            else if (directory == DataDirectory)
                left.AddRange(foreign);
        }

        return left;
    }

    /// <summary>Whether a directory is recognisably a data directory.</summary>
    public static bool HasMark(string directory) => Marks.Any(mark => Path.Exists(Path.Combine(directory, mark)));

    static void RemoveOwn(FileSystemInfo entry)
    {
        var name = entry.Name;
        var isDirectory = entry is DirectoryInfo && entry.LinkTarget is null;
        if (isDirectory && name == "logs")
            RemoveLogs((DirectoryInfo)entry);
        else if (OwnDirectories.Contains(name) || (isDirectory && EventDbx.Backups.StagedBackup.IsLeftBehind(name)) || Array.Exists(AsidePrefixes, prefix => name.StartsWith(prefix, StringComparison.Ordinal)))
            Remove(entry, isDirectory);
        else if (!isDirectory && OwnFiles.Any(own => name == own || name == own + DurableFile.TemporarySuffix || PendingFile.NameOf(name) == own))
            Remove(entry, isDirectory: false);
    }

    static void Remove(FileSystemInfo entry, bool isDirectory)
    {
        // Recursion removes the links it meets, not what they lead to.
        if (isDirectory)
            ((DirectoryInfo)entry).Delete(recursive: true);
        else
            entry.Delete();
    }

    static void RemoveLogs(DirectoryInfo logs)
    {
        foreach (var file in logs.EnumerateFiles().Where(file => file.Name == LogFile.Name || LogFile.IsOlder(file.Name)).ToList())
            file.Delete();
        if (!logs.EnumerateFileSystemInfos().Any())
            logs.Delete();
    }

    static DaemonException Refused(string directory, string why) => new($"{directory} is not destroyed: {why}. Nothing was removed.");
}
